"""The side lengths of LR and HR, for whole and fractional scales."""

from __future__ import annotations

import math
from fractions import Fraction

# 100 * 1.15 is 114.99999999999999 where 115 is meant; no side has a billion pixels.
_SLACK = 1e-9


def as_scale(scale: float) -> int | float:
    """Return a whole scale as an integer (2.0 becomes 2), any other as a float."""
    return int(scale) if float(scale).is_integer() else float(scale)


def hr_length(lr: int, scale: float) -> int:
    """Return the HR side of an LR side: the number of HR pixels that begin inside it.

    Args:
        lr: The side in LR pixels.
        scale: HR pixels per LR pixel.

    Examples:
        >>> hr_length(5, 4), hr_length(100, 1.15), hr_length(99, 2.37)
        (20, 115, 234)
    """
    return int(lr * scale + _SLACK)


def lr_length(hr: int, scale: float) -> int:
    """Return the longest LR side whose HR side is not longer than ``hr``.

    For whole scales this is integer division.

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
    """Return whether an HR side corresponds to an LR side without a remainder.

    Args:
        hr: The side in HR pixels.
        scale: HR pixels per LR pixel, 1 or more.

    Examples:
        >>> divides(24, 4), divides(23, 4), divides(237, 2.37), divides(236, 2.37)
        (True, False, True, False)
    """
    return hr_length(lr_length(hr, scale), scale) == hr


def whole_step(factor: float) -> int | None:
    """Return the number of input pixels that give a whole number of output pixels.

    Args:
        factor: Output pixels per input pixel along an axis.

    Returns:
        The number, or None for a factor with more than three decimals.

    Examples:
        >>> whole_step(4), whole_step(2.5), whole_step(2.37), whole_step(3**0.5)
        (1, 2, 100, None)
    """
    fraction = Fraction(factor).limit_denominator(1000)
    return fraction.denominator if abs(fraction - Fraction(factor)) < 1e-12 else None
