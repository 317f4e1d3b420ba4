"""Filtering against a sum written out over windows, on every path and border."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.degradations.primitives import (
    PADDINGS,
    filter_image,
    filtering,
    gaussian_blur,
    gaussian_kernel,
    separable_filter,
    sinc_kernel,
)

NUMPY_MODES = {
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
    "circular": "wrap",
    "zeros": "constant",
}


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _kernel(k: int, seed: int = 0) -> torch.Tensor:
    kernel = _random(k, k, seed=seed).double()
    return kernel / kernel.sum()


def _reference(x: torch.Tensor, kernel: torch.Tensor, border: str) -> torch.Tensor:
    k = kernel.shape[0]
    around = (k // 2, k - 1 - k // 2)
    padded = np.pad(x.double().numpy(), ((0, 0), (0, 0), around, around), NUMPY_MODES[border])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), (2, 3))
    return torch.from_numpy(np.einsum("bchwij,ij->bchw", windows, kernel.numpy())).float()


def _assert_both_paths(x, kernel, border):
    expected = _reference(x, kernel, border)
    opencv = filter_image(x, kernel, border)
    by_torch = filter_image(x.clone().requires_grad_(), kernel, border)
    torch.testing.assert_close(opencv, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(by_torch.detach(), expected, atol=1e-5, rtol=0)
    assert opencv.is_contiguous() and by_torch.requires_grad


@pytest.mark.parametrize("border", PADDINGS)
@pytest.mark.parametrize("k", [1, 2, 3, 6, 11, 12, 15, 22])
def test_equals_the_sum_over_windows(k, border):
    x = _random(2, 3, 27, 34)
    _assert_both_paths(x, _kernel(k), border)
    _assert_both_paths(x, gaussian_kernel(k, 1.3), border)


@pytest.mark.parametrize("border", PADDINGS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 2), (5, 4)])
def test_images_smaller_than_the_kernel(size, border):
    x = _random(1, 3, *size)
    for k in (9, 13):
        _assert_both_paths(x, _kernel(k), border)
        _assert_both_paths(x, gaussian_kernel(k, 2.0), border)


def test_it_is_a_correlation_not_a_convolution():
    x = torch.zeros(1, 1, 31, 31)
    x[0, 0, 15, 15] = 1
    for k in (5, 13):
        kernel = _kernel(k)
        reach = k // 2
        window = slice(15 - reach, 16 + reach)
        got = filter_image(x, kernel)[0, 0, window, window]
        torch.testing.assert_close(got, kernel.flip(0, 1).float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("k", [7, 14])
def test_every_image_has_its_own_kernel(k):
    x = _random(3, 2, 20, 24)
    kernels = torch.stack([_kernel(k, 1), gaussian_kernel(k, 2.0), _kernel(k, 2)])
    together = filter_image(x, kernels, "symmetric")
    for i in range(3):
        alone = filter_image(x[i : i + 1], kernels[i], "symmetric")
        assert torch.equal(together[i : i + 1], alone)
    by_torch = filter_image(x.clone().requires_grad_(), kernels, "symmetric")
    torch.testing.assert_close(by_torch.detach(), together, atol=1e-5, rtol=0)


def test_large_images_take_tiles_and_agree(monkeypatch):
    x, kernel = _random(1, 1, 60, 50), sinc_kernel(21, 1.4)
    whole = filter_image(x, kernel)
    monkeypatch.setattr(filtering, "_WHOLE_TRANSFORM", 100)
    torch.testing.assert_close(filter_image(x, kernel), whole, atol=1e-5, rtol=0)


def test_input_is_left_alone_whatever_its_memory_looks_like():
    whole = _random(2, 40, 30, 3)
    x = whole.permute(0, 3, 1, 2)[..., ::2, 1:]
    before = x.clone()
    for kernel in (_kernel(5), _kernel(13), gaussian_kernel(13, 1.5)):
        for border in ("reflect", "circular"):
            got = filter_image(x, kernel, border)
            torch.testing.assert_close(got, filter_image(x.contiguous(), kernel, border))
            assert torch.equal(x, before) and got.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("kernel", [_kernel(4), _kernel(12), gaussian_kernel(5, 1.0)])
@pytest.mark.parametrize("border", PADDINGS)
def test_gradient(kernel, border):
    x = _random(1, 2, 6, 5).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda t: filter_image(t, kernel, border), x)


def test_gradient_is_not_asked_for_in_vain():
    x = _random(1, 1, 20, 20).requires_grad_()
    with torch.no_grad():
        assert not filter_image(x, _kernel(5)).requires_grad
    assert not filter_image(x.detach(), _kernel(13)).requires_grad


def test_rows_and_columns_are_not_mixed_up():
    x = _random(1, 1, 15, 12)
    row = torch.tensor([0.0, 0.0, 1.0])
    one = torch.ones(1)
    for image in (x, x.clone().requires_grad_()):
        moved = separable_filter(image, row, one, "circular").detach()
        assert torch.equal(moved, x.roll(-1, 3))
        assert torch.equal(separable_filter(image, one, row, "circular").detach(), x.roll(-1, 2))


def test_separable_equals_its_product():
    x, row, column = _random(1, 3, 25, 18), _kernel(5)[0], _kernel(5)[:, 1]
    got = separable_filter(x, row, column, "symmetric")
    expected = _reference(x, torch.outer(column, row), "symmetric")
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_gaussian_blur_takes_four_sigmas():
    x = _random(1, 3, 40, 40)
    got = gaussian_blur(x, 1.5)
    torch.testing.assert_close(got, _reference(x, gaussian_kernel(13, 1.5), "reflect"))
    narrow = gaussian_blur(x, 1.5, 5, "replicate")
    torch.testing.assert_close(narrow, _reference(x, gaussian_kernel(5, 1.5), "replicate"))


def test_kernels_that_sum_to_nothing_are_filtered_too():
    x = _random(1, 1, 20, 20)
    edge = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)
    _assert_both_paths(x, edge, "reflect")


def test_an_empty_batch_stays_empty():
    x = torch.zeros(0, 3, 8, 8)
    assert filter_image(x, _kernel(5)).shape == (0, 3, 8, 8)
    assert filter_image(x, torch.zeros(0, 5, 5)).shape == (0, 3, 8, 8)
    assert gaussian_blur(x, 1.0).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda x: filter_image(x, _kernel(5), "mirror"), "padding"),
        (lambda x: filter_image(x, _kernel(5)[:3]), "kernels are"),
        (lambda x: filter_image(x, torch.zeros(3, 5, 5)), "batch of 2"),
        (lambda x: filter_image(x, torch.zeros(0, 0)), "do not fit"),
        (lambda x: filter_image(x[0], _kernel(5)), "B, C, H, W"),
        (lambda x: filter_image(x[..., :0], _kernel(5)), "B, C, H, W"),
        (lambda x: filter_image((x * 255).byte(), _kernel(5)), "floating-point"),
        (lambda x: separable_filter(x, _kernel(5), _kernel(5)[0]), "two vectors"),
        (lambda x: separable_filter(x, torch.zeros(0), torch.ones(1)), "two vectors"),
        (lambda x: gaussian_blur(x, 0.0), "sigma"),
        (lambda x: gaussian_blur(x, 1.0, 4), "odd"),
    ],
)
def test_bad_arguments(call, named):
    with pytest.raises(ValueError, match=named):
        call(_random(2, 1, 8, 8))
