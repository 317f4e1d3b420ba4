"""SRResNet: the generator of SRGAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import Dialect, shifted
from realdeg.backbones.parts.classic import Number, draw_he
from realdeg.backbones.parts.common import upsampling_steps
from realdeg.backbones.parts.edsr import draw_small
from realdeg.backbones.readings import State, count, doublings, has, last, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

_LORNATANG = Dialect(
    "Lornatang's older code",
    marks=(r"conv_block1\..*",),
    rename=((r"^conv_block([123])\.", r"conv\1."),),
)
# Blocks are counted from 1, including the entry; the second-last is the end of the body.
_LEFTTHOMAS = Dialect(
    "leftthomas/SRGAN",
    marks=(r"block1\.0\.weight",),
    counts={"last": last(r"block(\d+)\..*"), "end": last(r"block(\d+)\..*", -1)},
    rename=(
        (r"^block1\.", "conv1."),
        (r"^block{end}\.", "conv2."),
        (r"^block{last}\.(\d+)\.conv\.", r"upsampling.\1.upsample_block.0."),
        (r"^block{last}\.(\d+)\.prelu\.", r"upsampling.\1.upsample_block.2."),
        (r"^block{last}\.\d+\.", "conv3."),
        *(
            (rf"^block(\d+)\.{part}\.", shifted(f"trunk.{{}}.rcb.{place}.", -2))
            for place, part in enumerate(("conv1", "bn1", "prelu", "conv2", "bn2"))
        ),
    ),
    implies={"tanh": True},
)


def _channel_slopes(state: State) -> bool | None:
    slopes = state.get("conv1.1.weight")
    return None if slopes is None else slopes.numel() > 1


def _norm(features: int, use_bn: bool) -> nn.Module:
    """Return a normalisation, or a layer that keeps its place in the names of the weights."""
    return nn.BatchNorm2d(features) if use_bn else nn.Identity()


class NormBlock(nn.Module):
    """Convolution, batch normalisation, PReLU, convolution, normalisation, and the input added.

    Args:
        features: Channels.
        bias: Convolutions have biases, which the normalisation cancels.
        slopes: Slopes of the PReLU: 1, or as many as channels.
        use_bn: The normalisations are there.

    Source:
        SRGAN, figure 4.
    """

    def __init__(self, features: int, bias: bool, slopes: int, use_bn: bool) -> None:
        super().__init__()
        self.rcb = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1, bias=bias),
            _norm(features, use_bn),
            nn.PReLU(slopes),
            nn.Conv2d(features, features, 3, padding=1, bias=bias),
            _norm(features, use_bn),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return self.rcb(features).add(features)


class UpsampleBlock(nn.Module):
    """Convolution, pixel shuffle by 2 and PReLU."""

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
    1,550,659 with a slope per channel as well; the paper leaves both open. The 1,518K that are
    often quoted are those of :class:`MSRResNet`.

    The paper computes its loss on [-1, 1]; here the output lies in [0, 1], as with the published
    weights. Running statistics of the normalisation are part of the weights.

    Args:
        scale: 2, 4 or 8; the paper's is 4.
        num_features: Channels.
        num_blocks: Residual blocks.
        bias: Convolutions before a normalisation have biases.
        channel_slopes: PReLUs have a slope for each channel, otherwise one for all.
        tanh: End in (tanh + 1) / 2, as the network of leftthomas/SRGAN does.
        use_bn: Normalise. EDSR's authors leave it out to save memory and time; the convolutions of
            the trunk then start a tenth as large (ESRGAN's remedy), and should have biases.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Ledig et al., Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
        Network, CVPR 2017. Keys follow Lornatang/SRGAN-PyTorch, whose older names are translated,
        as are those of leftthomas/SRGAN (5 blocks, ``bias``, ``tanh``). Weights are drawn
        after He et al., as in the former.
    """

    scales: tuple[int, ...] | None = (2, 4, 8)

    dialects = (_LORNATANG, _LEFTTHOMAS)
    form_readings = {
        "scale": doublings(r"upsampling\.(\d+)\.upsample_block\.0\.weight"),
        "num_features": size("conv1.0.weight"),
        "num_blocks": count(r"trunk\.(\d+)\.rcb\.0\.weight"),
        "bias": has("conv2.0.bias", given="conv2.0.weight"),
        "channel_slopes": _channel_slopes,
        "use_bn": has("conv2.1.weight", given="conv2.0.weight"),
    }
    example_arguments = {"scale": 2, "num_features": 6, "num_blocks": 2}

    def __init__(
        self,
        scale: Scale = 4,
        num_features: Number = 64,
        num_blocks: Number = 16,
        bias: bool = False,
        channel_slopes: bool = False,
        tanh: bool = False,
        use_bn: bool = True,
    ) -> None:
        super().__init__(scale=scale)
        self.tanh = tanh
        slopes = num_features if channel_slopes else 1
        steps = upsampling_steps(scale)
        self.conv1 = nn.Sequential(nn.Conv2d(3, num_features, 9, padding=4), nn.PReLU(slopes))
        self.trunk = nn.Sequential(
            *(NormBlock(num_features, bias, slopes, use_bn) for _ in range(num_blocks))
        )
        self.conv2 = nn.Sequential(
            nn.Conv2d(num_features, num_features, 3, padding=1, bias=bias),
            _norm(num_features, use_bn),
        )
        self.upsampling = nn.Sequential(*(UpsampleBlock(num_features, slopes) for _ in steps))
        self.conv3 = nn.Conv2d(num_features, 3, 9, padding=4)
        draw_he(self)
        if not use_bn:
            draw_small(self.trunk)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        first = self.conv1(lr)
        features = self.conv2(self.trunk(first)).add(first)
        image = self.conv3(self.upsampling(features))
        return torch.tanh(image).add(1).div(2) if self.tanh else image
