"""The degradation of blind face restoration (Wang et al., CVPR 2021), as DiffBIR draws it."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Interval

from realdeg.degradations.base import Scale
from realdeg.degradations.pipeline import PipelineDegradation, StepList
from realdeg.degradations.real_esrgan_order import draw_uniform
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Fraction, OddSize, Range


@DEGRADATIONS.register_module()
class BlindFace(PipelineDegradation):
    """Blur, reduction by a random factor, noise and JPEG, and back to the size of the image.

    Draws: a Gaussian kernel, isotropic or not; a factor; sigma of white noise; a quality, rounded
    down. Applies: the kernel, OpenCV's linear reduction by the factor, noise with clipping, JPEG,
    and linear resizing to the HR grid, or to the LR grid where LR is smaller. The authors know the
    HR grid only; their factor has nothing to do with a scale.

    Args:
        scale: Downscaling factor of the result, unless it lies on the HR grid.
        same_size: Whether LR lies on the HR grid, as with the authors.
        kernel_size: Side of the kernels in pixels.
        isotropic_probability: Probability of an isotropic kernel.
        blur_sigma: Range of standard deviations, in pixels.
        factor: Range of the reduction in between.
        noise_sigma: Range of standard deviations, in levels of 0 to 255.
        jpeg_quality: Range of qualities.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        diffbir/dataset/codeformer.py and configs/train/train_stage{1,2}.yaml of DiffBIR (Lin et
        al., ECCV 2024), commit 3f8b530; the scheme is that of GFPGAN (Wang et al., CVPR 2021).
    """

    enlarges: ClassVar[bool] = False

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kernel_size: OddSize = 41,
        isotropic_probability: Fraction = 0.5,
        blur_sigma: Annotated[Range, Interval(ge=1e-3, le=50)] = (0.1, 12.0),
        factor: Annotated[Range, Interval(ge=1, le=64)] = (1.0, 12.0),
        noise_sigma: Annotated[Range, Interval(ge=0, le=255)] = (0.0, 15.0),
        jpeg_quality: Annotated[Range, Interval(ge=1, le=100)] = (30.0, 100.0),
    ) -> None:
        super().__init__(scale, same_size)
        self.kernel_size = kernel_size
        self.isotropic_probability = isotropic_probability
        self.blur_sigma, self.factor = blur_sigma, factor
        self.noise_sigma, self.jpeg_quality = noise_sigma, jpeg_quality

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding of the blur may influence.

        A block of subsampled chroma has 16 reduced pixels; linear resizing reaches one further.
        """
        reach = self.kernel_size // 2 + 18 * float(self.factor[1])
        return math.ceil(reach / self.stride)

    def plan(self, rng: np.random.Generator, size: tuple[int, int, int]) -> list[dict[str, Any]]:
        """Draw the steps of one image."""
        _, height, width = size
        steps = StepList(rng, height, width)
        sigma = draw_uniform(rng, self.blur_sigma)
        kernel = {"shape": "gaussian", "size": self.kernel_size, "sigma_x": sigma}
        if rng.random() >= self.isotropic_probability:
            kernel["sigma_y"] = draw_uniform(rng, self.blur_sigma)
            kernel["angle"] = rng.uniform(-math.pi, math.pi)
        steps.add("blur", kernel=kernel)
        factor = draw_uniform(rng, self.factor)
        steps.resize((int(height // factor), int(width // factor)), "cv2_linear")
        noise = draw_uniform(rng, self.noise_sigma)
        steps.add_noise("gaussian_noise", kind="white", sigma=noise)
        steps.add("jpeg", quality=int(draw_uniform(rng, self.jpeg_quality)))
        steps.resize(self.small_size(height, width), "cv2_linear")
        return steps.records
