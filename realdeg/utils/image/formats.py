"""What each image format can hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.errors import DataError


@dataclass(frozen=True)
class Format:
    """A format that can be written."""

    name: str
    suffixes: tuple[str, ...]
    deep: bool
    """Whether it holds 16 bit."""
    alpha: bool
    longest: int
    """Longest side in pixels."""


FORMATS = (
    Format("PNG", (".png",), deep=True, alpha=True, longest=2**31 - 1),
    # libjpeg's limit; the format's is 65535.
    Format("JPEG", (".jpg", ".jpeg"), deep=False, alpha=False, longest=65500),
    Format("BMP", (".bmp",), deep=False, alpha=True, longest=2**15 - 1),
    Format("TIFF", (".tif", ".tiff"), deep=True, alpha=True, longest=2**31 - 1),
    Format("WebP", (".webp",), deep=False, alpha=True, longest=16383),
)

IMAGE_SUFFIXES = tuple(suffix for one in FORMATS for suffix in one.suffixes)
"""The suffixes of image files."""


def check_writable(
    path: str | os.PathLike[str],
    dtype: Any,
    channels: int,
    size: tuple[int, int] | None = None,
) -> Format:
    """Refuse an image that a file of this name cannot hold; the disk is not accessed.

    Args:
        path: The file to write; a name without a suffix means PNG.
        dtype: Number type of the pixels.
        channels: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha).
        size: Height and width, if known.

    Returns:
        The format.

    Raises:
        DataError: If it is not an image format, or cannot hold such an image.
    """
    number = np.dtype(dtype)
    if number not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise DataError(f"cannot write {path}: pixels are {number}, wanted uint8 or uint16.")
    if channels not in (1, 2, 3, 4):
        raise DataError(f"cannot write {path}: {channels} channels are not an image.")
    suffix = Path(path).suffix.lower() or ".png"
    found = next((one for one in FORMATS if suffix in one.suffixes), None)
    if found is None:
        raise DataError(
            f"cannot write {path}: the format {suffix!r} is not supported; end the name in"
            f" {_listed(FORMATS)}."
        )
    deep, alpha = number.itemsize == 2, channels in (2, 4)
    lacking = [
        text
        for text, lacks in (("16 bit", deep and not found.deep), ("alpha", alpha > found.alpha))
        if lacks
    ]
    fitting = [
        one
        for one in FORMATS
        if one.deep >= deep and one.alpha >= alpha and (size is None or max(size) <= one.longest)
    ]
    if lacking:
        raise DataError(
            f"cannot write {path}: {found.name} does not hold {' or '.join(lacking)}; use"
            f" {_listed(fitting)}."
        )
    if size is not None and 0 in size:
        raise DataError(f"cannot write {path}: {size[0]} x {size[1]} pixels are not an image.")
    if size is not None and max(size) > found.longest:
        raise DataError(
            f"cannot write {path}: {found.name} holds up to {found.longest} pixels to a side, the"
            f" image has {size[0]} x {size[1]}; use {_listed(fitting)}."
        )
    return found


def _listed(formats: tuple[Format, ...] | list[Format]) -> str:
    suffixes = [one.suffixes[0] for one in formats]
    return suffixes[0] if len(suffixes) == 1 else f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
