"""Every path of kernel_apply, called by name, against the reference: not only the one chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.ops import direct, fourier, kernel_apply
from realdeg.ops.padding import pad
from realdeg.ops.rule import row_phases, takes_fourier
from tests.ops import reference


@st.composite
def problems(draw):
    """Draw padded images around and below the tile and strip sizes, with windows inside."""
    k, stride = draw(st.integers(1, 31)), draw(st.integers(1, 4))
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    m, channels = draw(st.integers(1, 9)), draw(st.sampled_from((1, 3, 4)))
    batch, own = draw(st.integers(1, 2)), draw(st.booleans())
    exponent = draw(st.sampled_from((-30, 0, 0, 0, 25)))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    size = (batch, channels, (height - 1) * stride + k, (width - 1) * stride + k)
    padded = torch.tensor(rng.standard_normal(size) * 10.0**exponent, dtype=torch.float32)
    weights = torch.tensor(rng.standard_normal((batch, m, height, width)), dtype=torch.float32)
    lead = (batch, m) if own else (m,)
    bases = torch.tensor(rng.standard_normal((*lead, k, k)), dtype=torch.float32)
    return padded, weights, bases, stride


def expected(padded, weights, bases, stride):
    return reference_torch(padded.double(), weights.double(), bases.double(), stride)


def reference_torch(padded, weights, bases, stride):
    """The reference again, as one convolution per sample, for the sizes drawn here."""
    rows = []
    for index in range(padded.shape[0]):
        own = bases if bases.ndim == 3 else bases[index]
        responses = F.conv2d(padded[index, :, None], own[:, None], stride=stride)
        rows.append((responses * weights[index]).sum(1))
    return torch.stack(rows)


def relative(got, wanted, terms=None):
    """Return the largest error as a share of the largest result, or of the largest sum of terms.

    Where terms cancel each other, rounding is as large as the terms are and not as what is left.
    """
    largest = (wanted if terms is None else terms).abs().max().clamp_min(1e-300)
    return float((got.double() - wanted).abs().max() / largest)


def test_the_short_reference_equals_the_written_out_one():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 9, 11)), rng.standard_normal((2, 2, 3, 4))
    bases = rng.standard_normal((2, 2, 5, 5))
    short = reference_torch(*(torch.tensor(t) for t in (x, w, bases)), 2)
    np.testing.assert_allclose(short, reference.kernel_apply(x, w, bases, 2, "valid"), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from((1, 2, 3, 8, 16)))
def test_forward_paths(problem, phases):
    padded, weights, bases, stride = problem
    wanted = expected(*problem)
    terms = expected(padded.abs(), weights.abs(), bases.abs(), stride)
    assert relative(direct.forward(padded, weights, bases, stride, phases), wanted, terms) < 2e-6
    if stride == 1:
        assert relative(fourier.forward(padded, weights, bases), wanted, terms) < 2e-6


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from((1, 2, 8)))
def test_backward_paths(problem, phases):
    padded, weights, bases, stride = problem
    wide = [t.double().requires_grad_() for t in (padded, weights, bases)]
    output = reference_torch(*wide, stride)
    grad = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    wanted = torch.autograd.grad(output, wide, grad.double())
    positive = [t.double().abs().requires_grad_() for t in (padded, weights, bases)]
    sums = reference_torch(*positive, stride)
    terms = torch.autograd.grad(sums, positive, grad.double().abs())
    image, kernels = direct.image_and_bases_gradients(
        grad, padded, weights, bases, stride, phases, True, True
    )
    field = direct.weights_gradient(grad, padded, bases, stride, phases)
    for got, *known in zip((image, field, kernels), wanted, terms, strict=True):
        assert relative(got, *known) < 2e-6
    if stride == 1:
        found = fourier.backward(grad, padded, weights, bases, True, True, True)
        for got, *known in zip(found, wanted, terms, strict=True):
            assert relative(got, *known) < 2e-6


@pytest.mark.parametrize("size", [(1, 1), (50, 130), (115, 113), (229, 97)])
@pytest.mark.parametrize("count", [1, 5])
def test_fourier_at_the_seams_of_tiles(size, count):
    generator = torch.Generator().manual_seed(0)
    padded = torch.randn(2, 1, size[0] + 14, size[1] + 14, generator=generator)
    weights = torch.randn(2, count, *size, generator=generator)
    bases = torch.randn(count, 15, 15, generator=generator)
    wanted = expected(padded, weights, bases, 1)
    assert relative(fourier.forward(padded, weights, bases), wanted) < 1e-6


def test_the_rule_depends_on_shape_and_dtype_alone():
    assert not takes_fourier(18, 8, 1, torch.float32, backward=False)
    assert takes_fourier(19, 8, 1, torch.float32, backward=False)
    assert takes_fourier(15, 8, 1, torch.float32, backward=True)
    assert takes_fourier(31, 8, 1, torch.float32, backward=False)
    assert not takes_fourier(31, 8, 2, torch.float32, backward=False)
    assert not takes_fourier(31, 8, 1, torch.float64, backward=False)
    phases = [row_phases(m, torch.float32, backward=False) for m in (1, 3, 4, 8, 9, 16, 99)]
    assert phases == [16, 4, 4, 2, 1, 1, 1]
    assert row_phases(4, torch.float64, backward=False) == 1


@pytest.mark.parametrize(("k", "m"), [(5, 4), (15, 8), (31, 8)])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_reaches_its_own_windows_only(k, m, value):
    """(31, 8) takes the Fourier path, (15, 8) row phases: neither may spread it."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(1, 1, 90, 80, generator=generator)
    weights = torch.rand(1, m, 90, 80, generator=generator)
    bases = torch.rand(m, k, k, generator=generator) + 0.1
    x = clean.clone()
    x[0, 0, 40, 33] = value
    got = kernel_apply(x, weights, bases, padding="zeros")
    held = torch.zeros(90, 80, dtype=torch.bool)
    reach = (k - 1) // 2
    held[40 - reach : 41 + reach, 33 - reach : 34 + reach] = True
    assert not got[0, 0, held].isfinite().any()
    wanted = kernel_apply(clean, weights, bases, padding="zeros")
    torch.testing.assert_close(got[0, 0, ~held], wanted[0, 0, ~held], rtol=2e-5, atol=1e-5)
    # In the weights it stays in its pixel.
    weights[0, 0, 11, 12] = value
    got = kernel_apply(clean, weights, bases, padding="zeros")
    assert (~got.isfinite()).nonzero().tolist() == [[0, 0, 11, 12]]


