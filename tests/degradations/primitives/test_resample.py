"""Every resampling flavour against the library it is named after, and torch against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from realdeg.degradations.primitives import MODES, imresize, resample, s_fold, sampling_offset

SIZES = [
    ((24, 32), (6, 8)),
    ((37, 53), (11, 40)),
    ((31, 17), (62, 51)),
    ((30, 30), (15, 10)),
    ((64, 64), (32, 100)),
    ((7, 5), (3, 9)),
    ((1, 4), (3, 2)),
    ((90, 99), (89, 100)),
]
FLAGS = {
    "cv2_nearest": cv2.INTER_NEAREST,
    "cv2_linear": cv2.INTER_LINEAR,
    "cv2_cubic": cv2.INTER_CUBIC,
    "cv2_area": cv2.INTER_AREA,
    "cv2_lanczos4": cv2.INTER_LANCZOS4,
}
# OpenCV 4 and torch round positions to float32: up to 1e-5 pixels on images of this size.
ROUNDED_POSITIONS = 3e-5


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("before", "after"), SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_torch_and_opencv_agree(mode, before, after):
    x = _random(2, 3, *before)
    quick = resample(x, after, mode)
    slow = resample(x.clone().requires_grad_(), after, mode)
    assert quick.shape == (2, 3, *after) and quick.dtype == torch.float32 and quick.is_contiguous()
    assert slow.requires_grad
    bound = 1e-5 if int(cv2.__version__.split(".")[0]) >= 5 else ROUNDED_POSITIONS
    torch.testing.assert_close(quick, slow.detach(), atol=bound, rtol=0)


@pytest.mark.parametrize(("before", "after"), SIZES)
@pytest.mark.parametrize("mode", FLAGS)
def test_equals_opencv(mode, before, after):
    x = _random(1, 3, *before)
    interleaved = np.ascontiguousarray(x[0].numpy().transpose(1, 2, 0))
    expected = cv2.resize(interleaved, after[::-1], interpolation=FLAGS[mode])
    got = resample(x, after, mode)[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(got, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("before", "after"), SIZES)
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "area"])
def test_equals_torch(name, before, after):
    x = _random(1, 3, *before)
    expected = F.interpolate(x, size=after, mode=name)
    got = resample(x, after, f"torch_{name}")
    torch.testing.assert_close(got, expected, atol=ROUNDED_POSITIONS, rtol=0)


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_antialiased_equals_torch(name):
    x = _random(1, 3, 24, 32)
    expected = F.interpolate(x, size=(7, 20), mode=name, antialias=True, align_corners=False)
    assert torch.equal(resample(x, (7, 20), f"torch_{name}_antialias"), expected)


def test_matlab_bicubic_is_imresize():
    x = _random(1, 3, 24, 32)
    assert torch.equal(resample(x, (6, 8), "matlab_bicubic"), imresize(x, 0.25))


@pytest.mark.parametrize(("scale", "first"), [(2, 1), (3, 1), (4, 2), (5, 2)])
def test_nearest_keeps_matlabs_pixel_not_the_first_one(scale, first):
    ramp = torch.arange(10 * scale, dtype=torch.float32).expand(1, 1, 10 * scale, 10 * scale)
    size = (10, 10)
    expected = scale * torch.arange(10) + first
    assert torch.equal(resample(ramp, size, "nearest")[0, 0, 3], expected.float())
    assert torch.equal(resample(ramp, size, "cv2_nearest")[0, 0, 3], (expected - first).float())
    # Growing by a whole factor repeats every pixel, in both.
    small = _random(1, 1, 4, 4)
    grown = small.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    for mode in ("nearest", "cv2_nearest"):
        assert torch.equal(resample(small, (4 * scale, 4 * scale), mode), grown)


@pytest.mark.parametrize("mode", MODES)
def test_a_constant_stays_and_the_input_is_left_alone(mode):
    x = torch.full((1, 3, 13, 17), 0.3)
    for size in ((5, 6), (13, 17), (20, 9)):
        got = resample(x, size, mode)
        torch.testing.assert_close(got, torch.full((1, 3, *size), 0.3))
        assert got.data_ptr() != x.data_ptr()
    assert torch.equal(x, torch.full((1, 3, 13, 17), 0.3))


@pytest.mark.parametrize("mode", MODES)
def test_gradient(mode):
    x = _random(1, 1, 5, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda t: resample(t, (3, 8), mode), x)


@pytest.mark.parametrize("mode", MODES)
def test_strided_memory_and_empty_batches(mode):
    x = _random(1, 20, 24, 3).permute(0, 3, 1, 2)[..., 2:, ::2]
    assert torch.equal(resample(x, (7, 5), mode), resample(x.contiguous(), (7, 5), mode))
    assert resample(x[:0], (7, 5), mode).shape == (0, 3, 7, 5)


def test_s_fold_keeps_every_scale_th_pixel():
    x = _random(2, 3, 13, 12)
    for start in range(3):
        got = s_fold(x, 3, start)
        assert torch.equal(got, x[:, :, start::3, start::3]) and got.is_contiguous()
    assert s_fold(x, 1).data_ptr() != x.data_ptr()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda x: resample(x, (4, 4), "bicubic"), "mode"),
        (lambda x: resample(x, (0, 4), "cv2_area"), "positive"),
        (lambda x: resample(x[0], (4, 4), "cv2_area"), "B, C, H, W"),
        (lambda x: resample((x * 255).byte(), (4, 4), "cv2_area"), "floating-point"),
        (lambda x: s_fold(x, 0), "scale"),
        (lambda x: s_fold(x, 3, 3), "start"),
        (lambda x: s_fold(x[..., :2], 9, 5), "no pixel"),
        (lambda x: sampling_offset("linear", 2), "mode"),
        (lambda x: sampling_offset("nearest", 0), "scale"),
    ],
)
def test_bad_arguments(call, named):
    with pytest.raises(ValueError, match=named):
        call(_random(1, 1, 8, 8))
