"""A camera's sensor and image signal processor as a degradation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.mosaic import PatternParams, draw_pattern
from realdeg.degradations.primitives.camera import (
    BROOKS_CAMERAS,
    CAMERAS,
    apply_raw_gains,
    camera_matrix,
    linear_colours,
    sensor_values,
)
from realdeg.degradations.primitives.mosaic import as_channels, as_colour, bayer_mosaic, demosaic
from realdeg.degradations.primitives.noise import shot_read_noise
from realdeg.degradations.primitives.tone import (
    gamma_compress,
    gamma_expand,
    inverse_sigmoid_response,
    inverse_smoothstep,
    sigmoid_response,
    smoothstep,
)
from realdeg.degradations.reduced import ReducedDegradation, as_range
from realdeg.degradations.tone_map import MEAN_EXPONENT, MEAN_OFFSET, draw_curve, traced_curves
from realdeg.degradations.trace import Seed, Trace, TraceParams
from realdeg.errors import DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Choice, FixedOrRange
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class CameraRecipe:
    """How a paper draws a camera.

    Args:
        cameras: The cameras whose colour matrices are mixed.
        exposure: ``"normal"``: gain 1 / N(0.8, 0.1); ``"stops"``: gain 2 ** U(-0.1, 0.3).
        red: (lowest, highest) white balance gain of red.
        blue: (lowest, highest) white balance gain of blue.
        curve: ``"smoothstep"`` after gamma 2.2, or a drawn ``"sigmoid"`` response.
        method: The demosaicing method.
        pattern: The Bayer pattern, or ``"random"``.
    """

    cameras: tuple[str, ...]
    exposure: str
    red: tuple[float, float]
    blue: tuple[float, float]
    curve: str
    method: str
    pattern: str


RECIPES = {
    "brooks": CameraRecipe(
        BROOKS_CAMERAS, "normal", (1.9, 2.4), (1.5, 1.9), "smoothstep", "bilinear", "RGGB"
    ),
    "bsrgan": CameraRecipe(
        tuple(CAMERAS), "stops", (1.2, 2.4), (1.2, 2.4), "sigmoid", "malvar", "random"
    ),
}
# Brooks et al.: log read = 2.18 log shot + 1.20 + N(0, 0.26), a line fitted to real cameras.
_READ_SLOPE, _READ_INTERCEPT, _READ_SPREAD = 2.18, 1.20, 0.26
_LARGEST_GAIN = 16.0
_LARGEST_VARIANCE = 1.0

_Gain = Annotated[float, Interval(ge=1 / _LARGEST_GAIN, le=_LARGEST_GAIN)]


@dataclass(frozen=True)
class CameraParams(TraceParams):
    """A camera.

    Args:
        cameras: The shares of named cameras in its colour matrix, from 0 to 1.
        exposure: Gain of all channels.
        red_gain: White balance of red.
        blue_gain: White balance of blue.
    """

    cameras: Mapping[str, Annotated[float, Interval(ge=0, le=1)]]
    exposure: _Gain
    red_gain: _Gain
    blue_gain: _Gain


@dataclass(frozen=True)
class SensorNoiseParams(TraceParams):
    """A sensor's noise: the variance at value x is ``shot * x + read``.

    Args:
        shot: Variance per value.
        read: Variance at black.
        noise_seed: The seed of the field.
    """

    # The bound of shot allows for the rounding of exp(log(1)).
    shot: Annotated[float, Interval(ge=0, le=_LARGEST_VARIANCE * (1 + 1e-9))]
    read: Annotated[float, Interval(ge=0, le=_LARGEST_VARIANCE)]
    noise_seed: Seed


@DEGRADATIONS.register_module()
class CameraISP(ReducedDegradation):
    """Converts the image back to raw, adds the sensor's noise there, and processes it again.

    Draws: weights of cameras' colour matrices, exposure, white balance, curve, Bayer pattern, shot
    noise (log-uniform) and read noise (normal about a line in the logarithm). Applies: bicubic
    reduction; inverse curve, colour matrix and gains; mosaic; noise; white balance and exposure;
    demosaicing; colour matrix and curve. The resulting noise depends on brightness and is
    correlated between neighbours and channels.

    Recipes:
        ``"brooks"``: Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019).
        Their forward code omits exposure and tone curve. Here both are applied again, since LR
        must match an HR image that has them. The exposure's divisor is clipped to [0.3, 1.3],
        because a normal value could be 0.

        ``"bsrgan"``: the sensor step that BSRGAN's paper describes (Zhang et al., ICCV 2021) and
        its released code omits: Malvar's demosaicing, gains U(1.2, 2.4), exposure
        2 ** U(-0.1, 0.3). The matrices of its five cameras and its 201 response curves were not
        published; public matrices and the curves of :class:`ToneMap` replace them. The paper also
        processes HR with the drawn colours and curve; here they are undone and applied again, so
        that HR is unchanged.

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        recipe: ``"brooks"`` or ``"bsrgan"``.
        camera: A name in ``primitives.camera.CAMERAS``, whose matrix replaces the mixture.
        shot: (lowest, highest) shot noise: variance per value at the sensor.
        noise: Whether noise is added at all.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``. A
        grey image is treated as a grey object: it is repeated for R, G and B, and the result's
        luminance is returned.

    Raises:
        ConfigError: If an argument is unknown or out of range.
    """

    unstated = ("kernel",)

    reach = 2

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        recipe: Annotated[str, Choice(*RECIPES)] = "brooks",
        camera: Annotated[str, Choice(*CAMERAS)] | None = None,
        shot: Annotated[FixedOrRange, Interval(gt=0, le=_LARGEST_VARIANCE)] = (1e-4, 1.2e-2),
        noise: bool = True,
    ) -> None:
        super().__init__(scale, same_size)
        self.recipe = recipe
        self.camera = camera
        self.shot = as_range(shot)
        self.noise = bool(noise)

    def trace_params(self) -> dict[str, Any]:
        """Return the geometry and the settings that are not drawn."""
        return {
            **super().trace_params(),
            "curve": RECIPES[self.recipe].curve,
            "method": RECIPES[self.recipe].method,
        }

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the camera and its noise."""
        recipe = RECIPES[self.recipe]
        rng = np.random.default_rng(stream_seed(seed, "camera"))
        params = self.trace_params()
        cameras = recipe.cameras if self.camera is None else (self.camera,)
        shares = rng.random(len(cameras)) + 1e-9  # never all 0
        # Rounded for readability of the trace; the matrix divides by their sum.
        shares = np.round(shares / shares.sum(), 4)
        if recipe.exposure == "normal":
            exposure = 1 / float(np.clip(rng.normal(0.8, 0.1), 0.3, 1.3))
        else:
            exposure = float(2 ** rng.uniform(-0.1, 0.3))
        params |= CameraParams(
            cameras={name: float(s) for name, s in zip(cameras, shares, strict=True)},
            exposure=exposure,
            red_gain=float(rng.uniform(*recipe.red)),
            blue_gain=float(rng.uniform(*recipe.blue)),
        ).to_params()
        if recipe.curve == "sigmoid":
            params |= draw_curve(rng, (MEAN_EXPONENT, 0.1), (MEAN_OFFSET, 0.1)).to_params()
        params |= draw_pattern(recipe.pattern, seed).to_params()
        if self.noise:
            shot, read = draw_noise(rng, self.shot)
            params |= SensorNoiseParams(shot, read, stream_seed(seed, "noise")).to_params()
        return Trace("CameraISP", params, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Re-capture each image with the camera of its trace."""
        recipe = RECIPES[self.recipe]
        cameras = [trace.read(CameraParams) for trace in traces]
        matrices = torch.stack([_matrix(camera.cameras) for camera in cameras])
        gains = tuple(
            [float(getattr(camera, name)) for camera in cameras]
            for name in ("exposure", "red_gain", "blue_gain")
        )
        curve = recipe.curve
        light = _to_light(as_colour(small), curve, traces)
        sensor = sensor_values(light, matrices, *gains)
        images = []
        for index, trace in enumerate(traces):
            pattern = trace.read(PatternParams).pattern
            raw = bayer_mosaic(sensor[index : index + 1], pattern)
            if self.noise:
                noise = trace.read(SensorNoiseParams)
                raw = shot_read_noise(raw, [noise.shot], [noise.read], [noise.noise_seed])
            raw = apply_raw_gains(raw, pattern, *([gain[index]] for gain in gains))
            images.append(demosaic(raw, pattern, recipe.method))
        colours = linear_colours(torch.cat(images), matrices)
        return as_channels(_from_light(colours, curve, traces), small.shape[1]).clamp(0, 1)

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the sensor's shot and read noise, and their deviation at mid-grey."""
        if not self.noise:
            return {"shot": 0.0, "read": 0.0, "noise_level": 0.0}
        noise = trace.read(SensorNoiseParams)
        level = math.sqrt(0.18 * noise.shot + noise.read)
        return {"shot": noise.shot, "read": noise.read, "noise_level": level}

    def describe(self) -> str:
        """Return a one-line description."""
        whose = self.camera or f"cameras as {self.recipe} draws them"
        return f"{super().describe()}, {whose}{'' if self.noise else ', no noise'}"


def draw_noise(rng: np.random.Generator, shot: Sequence[float]) -> tuple[float, float]:
    """Draw (shot, read) as Brooks et al. do: the variance at value x is ``shot * x + read``.

    Shot noise is log-uniform between the two values of ``shot``.
    """
    log_shot = rng.uniform(math.log(shot[0]), math.log(shot[1]))
    log_read = _READ_SLOPE * log_shot + _READ_INTERCEPT + rng.normal(0, _READ_SPREAD)
    read = min(math.exp(log_read), _LARGEST_VARIANCE)
    return float(math.exp(log_shot)), float(read)


def _matrix(shares: Mapping[str, float]) -> Tensor:
    for name in shares:
        if name not in CAMERAS:
            raise DataError(
                f"the trace of CameraISP: 'cameras' has {name!r:.40}, wanted some of"
                f" {', '.join(CAMERAS)}."
            )
    if sum(shares.values()) <= 0:
        raise DataError("the trace of CameraISP: 'cameras' has no share above 0.")
    return camera_matrix(shares)


def _to_light(images: Tensor, curve: str, traces: Sequence[Trace]) -> Tensor:
    if curve == "sigmoid":
        return inverse_sigmoid_response(images, *traced_curves(traces))
    return gamma_expand(inverse_smoothstep(images))


def _from_light(light: Tensor, curve: str, traces: Sequence[Trace]) -> Tensor:
    if curve == "sigmoid":
        return sigmoid_response(light, *traced_curves(traces))
    return smoothstep(gamma_compress(light))
