"""Rare kinds of files and colour profiles, by Pillow."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from realdeg.utils.image.header import Header
from realdeg.utils.image.source import BrokenFileError

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def decode_with_pillow(content: bytes, header: Header) -> np.ndarray | None:
    """Decode the first image of an 8-bit file.

    Returns:
        H x W x C, ``uint8``, with the header's channels and the stored orientation; None for a
        kind of file that Pillow does not know.

    Raises:
        BrokenFileError: If it is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    wanted = _MODES[header.channels]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=[_pillow_name(header)]) as image:
                if image.size != (header.width, header.height) or image.mode not in (
                    ("CMYK",) if header.ink else ("1", "P", wanted)
                ):
                    return None
                image.load()
                array = np.asarray(image.convert(wanted))
    except UnidentifiedImageError:
        return None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises anything
        raise BrokenFileError("cannot be decoded: it is damaged") from error
    return array.reshape(header.height, header.width, header.channels).copy()


def ink_to_rgb(content: bytes, header: Header) -> np.ndarray | None:
    """Decode a CMYK image by its own profile to H x W x 3 in sRGB; None without a usable one."""
    from PIL import Image

    if not header.icc:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=[_pillow_name(header)]) as image:
                if image.size != (header.width, header.height) or image.mode != "CMYK":
                    return None
                rgb = _to_srgb(image, header.icc)
    except MemoryError:
        raise
    except Exception:  # a damaged file or profile
        return None
    return np.asarray(rgb).copy()


def to_srgb(array: np.ndarray, icc: bytes) -> np.ndarray:
    """Convert an 8-bit image to sRGB.

    Args:
        array: H x W x C, ``uint8``; alpha is not changed.
        icc: The profile of its colours.

    Returns:
        The image in sRGB; grey stays grey.

    Raises:
        BrokenFileError: If it has 16 bit, or the profile cannot be used.
    """
    from PIL import Image, ImageCms

    if array.dtype != np.uint8:
        raise BrokenFileError(
            "has 16 bit and a colour profile: only 8-bit images are converted to sRGB; keep"
            " its profile, or convert it first"
        )
    alpha = array.shape[2] in (2, 4)
    colours = array[..., :-1] if alpha else array
    grey = colours.shape[2] == 1
    try:
        # Grey becomes RGB on the way: sRGB is a profile of three channels.
        flat = np.ascontiguousarray(colours[..., 0] if grey else colours)
        done = np.asarray(_to_srgb(Image.fromarray(flat), icc))
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise BrokenFileError(f"has a colour profile that cannot be used ({error})") from error
    result = done[..., :1] if grey else done
    return np.concatenate([result, array[..., -1:]], axis=2) if alpha else result.copy()


def _to_srgb(image: Any, icc: bytes) -> Any:
    from PIL import ImageCms

    profile: Any = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    target: Any = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return ImageCms.profileToProfile(image, profile, target, intent, "RGB")


def _pillow_name(header: Header) -> str:
    return {"PNM": "PPM", "WebP": "WEBP"}.get(header.format, header.format)
