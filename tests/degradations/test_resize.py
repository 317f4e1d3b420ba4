"""MATLAB's bicubic imresize, against an independent pixel-by-pixel float64 version."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.degradations import Bicubic
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives import resize as module
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.image import as_rgb, read_image, to_tensor


def _cubic(t: float) -> float:
    t = abs(t)
    if t <= 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t <= 2 else 0.0


def _line(values: np.ndarray, out: int, scale: float) -> np.ndarray:
    """Resize one axis as the documentation of MATLAB tells it, sample by sample."""
    n, result = len(values), np.zeros(out)
    shrink = min(scale, 1.0)
    for i in range(out):
        centre = (i + 0.5) / scale - 0.5
        reach = 2 / shrink
        total = weight_sum = 0.0
        for j in range(math.floor(centre - reach) - 1, math.ceil(centre + reach) + 2):
            weight = _cubic(shrink * (centre - j))
            mirrored = j % (2 * n)
            mirrored = mirrored if mirrored < n else 2 * n - 1 - mirrored
            total += weight * values[mirrored]
            weight_sum += weight
        result[i] = total / weight_sum
    return result


def _reference(x: np.ndarray, sizes, scales) -> np.ndarray:
    x = np.stack([_line(x[:, j], sizes[0], scales[0]) for j in range(x.shape[1])], 1)
    return np.stack([_line(x[i], sizes[1], scales[1]) for i in range(x.shape[0])], 0)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 14),
    st.integers(1, 14),
    st.sampled_from([1 / 4, 1 / 3, 1 / 2, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0]),
)
def test_equals_the_reference(height, width, scale):
    x = np.random.default_rng(0).random((height, width))
    got = imresize(torch.tensor(x)[None, None], scale)[0, 0].numpy()
    sizes = (math.ceil(height * scale - 1e-9), math.ceil(width * scale - 1e-9))
    assert got.shape == sizes
    np.testing.assert_allclose(got, _reference(x, sizes, (scale, scale)), atol=1e-12)


def test_gathering_taps_equals_the_dense_matrix(monkeypatch):
    x = torch.rand(1, 3, 33, 20, dtype=torch.float64)
    dense = imresize(x, size=(50, 7))
    monkeypatch.setattr(module, "_DENSE_LIMIT", 0)
    torch.testing.assert_close(imresize(x, size=(50, 7)), dense)


def test_half_size_taps_are_the_published_ones():
    published = [-0.011719, -0.035156, 0.113281, 0.433594]
    taps = imresize(torch.eye(32, dtype=torch.float64)[:, None, None], size=(1, 16))[:, 0, 0, 8]
    expected = torch.zeros(32, dtype=torch.float64)
    expected[13:21] = torch.tensor(published + published[::-1])
    torch.testing.assert_close(taps, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_centres_are_aligned(scale):
    ramp = torch.arange(60, dtype=torch.float64).expand(1, 1, 60, 60).contiguous()
    small = imresize(ramp, 1 / scale)[0, 0, 0]
    expected = scale * torch.arange(60 // scale) + (scale - 1) / 2
    torch.testing.assert_close(small[4:-4], expected.double()[4:-4])


def test_uint8_passes_round_twice():
    x = torch.randint(0, 256, (1, 1, 40, 40), generator=torch.Generator().manual_seed(0)) / 255
    twice = imresize(x.double(), 0.5, uint8_passes=True) * 255
    once = (imresize(x.double(), 0.5) * 255).clamp(0, 255).add(0.5).floor()
    torch.testing.assert_close(twice, twice.round())
    differing = (twice.round() != once).float().mean()
    assert 0.02 < differing < 0.3 and (twice - once).abs().max() <= 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_halves_are_rounded_as_in_integer_arithmetic(dtype):
    """Against int64: 2 in a million sums that are a half fell short of it in float32."""
    height, width = 8192, 1024
    levels = torch.randint(0, 256, (height, width), generator=torch.Generator().manual_seed(0))
    found = imresize(
        (levels.to(dtype) / 255)[None, None], size=(height, width // 2), uint8_passes=True
    )
    found = (found[0, 0].double() * 255).round().long()[:, 2:-2]
    sums = torch.zeros_like(found)
    for tap, weight in enumerate((-3, -9, 29, 111, 111, 29, -9, -3)):
        sums += weight * levels[:, 1 + tap :: 2][:, : found.shape[1]]
    halves = (sums % 256 == 128).sum()
    assert halves > 10_000
    expected = ((sums + 128) // 256).clamp(0, 255)
    assert int((found != expected).sum()) == 0


def test_what_is_no_8_bit_level_stays_what_it_is():
    x = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
    plain = (imresize(x.double(), 2, padding="replicate") * 255).clamp(0, 255)
    rounded = imresize(x, 2, uint8_passes=True, padding="replicate") * 255
    assert (plain - rounded).abs().max() < 1.5


def test_bad_arguments():
    with pytest.raises(ValueError, match="either"):
        imresize(torch.rand(1, 1, 4, 4))
    with pytest.raises(ValueError, match="positive"):
        imresize(torch.rand(1, 1, 4, 4), -1)
    with pytest.raises(ValueError, match="positive"):
        imresize(torch.rand(1, 1, 4, 4), size=(0, 3))
    with pytest.raises(ValueError, match="padding"):
        imresize(torch.rand(1, 1, 4, 4), 2, padding="reflect")


def test_replicated_border_is_an_image_continued_by_its_rim():
    x = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    padded = torch.nn.functional.pad(x, (8, 8, 8, 8), mode="replicate")
    expected = imresize(padded, 0.5)[..., 4:-4, 4:-4]
    torch.testing.assert_close(imresize(x, 0.5, padding="replicate"), expected)


def _set5(real_data, scale):
    for path in sorted((real_data / "Set5" / "HR" / f"x{scale}").glob("*.png")):
        name = path.name.replace(f"HR_x{scale}", f"LRBI_x{scale}")
        lr = real_data / "Set5" / "LR_bicubic" / f"x{scale}" / name
        yield (to_tensor(as_rgb(read_image(p)))[None].double() for p in (path, lr))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_pixel_of_the_shared_set5_lr_files_is_met(real_data, scale):
    degradation = Bicubic(scale, uint8_passes=True, padding="replicate")
    for hr, lr in _set5(real_data, scale):
        assert torch.equal((degradation(hr, [0]) * 255).round(), (lr * 255).round())


@pytest.mark.parametrize(("scale", "published"), [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_set5_bicubic_has_the_published_psnr(real_data, scale, published):
    """Down and up on the 8-bit luma in floating point, rounded once: the classic protocol."""
    values = []
    for hr, _ in _set5(real_data, scale):
        y = (rgb_to_y(hr) * 255).add(0.5).floor()
        up = imresize(imresize(y, 1 / scale), scale).clamp(0, 255).add(0.5).floor()
        error = (up - y)[..., scale:-scale, scale:-scale].square().mean()
        values.append(float(10 * torch.log10(255**2 / error)))
    assert abs(np.mean(values) - published) < 0.01


def test_a_trace_leaves_the_caches_alone():
    class Halved(torch.nn.Module):
        def forward(self, x):
            return imresize(x, 0.5)

    x = torch.rand(1, 1, 22, 26)
    program = torch.export.export(Halved(), (x,))
    wanted = imresize(x, 0.5)
    torch.testing.assert_close(program.module()(x), wanted)
