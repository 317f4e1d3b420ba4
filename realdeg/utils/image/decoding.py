"""Decoding of a file whose header is known.

OpenCV decodes ordinary files: another JPEG decoder may differ by a level, and published numbers
depend on it. Other decoders handle what OpenCV gets wrong.
"""

from __future__ import annotations

import threading
import warnings
import zlib
from typing import Any

import cv2
import numpy as np

from realdeg.utils.image.header import Header
from realdeg.utils.image.pillow import decode_with_pillow, ink_to_rgb
from realdeg.utils.image.png import SIGNATURE
from realdeg.utils.image.source import BrokenFileError
from realdeg.utils.image.tiff import decode_tiff

# Channels that a decoder may return instead of those in the header.
_OTHER_CHANNELS = {
    "WebP": (3, 4),  # its alpha flag may be wrong
    "BMP": (1, 3),  # its palette may be grey
}
# First column and step, first row and step of the seven passes of an interlaced PNG.
_PASSES = (
    *((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4)),
    *((0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)),
)


def decode(content: bytes, header: Header, verify: bool) -> np.ndarray:
    """Decode the first image of a file.

    Args:
        content: All bytes of the file.
        header: Its header, read to the end of the file.
        verify: Whether to check first that a PNG's data are complete.

    Returns:
        H x W x C, ``uint8`` or ``uint16``, in the stored orientation.

    Raises:
        BrokenFileError: If no decoder accepts it, or the pixels contradict the header.
    """
    array: np.ndarray | None
    if header.ink:
        array = ink_to_rgb(content, header)
        if array is None:
            jpeg = header.format == "JPEG"
            array = with_opencv(content) if jpeg else decode_with_pillow(content, header)
    elif header.format == "PNG":
        array = _png(content, header, verify)
    elif header.format == "TIFF":
        array = decode_tiff(bytearray(content), header, with_opencv)
    elif header.format == "PNM":
        array = _pnm(content, header)
    elif header.format == "JPEG":
        array = with_opencv(memoryview(content)[: _whole(header, "end")])
    elif header.format == "GIF":
        array = decode_with_pillow(content, header)
    else:
        array = with_opencv(content)
        if array is not None and array.shape[2] != header.channels and header.channels == 4:
            array = decode_with_pillow(content, header)
    if array is None:
        raise BrokenFileError("cannot be decoded: it is damaged or of a kind that is not read")
    size, channels = array.shape[:2], array.shape[2]
    if size != (header.height, header.width) or array.dtype.itemsize * 8 != header.bits:
        raise BrokenFileError("cannot be decoded: its pixels are not what its header says")
    if channels != header.channels and channels not in _OTHER_CHANNELS.get(header.format, ()):
        raise BrokenFileError(f"cannot be decoded: it has {channels} channels, not those it claims")
    return array


def with_opencv(content: Any) -> np.ndarray | None:
    """Decode with OpenCV to H x W x C, ``uint8`` or ``uint16`` in RGB order; None if it cannot."""
    # IMREAD_UNCHANGED keeps 16 bit and alpha; decoding from memory allows any file name.
    try:
        with _quiet:
            array = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        return None
    if array is None or array.dtype not in (np.uint8, np.uint16):
        return None
    if array.ndim == 2:
        return array[..., None]
    if array.shape[2] == 3:
        return cv2.cvtColor(array, cv2.COLOR_BGR2RGB)
    if array.shape[2] == 4:
        return cv2.cvtColor(array, cv2.COLOR_BGRA2RGBA)
    return array


def _png(content: bytes, header: Header, verify: bool) -> np.ndarray | None:
    parts: Any = header.detail["parts"]
    colour, bits, key = (header.detail[name] for name in ("colour", "bits", "alpha"))
    if verify and not _png_is_whole(content, header):
        raise BrokenFileError("cannot be decoded: its compressed pixels are damaged")
    keyed = bool(key) and colour in (0, 2)
    # Without text and profiles, for which libpng prints warnings on stderr.
    left_out = (b"tRNS",) if keyed else ()
    view = memoryview(content)
    kept = [view[a:b] for a, b in parts if content[a + 4 : a + 8] not in left_out]
    array = with_opencv(SIGNATURE + b"".join(kept))
    if array is None or (array.shape[2] == header.channels and not keyed):
        return array
    if keyed:
        return _with_key(array, key, int(str(bits)))
    if colour == 4 and array.shape[2] == 4:
        # OpenCV returns grey and alpha as three equal channels and alpha.
        return np.ascontiguousarray(array[..., [0, 3]])
    return decode_with_pillow(content, header) if colour == 3 else array


