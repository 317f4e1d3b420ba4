"""The headers of PNG, JPEG, WebP, GIF, BMP and PNM files.

Each function raises BrokenFileError for a file that is damaged, truncated or not supported.
"""

from __future__ import annotations

import re
import struct
import zlib

from realdeg.utils.image.header import LONGEST_PROFILE, Header
from realdeg.utils.image.source import BrokenFileError, Source
from realdeg.utils.image.tags import orientation_of

_MOST_PARTS = 1_000_000
# Every scan of a progressive JPEG covers the whole image; encoders make about ten.
_MOST_SCANS = 100

_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}

_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def png_header(source: Source, checksums: bool) -> Header:
    """Read the header of a PNG file and walk over its chunks.

    ``checksums`` compares those of the chunks that pixels are decoded from; ``detail["parts"]`` are
    their positions.
    """
    if source.take(8, 8) != b"\0\0\0\x0dIHDR":
        raise BrokenFileError("cannot be decoded: it is damaged, its first chunk is not IHDR")
    width, height, bits, colour, packing, filters, _ = struct.unpack(
        ">IIBBBBB", source.take(16, 13)
    )
    if bits not in _PNG_DEPTHS.get(colour, ()) or packing or filters or max(width, height) >> 31:
        raise BrokenFileError("cannot be decoded: its header is damaged")
    parts: list[tuple[int, int]] = []
    alpha, icc, orientation, frames, place = b"", b"", 1, 1, 8
    for _ in range(_MOST_PARTS):
        if place + 12 > source.size:
            raise BrokenFileError("is truncated: its end marker is missing")
        length, name = struct.unpack(">I4s", source.take(place, 8))
        end = place + 12 + length
        if end > source.size:
            raise BrokenFileError(f"is truncated: it ends within its chunk {name.decode('latin1')}")
        if name in _PNG_NEEDED:
            parts.append((place, end))
            if checksums and zlib.crc32(source.take(place + 4, length + 4)) != source.number(
                end - 4, 4
            ):
                raise BrokenFileError(
                    f"cannot be decoded: the checksum of its chunk {name.decode()} is wrong"
                )
        if name == b"tRNS":
            alpha = source.take(place + 8, min(length, 256))
        elif name == b"iCCP" and length <= LONGEST_PROFILE:
            icc = _png_profile(source.take(place + 8, length))
        elif name == b"eXIf" and length <= LONGEST_PROFILE:
            orientation = orientation_of(source.take(place + 8, length))
        elif name == b"acTL" and length >= 4:
            frames = source.number(place + 8, 4)
        elif name == b"IEND":
            break
        place = end
    else:
        raise BrokenFileError("cannot be decoded: it has too many chunks")
    channels = _PNG_CHANNELS[colour] + (bool(alpha) and colour in (0, 2, 3))
    detail: dict[str, object] = {"parts": parts, "colour": colour, "bits": bits, "alpha": alpha}
    depth, pages = max(8, bits), max(1, frames)
    return Header("PNG", height, width, channels, depth, orientation, pages, icc, False, detail)


def _png_profile(content: bytes) -> bytes:
    start = content.find(b"\0", 0, 81) + 2
    try:
        return zlib.decompressobj().decompress(content[start:], LONGEST_PROFILE)
    except zlib.error:
        return b""


def jpeg_header(source: Source, whole: bool) -> Header:
    """Read the header of a JPEG file.

    ``whole`` continues to the end marker; ``detail["end"]`` is then where the image ends.
    """
    place, scans, frame = 2, 0, None
    profile: dict[tuple[int, int], bytes] = {}
    orientation: int | None = None
    for _ in range(_MOST_PARTS):
        found = source.find_marker(place, in_scan=scans > 0)
        if found is None:
            raise BrokenFileError("is truncated: its end marker is missing")
        code, place = found
        if code == 0xD9:
            break
        if code == 0x01 or 0xD0 <= code <= 0xD8:
            continue
        length = source.number(place, 2)
        if length < 2:
            raise BrokenFileError("cannot be decoded: a segment has no length")
        if code in _OTHER_FRAMES:
            raise BrokenFileError("is a lossless or hierarchical JPEG, which is not read")
        if code in _FRAMES:
            if frame is not None:
                raise BrokenFileError("cannot be decoded: it has two headers")
            frame = struct.unpack(">BHHB", source.take(place + 2, 6))
        elif code == 0xE1 and orientation is None and source.peek(place + 2, 6) == b"Exif\0\0":
            orientation = orientation_of(source.take(place + 2, length - 2))
        elif code == 0xE2 and source.peek(place + 2, 12) == b"ICC_PROFILE\0" and length > 16:
            number, count = source.take(place + 14, 2)
            profile.setdefault((count, number), source.take(place + 16, length - 16))
        elif code == 0xDA:
            if frame is None:
                raise BrokenFileError("cannot be decoded: it has no header before its pixels")
            scans += 1
            if scans > _MOST_SCANS:
                raise BrokenFileError(f"cannot be decoded: it has more than {_MOST_SCANS} scans")
            if not whole:
                break
        place += length
    if frame is None or not scans:
        raise BrokenFileError("cannot be decoded: it holds no image")
    bits, height, width, channels = frame
    if bits != 8:
        raise BrokenFileError(f"is a JPEG of {bits} bit, of which only 8 are read")
    if channels not in (1, 3, 4):
        raise BrokenFileError(f"has {channels} channels: 1, 3 or 4 are read")
    count = max((count for count, _ in profile), default=0)
    pieces = [profile.get((count, number), b"") for number in range(1, count + 1)]
    return Header(
        "JPEG",
        height,
        width,
        min(channels, 3),
        orientation=orientation or 1,
        icc=b"".join(pieces) if all(pieces) else b"",
        ink=channels == 4,
        detail={"end": place},
    )


