"""Real-ESRGAN's second-order degradation (Wang, Xie, Dong, Shan, ICCVW 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np

from realdeg.degradations.base import Scale
from realdeg.degradations.pipeline import PipelineDegradation, StepList
from realdeg.degradations.real_esrgan_order import (
    FIRST,
    SECOND,
    Order,
    change_order,
    draw_factor,
    draw_kernel,
    draw_mode,
    draw_noise,
    draw_uniform,
)
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Choice, Fraction

_CODECS = {"libjpeg": "jpeg", "differentiable": "differentiable_jpeg"}


@DEGRADATIONS.register_module()
class RealESRGAN(PipelineDegradation):
    """Two rounds of blur, resizing, noise and JPEG, with a sinc filter at the end.

    It draws the same as the released code (BasicSR ``realesrgan_dataset.py`` and
    ``realesrgan_model.py``). The image is sharpened by unsharp masking (weight 0.5, radius 50,
    threshold 10). Then follow two orders (:class:`~realdeg.degradations.real_esrgan_order.Order`)
    of blur by one of seven kernel shapes, resizing, Gaussian or Poisson noise, and JPEG. In the
    second order, resizing to the LR size and a sinc filter (probability 0.8) come before or after
    the JPEG, equally often. Finally values are rounded to 8 bit.

    Differences from the code: every decision is drawn per image, while the code shares sizes, kinds
    of noise and order within a batch and compensates by a pool of 180 pairs. Grey noise has its own
    pattern in every image, while the code shares one. Factors become sizes that fill the frame,
    while the code passes them to ``interpolate``, which leaves up to a pixel at the right and
    bottom. JPEG is libjpeg's with whole-number qualities; ``codec="differentiable"`` uses the
    code's tensor JPEG. The sharpened HR is degraded; the training target is up to the task.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        sharpen: Whether to start with unsharp masking.
        first: Overrides of the first order's settings, by name.
        second: Overrides of the second order's settings.
        final_sinc_probability: Probability of a sinc filter at the end.
        codec: ``"libjpeg"`` or ``"differentiable"``.
        second_order_probability: Probability of the second order's blur, resizing and noise;
            without them resizing to the LR size, sinc filter and JPEG follow at once (ResShift).

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If a setting is unknown or out of range.
    """

    reach: ClassVar[int] = 80
    later_arguments: ClassVar[tuple[str, ...]] = ("second_order_probability",)

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        sharpen: bool = True,
        first: Mapping[str, Any] | None = None,
        second: Mapping[str, Any] | None = None,
        final_sinc_probability: Fraction = 0.8,
        codec: Annotated[str, Choice(*_CODECS)] = "libjpeg",
        second_order_probability: Fraction = 1.0,
    ) -> None:
        super().__init__(scale, same_size)
        self.sharpen, self.codec = bool(sharpen), codec
        self.first = change_order(FIRST, first, "RealESRGAN.first")
        self.second = change_order(SECOND, second, "RealESRGAN.second")
        self.final_sinc_probability = final_sinc_probability
        self.second_order_probability = second_order_probability

    def plan(self, rng: np.random.Generator, size: tuple[int, int, int]) -> list[dict[str, Any]]:
        """Draw both orders."""
        steps = StepList(rng, size[1], size[2])
        if self.sharpen:
            steps.add("unsharp", weight=0.5, radius=50, threshold=10.0)
        self._blur(rng, steps, self.first)
        factor = draw_factor(rng, self.first)
        _resize(rng, steps, (int(size[1] * factor), int(size[2] * factor)))
        draw_noise(rng, steps, self.first)
        self._compress(rng, steps, self.first)

        small = self.small_size(size[1], size[2])
        # Nothing is drawn at 1, so that draws are those of before this argument came.
        if self.second_order_probability == 1 or rng.random() < self.second_order_probability:
            self._blur(rng, steps, self.second)
            factor = draw_factor(rng, self.second)
            _resize(
                rng, steps, (int(size[1] / self.scale * factor), int(size[2] / self.scale * factor))
            )
            draw_noise(rng, steps, self.second)
        if rng.random() < 0.5:
            _resize(rng, steps, small)
            self._final_sinc(rng, steps)
            self._compress(rng, steps, self.second)
        else:
            self._compress(rng, steps, self.second)
            _resize(rng, steps, small)
            self._final_sinc(rng, steps)
        steps.add("quantise")
        return steps.records

    def _blur(self, rng: np.random.Generator, steps: StepList, order: Order) -> None:
        if rng.random() < order.blur_probability:
            steps.add("blur", kernel=draw_kernel(rng, order))

    def _compress(self, rng: np.random.Generator, steps: StepList, order: Order) -> None:
        quality = draw_uniform(rng, order.jpeg_quality)
        if self.codec == "libjpeg":
            # Both codecs clip to [0, 1] first.
            steps.add("jpeg", quality=round(quality))
        else:
            steps.add("clip")
            steps.add("differentiable_jpeg", quality=quality)

    def _final_sinc(self, rng: np.random.Generator, steps: StepList) -> None:
        if rng.random() < self.final_sinc_probability:
            sizes = self.second.kernel_sizes
            kernel = {
                "shape": "sinc",
                "size": int(sizes[int(rng.integers(len(sizes)))]),
                "cutoff": rng.uniform(math.pi / 3, math.pi),
            }
            steps.add("blur", kernel=kernel)


def _resize(rng: np.random.Generator, steps: StepList, size: tuple[int, int]) -> None:
    steps.resize(size, draw_mode(rng))
