"""Reading and writing pictures: RGB order, 8 and 16 bit, grey and alpha kept right.

Arrays are H x W x C with C = 1 (grey), 3 (RGB) or 4 (RGB and alpha).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from realdeg.errors import DataError
from realdeg.utils.files import atomic_path

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture without touching its depth or channels.

    Args:
        path: The file.

    Returns:
        H x W x C, ``uint8`` or ``uint16``, C in {1, 3, 4}, RGB(A) order.

    Raises:
        DataError: If the file is missing, empty, damaged, or of a depth or channel count that is
            not supported.
    """
    file = Path(path)
    try:
        content = np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise DataError(f"cannot read the image {file}: {error.strerror or error}.") from error
    if content.size == 0:
        raise DataError(f"the image {file} is empty (0 bytes).")
    _refuse_truncated(content, file)
    # IMREAD_UNCHANGED keeps 16 bit and alpha; decoding from memory keeps odd file names working.
    try:
        array = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DataError(f"the image {file} cannot be decoded: {error}.") from error
    if array is None:
        raise DataError(f"the image {file} cannot be decoded: it is damaged or not an image.")
    if array.dtype not in (np.uint8, np.uint16):
        raise DataError(f"the image {file} has depth {array.dtype}: 8 or 16 bit are supported.")
    if array.ndim == 2:
        array = array[..., None]
    channels = array.shape[2]
    if channels == 2:  # grey and alpha, which OpenCV may hand on as they are
        return np.ascontiguousarray(array[..., [0, 0, 0, 1]])
    if channels == 3:
        return cv2.cvtColor(array, cv2.COLOR_BGR2RGB)
    if channels == 4:
        return cv2.cvtColor(array, cv2.COLOR_BGRA2RGBA)
    if channels != 1:
        raise DataError(f"the image {file} has {channels} channels: 1, 3 or 4 are supported.")
    return array


def _refuse_truncated(content: np.ndarray, file: Path) -> None:
    # OpenCV fills the missing rows of a cut PNG or JPEG with grey or black and only warns.
    # The end marker is within the last kilobyte of any whole file; some writers pad after it.
    head, tail = content[:4].tobytes(), content[-1024:].tobytes()
    png_cut = head == b"\x89PNG" and b"IEND" not in tail
    jpeg_cut = head[:2] == b"\xff\xd8" and b"\xff\xd9" not in tail
    if png_cut or jpeg_cut:
        raise DataError(f"the image {file} is truncated: its end marker is missing.")


def write_image(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write a picture, whole or not at all; the suffix says the format.

    Args:
        path: The file.
        array: H x W x C or H x W, ``uint8`` or ``uint16``, RGB(A) order.

    Raises:
        DataError: If the array is not a picture, or the format cannot hold it.
        OutputError: If the file cannot be written.
    """
    image = array[..., None] if array.ndim == 2 else array
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise DataError(f"cannot write {path}: an array of shape {array.shape} is not a picture.")
    if image.dtype not in (np.uint8, np.uint16):
        raise DataError(f"cannot write {path}: pixels are {image.dtype}, wanted uint8 or uint16.")
    suffix = Path(path).suffix.lower()
    if suffix in (".jpg", ".jpeg") and (image.dtype == np.uint16 or image.shape[2] == 4):
        raise DataError(f"cannot write {path}: JPEG holds neither 16 bit nor alpha; use .png.")
    if image.shape[2] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA)
    try:
        done, content = cv2.imencode(suffix or ".png", image)
    except cv2.error as error:
        raise DataError(f"cannot write {path}: {error}.") from error
    if not done:
        raise DataError(f"cannot write {path}: the format {suffix!r} is not supported.")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.tobytes())


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return height and width of a picture, from its header where the format allows.

    Args:
        path: The file.

    Returns:
        (height, width).

    Raises:
        DataError: If the file is missing, empty or damaged.
    """
    try:
        with open(path, "rb") as stream:
            head = stream.read(24)
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error.strerror or error}.") from error
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR":
        return int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big")
    return read_image(path).shape[:2]


def as_rgb(array: np.ndarray) -> np.ndarray:
    """Return H x W x 3: grey is replicated, alpha is dropped.

    Args:
        array: H x W x C, C in {1, 3, 4}.

    Returns:
        H x W x 3 of the same depth.
    """
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    return array[..., :3]


def to_tensor(array: np.ndarray) -> Tensor:
    """Turn a picture into a tensor.

    Args:
        array: H x W x C; integers are divided by the greatest value of their type, floats are
            taken as they are.

    Returns:
        float32 in [0, 1], shape (C, H, W).
    """
    channels_first = np.ascontiguousarray(array.transpose(2, 0, 1))
    if not np.issubdtype(array.dtype, np.integer):
        return torch.from_numpy(channels_first.astype(np.float32, copy=False))
    if channels_first.dtype == np.uint8:
        return torch.from_numpy(channels_first).float().div_(255)
    return torch.from_numpy(channels_first.astype(np.float32) / np.iinfo(array.dtype).max)


def to_array(tensor: Tensor, dtype: Any = np.uint8) -> np.ndarray:
    """Turn a tensor into a picture: clipped, rounded half up (as MATLAB does).

    Args:
        tensor: Values in [0, 1], shape (C, H, W).
        dtype: ``np.uint8`` or ``np.uint16``.

    Returns:
        H x W x C of ``dtype``.
    """
    greatest = int(np.iinfo(dtype).max)
    # float64 so that 16-bit levels survive the addition of one half.
    values = tensor.detach().to("cpu", torch.float64).clamp(0, 1).mul(greatest).add(0.5).floor()
    return np.ascontiguousarray(values.numpy().astype(dtype).transpose(1, 2, 0))


def round_to_8_bit(images: Tensor) -> Tensor:
    """Round images to the levels that 8-bit files have, half upwards, as :func:`to_array` does.

    Args:
        images: Any shape, in [0, 1]; what lies beyond is clipped.

    Returns:
        The same images, a new tensor in [0, 1].
    """
    return images.mul(255).clamp(0, 255).add_(0.5).floor_().div_(255)
