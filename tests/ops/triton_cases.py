"""Check the Triton kernels in its interpreter; prints relative errors as JSON.

Run by test_triton.py in a process of its own, because TRITON_INTERPRET counts when triton is
imported: ``TRITON_INTERPRET=1 python tests/ops/triton_cases.py``. The reference is the torch path
in float64 on the very numbers that the kernels get.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace

import torch

from realdeg.ops import output_size


@dataclass(frozen=True)
class Case:
    k: int = 3
    stride: int = 1
    batch: int = 2
    channels: int = 3
    bases: int = 3
    size: tuple[int, int] = (6, 8)
    own: bool = False
    image: torch.dtype = torch.float32
    others: torch.dtype = torch.float32
    strided: bool = False  # weights, kernels, image and gradient in unusual memory layouts
    wide: bool = False  # 64-bit offsets
    tiles: dict | None = None
    seed: int = 0


HALF, BRAIN = torch.float16, torch.bfloat16
CASES = {
    "plain": Case(),
    "k1": Case(k=1, channels=1, bases=1, size=(4, 5)),
    "k4, stride 2": Case(k=4, stride=2, size=(9, 8)),
    "k15": Case(k=15, channels=1, bases=5, batch=1, size=(16, 18)),
    "k15, stride 4": Case(k=15, stride=4, channels=1, bases=5, batch=1, size=(19, 23)),
    "k2, stride 3 (gaps)": Case(k=2, stride=3, size=(8, 6)),
    "bases of each sample": Case(k=5, stride=2, own=True, channels=2, size=(8, 9)),
    "many tiles": Case(
        batch=1, channels=2, size=(7, 20), tiles=dict(rows=2, columns=8, run=16, slots=3)
    ),
    "many tiles, own bases": Case(
        own=True,
        channels=1,
        size=(6, 12),
        bases=18,
        tiles=dict(rows=2, columns=8, bases=16, run=16, slots=3),
    ),
    "more bases than a block": Case(bases=35, size=(5, 6), tiles=dict(bases=16)),
    "more channels than a block": Case(channels=4, size=(5, 6), tiles=dict(channels=2)),
    "odd channels in blocks": Case(channels=3, stride=2, k=4, tiles=dict(channels=2)),
    "memory layouts": Case(strided=True, own=True),
    "64-bit offsets": Case(wide=True, stride=2),
    "float16": Case(k=5, image=HALF, others=HALF, batch=1, size=(7, 9)),
    "bfloat16": Case(k=5, image=BRAIN, others=BRAIN, stride=2, batch=1, size=(7, 9)),
    "float16 image": Case(k=5, image=HALF, batch=1, size=(7, 9)),
    "bfloat16 others": Case(k=5, others=BRAIN, batch=1, size=(7, 9)),
}
# Against the largest value of each result. Half results are rounded once, at the end.
BOUNDS = {torch.float32: 1e-5, HALF: 1e-3, BRAIN: 8e-3}


def bound(case: Case, result: str) -> float:
    """Return the largest error allowed for a result such as ``kernel_apply.weights``."""
    # Results take the dtype of what they belong to.
    dtype = case.image if result.endswith(("forward", "padded")) else case.others
    return BOUNDS[dtype]


def tensors(case: Case, device: str = "cpu"):
    """Return image (padded), gradient, weights, bases and kernels."""
    generator = torch.Generator().manual_seed(case.seed)
    rows, columns = (output_size(n, case.k, case.stride, "valid") for n in case.size)

    def make(dtype, *shape):
        made = torch.randn(shape, generator=generator).to(device, dtype)
        if case.strided:
            made = made.movedim(1, -1).contiguous().movedim(-1, 1).transpose(-1, -2)
            made = made.contiguous(memory_format=torch.channels_last).transpose(-1, -2)
        return made

    padded = make(case.image, case.batch, case.channels, *case.size)
    grad = make(case.image, case.batch, case.channels, rows, columns)
    if case.strided:  # what the gradient of a sum looks like: strides of 0
        grad = grad[:, :1].expand_as(grad)
    weights = make(case.others, case.batch, case.bases, rows, columns)
    bases = make(case.others, case.batch, case.bases, case.k, case.k)
    kernels = make(case.others, case.batch, case.k**2, rows, columns)
    return padded, grad, weights, bases if case.own else bases[0], kernels


def torch_path(case: Case, padded, grad, weights, bases, kernels, dtype=torch.float64):
    """Return what the torch operators give for the same numbers."""
    found = {}
    for name, inputs in (("kernel_apply", (weights, bases)), ("pixel_kernel_apply", (kernels,))):
        leaves = [t.detach().to(dtype).requires_grad_() for t in (padded, *inputs)]
        y = getattr(torch.ops.realdeg, name)(*leaves, case.stride, "valid")
        gradients = torch.autograd.grad(y, leaves, grad.to(dtype))
        labels = ("padded", "weights", "bases") if len(inputs) == 2 else ("padded", "kernels")
        found[f"{name}.forward"] = y.detach()
        for label, gradient in zip(labels, gradients, strict=True):
            found[f"{name}.{label}"] = gradient
    return found


def triton_path(case: Case, padded, grad, weights, bases, kernels):
    """Return what the kernels give."""
    from realdeg.ops.triton import common
    from realdeg.ops.triton import kernel_apply as mixed
    from realdeg.ops.triton import pixel_kernel_apply as free

    extent, common.NARROW_EXTENT = common.NARROW_EXTENT, 0 if case.wide else common.NARROW_EXTENT
    changes, stride, size = case.tiles or {}, case.stride, tuple(padded.shape[2:])
    m = replace(mixed.tiles_for(case.k, case.bases), **changes)
    f = replace(free.tiles_for(case.k), **changes)
    try:
        return {
            "kernel_apply.forward": mixed.forward(padded, weights, bases, stride, m),
            "kernel_apply.padded": mixed.backward_padded(grad, weights, bases, stride, size, m),
            "kernel_apply.weights": mixed.backward_weights(grad, padded, bases, stride, m),
            "kernel_apply.bases": mixed.backward_bases(
                grad, padded, weights, bases.shape, stride, m
            ),
            "pixel_kernel_apply.forward": free.forward(padded, kernels, stride, f),
            "pixel_kernel_apply.padded": free.backward_padded(grad, kernels, stride, size, f),
            "pixel_kernel_apply.kernels": free.backward_kernels(
                grad, padded, kernels.shape, stride, f, kernels.dtype
            ),
        }
    finally:
        common.NARROW_EXTENT = extent


def errors(case: Case, device: str = "cpu") -> dict[str, float]:
    """Return each result's largest error, relative to the largest value."""
    inputs = tensors(case, device)
    expected, got = torch_path(case, *inputs), triton_path(case, *inputs)
    found = {}
    for name, value in expected.items():
        assert got[name].shape == value.shape, (name, got[name].shape, value.shape)
        rounded = case.image if name.endswith(("forward", "padded")) else case.others
        assert got[name].dtype == rounded, (name, got[name].dtype)
        difference = (got[name].double() - value).abs().max() / value.abs().max()
        found[name] = float(difference)
    return found


