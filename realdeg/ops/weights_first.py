"""``kernel_apply`` with its weights before the filtering: y = sum_m phi_m correlated with (w_m x).

At stride 1 this is the gradient of the image of the other placement, with other names: the padded
image takes the place of the output's gradient, the output's gradient (with a border of zeros) that
of the padded image, and the bases are turned by 180 degrees. So every implementation of
:mod:`realdeg.ops.mixing` serves both placements. With a stride the output's gradient would be
mostly zeros between its pixels, and torch's convolutions compute.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.ops.mixing import Gradients, mix, mix_gradients


def mix_before(padded: Tensor, weights: Tensor, bases: Tensor, stride: int) -> Tensor:
    """Mix and filter.

    Args:
        padded: Image with its padding, shape (B, C, Hp, Wp), in the dtype to compute in.
        weights: Padded like the image, shape (B, M, Hp, Wp).
        bases: Shape (M, kh, kw) or (B, M, kh, kw), dtype of ``padded``.
        stride: Padded pixels per output pixel.

    Returns:
        Shape (B, C, h, w): all whole windows.
    """
    rows, columns = bases.shape[-2:]
    if stride == 1:
        batch, channels, height, width = padded.shape
        shape = (batch, channels, height + rows - 1, width + columns - 1)
        needs = [True, False, False]
        full, _, _ = mix_gradients(
            padded, _of_shape(padded, shape), weights, bases.flip(-1, -2), 1, needs
        )
        assert full is not None
        return full[..., rows - 1 : height, columns - 1 : width].contiguous()
    results = []
    for sample, field in enumerate(weights):
        own = bases if bases.ndim == 3 else bases[sample]
        results.append(F.conv2d(_spread(padded[sample], field), own[None], stride=stride))
    return torch.stack(results).squeeze(2)


def mix_before_gradients(
    grad: Tensor, padded: Tensor, weights: Tensor, bases: Tensor, stride: int, needs: list[bool]
) -> Gradients:
    """Return the gradients of the padded image, the padded weights and the bases.

    ``grad`` is (B, C, h, w); the rest is as in :func:`mix_before`.
    """
    rows, columns = bases.shape[-2:]
    if stride > 1:
        return _strided_gradients(grad, padded, weights, bases, stride, needs)
    border = F.pad(grad, (columns - 1, columns - 1, rows - 1, rows - 1))
    turned = bases.flip(-1, -2)
    image = mix(border, weights, turned, 1) if needs[0] else None
    field = kernels = None
    if needs[1] or needs[2]:
        others = [False, needs[1], needs[2]]
        _, field, kernels = mix_gradients(padded, border, weights, turned, 1, others)
    return image, field, None if kernels is None else kernels.flip(-1, -2)


def _strided_gradients(
    grad: Tensor, padded: Tensor, weights: Tensor, bases: Tensor, stride: int, needs: list[bool]
) -> Gradients:
    image = torch.empty_like(padded) if needs[0] else None
    field = padded.new_empty(weights.shape) if needs[1] else None
    kernels = torch.zeros_like(bases) if needs[2] else None
    for sample in range(padded.shape[0]):
        own = bases if bases.ndim == 3 else bases[sample]
        mixed, gradient = weights[sample].to(padded.dtype), grad[sample][:, None]
        if image is not None or field is not None:
            # What each basis sends back to each pixel: (C, M, Hp, Wp). Pixels after the last whole
            # window get nothing.
            sent = F.conv_transpose2d(gradient, own[None], stride=stride)
            missing = [padded.shape[axis] - sent.shape[axis] for axis in (3, 2)]
            sent = F.pad(sent, (0, missing[0], 0, missing[1]))
            if image is not None:
                image[sample] = (sent * mixed).sum(1)
            if field is not None:
                field[sample] = (sent * padded[sample][:, None]).sum(0)
        if kernels is not None:
            target = kernels if bases.ndim == 3 else kernels[sample]
            target += _bases_gradient(gradient, _spread(padded[sample], mixed), own, stride)
    return image, field, kernels


def _bases_gradient(gradient: Tensor, spread: Tensor, own: Tensor, stride: int) -> Tensor:
    if gradient.shape[-1] == 1:
        # For direct.py's reason: oneDNN needs a second column.
        gradient, spread = F.pad(gradient, (0, 1)), F.pad(spread, (0, stride))
    _, kernels, _ = torch.ops.aten.convolution_backward(
        gradient, spread, own[None].contiguous(), None,
        [stride, stride], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False],
    )  # fmt: skip
    return kernels[0]


def _spread(image: Tensor, field: Tensor) -> Tensor:
    """Return an image (C, Hp, Wp) times every weight (M, Hp, Wp): (C, M, Hp, Wp)."""
    return image[:, None] * field.to(image.dtype)


def _of_shape(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    return like.new_zeros((1,) * len(shape)).expand(shape)
