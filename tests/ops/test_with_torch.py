"""The operators inside torch: opcheck, compile, export, ONNX, vmap, layouts, devices."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import realdeg.ops
from realdeg.ops import kernel_apply, pixel_kernel_apply


def inputs(k=5, m=3, stride=1, channels=2, size=(12, 10), batch=2, own=False, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def tensor(*shape):
        return torch.randn(shape, generator=generator)

    field = (size[0] // stride, size[1] // stride)
    bases = tensor(batch, m, k, k) if own else tensor(m, k, k)
    return tensor(batch, channels, *size), tensor(batch, m, *field), bases


VARIANTS = {
    "direct": dict(k=5, m=3),
    "fourier": dict(k=31, m=8, size=(34, 36)),
    "fourier backward": dict(k=15, m=8, size=(20, 20)),
    "stride": dict(k=4, m=2, stride=2),
    "own bases": dict(k=3, m=2, own=True),
    "one pixel": dict(k=1, m=1, size=(1, 1)),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("gradients", [True, False])
def test_opcheck(variant, gradients):
    options = VARIANTS[variant]
    tensors = [t.requires_grad_(gradients) for t in inputs(**options)]
    stride, padding = options.get("stride", 1), "replicate"
    torch.library.opcheck(torch.ops.realdeg.kernel_apply, (*tensors, stride, padding))
    x, _, bases = (t.detach() for t in tensors)
    size = (x.shape[2] // stride, x.shape[3] // stride)
    kernels = torch.rand(x.shape[0], bases.shape[-1] ** 2, *size, requires_grad=gradients)
    torch.library.opcheck(
        torch.ops.realdeg.pixel_kernel_apply,
        (x.requires_grad_(gradients), kernels, stride, padding),
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_opcheck_of_dtypes(dtype):
    tensors = [t.to(dtype).requires_grad_() for t in inputs(k=15, m=8, size=(20, 20))]
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(
        torch.ops.realdeg.kernel_apply, (*tensors, 1, "reflect"), test_utils=checks
    )


class Mixture(nn.Module):
    """What a learned degradation does with the operators."""

    def __init__(self, padding="reflect"):
        super().__init__()
        self.network = nn.Conv2d(1, 4, 3, padding=1)
        self.kernels = nn.Conv2d(1, 9, 3, padding=1)
        self.bases = nn.Parameter(torch.randn(4, 5, 5, generator=torch.Generator().manual_seed(0)))
        self.padding = padding

    def forward(self, x):
        y = kernel_apply(x, self.network(x), self.bases, 1, self.padding)
        return pixel_kernel_apply(y, self.kernels(x), 1, self.padding)


def test_compile_without_breaks_and_with_dynamic_shapes():
    torch.manual_seed(0)
    model = Mixture()
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend="aot_eager")
    for size in ((12, 10), (17, 23), (30, 9)):
        x = torch.rand(2, 1, *size, requires_grad=True)
        again = x.detach().clone().requires_grad_()
        torch.testing.assert_close(compiled(x), model(again))
        compiled(x).sum().backward()
        model(again).sum().backward()
        torch.testing.assert_close(x.grad, again.grad)


@pytest.mark.slow
def test_compile_with_inductor():
    torch.manual_seed(0)
    model = Mixture()
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True)
    x = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(compiled(x), model(x))


def exported(model, x):
    dims = {2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)}
    return torch.export.export(model, (x,), dynamic_shapes=(dims,))


def test_export_keeps_the_operators():
    torch.manual_seed(0)
    model, x = Mixture().eval(), torch.rand(1, 1, 14, 18)
    program = exported(model, x)
    targets = {str(node.target) for node in program.graph.nodes}
    assert {"realdeg.kernel_apply.default", "realdeg.pixel_kernel_apply.default"} <= targets
    other = torch.rand(1, 1, 21, 16)
    torch.testing.assert_close(program.module()(other), model(other))


@pytest.mark.parametrize("padding", ["reflect", "replicate", "zeros"])
def test_decomposition_and_onnx(padding, tmp_path):
    torch.manual_seed(0)
    model, x = Mixture(padding).eval(), torch.rand(1, 1, 14, 18)
    table = torch.export.default_decompositions() | realdeg.ops.decompositions()
    program = exported(model, x).run_decompositions(table)
    assert not any("realdeg" in str(node.target) for node in program.graph.nodes)
    other = torch.rand(1, 1, 21, 16)
    torch.testing.assert_close(program.module()(other), model(other), rtol=1e-4, atol=1e-5)
    pytest.importorskip("onnxscript", reason="the export to ONNX needs onnxscript")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    path = tmp_path / "model.onnx"
    torch.onnx.export(program, dynamo=True).save(str(path))
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {session.get_inputs()[0].name: other.numpy()})
    torch.testing.assert_close(torch.tensor(got), model(other).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_decomposition_of_each_operator(own, stride):
    table = realdeg.ops.decompositions()
    tensors = inputs(k=4, m=2, stride=stride, own=own)
    got = table[torch.ops.realdeg.kernel_apply.default](*tensors, stride, "circular")
    torch.testing.assert_close(got, kernel_apply(*tensors, stride, "circular"))
    x = tensors[0]
    kernels = torch.rand(2, 16, x.shape[2] // stride, x.shape[3] // stride)
    got = table[torch.ops.realdeg.pixel_kernel_apply.default](x, kernels, stride, "zeros")
    torch.testing.assert_close(got, pixel_kernel_apply(x, kernels, stride, "zeros"))


@pytest.mark.parametrize("mapped", [(0, 0, None), (1, None, None), (None, 0, 0), (0, 0, 0)])
@pytest.mark.parametrize("own", [False, True])
def test_vmap(mapped, own):
    singles = [inputs(own=own, seed=s) for s in range(3)]
    tensors, calls = [], []
    for index, dim in enumerate(mapped):
        each = [single[index] for single in singles]
        tensors.append(each[0] if dim is None else torch.stack(each, dim))
        calls.append(each if dim is not None else [each[0]] * 3)
    got = torch.vmap(kernel_apply, in_dims=mapped)(*tensors)
    wanted = torch.stack([kernel_apply(*call) for call in zip(*calls, strict=True)])
    torch.testing.assert_close(got, wanted)


def test_vmap_of_pixel_kernels():
    x, kernels = torch.rand(3, 2, 1, 8, 8), torch.rand(2, 9, 3, 8, 8)
    got = torch.vmap(pixel_kernel_apply, in_dims=(0, 2))(x, kernels)
    wanted = torch.stack([pixel_kernel_apply(x[i], kernels[:, :, i]) for i in range(3)])
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("k", [5, 31])
def test_layouts_do_not_matter(k):
    x, weights, bases = inputs(k=k, m=8, channels=3, size=(40, 36))
    wanted = kernel_apply(x, weights, bases)
    last = torch.channels_last
    odd = torch.randn(2, 8, 40, 72)[..., ::2].copy_(weights)
    for views in (
        (x.contiguous(memory_format=last), weights.contiguous(memory_format=last), bases),
        (x.mT.contiguous().mT, odd, bases.mT.contiguous().mT),
        (x, weights[:, :1].expand_as(weights) * 0 + weights, bases.flip(0).flip(0)),
    ):
        got = kernel_apply(*views)
        assert got.is_contiguous()
        torch.testing.assert_close(got, wanted)


def test_inputs_are_not_written_to():
    tensors = inputs(k=15, m=8, size=(20, 20))
    copies = [t.clone() for t in tensors]
    leaves = [t.requires_grad_() for t in tensors]
    kernel_apply(*leaves).sum().backward()
    for leaf, copy in zip(leaves, copies, strict=True):
        assert torch.equal(leaf, copy)


def test_autocast():
    x, weights, bases = inputs(k=15, m=8, size=(40, 40), channels=1)
    full = kernel_apply(x, weights, bases)
    kernels = torch.rand(2, 9, 40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        got = kernel_apply(x, weights, bases)
        assert pixel_kernel_apply(x, kernels).dtype == torch.bfloat16
        with torch.autocast("cpu", enabled=False):
            kept = kernel_apply(x, weights.bfloat16(), bases)
    assert got.dtype == torch.bfloat16
    # Responses and the result are rounded to 8 bits, the sums in between are not.
    assert (got - full).abs().max() < 0.01 * full.abs().max()
    torch.testing.assert_close(kept, kernel_apply(x, weights.bfloat16().float(), bases))


@pytest.mark.parametrize("name", ["DML", "DirectKPN", "GlobalKernel"])
def test_degradations_keep_the_image_precise_under_autocast(name):
    from realdeg.registry import DEGRADATIONS

    torch.manual_seed(0)
    small = {} if name == "GlobalKernel" else {"width": 4, "levels": 1}
    degradation = DEGRADATIONS.build({"type": name, "scale": 2, **small})
    with torch.autocast("cpu", torch.bfloat16):
        assert degradation.generate(torch.rand(1, 1, 32, 32)).dtype == torch.float32


def test_dtypes_and_devices_that_do_not_fit_are_named():
    x, weights, bases = inputs()
    with pytest.raises(ValueError, match="x must be float16.*got torch.uint8"):
        kernel_apply(x.byte(), weights, bases)
    with pytest.raises(ValueError, match="weights is on meta, x on cpu"):
        kernel_apply(x, weights.to("meta"), bases)
    with pytest.raises(ValueError, match="kernels must be float16"):
        pixel_kernel_apply(x, torch.zeros(2, 9, 12, 10, dtype=torch.int64))