def test_not_finite_gradients_stay_in_their_windows():
    generator = torch.Generator().manual_seed(0)
    x, weights = torch.rand(1, 1, 60, 60, generator=generator), torch.rand(1, 8, 60, 60)
    bases = torch.rand(8, 15, 15, generator=generator) + 0.1
    grad = torch.ones(1, 1, 60, 60)
    grad[0, 0, 30, 20] = float("nan")
    x.requires_grad_()
    kernel_apply(x, weights, bases, padding="zeros").backward(grad)
    bad = (~x.grad[0, 0].isfinite()).nonzero()
    assert bad.min(0).values.tolist() == [23, 13] and bad.max(0).values.tolist() == [37, 27]


def test_one_bright_pixel_costs_the_fourier_path_what_is_documented():
    """Its rounding is relative to the tile's largest value, not to the pixel's own."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 64, 64, generator=generator)
    x[0, 0, 5, 5] = 1e4
    weights, bases = torch.ones(1, 8, 64, 64), torch.full((8, 31, 31), 1 / 31**2 / 8)
    wanted = kernel_apply(x.double(), weights.double(), bases.double(), padding="zeros")
    far = (kernel_apply(x, weights, bases, padding="zeros").double() - wanted)[..., 40:, 40:]
    assert far.abs().max() < 1e4 * 1e-7


def test_extreme_values_match_the_direct_path():
    generator = torch.Generator().manual_seed(0)
    weights, bases = torch.rand(1, 8, 40, 40), torch.rand(8, 31, 31) / 31**2
    for size in (1e-40, 1e30, 3e37):
        x = torch.rand(1, 1, 40, 40, generator=generator) * size
        wanted = kernel_apply(x.double(), weights.double(), bases.double())
        got = kernel_apply(x, weights, bases)
        assert got.isfinite().all()
        assert (got.double() - wanted).abs().max() <= 1e-5 * wanted.abs().max() + 2e-42


def test_one_and_two_threads_agree():
    generator = torch.Generator().manual_seed(0)
    threads = torch.get_num_threads()
    tensors = [
        torch.rand(s, generator=generator)
        for s in ((2, 3, 130, 120), (2, 8, 130, 120), (8, 15, 15))
    ]
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            leaves = [t.clone().requires_grad_() for t in tensors]
            output = kernel_apply(*leaves)
            output.square().sum().backward()
            results.append([output.detach(), *(leaf.grad for leaf in leaves)])
    finally:
        torch.set_num_threads(threads)
    for one, two in zip(*results, strict=True):
        assert relative(one, two.double()) < 1e-6


def test_strips_and_tiles_do_not_show():
    """A size beyond one strip and one chunk, in the paths the rule takes, against float64."""
    generator = torch.Generator().manual_seed(0)
    for k, m in ((15, 8), (21, 8)):
        x = torch.rand(1, 3, 300, 420, generator=generator)
        weights = torch.rand(1, m, 300, 420, generator=generator)
        bases = torch.randn(m, k, k, generator=generator)
        wanted = expected(pad(x, k, 1, "reflect"), weights, bases, 1)
        assert relative(kernel_apply(x, weights, bases), wanted) < 1e-5


def test_one_column_reads_no_foreign_memory():
    """For such a shape oneDNN's gradient of the kernels holds what lay in memory before."""
    generator = torch.Generator().manual_seed(0)
    for size in (29, 31, 33, 34, 38, 39):
        for k in (14, 15, 17, 18):
            padded = torch.randn(1, 1, size + k - 1, k, generator=generator)
            weights = torch.randn(1, 5, size, 1, generator=generator)
            bases = torch.randn(5, k, k, generator=generator)
            grad = torch.randn(1, 1, size, 1, generator=generator)
            junk = [torch.full((count,), 1e30) for count in (100, 1_000, 10_000, 100_000)]
            del junk
            wide = [t.double().requires_grad_() for t in (padded, weights, bases)]
            wanted = torch.autograd.grad(reference_torch(*wide, 1), wide, grad.double())
            image, kernels = direct.image_and_bases_gradients(
                grad, padded, weights, bases, 1, 1, True, True
            )
            assert relative(image, wanted[0]) < 1e-5 and relative(kernels, wanted[2]) < 1e-5
