"""What an image file says of itself, read without decoding: size, depth, channels, pages."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from realdeg.errors import ConfigError

MOST_PIXELS = 200_000_000
"""Pixels of the largest file that is read unless told otherwise: 200 megapixels."""

MAX_PIXELS_VARIABLE = "REALDEG_MAX_PIXELS"
LONGEST_PROFILE = 1 << 24


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Args:
        format: PNG, JPEG, TIFF, BMP, WebP, GIF or PNM.
        height: Rows as they are stored.
        width: Columns as they are stored.
        channels: Channels of the array that is made of it, 1 to 4.
        bits: Bits of the array's numbers, 8 or 16.
        orientation: How the stored rows are to be turned (EXIF), 1 to 8.
        frames: Pages, or pictures of an animation.
        icc: The ICC profile as it stands in the file, or none.
        ink: Whether colours are amounts of ink (CMYK).
        detail: What the format's own reader wants to remember.
    """

    format: str
    height: int
    width: int
    channels: int
    bits: int = 8
    orientation: int = 1
    frames: int = 1
    icc: bytes = b""
    ink: bool = False
    detail: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture when it stands upright."""
        return (self.height, self.width) if self.orientation <= 4 else (self.width, self.height)


def pixel_limit() -> int:
    """Return how many pixels a file may have that is read.

    Returns:
        200 million, or what the environment variable ``REALDEG_MAX_PIXELS`` says.

    Raises:
        ConfigError: If the variable is no positive whole number.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE, "").strip()
    if not text:
        return MOST_PIXELS
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise ConfigError(
            f"the environment variable {MAX_PIXELS_VARIABLE} is a number of pixels such as"
            f" {MOST_PIXELS}, found {text[:40]!r}."
        )
    return int(text)


def set_pixel_limit(pixels: int) -> None:
    """Say how many pixels a file may have, for this process and those that it starts.

    Args:
        pixels: The number, at least 1.

    Raises:
        ConfigError: If it is no positive whole number.
    """
    before = os.environ.get(MAX_PIXELS_VARIABLE)
    os.environ[MAX_PIXELS_VARIABLE] = str(pixels)
    try:
        pixel_limit()
    except ConfigError:
        if before is None:
            del os.environ[MAX_PIXELS_VARIABLE]
        else:
            os.environ[MAX_PIXELS_VARIABLE] = before
        raise ConfigError(
            f"a limit of pixels is a positive whole number, got {pixels!r}."
        ) from None
