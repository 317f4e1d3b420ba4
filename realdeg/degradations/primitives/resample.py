"""Resampling in the variants used by published code, by name.

The variants differ in kernel, antialiasing and, for nearest, position. :func:`resample` describes
them, :func:`sampling_offset` gives the position of their pixels.
"""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.borders import check_image, on_cpu_without_gradient
from realdeg.degradations.primitives.resample_taps import (
    adaptive_windows,
    apply_axes,
    cv2_axis,
    nearest_index,
)
from realdeg.degradations.primitives.resize import imresize

# mode -> OpenCV's flag and the name of its axis
_CV2 = {
    "cv2_linear": (cv2.INTER_LINEAR, "linear"),
    "cv2_cubic": (cv2.INTER_CUBIC, "cubic"),
    "cv2_area": (cv2.INTER_AREA, "area"),
    "cv2_lanczos4": (cv2.INTER_LANCZOS4, "lanczos4"),
    "torch_bilinear": (cv2.INTER_LINEAR, "linear"),
    "torch_bicubic": (cv2.INTER_CUBIC, "cubic"),
}
_NEAREST = {"nearest": "matlab", "cv2_nearest": "cv2"}
_ANTIALIASED = {"torch_bilinear_antialias": "bilinear", "torch_bicubic_antialias": "bicubic"}

ResampleMode = Literal[
    "matlab_bicubic",
    "nearest",
    "cv2_nearest",
    "cv2_linear",
    "cv2_cubic",
    "cv2_area",
    "cv2_lanczos4",
    "torch_bilinear",
    "torch_bicubic",
    "torch_area",
    "torch_bilinear_antialias",
    "torch_bicubic_antialias",
]
MODES: tuple[str, ...] = get_args(ResampleMode)
"""The modes of :func:`resample`."""


