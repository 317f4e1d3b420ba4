"""Weights and bases per channel, rectangular kernels, weights first, and the adjoint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import realdeg.ops
from realdeg.ops import PADDINGS, kernel_apply, kernel_apply_adjoint, output_size
from tests.ops import reference

PLACEMENTS = ("after", "before")


def problem(
    k=(3, 4), m=2, stride=1, padding="reflect", placement="after", size=(8, 12), batch=2,
    channels=3, field="shared", bases="shared", dtype=torch.float64, seed=0,
):  # fmt: skip
    """Return x, weights, bases and an image on the LR grid."""
    generator = torch.Generator().manual_seed(seed)

    def tensor(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    small = tuple(output_size(n, side, stride, padding) for n, side in zip(size, k, strict=True))
    grid = small if placement == "after" else size
    lead = (batch, channels) if field == "channel" else (batch,)
    kinds = {
        "shared": (), "sample": (batch,), "channel": (1, channels), "both": (batch, channels),
    }  # fmt: skip
    return (
        tensor(batch, channels, *size),
        tensor(*lead, m, *grid),
        tensor(*kinds[bases], m, *k),
        tensor(batch, channels, *small),
    )


@st.composite
def problems(draw):
    """Draw any form that fits."""
    k = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    stride, padding = draw(st.integers(1, 3)), draw(st.sampled_from(PADDINGS))
    size = tuple(stride * draw(st.integers(-(-(max(k) + 1) // stride), 8)) for _ in "hw")
    options = dict(
        k=k, m=draw(st.integers(1, 4)), stride=stride, padding=padding, size=size,
        placement=draw(st.sampled_from(PLACEMENTS)), batch=draw(st.integers(1, 2)),
        channels=draw(st.sampled_from((1, 3))), field=draw(st.sampled_from(("shared", "channel"))),
        bases=draw(st.sampled_from(("shared", "sample", "channel", "both"))),
        seed=draw(st.integers(0, 2**31)),
    )  # fmt: skip
    return options


@settings(max_examples=60, deadline=None)
@given(problems())
def test_every_form_equals_the_reference_and_its_adjoint(options):
    x, weights, bases, y = problem(**options)
    rest = options["stride"], options["padding"]
    placement = options["placement"]
    wanted = reference.kernel_apply(x, weights, bases, *rest, placement)
    for dtype, bound in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        tensors = [t.to(dtype) for t in (x, weights, bases)]
        got = kernel_apply(*tensors, *rest, placement)
        assert got.dtype == dtype and got.is_contiguous()
        scale = max(1.0, np.abs(wanted).max(initial=0))
        assert np.abs(got.numpy() - wanted).max(initial=0) <= bound * scale
        back = kernel_apply_adjoint(y.to(dtype), *tensors[1:], *rest, options["size"], placement)
        assert back.shape == x.shape and back.dtype == dtype and back.is_contiguous()
        left, right = (got.double() * y).sum(), (x * back.double()).sum()
        norm = max(1.0, float(got.double().norm() * y.norm()))
        assert abs(left - right) <= bound * norm


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_adjoint_of_usual_sizes_in_float32(placement, padding, stride):
    """<Ax, y> = <x, A*y> to 1e-6 of the norms, on the implementations chosen for 15 x 15."""
    x, weights, bases, y = problem(
        k=(15, 15), m=8, stride=stride, padding=padding, placement=placement, size=(64, 56),
        channels=1, dtype=torch.float32,
    )  # fmt: skip
    ax = kernel_apply(x, weights, bases, stride, padding, placement)
    back = kernel_apply_adjoint(y, weights, bases, stride, padding, (64, 56), placement)
    left, right = (ax.double() * y.double()).sum(), (x.double() * back.double()).sum()
    assert abs(left - right) <= 1e-6 * ax.double().norm() * y.double().norm()


@pytest.mark.parametrize("k", [(15, 15), (3, 21), (21, 3), (1, 9), (31, 8)])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_large_rectangles_in_float32(k, placement):
    """Sizes at which the rule takes the Fourier and the direct path, with their gradients."""
    *inputs, y = problem(k=k, m=8, placement=placement, size=(40, 37), channels=2, bases="channel")
    wide = [t.requires_grad_() for t in inputs]
    narrow = [t.detach().float().requires_grad_() for t in inputs]
    wanted = kernel_apply(*wide, 1, "replicate", placement)
    got = kernel_apply(*narrow, 1, "replicate", placement)
    pairs = [(got, wanted)]
    pairs += zip(
        torch.autograd.grad(got, narrow, y.float()),
        torch.autograd.grad(wanted, wide, y),
        strict=True,
    )
    for one, two in pairs:
        assert (one.double() - two).abs().max() <= 1e-5 * two.abs().max()


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("k_and_stride", [((3, 4), 1), ((4, 2), 2), ((1, 3), 3)])
@pytest.mark.parametrize(("field", "bases"), [("shared", "sample"), ("channel", "channel")])
def test_gradients(placement, padding, k_and_stride, field, bases):
    k, stride = k_and_stride
    size = (2 * stride * 2, 2 * stride * 3)
    tensors = problem(
        k=k, stride=stride, padding=padding, placement=placement, size=size, channels=2,
        field=field, bases=bases,
    )  # fmt: skip
    x, weights, kernels, y = (t.requires_grad_() for t in tensors)
    assert torch.autograd.gradcheck(
        lambda *t: kernel_apply(*t, stride, padding, placement),
        (x, weights, kernels), fast_mode=True,
    )  # fmt: skip
    assert torch.autograd.gradcheck(
        lambda *t: kernel_apply_adjoint(*t, stride, padding, size, placement),
        (y, weights, kernels), fast_mode=True,
    )  # fmt: skip


FORMS = {
    "plain": {},
    "channels": dict(field="channel", bases="channel"),
    "before": dict(placement="before", bases="sample"),
    "before, stride": dict(placement="before", stride=2, k=(2, 4)),
}


@pytest.mark.parametrize("form", FORMS)
def test_opcheck(form):
    tensors = problem(**FORMS[form], dtype=torch.float32)
    x, weights, bases, y = (t.requires_grad_() for t in tensors)
    stride, placement = (FORMS[form].get(*pair) for pair in (("stride", 1), ("placement", "after")))
    torch.library.opcheck(
        torch.ops.realdeg.kernel_apply, (x, weights, bases, stride, "reflect", placement)
    )
    torch.library.opcheck(
        torch.ops.realdeg.kernel_apply_adjoint,
        (y, weights, bases, stride, "reflect", [8, 12], placement),
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mapped", [(0, 0, None), (1, None, 0)])
def test_vmap(form, mapped):
    options = dict(FORMS[form])
    stride, placement = options.get("stride", 1), options.get("placement", "after")
    singles = [problem(**options, seed=seed) for seed in range(3)]

    def forward(x, weights, bases):
        return kernel_apply(x, weights, bases, stride, "zeros", placement)

    def adjoint(y, weights, bases):
        return kernel_apply_adjoint(y, weights, bases, stride, "zeros", (8, 12), placement)

    for function, order in ((forward, (0, 1, 2)), (adjoint, (3, 1, 2))):
        stacked, calls = [], []
        for index, dim in zip(order, mapped, strict=True):
            each = [single[index] for single in singles]
            stacked.append(each[0] if dim is None else torch.stack(each, dim))
            calls.append([each[0]] * 3 if dim is None else each)
        wanted = torch.stack([function(*call) for call in zip(*calls, strict=True)])
        torch.testing.assert_close(torch.vmap(function, in_dims=mapped)(*stacked), wanted)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bases", ["shared", "sample", "channel", "both"])
@pytest.mark.parametrize("field", ["shared", "channel"])
def test_decompositions(placement, stride, bases, field):
    *tensors, _ = problem(k=(4, 2), stride=stride, placement=placement, bases=bases, field=field)
    table = realdeg.ops.decompositions()
    function = table[torch.ops.realdeg.kernel_apply.default]
    got = function(*tensors, stride, "circular", placement)
    torch.testing.assert_close(got, kernel_apply(*tensors, stride, "circular", placement))


def test_shared_and_repeated_forms_agree():
    """The same field and bases for each channel, given once or per channel."""
    x, weights, bases, _ = problem(k=(15, 15), m=8, size=(30, 32), dtype=torch.float32)
    per_channel = weights[:, None].expand(-1, 3, -1, -1, -1), bases.expand(1, 3, -1, -1, -1)
    for placement in PLACEMENTS:
        field, kernels = per_channel
        wanted = kernel_apply(x, weights, bases, placement=placement)
        got = kernel_apply(x, field, kernels, placement=placement)
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
    square = F.pad(bases[..., 4:-4], (4, 4))
    rectangle = kernel_apply(x, weights, bases[..., 4:-4])
    torch.testing.assert_close(kernel_apply(x, weights, square), rectangle, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("k", [3, 15, 31])
@pytest.mark.parametrize("bases", ["shared", "sample"])
def test_responses_kept_for_the_backward_pass_change_no_result(k, bases):
    """Training keeps them up to a size; the operator without them is what a larger call uses."""
    *tensors, y = problem(k=(k, k), m=8, size=(37, 40), bases=bases, dtype=torch.float32)
    leaves = [t.requires_grad_() for t in tensors]
    kept = kernel_apply(*leaves)
    assert "keeping" in type(kept.grad_fn).__name__
    plain = torch.ops.realdeg.kernel_apply(*leaves, 1, "reflect")
    assert torch.equal(kept, plain)
    pairs = zip(*(torch.autograd.grad(out, leaves, y) for out in (kept, plain)), strict=True)
    for one, two in pairs:
        assert (one - two).abs().max() <= 2e-6 * two.abs().max()
    tensors[1].requires_grad_(False)
    assert "keeping" not in type(kernel_apply(*tensors).grad_fn).__name__


def test_constant_weights_make_both_placements_equal():
    x, _, bases, _ = problem(k=(5, 3), m=2, size=(10, 12))
    weights = torch.tensor([0.25, 2.0], dtype=torch.float64)[None, :, None, None]
    weights = weights.expand(2, 2, 10, 12)
    for padding in ("reflect", "replicate", "zeros", "circular"):
        after, before = (kernel_apply(x, weights, bases, 1, padding, p) for p in PLACEMENTS)
        torch.testing.assert_close(after, before)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_not_finite_reaches_its_own_windows_only_with_weights_first(value, stride):
    """In the image and in the weights, which are filtered as well."""
    x, weights, bases, _ = problem(
        k=(15, 15), m=8, size=(60, 50), channels=1, batch=1, stride=stride, placement="before",
        dtype=torch.float32,
    )  # fmt: skip
    weights[0, 0, 30, 20] = value
    got = kernel_apply(x, weights, bases, stride, "zeros", "before")
    start = (stride - 15) // 2
    rows, columns = (
        [i for i in range(size // stride) if 0 <= pixel - (stride * i + start) < 15]
        for size, pixel in ((60, 30), (50, 20))
    )
    assert (~got[0, 0].isfinite()).nonzero().tolist() == [[i, j] for i in rows for j in columns]


def test_half_precision_and_autocast():
    x, weights, bases, y = problem(k=(15, 15), m=4, size=(20, 24), dtype=torch.float32)
    wanted = kernel_apply_adjoint(y, weights, bases)
    low = [t.bfloat16() for t in (y, weights, bases)]
    got = kernel_apply_adjoint(*low)
    assert got.dtype == torch.bfloat16
    exact = kernel_apply_adjoint(*(t.double() for t in low))
    assert (got.double() - exact).abs().max() < 0.004 * exact.abs().max()
    with torch.autocast("cpu", torch.bfloat16):
        assert kernel_apply_adjoint(y, weights, bases).dtype == torch.bfloat16
        assert kernel_apply(x, weights, bases, placement="before").dtype == torch.bfloat16
    assert wanted.dtype == torch.float32


def test_empty_batch():
    shapes = ((0, 3, 4, 4), (0, 3, 2, 4, 4), (1, 3, 2, 3, 5))
    lr, weights, bases = (torch.rand(shape, requires_grad=True) for shape in shapes)
    back = kernel_apply_adjoint(lr, weights, bases, 2, "zeros")
    assert back.shape == (0, 3, 8, 8)
    back.sum().backward()
    assert not bases.grad.any()


def test_the_least_size_of_valid_windows():
    lr, weights, bases = torch.rand(1, 1, 4, 5), torch.rand(1, 2, 4, 5), torch.rand(2, 3, 6)
    assert kernel_apply_adjoint(lr, weights, bases, 2, "valid").shape == (1, 1, 9, 14)
    whole = kernel_apply_adjoint(lr, weights, bases, 2, "valid", (10, 14))
    assert whole.shape == (1, 1, 10, 14) and not whole[..., 9:, :].any()


def test_compiles_without_breaks():
    x, weights, bases, _ = problem(dtype=torch.float32)

    def normal(x, weights, bases):
        y = kernel_apply(x, weights, bases, 1, "reflect", "before")
        return kernel_apply_adjoint(y, weights, bases, 1, "reflect", x.shape[-2:], "before")

    torch._dynamo.reset()
    compiled = torch.compile(normal, fullgraph=True, dynamic=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, weights, bases), normal(x, weights, bases))


@pytest.mark.parametrize(
    ("x", "weights", "bases", "options", "words"),
    [
        ((1, 3, 8, 8), (1, 2, 2, 8, 8), (2, 3, 3), {}, r"weights must be \(1, 3, 2, 8, 8\)"),
        ((1, 3, 8, 8), (1, 2, 8, 8), (1, 2, 2, 3, 3), {}, r"\(1 or 1, 3, M, kh, kw\)"),
        ((2, 3, 8, 8), (2, 2, 8, 8), (3, 3, 2, 3, 3), {}, r"\(1 or 2, 3, M, kh, kw\)"),
        ((1, 1, 8, 8), (1, 2, 4, 4), (2, 3, 3), dict(stride=2, placement="before"),
         r"weights must be \(1, 2, 8, 8\)"),
        ((1, 1, 8, 8), (1, 2, 8, 8), (2, 3, 3), dict(placement="first"), "'after' or 'before'"),
        ((1, 1, 8, 4), (1, 2, 8, 4), (2, 3, 11), {}, "reflect padding of 5"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(x, weights, bases, options, words):
    with pytest.raises(ValueError, match=words):
        kernel_apply(torch.rand(x), torch.rand(weights), torch.rand(bases), **options)


def test_what_does_not_fit_the_adjoint_is_named():
    lr, weights, bases = torch.rand(1, 1, 4, 4), torch.rand(1, 2, 4, 4), torch.rand(2, 3, 3)
    with pytest.raises(ValueError, match="weights must be"):
        kernel_apply_adjoint(lr, weights, bases, 2, "zeros", (10, 8))
    with pytest.raises(ValueError, match=r"lr must be 4 x 4 for a result of 8 x 8.*got 5 x 4"):
        kernel_apply_adjoint(torch.rand(1, 1, 5, 4), weights, bases, 2, "zeros", (8, 8))
    with pytest.raises(ValueError, match=r"lr must be \(B, C, h, w\)"):
        kernel_apply_adjoint(lr[0], weights, bases)
    with pytest.raises(ValueError, match="size is"):
        kernel_apply_adjoint(lr, weights, bases, 2, "zeros", (8, 8, 8))
