"""Another camera's exposure and tone curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.primitives.tone import inverse_sigmoid_response, sigmoid_response
from realdeg.degradations.reduced import ReducedDegradation, as_range
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import FixedOrRange
from realdeg.utils.streams import stream_seed

# The limits to which Eilertsen et al.'s program clips its draws; an offset of 0 has no inverse.
EXPONENT_LIMITS = (0.2, 2.5)
OFFSET_LIMITS = (0.01, 5.0)
Exponent = Annotated[float, Interval(ge=EXPONENT_LIMITS[0], le=EXPONENT_LIMITS[1])]
Offset = Annotated[float, Interval(ge=OFFSET_LIMITS[0], le=OFFSET_LIMITS[1])]
Deviation = Annotated[float, Interval(ge=0, le=10)]
MEAN_EXPONENT, MEAN_OFFSET = 0.9, 0.6


@dataclass(frozen=True)
class CurveParams(TraceParams):
    """A camera's response, ``(1 + a) x^n / (x^n + a)``.

    Args:
        curve_exponent: n.
        curve_offset: a.
    """

    curve_exponent: Exponent
    curve_offset: Offset


@dataclass(frozen=True)
class ExposureParams(TraceParams):
    """An exposure.

    Args:
        stops: Exposure change in powers of two.
    """

    stops: Annotated[float, Interval(ge=-4, le=4)]


@DEGRADATIONS.register_module()
class ToneMap(ReducedDegradation):
    """Linearises the image by the average camera's curve and applies another's.

    Draws: exponent n and offset a of the curve ``(1 + a) x^n / (x^n + a)``, normal; and the
    exposure in stops, uniform. Applies: bicubic reduction, the inverse of the average curve
    (n = 0.9, a = 0.6), exposure, clipping, the drawn curve. Sources: curves and their
    distribution from Eilertsen et al., "HDR image reconstruction from a single exposure using
    deep CNNs" (SIGGRAPH Asia 2017; ``virtualcamera.cpp`` of gabrieleilertsen/hdrcnn); exposure
    from the camera model of BSRGAN's paper (Zhang et al., ICCV 2021), which draws from 201
    measured curves that its code does not contain.

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        curve_exponent: (mean, standard deviation) of n.
        curve_offset: (mean, standard deviation) of a.
        stops: (lowest, highest) of the exposure, in powers of two.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    unstated = ()

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        curve_exponent: tuple[Exponent, Deviation] = (MEAN_EXPONENT, 0.1),
        curve_offset: tuple[Offset, Deviation] = (MEAN_OFFSET, 0.1),
        stops: Annotated[FixedOrRange, Interval(ge=-4, le=4)] = (-0.1, 0.3),
    ) -> None:
        super().__init__(scale, same_size)
        self.curve_exponent = as_range(curve_exponent)
        self.curve_offset = as_range(curve_offset)
        self.stops = as_range(stops)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the curve and the exposure."""
        rng = np.random.default_rng(stream_seed(seed, "tone"))
        curve = draw_curve(rng, self.curve_exponent, self.curve_offset)
        exposure = ExposureParams(float(rng.uniform(*self.stops)))
        params = {**self.trace_params(), **curve.to_params(), **exposure.to_params()}
        return Trace("ToneMap", params, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Change exposure and curve of each image."""
        number = len(traces)
        stops = small.new_tensor([trace.read(ExposureParams).stops for trace in traces])
        exponents, offsets = traced_curves(traces)
        light = inverse_sigmoid_response(small, [MEAN_EXPONENT] * number, [MEAN_OFFSET] * number)
        light = (light * stops.exp2().view(-1, 1, 1, 1)).clamp(0, 1)
        return sigmoid_response(light, exponents, offsets).clamp(0, 1)


def draw_curve(
    rng: np.random.Generator, exponent: tuple[float, float], offset: tuple[float, float]
) -> CurveParams:
    """Draw a camera's response from the (mean, standard deviation) of n and a."""
    n, a = rng.normal(*exponent), rng.normal(*offset)
    return CurveParams(float(np.clip(n, *EXPONENT_LIMITS)), float(np.clip(a, *OFFSET_LIMITS)))


def traced_curves(traces: Sequence[Trace]) -> tuple[list[float], list[float]]:
    """Return the exponents and the offsets recorded in traces."""
    curves = [trace.read(CurveParams) for trace in traces]
    return [curve.curve_exponent for curve in curves], [curve.curve_offset for curve in curves]