def _with_key(array: np.ndarray, key: Any, bits: int) -> np.ndarray | None:
    """Add the alpha of a PNG that names one transparent colour (tRNS)."""
    colours = array.shape[2]
    if len(key) < 2 * colours:
        return None
    values = np.frombuffer(key[: 2 * colours], ">u2").astype(np.int64) & (2**bits - 1)
    if bits < 8:
        values = values * (255 // (2**bits - 1))
    top = np.iinfo(array.dtype).max
    seen = (array != values.astype(array.dtype)).any(axis=2, keepdims=True)
    return np.concatenate([array, seen.astype(array.dtype) * top], axis=2)


def _png_is_whole(content: bytes, header: Header) -> bool:
    """Inflate the pixels, count their bytes and check the rows' filters, storing nothing."""
    parts: Any = header.detail["parts"]
    passes = _rows_of_png(header, interlaced=content[28] == 1)
    rows, length = passes.pop(0)
    place, inflater = 0, zlib.decompressobj()
    try:
        for start, end in parts:
            rest = (
                content[start + 8 : end - 4] if content[start + 4 : start + 8] == b"IDAT" else b""
            )
            while rest:
                piece = inflater.decompress(rest, 1 << 20)
                rest = inflater.unconsumed_tail
                while piece:
                    taken = piece[: rows * length - place]
                    # Each row starts with the number of its filter, 0 to 4.
                    if max(taken[-place % length :: length], default=0) > 4:
                        return False
                    place, piece = place + len(taken), piece[len(taken) :]
                    if place == rows * length:
                        if not passes:
                            return True
                        (rows, length), place = passes.pop(0), 0
    except zlib.error:
        pass
    return False


def _rows_of_png(header: Header, interlaced: bool) -> list[tuple[int, int]]:
    """Return the rows of each pass over the image, and the bytes per row."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[_whole(header, "colour")]
    depth = samples * _whole(header, "bits")
    found = []
    for left, across, top, down in _PASSES if interlaced else ((0, 1, 0, 1),):
        columns = (header.width - left + across - 1) // across
        rows = (header.height - top + down - 1) // down
        if columns > 0 and rows > 0:
            found.append((rows, 1 + (columns * depth + 7) // 8))
    return found


def _pnm(content: bytes, header: Header) -> np.ndarray | None:
    kind, greatest, place = (_whole(header, name) for name in ("kind", "greatest", "place"))
    height, width, channels = header.height, header.width, header.channels
    count = height * width * channels
    if kind == 4:
        rows = np.frombuffer(content, np.uint8, (width + 7) // 8 * height, place)
        bits = np.unpackbits(rows.reshape(height, -1), axis=1)[:, :width]
        return (1 - bits[..., None]) * np.uint8(255)
    if kind == 1:  # there may be no spaces between the digits
        digits = np.frombuffer(content, np.uint8, offset=place)
        values = 49 - digits[(digits == 48) | (digits == 49)][:count]
    elif kind <= 3:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)  # not a number
                values = np.fromstring(content[place:], np.int64, count, sep=" ")
        except (DeprecationWarning, ValueError):
            return None
        if values.min(initial=0) < 0:
            return None
    else:
        values = np.frombuffer(content, ">u2" if header.bits == 16 else np.uint8, count, place)
    if values.size < count:
        return None
    # Rescale from 0..greatest to the full range of the type.
    top = 255 if header.bits == 8 else 65535
    numbers = np.arange(top + 1, dtype=np.int64)
    levels = np.minimum((numbers * top * 2 + greatest) // (2 * greatest), top)
    dtype = np.uint8 if header.bits == 8 else np.uint16
    return levels.astype(dtype)[np.minimum(values, top)].reshape(height, width, channels)


def _whole(header: Header, name: str) -> int:
    return int(str(header.detail[name]))


class _Quiet:
    """Silences OpenCV on stderr, in any number of threads; errors are raised anyway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._level = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._level = int(cv2.utils.logging.getLogLevel())
                cv2.utils.logging.setLogLevel(0)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                cv2.utils.logging.setLogLevel(self._level)


_quiet = _Quiet()
