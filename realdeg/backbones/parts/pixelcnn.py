"""A gated PixelCNN: the distribution of each pixel's colours, given the pixels before it.

Pixels are in raster order, and the colours of a pixel in the order R, G, B. Two streams preserve
that order: the vertical one sees the rows above, the horizontal one the pixels to the left and the
earlier colours of the current pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

COLOURS, LEVELS = 3, 256


class MaskedConv(nn.Conv2d):
    """A causal convolution: weights for later pixels are not used.

    The weights keep the published full shape. Rows and columns that no channel sees are cropped
    before the convolution, so they cost nothing.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: (height, width) of the kernel, odd.
        current: Mask of the input channels that an output channel sees of the current pixel,
            (outputs, inputs) or a number for all; None: the whole current row is hidden.
    """

    mask: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, int], current: Tensor | float | None
    ) -> None:
        super().__init__(inputs, outputs, kernel)
        height, width = kernel
        above, left = height // 2, width // 2
        # Rows above see their right side too; a kernel of one row does not.
        self.rows = above if current is None else above + 1
        self.columns = width if above else left + 1
        self.pads = (left, self.columns - 1 - left, above, -1 if current is None else 0)
        mask = torch.ones(outputs, inputs, self.rows, self.columns)
        if current is not None:
            mask[:, :, -1, left] = current
            mask[:, :, -1, left + 1 :] = 0
        self.register_buffer("mask", mask, persistent=False)

    def visible(self) -> Tensor:
        """Return the weights in use, (outputs, inputs, rows, columns)."""
        return self.weight[:, :, : self.rows, : self.columns] * self.mask

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, inputs, H, W), padded with zeros."""
        return F.conv2d(F.pad(features, self.pads), self.visible(), self.bias)


def gate(features: Tensor) -> Tensor:
    """Multiply tanh of the first half of the channels by the sigmoid of the second."""
    signal, opening = features.chunk(2, 1)
    return torch.tanh(signal) * torch.sigmoid(opening)


class GatedLayer(nn.Module):
    """One step of both streams.

    Args:
        features: Channels of each stream.
        sees: Which channels of the current pixel each channel sees, (features, features) or 1.0.

    Source:
        van den Oord et al., Conditional Image Generation with PixelCNN Decoders, NIPS 2016.
    """

    def __init__(self, features: int, sees: Tensor | float) -> None:
        super().__init__()
        both = torch.cat([sees, sees]) if isinstance(sees, Tensor) else sees
        self.v_conv = MaskedConv(features, 2 * features, (5, 5), None)
        self.v2h = nn.Conv2d(2 * features, 2 * features, 1)
        self.h_conv = MaskedConv(features, 2 * features, (1, 5), both)
        self.h_out = MaskedConv(features, features, (1, 1), sees)

    def forward(self, vertical: Tensor, horizontal: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new (vertical, horizontal) streams, (B, features, H, W) each."""
        above = self.v_conv(vertical)
        current = gate(self.h_conv(horizontal).add_(self.v2h(above)))
        return gate(above), self.h_out(current).add_(horizontal)


class GatedPrior(nn.Module):
    """Logits of every pixel's colours, from the pixels before it.

    Args:
        layers: Gated layers.
        features: Channels of each stream.
        hidden: Channels between the two last 1x1 convolutions.
        colour_order: G sees R and B sees both, as in the paper, through channels of three kinds
            (channel c belongs to colour c mod 3). Otherwise a pixel's colours are independent.

    Shape:
        (B, 3, H, W) in [-0.5, 0.5] -> (B, 256, 3, H, W)
    """

    def __init__(self, layers: int, features: int, hidden: int, colour_order: bool) -> None:
        super().__init__()
        self.features, self.colour_order = features, colour_order
        narrow, image, outputs = features, COLOURS, LEVELS * COLOURS

        def sees(out: int, inputs: int) -> Tensor | float:
            return _order(out, inputs, strictly=False) if colour_order else 1.0

        first = _order(narrow, image, strictly=True) if colour_order else 0.0
        self.conv_in = MaskedConv(image, narrow, (7, 7), first)
        self.layers = nn.ModuleList(GatedLayer(narrow, sees(narrow, narrow)) for _ in range(layers))
        self.conv_mid = MaskedConv(narrow, hidden, (1, 1), sees(hidden, narrow))
        self.conv_out = MaskedConv(hidden, outputs, (1, 1), sees(outputs, hidden))

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of every pixel of a known image."""
        vertical = horizontal = self.conv_in(image)
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal)
        logits = self.conv_out(torch.relu_(self.conv_mid(horizontal)))
        return logits.unflatten(1, (LEVELS, COLOURS))


