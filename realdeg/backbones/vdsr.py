"""VDSR: very deep super-resolution, a plain network that predicts what bicubic lacks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from realdeg.backbones.base import CHANNELS, Backbone, Colour
from realdeg.backbones.parts import pre_upsampling_halo
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
    parameters, without (the public weights) 664,704.

    Args:
        scale: How much resolution is lost; tells only how far an LR pixel reaches.
        same_size: The LR image lies on the HR grid.
        depth: Convolutions, 2 or more.
        width: Channels of the hidden layers.
        colour: ``"y"`` as in the paper, or ``"rgb"``.
        bias: Whether convolutions have biases.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Raises:
        ConfigError: If depth or width is too small.

    Source:
        Kim, Lee, Lee, Accurate Image Super-Resolution Using Very Deep Convolutional Networks,
        CVPR 2016. Keys follow the public weights of twtygqyy/pytorch-vdsr.
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
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        if depth < 2 or width < 1:
            raise ConfigError(
                f"VDSR needs depth >= 2 and width >= 1, got depth={depth} and width={width}."
            )
        if colour not in CHANNELS:
            raise ConfigError(f"colour of VDSR is {colour!r}: it must be 'y' or 'rgb'.")
        self.colour = colour
        self.halo = pre_upsampling_halo(depth, scale, same_size)
        self.input = nn.Conv2d(self.channels, width, 3, padding=1, bias=bias)
        self.residual_layer = nn.Sequential(*(ConvReLU(width, bias) for _ in range(depth - 2)))
        self.output = nn.Conv2d(width, self.channels, 3, padding=1, bias=bias)
        self._initialise()

    @classmethod
    def example(cls) -> VDSR:
        """Return a network of 4 layers, 6 wide."""
        return cls(scale=2, depth=4, width=6)

    def forward(
        self, lr: Tensor, *, scale: float | None = None, cond: Tensor | None = None
    ) -> Tensor:
        """Add the predicted detail to the interpolated image (B, C, H, W) in [0, 1]."""
        self.check_input(lr, scale, cond)
        features = torch.relu(self.input(lr))
        return lr + self.output(self.residual_layer(features))

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Refuse weights without biases for an instance with them, and the reverse."""
        has_bias, wants_bias = "input.bias" in state, self.input.bias is not None
        if "input.weight" in state and has_bias != wants_bias:
            raise CheckpointError(
                f"the VDSR weights in {where} have {'' if has_bias else 'no '}biases:"
                f" build it with VDSR(bias={has_bias})."
            )
        return dict(state)

    def _initialise(self) -> None:
        """Draw weights after He et al. (2015), as the paper does; biases start at zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
