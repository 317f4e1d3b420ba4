"""VDSR: very deep super-resolution, a plain network that predicts what bicubic lacks."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import check_counts, draw_he
from realdeg.backbones.parts.common import MeanShift, pre_upsampling_halo
from realdeg.errors import CheckpointError, ConfigError
from realdeg.registry import BACKBONES


class ConvReLU(nn.Module):
    """A 3x3 convolution and a ReLU, under the public weights' key ``conv``.

    Args:
        width: Channels in and out.
        bias: Whether the convolution has biases.
    """

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return torch.relu(self.conv(features))


@BACKBONES.register_module()
class VDSR(Backbone):
    """Twenty 3x3 convolutions on the interpolated image, added to it.

    One network serves every scale: the task interpolates the LR image to the HR grid first, or
    hands it over as it is where ``same_size`` holds. With biases (the paper) it has 665,921
    parameters, without (the public weights) 664,704, in RGB 668,227.

    The paper trains on scales 2, 3 and 4 together and clips every element of the gradient.

    Args:
        scale: How much resolution is lost; tells only how far an LR pixel reaches.
        same_size: The LR image lies on the HR grid.
        depth: Convolutions, 2 or more.
        width: Channels of the hidden layers.
        colour: ``"y"`` as in the paper, or ``"rgb"``.
        bias: Whether convolutions have biases.
        mean_shift: Work on [0, 255] and take the DIV2K mean off, as EDSR-PyTorch's variant does
            (RGB only).

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Raises:
        ConfigError: If depth, width or colour make no network.

    Source:
        Kim, Lee, Lee, Accurate Image Super-Resolution Using Very Deep Convolutional Networks,
        CVPR 2016. Keys follow the public weights of twtygqyy/pytorch-vdsr; those of
        EDSR-PyTorch's ``vdsr`` and of huangzehao/caffe-vdsr (``VDSR_Official.mat``, the authors'
        own, and ``VDSR_Adam.caffemodel``) are translated.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    def __init__(
        self,
        scale: int = 4,
        same_size: bool = False,
        depth: int = 20,
        width: int = 64,
        colour: Colour = "y",
        bias: bool = True,
        mean_shift: bool = False,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        check_counts("VDSR", depth=depth, width=width)
        if depth < 2:
            raise ConfigError(f"depth of VDSR is {depth}: it must be 2 or more.")
        if mean_shift and colour != "rgb":
            raise ConfigError(
                "VDSR(mean_shift=True) shifts three colours: use it with colour='rgb'."
            )
        self.value_range = 255.0 if mean_shift else 1.0
        self.sub_mean = MeanShift(255.0, -1) if mean_shift else None
        self.add_mean = MeanShift(255.0, +1) if mean_shift else None
        self.halo = pre_upsampling_halo(depth, scale, same_size)
        self.input = nn.Conv2d(self.channels, width, 3, padding=1, bias=bias)
        self.residual_layer = nn.Sequential(*(ConvReLU(width, bias) for _ in range(depth - 2)))
        self.output = nn.Conv2d(width, self.channels, 3, padding=1, bias=bias)
        draw_he(self)

    @classmethod
    def example(cls) -> VDSR:
        """Return a network of 4 layers, 6 wide."""
        return cls(scale=2, depth=4, width=6)

    def forward(self, lr: Tensor) -> Tensor:
        """Add the predicted detail to the image (B, C, H, W) in [0, ``value_range``]."""
        image = lr if self.sub_mean is None else self.sub_mean(lr)
        features = torch.relu(self.input(image))
        image = image + self.output(self.residual_layer(features))
        return image if self.add_mean is None else self.add_mean(image)

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Translate names of EDSR-PyTorch and caffe-vdsr; refuse other biases or another range.

        Caffe was trained on patches that MATLAB wrote to HDF5, where rows are columns: its filters
        are transposed. In the ``.mat`` files they lie as MATLAB's images do.
        """
        found = dict(state)
        for first, pattern, transposed in _CAFFE:
            if first in state:
                found = _from_caffe(state, pattern, transposed)
        if "body.0.0.weight" in state:
            last = max(int(name.split(".")[1]) for name in state if name.startswith("body."))
            found = {_public_name(name, last): value for name, value in state.items()}
        if "input.weight" not in found:
            return found
        has_bias, wants_bias = "input.bias" in found, self.input.bias is not None
        if has_bias != wants_bias:
            raise CheckpointError(
                f"the VDSR weights in {where} have {'' if has_bias else 'no '}biases:"
                f" build it with VDSR(bias={has_bias})."
            )
        shifts = "sub_mean.bias" in found
        if shifts != (self.sub_mean is not None):
            raise CheckpointError(
                f"the VDSR weights in {where} were trained {'with' if shifts else 'without'} a mean"
                f" shift: build it with VDSR(mean_shift={shifts})."
            )
        return found


# The first filter's name, those of all, and whether they are transposed.
_CAFFE = (
    ("conv1.weight", r"conv(?P<number>\d+)\.(?P<kind>\w+)", True),
    ("weight.1", r"(?P<kind>weight|bias)\.(?P<number>\d+)", False),
)


def _from_caffe(state: Mapping[str, Tensor], pattern: str, transposed: bool) -> dict[str, Tensor]:
    """Return the tensors of caffe-vdsr under the public weights' names."""
    matches = {name: re.fullmatch(pattern, name) for name in state}
    last = max(int(match["number"]) for match in matches.values() if match)
    found = {}
    for name, match in matches.items():
        value = state[name]
        if match is None:
            found[name] = value
            continue
        new = _public_name(f"body.{int(match['number']) - 1}.0.{match['kind']}", last - 1)
        found[new] = value.transpose(2, 3) if transposed and value.ndim == 4 else value
    return found


def _public_name(name: str, last: int) -> str:
    """Return the public weights' name of a tensor of EDSR-PyTorch's variant."""
    match = re.fullmatch(r"body\.(\d+)\.0\.(\w+)", name)
    if match is None:
        return name
    number, kind = int(match[1]), match[2]
    if number in (0, last):
        return f"{'output' if number else 'input'}.{kind}"
    return f"residual_layer.{number - 1}.conv.{kind}"
