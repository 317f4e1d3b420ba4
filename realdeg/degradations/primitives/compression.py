"""Lossy compression of RGB and grey images by the real codecs, through OpenCV."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

SUBSAMPLINGS = ("420", "422", "444")
"""JPEG's chroma: halved in both directions, halved horizontally, full."""

_SUBSAMPLING = {"420": 0x221111, "422": 0x211111, "444": 0x111111}
_LARGEST_SIDE = {".jpg": 65500, ".webp": 16383}  # limits of the formats, in pixels


def jpeg(x: Tensor, qualities: Tensor | Sequence[int], subsampling: str = "420") -> Tensor:
    """Compress by libjpeg and decompress.

    Byte for byte equal to OpenCV's result for the same image in BGR order; passing RGB would
    subsample and quantise the wrong channels. Pixels are first rounded to 8 bit (half up). Another
    release of OpenCV may contain another libjpeg and differ by a level.

    Args:
        x: Images, clipped to [0, 1], shape (B, C, H, W) with C = 1 or 3.
        qualities: libjpeg's quality, one whole number per image, 1 to 100.
        subsampling: ``"420"`` (halved chroma, OpenCV's and most cameras'), ``"422"`` or
            ``"444"``; a grey image has none.

    Returns:
        float32 at 8-bit levels, on the device of ``x``, without a gradient.

    Raises:
        ValueError: If a quality is out of range or the image too large for the format.
    """
    if subsampling not in _SUBSAMPLING:
        raise ValueError(f"subsampling is one of {', '.join(_SUBSAMPLING)}, got {subsampling!r}")
    options: list[int] = []
    if subsampling != "420":  # omitted if default, so that the bytes equal OpenCV's
        options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SUBSAMPLING[subsampling]]
    return _compress(x, qualities, ".jpg", cv2.IMWRITE_JPEG_QUALITY, options)


def webp(x: Tensor, qualities: Tensor | Sequence[int]) -> Tensor:
    """Compress by lossy WebP and decompress.

    Args:
        x: Images, clipped to [0, 1], shape (B, C, H, W) with C = 1 or 3.
        qualities: libwebp's quality, one whole number per image, 1 to 100.

    Returns:
        float32 at 8-bit levels, on the device of ``x``, without a gradient. A grey image becomes
        the luminance of the colour image that WebP stores.

    Raises:
        ValueError: If a quality is out of range or the image too large for the format.
    """
    return _compress(x, qualities, ".webp", cv2.IMWRITE_WEBP_QUALITY, [])


def _compress(
    x: Tensor, qualities: Tensor | Sequence[int], suffix: str, flag: int, options: list[int]
) -> Tensor:
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise ValueError(f"compression takes (B, C, H, W) with C = 1 or 3, got {tuple(x.shape)}")
    levels = qualities.tolist() if isinstance(qualities, Tensor) else list(qualities)
    if len(levels) != x.shape[0]:
        raise ValueError(f"{len(levels)} qualities were given for {x.shape[0]} images")
    for quality in levels:
        if int(quality) != quality or not 1 <= quality <= 100:
            raise ValueError(f"a quality is a whole number from 1 to 100, got {quality}")
    if max(x.shape[2:]) > _LARGEST_SIDE[suffix] or min(x.shape[2:]) < 1:
        raise ValueError(
            f"{suffix} holds 1 to {_LARGEST_SIDE[suffix]} pixels per side, got {tuple(x.shape[2:])}"
        )
    # NaN would become an arbitrary byte; 0 is at least the same everywhere.
    pixels = x.detach().float().mul(255).add_(0.5).nan_to_num_(0.0).clamp_(0, 255).to(torch.uint8)
    result = np.empty(tuple(x.shape), np.uint8)
    for image, target, quality in zip(pixels.cpu().numpy(), result, levels, strict=True):
        _round_trip(image, target, suffix, [flag, int(quality), *options])
    return torch.from_numpy(result).to(x.device).float().div_(255)


def _round_trip(image: np.ndarray, target: np.ndarray, suffix: str, options: list[int]) -> None:
    """Encode planes (C, H, W) in RGB order and decode them into ``target``."""
    # Planes are merged to BGR and split again in compiled code, without a strided copy.
    colour = len(image) == 3
    bgr = cv2.merge([image[2], image[1], image[0]]) if colour else image[0]
    done, content = cv2.imencode(suffix, bgr, options)
    if not done:
        raise ValueError(f"OpenCV cannot write {suffix}")
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
    assert decoded is not None  # our own bytes
    if colour:
        cv2.split(decoded, [target[2], target[1], target[0]])
    else:
        target[0] = decoded
