"""The header of an image file, read without decoding, and the limit of pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from realdeg.errors import ConfigError

MOST_PIXELS = 200_000_000
"""The default limit: 200 megapixels."""

MAX_PIXELS_VARIABLE = "REALDEG_MAX_PIXELS"
LONGEST_PROFILE = 1 << 24


@dataclass(frozen=True)
class Header:
    """The header of an image file.

    Args:
        format: PNG, JPEG, TIFF, BMP, WebP, GIF or PNM.
        height: Stored rows.
        width: Stored columns.
        channels: Channels of the decoded array, 1 to 4.
        bits: Bits per number of the decoded array, 8 or 16.
        orientation: The EXIF orientation, 1 to 8.
        frames: Pages, or frames of an animation.
        icc: The ICC profile as stored, or nothing.
        ink: Whether colours are CMYK.
        detail: Private to the format's own reader.
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
        """Height and width of the upright image."""
        return (self.height, self.width) if self.orientation <= 4 else (self.width, self.height)


def pixel_limit() -> int:
    """Return the limit of pixels: 200 million, or the variable ``REALDEG_MAX_PIXELS``.

    Raises:
        ConfigError: If the variable is not a positive whole number.
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
    """Set the limit of pixels for this process and those that it starts.

    Raises:
        ConfigError: If it is not a positive whole number.
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
