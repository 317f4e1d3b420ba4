"""Reading pictures and their sizes."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from realdeg.errors import DataError


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture without touching its depth or channels.

    Args:
        path: The file.

    Returns:
        H x W x C, ``uint8`` or ``uint16``, C in {1, 2, 3, 4}, RGB(A) order or grey (and alpha).

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
    if channels == 2:
        return array
    if channels == 4 and content[:4].tobytes() == b"\x89PNG" and content[25] == 4:
        # OpenCV hands on grey and alpha as three equal channels and alpha.
        return np.ascontiguousarray(array[..., [0, 3]])
    if channels == 3:
        return cv2.cvtColor(array, cv2.COLOR_BGR2RGB)
    if channels == 4:
        return cv2.cvtColor(array, cv2.COLOR_BGRA2RGBA)
    if channels != 1:
        raise DataError(f"the image {file} has {channels} channels: 1 to 4 are supported.")
    return array


def _refuse_truncated(content: np.ndarray, file: Path) -> None:
    # OpenCV fills the missing rows of a cut PNG or JPEG with grey or black and only warns.
    # The end marker is within the last kilobyte of any whole file; some writers pad after it.
    head, tail = content[:4].tobytes(), content[-1024:].tobytes()
    png_cut = head == b"\x89PNG" and b"IEND" not in tail
    jpeg_cut = head[:2] == b"\xff\xd8" and b"\xff\xd9" not in tail
    if png_cut or jpeg_cut:
        raise DataError(f"the image {file} is truncated: its end marker is missing.")


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
