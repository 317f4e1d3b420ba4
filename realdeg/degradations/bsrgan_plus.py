"""BSRGAN+: the longer pipeline in the code published by BSRGAN's authors (Zhang et al.)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Interval

from realdeg.degradations.base import DegradationLike, Scale
from realdeg.degradations.bsrgan_draws import draw_blur, draw_jpeg, draw_mode, draw_noise
from realdeg.degradations.pipeline import PipelineDegradation, StepList
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Fraction, WholeRange

# Two rounds of the same six steps with one JPEG between them: 0 to 5, 6, 7 to 12.
_STEPS, _JPEG, _ROUND = 13, 6, 7
_BLUR, _RESIZE, _GAUSSIAN, _POISSON, _SPECKLE, _ISP = range(6)


@DEGRADATIONS.register_module()
class BSRGANPlus(PipelineDegradation):
    """Two rounds of blur, resizing and noise with JPEG between and after, mostly in fixed order.

    It draws the same as ``degradation_bsrgan_plus`` of the released code (cszn/KAIR): two rounds of
    blur, resizing (down 70 %, up 20 %, none 10 %), Gaussian noise, Poisson noise,
    speckle and sensor noise (each with its probability), a JPEG between the rounds, then the
    final resizing and a last JPEG. Within a round the four kinds of noise come in random order;
    with ``shuffle_probability`` all thirteen steps are shuffled.

    The code gives several values for two settings. ``shuffle_probability`` is 0.5 in the
    function's signature but 0.1 in the data set class and the training options; 0.1 is used.
    Initial sharpening is off in cszn/KAIR and on in cszn/BSRGAN, where it also sharpens the HR
    image. It is off here, and ``sharpen`` does not change HR. Camera sensor noise was not released
    and is off unless ``isp`` is given.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        shuffle_probability: Probability that all steps are shuffled.
        sharpen: Whether to start with unsharp masking (weight 0.5, radius 50, threshold 10).
        poisson_probability: Probability of Poisson noise in a round.
        speckle_probability: Probability of speckle in a round.
        noise_levels: (lowest, highest) standard deviation of Gaussian noise and speckle, whole
            grey levels of 0 to 255.
        jpeg_qualities: (lowest, highest) quality.
        isp: Degradation that models a camera's noise and processing, or ``None``.
        isp_probability: Probability that a round applies ``isp``.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    reach: ClassVar[int] = 28

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        shuffle_probability: Fraction = 0.1,
        sharpen: bool = False,
        poisson_probability: Fraction = 0.1,
        speckle_probability: Fraction = 0.1,
        noise_levels: Annotated[WholeRange, Interval(ge=0, le=255)] = (2, 25),
        jpeg_qualities: Annotated[WholeRange, Interval(ge=1, le=100)] = (30, 95),
        isp: DegradationLike | None = None,
        isp_probability: Fraction = 0.1,
    ) -> None:
        super().__init__(scale, same_size, parts={"isp": isp})
        self.shuffle_probability = shuffle_probability
        self.poisson_probability = poisson_probability
        self.speckle_probability = speckle_probability
        self.isp_probability = isp_probability
        self.noise_levels, self.jpeg_qualities = noise_levels, jpeg_qualities
        self.sharpen = bool(sharpen)

    def plan(self, rng: np.random.Generator, size: tuple[int, int, int]) -> list[dict[str, Any]]:
        """Draw the order and every step's strength."""
        steps = StepList(rng, size[1], size[2])
        if self.sharpen:
            steps.add("unsharp", weight=0.5, radius=50, threshold=10.0)
        for op in self._order(rng):
            if op == _JPEG:
                draw_jpeg(rng, steps, self.jpeg_qualities)
            else:
                self._draw(rng, steps, op % _ROUND)
        steps.resize(self.small_size(size[1], size[2]), draw_mode(rng))
        draw_jpeg(rng, steps, self.jpeg_qualities)
        return steps.records

    def _order(self, rng: np.random.Generator) -> list[int]:
        if rng.random() < self.shuffle_probability:
            drawn: list[int] = rng.permutation(_STEPS).tolist()
            return drawn
        first = 2 + rng.permutation(4)
        second = _ROUND + 2 + rng.permutation(4)
        return [0, 1, *first.tolist(), _JPEG, 7, 8, *second.tolist()]

    def _draw(self, rng: np.random.Generator, steps: StepList, op: int) -> None:
        if op == _BLUR:
            draw_blur(rng, steps, self.scale)
        elif op == _RESIZE:
            _draw_resize(rng, steps, self.scale)
        elif op == _GAUSSIAN:
            draw_noise(rng, steps, "gaussian_noise", self.noise_levels)
        elif op == _POISSON and rng.random() < self.poisson_probability:
            peak = 10 ** (2 * rng.random() + 2)
            steps.add_noise("poisson_noise", peak=peak, grey=bool(rng.random() >= 0.5))
        elif op == _SPECKLE and rng.random() < self.speckle_probability:
            draw_noise(rng, steps, "speckle_noise", self.noise_levels)
        elif op == _ISP and "isp" in self.parts and rng.random() < self.isp_probability:
            steps.add_part("isp")


def _draw_resize(rng: np.random.Generator, steps: StepList, scale: int) -> None:
    branch = rng.random()
    if branch > 0.8:
        factor = rng.uniform(1, 2)
    elif branch < 0.7:
        factor = rng.uniform(0.5 / scale, 1)
    else:
        factor = 1.0
    size = (int(factor * steps.height), int(factor * steps.width))
    steps.resize(size, draw_mode(rng), clip=True)
