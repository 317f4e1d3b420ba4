"""Unsharp masking, as Real-ESRGAN sharpens its HR images."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.primitives.borders import check_image, on_cpu_without_gradient
from realdeg.degradations.primitives.filtering import separable_filter


def unsharp_mask(
    x: Tensor, weight: float = 0.5, radius: int = 50, threshold: float = 10.0
) -> Tensor:
    """Add the difference from a wide blur, where it exceeds a threshold.

    residual = x - blur(x); soft = blur(|residual| * 255 > threshold);
    result = soft * clip(x + weight * residual, 0, 1) + (1 - soft) * x.
    Wang et al., "Real-ESRGAN", ICCVW 2021, and the code of BasicSR. The only difference is that the
    blur is separable instead of a dense window of 51 x 51.

    The mask is binary: if a residual equals the threshold within float32 rounding, another device
    may decide otherwise, which changes pixels around it by up to 1e-3. Differentiable in x but for
    the mask.

    Args:
        x: Images in [0, 1], shape (B, C, H, W); every channel has its own mask.
        weight: Factor of the residual, at least 0.
        radius: Side of the Gaussian's window in pixels; an even one is increased by 1. Its sigma
            follows OpenCV's rule for that window, 0.15 k + 0.35 (8.0 for 51).
        threshold: Residual in grey levels of 0 to 255 above which a pixel is sharpened.

    Returns:
        Shape (B, C, H, W), same dtype.

    Raises:
        ValueError: If an argument is out of range.
    """
    check_image("unsharp_mask", x)
    if not 0 <= weight < math.inf or not 0 <= threshold < math.inf or not 1 <= radius <= 1023:
        raise ValueError(
            "unsharp_mask: weight and threshold are at least 0 and radius is from 1 to 1023, got"
            f" {weight}, {threshold} and {radius}"
        )
    taps = _taps(radius + 1 - radius % 2)
    if x.shape[0] == 0:
        return x.clone()
    if on_cpu_without_gradient(x):
        return _opencv(x, weight, taps, threshold)
    weights = torch.from_numpy(taps)
    residual = x - separable_filter(x, weights, weights)
    mask = (residual.detach().abs() > threshold / 255).to(x.dtype)
    soft = separable_filter(mask, weights, weights)
    return x + soft * ((x + weight * residual).clamp(0, 1) - x)


@lru_cache(maxsize=16)
def _taps(kernel_size: int) -> np.ndarray:
    # OpenCV's rule for the sigma; for windows up to 9 pixels it has a table of weights.
    return cv2.getGaussianKernel(kernel_size, 0, cv2.CV_64F)[:, 0]


def _opencv(x: Tensor, weight: float, taps: np.ndarray, threshold: float) -> Tensor:
    """Sharpen plane by plane, which stays in the cache."""
    x = x.detach().contiguous()
    result = torch.empty_like(x)
    height, width = x.shape[-2:]
    sources = x.view(-1, height, width).numpy()
    targets = result.view(-1, height, width).numpy()
    row, column = taps.astype(np.float32), taps.astype(np.float32)
    from_bytes = (taps / 255).astype(np.float32)
    limit = float(np.float32(threshold / 255))
    for source, target in zip(sources, targets, strict=True):
        residual = cv2.sepFilter2D(source, -1, row, column)
        cv2.subtract(source, residual, residual)
        # 255 where the residual exceeds the threshold. Bytes are filtered faster than floats.
        mask = cv2.bitwise_not(cv2.inRange(residual, -limit, limit))
        if not mask.any():
            np.copyto(target, source)
            continue
        soft = cv2.sepFilter2D(mask, cv2.CV_32F, from_bytes, column)
        cv2.scaleAdd(residual, weight, source, target)
        np.clip(target, 0, 1, out=target)
        cv2.subtract(target, source, target)
        cv2.multiply(target, soft, target)
        cv2.add(target, source, target)
    return result
