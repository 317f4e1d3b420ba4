"""VDSR: very deep super-resolution, a plain network that predicts the missing detail."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect, shifted
from realdeg.backbones.parts.classic import MOST, ConvReLU, Number, draw_he
from realdeg.backbones.parts.common import MeanShift
from realdeg.backbones.readings import colour_of, count, has, last, size
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

# Caffe was trained on patches that MATLAB wrote to HDF5, where rows are columns, so its filters are
# transposed. In the .mat files they have the order of MATLAB's images.
_CAFFE = Dialect(
    "huangzehao/caffe-vdsr",
    marks=(r"conv1\.weight",),
    rename=((r"^conv(\d+)\.", shifted("body.{}.0.", -1)),),
    axes=(0, 1, 3, 2),
)
_CAFFE_IN_MATLAB = Dialect(
    "huangzehao/caffe-vdsr, as .mat",
    marks=(r"weight\.1",),
    rename=(
        (r"^weight\.(\d+)$", shifted("body.{}.0.weight", -1)),
        (r"^bias\.(\d+)$", shifted("body.{}.0.bias", -1)),
    ),
)
_EDSR_PYTORCH = Dialect(
    "EDSR-PyTorch",
    marks=(r"body\.0\.0\.weight",),
    counts={"last": last(r"body\.(\d+)\..*")},
    rename=(
        (r"^body\.0\.0\.", "input."),
        (r"^body\.{last}\.0\.", "output."),
        (r"^body\.(\d+)\.0\.", shifted("residual_layer.{}.conv.", -1)),
    ),
)


@BACKBONES.register_module()
class VDSR(Backbone):
    """Twenty 3x3 convolutions on the interpolated image, added to it.

    One network serves every scale: the task first interpolates the LR image to the HR grid, unless
    ``same_size``. With biases (the paper) it has 665,921 parameters, without (the public weights)
    664,704, in RGB 668,227.

    The paper trains on scales 2, 3 and 4 together and clips every element of the gradient.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        depth: Convolutions, 2 or more.
        width: Channels of the hidden layers.
        colour: ``"y"`` as in the paper, or ``"rgb"``.
        bias: Whether convolutions have biases.
        mean_shift: Work on [0, 255] with the DIV2K mean subtracted, as EDSR-PyTorch's variant
            does (RGB only).

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Raises:
        ConfigError: If Y has a mean shift.

    Source:
        Kim, Lee, Lee, Accurate Image Super-Resolution Using Very Deep Convolutional Networks,
        CVPR 2016. Keys follow the public weights of twtygqyy/pytorch-vdsr; those of
        EDSR-PyTorch's ``vdsr`` and of huangzehao/caffe-vdsr (``VDSR_Official.mat``, the authors'
        own, and ``VDSR_Adam.caffemodel``) are translated.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    dialects = (_CAFFE, _CAFFE_IN_MATLAB, _EDSR_PYTORCH)
    form_readings = {
        "depth": count(r"residual_layer\.(\d+)\.conv\.weight", 2),
        "width": size("input.weight"),
        "colour": colour_of("input.weight", 1),
        "bias": has("input.bias", given="input.weight"),
    }
    meaning_readings = {"mean_shift": has("sub_mean.bias", given="input.weight")}
    example_arguments = {"scale": 2, "depth": 4, "width": 6}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        depth: Annotated[int, Interval(ge=2, le=MOST)] = 20,
        width: Number = 64,
        colour: Colour = "y",
        bias: bool = True,
        mean_shift: bool = False,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        if mean_shift and colour != "rgb":
            raise ConfigError(
                "VDSR(mean_shift=True) shifts three colours: use it with colour='rgb'."
            )
        self.value_range = 255.0 if mean_shift else 1.0
        self.sub_mean = MeanShift(255.0, -1) if mean_shift else None
        self.add_mean = MeanShift(255.0, +1) if mean_shift else None
        self.input = nn.Conv2d(self.channels, width, 3, padding=1, bias=bias)
        self.residual_layer = nn.Sequential(
            *(ConvReLU(width, width, bias) for _ in range(depth - 2))
        )
        self.output = nn.Conv2d(width, self.channels, 3, padding=1, bias=bias)
        draw_he(self)

    def forward(self, lr: Tensor) -> Tensor:
        """Add the predicted detail to the image (B, C, H, W) in [0, ``value_range``]."""
        image = lr if self.sub_mean is None else self.sub_mean(lr)
        features = torch.relu(self.input(image))
        image = image + self.output(self.residual_layer(features))
        return image if self.add_mean is None else self.add_mean(image)
