"""A file whose bytes are taken from any place, and never from beyond its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

_BLOCK = 1 << 16


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

    def search(self, pattern: re.Pattern[bytes], start: int, reach: int) -> re.Match[bytes] | None:
        """Find a pattern.

        Args:
            pattern: Matches up to ``reach`` bytes.
            start: Where the search begins.
            reach: The longest match.

        Returns:
            The first match, with its position in :attr:`found`, or None.
        """
        for place, block in self._blocks(start, reach):
            match = pattern.search(block)
            if match is not None:
                self.found = place + match.start()
                return match
        return None

    def _blocks(self, start: int, reach: int) -> Iterator[tuple[int, bytes]]:
        # Blocks overlap, so that no match is cut in two; they grow, so that short ones cost little.
        length = 512
        while start < self.size:
            block = self.peek(start, length + reach)
            yield start, block
            start += length
            length = min(_BLOCK, 4 * length)
