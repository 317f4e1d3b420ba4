"""The colours of a kernel's taps, in figures and in notebooks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

POSITIVE, ZERO, NEGATIVE = (178, 24, 43), (255, 255, 255), (33, 102, 172)


def tap_colours(values: NDArray[np.floating[Any]], span: float | None = None) -> NDArray[np.uint8]:
    """Return the colours of taps.

    Args:
        values: Any shape.
        span: The size of full colour; None: the largest size of ``values``.

    Returns:
        ``uint8`` of the shape of ``values`` and 3. Values of opposite sign are equally far from
        white.
    """
    array = np.asarray(values, np.float64)
    most = float(np.abs(array).max(initial=0.0)) if span is None else span
    amount = np.sqrt(np.clip(np.abs(array) / (most or 1.0), 0.0, 1.0))[..., None]
    ends = np.where(array[..., None] < 0, NEGATIVE, POSITIVE)
    return np.rint(np.array(ZERO) + (ends - np.array(ZERO)) * amount).astype(np.uint8)
