"""What each image format can hold, asked before anything is computed for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.errors import DataError


@dataclass(frozen=True)
class Format:
    """A format that is written.

    Args:
        name: What it is called.
        suffixes: How its files' names end.
        deep: Whether it holds 16 bit.
        alpha: Whether it holds transparency.
        longest: Longest side in pixels.
    """

    name: str
    suffixes: tuple[str, ...]
    deep: bool
    alpha: bool
    longest: int


FORMATS = (
    Format("PNG", (".png",), deep=True, alpha=True, longest=2**31 - 1),
    # libjpeg's limit; the format's is 65535.
    Format("JPEG", (".jpg", ".jpeg"), deep=False, alpha=False, longest=65500),
    Format("BMP", (".bmp",), deep=False, alpha=True, longest=2**15 - 1),
    Format("TIFF", (".tif", ".tiff"), deep=True, alpha=True, longest=2**31 - 1),
    Format("WebP", (".webp",), deep=False, alpha=True, longest=16383),
)

IMAGE_SUFFIXES = tuple(suffix for one in FORMATS for suffix in one.suffixes)
"""How the names of images end."""


def check_writable(
    path: str | os.PathLike[str],
    dtype: Any,
    channels: int,
    size: tuple[int, int] | None = None,
) -> Format:
    """Refuse what a file of this name cannot hold; asks nothing of the disk.

    Args:
        path: The file that is to be written; a name without a suffix means PNG.
        dtype: Number type of the pixels.
        channels: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha).
        size: Height and width, where they are known.

    Returns:
        The format that the name says.

    Raises:
        DataError: If it is no image format, or one that does not hold such a picture.
    """
    number = np.dtype(dtype)
    if number not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise DataError(f"cannot write {path}: pixels are {number}, wanted uint8 or uint16.")
    if channels not in (1, 2, 3, 4):
        raise DataError(f"cannot write {path}: {channels} channels are not a picture.")
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
        raise DataError(f"cannot write {path}: {size[0]} x {size[1]} pixels are not a picture.")
    if size is not None and max(size) > found.longest:
        raise DataError(
            f"cannot write {path}: {found.name} holds up to {found.longest} pixels to a side, the"
            f" image has {size[0]} x {size[1]}; use {_listed(fitting)}."
        )
    return found


def _listed(formats: tuple[Format, ...] | list[Format]) -> str:
    suffixes = [one.suffixes[0] for one in formats]
    return suffixes[0] if len(suffixes) == 1 else f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
