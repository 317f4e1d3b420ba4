"""What Pillow does for us: rare kinds of files, and colour profiles."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from realdeg.utils.image.header import Header
from realdeg.utils.image.source import BrokenFileError

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def decode_with_pillow(content: bytes, header: Header) -> np.ndarray | None:
    """Decode the first picture of a file of 8 bit.

    Args:
        content: The file.
        header: What it says; the result has its channels.

    Returns:
        H x W x C, ``uint8``, not turned; None for a kind that Pillow does not know.

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
    except Exception as error:  # whatever a damaged file makes of it
        raise BrokenFileError("cannot be decoded: it is damaged") from error
    return array.reshape(header.height, header.width, header.channels).copy()


def ink_to_rgb(content: bytes, header: Header) -> np.ndarray | None:
    """Decode a CMYK picture through the profile that it carries.

    Args:
        content: The file.
        header: What it says.

    Returns:
        H x W x 3 in sRGB; None without a usable profile.
    """
    from PIL import Image, ImageCms

    if not header.icc:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=[_pillow_name(header)]) as image:
                if image.size != (header.width, header.height) or image.mode != "CMYK":
                    return None
                profile: Any = ImageCms.ImageCmsProfile(io.BytesIO(header.icc))
                rgb: Any = ImageCms.profileToProfile(
                    image,
                    profile,
                    _srgb(),
                    outputMode="RGB",
                    renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                )
    except MemoryError:
        raise
    except Exception:  # a damaged file or profile
        return None
    return np.asarray(rgb).copy()


def to_srgb(array: np.ndarray, icc: bytes) -> np.ndarray:
    """Convert a picture of 8 bit to sRGB.

    Args:
        array: H x W x C, ``uint8``; alpha is left as it is.
        icc: The profile that its colours are meant by.

    Returns:
        The same picture in sRGB, grey as grey.

    Raises:
        BrokenFileError: If it has 16 bit, or the profile cannot be used.
    """
    from PIL import Image, ImageCms

    if array.dtype != np.uint8:
        raise BrokenFileError(
            "has 16 bit and a colour profile: only pictures of 8 bit are converted to sRGB; keep"
            " its profile, or convert it first"
        )
    alpha = array.shape[2] in (2, 4)
    colours = array[..., :-1] if alpha else array
    grey = colours.shape[2] == 1
    try:
        profile: Any = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        image = Image.fromarray(np.ascontiguousarray(colours[..., 0] if grey else colours))
        # A grey picture goes over RGB: sRGB is a profile of three channels.
        done: Any = ImageCms.profileToProfile(
            image,
            profile,
            _srgb(),
            outputMode="RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise BrokenFileError(f"has a colour profile that cannot be used ({error})") from error
    result = np.asarray(done)[..., :1] if grey else np.asarray(done)
    return np.concatenate([result, array[..., -1:]], axis=2) if alpha else result.copy()


def _srgb() -> Any:
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")


def _pillow_name(header: Header) -> str:
    return {"PNM": "PPM", "WebP": "WEBP"}.get(header.format, header.format)