def reach_of_infinity(device: str = "cpu") -> dict[str, bool]:
    """Return whether an infinite value in one output's kernel leaves other pixels' gradients."""
    from realdeg.ops.triton import kernel_apply as mixed
    from realdeg.ops.triton import pixel_kernel_apply as free

    weights, bases = torch.ones(1, 2, 6, 6, device=device), torch.ones(2, 3, 3, device=device)
    kernels, grad = torch.ones(1, 9, 6, 6, device=device), torch.ones(1, 1, 6, 6, device=device)
    weights[0, 0, 0, 0] = kernels[0, 0, 0, 0] = float("inf")
    hit = torch.zeros(1, 1, 8, 8, dtype=torch.bool, device=device)
    hit[..., :3, :3] = True
    mine = mixed.backward_padded(grad, weights, bases, 1, (8, 8))
    other = free.backward_padded(grad, kernels, 1, (8, 8))
    return {
        "kernel_apply": bool((mine.isfinite() == ~hit).all()),
        "pixel_kernel_apply": bool(other[~hit].isfinite().all() and other[0, 0, 0, 0].isinf()),
    }


if __name__ == "__main__":
    assert os.environ.get("TRITON_INTERPRET") == "1"
    found = {name: errors(CASES[name]) for name in sys.argv[1:] or CASES}
    print(json.dumps({"errors": found, "infinity": reach_of_infinity()}))
