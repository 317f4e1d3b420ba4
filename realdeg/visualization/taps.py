"""How every figure draws a kernel: zero is white, positive taps are red, negative ones blue.

Colour goes by the square root of a tap's size, so that faint taps and noise are visible beside a
peak. The line is the outline of the taps of at least half the peak, the cross the LR pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.utils.tap_colours import tap_colours
from realdeg.visualization.style import INK, SMALL_SIZE, axes_at, hide_ticks, write_text

# Two lines that explain a kernel, and the inches that they and the bar of colours need.
KEY = (
    "red: above 0, white: 0, blue: below 0",
    "line: half of the peak, cross: the LR pixel",
)
KEY_HEIGHT, KEY_WIDTH, BAR_WIDTH = 0.36, 2.7, 0.62


def half_peak_outline(kernel: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the outline of the taps of at least half the peak.

    Args:
        kernel: Shape (k, k).

    Returns:
        Line segments, shape (N, 2, 2): two points (x, y), in taps from the upper left corner; none
        if no tap is positive.
    """
    peak = float(kernel.max())
    inside = np.pad(kernel >= peak / 2 if peak > 0 else np.zeros_like(kernel, bool), 1)
    rows, columns = np.nonzero(inside[1:] != inside[:-1])
    across = [((x - 1, y), (x, y)) for y, x in zip(rows, columns, strict=True)]
    rows, columns = np.nonzero(inside[:, 1:] != inside[:, :-1])
    down = [((x, y - 1), (x, y)) for y, x in zip(rows, columns, strict=True)]
    return np.array([*across, *down], np.float64).reshape(-1, 2, 2)


def draw_kernel(
    axes: Any,
    kernel: NDArray[np.floating[Any]],
    *,
    span: float | None = None,
    stride: int = 1,
    place: tuple[float, float, float] | None = None,
    marks: float = 1.0,
) -> None:
    """Draw a kernel into axes.

    Args:
        axes: matplotlib axes.
        kernel: Shape (k, k).
        span: The size of full colour; None: the kernel's largest.
        stride: HR pixels per LR pixel on the grid: where in its window a kernel is centred.
        place: Left, top and side in the coordinates of the axes; None: the axes are the kernel's.
        marks: Width of outline and cross in points; 0 draws neither.
    """
    left, top, side = place or (-0.5, -0.5, float(len(kernel)))
    axes.imshow(
        tap_colours(kernel, span),
        extent=(left, left + side, top + side, top),
        interpolation="nearest",
    )
    if marks:
        _draw_marks(axes, kernel, stride, (left, top, side), marks)
    if place is None:
        hide_ticks(axes)
        axes.set_xlim(left, left + side)
        axes.set_ylim(top + side, top)


def _draw_marks(
    axes: Any,
    kernel: NDArray[np.floating[Any]],
    stride: int,
    place: tuple[float, float, float],
    width: float,
) -> None:
    from matplotlib.collections import LineCollection

    left, top, side = place
    tap = side / len(kernel)
    outline = half_peak_outline(kernel) * tap + (left, top)
    axes.add_collection(LineCollection(list(outline), colors=INK, linewidths=width))
    middle = side / 2 + centre_rest(len(kernel), stride) * tap
    x, y, arm = left + middle, top + middle, max(tap, side / 11) / 2
    cross = [[(x - arm, y), (x + arm, y)], [(x, y - arm), (x, y + arm)]]
    # White below black: seen on any colour.
    for colour, thickness in (("white", 2.2 * width), (INK, width)):
        axes.add_collection(LineCollection(cross, colors=colour, linewidths=thickness))


def draw_tap_bar(
    figure: Any, left: float, top: float, height: float, span: float | None = None
) -> None:
    """Draw the scale of colours, ``BAR_WIDTH`` inches wide with its numbers.

    Args:
        figure: A matplotlib figure.
        left: Inches.
        top: Inches.
        height: Inches.
        span: The size of full colour; None where each kernel has its own: numbers are then shares
            of its largest tap.
    """
    axes = axes_at(figure, left, top, 0.1, height)
    values = np.linspace(1, -1, 201)[:, None]
    axes.imshow(tap_colours(values), extent=(0, 1, -1, 1), aspect="auto")
    hide_ticks(axes)
    axes.yaxis.tick_right()
    shares = (-1.0, -0.5, 0.0, 0.5, 1.0)
    unit = 1.0 if span is None else span
    axes.set_yticks(shares, [f"{share * unit:.2g}" for share in shares])
    axes.tick_params(labelsize=SMALL_SIZE - 1, colors=INK, width=0.5, length=2, pad=2)
    if span is None:
        axes.yaxis.set_label_position("right")
        axes.set_ylabel("of the largest tap", fontsize=SMALL_SIZE - 1, color=INK, labelpad=2)


def write_key(figure: Any, middle: float, top: float) -> None:
    """Write what colours and marks mean, ``KEY_WIDTH`` by ``KEY_HEIGHT`` inches."""
    for number, line in enumerate(KEY):
        place = top + KEY_HEIGHT * (number + 0.5) / len(KEY)
        write_text(figure, middle, place, line, fontsize=SMALL_SIZE - 1)
