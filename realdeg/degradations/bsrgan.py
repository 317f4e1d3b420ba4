"""BSRGAN's shuffled degradation (Zhang, Liang, Van Gool, Timofte, ICCV 2021)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Interval

from realdeg.degradations.base import DegradationLike, Scale
from realdeg.degradations.bsrgan_draws import draw_blur, draw_jpeg, draw_mode, draw_noise
from realdeg.degradations.pipeline import PipelineDegradation, StepList
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Fraction, WholeRange

_SHIFTED_KERNEL_SIZE = 25
_BLURS, _SHRINK, _SHRINK_REST, _NOISE, _JPEG, _ISP = (0, 1), 2, 3, 4, 5, 6


@DEGRADATIONS.register_module()
class BSRGAN(PipelineDegradation):
    """Blurs, downsamples, adds noise and compresses in a random order.

    It draws the same as ``degradation_bsrgan`` of the released code (cszn/KAIR). At scale 4, a
    halving comes first with probability 0.25. Then follow in random order two blurs (isotropic or
    anisotropic Gaussian, 7 to 25 pixels), a first downsampling (by a random factor, or by a shifted
    Gaussian and keeping every scale-th pixel), a second one to the final size, never before the
    first, Gaussian noise (white, grey or correlated between the channels), JPEG with
    probability 0.9 and sensor noise. A final JPEG ends the list.

    Where code and paper differ, the code is followed. The paper adds camera sensor noise through a
    camera ISP. Its code was not released and is switched off in every public training, so ``isp``
    is ``None``; set ``dict(type="CameraISP")`` or any other degradation. The code would also pass
    the HR image through it; here HR is unchanged. The code fixes the level of correlated noise at
    25 grey levels and ignores the drawn one.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        halving_probability: Probability that scale 4 starts with a halving.
        jpeg_probability: Probability of a JPEG before the last one.
        noise_levels: (lowest, highest) standard deviation of the noise, whole grey levels of
            0 to 255.
        jpeg_qualities: (lowest, highest) quality.
        isp: Degradation that models a camera's noise and processing, or ``None``.
        isp_probability: Probability that ``isp`` is applied.

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
        halving_probability: Fraction = 0.25,
        jpeg_probability: Fraction = 0.9,
        noise_levels: Annotated[WholeRange, Interval(ge=0, le=255)] = (2, 25),
        jpeg_qualities: Annotated[WholeRange, Interval(ge=1, le=100)] = (30, 95),
        isp: DegradationLike | None = None,
        isp_probability: Fraction = 0.25,
    ) -> None:
        super().__init__(scale, same_size, parts={"isp": isp})
        self.halving_probability = halving_probability
        self.jpeg_probability = jpeg_probability
        self.isp_probability = isp_probability
        self.noise_levels, self.jpeg_qualities = noise_levels, jpeg_qualities

    def plan(self, rng: np.random.Generator, size: tuple[int, int, int]) -> list[dict[str, Any]]:
        """Draw the order and every step's strength."""
        steps = StepList(rng, size[1], size[2])
        small = self.small_size(size[1], size[2])
        scale = self.scale
        if scale == 4 and rng.random() < self.halving_probability:
            mode = draw_mode(rng) if rng.random() < 0.5 else "matlab_bicubic"
            steps.resize((steps.height // 2, steps.width // 2), mode, clip=True)
            scale = 2
        for op in _order(rng):
            if op in _BLURS:
                draw_blur(rng, steps, scale)
            elif op == _SHRINK:
                _shrink(rng, steps, scale)
            elif op == _SHRINK_REST:
                steps.resize(small, draw_mode(rng), clip=True)
            elif op == _NOISE:
                draw_noise(rng, steps, "gaussian_noise", self.noise_levels)
            elif op == _JPEG and rng.random() < self.jpeg_probability:
                draw_jpeg(rng, steps, self.jpeg_qualities)
            elif op == _ISP and "isp" in self.parts and (rng.random() < self.isp_probability):
                steps.add_part("isp")
        draw_jpeg(rng, steps, self.jpeg_qualities)
        return steps.records


def _order(rng: np.random.Generator) -> list[int]:
    order: list[int] = rng.permutation(7).tolist()
    first, second = order.index(_SHRINK), order.index(_SHRINK_REST)
    if first > second:
        order[first], order[second] = order[second], order[first]
    return order


def _shrink(rng: np.random.Generator, steps: StepList, scale: int) -> None:
    if rng.random() < 0.75:
        factor = rng.uniform(1, 2 * scale)
        size = (int(steps.height / factor), int(steps.width / factor))
        steps.resize(size, draw_mode(rng), clip=True)
        return
    sigma = max(rng.uniform(0.1, 0.6 * scale), 1e-6)
    steps.subsample("shifted_kernel_down", scale, kernel_size=_SHIFTED_KERNEL_SIZE, sigma=sigma)
