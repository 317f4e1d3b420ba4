"""A file whose bytes are taken from any place, and never from beyond its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

_BLOCK = 1 << 18


class BrokenFileError(ValueError):
    """What is wrong with a file, as the end of a sentence that begins with its name."""


class Source:
    """Bytes of a file by position.

    Args:
        stream: The open file.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        # Without a buffer, which would read thousands of bytes for every eight that are taken.
        self._stream = getattr(stream, "raw", stream)
        self.size = self._stream.seek(0, 2)

    def take(self, start: int, count: int) -> bytes:
        """Return some bytes.

        Args:
            start: Position of the first one.
            count: How many.

        Returns:
            All of them.

        Raises:
            BrokenFileError: If the file ends before.
        """
        if count < 0 or start < 0 or start + count > self.size:
            raise BrokenFileError("is truncated: it ends before its content does")
        self._stream.seek(start)
        found = self._stream.read(count)
        if len(found) != count:
            raise BrokenFileError("is truncated: it became shorter while it was read")
        return found

    def peek(self, start: int, count: int) -> bytes:
        """Return some bytes, or as many as there are."""
        if start >= self.size:
            return b""
        return self.take(start, min(count, self.size - start))

    def number(self, start: int, count: int, order: str = "big") -> int:
        """Return some bytes as a whole number without a sign."""
        return int.from_bytes(self.take(start, count), "little" if order == "little" else "big")

    def find_marker(self, start: int, in_scan: bool) -> tuple[int, int] | None:
        """Find the next marker of a JPEG: a byte 255 and one that is not 0 or 255.

        Args:
            start: Where the search begins.
            in_scan: Whether compressed pixels are gone through, among which stand markers of
                restarts (0xD0 to 0xD7).

        Returns:
            The marker's second byte and the position behind it, or None.
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
        # Blocks overlap, so that no match is cut in two; they grow, so that short ones cost little.
        length = 512
        while start < self.size:
            block = self.peek(start, length + reach)
            yield start, block
            start += length
            length = min(_BLOCK, 4 * length)
