"""Meta-SR: one network for every scale, whole or not."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, pad, pixel_shuffle

from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import MeanShift
from realdeg.backbones.parts.edsr import ResBlock
from realdeg.backbones.rdn import RDNTrunk
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, RealScale
from realdeg.utils.precision import full_precision
from realdeg.utils.scales import hr_length

# Blocks of the paper's forms: RDN's configuration B, EDSR's baseline.
TRUNKS: dict[str, int] = {"rdn": 16, "edsr": 16}
COLOURS = 3
# About as many values are computed at once for a fractional scale.
_BAND = 1 << 23


class MetaUpscale(nn.Module):
    """Predicts and applies a 3 x 3 convolution for each position between the LR pixels.

    Output pixel (i, j) lies at (i / r, j / r) on the LR grid. The integer part selects the LR
    pixel whose neighbourhood it is computed from; 1 / r and the fractions go into two linear
    layers, whose 1728 outputs are its weights: 64 features x 9 taps x 3 colours, colour fastest.

    The published code copies the features ceil(r)^2 times and makes 1728 weights for each output
    pixel. Here the same values need less: the second layer is linear, so its weights are
    convolved with the features once, on the LR grid, and each output pixel is the sum of the 256
    results weighted by its hidden units. For whole scales all LR pixels share the same r^2
    positions, and everything is one sub-pixel convolution.

    Args:
        features: Channels of the features.
        hidden: Units between the two linear layers.

    Shape:
        (B, features, h, w) -> (B, 3, int(r * h), int(r * w))

    Source:
        Hu et al., Meta-SR, CVPR 2019, equations 2 to 6; keys of XuecaiHu/Meta-SR-Pytorch.
    """

    def __init__(self, features: int = 64, hidden: int = 256) -> None:
        super().__init__()
        self.features = features
        self.meta_block = nn.Sequential(
            nn.Linear(3, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, features * 9 * COLOURS),
        )

    def forward(self, features: Tensor, scale: float) -> Tensor:
        """Upscale (B, features, h, w) by any scale from 1 up."""
        if float(scale).is_integer():
            return self._whole(features, int(scale))
        return self._fractional(features, scale)

    def _layers(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        weights: tuple[Tensor, ...] = tuple(self.meta_block.parameters())
        first, first_bias, last, last_bias = weights
        return first, first_bias, last, last_bias

    def _whole(self, features: Tensor, scale: int) -> Tensor:
        first, first_bias, last, last_bias = self._layers()
        # Full precision despite autocast: 8 bits of mantissa cannot separate the positions.
        with full_precision(features):
            steps = torch.arange(scale, device=first.device, dtype=first.dtype) / scale
            rows, columns = steps[:, None].expand(-1, scale), steps.expand(scale, -1)
            places = torch.stack([torch.full_like(rows, 1 / scale), rows, columns], -1)
            hidden = torch.relu(linear(places.flatten(0, 1), first, first_bias))
            weights = linear(hidden, last, last_bias)  # (r^2, 1728)
        weights = weights.unflatten(1, (self.features, 3, 3, COLOURS)).permute(4, 0, 1, 2, 3)
        return pixel_shuffle(conv2d(features, weights.flatten(0, 1), padding=1), scale)

    def _fractional(self, features: Tensor, scale: float) -> Tensor:
        first, first_bias, last, last_bias = self._layers()
        height, width = features.shape[-2:]
        rows = _Axis(height, scale, first)
        columns = _Axis(width, scale, first)
        with full_precision(features):
            down = rows.fractions[..., None] * first[:, 1] + (first_bias + first[:, 0] / scale)
            across = columns.fractions[..., None] * first[:, 2]
        # The second layer as a convolution with 256 + 1 outputs per colour, the last for biases.
        layer = torch.cat([last, last_bias[:, None]], 1)
        layer = layer.unflatten(0, (self.features, 3, 3, COLOURS)).permute(3, 4, 0, 1, 2)
        mixed = conv2d(features, layer.flatten(0, 1), padding=1)
        # (h, w, 3 B, 257): one small matrix product per LR pixel.
        mixed = mixed.unflatten(1, (COLOURS, -1)).permute(3, 4, 1, 0, 2).flatten(2, 3)
        slots = rows.slots * columns.slots
        band = max(1, _BAND // (width * slots * layer.shape[1]))
        parts = [
            self._band(mixed[top : top + band], down[top : top + band], across)
            for top in range(0, height, band)
        ]
        # (h, w, 3 B, slots, slots) -> (B, 3, h * slots, w * slots), some of them unused
        grid = torch.cat(parts).unflatten(2, (COLOURS, -1)).permute(3, 2, 0, 4, 1, 5)
        grid = grid.flatten(4, 5).flatten(2, 3)
        return grid.index_select(2, rows.used).index_select(3, columns.used)

    @staticmethod
    def _band(mixed: Tensor, down: Tensor, across: Tensor) -> Tensor:
        """Return (rows, w, 3 B, slots, slots) for some LR rows."""
        hidden = torch.relu_(down[:, None, :, None] + across[None, :, None, :])
        biased = pad(hidden, (0, 1), value=1.0).flatten(2, 3)
        return (mixed @ biased.to(mixed).transpose(2, 3)).unflatten(3, hidden.shape[2:4])


class _Axis:
    """Positions of the output pixels of one axis between the LR pixels.

    Attributes:
        slots: The largest number of output pixels in an LR pixel.
        fractions: (length, slots), the position of each; 0 where there is none.
        used: For each output pixel, its index among length * slots.
    """

    def __init__(self, length: int, scale: float, like: Tensor) -> None:
        # At most ceil(scale) start inside a pixel. Rounding adds none: where it moves one into the
        # next pixel, that one has a free slot.
        self.slots = int(-(-scale // 1))
        # As published: the product of single-precision numbers. Its rounding decides to which pixel
        # an output at a whole position belongs, and the weights were trained with that.
        number = torch.arange(hr_length(length, scale), device=like.device)
        reciprocal = torch.tensor(1 / scale, dtype=torch.float32, device=like.device)
        place = number.to(torch.float32) * reciprocal
        source = place.floor().long().clamp_(max=length - 1)
        first = torch.searchsorted(source, source)
        self.used = source * self.slots + (number - first)
        fractions = place.new_zeros(length * self.slots)
        fractions = fractions.index_copy(0, self.used, place - source)
        self.fractions = fractions.unflatten(0, (length, self.slots)).to(like.dtype)


@BACKBONES.register_module()
class MetaSR(RDNTrunk):
    """Upscales by any real number from 1 up, with weights that are predicted from the scale.

    Weights that were learned at one scale, or at many, serve every other. The published training
    draws one scale from 1.1, 1.2, ... 4.0 for each batch.

    With RDN it has 22,419,096 parameters and with EDSR 1,665,560, including the 24 of the mean
    shift (buffers).

    Args:
        scale: Any number from 1 up; the default of calls.
        trunk: ``"rdn"`` (the paper's main model, configuration B) or ``"edsr"`` (its baseline).
        num_features: Channels.
        num_blocks: Blocks of the trunk; None: 16.
        num_convs: Convolutions in each of RDN's blocks; unused with EDSR.
        growth: Channels that each of them adds; unused with EDSR.
        hidden: Hidden units of the weight prediction.

    Shape:
        (B, 3, h, w) -> (B, 3, int(scale * h), int(scale * w))

    Source:
        Hu, Mu, Zhang, Wang, Sun, Tan, Meta-SR: A Magnification-Arbitrary Network for
        Super-Resolution, CVPR 2019. Keys follow XuecaiHu/Meta-SR-Pytorch.
    """

    value_range = 255.0
    any_scale = True
    example_arguments = {
        "scale": 2,
        "num_features": 6,
        "num_blocks": 2,
        "num_convs": 2,
        "growth": 4,
        "hidden": 10,
    }

    def __init__(
        self,
        scale: RealScale = 4,
        trunk: Annotated[str, Choice(*TRUNKS)] = "rdn",
        num_features: Number = 64,
        num_blocks: Number | None = None,
        num_convs: Number = 8,
        growth: Number = 64,
        hidden: Number = 256,
    ) -> None:
        super().__init__(scale=scale)
        blocks = TRUNKS[trunk] if num_blocks is None else num_blocks
        self.trunk = trunk
        self.sub_mean = MeanShift(self.value_range, -1)
        self.add_mean = MeanShift(self.value_range, 1)
        if trunk == "rdn":
            self.add_trunk(num_features, blocks, num_convs, growth)
        else:
            self.head = nn.Sequential(nn.Conv2d(3, num_features, 3, padding=1))
            self.body = nn.Sequential(
                *(ResBlock(num_features) for _ in range(blocks)),
                nn.Conv2d(num_features, num_features, 3, padding=1),
            )
        self.P2W = MetaUpscale(num_features, hidden)

    def forward(self, lr: Tensor, *, scale: float | None = None) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255] by any scale."""
        image = self.sub_mean(lr)
        if self.trunk == "rdn":
            features = self.run_trunk(image)
        else:
            head = self.head(image)
            features = self.body(head).add(head)
        return self.add_mean(self.P2W(features, self.scale if scale is None else scale))
