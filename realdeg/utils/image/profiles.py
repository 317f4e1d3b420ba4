"""Put an ICC profile into a file that an encoder without profiles has made."""

from __future__ import annotations

import struct

_JPEG_NAME = b"ICC_PROFILE\0"
_JPEG_PART = 65535 - 2 - len(_JPEG_NAME) - 2


def profile_into_jpeg(content: bytes, icc: bytes) -> bytes:
    """Return a JPEG file with a profile (ICC.1:2022, annex B.4).

    Args:
        content: The file without one.
        icc: The profile, up to 16 MB.

    Returns:
        The file with APP2 segments behind its first segments APP0 and APP1.
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
    """Return a WebP file with a profile (RFC 9649, extended layout).

    Args:
        content: The file without one.
        icc: The profile.
        size: Height and width.
        alpha: Whether it holds transparency.

    Returns:
        The file with chunks VP8X and ICCP before the picture.
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
