"""kernel_apply and pixel_kernel_apply against the written-out reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.ops import PADDINGS, kernel_apply, output_size, pixel_kernel_apply
from tests.ops import reference

SIZES = st.integers(1, 5)


@st.composite
def problems(draw):
    """Draw a shape that the operators take."""
    k, stride = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    padding = draw(st.sampled_from(PADDINGS))
    least = k if padding in ("valid", "reflect", "circular") else 1
    height = stride * max(draw(SIZES), -(-(least + 1) // stride))
    width = stride * max(draw(SIZES), -(-(least + 1) // stride))
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    batch, channels, m = draw(st.integers(1, 2)), draw(st.sampled_from((1, 3))), draw(SIZES)
    x = rng.standard_normal((batch, channels, height, width))
    size = tuple(output_size(n, k, stride, padding) for n in (height, width))
    weights = rng.standard_normal((batch, m, *size))
    lead = (batch, m) if draw(st.booleans()) else (m,)
    bases = rng.standard_normal((*lead, k, k))
    return x, weights, bases, stride, padding


@settings(max_examples=60, deadline=None)
@given(problems())
def test_kernel_apply_equals_the_reference(problem):
    x, weights, bases, stride, padding = problem
    expected = reference.kernel_apply(x, weights, bases, stride, padding)
    for dtype, bound in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        tensors = (torch.tensor(t, dtype=dtype) for t in (x, weights, bases))
        got = kernel_apply(*tensors, stride, padding)
        assert got.dtype == dtype
        scale = max(1.0, np.abs(expected).max(initial=0))
        assert np.abs(got.numpy() - expected).max(initial=0) <= bound * scale


@settings(max_examples=40, deadline=None)
@given(problems())
def test_pixel_kernel_apply_equals_the_reference(problem):
    x, weights, bases, stride, padding = problem
    k = bases.shape[-1]
    rng = np.random.default_rng(0)
    kernels = rng.standard_normal((x.shape[0], k * k, *weights.shape[2:]))
    expected = reference.pixel_kernel_apply(x, kernels, stride, padding)
    got = pixel_kernel_apply(torch.tensor(x), torch.tensor(kernels), stride, padding)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-11)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("k", "stride"), [(3, 1), (4, 2), (3, 2), (2, 3)])
@pytest.mark.parametrize("own_bases", [False, True])
def test_gradients(padding, k, stride, own_bases):
    size = 2 * stride * 2
    out = output_size(size, k, stride, padding)
    generator = torch.Generator().manual_seed(0)

    def tensor(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)

    x, weights = tensor(2, 2, size, size), tensor(2, 3, out, out)
    bases = tensor(2, 3, k, k) if own_bases else tensor(3, k, k)
    assert torch.autograd.gradcheck(
        lambda *t: kernel_apply(*t, stride, padding), (x, weights, bases), fast_mode=True
    )
    kernels = tensor(2, k * k, out, out)
    assert torch.autograd.gradcheck(
        lambda *t: pixel_kernel_apply(*t, stride, padding), (x, kernels), fast_mode=True
    )


def test_only_the_wanted_gradients_are_made():
    x = torch.rand(1, 1, 8, 8)
    weights, bases = torch.rand(1, 2, 8, 8), torch.rand(2, 3, 3, requires_grad=True)
    kernel_apply(x, weights, bases).sum().backward()
    assert bases.grad is not None and x.grad is None


def test_second_derivative_is_refused_clearly():
    x = torch.rand(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    y = kernel_apply(x, torch.rand(1, 2, 6, 6).double(), torch.rand(2, 3, 3).double())
    (grad,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="autograd"):
        grad.sum().backward()


def test_operators_are_sound_for_torch():
    x, weights = torch.rand(2, 3, 8, 8, requires_grad=True), torch.rand(2, 2, 4, 4)
    bases = torch.rand(2, 5, 5, requires_grad=True)
    torch.library.opcheck(torch.ops.realdeg.kernel_apply, (x, weights, bases, 2, "reflect"))
    kernels = torch.rand(2, 9, 8, 8, requires_grad=True)
    torch.library.opcheck(torch.ops.realdeg.pixel_kernel_apply, (x, kernels, 1, "zeros"))


def test_identities():
    x = torch.rand(1, 3, 12, 10)
    delta = torch.zeros(1, 15, 15)
    delta[0, 7, 7] = 1
    ones = torch.ones(1, 1, 12, 10)
    torch.testing.assert_close(kernel_apply(x, ones, delta, padding="replicate"), x)
    shifted = kernel_apply(x, ones, delta.roll(1, -1), padding="circular")
    torch.testing.assert_close(shifted, x.roll(-1, -1))
    channels_last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(kernel_apply(channels_last, ones, delta, padding="zeros"), x)


def test_half_precision_accumulates_in_float32():
    x, weights, bases = torch.rand(1, 1, 20, 20), torch.rand(1, 4, 20, 20), torch.rand(4, 15, 15)
    full = kernel_apply(x, weights, bases)
    half = kernel_apply(x.bfloat16(), weights.bfloat16(), bases.bfloat16())
    assert half.dtype == torch.bfloat16
    assert ((half.float() - full).abs() / full).max() < 0.02
    with torch.autocast("cpu", torch.bfloat16):
        assert kernel_apply(x, weights, bases).dtype == torch.bfloat16


def test_empty_batch():
    y = kernel_apply(torch.rand(0, 3, 8, 8), torch.rand(0, 2, 8, 8), torch.rand(2, 3, 3))
    assert y.shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    ("x", "weights", "bases", "stride", "padding", "words"),
    [
        ((1, 1, 8, 8), (1, 2, 8, 7), (2, 3, 3), 1, "zeros", r"weights must be \(1, 2, 8, 8\)"),
        ((1, 1, 8, 8), (1, 2, 8, 8), (3, 5), 1, "zeros", "bases must be"),
        ((1, 8, 8), (1, 2, 8, 8), (2, 3, 3), 1, "zeros", "x must be"),
        ((1, 1, 8, 8), (1, 2, 8, 8), (2, 3, 3), 1, "mirror", "padding is one of"),
        ((1, 1, 8, 8), (1, 2, 8, 8), (2, 3, 3), 0, "zeros", "stride must be"),
        ((1, 1, 9, 8), (1, 2, 4, 4), (2, 3, 3), 2, "zeros", "not divisible"),
        ((1, 1, 7, 7), (1, 2, 7, 7), (2, 15, 15), 1, "reflect", "reflect padding of 7"),
        ((2, 1, 8, 8), (2, 2, 8, 8), (3, 2, 3, 3), 1, "zeros", "batch of 2"),
    ],
)
def test_what_does_not_fit_is_named(x, weights, bases, stride, padding, words):
    with pytest.raises(ValueError, match=words):
        kernel_apply(torch.rand(x), torch.rand(weights), torch.rand(bases), stride, padding)
