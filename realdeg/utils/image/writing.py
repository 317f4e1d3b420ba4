"""Writing images: whole or not at all, row by row if the format allows it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from realdeg.errors import DataError
from realdeg.utils.files import atomic_path
from realdeg.utils.image.formats import Format, check_writable
from realdeg.utils.image.png import PngStream
from realdeg.utils.image.profiles import profile_into_jpeg, profile_into_webp

_QUALITY = {"JPEG": cv2.IMWRITE_JPEG_QUALITY, "WebP": cv2.IMWRITE_WEBP_QUALITY}


class ImageWriter:
    """Takes the rows of an image from top to bottom; made by :func:`open_image_writer`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        stream: BinaryIO,
        kind: Format,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        icc: bytes | None,
        quality: int | None = None,
    ) -> None:
        self._path, self._stream, self._kind, self._icc = path, stream, kind, icc
        self._quality = quality
        self._shape, self._dtype = shape, dtype
        self._done = 0
        self._png: PngStream | None = None
        if kind.name == "PNG":
            self._png = PngStream(stream, *shape, dtype.itemsize * 8, icc)
        else:
            self._whole = np.empty(shape, dtype)

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows.

        Args:
            rows: N x W x C or, for one channel, N x W.

        Raises:
            DataError: If they are of another width, channel count or number type, or too many.
        """
        part = rows[..., None] if rows.ndim == 2 else rows
        height, width, channels = self._shape
        if part.ndim != 3 or part.shape[1:] != (width, channels) or part.dtype != self._dtype:
            raise DataError(
                f"cannot write {self._path}: rows of {rows.dtype} {rows.shape} do not belong to an"
                f" image of {self._dtype} {self._shape}."
            )
        if self._done + part.shape[0] > height:
            raise DataError(f"cannot write {self._path}: more than its {height} rows were given.")
        if self._png is not None:
            self._png.write(part)
        else:
            self._whole[self._done : self._done + part.shape[0]] = part
        self._done += part.shape[0]

    def finish(self) -> None:
        """Write the remaining data.

        Raises:
            DataError: If rows are missing, or the encoder refuses the image.
        """
        if self._done != self._shape[0]:
            raise DataError(
                f"cannot write {self._path}: {self._done} of its {self._shape[0]} rows were given."
            )
        if self._png is not None:
            self._png.finish()
        else:
            content = _encoded(self._path, self._kind, self._whole, self._icc, self._quality)
            self._stream.write(content)


@contextmanager
def open_image_writer(
    path: str | os.PathLike[str],
    height: int,
    width: int,
    channels: int,
    dtype: Any = np.uint8,
    *,
    icc: bytes | None = None,
    quality: int | None = None,
) -> Iterator[ImageWriter]:
    """Write an image row by row; the file exists only if the block succeeds.

    PNG rows are encoded as they arrive, so the image is never whole in memory; other formats
    collect the rows first.

    Args:
        path: The file; its suffix determines the format.
        height: Rows.
        width: Columns.
        channels: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha).
        dtype: ``np.uint8`` or ``np.uint16``.
        icc: An ICC profile that belongs to the pixels, or None. BMP holds none.
        quality: Of JPEG and WebP, 1 to 100; other formats ignore it. None: 95 for JPEG, lossless
            for WebP.

    Yields:
        The writer.

    Raises:
        DataError: If the format cannot hold such an image, before anything is written; or if
            the rows do not belong to it.
        OutputError: If the file cannot be written.

    Examples:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "grey.png"
        >>> with open_image_writer(file, 4, 6, 1) as writer:
        ...     for _ in range(2):
        ...         writer.write(np.zeros((2, 6, 1), np.uint8))
        >>> file.exists()
        True
    """
    kind = check_writable(path, dtype, channels, (height, width))
    shape = (height, width, channels)
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        writer = ImageWriter(path, stream, kind, shape, np.dtype(dtype), icc, quality)
        yield writer
        writer.finish()


def write_image(
    path: str | os.PathLike[str],
    array: np.ndarray,
    *,
    icc: bytes | None = None,
    quality: int | None = None,
) -> None:
    """Write an image, whole or not at all; the suffix determines the format.

    Args:
        path: The file to write.
        array: H x W x C or H x W, ``uint8`` or ``uint16``, RGB(A) order or grey (and alpha).
        icc: An ICC profile that belongs to the pixels, or None. BMP holds none.
        quality: As for :func:`open_image_writer`.

    Raises:
        DataError: If the array is not an image, or the format cannot hold it.
        OutputError: If the file cannot be written.
    """
    image = _image_of(path, array)
    height, width, channels = image.shape
    with open_image_writer(
        path, height, width, channels, image.dtype, icc=icc, quality=quality
    ) as writer:
        writer.write(image)


def encode_image(
    name: str, array: np.ndarray, *, icc: bytes | None = None, quality: int | None = None
) -> bytes:
    """Return the bytes that :func:`write_image` writes to a file of this name.

    Args:
        name: The suffix determines the format; errors call it so.
        array: As for :func:`write_image`.
        icc: As for :func:`write_image`.
        quality: As for :func:`write_image`.

    Raises:
        DataError: As for :func:`write_image`.
    """
    image = _image_of(name, array)
    height, width, channels = image.shape
    kind = check_writable(name, image.dtype, channels, (height, width))
    stream = io.BytesIO()
    writer = ImageWriter(name, stream, kind, (height, width, channels), image.dtype, icc, quality)
    writer.write(image)
    writer.finish()
    return stream.getvalue()


def _image_of(path: str | os.PathLike[str], array: np.ndarray) -> np.ndarray:
    image = array[..., None] if array.ndim == 2 else array
    if image.ndim != 3 or image.shape[2] not in (1, 2, 3, 4) or 0 in image.shape:
        raise DataError(f"cannot write {path}: an array of shape {array.shape} is not an image.")
    return image


def _encoded(
    path: str | os.PathLike[str],
    kind: Format,
    image: np.ndarray,
    icc: bytes | None,
    quality: int | None,
) -> bytes:
    if kind.name == "TIFF":
        return _tiff(image, icc)
    channels = image.shape[2]
    if channels == 2:  # neither WebP nor BMP has grey and alpha
        image = cv2.merge([image[..., 0]] * 3 + [image[..., 1]])
    elif channels >= 3:
        code = cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_RGBA2BGRA
        image = cv2.cvtColor(image, code)
    settings: list[int] = []
    if quality is not None and kind.name in _QUALITY:
        settings = [_QUALITY[kind.name], quality]
    try:
        done, encoded = cv2.imencode(Path(path).suffix.lower(), image, settings)
    except cv2.error as error:
        raise DataError(f"cannot write {path}: {error.err or error}.") from error
    if not done:
        raise DataError(f"cannot write {path}: OpenCV cannot encode {kind.name}.")
    content = encoded.tobytes()
    if icc and kind.name == "JPEG":
        content = profile_into_jpeg(content, icc)
    if icc and kind.name == "WebP":
        content = profile_into_webp(content, icc, image.shape[:2], channels in (2, 4))
    return content


def _tiff(image: np.ndarray, icc: bytes | None) -> bytes:
    import tifffile

    channels = image.shape[2]
    options: dict[str, Any] = {"photometric": "rgb" if channels >= 3 else "minisblack"}
    if channels in (2, 4):
        options.update(extrasamples=["unassalpha"], planarconfig="contig")
    if icc:
        options["iccprofile"] = icc
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        image if channels > 1 else image[..., 0],
        compression="zlib",
        compressionargs={"level": 1},
        metadata=None,
        software=False,
        **options,
    )
    return stream.getvalue()