def webp_header(source: Source) -> Header:
    """Read the header of a WebP file."""
    end = 8 + source.number(4, 4, "little")
    if end > source.size + 1:  # the last byte may be a missing filler
        raise BrokenFileError("is truncated: it is shorter than its header says")
    place, size, alpha, icc, orientation, frames = 12, (0, 0), False, b"", 1, 0
    extended = False
    for _ in range(_MOST_PARTS):
        if place + 8 > min(end, source.size):
            break
        name, length = source.take(place, 4), source.number(place + 4, 4, "little")
        start = place + 8
        if name == b"VP8X":
            flags = source.take(start, 1)[0]
            sides = (source.number(start + 7, 3, "little"), source.number(start + 4, 3, "little"))
            size, alpha, extended = (sides[0] + 1, sides[1] + 1), bool(flags & 0x10), True
        elif name == b"VP8 " and not extended:
            size = source.number(start + 8, 2, "little"), source.number(start + 6, 2, "little")
            size = (size[0] & 0x3FFF, size[1] & 0x3FFF)
        elif name == b"VP8L":
            head = source.number(start + 1, 4, "little")
            alpha = alpha or bool(head >> 28 & 1)
            if not extended:
                size = ((head >> 14 & 0x3FFF) + 1, (head & 0x3FFF) + 1)
        elif name == b"ICCP" and length <= LONGEST_PROFILE:
            icc = source.take(start, length)
        elif name == b"EXIF" and length <= LONGEST_PROFILE:
            orientation = orientation_of(source.take(start, length))
        elif name == b"ANMF":
            frames += 1
        place = start + length + length % 2
    if 0 in size:
        raise BrokenFileError("cannot be decoded: it holds no image")
    return Header("WebP", *size, 4 if alpha else 3, 8, orientation, max(1, frames), icc)


def gif_header(source: Source) -> Header:
    """Read the header of a GIF file and count its frames."""
    width, height, flags = struct.unpack("<HHB", source.take(6, 5))
    place = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    frames, alpha = 0, False
    for _ in range(_MOST_PARTS):
        kind = source.take(place, 1)
        if kind == b";":
            break
        if kind == b"!":
            alpha = alpha or (
                not frames
                and source.peek(place + 1, 1) == b"\xf9"
                and source.number(place + 3, 1) & 1 == 1
            )
            place += 2
        elif kind == b",":
            frames += 1
            left, top, across, down, flags = struct.unpack("<HHHHB", source.take(place + 1, 9))
            width, height = max(width, left + across), max(height, top + down)
            place += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        else:
            raise BrokenFileError("cannot be decoded: its blocks are damaged")
        while length := source.number(place, 1):
            place += 1 + length
        place += 1
    if not frames:
        raise BrokenFileError("cannot be decoded: it holds no image")
    return Header("GIF", height, width, 4 if alpha else 3, frames=frames)


def bmp_header(source: Source) -> Header:
    """Read the header of a BMP file."""
    start, length = source.number(10, 4, "little"), source.number(14, 4, "little")
    if length == 12:
        width, height, _, bits = struct.unpack("<HHHH", source.take(18, 8))
        packing = 0
    elif 40 <= length <= 256:
        width, height, _, bits, packing = struct.unpack("<iiHHI", source.take(18, 16))
    else:
        raise BrokenFileError("cannot be decoded: its header is damaged")
    if bits not in (1, 4, 8, 16, 24, 32) or packing > 3 or width <= 0:
        raise BrokenFileError("cannot be decoded: its header is damaged, or of a rare kind of BMP")
    height = abs(height)
    if packing in (0, 3) and start + (width * bits + 31) // 32 * 4 * height > source.size:
        raise BrokenFileError("is truncated: it is shorter than its header says")
    alpha = length >= 56 and bits == 32 and packing == 3 and source.number(66, 4) != 0
    return Header("BMP", height, width, 4 if alpha else 3, detail={"bits": bits})


_PNM = re.compile(
    rb"P([1-6])" + rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,9})" * 2 + rb"(?=[\s#])", re.DOTALL
)
_PNM_DEEP = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,9})\s", re.DOTALL)


def pnm_header(source: Source) -> Header:
    """Read the header of a PBM, PGM or PPM file.

    ``detail`` holds the kind, the greatest value and the position of the pixels.
    """
    head = source.peek(0, 4096)
    match = _PNM.match(head)
    if match is None:
        raise BrokenFileError("cannot be decoded: its header is damaged")
    kind, width, height = (int(text) for text in match.groups())
    channels, greatest, place = 3 if kind in (3, 6) else 1, 1, match.end() + 1
    if kind not in (1, 4):
        deep = _PNM_DEEP.match(head, match.end())
        if deep is None or not 0 < int(deep.group(1)) < 65536:
            raise BrokenFileError("cannot be decoded: its header is damaged")
        greatest, place = int(deep.group(1)), deep.end()
    bits = 16 if greatest > 255 else 8
    row = (width + 7) // 8 if kind == 4 else width * channels * (bits // 8 if kind > 3 else 1)
    if place + row * height > source.size:
        raise BrokenFileError("is truncated: it is shorter than its header says")
    detail: dict[str, object] = {"kind": kind, "greatest": greatest, "place": place}
    return Header("PNM", height, width, channels, bits, detail=detail)
