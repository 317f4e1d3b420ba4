"""LP-KPN: kernels for every pixel of a Laplacian pyramid, the network of the RealSR data set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Colour, Outputs
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import pad_to_multiple
from realdeg.backbones.parts.kernels import FOLD, Init, KernelBranch, KernelPrediction
from realdeg.ops import pixel_kernel_apply
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import OddSize, Scale, Whole

LEVELS = 3


class LaplacianPyramid(nn.Module):
    """Three levels: two of detail at full and half size, and the rest at a quarter.

    The filter is the binomial [1 4 6 4 1] on both axes; beyond the border is zero.

    Shape:
        (B, C, H, W), sides divisible by 4, <-> three of (B, C, H / 2^i, W / 2^i)

    Source:
        Burt and Adelson, The Laplacian Pyramid as a Compact Image Code, 1983.
    """

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
        self.register_buffer("taps", torch.outer(line, line)[None, None], persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Decompose an image, full size first."""
        levels = []
        for _ in range(LEVELS - 1):
            smaller = self.reduce(image)
            levels.append(image - self.expand(smaller))
            image = smaller
        return [*levels, image]

    def join(self, levels: Sequence[Tensor]) -> Tensor:
        """Reconstruct an image from its levels."""
        image = levels[-1]
        for detail in reversed(levels[:-1]):
            image = detail + self.expand(image)
        return image

    def reduce(self, image: Tensor) -> Tensor:
        """Filter, and keep every second pixel from the first on."""
        single = image.flatten(0, 1)[:, None]
        return F.conv2d(single, self.taps, stride=2, padding=2)[:, 0].unflatten(0, image.shape[:2])

    def expand(self, image: Tensor) -> Tensor:
        """Insert a zero after every pixel, and filter with four times the weight."""
        single = image.flatten(0, 1)[:, None]
        larger = F.conv_transpose2d(single, 4 * self.taps, stride=2, padding=2, output_padding=1)
        return larger[:, 0].unflatten(0, image.shape[:2])


@BACKBONES.register_module()
class LPKPN(KernelPrediction):
    """Predicts a 5 x 5 kernel for every pixel of each level of the image's Laplacian pyramid.

    Three small kernels over a pyramid cover about as much as one of 20 x 20. Works on the HR grid:
    the task interpolates the LR image first, unless ``same_size`` (RealSR V1 and V2, for which it
    was made).

    ``aux`` holds the filtered levels, ``level_0`` (full size) to ``level_2``; if a side is not
    divisible by 4 they are those of the padded image. The released training compares each level
    with the HR image's, but not the image itself; the paper names only the image.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        kernel_size: Side of the kernels in pixels, odd.
        num_blocks: Residual blocks of the trunk: 16 in the released code.
        num_features: Channels, a multiple of 16.
        colour: ``"y"`` as in the paper, or ``"rgb"`` (all colours share a pixel's kernel).
        init: ``"identity"``: training starts from kernels that keep the image. ``"msra"``: He et
            al. (2015) throughout, as in the released solver.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Cai, Zeng, Yong, Cao, Zhang, Toward Real-World Single Image Super-Resolution: A New
        Benchmark and A New Model, ICCV 2019. Layers follow csjcai/RealSR; its weights are Caffe's,
        keys are realdeg's own.
    """

    example_arguments = {"scale": 2, "kernel_size": 3, "num_blocks": 1, "num_features": 16}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kernel_size: OddSize = 5,
        num_blocks: Whole = 16,
        num_features: Number = 64,
        colour: Colour = "y",
        init: Init = "identity",
    ) -> None:
        super().__init__(scale, same_size, num_blocks, num_features, colour)
        self.pyramid = LaplacianPyramid()
        self.branches = nn.ModuleList(
            KernelBranch(num_features, FOLD >> level, kernel_size) for level in range(LEVELS)
        )
        self.initialise(init)

    def forward(self, lr: Tensor) -> Outputs:
        """Filter each level of the interpolated image (B, C, H, W) in [0, 1]."""
        image = pad_to_multiple(lr, FOLD)
        trunk = self.trunk(image)
        levels = [
            pixel_kernel_apply(level, branch(trunk), padding="zeros")
            for level, branch in zip(self.pyramid(image), self.branches, strict=True)
        ]
        sr = self.pyramid.join(levels)[..., : lr.shape[-2], : lr.shape[-1]]
        return Outputs(sr, {f"level_{index}": level for index, level in enumerate(levels)})

    def targets(self, hr: Tensor) -> dict[str, Tensor]:
        """Return the pyramid of the HR image."""
        levels = self.pyramid(pad_to_multiple(hr, FOLD))
        return {f"level_{index}": level for index, level in enumerate(levels)}