class RowSampler:
    """Continues an image pixel by pixel, caching everything that does not change.

    The vertical stream of a row depends only on the rows above: it is computed for the whole row at
    once. The horizontal stream is cached for the two pixels to the left. So a pixel costs a few
    matrix products instead of a pass over the image.

    Args:
        prior: The network; its current weights are copied.
        like: Determines batch size, device and dtype, shape (B, ...).
        width: Pixels per row.
    """

    def __init__(self, prior: GatedPrior, like: Tensor, width: int) -> None:
        self.prior, self.width = prior, width
        batch, features = like.shape[0], prior.features
        # Three rows above, three columns to each side.
        self.window = like.new_zeros(batch, COLOURS, 4, width + 6)
        self.above = [like.new_zeros(batch, features, 2, width) for _ in prior.layers]
        self.first = _matrix(prior.conv_in)
        self.middle, self.last = _matrix(prior.conv_mid), _matrix(prior.conv_out)
        self.steps: list[tuple[GatedLayer, Tensor, Tensor]] = []
        for layer in prior.layers:
            assert isinstance(layer, GatedLayer)
            self.steps.append((layer, _matrix(layer.h_conv), _matrix(layer.h_out)))
        self.sides: list[Tensor] = []
        self.rows: list[Tensor] = []
        self.start: Tensor = like

    def begin_row(self) -> None:
        """Advance the vertical stream to the next row."""
        following: list[Tensor] = []
        self.sides = []
        for (layer, _, _), above in zip(self.steps, self.above, strict=True):
            rows = F.pad(above, (2, 2))
            found = F.conv2d(rows, layer.v_conv.visible(), layer.v_conv.bias)
            self.sides.append(layer.v2h(found)[:, :, 0])
            following.append(gate(found))
        batch, features = self.window.shape[0], self.prior.features
        self.rows = [self.window.new_zeros(batch, features, self.width + 2) for _ in self.steps]
        self.start = self.window.new_zeros(batch, features, 1, self.width)
        # Row y of layer l + 1 is layer l's; the first layer's is filled pixel by pixel.
        coming = [self.start, *following[:-1]]
        self.above = [
            torch.cat([above[:, :, 1:], row], 2)
            for above, row in zip(self.above, coming, strict=True)
        ]

    def logits(self, column: int) -> Tensor:
        """Return the logits (B, 256, 3) at a pixel, given its colours known so far."""
        weight, bias = self.first, self.prior.conv_in.bias
        seen = self.window[..., column : column + 7].flatten(1)
        state = F.linear(seen, weight, bias)
        # In place: the first layer's `above` is a copy, updated in end_row.
        self.start[:, :, 0, column] = state
        for index, (layer, h_conv, h_out) in enumerate(self.steps):
            row = self.rows[index]
            row[:, :, column + 2] = state
            near = row[:, :, column : column + 3].flatten(1)
            current = F.linear(near, h_conv, layer.h_conv.bias) + self.sides[index][:, :, column]
            state = state + F.linear(gate(current), h_out, layer.h_out.bias)
        hidden = torch.relu_(F.linear(state, self.middle, self.prior.conv_mid.bias))
        logits = F.linear(hidden, self.last, self.prior.conv_out.bias)
        return logits.unflatten(1, (LEVELS, COLOURS))

    def put(self, column: int, colours: Sequence[int], values: Tensor) -> None:
        """Set some colours of a pixel to values (B, len(colours)) in [-0.5, 0.5]."""
        self.window[:, list(colours), 3, column + 3] = values

    def end_row(self) -> None:
        """Finish the row."""
        if self.above:
            self.above[0][:, :, 1:] = self.start
        self.window = F.pad(self.window[:, :, 1:], (0, 0, 0, 1))


def _order(outputs: int, inputs: int, *, strictly: bool) -> Tensor:
    """Return the mask of the input channels of colours up to (or before) an output channel's."""
    mine = torch.arange(outputs)[:, None] % COLOURS
    theirs = torch.arange(inputs)[None] % COLOURS
    return ((theirs < mine) if strictly else (theirs <= mine)).float()


def _matrix(conv: MaskedConv) -> Tensor:
    """Return the visible weights for one pixel's neighbourhood, (outputs, inputs * taps)."""
    return conv.visible().flatten(1)
