"""Unsharp masking against its formula with one dense window, as BasicSR computes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from realdeg.degradations.primitives import filter_image, gaussian_kernel, unsharp_mask


def _picture(height: int = 70, width: int = 64, seed: int = 0) -> torch.Tensor:
    """Smooth parts, edges and some noise, so that the mask has both values."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(2, 3, height, width, generator=generator)
    x = filter_image(noise, gaussian_kernel(11, 2.0))
    x = (x - 0.5) * 3 + 0.5
    x[..., height // 2 :, : width // 3] = 0.95
    x[..., : width // 3] = 0.4
    return x.clamp(0, 1)


def _formula(x, weight=0.5, kernel_size=51, sigma=8.0, threshold=10.0):
    """Dense 2-D windows in float64; no residual of the test picture meets the threshold."""
    reach = kernel_size // 2
    axis = np.arange(kernel_size) - reach
    line = np.exp(-0.5 * (axis / sigma) ** 2)
    window = torch.from_numpy(np.outer(line, line) / line.sum() ** 2)[None, None]

    def blur(t):
        padded = np.pad(t.numpy(), ((0, 0), (0, 0), (reach, reach), (reach, reach)), "reflect")
        planes = torch.from_numpy(padded).flatten(0, 1)[:, None]
        return F.conv2d(planes, window).view(t.shape)

    x = x.double()
    residual = x - blur(x)
    assert ((residual.abs() * 255 - threshold).abs() > 2e-4).all()
    mask = (residual.abs() * 255 > threshold).double()
    assert 0.05 < mask.mean() < 0.95
    soft = blur(mask)
    return (soft * (x + weight * residual).clamp(0, 1) + (1 - soft) * x).float()


def _both(x, **arguments):
    by_torch = unsharp_mask(x.clone().requires_grad_(), **arguments)
    return unsharp_mask(x, **arguments), by_torch.detach()


def test_equals_the_dense_formula():
    x = _picture(60, 56)
    for got in _both(x):
        torch.testing.assert_close(got, _formula(x), atol=1e-5, rtol=0)


def test_other_settings_equal_the_dense_formula():
    x = _picture()
    expected = _formula(x, 1.5, 21, 0.3 * (20 * 0.5 - 1) + 0.8, 4.1)
    for got in _both(x, weight=1.5, radius=20, threshold=4.1):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    assert torch.equal(unsharp_mask(x, radius=21), unsharp_mask(x, radius=20))


def test_small_differences_are_left_alone():
    x = 0.5 + 0.03 * torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    for got in _both(x):
        assert torch.equal(got, x)
    assert not torch.equal(unsharp_mask(x, threshold=0.0), x)


def test_result_stays_in_range_input_is_left_alone_and_channels_do_not_meet():
    x = _picture()
    before = x.clone()
    got = unsharp_mask(x, weight=3.0)
    assert got.min() >= 0 and got.max() <= 1 and torch.equal(x, before)
    alone = unsharp_mask(x[:, 1:2], weight=3.0)
    assert torch.equal(got[:, 1:2], alone)
    strided = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(unsharp_mask(strided, weight=3.0), got)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1), (6, 3)])
def test_images_far_smaller_than_the_window(size):
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(4))
    opencv, by_torch = _both(x)
    torch.testing.assert_close(opencv, by_torch, atol=1e-5, rtol=0)


def test_gradient_is_that_of_the_formula_with_the_mask_kept():
    x = _picture(12, 10)[:1].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda t: unsharp_mask(t, radius=7, threshold=0.0), x)


def test_bad_arguments_and_empty_batch():
    x = _picture()
    for arguments in ({"weight": -1.0}, {"radius": 0}, {"threshold": float("nan")}):
        with pytest.raises(ValueError, match="unsharp_mask"):
            unsharp_mask(x, **arguments)
    assert unsharp_mask(x[:0]).shape == x[:0].shape
