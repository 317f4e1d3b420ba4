"""The position of windows on the HR grid, padding, and the adjoint of padding.

The window of output pixel i starts at input pixel ``stride * i + floor((stride - k) / 2)``; with
``valid`` padding it starts at ``stride * i`` and only whole windows count.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PADDINGS = ("reflect", "replicate", "zeros", "circular", "valid")


def pad_amounts(kernel_size: int, stride: int, padding: str) -> tuple[int, int]:
    """Return the pixels to add before and after; negative numbers crop.

    Args:
        kernel_size: Side k of the square window.
        stride: Input pixels per output pixel.
        padding: One of :data:`PADDINGS`.

    Returns:
        (before, after), the same for rows and columns.
    """
    if padding == "valid":
        return 0, 0
    before = -((stride - kernel_size) // 2)
    return before, kernel_size - stride - before


def output_size(size: int, kernel_size: int, stride: int, padding: str) -> int:
    """Return the number of output pixels along an axis.

    Args:
        size: Input pixels along the axis.
        kernel_size: Side k of the square window.
        stride: Input pixels per output pixel.
        padding: One of :data:`PADDINGS`.

    Returns:
        The output pixels; 0 when no whole window fits under ``valid``.
    """
    if padding == "valid":
        return max(0, (size - kernel_size) // stride + 1)
    return size // stride


def pad(x: Tensor, kernel_size: int, stride: int, padding: str) -> Tensor:
    """Pad (or cut) so that output pixel i's window starts at padded pixel ``stride * i``.

    Args:
        x: Shape (B, C, H, W).
        kernel_size: Side k of the square window.
        stride: Input pixels per output pixel.
        padding: One of :data:`PADDINGS`.

    Returns:
        The padded tensor.
    """
    before, after = pad_amounts(kernel_size, stride, padding)
    x = _cut(x, before, after)
    before, after = max(before, 0), max(after, 0)
    if before == after == 0:
        return x
    mode = "constant" if padding == "zeros" else padding
    return F.pad(x, (before, after, before, after), mode=mode)


def pad_adjoint(
    grad: Tensor, shape: tuple[int, int, int, int], kernel_size: int, stride: int, padding: str
) -> Tensor:
    """Apply the transpose of :func:`pad` to the gradient of the padded image.

    ``shape`` is that of the image before padding, (B, C, H, W), and of the result.
    """
    before, after = pad_amounts(kernel_size, stride, padding)
    cut_before, cut_after = max(-before, 0), max(-after, 0)
    before, after = max(before, 0), max(after, 0)
    cut = cut_before + cut_after
    inner = (shape[0], shape[1], shape[2] - cut, shape[3] - cut)
    if before or after:
        amounts = [before, after, before, after]
        if padding == "reflect":
            grad = torch.ops.aten.reflection_pad2d_backward(
                grad.contiguous(), grad.new_empty(inner), amounts
            )
        elif padding == "replicate":
            grad = torch.ops.aten.replication_pad2d_backward(
                grad.contiguous(), grad.new_empty(inner), amounts
            )
        elif padding == "circular":
            grad = _fold_circular(_fold_circular(grad, 2, before, after), 3, before, after)
        else:
            grad = grad[..., before : before + inner[2], before : before + inner[3]]
    if cut_before or cut_after:
        grad = F.pad(grad, (cut_before, cut_after, cut_before, cut_after))
    return grad.contiguous()


def _cut(x: Tensor, before: int, after: int) -> Tensor:
    top, bottom = max(-before, 0), max(-after, 0)
    if top == bottom == 0:
        return x
    return x[..., top : x.shape[-2] - bottom, top : x.shape[-1] - bottom]


def _fold_circular(grad: Tensor, axis: int, before: int, after: int) -> Tensor:
    size = grad.shape[axis] - before - after
    folded = grad.narrow(axis, before, size).clone()
    if before:
        folded.narrow(axis, size - before, before).add_(grad.narrow(axis, 0, before))
    if after:
        folded.narrow(axis, 0, after).add_(grad.narrow(axis, before + size, after))
    return folded


def check_windows(name: str, x: Tensor, kernel_size: int, stride: int, padding: str) -> None:
    """Raise ValueError unless an image's shape, the stride and the padding suit the window.

    ``name`` is the operator's, for the message.
    """
    if x.ndim != 4:
        raise ValueError(f"{name}: x must be (B, C, H, W), got shape {tuple(x.shape)}")
    if stride < 1:
        raise ValueError(f"{name}: stride must be at least 1, got {stride}")
    if padding not in PADDINGS:
        raise ValueError(f"{name}: padding is one of {', '.join(PADDINGS)}, got {padding!r}")
    height, width = x.shape[-2:]
    if padding != "valid" and (height % stride or width % stride):
        raise ValueError(f"{name}: {height} x {width} pixels are not divisible by stride {stride}")
    needed = max(pad_amounts(kernel_size, stride, padding))
    # torch's reflection does not repeat the edge, so it reaches one pixel less than the image. The
    # axes are not compared with each other: an exported program would freeze the outcome.
    short = {"reflect": 1, "circular": 0}.get(padding)
    if short is not None and (needed > height - short or needed > width - short):
        raise ValueError(
            f"{name}: {padding} padding of {needed} pixels does not fit an image of"
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
