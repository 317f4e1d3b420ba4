"""Limits on the cost of reading one untrusted file."""

from __future__ import annotations

import os

STEPS = 1_000_000
"""Reading steps: opcodes of a pickle, elements of a ``.mat``, fields of a message."""

UNPACKED_RATIO = 20
"""A compressed file may unpack to this many times its size; 32-bit weights reach 1.2."""

UNPACKED_FLOOR = 64 * 2**20
"""Any file may unpack to this many bytes."""


class LimitError(ValueError):
    """A file exceeds a limit; the message names it and how to raise it."""


class Budget:
    """The steps that are left for one file.

    Args:
        steps: The initial number; None: ``REALDEG_MAX_STEPS``, or 1 million.
    """

    def __init__(self, steps: int | None = None) -> None:
        self.steps = _setting("REALDEG_MAX_STEPS", STEPS) if steps is None else steps
        self.left = self.steps

    def spend(self, count: int = 1) -> None:
        """Use ``count`` steps, or raise LimitError if fewer are left."""
        self.left -= count
        if self.left < 0:
            raise LimitError(
                f"reading it takes more than {self.steps:,} steps; for a file that you trust, set"
                " REALDEG_MAX_STEPS to more"
            )


def most_unpacked(size: int) -> int:
    """Return how many bytes a file of ``size`` bytes may unpack to.

    Twenty times the size and at least 64 MiB, or ``REALDEG_MAX_UNPACKED`` bytes.
    """
    return _setting("REALDEG_MAX_UNPACKED", max(UNPACKED_FLOOR, UNPACKED_RATIO * size))


def check_unpacked(total: int, size: int) -> None:
    """Raise LimitError if a file of ``size`` bytes unpacks to too many (``total``)."""
    most = most_unpacked(size)
    if total > most:
        raise LimitError(
            f"its {size:,} bytes unpack to more than {most:,}; for a file that you trust, set"
            " REALDEG_MAX_UNPACKED to more"
        )


def _setting(name: str, usual: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() and int(text) > 0 else usual
