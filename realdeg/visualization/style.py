"""A common style for all figures, by matplotlib's object interface.

No pyplot: it has global state, selects a window system and may interfere with a user's own plots.
matplotlib is imported when the first figure is drawn.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from realdeg.errors import OutputError
from realdeg.utils.files import atomic_path
from realdeg.utils.image import to_array

Layout = Literal["constrained"]

TITLE_SIZE = 11
LABEL_SIZE = 9
SMALL_SIZE = 8
INK = "#222222"
MUTED = "#666666"
ACCENT = "#e4572e"
# Inches.
MARGIN = 0.1
TITLE_SPACE = 0.38
# Distinct for colour-blind readers, too (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c4a2f")

FIGURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg", ".tif", ".tiff", ".webp")


def new_figure(width: float, height: float, *, layout: Layout | None = None) -> Any:
    """Return an empty figure without a window.

    Args:
        width: Inches.
        height: Inches.
        layout: ``"constrained"`` lets matplotlib arrange labels; None is for :func:`axes_at`.

    Returns:
        A ``matplotlib.figure.Figure`` with an Agg canvas, which a notebook shows as a picture.

    Raises:
        OutputError: If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OutputError(
            f"figures are drawn by matplotlib, which cannot be imported ({error}):"
            " pip install 'matplotlib>=3.8'."
        ) from error

    class ShownFigure(Figure):  # type: ignore[misc]
        def _repr_png_(self) -> bytes:
            # Notebooks know pyplot's figures only.
            stream = io.BytesIO()
            self.savefig(stream, format="png", dpi=100, facecolor="white")
            return stream.getvalue()

    figure = ShownFigure(figsize=(width, height), facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def axes_at(figure: Any, left: float, top: float, width: float, height: float) -> Any:
    """Add axes at an exact position in inches from the upper left corner of a figure."""
    across, down = figure.get_size_inches()
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def figure_path(path: str | os.PathLike[str]) -> Path:
    """Return where a figure will be written, before work is spent on it.

    Args:
        path: The file; ``.png`` is added if there is no suffix.

    Raises:
        OutputError: If figures cannot be written in the format of the suffix.
    """
    target = Path(path)
    if not target.suffix:
        target = target.with_suffix(".png")
    if target.suffix.lower() not in FIGURE_SUFFIXES:
        raise OutputError(
            f"cannot write {target}: a figure is one of {', '.join(FIGURE_SUFFIXES)}, not"
            f" {target.suffix!r}; choose another suffix."
        )
    return target


def save_figure(figure: Any, path: str | os.PathLike[str], *, dpi: int = 150) -> Path:
    """Write a figure, whole or not at all, and return the path.

    Args:
        figure: A matplotlib figure.
        path: The file; the suffix determines the format, ``.png`` by default.
        dpi: Dots per inch.

    Raises:
        OutputError: If the file cannot be written.
    """
    target = figure_path(path)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=dpi, facecolor="white")
    return target


def pixels(image: Tensor | np.ndarray) -> np.ndarray:
    """Return an 8-bit RGB image.

    Args:
        image: A tensor in [0, 1] of shape (C, H, W) or (1, C, H, W), or an ``uint8`` array of
            shape (H, W, C) or (H, W); C is 1 or 3.

    Returns:
        ``uint8`` of shape (H, W, 3); grey is replicated.

    Raises:
        ValueError: If it is none of these.
    """
    if isinstance(image, Tensor):
        if image.ndim == 4 and image.shape[0] == 1:
            image = image[0]
        if image.ndim != 3:
            raise ValueError(f"an image has shape (C, H, W), got {tuple(image.shape)}")
        image = to_array(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(f"an image is uint8 with 1 or 3 channels, got {image.dtype} {image.shape}")
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def hide_ticks(axes: Any, *, frame: bool = True) -> None:
    """Remove the ticks of axes, and give them a thin frame or none."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(frame)
        spine.set_linewidth(0.5)
        spine.set_color(MUTED)


def plain_axes(axes: Any) -> None:
    """Give the axes of a plot a light grid, and no line at the top and on the right."""
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def frame_crop(axes: Any, crop: tuple[int, int], size: int, linewidth: float) -> None:
    """Frame a square crop, (top, left) and side in pixels, in an image."""
    from matplotlib.patches import Rectangle

    corner = (crop[1] - 0.5, crop[0] - 0.5)
    frame = Rectangle(corner, size, size, fill=False, edgecolor=ACCENT, linewidth=linewidth)
    axes.add_patch(frame)


def write_text(figure: Any, left: float, top: float, text: str | None, **style: Any) -> None:
    """Write a line of text, if any, at inches from the upper left corner of a figure.

    Args:
        figure: A matplotlib figure.
        left: Inches to the anchor, by default the centre of the line.
        top: Inches to the middle of the line.
        text: The line.
        **style: matplotlib's text properties.
    """
    if text:
        across, down = figure.get_size_inches()
        settings: dict[str, Any] = {
            "fontsize": LABEL_SIZE,
            "color": INK,
            "horizontalalignment": "center",
            "verticalalignment": "center",
            # Names of files and methods are not formulas.
            "parse_math": False,
        }
        figure.text(left / across, 1 - top / down, text, **{**settings, **style})


def write_title(figure: Any, title: str | None) -> None:
    """Write a title, if any, in the top ``TITLE_SPACE`` inches of a figure."""
    middle = figure.get_size_inches()[0] / 2
    write_text(figure, middle, 0.2, title, fontsize=TITLE_SIZE, fontweight="bold")


def title_space(title: str | None) -> float:
    """Return the inches to leave at the top: space for a title, or a margin."""
    return TITLE_SPACE if title else MARGIN


def title_width(title: str | None) -> float:
    """Return the inches that a title needs, estimated from its length."""
    return 0.105 * len(title or "") + 2 * MARGIN


def label_size(name: str, inches: float) -> float:
    """Return the font size at which a name fits into a width."""
    return max(min(LABEL_SIZE, inches * 72 / (0.6 * max(len(name), 1))), 5.0)
