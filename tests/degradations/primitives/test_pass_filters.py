"""Low-pass and high-pass filters against sums written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.degradations.primitives.pass_filters import FILTERS, high_pass, low_pass


def _image(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _mean_of_inside(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the part of each window that lies inside the image."""
    rim = len(weights) // 2
    out = np.empty_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            total = share = 0.0
            for di in range(-rim, rim + 1):
                for dj in range(-rim, rim + 1):
                    if 0 <= i + di < image.shape[0] and 0 <= j + dj < image.shape[1]:
                        weight = weights[di + rim] * weights[dj + rim]
                        total += weight * image[i + di, j + dj]
                        share += weight
            out[i, j] = total / share
    return out


@pytest.mark.parametrize("kind", ["average", "gaussian"])
def test_low_pass_leaves_out_what_lies_outside(kind):
    x = _image(2, 3, 7, 9)
    weights = np.ones(5) if kind == "average" else np.exp(-0.5 * (np.arange(-2, 3) * 6 / 5) ** 2)
    found = low_pass(x, 5, kind)
    for image, smooth in zip(x.flatten(0, 1), found.flatten(0, 1), strict=True):
        np.testing.assert_allclose(smooth, _mean_of_inside(image.numpy(), weights), atol=1e-12)
    # Without padding: the inner part of the same.
    torch.testing.assert_close(low_pass(x, 5, kind, padded=False), found[..., 2:-2, 2:-2])


@pytest.mark.parametrize("kind", FILTERS)
def test_high_pass_of_a_flat_image_is_grey(kind):
    flat = torch.full((1, 3, 8, 6), 0.3)
    found = high_pass(flat, 5, kind)
    torch.testing.assert_close(found, torch.full_like(found, 0.5))


def test_high_pass_and_low_pass_give_the_image_back():
    x = _image(1, 3, 12, 10)
    for kind in ("average", "gaussian"):
        torch.testing.assert_close(2 * high_pass(x, 5, kind) - 1 + low_pass(x, 5, kind), x)


def test_the_gaussian_is_the_code_s():
    impulse = torch.zeros(1, 1, 11, 11, dtype=torch.float64)
    impulse[0, 0, 5, 5] = 1
    kernel = low_pass(impulse, 5, "gaussian")[0, 0, 3:8, 3:8]
    assert kernel.sum() == pytest.approx(1)
    # Neighbours of a Gaussian of variance (5 / 6)^2.
    ratio = float(kernel[2, 3] / kernel[2, 2])
    assert ratio == pytest.approx(np.exp(-0.5 / (5 / 6) ** 2))


def test_wavelet_bands_are_three_of_each_colour():
    """The transform itself is held to its definition in test_wavelets.py."""
    assert high_pass(_image(1, 3, 9, 7), kind="wavelet").shape == (1, 9, 4, 3)
    flat = torch.full((1, 3, 8, 8), 0.3)
    torch.testing.assert_close(high_pass(flat, kind="wavelet"), torch.full((1, 9, 4, 4), 0.5))


def test_refusals():
    x = _image(1, 1, 4, 4)
    with pytest.raises(ValueError, match="odd"):
        low_pass(x, 4)
    with pytest.raises(ValueError, match="less than 5"):
        low_pass(x, 5, padded=False)
    with pytest.raises(ValueError, match="kind"):
        high_pass(x, 3, "median")
