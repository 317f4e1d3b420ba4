"""The position of windows on the HR grid, padding, and the adjoint of padding.

The window of output pixel i starts at input pixel ``stride * i + floor((stride - k) / 2)``; with
``valid`` padding it starts at ``stride * i`` and only whole windows count.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PADDINGS = ("reflect", "replicate", "zeros", "circular", "valid")

KernelSize = int | tuple[int, int]
"""Side of a square window, or (rows, columns) of a rectangular one."""


def sides(kernel_size: KernelSize) -> tuple[int, int]:
    """Return (rows, columns) of a window."""
    return kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)


def pad_amounts(kernel_size: int, stride: int, padding: str) -> tuple[int, int]:
    """Return the pixels to add before and after; negative numbers crop.

    Args:
        kernel_size: Pixels of the window along the axis.
        stride: Input pixels per output pixel.
        padding: One of :data:`PADDINGS`.

    Returns:
        (before, after) along the axis.
    """
    if padding == "valid":
        return 0, 0
    before = -((stride - kernel_size) // 2)
    return before, kernel_size - stride - before


def output_size(size: int, kernel_size: int, stride: int, padding: str) -> int:
    """Return the number of output pixels along an axis.

    Args:
        size: Input pixels along the axis.
        kernel_size: Pixels of the window along the axis.
        stride: Input pixels per output pixel.
        padding: One of :data:`PADDINGS`.

    Returns:
        The output pixels; 0 when no whole window fits under ``valid``.
    """
    if padding == "valid":
        return max(0, (size - kernel_size) // stride + 1)
    return size // stride


def pad(x: Tensor, kernel_size: KernelSize, stride: int, padding: str) -> Tensor:
    """Pad (or cut) so that output pixel i's window starts at padded pixel ``stride * i``.

    Args:
        x: Shape (B, C, H, W).
        kernel_size: Side of the square window, or its (rows, columns).
        stride: Input pixels per output pixel.
        padding: One of :data:`PADDINGS`.

    Returns:
        The padded tensor.
    """
    rows, columns = (pad_amounts(side, stride, padding) for side in sides(kernel_size))
    x = _cut(x, rows, columns)
    amounts = [max(amount, 0) for amount in (*columns, *rows)]
    if not any(amounts):
        return x
    mode = "constant" if padding == "zeros" else padding
    return F.pad(x, amounts, mode=mode)


def pad_adjoint(
    grad: Tensor,
    shape: tuple[int, int, int, int],
    kernel_size: KernelSize,
    stride: int,
    padding: str,
) -> Tensor:
    """Apply the transpose of :func:`pad` to the gradient of the padded image.

    ``shape`` is that of the image before padding, (B, C, H, W), and of the result.
    """
    rows, columns = (pad_amounts(side, stride, padding) for side in sides(kernel_size))
    amounts = [max(amount, 0) for amount in (*columns, *rows)]
    cuts = [max(-amount, 0) for amount in (*columns, *rows)]
    inner = (shape[0], shape[1], shape[2] - cuts[2] - cuts[3], shape[3] - cuts[0] - cuts[1])
    if any(amounts):
        if padding == "reflect":
            grad = torch.ops.aten.reflection_pad2d_backward(
                grad.contiguous(), grad.new_empty(inner), amounts
            )
        elif padding == "replicate":
            grad = torch.ops.aten.replication_pad2d_backward(
                grad.contiguous(), grad.new_empty(inner), amounts
            )
        elif padding == "circular":
            grad = _fold_circular(_fold_circular(grad, 2, *amounts[2:]), 3, *amounts[:2])
        else:
            left, top = amounts[0], amounts[2]
            grad = grad[..., top : top + inner[2], left : left + inner[3]]
    if any(cuts):
        grad = F.pad(grad, cuts)
    return grad.contiguous()


def _cut(x: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    top, bottom, left, right = (max(-amount, 0) for amount in (*rows, *columns))
    if top == bottom == left == right == 0:
        return x
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def _fold_circular(grad: Tensor, axis: int, before: int, after: int) -> Tensor:
    size = grad.shape[axis] - before - after
    folded = grad.narrow(axis, before, size).clone()
    if before:
        folded.narrow(axis, size - before, before).add_(grad.narrow(axis, 0, before))
    if after:
        folded.narrow(axis, 0, after).add_(grad.narrow(axis, before + size, after))
    return folded


def check_windows(
    name: str, shape: Sequence[int], kernel_size: KernelSize, stride: int, padding: str
) -> None:
    """Raise ValueError unless an image's shape, the stride and the padding suit the window.

    ``name`` is the operator's, for the message.
    """
    if len(shape) != 4:
        raise ValueError(f"{name}: x must be (B, C, H, W), got shape {tuple(shape)}")
    if stride < 1:
        raise ValueError(f"{name}: stride must be at least 1, got {stride}")
    if padding not in PADDINGS:
        raise ValueError(f"{name}: padding is one of {', '.join(PADDINGS)}, got {padding!r}")
    height, width = shape[-2:]
    if padding != "valid" and (height % stride or width % stride):
        raise ValueError(f"{name}: {height} x {width} pixels are not divisible by stride {stride}")
    # torch's reflection does not repeat the edge, so it reaches one pixel less than the image. The
    # axes are not compared with each other: an exported program would freeze the outcome.
    short = {"reflect": 1, "circular": 0}.get(padding)
    down, across = (max(pad_amounts(side, stride, padding)) for side in sides(kernel_size))
    if short is not None and (down > height - short or across > width - short):
        raise ValueError(
            f"{name}: {padding} padding of {max(down, across)} pixels does not fit an image of"
            f" {height} x {width}: use a larger image, a smaller kernel or 'replicate'"
        )


def check_together(name: str, **tensors: Tensor) -> None:
    """Raise ValueError unless all tensors are floating-point and on one device."""
    (first, reference), *_ = tensors.items()
    for key, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ValueError(
                f"{name}: {key} must be float16, bfloat16, float32 or float64, got {tensor.dtype}"
            )
        if tensor.device != reference.device:
            raise ValueError(
                f"{name}: {key} is on {tensor.device}, {first} on {reference.device}: move them to"
                " one device"
            )
