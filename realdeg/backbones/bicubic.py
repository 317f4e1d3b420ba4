"""Bicubic interpolation as a network: the baseline of every table."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from realdeg.backbones.base import Backbone
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import RealScale
from realdeg.utils.precision import full_precision


@BACKBONES.register_module()
class Bicubic(Backbone):
    """Bicubic interpolation, equal to MATLAB's ``imresize``, with nothing to learn.

    The task interpolates the LR image, as for every network on the HR grid, so its values are
    those of the bicubic baseline that validation reports. ``sharpen`` adds an unsharp mask to the
    result: the difference between the image and its Gaussian blur (standard deviation 1 pixel,
    5 x 5, borders replicated).

    Args:
        scale: Any number from 1 to 64.
        same_size: The LR image lies on the HR grid: it is returned as it is, or sharpened.
        sharpen: The factor of the difference, 0 (none) to 5; about 1 suits bicubic LR images.

    Shape:
        (B, 3, H, W) -> the same.

    Source:
        Keys, Cubic Convolution Interpolation for Digital Image Processing, TASSP 1981.
    """

    any_scale = True
    upsample = "pre"
    same_size_form = "native"
    brings_weights = True
    kernel: Tensor
    example_arguments = {"scale": 2, "sharpen": 0.5}

    def __init__(
        self,
        scale: RealScale = 4,
        same_size: bool = False,
        sharpen: Annotated[float, Interval(ge=0, le=5)] = 0.0,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        self.sharpen = sharpen
        line = torch.exp(-torch.arange(-2.0, 3.0).square() / 2)
        kernel = torch.outer(line, line) / line.sum() ** 2
        self.register_buffer("kernel", kernel.expand(3, 1, -1, -1).contiguous(), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """Return the interpolated image (B, 3, H, W), sharpened if requested."""
        if self.sharpen == 0:
            return lr.clone()
        with full_precision(lr):
            padded = F.pad(lr, (2, 2, 2, 2), mode="replicate")
            blurred = F.conv2d(padded, self.kernel.to(lr), groups=3)
        return torch.lerp(blurred, lr, 1 + self.sharpen)
