"""How long the sides of LR and HR are, for whole scales and for real ones."""

from __future__ import annotations

import math

# 100 * 1.15 is 114.99999999999999 and 115 is meant; no side has a billion pixels.
_SLACK = 1e-9


def as_scale(scale: float) -> int | float:
    """Return a scale as an integer where it is whole (2.0 becomes 2).

    Args:
        scale: HR pixels per LR pixel.
    """
    return int(scale) if float(scale).is_integer() else float(scale)


def hr_length(lr: int, scale: float) -> int:
    """Return how many HR pixels a side of LR becomes: as many as begin inside it.

    Args:
        lr: The side in LR pixels.
        scale: HR pixels per LR pixel.

    Examples:
        >>> hr_length(5, 4), hr_length(100, 1.15), hr_length(99, 2.37)
        (20, 115, 234)
    """
    return int(lr * scale + _SLACK)


def lr_length(hr: int, scale: float) -> int:
    """Return the longest side of LR that becomes no more than a side of HR.

    For whole scales that is the division without remainder.

    Args:
        hr: The side in HR pixels.
        scale: HR pixels per LR pixel, 1 or more.

    Examples:
        >>> lr_length(23, 4), lr_length(237, 2.37), lr_length(236, 2.37)
        (5, 100, 99)
    """
    length = math.ceil(hr / scale - _SLACK)
    return length if hr_length(length, scale) <= hr else length - 1


def divides(hr: int, scale: float) -> bool:
    """Say whether a side of HR belongs to a side of LR without a remainder.

    Args:
        hr: The side in HR pixels.
        scale: HR pixels per LR pixel, 1 or more.

    Examples:
        >>> divides(24, 4), divides(23, 4), divides(237, 2.37), divides(236, 2.37)
        (True, False, True, False)
    """
    return hr_length(lr_length(hr, scale), scale) == hr
