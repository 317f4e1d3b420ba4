"""What a page can show beside tables and curves, as plain data.

Images are uint8 arrays of shape (H, W, 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """One version of an image.

    Attributes:
        name: ``"HR"``, ``"LR"``, ``"bicubic"`` or a run's label.
        image: May be smaller than HR: it is shown at HR's size, with its pixels visible.
        note: A number or a remark, such as ``"31.20 dB"``.
    """

    name: str
    image: NDArray[np.uint8]
    note: str = ""


@dataclass(frozen=True)
class Shot:
    """The same part of one test image in several versions.

    Attributes:
        key: The image's name in its data set.
        part: Which part of it is shown, in words; empty for the whole image.
        layers: At least one, of one field of view.
    """

    key: str
    part: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Gallery:
    """Images whose versions are compared.

    Attributes:
        title: The heading.
        note: What was done, in a sentence or two.
        shots: The images; all have layers of the same names.
        before: The layer shown on the left at first.
        after: The layer shown on the right at first.
    """

    title: str
    note: str
    shots: tuple[Shot, ...]
    before: str
    after: str


@dataclass(frozen=True)
class KernelField:
    """Kernels at the points of a grid over an image.

    Attributes:
        title: The image's name.
        image: What the kernels were predicted from.
        rows: Grid rows; the points are in the middle of equal cells.
        columns: Grid columns.
        kernels: By model, shape (rows * columns, k, k), row by row.
        stride: HR pixels per LR pixel on the grid: where in its window a kernel is centred.
    """

    title: str
    image: NDArray[np.uint8]
    rows: int
    columns: int
    kernels: Mapping[str, NDArray[np.float64]]
    stride: int = 1


@dataclass(frozen=True)
class Basis:
    """The kernels that a degradation mixes, and how much of each it uses where.

    Attributes:
        label: The run.
        image: The image of the maps.
        kernels: Shape (N, k, k).
        maps: Shape (N, h, w), in [0, 1] for softmax weights.
        stride: As for :class:`KernelField`.
    """

    label: str
    image: NDArray[np.uint8]
    kernels: NDArray[np.float64]
    maps: NDArray[np.float64]
    stride: int = 1


@dataclass(frozen=True)
class Plot:
    """Curves over anything but iterations.

    Attributes:
        title: The heading.
        across: Name and unit of the x axis.
        upward: Name and unit of the y axis.
        series: By name, x and y.
    """

    title: str
    across: str
    upward: str
    series: Mapping[str, tuple[list[float], list[float]]]


@dataclass
class Pictures:
    """Everything that is drawn from images.

    Attributes:
        galleries: Before and after.
        fields: Kernels at the pointer.
        bases: Learned bases with their weight maps.
        spectra: Transfer and noise of generated and of real LR images.
        figures: Finished PNG files by caption, for runs whose images could not be made again.
        left_out: Sentences that say what is missing and why.
    """

    galleries: list[Gallery] = field(default_factory=list)
    fields: list[KernelField] = field(default_factory=list)
    bases: list[Basis] = field(default_factory=list)
    spectra: list[Plot] = field(default_factory=list)
    figures: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
