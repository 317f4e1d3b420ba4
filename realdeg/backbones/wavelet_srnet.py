"""Wavelet-SRNet: predicts all wavelet-packet bands of the HR image, each of the LR image's size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import MinLen
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Outputs
from realdeg.backbones.parts.classic import Number
from realdeg.degradations.primitives.wavelets import haar_packet, inverse_haar_packet
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

WIDTHS = (64, 128, 256, 512, 1024)


class ResidualBlock(nn.Module):
    """Two convolutions, the input added, then normalisation and ReLU; no biases.

    Args:
        incoming: Channels in.
        outgoing: Channels out; if they differ, a 1 x 1 convolution widens the input.
        groups: Groups of the second convolution.
        first_groups: Groups of the first; None: the same.
        expand: Use the 1 x 1 convolution in any case.

    Shape:
        (B, incoming, h, w) -> (B, outgoing, h, w)
    """

    def __init__(
        self,
        incoming: int,
        outgoing: int,
        groups: int = 1,
        first_groups: int | None = None,
        expand: bool = False,
    ) -> None:
        super().__init__()
        first = groups if first_groups is None else first_groups
        widened = expand or incoming != outgoing
        self.conv_expand = nn.Conv2d(incoming, outgoing, 1, bias=False) if widened else None
        self.conv1 = nn.Conv2d(incoming, outgoing, 3, padding=1, groups=first, bias=False)
        self.bn1 = nn.BatchNorm2d(outgoing)
        self.conv2 = nn.Conv2d(outgoing, outgoing, 3, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(outgoing)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, incoming, h, w)."""
        inner = self.conv2(torch.relu_(self.bn1(self.conv1(features))))
        kept = features if self.conv_expand is None else self.conv_expand(features)
        return torch.relu_(self.bn2(inner + kept))


@BACKBONES.register_module()
class WaveletSRNet(Backbone):
    """A trunk of residual blocks and one head for each level of the HR image's wavelet packet.

    Head 0 predicts the coarse band, head k the 3 * 4 ** (k - 1) bands that level k adds, and the
    inverse transform makes the image. Parameters at x2, x4, x8, x16: 46,327,372, 51,353,968,
    74,999,296, 226,203,712.

    ``aux`` holds the bands, ``low`` (the coarse one) and ``high`` (all others), which are compared
    with those of the HR image. The paper's loss is ``WeightedLoss`` over
    ``MSELoss(reduction="sum", weight=0.5)``, divided by the batch, with
    ``outputs={"sr": 0.1, "low": 0.01, "high": 0.99}``, and ``WaveletTextureLoss`` with
    ``outputs={"high": 1.0}``.

    Args:
        scale: 2, 4, 8 or 16.
        widths: Channels of the trunk's stages.
        num_blocks: Residual blocks of each stage.
        band_width: Channels for each band in the heads' first block; the second has twice as many.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Huang, He, Sun, Tan, Wavelet-SRNet: A Wavelet-Based CNN for Multi-Scale Face Super
        Resolution, ICCV 2017. Keys follow hhb072/WaveletSRNet. Its fixed transform is orthonormal
        but for a few entries of the x16 table, whose signs are corrected here.
    """

    scales = (2, 4, 8, 16)
    example_arguments = {"scale": 2, "widths": [6, 8], "num_blocks": 1, "band_width": 2}

    def __init__(
        self,
        scale: Scale = 4,
        widths: Annotated[Sequence[Number], MinLen(1)] = WIDTHS,
        num_blocks: Number = 2,
        band_width: Number = 32,
    ) -> None:
        super().__init__(scale=scale)
        self.levels = scale.bit_length() - 1
        self.conv_input = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn_input = nn.BatchNorm2d(widths[0])
        entering = [widths[0], *widths[:-1]]
        self.residual = nn.Sequential(
            *(_stage(a, b, num_blocks) for a, b in zip(entering, widths, strict=True))
        )
        for level, bands in enumerate(self._bands):
            inner = band_width * bands
            interim = ResidualBlock(widths[-1], inner, bands, first_groups=1, expand=True)
            self.add_module(f"interim_{level}", interim)
            detail = nn.Sequential(ResidualBlock(inner, 2 * inner, bands))
            self.add_module(f"wavelet_{level}", detail)
            predict = nn.Conv2d(2 * inner, 3 * bands, 3, padding=1, groups=bands)
            self.add_module(f"predict_{level}", predict)
        self._initialise()

    @property
    def _bands(self) -> list[int]:
        """How many bands each head predicts."""
        return [1, *(3 * 4**level for level in range(self.levels))]

    def forward(self, lr: Tensor) -> Outputs:
        """Super-resolve (B, 3, h, w) in [0, 1]; return the image and its bands."""
        features = self.residual(torch.relu_(self.bn_input(self.conv_input(lr))))
        heads = []
        for level in range(self.levels + 1):
            inner = self.get_submodule(f"interim_{level}")(features)
            inner = self.get_submodule(f"wavelet_{level}")(inner)
            heads.append(self.get_submodule(f"predict_{level}")(inner))
        bands = torch.cat(heads, 1)
        image = inverse_haar_packet(bands, self.levels)
        return Outputs(image, {"low": heads[0], "high": bands[:, 3:]})

    def targets(self, hr: Tensor) -> dict[str, Tensor]:
        """Return the bands of the HR image (B, 3, H, W)."""
        bands = haar_packet(hr, self.levels)
        return {"low": bands[:, :3], "high": bands[:, 3:]}

    def _initialise(self) -> None:
        """Draw weights as the authors' code does."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _stage(incoming: int, outgoing: int, num_blocks: int) -> nn.Sequential:
    blocks = [ResidualBlock(incoming, outgoing)]
    blocks += [ResidualBlock(outgoing, outgoing) for _ in range(num_blocks - 1)]
    return nn.Sequential(*blocks)
