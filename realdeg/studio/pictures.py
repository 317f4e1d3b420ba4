"""The page's pictures of one place: a kernel and the noise around it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realdeg.studio.session import Place
from realdeg.utils.tap_colours import tap_colours
from realdeg.visualization.kernels import kernel_width
from realdeg.visualization.style import LABEL_SIZE, SMALL_SIZE, hide_ticks, new_figure
from realdeg.visualization.taps import draw_kernel

_SIDE = 2.7
_DOTS = 180
# Colours that read on a light and on a dark page; the figures have no background.
_INK = "#8a8f98"


def kernel_picture(kernel: NDArray[np.float64], stride: int) -> NDArray[np.uint8]:
    """Draw a kernel as every figure does: white is 0, red positive, blue negative.

    The line encloses the taps of at least half the peak; a cross marks the LR pixel.

    Args:
        kernel: Weights, (k, k).
        stride: HR pixels per LR pixel on the grid: where in its window a kernel is centred.

    Returns:
        An image with a transparent background, H x W x 4.
    """
    figure, axes = _axes()
    most = float(np.abs(kernel).max()) or 1.0
    draw_kernel(axes, kernel, span=most, stride=stride)
    _finish(
        figure,
        axes,
        most,
        f"{len(kernel)} x {len(kernel)} HR pixels\nsum {kernel.sum():.3f},"
        f" width {kernel_width(kernel):.2f} px",
    )
    return _pixels(figure)


def noise_picture(place: Place) -> NDArray[np.uint8] | None:
    """Draw the noise around a place, averaged over colours, on the same kind of map.

    Args:
        place: What :func:`~realdeg.studio.session.look_at` returned.

    Returns:
        An image with a transparent background, or None where there is no noise.
    """
    if place.noise is None or place.sigma is None:
        return None
    figure, axes = _axes()
    luma = place.noise.mean(axis=2)
    most = max(3 * float(luma.std()), 1e-3)
    axes.imshow(tap_colours(luma, most), interpolation="nearest")
    height, width = luma.shape
    _finish(
        figure,
        axes,
        most,
        f"{height} x {width} LR pixels\nsigma {place.sigma:.2f} of 255 per channel",
    )
    return _pixels(figure)


def _axes() -> tuple[Any, Any]:
    figure = new_figure(_SIDE + 0.6, _SIDE + 0.25, layout="constrained")
    figure.set_facecolor("none")
    return figure, figure.add_subplot()


def _finish(figure: Any, axes: Any, most: float, caption: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    hide_ticks(axes)
    axes.set_xlabel(caption, fontsize=LABEL_SIZE, color=_INK)
    for spine in axes.spines.values():
        spine.set_color(_INK)
    colours = ListedColormap(tap_colours(np.linspace(-1, 1, 257)) / 255)
    shown = ScalarMappable(Normalize(-most, most), colours)
    bar = figure.colorbar(shown, ax=axes, fraction=0.05, pad=0.03)
    bar.ax.tick_params(labelsize=SMALL_SIZE, colors=_INK)
    bar.outline.set_edgecolor(_INK)


def _pixels(figure: Any) -> NDArray[np.uint8]:
    from PIL import Image

    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DOTS, transparent=True)
    with Image.open(stream) as image:
        return np.asarray(image.convert("RGBA"))
