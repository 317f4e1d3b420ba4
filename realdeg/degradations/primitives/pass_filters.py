"""Low-pass and high-pass filters that separate an image's content from its texture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.wavelets import haar

FILTERS = ("average", "gaussian", "wavelet")
"""Kinds of high-pass filters; a low-pass filter is one of the first two."""


def low_pass(x: Tensor, kernel_size: int = 5, kind: str = "average", padded: bool = True) -> Tensor:
    """Keep what is coarser than a few pixels.

    DSGAN (Fritsche, Gu, Timofte, ICCVW 2019) compares colours after an average without padding,
    and subtracts one with padding that ignores pixels outside of the image.

    Args:
        x: Images, shape (B, C, H, W).
        kernel_size: Side k of the square window in pixels, odd.
        kind: ``"average"``, or ``"gaussian"`` of variance ``(k / 6) ** 2`` pixels squared.
        padded: Whether the result has the size of ``x``; otherwise only whole windows count.

    Returns:
        Shape (B, C, H, W), or (B, C, H - k + 1, W - k + 1) when not ``padded``.

    Raises:
        ValueError: If the kind is unknown, the window even, or larger than an unpadded image.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"low_pass: kernel_size is odd and positive, got {kernel_size}")
    if not padded and min(x.shape[-2:]) < kernel_size:
        raise ValueError(f"low_pass: {tuple(x.shape[-2:])} pixels are less than {kernel_size}")
    if kind == "average":
        margin = kernel_size // 2 if padded else 0
        return F.avg_pool2d(x, kernel_size, 1, margin, count_include_pad=False)
    if kind != "gaussian":
        raise ValueError(f"low_pass: kind is 'average' or 'gaussian', got {kind!r}")
    taps = torch.arange(kernel_size, device=x.device, dtype=x.dtype) - kernel_size // 2
    window = (-0.5 * (taps / (kernel_size / 6)) ** 2).exp()
    smooth = _separable(x, window / window.sum(), padded)
    if padded:
        # Pixels outside are zeros; dividing by the weight inside excludes them.
        smooth = smooth / _separable(torch.ones_like(x[:1, :1]), window / window.sum(), True)
    return smooth


def high_pass(x: Tensor, kernel_size: int = 5, kind: str = "average") -> Tensor:
    """Keep what is finer than a few pixels, centred on 0.5.

    DSGAN's is ``0.5 + 0.5 (x - low(x))``. DASR (Wei et al., CVPR 2021) takes the three detail bands
    of one level of the Haar wavelet instead, each ``0.5 + 0.5 band``, at half the size.

    Args:
        x: Images in [0, 1], shape (B, C, H, W).
        kernel_size: Side of the window in pixels, odd; ignored for the wavelet.
        kind: One of :data:`FILTERS`.

    Returns:
        Shape (B, C, H, W); for the wavelet (B, 3 C, H // 2, W // 2): the C channels that are fine
        by rows, then those by columns, then the diagonal ones.

    Raises:
        ValueError: If the kind is unknown, or an image is too small.
    """
    if kind == "wavelet":
        height, width = (
            side - side % 2 for side in x.shape[-2:]
        )  # an odd last row or column is dropped
        if not height or not width:
            raise ValueError(f"high_pass by wavelet needs 2 x 2 pixels, got {tuple(x.shape)}")
        return 0.5 + 0.5 * haar(x[..., :height, :width])[:, x.shape[1] :]
    return 0.5 + 0.5 * (x - low_pass(x, kernel_size, kind))


def _separable(x: Tensor, window: Tensor, padded: bool) -> Tensor:
    margin = len(window) // 2 if padded else 0
    flat = x.flatten(0, 1)[:, None]
    flat = F.conv2d(flat, window.view(1, 1, 1, -1), padding=(0, margin))
    flat = F.conv2d(flat, window.view(1, 1, -1, 1), padding=(margin, 0))
    return torch.unflatten(flat[:, 0], 0, x.shape[:2])
