"""SRResNet: the generator of SRGAN."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.classic import check_counts, draw_he
from realdeg.backbones.parts.common import upsampling_steps
from realdeg.backbones.parts.edsr import renaming
from realdeg.backbones.parts.reach import Span, conv_span, halo_of, shuffle_span
from realdeg.errors import CheckpointError
from realdeg.registry import BACKBONES

OLD_NAMES: tuple[tuple[str, str], ...] = ((r"^conv_block([123])\.", r"conv\1."),)


class NormBlock(nn.Module):
    """Convolution, batch normalisation, PReLU, convolution, normalisation, and the input added.

    Args:
        features: Channels.
        bias: Convolutions have biases, which the normalisation takes off again.
        slopes: Slopes of the PReLU: 1, or as many as channels.

    Shape:
        (B, C, H, W) -> (B, C, H, W)

    Source:
        SRGAN, figure 4.
    """

    def __init__(self, features: int, bias: bool, slopes: int) -> None:
        super().__init__()
        self.rcb = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1, bias=bias),
            nn.BatchNorm2d(features),
            nn.PReLU(slopes),
            nn.Conv2d(features, features, 3, padding=1, bias=bias),
            nn.BatchNorm2d(features),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.rcb(features).add(features)


class UpsampleBlock(nn.Module):
    """Convolution, pixel shuffle by 2 and PReLU.

    Args:
        features: Channels.
        slopes: Slopes of the PReLU: 1, or as many as channels.

    Shape:
        (B, C, h, w) -> (B, C, 2h, 2w)
    """

    def __init__(self, features: int, slopes: int) -> None:
        super().__init__()
        self.upsample_block = nn.Sequential(
            nn.Conv2d(features, 4 * features, 3, padding=1),
            nn.PixelShuffle(2),
            nn.PReLU(slopes),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return self.upsample_block(features)


@BACKBONES.register_module()
class SRResNet(Backbone):
    """Residual network with batch normalisation, the generator of SRGAN.

    At x4 it has 1,547,350 parameters, 1,549,462 with biases before the normalisations and
    1,550,659 with a slope per channel besides; the paper leaves both open. The 1,518K that are
    often quoted are those of :class:`MSRResNet`.

    The paper computes its loss on [-1, 1]; here the output lies in [0, 1], as with the weights
    that people have. Running statistics of the normalisation are part of the weights.

    Args:
        scale: 2, 4 or 8; the paper's is 4.
        num_features: Channels.
        num_blocks: Residual blocks.
        bias: Convolutions before a normalisation have biases.
        channel_slopes: PReLUs have a slope for each channel, otherwise one for all.
        tanh: End in (tanh + 1) / 2, as the network of leftthomas/SRGAN does.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If the sizes make no network.

    Source:
        Ledig et al., Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network, CVPR 2017. Keys follow Lornatang/SRGAN-PyTorch, whose older names are translated,
        as are those of leftthomas/SRGAN (5 blocks, ``bias``, ``tanh``). The first weights after
        He et al., as in the former.
    """

    scales: tuple[int, ...] | None = (2, 4, 8)
    upsample = "post"

    def __init__(
        self,
        scale: int = 4,
        num_features: int = 64,
        num_blocks: int = 16,
        bias: bool = False,
        channel_slopes: bool = False,
        tanh: bool = False,
    ) -> None:
        super().__init__(scale=scale)
        check_counts("SRResNet", num_features=num_features, num_blocks=num_blocks)
        self.tanh = tanh
        slopes = num_features if channel_slopes else 1
        steps = upsampling_steps(scale)
        self.halo = halo_of(lambda span: _trace(span, steps, 4 + 2 * num_blocks + 1), scale)
        self.conv1 = nn.Sequential(nn.Conv2d(3, num_features, 9, padding=4), nn.PReLU(slopes))
        self.trunk = nn.Sequential(
            *(NormBlock(num_features, bias, slopes) for _ in range(num_blocks))
        )
        self.conv2 = nn.Sequential(
            nn.Conv2d(num_features, num_features, 3, padding=1, bias=bias),
            nn.BatchNorm2d(num_features),
        )
        self.upsampling = nn.Sequential(*(UpsampleBlock(num_features, slopes) for _ in steps))
        self.conv3 = nn.Conv2d(num_features, 3, 9, padding=4)
        draw_he(self)

    @classmethod
    def example(cls) -> SRResNet:
        """Return a x2 network of 2 blocks, 6 wide."""
        return cls(scale=2, num_features=6, num_blocks=2)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        first = self.conv1(lr)
        features = self.conv2(self.trunk(first)).add(first)
        image = self.conv3(self.upsampling(features))
        return torch.tanh(image).add(1).div(2) if self.tanh else image

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Translate the names of two collections; refuse another end, biases or slopes by name.

        Raises:
            CheckpointError: If the weights are of a network with another end, other biases or
                slopes.
        """
        found = {renaming(name, OLD_NAMES): value for name, value in state.items()}
        if "block1.0.weight" in found:
            if not self.tanh:
                raise CheckpointError(
                    f"the SRResNet weights in {where} are of a network that ends in tanh:"
                    " build it with SRResNet(tanh=True, bias=True, num_blocks=5)."
                )
            names = _leftthomas_names(found)
            found = {renaming(name, names): value for name, value in found.items()}
        if "conv2.0.weight" in found:
            bias = "conv2.0.bias" in found
            if bias != (self.conv2[0].bias is not None):
                raise CheckpointError(
                    f"the SRResNet weights in {where} have {'' if bias else 'no '}biases before"
                    f" the normalisations: build it with SRResNet(bias={bias})."
                )
        slopes = found.get("conv1.1.weight")
        if slopes is not None and slopes.shape != self.conv1[1].weight.shape:
            raise CheckpointError(
                f"the SRResNet weights in {where} have {slopes.numel()} slopes in a PReLU: build"
                f" it with SRResNet(channel_slopes={slopes.numel() > 1})."
            )
        return found


def _trace(span: Span, steps: list[int], radius: int) -> Span:
    """Follow a span of output pixels back to LR pixels."""
    span = conv_span(span, 9)
    for step in reversed(steps):
        span = conv_span(shuffle_span(span, step), 3)
    return conv_span(span, 2 * radius + 1)


def _leftthomas_names(state: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    """Return what leftthomas's names become; blocks are counted from 1, the entry included."""
    numbers = {int(name.split(".")[0][5:]) for name in state if name.startswith("block")}
    last = max(numbers)
    parts = (("conv1", 0), ("bn1", 1), ("prelu", 2), ("conv2", 3), ("bn2", 4))
    names = [
        (rf"^block{k}\.{part}\.", f"trunk.{k - 2}.rcb.{place}.")
        for k in range(2, last - 1)
        for part, place in parts
    ]
    return [
        *names,
        (r"^block1\.", "conv1."),
        (rf"^block{last - 1}\.", "conv2."),
        (rf"^block{last}\.(\d+)\.conv\.", r"upsampling.\1.upsample_block.0."),
        (rf"^block{last}\.(\d+)\.prelu\.", r"upsampling.\1.upsample_block.2."),
        (rf"^block{last}\.\d+\.", "conv3."),
    ]