def resample(x: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Resize by a named variant of interpolation; nothing is clipped. Differentiable in x.

    - ``"matlab_bicubic"``: MATLAB's ``imresize``, antialiased, a = -0.5.
    - ``"nearest"``: MATLAB's: the pixel under the output's centre, the later one of a tie.
    - ``"cv2_nearest"``: the pixel at the output's first edge, ``floor(i * s)``.
    - ``"cv2_linear"``, ``"cv2_cubic"`` (a = -0.75), ``"cv2_lanczos4"``: OpenCV's, without
      antialiasing: a reduction by more than 2 skips pixels.
    - ``"cv2_area"``: mean over the output pixel's area; when enlarging, OpenCV's variant of linear.
    - ``"torch_bilinear"``, ``"torch_bicubic"``: ``F.interpolate`` with ``align_corners=False``:
      the same as OpenCV's linear and cubic. Computed with unrounded positions (torch rounds them
      to float32, which differs by up to 3e-5 of a full-contrast edge).
    - ``"torch_area"``: ``F.adaptive_avg_pool2d``: whole pixels, windows overlap.
    - ``"torch_bilinear_antialias"``, ``"torch_bicubic_antialias"`` (a = -0.5): ``F.interpolate``
      with ``antialias=True``.

    On the CPU and without a gradient OpenCV is used; elsewhere torch applies the same weights as
    one small matrix per axis. The two agree within 1e-5 on [0, 1].

    Args:
        x: Images, shape (B, C, H, W).
        size: Output (height, width) in pixels.
        mode: One of :data:`MODES`.

    Returns:
        Shape (B, C, *size), same dtype.

    Raises:
        ValueError: If the mode is unknown or a size is not positive.
    """
    check_image("resample", x)
    height, width = int(size[0]), int(size[1])
    if min(height, width) < 1:
        raise ValueError(f"resample: size must be positive, got {tuple(size)}")
    if mode not in MODES:
        raise ValueError(f"resample: mode is one of {', '.join(MODES)}, got {mode!r}")
    if x.shape[0] == 0:
        return x.new_zeros(0, x.shape[1], height, width)
    if mode == "matlab_bicubic":
        resized = imresize(x, size=(height, width))
        return resized.clone() if resized is x else resized
    if mode in _NEAREST:
        return _nearest(x, (height, width), _NEAREST[mode])
    if mode in _CV2:
        return _cv2(x, (height, width), *_CV2[mode])
    if mode in _ANTIALIASED:
        return F.interpolate(
            x, size=(height, width), mode=_ANTIALIASED[mode], align_corners=False, antialias=True
        )
    return _torch_area(x, (height, width))


def s_fold(x: Tensor, scale: int, start: int = 0) -> Tensor:
    """Keep every scale-th pixel of both axes (the "s-fold" or direct downsampler).

    Output pixel i lies at ``scale * i + start``, which is not the middle of its block unless
    ``start = (scale - 1) / 2``.

    Args:
        x: Images, shape (B, C, H, W).
        scale: Step in pixels, at least 1.
        start: First kept pixel, from 0 to scale - 1.

    Returns:
        Shape (B, C, ceil((H - start) / scale), ceil((W - start) / scale)).

    Raises:
        ValueError: If an argument is out of range or no pixel remains.
    """
    check_image("s_fold", x)
    if scale < 1 or not 0 <= start < scale:
        raise ValueError(f"s_fold: start is from 0 to scale - 1, got scale {scale}, start {start}")
    if start >= min(x.shape[-2:]):
        raise ValueError(f"s_fold: no pixel of {tuple(x.shape[-2:])} is left from {start} on")
    return x[..., start::scale, start::scale].clone(memory_format=torch.contiguous_format)


def sampling_offset(mode: str, scale: int) -> float:
    """Return the position of pixel 0 after a reduction by an integer factor.

    Args:
        mode: One of :data:`MODES`.
        scale: Input pixels per output pixel.

    Returns:
        The input coordinate of output pixel 0, with pixel centres at integers; output pixel i is
        ``scale * i`` further. ``(scale - 1) / 2`` is the middle of the block.

    Raises:
        ValueError: If the mode is unknown or the scale is not positive.
    """
    if mode not in MODES or scale < 1:
        raise ValueError(f"sampling_offset: unknown mode {mode!r} or scale {scale} below 1")
    if mode == "cv2_nearest":
        return 0.0
    if mode == "nearest":
        return float(scale // 2)
    return (scale - 1) / 2


def _cv2(x: Tensor, size: tuple[int, int], flag: int, name: str) -> Tensor:
    height, width = x.shape[-2:]
    if on_cpu_without_gradient(x):
        sources = x.detach().contiguous().view(-1, height, width).numpy()
        result = torch.empty(*x.shape[:2], *size)
        targets = result.view(-1, *size).numpy()
        for source, target in zip(sources, targets, strict=True):
            cv2.resize(source, size[::-1], dst=target, interpolation=flag)
        return result
    shrinks = size[0] <= height and size[1] <= width
    rows = cv2_axis(name, height, size[0], shrinks)
    return apply_axes(x, rows, cv2_axis(name, width, size[1], shrinks))


def _nearest(x: Tensor, size: tuple[int, int], flavour: str) -> Tensor:
    for axis, count in ((-2, size[0]), (-1, size[1])):
        index = nearest_index(int(x.shape[axis]), count, flavour)
        x = x.index_select(axis, torch.from_numpy(index).to(x.device))
    return x


def _torch_area(x: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = x.shape[-2:]
    if height % size[0] == 0 and width % size[1] == 0:
        return _cv2(x, size, cv2.INTER_AREA, "area")  # whole blocks: both are equal
    if not on_cpu_without_gradient(x):
        return F.interpolate(x, size=size, mode="area")
    # Whole rows are summed, several times faster than torch's pooling; transposing turns columns
    # into rows.
    planes = x.detach().contiguous().view(-1, height, width).numpy()
    result = torch.empty(*x.shape[:2], *size)
    targets = result.view(-1, *size).numpy()
    for plane, target in zip(planes, targets, strict=True):
        turned = cv2.transpose(_mean_rows(plane, size[0]))
        cv2.transpose(_mean_rows(turned, size[1]), target)
    return result


def _mean_rows(plane: np.ndarray, count: int) -> np.ndarray:
    start, length = adaptive_windows(plane.shape[0], count)
    total: np.ndarray = plane[start]
    for step in range(1, int(length.max())):
        longer = np.flatnonzero(length > step)
        total[longer] += plane[start[longer] + step]
    total /= length[:, None].astype(np.float32)
    return total
