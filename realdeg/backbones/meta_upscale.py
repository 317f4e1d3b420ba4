"""Meta-SR's upsampling to any scale: convolution weights predicted for every output pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, pixel_shuffle

from realdeg.utils.precision import full_precision
from realdeg.utils.scales import hr_length

COLOURS = 3
_BAND = 1 << 23
"""About as many numbers are made at once where whole images of any scale are assembled."""


class MetaUpscale(nn.Module):
    """Predicts a 3 x 3 convolution for each place between the LR pixels and carries it out.

    Output pixel (i, j) lies at (i / r, j / r) on the LR grid. The integer part says which LR
    pixel's neighbourhood it is made from; 1 / r and the fractions go into two linear layers, whose
    1728 outputs are that pixel's weights: 64 features x 9 taps x 3 colours, colour fastest.

    The published code copies the features ceil(r)^2 times and makes 1728 weights for each output
    pixel. The same numbers come about with less: the second layer is linear, so its weights are
    convolved with the features once, on the LR grid, and each output pixel only weighs the 256
    results by its hidden units. For whole scales all LR pixels have the same r^2 places between
    them, and the whole is one sub-pixel convolution.

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
        # In full precision whatever the autocast: 8 bits of mantissa do not tell places apart.
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
        # The second layer's weights as a convolution with 256 + 1 outputs per colour, the last
        # one for its biases.
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
        # (h, w, 3 B, slots, slots) -> (B, 3, h * slots, w * slots), of which some are no pixels
        grid = torch.cat(parts).unflatten(2, (COLOURS, -1)).permute(3, 2, 0, 4, 1, 5)
        grid = grid.flatten(4, 5).flatten(2, 3)
        return grid.index_select(2, rows.used).index_select(3, columns.used)

    @staticmethod
    def _band(mixed: Tensor, down: Tensor, across: Tensor) -> Tensor:
        """Return (rows, w, 3 B, slots, slots) for some LR rows."""
        hidden = torch.relu_(down[:, None, :, None] + across[None, :, None, :])
        biased = torch.nn.functional.pad(hidden, (0, 1), value=1.0).flatten(2, 3)
        return (mixed @ biased.to(mixed).transpose(2, 3)).unflatten(3, hidden.shape[2:4])


class _Axis:
    """Where the output pixels of one axis lie between the LR pixels.

    Attributes:
        slots: The most output pixels that one LR pixel has.
        fractions: (length, slots), the place of each; 0 where there is none.
        used: For each output pixel, its number among length * slots.
    """

    def __init__(self, length: int, scale: float, like: Tensor) -> None:
        # ceil(scale) are the most that can begin inside a pixel, and rounding adds none: where
        # one is moved over the limit, the pixel that it came from had it to spare.
        self.slots = int(-(-scale // 1))
        # As published: the product of single-precision numbers. Its rounding decides which pixel
        # an output at a whole place belongs to, and the weights have learned it so.
        number = torch.arange(hr_length(length, scale), device=like.device)
        reciprocal = torch.tensor(1 / scale, dtype=torch.float32, device=like.device)
        place = number.to(torch.float32) * reciprocal
        source = place.floor().long().clamp_(max=length - 1)
        first = torch.searchsorted(source, source)
        self.used = source * self.slots + (number - first)
        fractions = place.new_zeros(length * self.slots)
        fractions = fractions.index_copy(0, self.used, place - source)
        self.fractions = fractions.unflatten(0, (length, self.slots)).to(like.dtype)
