"""Convert images between arrays of any kind and RGB tensors.

This is the only place that handles grey, alpha and number types. Inside, an image is always RGB in
[0, 1], as in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.errors import DataError
from realdeg.utils.image import ImageLike, as_array, to_array, to_tensor

# Full-range BT.601 luma. The weights sum to 1, so equal channels keep their value.
_LUMA = (0.299, 0.587, 0.114)
# A float image may overshoot [0, 1] slightly, as with bicubic; one in 0 to 255 is a mistake.
_FLOAT_LIMIT = 2.0


@dataclass(frozen=True)
class Picture:
    """The parts of an image.

    Args:
        rgb: RGB in [0, 1], shape (1, 3, H, W); grey is replicated.
        alpha: Transparency in [0, 1], shape (1, 1, H, W), or None.
        dtype: Number type of the array.
        grey: The array had one colour channel.
        flat: The array had no channel axis, shape (H, W).
    """

    rgb: Tensor
    alpha: Tensor | None
    dtype: np.dtype[Any]
    grey: bool
    flat: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.rgb.shape[-2]), int(self.rgb.shape[-1])

    def crop(self, height: int, width: int) -> Picture:
        """Keep the upper left ``height`` x ``width`` pixels."""
        alpha = None if self.alpha is None else self.alpha[..., :height, :width]
        return Picture(self.rgb[..., :height, :width], alpha, self.dtype, self.grey, self.flat)


def take_apart(image: ImageLike) -> Picture:
    """Split an image into colour, alpha and the properties that a result needs.

    Args:
        image: H x W or H x W x C with C of 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha);
            uint8, uint16, or float in [0, 1]; or an image of Pillow.

    Raises:
        DataError: If shape, number type or range differ.
    """
    image = as_array(image)
    flat = image.ndim == 2
    array = image[..., None] if flat else image
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise DataError(
            f"an image has shape H x W or H x W x C with 1 to 4 channels, got {image.shape}."
        )
    colours = array.shape[2] - (array.shape[2] + 1) % 2
    tensor = _to_tensor(array)
    rgb = tensor[:colours]
    return Picture(
        rgb=(rgb.expand(3, -1, -1) if colours == 1 else rgb).contiguous()[None],
        alpha=tensor[None, colours:] if array.shape[2] > colours else None,
        dtype=array.dtype,
        grey=colours == 1,
        flat=flat,
    )


def put_together(rgb: Tensor, alpha: Tensor | None, like: Picture) -> NDArray[Any]:
    """Make an array with the number type and channels of the original.

    Args:
        rgb: RGB, shape (1, 3, H, W), or one channel if the image is grey. Integer results are
            rounded half up and clipped; float results are not.
        alpha: Transparency, shape (1, 1, H, W), or None.
        like: The parts of the original image.
    """
    colour = rgb[0].detach().to("cpu", torch.float32)
    if like.grey and colour.shape[0] == 3:
        colour = _luma(colour)
    if alpha is not None:
        colour = torch.cat([colour, alpha[0].detach().cpu().clamp(0, 1)])
    if like.dtype.kind == "f":
        array = colour.permute(1, 2, 0).contiguous().numpy().astype(like.dtype, copy=False)
    else:
        array = to_array(colour, dtype=like.dtype.type)
    return array[..., 0] if like.flat else array


def _luma(colour: Tensor) -> Tensor:
    red, green, blue = (weight * channel for weight, channel in zip(_LUMA, colour, strict=True))
    return (red + green + blue)[None]


def _to_tensor(array: NDArray[Any]) -> Tensor:
    if array.dtype.kind == "f":
        finite = bool(np.isfinite(array).all())
        if not finite or float(np.abs(array).max()) > _FLOAT_LIMIT:
            found = f"values up to {float(np.nanmax(np.abs(array))):g}" if finite else "NaN or inf"
            raise DataError(
                f"a float image holds values in [0, 1], found {found}; divide by the largest value"
                " of its range or convert it to uint8 or uint16."
            )
        plane = np.ascontiguousarray(array.transpose(2, 0, 1), dtype=np.float32)
        return torch.from_numpy(plane)
    if array.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"an image is uint8, uint16 or float in [0, 1], got {array.dtype}; convert it first."
        )
    return to_tensor(np.ascontiguousarray(array))
