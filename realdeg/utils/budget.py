"""What reading one foreign file may cost, whatever the file says of itself."""

from __future__ import annotations

import os

STEPS = 1_000_000
"""Steps of reading (opcodes of a pickle, elements of a ``.mat``, fields of a message)."""

UNPACKED_RATIO = 20
"""How many times its own size a compressed file may unpack to; 32-bit weights reach 1.2."""

UNPACKED_FLOOR = 64 * 2**20
"""Bytes that any file may unpack to."""


class LimitError(ValueError):
    """A file costs more than it may. The text says which limit, and how it is raised."""


class Budget:
    """The steps that are left for one file.

    Args:
        steps: How many there are; None: ``REALDEG_MAX_STEPS``, or 1 million.
    """

    def __init__(self, steps: int | None = None) -> None:
        self.steps = _setting("REALDEG_MAX_STEPS", STEPS) if steps is None else steps
        self.left = self.steps

    def spend(self, count: int = 1) -> None:
        """Take some steps.

        Args:
            count: How many.

        Raises:
            LimitError: If there are none left.
        """
        self.left -= count
        if self.left < 0:
            raise LimitError(
                f"reading it takes more than {self.steps:,} steps; for a file that you trust, set"
                " REALDEG_MAX_STEPS to more"
            )


def most_unpacked(size: int) -> int:
    """Return how many bytes a file of ``size`` bytes may unpack to.

    Args:
        size: The file's length in bytes.

    Returns:
        Twenty times the length, at least 64 MiB; or the bytes that ``REALDEG_MAX_UNPACKED`` names.
    """
    return _setting("REALDEG_MAX_UNPACKED", max(UNPACKED_FLOOR, UNPACKED_RATIO * size))


def check_unpacked(total: int, size: int) -> None:
    """Refuse a file that unpacks to more than it may.

    Args:
        total: The bytes that it unpacks to, as far as known.
        size: The file's length in bytes.

    Raises:
        LimitError: If they are too many.
    """
    most = most_unpacked(size)
    if total > most:
        raise LimitError(
            f"its {size:,} bytes unpack to more than {most:,}; for a file that you trust, set"
            " REALDEG_MAX_UNPACKED to more"
        )


def _setting(name: str, usual: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() and int(text) > 0 else usual
