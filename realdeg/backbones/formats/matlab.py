"""The container of MATLAB 5 to 7.2, gone through before SciPy reads it.

SciPy makes room for what sizes claim, unpacks without a bound and follows nested cells as deep as
they go. So every element is looked at first; SciPy is handed what was looked at, unpacked.
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
# Bytes of a number, by the type that it is stored as; text is stored in three more.
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
_TEXT = {**_WIDTHS, 16: 1, 17: 2, 18: 4}
_CELL, _STRUCT, _OBJECT, _CHAR, _FUNCTION = 1, 2, 3, 4, 16
_NUMERIC = range(6, 16)
_COMPLEX = 0x0800
_DEEPEST, _MOST_AXES, _MOST_FIELDS = 32, 32, 4096


class _StrangeError(ValueError):
    """A kind of variable that no network is made of: sparse matrices, handles of objects."""


def unpacked(path: Path) -> bytes:
    """Return a ``.mat`` file without compression, every element checked.

    Args:
        path: The file.

    Returns:
        The same variables, without those that are sparse or objects.

    Raises:
        ValueError: If it is damaged, hostile or of another version.
    """
    content = path.read_bytes()
    head = content[:_HEADER]
    if head.startswith(b"MATLAB 7.3") or head.startswith(b"\x89HDF"):
        raise ValueError(
            "it is of MATLAB 7.3 (HDF5), which is not read: open it in MATLAB or Octave and save"
            " it with -v7"
        )
    if len(head) < _HEADER or head[126:128] not in (b"IM", b"MI"):
        old = len(head) >= 20 and 0 in head[:4]
        raise ValueError("it is of MATLAB 4, which has no networks" if old else "no MATLAB file")
    order = "<" if head[126:128] == b"IM" else ">"
    budget, total, at = Budget(), 0, _HEADER
    found = [head[:116] + bytes(8) + head[124:]]  # without the place of what objects need
    while at < len(content):
        budget.spend()
        if len(content) - at < 8:
            raise ValueError("it ends in the middle of a variable")
        kind, length = struct.unpack_from(f"{order}2I", content, at)
        if length > len(content) - at - 8:
            raise ValueError("it ends in the middle of a variable")
        body = memoryview(content)[at : at + 8 + length]
        at += 8 + length + (-length % 8 if kind == _MATRIX else 0)
        if kind == _COMPRESSED:
            body = _inflated(body[8:], total, len(content))
            if len(body) < 8:
                raise ValueError("a variable without a beginning")
            kind, length = struct.unpack_from(f"{order}2I", body)
        total += len(body)
        check_unpacked(total, len(content))
        if kind != _MATRIX or length > len(body) - 8:
            raise ValueError("a variable of unknown form")
        try:
            _Walk(body[8 : 8 + length], order, budget).matrix(0, length, 0)
        except _StrangeError:
            continue
        found += [bytes(body[: 8 + length]), bytes(-length % 8)]
    return b"".join(found)


def _inflated(packed: memoryview, total: int, size: int) -> memoryview:
    """Unpack a variable, and stop where it is larger than all may be."""
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
        raise ValueError("a packed variable ends too early")
    return memoryview(b"".join(parts))


class _Walk:
    """Goes through one variable.

    Args:
        data: Its bytes.
        order: The order of bytes, as ``struct`` writes it.
        budget: The steps that are left.
    """

    def __init__(self, data: memoryview, order: str, budget: Budget) -> None:
        self._data, self._order, self._budget = data, order, budget

    def matrix(self, at: int, end: int, depth: int) -> None:
        """Check an array and all that lies in it."""
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
            raise _StrangeError("an array of a kind that no network is made of")
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
                raise ValueError("text shorter than it says")
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
                raise ValueError("a struct of impossible names")
            count *= length // width
        elif form == _FUNCTION:
            count = 1
        if count > (end - at) // 8:
            raise ValueError("a cell or struct of more parts than there are")
        for _ in range(count):
            kind, begin, length, at = self._element(at, end)
            if kind != _MATRIX:
                raise ValueError("a part of a cell that is no array")
            self.matrix(begin, begin + length, depth + 1)

    def _numbers(self, at: int, end: int, count: int) -> int:
        kind, _, length, after = self._element(at, end)
        if kind not in _WIDTHS or length != count * _WIDTHS[kind]:
            raise ValueError(f"an array of {count} numbers has {length} bytes")
        return after

    def _text(self, at: int, end: int) -> int:
        kind, _, _, after = self._element(at, end)
        if kind not in (_INT8, _UTF8):
            raise ValueError("a name that is no text")
        return after

    def _whole(self, at: int) -> int:
        return int(struct.unpack_from(f"{self._order}I", self._data, at)[0])

    def _element(self, at: int, end: int) -> tuple[int, int, int, int]:
        """Return an element's type, begin and length, and where the next one begins."""
        if end - at < 8:
            raise ValueError("an array ends too early")
        kind = self._whole(at)
        if kind >> 16:  # up to four bytes, in the place of the length
            length, kind = kind >> 16, kind & 0xFFFF
            if length > 4:
                raise ValueError("a small element that is large")
            return kind, at + 4, length, at + 8
        length = self._whole(at + 4)
        if length > end - at - 8:
            raise ValueError("an element longer than what it lies in")
        return kind, at + 8, length, min(end, at + 8 + length + -length % 8)
