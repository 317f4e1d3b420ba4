"""Images in memory of either kind: NumPy arrays and Pillow's images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from realdeg.errors import DataError
from realdeg.utils.image.tensors import as_rgb, to_tensor

if TYPE_CHECKING:
    from PIL.Image import Image

ImageLike: TypeAlias = Union[NDArray[Any], "Image"]
"""An array H x W or H x W x C, or an image of Pillow."""

# Pillow's modes whose arrays are images as they are, and what others become.
_AS_THEY_ARE = ("L", "LA", "RGB", "RGBA")
_CONVERTED = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBX": "RGB"}
_CONVERTED |= {"La": "LA", "RGBa": "RGBA"}
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")


def as_array(image: ImageLike) -> NDArray[Any]:
    """Return an image in memory as an array; an array is returned unchanged.

    An image of Pillow is turned as its EXIF orientation says, as files are when they are read.
    Palettes become RGB (RGBA with transparency), black and white becomes grey, 16-bit grey stays
    16-bit, and CMYK, YCbCr, Lab and HSV are converted to RGB by Pillow. Its colour profile is left
    out.

    Args:
        image: An array, or an image of Pillow.

    Returns:
        H x W for grey, otherwise H x W x C; ``uint8``, ``uint16`` or, of mode F, ``float32``.

    Raises:
        DataError: If it is neither, or integers exceed 16 bits.

    Example:
        >>> from PIL import Image
        >>> as_array(Image.new("P", (4, 3))).shape
        (3, 4, 3)
    """
    if isinstance(image, np.ndarray):
        return image
    from PIL import Image, ImageOps

    if not isinstance(image, Image.Image):
        raise DataError(
            "an image is a numpy array of H x W x C or a PIL image, got"
            f" {image.__class__.__name__}; realdeg.read_image makes one from a file."
        )
    turned = ImageOps.exif_transpose(image)
    if turned.mode in _SIXTEEN_BIT:
        values = np.asarray(turned)
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise DataError(
                f"a PIL image of mode {turned.mode} holds values from {values.min()} to"
                f" {values.max()}: an integer image is read as 16 bits, 0 to 65535."
            )
        return values.astype(np.uint16)
    if turned.mode in ("P", "PA"):
        clear = turned.mode == "PA" or "transparency" in turned.info
        turned = turned.convert("RGBA" if clear else "RGB")
    elif turned.mode in _CONVERTED:
        turned = turned.convert(_CONVERTED[turned.mode])
    elif turned.mode not in (*_AS_THEY_ARE, "F"):
        raise DataError(f"a PIL image of mode {turned.mode} is not known: convert it to RGB first.")
    return np.array(turned)


def rgb_tensor(image: ImageLike) -> Tensor:
    """Return an image in memory as RGB in [0, 1], shape (3, H, W): alpha is dropped.

    Args:
        image: As for :func:`as_array`; floats are kept.

    Raises:
        DataError: If it is no image.
    """
    array = as_array(image)
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise DataError(
            f"an image has shape H x W or H x W x C with 1 to 4 channels, got {array.shape}."
        )
    return to_tensor(as_rgb(array))
