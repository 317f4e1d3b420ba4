"""PNG files written row by row, so that a large image is never whole in memory."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's number for grey, grey and alpha, RGB, RGB and alpha."""

# Bytes that are filtered at a time, and bytes of compressed data in a chunk.
_STRIP = 1 << 20
_CHUNK = 1 << 18


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file: length, name of four letters, content and checksum."""
    checksum = struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
    return struct.pack(">I", len(content)) + name + content + checksum


class PngStream:
    """Encodes rows as they arrive.

    Rows are filtered by their left neighbour and run-length coded, as in OpenCV's default settings
    of libpng: same size and speed, without the whole image in memory.

    Args:
        stream: Where the bytes go.
        height: Rows.
        width: Columns.
        channels: 1, 2, 3 or 4.
        bits: 8 or 16.
        icc: An ICC profile, or None.
    """

    def __init__(
        self,
        stream: BinaryIO,
        height: int,
        width: int,
        channels: int,
        bits: int,
        icc: bytes | None = None,
    ) -> None:
        self._stream = stream
        self._step = channels * bits // 8
        self._length = self._step * width
        self._packer = zlib.compressobj(1, zlib.DEFLATED, 15, 8, zlib.Z_RLE)
        self._waiting: list[bytes] = []
        header = struct.pack(">IIBBBBB", width, height, bits, COLOUR_TYPES[channels], 0, 0, 0)
        stream.write(SIGNATURE + chunk(b"IHDR", header))
        if icc:
            stream.write(chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))

    def write(self, rows: np.ndarray) -> None:
        """Encode rows, N x W x C, uint8 or uint16."""
        number = max(1, _STRIP // self._length)
        for top in range(0, rows.shape[0], number):
            part = rows[top : top + number]
            if part.dtype.itemsize == 2:
                part = part.astype(">u2")
            flat = np.ascontiguousarray(part).view(np.uint8).reshape(part.shape[0], self._length)
            filtered = np.empty((flat.shape[0], self._length + 1), np.uint8)
            filtered[:, 0] = 1
            filtered[:, 1 : 1 + self._step] = flat[:, : self._step]
            np.subtract(
                flat[:, self._step :], flat[:, : -self._step], out=filtered[:, 1 + self._step :]
            )
            self._keep(self._packer.compress(filtered.data))

    def finish(self) -> None:
        """Write the remaining data and the end chunk."""
        self._keep(self._packer.flush(), last=True)
        self._stream.write(chunk(b"IEND", b""))

    def _keep(self, packed: bytes, last: bool = False) -> None:
        if packed:
            self._waiting.append(packed)
        if last or sum(map(len, self._waiting)) >= _CHUNK:
            self._stream.write(chunk(b"IDAT", b"".join(self._waiting)))
            self._waiting.clear()
