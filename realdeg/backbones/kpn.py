"""KPN: one predicted kernel per pixel, the baseline of the RealSR data set."""

from __future__ import annotations

from torch import Tensor

from realdeg.backbones.base import Colour
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import pad_to_multiple
from realdeg.backbones.parts.kernels import FOLD, Init, KernelBranch, KernelPrediction
from realdeg.ops import pixel_kernel_apply
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import OddSize, Scale, Whole


@BACKBONES.register_module()
class KPN(KernelPrediction):
    """Predicts a K x K kernel for every pixel and filters the image with it.

    Works on the HR grid: the task interpolates the LR image first, unless ``same_size`` (RealSR V1
    and V2, for which it was made). The prediction runs on a grid four times coarser (pixel
    unshuffle). The paper's baselines have K = 5, 7, 13 and 19.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        kernel_size: Side K of the kernels in pixels, odd.
        num_blocks: Residual blocks of the trunk.
        num_features: Channels, a multiple of 16.
        colour: ``"y"`` as in the paper, or ``"rgb"`` (all colours share a pixel's kernel).
        init: ``"identity"``: training starts from kernels that keep the image. ``"msra"``: He et
            al. (2015) throughout, as in the released solver.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        The KPN baseline of Cai, Zeng, Yong, Cao, Zhang, Toward Real-World Single Image
        Super-Resolution, ICCV 2019, after Mildenhall et al., CVPR 2018. Layers follow
        csjcai/RealSR; its weights are Caffe's, keys are realdeg's own.
    """

    example_arguments = {"scale": 2, "kernel_size": 3, "num_blocks": 1, "num_features": 16}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kernel_size: OddSize = 19,
        num_blocks: Whole = 16,
        num_features: Number = 64,
        colour: Colour = "y",
        init: Init = "identity",
    ) -> None:
        super().__init__(scale, same_size, num_blocks, num_features, colour)
        self.branch = KernelBranch(num_features, FOLD, kernel_size)
        self.initialise(init)

    def forward(self, lr: Tensor) -> Tensor:
        """Filter each pixel of the interpolated image (B, C, H, W) in [0, 1]."""
        kernels = self.branch(self.trunk(pad_to_multiple(lr, FOLD)))
        kernels = kernels[..., : lr.shape[-2], : lr.shape[-1]]
        return pixel_kernel_apply(lr, kernels.contiguous(), padding="zeros")
