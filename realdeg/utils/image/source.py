"""Random access to the bytes of a file, checked against its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

_BLOCK = 1 << 18


class BrokenFileError(ValueError):
    """A fault of a file, as the end of a sentence that starts with its name."""


class Source:
    """Bytes of an open file by position."""

    def __init__(self, stream: IO[bytes]) -> None:
        # Unbuffered: a buffer would read thousands of bytes for every eight.
        self._stream = getattr(stream, "raw", stream)
        self.size = self._stream.seek(0, 2)

    def take(self, start: int, count: int) -> bytes:
        """Return ``count`` bytes, or raise BrokenFileError if the file ends before."""
        if count < 0 or start < 0 or start + count > self.size:
            raise BrokenFileError("is truncated: it ends before its content does")
        self._stream.seek(start)
        found = self._stream.read(count)
        if len(found) != count:
            raise BrokenFileError("is truncated: it became shorter while it was read")
        return found

    def peek(self, start: int, count: int) -> bytes:
        """Return ``count`` bytes, or as many as there are."""
        if start >= self.size:
            return b""
        return self.take(start, min(count, self.size - start))

    def number(self, start: int, count: int, order: str = "big") -> int:
        """Return ``count`` bytes as an unsigned integer."""
        return int.from_bytes(self.take(start, count), "little" if order == "little" else "big")

    def find_marker(self, start: int, in_scan: bool) -> tuple[int, int] | None:
        """Find the next marker of a JPEG: a byte 255 and one that is not 0 or 255.

        Args:
            start: Where the search starts.
            in_scan: Skip restart markers (0xD0 to 0xD7), which occur among compressed pixels.

        Returns:
            The marker's second byte and the position after it, or None.
        """
        for place, block in self._blocks(start, 1):
            values = np.frombuffer(block, np.uint8)
            codes = values[np.flatnonzero(values[:-1] == 255) + 1]
            wanted = (codes != 0) & (codes != 255)
            if in_scan:
                wanted &= (codes < 0xD0) | (codes > 0xD7)
            if wanted.any():
                which = int(np.flatnonzero(values[:-1] == 255)[int(wanted.argmax())]) + 1
                return int(values[which]), place + which + 1
        return None

    def _blocks(self, start: int, reach: int) -> Iterator[tuple[int, bytes]]:
        # Blocks overlap so that no match is split; they grow so that short searches are cheap.
        length = 512
        while start < self.size:
            block = self.peek(start, length + reach)
            yield start, block
            start += length
            length = min(_BLOCK, 4 * length)
