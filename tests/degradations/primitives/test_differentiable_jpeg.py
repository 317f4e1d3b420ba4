"""JPEG as arithmetic: against its formula written out, the real codec, and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.degradations.primitives.compression import jpeg
from realdeg.degradations.primitives.differentiable_jpeg import (
    _LUMA_TABLE,
    FLAVOURS,
    differentiable_jpeg,
)


def _picture(height: int = 48, width: int = 64, seed: int = 0) -> torch.Tensor:
    """Smooth colours with an edge: content that JPEG is made for."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[0:height, 0:width] / 64
    planes = [0.5 + 0.4 * np.sin(a * row + b * column + c) for a, b, c in rng.uniform(1, 9, (3, 3))]
    image = np.stack(planes)
    image[:, :, width // 2 :] *= 0.6
    return torch.tensor(image, dtype=torch.float32)[None]


def _diffjpeg(x: np.ndarray, quality: float) -> np.ndarray:
    """DiffJPEG with exact rounding, one coefficient at a time, for whole blocks of 16."""
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    chroma_table = np.full((8, 8), 99.0)
    corner = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
    chroma_table[:4, :4] = corner
    red, green, blue = x * 255
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb = -0.168736 * red - 0.331264 * green + 0.5 * blue + 128
    cr = 0.5 * red - 0.418688 * green - 0.081312 * blue + 128
    angle = (2 * np.arange(8) + 1) * np.pi / 16
    planes = []
    for plane, table in ((luma, np.array(_LUMA_TABLE)), (cb, chroma_table), (cr, chroma_table)):
        if plane is not luma:
            height, width = plane.shape
            plane = plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
        steps = table.T * percent / 100
        result = np.zeros_like(plane)
        for top in range(0, plane.shape[0], 8):
            for left in range(0, plane.shape[1], 8):
                block = plane[top : top + 8, left : left + 8] - 128
                back = np.full((8, 8), 128.0)
                for u in range(8):
                    for v in range(8):
                        wave = np.outer(np.cos(angle * u), np.cos(angle * v))
                        alpha = (0.5**0.5 if u == 0 else 1) * (0.5**0.5 if v == 0 else 1)
                        level = 0.25 * alpha * (block * wave).sum() / steps[u, v]
                        back += 0.25 * alpha * np.round(level) * steps[u, v] * wave
                result[top : top + 8, left : left + 8] = back
        planes.append(result if plane is luma else result.repeat(2, 0).repeat(2, 1))
    luma, cb, cr = planes
    cb, cr = cb - 128, cr - 128
    rgb = [luma + 1.402 * cr, luma - 0.344136 * cb - 0.714136 * cr, luma + 1.772 * cb]
    return np.clip(np.stack(rgb), 0, 255) / 255


@pytest.mark.parametrize("quality", [12.5, 60.0, 95.0])
def test_diffjpeg_is_equal_to_its_formula(quality):
    x = _picture(32, 48)
    wanted = _diffjpeg(x[0].double().numpy(), quality)
    found = differentiable_jpeg(x.double(), [quality], differentiable=False)[0].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    # In float32 a coefficient half-way between two levels may fall on the other side.
    single = differentiable_jpeg(x, [quality], differentiable=False)[0].numpy()
    assert (abs(single - wanted) > 1e-4).mean() < 0.05


def test_the_libjpeg_flavour_follows_the_real_codec():
    x = _picture(45, 61)
    for quality in (10, 50, 75, 95):
        real = jpeg(x, [quality])
        found = differentiable_jpeg(x, [quality], False, "libjpeg")
        other = differentiable_jpeg(x, [quality], False, "diffjpeg")
        error = (found - real).abs().mean() * 255
        assert error < 1.0
        assert error < 0.8 * (other - real).abs().mean() * 255


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_has_its_own_quality(flavour, channels):
    x = torch.cat([_picture(21, 35), _picture(21, 35, 1)])[:, :channels]
    before = x.clone()
    y = differentiable_jpeg(x, torch.tensor([20.0, 90.5]), flavour=flavour)
    assert y.shape == x.shape and torch.equal(x, before)
    alone = differentiable_jpeg(x[1:], [90.5], flavour=flavour)
    torch.testing.assert_close(y[1:], alone, atol=2e-6, rtol=0)
    errors = (y - x).abs().mean((1, 2, 3))
    assert errors[1] < errors[0]


def test_gradient_is_that_of_the_soft_rounding():
    x = _picture(16, 16).double().requires_grad_()
    differentiable_jpeg(x, [50.0]).square().sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0.1
    place = (0, 1, 5, 6)
    step = 1e-7
    values = []
    for sign in (1, -1):
        moved = x.detach().clone()
        moved[place] += sign * step
        values.append(differentiable_jpeg(moved, [50.0]).square().sum().item())
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(x.grad[place].item(), rel=1e-3)


def test_exact_rounding_has_no_gradient():
    x = _picture(16, 16).requires_grad_()
    differentiable_jpeg(x, [50.0], differentiable=False).sum().backward()
    assert x.grad is not None and not x.grad.any()


def test_the_best_quality_is_finite():
    for flavour in FLAVOURS:
        y = differentiable_jpeg(_picture(), [100.0], False, flavour)
        assert torch.isfinite(y).all()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: differentiable_jpeg(x, [0.5]), "from 1 to 100"),
        (lambda x: differentiable_jpeg(x, [float("nan")]), "from 1 to 100"),
        (lambda x: differentiable_jpeg(x, [50, 50]), "2 qualities"),
        (lambda x: differentiable_jpeg(x, [50], flavour="mozjpeg"), "flavour"),
        (lambda x: differentiable_jpeg(x[0], [50]), "compression takes"),
    ],
)
def test_bad_arguments_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call(_picture(16, 16))
