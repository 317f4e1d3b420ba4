"""Insert an ICC profile into an encoded file."""

from __future__ import annotations

import struct

_JPEG_NAME = b"ICC_PROFILE\0"
_JPEG_PART = 65535 - 2 - len(_JPEG_NAME) - 2


def profile_into_jpeg(content: bytes, icc: bytes) -> bytes:
    """Insert a profile of up to 16 MB as APP2 segments behind APP0 and APP1 of a JPEG file.

    Source:
        ICC.1:2022, annex B.4.
    """
    parts = [icc[start : start + _JPEG_PART] for start in range(0, len(icc), _JPEG_PART)]
    segments = b"".join(
        b"\xff\xe2"
        + struct.pack(">H", 2 + len(_JPEG_NAME) + 2 + len(part))
        + _JPEG_NAME
        + bytes([number, len(parts)])
        + part
        for number, part in enumerate(parts, 1)
    )
    place = 2
    while content[place : place + 2] in (b"\xff\xe0", b"\xff\xe1"):
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return content[:place] + segments + content[place:]


def profile_into_webp(content: bytes, icc: bytes, size: tuple[int, int], alpha: bool) -> bytes:
    """Insert a profile as VP8X and ICCP chunks before the image of a WebP file.

    Args:
        content: The file without a profile.
        icc: The profile.
        size: Height and width.
        alpha: Whether it has transparency.

    Source:
        RFC 9649, extended layout.
    """
    rest = content[12:]
    if rest[:4] == b"VP8X":
        rest = rest[18:]
    flags = 0x20 | (0x10 if alpha else 0)
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (size[1], size[0]))
    body = (
        b"WEBP"
        + _riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)
        + _riff_chunk(b"ICCP", icc)
        + rest
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
