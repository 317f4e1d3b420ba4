"""WaveResNet: predicts the error of the image's wavelet bands."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour, Upsample
from realdeg.backbones.parts.classic import Number, draw_he
from realdeg.backbones.parts.wavelet import by_colour, even
from realdeg.degradations.primitives.wavelets import haar, inverse_haar
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale


class _Preset(NamedTuple):
    colour: Colour
    blocks: int
    width: int
    wavelet: bool


PRESETS: dict[str, _Preset] = {
    "primary": _Preset("y", 6, 320, True),
    "ntire": _Preset("rgb", 13, 256, True),
    "ntire_unknown": _Preset("rgb", 13, 256, False),
}


class Block(nn.Module):
    """Three normalised convolutions, the block's input added before the last normalisation.

    Args:
        width: Channels.
        bias: Whether the convolutions, each before a normalisation, have biases.
    """

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.bn3 = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, width, h, w)."""
        inner = torch.relu_(self.bn1(self.conv1(features)))
        inner = torch.relu_(self.bn2(self.conv2(inner)))
        return torch.relu_(self.bn3(self.conv3(inner) + features))


@BACKBONES.register_module()
class WaveResNet(Backbone):
    """Residual blocks on the bands of one Haar level; the result is subtracted from the bands.

    The paper has three forms. ``"primary"`` works on Y, ``"ntire"`` on RGB, both on the bands of
    the interpolated image. ``"ntire_unknown"``, for pairs of unknown degradation, has neither
    interpolation nor wavelet: every colour of the LR image is repeated once for each HR pixel it
    becomes, and the result is shuffled into place. All work on [0, 255].

    The topology is known from a re-implementation; **depths and widths are from memory** of the
    paper. Parameters at x4: 16,629,444 (primary), 23,088,652 (ntire) and 23,254,576 (unknown).

    The paper's loss compares bands; as the transform is orthonormal, the mean squared error of
    images with even sides is equal to it.

    Args:
        scale: HR over LR size; affects only the halo, except for ``"ntire_unknown"``.
        same_size: The LR image lies on the HR grid.
        preset: ``"primary"``, ``"ntire"`` or ``"ntire_unknown"``.
        num_blocks: Blocks of three convolutions; None: the preset's.
        width: Channels; None: the preset's.
        bias: Whether convolutions before a normalisation have biases.
        colour: ``"y"`` or ``"rgb"``; None: the preset's.

    Shape:
        (B, 1 or 3, H, W) -> the same; ``"ntire_unknown"``: (B, 3, h, w) -> (B, 3, s*h, s*w).

    Source:
        Bae, Yoo, Ye, Beyond Deep Residual Learning for Image Restoration: Persistent
        Homology-Guided Manifold Simplification, CVPRW 2017 (iorism/CNN, which shows how it is
        run). No PyTorch weights are known; the keys are ours.
    """

    colour: Colour = "y"
    value_range = 255.0
    upsample: Upsample = "pre"
    same_size_form = "native"
    example_arguments = {"scale": 2, "num_blocks": 1, "width": 6, "bias": False}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        preset: Annotated[str, Choice(*PRESETS)] = "primary",
        num_blocks: Number | None = None,
        width: Number | None = None,
        bias: bool = True,
        colour: Colour | None = None,
    ) -> None:
        chosen = PRESETS[preset]
        super().__init__(scale, same_size, chosen.colour if colour is None else colour)
        blocks = chosen.blocks if num_blocks is None else num_blocks
        features = chosen.width if width is None else width
        self.wavelet = chosen.wavelet
        self.factor = 1 if same_size else scale
        if self.wavelet:
            self.size_multiple = 2
            bands = 4 * self.channels
        else:
            self.upsample = "post"
            bands = self.factor**2 * self.channels
        self.head = nn.Conv2d(bands, features, 3, padding=1)
        self.body = nn.Sequential(*(Block(features, bias) for _ in range(blocks)))
        self.tail = nn.Conv2d(features, bands, 3, padding=1)
        draw_he(self)

    def forward(self, lr: Tensor) -> Tensor:
        """Sharpen the interpolated image, or super-resolve, (B, C, h, w) in [0, 255]."""
        if not self.wavelet:
            repeated = lr.repeat_interleave(self.factor**2, 1)
            residual = F.pixel_shuffle(self._residual(repeated), self.factor)
            return F.interpolate(lr, scale_factor=self.factor, mode="nearest") - residual
        height, width = lr.shape[-2:]
        bands = haar(even(lr))
        # The network's channels are grouped by colour.
        residual = by_colour(self._residual(by_colour(bands, 4)), self.channels)
        return inverse_haar(bands - residual)[..., :height, :width]

    def _residual(self, bands: Tensor) -> Tensor:
        return self.tail(self.body(torch.relu_(self.head(bands))))
