"""Halftone: tones printed as dots of ink, as in newspapers and comics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal, get_args

import numpy as np
import torch
from annotated_types import Interval, MaxLen, MinLen
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.reduced import ReducedDegradation, as_range
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Ascending, Fraction
from realdeg.utils.colour import in_rgb, rgb_to_grey
from realdeg.utils.streams import stream_seed

Shape = Literal["circle", "diamond", "ellipse", "cross", "line"]
Separation = Literal["grey", "rgb", "cmyk"]
_DotSize = Interval(ge=2, le=64)
_Angle = Interval(ge=-360, le=360)
Angles = Annotated[float | tuple[float, float], Ascending(), _Angle]
"""An angle in degrees, or the smallest and largest."""

# Distances from the centre of a square from -1 to 1: what is nearest is printed first.
_DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "circle": lambda u, v: u * u + v * v,
    "diamond": lambda u, v: u.abs() + v.abs(),
    "ellipse": lambda u, v: u * u + v * v - u * v,
    "cross": lambda u, v: (u.abs() - v.abs()).abs(),
    "line": lambda u, v: u.abs(),
}
_POINTS, _QUANTILES = 2**18, 2**12


@dataclass(frozen=True)
class ScreentoneParams(TraceParams):
    """The drawn settings.

    Args:
        separation: Into which inks.
        shape: Of the dots.
        dot_size: Side of a dot's square in LR pixels.
        angles: Of the screens of cyan, magenta, yellow and black, in degrees.
        shift: Of all screens along their two axes, as a share of their period.
        ink: Opacity of the inks.
    """

    separation: Separation
    shape: Shape
    dot_size: Annotated[float, _DotSize]
    angles: Annotated[tuple[float, ...], MinLen(4), MaxLen(4), _Angle]
    shift: tuple[Fraction, Fraction]
    ink: Fraction


@DEGRADATIONS.register_module()
class Screentone(ReducedDegradation):
    """Prints tones as dots of ink, larger where it is darker, on screens at an angle.

    Draws: separation and shape, each equally likely; the size of the dots, the angle of each
    screen, where the screens lie, and the opacity of the inks, uniformly in their ranges. Applies:
    bicubic reduction, separation into inks, and for each ink a screen: squares in which a dot of
    ink grows from the centre, and between them, as on a chessboard, squares in which a dot of paper
    shrinks. A pixel has ink if more of it is wanted than the screen's threshold there. Thresholds
    are uniform over two squares, so a plain area keeps its mean.

    ========  ========================================================================
    inks      amounts
    ========  ========================================================================
    ``grey``  black for 1 - grey; colours are lost
    ``rgb``   cyan, magenta and yellow for 1 - R, 1 - G and 1 - B
    ``cmyk``  black for k = 1 - max(R, G, B), the others for (1 - R - k) / (1 - k), ...
    ========  ========================================================================

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        separations: Inks to choose from.
        shapes: Shapes of the dots to choose from: ``"circle"``, ``"diamond"``, ``"ellipse"``,
            ``"cross"`` and ``"line"``, which makes stripes.
        dot_size: (lowest, highest) side of a dot's square in LR pixels, from 2 to 64; one number
            fixes it. A screen repeats after two squares.
        cyan: (lowest, highest) angle of cyan's screen in degrees, clockwise; one number fixes it.
            At 0 the squares are parallel to the borders and stripes are vertical.
        magenta: The same for magenta.
        yellow: The same for yellow.
        black: The same for black.
        ink: (lowest, highest) opacity of the inks, from 0 to 1; one number fixes it.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Clustered-dot screens as in Ulichney, "Digital Halftoning", MIT Press 1987; the alternation
        of ink and paper, shapes and ranges as in wtp_dataset_destroyer (umzi2,
        ``src/process/screentone_degr.py``, commit ec42ce6) and its library pepeline. There dot
        sizes and angles are whole numbers, and every ink draws its own shape.
    """

    differentiable = False

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        separations: Annotated[Sequence[Separation], MinLen(1)] = ("rgb", "cmyk"),
        shapes: Annotated[Sequence[Shape], MinLen(1)] = ("circle", "ellipse"),
        dot_size: Annotated[float | tuple[float, float], Ascending(), _DotSize] = 7.0,
        cyan: Angles = (-45.0, 45.0),
        magenta: Angles = (-45.0, 45.0),
        yellow: Angles = (-45.0, 45.0),
        black: Angles = (-45.0, 45.0),
        ink: Annotated[float | tuple[float, float], Ascending(), Interval(ge=0, le=1)] = (0.5, 1.0),
    ) -> None:
        super().__init__(scale, same_size)
        self.separations, self.shapes = tuple(separations), tuple(shapes)
        self.dot_size, self.ink = as_range(dot_size), as_range(ink)
        self.angles = tuple(as_range(one) for one in (cyan, magenta, yellow, black))

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the inks and their screens."""
        rng = np.random.default_rng(stream_seed(seed, "screentone"))
        # All four angles are always drawn, so that the inks do not change what follows.
        drawn = ScreentoneParams(
            separation=self.separations[int(rng.integers(len(self.separations)))],
            shape=self.shapes[int(rng.integers(len(self.shapes)))],
            dot_size=float(rng.uniform(*self.dot_size)),
            angles=tuple(float(rng.uniform(*limits)) for limits in self.angles),
            shift=(float(rng.random()), float(rng.random())),
            ink=float(rng.uniform(*self.ink)),
        )
        return Trace(type(self).__name__, {**self.trace_params(), **drawn.to_params()}, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Print each image."""
        drawn = [trace.read(ScreentoneParams) for trace in traces]

        def print_all(rgb: Tensor) -> Tensor:
            return torch.stack([printed(*pair) for pair in zip(rgb, drawn, strict=True)])

        return in_rgb(small, print_all)


def printed(rgb: Tensor, drawn: ScreentoneParams) -> Tensor:
    """Print an image.

    Args:
        rgb: Shape (3, H, W); clipped to [0, 1].
        drawn: The settings.

    Returns:
        The same shape, in [0, 1]: white where there is no ink.
    """
    inks = separated(rgb.clamp(0, 1), drawn.separation)
    angles = drawn.angles[-1:] if drawn.separation == "grey" else drawn.angles[: len(inks)]
    height, width = rgb.shape[-2:]
    screens = [
        screen(height, width, drawn.shape, drawn.dot_size, angle, drawn.shift) for angle in angles
    ]
    # On the CPU and in float64, whatever the device: a threshold decides between 0 and 1.
    inked = inks > torch.stack(screens).to(inks)
    light = 1 - drawn.ink * inked.to(rgb.dtype)
    if drawn.separation == "cmyk":
        light = light[:3] * light[3:]
    return light.expand(3, -1, -1)


def separated(rgb: Tensor, separation: Separation) -> Tensor:
    """Return the amounts of inks that print an image.

    Args:
        rgb: Shape (3, H, W), in [0, 1].
        separation: See :class:`Screentone`.

    Returns:
        Shape (1, H, W) for black, (3, H, W) for cyan, magenta and yellow, or (4, H, W) for these
        and black; in [0, 1].

    Examples:
        >>> separated(torch.tensor([0.5, 0.25, 0.0]).view(3, 1, 1), "cmyk").flatten().tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    if separation == "grey":
        return 1 - rgb_to_grey(rgb)
    darkness = 1 - rgb
    if separation == "rgb":
        return darkness
    black = darkness.amin(0, keepdim=True)
    # Black alone has no colour, so 0 / 0 becomes 0.
    colours = (darkness - black) / (1 - black).clamp(min=torch.finfo(rgb.dtype).tiny)
    return torch.cat((colours, black))


def screen(
    height: int,
    width: int,
    shape: Shape,
    dot_size: float,
    angle: float,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Return the thresholds of a screen.

    Args:
        height: Of the image in pixels.
        width: Of the image in pixels.
        shape: The shape of the dots.
        dot_size: Side of a dot's square in pixels.
        angle: Of the screen in degrees, clockwise.
        shift: Of the screen along its axes, as a share of its period of two squares.

    Returns:
        Shape (H, W), float64, above 0 and below 1: a pixel has ink if more is wanted.
    """
    theta = math.radians(angle)
    cosine, sine = math.cos(theta) / dot_size, math.sin(theta) / dot_size
    y = torch.arange(height, dtype=torch.float64)[:, None] + 0.5
    x = torch.arange(width, dtype=torch.float64) + 0.5
    u, v = cosine * x + sine * y - 2 * shift[0], cosine * y - sine * x - 2 * shift[1]
    column, row = u.floor(), v.floor()
    distance = _DISTANCES[shape](2 * (u - column) - 1, 2 * (v - row) - 1)
    quantiles = _quantiles(shape)
    # The share of the square that is nearer to its centre, from 0 to 1 without these.
    nearer = (torch.searchsorted(quantiles, distance) + 0.5) / (_QUANTILES + 1)
    of_paper = (column if shape == "line" else column + row) % 2 == 1
    return torch.where(of_paper, 1 - nearer / 2, nearer / 2)


@lru_cache(maxsize=len(get_args(Shape)))
def _quantiles(shape: Shape) -> Tensor:
    """Return the distances below which equal shares of the square lie, ascending, float64."""
    # Not all shapes have a formula for that. The points fill the square evenly, without rows whose
    # points would be equally far (Roberts, "The unreasonable effectiveness of quasirandom
    # sequences", 2018).
    steps = torch.tensor([[0.7548776662466927], [0.5698402909980532]], dtype=torch.float64)
    u, v = (steps * torch.arange(_POINTS, dtype=torch.float64)) % 1 * 2 - 1
    distances = _DISTANCES[shape](u, v).sort().values
    step = _POINTS // _QUANTILES
    return distances[step // 2 :: step].contiguous()
