"""Image files that no encoder makes, for tests."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a PNG file: name and content."""
    place, chunks = 8, []
    while place < len(content):
        length, name = struct.unpack(">I4s", content[place : place + 8])
        chunks.append((name, content[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def png_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG file of these chunks, with right checksums."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, content in chunks:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        parts.append(struct.pack(">I", len(content)) + name + content + checksum)
    return b"".join(parts)


def jpeg_claiming(height: int, width: int) -> bytes:
    """Return a small progressive JPEG file whose header claims another size."""
    stream = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(stream, "JPEG", progressive=True)
    content = bytearray(stream.getvalue())
    place = content.index(b"\xff\xc2")
    struct.pack_into(">HH", content, place + 5, height, width)
    return bytes(content)
