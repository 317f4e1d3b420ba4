"""SRMD's multiple degradations: Gaussian blur, bicubic reduction and noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor

from realdeg.degradations.awgn import GaussianNoiseParams
from realdeg.degradations.base import Degradation, Scale
from realdeg.degradations.bicubic import enlarge_bicubic, enlarged_border
from realdeg.degradations.blur_down import KernelParams, traced_kernel
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives.filtering import filter_image
from realdeg.degradations.primitives.kernel_code import DIMENSIONS, degradation_pca, encode_kernel
from realdeg.degradations.primitives.noise import gaussian_noise
from realdeg.degradations.primitives.reduction_kernels import blur_and_reduce
from realdeg.degradations.reduced import as_range
from realdeg.degradations.trace import Trace
from realdeg.errors import DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import FixedOrRange, Fraction, OddSize
from realdeg.utils.image import round_to_8_bit
from realdeg.utils.streams import stream_seed

# The paper's ranges by scale; scale 1 is its deblurring model, scales above 4 use those of 4.
_LARGEST_WIDTH = {1: 3.0, 2: 2.0, 3: 3.0, 4: 4.0}
_SMALLEST_WIDTH = {1: 0.1, 2: 0.2, 3: 0.2, 4: 0.2}
_EIGENVALUES = {1: (0.5, 8.0), 2: (0.5, 6.0), 3: (0.5, 8.0), 4: (0.5, 10.0)}
_STEP = 0.1


@DEGRADATIONS.register_module()
class SRMD(Degradation):
    """Blurs with a Gaussian, reduces by bicubic interpolation, adds white noise.

    Zhang, Zuo, Zhang, "Learning a single convolutional super-resolution network for multiple
    degradations", CVPR 2018. In this order: correlation with replicated border, MATLAB's bicubic
    reduction, rounding to 8 bit, noise, which is neither rounded nor clipped.

    What it draws for each image:

    - ``settings="paper"``: with ``isotropic_probability`` an isotropic kernel whose standard
      deviation lies on the grid 0.2, 0.3, ... 2, 3 or 4 pixels (x2, x3, x4); else an anisotropic
      one, eigenvalues (variances) l1 from 0.5 to 6, 8, 10 and l2 from 0.5 to l1, turned by 0 to
      pi. Neither paper nor code states how often a kernel is isotropic.
    - ``settings="code"``: the released training code: always anisotropic, l1 from 0.1 to 10, l2
      from 0.1 to l1, at every scale.
    - sigma, uniformly from ``sigma``.

    Non-blind networks take the kernel's code and the noise level (:meth:`condition`).

    Args:
        scale: Downscaling factor.
        same_size: Whether the result, with its noise, is upsampled back to the HR grid, by bicubic
            interpolation.
        kernel_size: Side of the kernel in pixels, odd, 3 to 63.
        settings: ``"paper"`` or ``"code"``.
        isotropic_probability: Probability of an isotropic kernel in the paper's settings.
        sigma: (lowest, highest) standard deviation of the noise, in grey levels of 0 to 255; one
            number fixes it, and 0 is SRMDNF.
        rounding: Whether the LR image is rounded to 8 bit before the noise, which removes the
            gradient.
        clip: Whether the result is clipped to [0, 1].

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
        kernel_size: Annotated[OddSize, Interval(ge=3, le=63)] = 15,
        settings: Literal["paper", "code"] = "paper",
        isotropic_probability: Fraction = 0.5,
        sigma: Annotated[FixedOrRange, Interval(ge=0, le=255)] = (0.0, 75.0),
        rounding: bool = True,
        clip: bool = False,
    ) -> None:
        super().__init__(scale, same_size)
        self.kernel_size = kernel_size
        self.settings = settings
        self.isotropic_probability = float(isotropic_probability) * (settings == "paper")
        self.sigma = as_range(sigma)
        self.rounding, self.clip = rounding, clip
        self.differentiable = not rounding  # type: ignore[misc]

    @property
    def border(self) -> int:
        """LR pixels at each border whose kernel or reduction taps reach beyond the image."""
        small = -(-(self.kernel_size // 2) // self.scale) + 2 * (self.scale > 1)
        return enlarged_border(small, self.scale) if self.same_size else small

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the kernel and the noise."""
        rng = np.random.default_rng(stream_seed(seed, "kernel"))
        noise = np.random.default_rng(stream_seed(seed, "sigma"))
        kernel = KernelParams(self._draw_kernel(rng))
        drawn = GaussianNoiseParams(float(noise.uniform(*self.sigma)), stream_seed(seed, "noise"))
        params = {**self.trace_params(), **kernel.to_params(), **drawn.to_params()}
        return Trace("SRMD", params, size)

    def _draw_kernel(self, rng: np.random.Generator) -> dict[str, Any]:
        near = min(self.scale, 4)
        # Every draw is made for every image, so that one setting does not shift the others.
        isotropic = rng.random() < self.isotropic_probability
        low, high = _SMALLEST_WIDTH[near], _LARGEST_WIDTH[near]
        width = low + _STEP * int(rng.integers(round((high - low) / _STEP) + 1))
        least, most = _EIGENVALUES[near] if self.settings == "paper" else (0.1, 10.0)
        first = float(rng.uniform(least, most))
        second = float(rng.uniform(least, first))
        angle = float(rng.uniform(0, math.pi))
        if isotropic:
            return {"shape": "gaussian", "size": self.kernel_size, "sigma_x": round(width, 1)}
        return {
            "shape": "gaussian_variance",
            "size": self.kernel_size,
            "variance_x": first,
            "variance_y": second,
            "angle": angle,
        }

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Blur, reduce, round, add noise."""
        lr = hr
        if traces:
            lr = torch.cat(
                [
                    filter_image(hr[i : i + 1], self._kernel(trace), "replicate")
                    for i, trace in enumerate(traces)
                ]
            )
        if self.scale > 1:
            lr = imresize(lr, 1 / self.scale)
        if self.rounding:
            lr = round_to_8_bit(lr)
        if traces:
            noise = [trace.read(GaussianNoiseParams) for trace in traces]
            lr = gaussian_noise(lr, [n.sigma / 255 for n in noise], [n.noise_seed for n in noise])
        if self.same_size and self.scale > 1:
            lr = enlarge_bicubic(lr, self.scale, (int(hr.shape[-2]), int(hr.shape[-1])))
        return lr.clamp(0, 1) if self.clip else lr

    def _kernel(self, trace: Trace) -> Tensor:
        kernel = traced_kernel(trace)
        if kernel.shape[0] != self.kernel_size:
            raise DataError(
                f"a trace of SRMD holds a kernel of {kernel.shape[0]} pixels, this object has"
                f" {self.kernel_size}."
            )
        return kernel

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the inputs of SRMD's network besides the image, float32.

        Args:
            trace: The trace of one image.

        Returns:
            ``noise_level`` in [0, 1]; ``kernel``, shape (k, k); ``code``, shape (16,): the
            kernel's 15 numbers and the noise level (SRMDNF takes the first 15); ``maps``, shape
            (16, h, w): the code at every LR pixel, an expanded view; ``reduction``, as
            :class:`~realdeg.degradations.blur_down.BlurDown` tells it.

        Raises:
            DataError: If the trace is damaged.
        """
        kernel, level = self._kernel(trace), trace.read(GaussianNoiseParams).sigma / 255
        numbers = encode_kernel(kernel, degradation_pca(self.kernel_size))
        code = torch.cat([numbers, torch.tensor([level], dtype=numbers.dtype)]).float()
        height, width = trace.size[1] // self.stride, trace.size[2] // self.stride
        maps = code.view(DIMENSIONS + 1, 1, 1).expand(DIMENSIONS + 1, height, width)
        told = {"noise_level": level, "kernel": kernel.float(), "code": code, "maps": maps}
        if not (self.same_size and self.scale > 1):
            told["reduction"] = blur_and_reduce(kernel, self.scale).float()
        return told
