"""The container of MATLAB 5 to 7.2, checked before SciPy reads it.

SciPy allocates whatever sizes claim, unpacks without a limit and follows nested cells to any depth.
So every element is checked first, and SciPy is given the unpacked, checked content.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

from realdeg.utils.budget import Budget, check_unpacked

_HEADER = 128
_COMPRESSED, _MATRIX = 15, 14
_INT8, _INT32, _UINT32, _UTF8 = 1, 5, 6, 16
# Bytes of a number by its stored type; text has three more types.
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
_TEXT = {**_WIDTHS, 16: 1, 17: 2, 18: 4}
_CELL, _STRUCT, _OBJECT, _CHAR, _FUNCTION = 1, 2, 3, 4, 16
_NUMERIC = range(6, 16)
_COMPLEX = 0x0800
_DEEPEST, _MOST_AXES, _MOST_FIELDS = 32, 32, 4096


class _UnusedKindError(ValueError):
    """A kind of variable that no network needs: sparse matrices, object handles."""


def unpacked(path: Path) -> bytes:
    """Return a ``.mat`` file without compression, with every element checked.

    Sparse matrices and objects are left out. A damaged or hostile file, and one of another
    version, raises ValueError.
    """
    content = path.read_bytes()
    head = content[:_HEADER]
    if head.startswith(b"MATLAB 7.3") or head.startswith(b"\x89HDF"):
        raise ValueError(
            "it is of MATLAB 7.3 (HDF5), which is not supported: open it in MATLAB or Octave and"
            " save it with -v7"
        )
    if len(head) < _HEADER or head[126:128] not in (b"IM", b"MI"):
        old = len(head) >= 20 and 0 in head[:4]
        raise ValueError("it is of MATLAB 4, which has no networks" if old else "not a MATLAB file")
    order = "<" if head[126:128] == b"IM" else ">"
    budget, total, at = Budget(), 0, _HEADER
    parts = [head[:116] + bytes(8) + head[124:]]  # without the offset of object data
    while at < len(content):
        budget.spend()
        if len(content) - at < 8:
            raise ValueError("it ends inside a variable")
        kind, length = struct.unpack_from(f"{order}2I", content, at)
        if length > len(content) - at - 8:
            raise ValueError("it ends inside a variable")
        body = memoryview(content)[at : at + 8 + length]
        at += 8 + length + (-length % 8 if kind == _MATRIX else 0)
        if kind == _COMPRESSED:
            body = _inflated(body[8:], total, len(content))
            if len(body) < 8:
                raise ValueError("a variable without a header")
            kind, length = struct.unpack_from(f"{order}2I", body)
        total += len(body)
        check_unpacked(total, len(content))
        if kind != _MATRIX or length > len(body) - 8:
            raise ValueError("a variable of unknown type")
        try:
            _Walk(body[8 : 8 + length], order, budget).matrix(0, length, 0)
        except _UnusedKindError:
            continue
        parts += [bytes(body[: 8 + length]), bytes(-length % 8)]
    return b"".join(parts)


def _inflated(packed: memoryview, total: int, size: int) -> memoryview:
    """Unpack a variable, up to the limit for the whole file."""
    unpacker = zlib.decompressobj()
    parts: list[bytes] = []
    rest: bytes | memoryview = packed
    try:
        while rest and not unpacker.eof:
            parts.append(unpacker.decompress(rest, 2**24))
            total += len(parts[-1])
            check_unpacked(total, size)
            rest = unpacker.unconsumed_tail
    except zlib.error as error:
        raise ValueError(f"a variable cannot be unpacked ({error})") from error
    if not unpacker.eof:
        raise ValueError("a compressed variable is truncated")
    return memoryview(b"".join(parts))


class _Walk:
    """Walks through the elements of one variable; ``order`` is the byte order of ``struct``."""

    def __init__(self, data: memoryview, order: str, budget: Budget) -> None:
        self._data, self._order, self._budget = data, order, budget

    def matrix(self, at: int, end: int, depth: int) -> None:
        """Check an array and everything in it."""
        self._budget.spend()
        if at == end:
            return
        if depth > _DEEPEST:
            raise ValueError("cells are nested too deeply")
        kind, begin, length, at = self._element(at, end)
        if kind != _UINT32 or length != 8:
            raise ValueError("an array without flags")
        flags = self._whole(begin)
        form = flags & 0xFF
        if form not in (_CELL, _STRUCT, _OBJECT, _CHAR, _FUNCTION, *_NUMERIC):
            raise _UnusedKindError
        kind, begin, length, at = self._element(at, end)
        if kind != _INT32 or length % 4 or not 8 <= length <= 4 * _MOST_AXES:
            raise ValueError("an array without sizes")
        sizes = struct.unpack_from(f"{self._order}{length // 4}i", self._data, begin)
        if min(sizes) < 0:
            raise ValueError("an array of impossible shape")
        count = math.prod(sizes)
        at = self._text(at, end)  # its name
        if form in _NUMERIC:
            for _ in range(2 if flags & _COMPLEX else 1):
                at = self._numbers(at, end, count)
        elif form == _CHAR:
            kind, _, length, at = self._element(at, end)
            if kind not in _TEXT or length < count:
                raise ValueError("text shorter than its size")
        else:
            self._nested(at, end, form, count, depth)

    def _nested(self, at: int, end: int, form: int, count: int, depth: int) -> None:
        """Check the arrays in a cell, a struct or a function."""
        if form == _OBJECT:
            at = self._text(at, end)
        if form in (_STRUCT, _OBJECT):
            kind, begin, length, at = self._element(at, end)
            width = self._whole(begin) if kind == _INT32 and length == 4 else 0
            kind, begin, length, at = self._element(at, end)
            if kind != _INT8 or not 0 < width <= 256 or length % width:
                raise ValueError("a struct without names")
            names = bytes(self._data[begin : begin + length])
            if length // width > _MOST_FIELDS or max(names, default=0) > 126:
                raise ValueError("a struct with impossible names")
            count *= length // width
        elif form == _FUNCTION:
            count = 1
        if count > (end - at) // 8:
            raise ValueError("a cell or struct with fewer parts than its size")
        for _ in range(count):
            kind, begin, length, at = self._element(at, end)
            if kind != _MATRIX:
                raise ValueError("a part of a cell that is not an array")
            self.matrix(begin, begin + length, depth + 1)

    def _numbers(self, at: int, end: int, count: int) -> int:
        kind, _, length, after = self._element(at, end)
        if kind not in _WIDTHS or length != count * _WIDTHS[kind]:
            raise ValueError(f"an array of {count} numbers has {length} bytes")
        return after

    def _text(self, at: int, end: int) -> int:
        kind, _, _, after = self._element(at, end)
        if kind not in (_INT8, _UTF8):
            raise ValueError("a name that is not text")
        return after

    def _whole(self, at: int) -> int:
        return int(struct.unpack_from(f"{self._order}I", self._data, at)[0])

    def _element(self, at: int, end: int) -> tuple[int, int, int, int]:
        """Return an element's type, offset and length, and the offset of the next one."""
        if end - at < 8:
            raise ValueError("an array is truncated")
        kind = self._whole(at)
        if kind >> 16:  # up to four bytes, stored in place of the length
            length, kind = kind >> 16, kind & 0xFFFF
            if length > 4:
                raise ValueError("a small element of more than four bytes")
            return kind, at + 4, length, at + 8
        length = self._whole(at + 4)
        if length > end - at - 8:
            raise ValueError("an element longer than its array")
        return kind, at + 8, length, min(end, at + 8 + length + -length % 8)
