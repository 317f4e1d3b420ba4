"""TIFF files: their headers, and the choice of a decoder.

OpenCV multiplies 8-bit colours by alpha, ignores damaged strips, drops the alpha of grey, mistakes
separate 16-bit planes for pixels and 16-bit white-is-zero for black-is-zero: Pillow and tifffile
decode those. OpenCV keeps 16 bit, which Pillow does not.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np

from realdeg.utils.image.header import LONGEST_PROFILE, Header
from realdeg.utils.image.pillow import decode_with_pillow
from realdeg.utils.image.source import BrokenFileError, Source
from realdeg.utils.image.tags import ORIENTATION, Directory, count_pages, read_directory

_PHOTOMETRIC, _EXTRA, _PLANAR, _FORMAT = 262, 338, 284, 339
_COLOURS = {0: 1, 1: 1, 2: 3, 3: 3, 5: 4, 6: 3}
_ASSOCIATED, _STRAIGHT = 1, 2
_KINDS = {1: "whole numbers", 2: "numbers with a sign", 3: "floating-point numbers"}


def tiff_header(source: Source, limit: int) -> Header:
    """Read the header of a TIFF file, classic or BigTIFF.

    Args:
        source: The open TIFF file.
        limit: How many pixels a tile may have.

    Returns:
        The header of its first page; ``detail["page"]`` are that page's tags.

    Raises:
        BrokenFileError: If it is damaged, truncated or not supported.
    """
    page = read_directory(source)
    width, height = page.number(256, 0), page.number(257, 0)
    samples, photometric = page.number(277, 1), page.number(_PHOTOMETRIC, 1)
    depths = page.numbers(258) or [1]
    if not width or not height or width >> 31 or height >> 31:
        raise BrokenFileError(f"cannot be decoded: its header claims {height} x {width} pixels")
    sample = page.number(_FORMAT, 1)
    if sample not in (1, 4):
        raise BrokenFileError(
            f"holds {_KINDS.get(sample, 'numbers of an unknown kind')} of {depths[0]} bit: whole"
            " numbers of 8 or 16 bit are read; convert it first"
        )
    if len(set(depths)) > 1 or depths[0] not in (1, 2, 4, 8, 16):
        raise BrokenFileError(
            f"has depth {' + '.join(map(str, depths[:4]))} bit: 8 or 16 bit are read"
        )
    if photometric not in _COLOURS:
        raise BrokenFileError(
            f"has a colour space (photometric interpretation {photometric}) that is not read:"
            " convert it to grey or RGB first"
        )
    colours = _COLOURS[photometric]
    stored = 1 if photometric == 3 else colours
    if not stored <= samples <= 8:
        raise BrokenFileError(f"has {samples} channels where its colours need {stored}")
    if photometric in (3, 5, 6) and depths[0] > 8:
        raise BrokenFileError("has 16-bit palette, CMYK or YCbCr colours, which are not read")
    alpha = _alpha(page, samples, stored)
    _check_data(source, page, limit)
    ink = photometric == 5
    orientation = page.number(ORIENTATION, 1)
    return Header(
        "TIFF",
        height,
        width,
        3 if ink else colours + bool(alpha),
        16 if depths[0] == 16 else 8,
        orientation if 1 <= orientation <= 8 else 1,
        count_pages(page),
        page.content(34675, LONGEST_PROFILE),
        ink,
        {"page": page, "alpha": alpha, "samples": samples, "stored": stored},
    )


def _alpha(page: Directory, samples: int, stored: int) -> int:
    """Return the kind of alpha: 0 for none, 1 for premultiplied, 2 for straight."""
    if samples == stored or page.number(_PHOTOMETRIC, 1) in (3, 5):
        return 0
    extra = page.numbers(_EXTRA)
    if extra and extra[0] == _ASSOCIATED:
        return _ASSOCIATED
    # Every program takes an unexplained fourth channel for alpha.
    return _STRAIGHT if not extra or extra[0] == _STRAIGHT or samples == stored + 1 else 0


def _check_data(source: Source, page: Directory, limit: int) -> None:
    starts = page.numbers(273) or page.numbers(324)
    lengths = page.numbers(279) or page.numbers(325)
    if not starts or (lengths and len(starts) != len(lengths)):
        raise BrokenFileError("cannot be decoded: it does not say where its pixels lie")
    ends = zip(starts, lengths or [1] * len(starts), strict=True)
    if any(start + length > source.size for start, length in ends):
        raise BrokenFileError("is truncated: its pixels lie beyond its end")
    if page.number(322, 1) * page.number(323, 1) > max(limit, 1 << 24):
        raise BrokenFileError("cannot be decoded: its tiles are larger than any picture")


def decode_tiff(content: bytearray, header: Header, opencv: Any) -> np.ndarray:
    """Decode the first page of a TIFF file.

    Args:
        content: The file; two of its tags are changed.
        header: Its header.
        opencv: Decodes bytes with OpenCV to an array in RGB order, or returns None.

    Returns:
        H x W x C in the stored orientation.

    Raises:
        BrokenFileError: If no decoder accepts it.
    """
    page: Any = header.detail["page"]
    alpha, samples, stored = (int(str(header.detail[k])) for k in ("alpha", "samples", "stored"))
    separate = page.number(_PLANAR, 1) == 2
    _set(content, page, ORIENTATION, 1)
    array: np.ndarray | None = None
    if header.bits == 16:
        ordinary = not separate and samples in (1, 3, 4) and samples == stored + bool(alpha)
        array = opencv(content) if ordinary else _with_tifffile(content)
        if array is not None and array.shape[2] > header.channels:
            array = np.ascontiguousarray(array[..., : header.channels])
        if array is not None and page.number(_PHOTOMETRIC, 1) == 0:
            array[..., :1] = 65535 - array[..., :1]
    else:
        # OpenCV silently ignores damaged 8-bit strips, Pillow reports them, but has another JPEG
        # decoder. If alpha is marked as straight, Pillow divides nothing.
        _set(content, page, _EXTRA, _STRAIGHT)
        if page.number(_PHOTOMETRIC, 1) != 6 and page.number(259, 1) not in (6, 7):
            array = decode_with_pillow(bytes(content), header)
        if array is None and not header.ink and samples in (1, 3, 4) and samples - stored < 2:
            _set(content, page, _EXTRA, _ASSOCIATED)  # libtiff multiplies nothing
            array = opencv(content)
        elif array is None and samples == 2:
            array = _with_tifffile(content)
    if array is None:
        raise BrokenFileError("cannot be decoded: it is damaged or of a rare kind of TIFF")
    return _divided(array) if alpha == _ASSOCIATED else array


def _set(content: bytearray, page: Directory, tag: int, value: int) -> None:
    found = page.tags.get(tag)
    if found is not None and found.kind == 3 and found.start + 2 <= len(content):
        struct.pack_into(page.order + "H", content, found.start, value)


def _divided(array: np.ndarray) -> np.ndarray:
    """Convert premultiplied colours to straight ones."""
    top = np.iinfo(array.dtype).max
    alpha = array[..., -1:].astype(np.float64)
    colours = np.divide(
        array[..., :-1] * float(top),
        alpha,
        where=alpha > 0,
        out=np.zeros((*array.shape[:2], array.shape[2] - 1)),
    )
    result = array.copy()
    result[..., :-1] = np.minimum(np.floor(colours + 0.5), top)
    return result


def _with_tifffile(content: bytearray) -> np.ndarray | None:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(bytes(content))) as file:
            page: Any = file.pages[0]
            array = np.asarray(page.asarray(maxworkers=1))
            if page.planarconfig == 2 and array.ndim == 3:
                array = array.transpose(1, 2, 0)
    except MemoryError:
        raise
    except Exception:  # a damaged file raises anything
        return None
    if array.ndim == 2:
        array = array[..., None]
    fits = array.ndim == 3 and array.dtype in (np.uint8, np.uint16)
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))) if fits else None
