"""The base of degradations that are learned by gradient descent."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.encoder_decoder import EncoderDecoder, Xavier
from realdeg.degradations.windowed import Padding, WindowedDegradation, WindowSize
from realdeg.utils.colour import luma_of

LRGrid = Literal["unshuffle", "pool"]


class LearnedDegradation(WindowedDegradation):
    """A deterministic degradation whose parameters are learned from real pairs.

    A field (weights, residual or kernels) is predicted from luma and applied equally to R, G and B,
    unless a subclass says otherwise. Subclasses build ``self.network`` and implement
    :meth:`generate`.

    Args:
        scale: See :class:`Degradation`.
        same_size: See :class:`Degradation`.
        kernel_size: Side of the window of one LR pixel beyond the network, for :attr:`border`.
        padding: Border handling of the filtering, as in :func:`realdeg.ops.kernel_apply`.
        lr_grid: How the field is brought to the LR grid when LR is smaller than HR: ``"unshuffle"``
            feeds the network ``scale**2`` sub-images (cheap), ``"pool"`` averages a field
            predicted on the HR grid.

    Raises:
        ConfigError: If an argument is out of range.
    """

    fitting: ClassVar[Literal["gradient", "closed_form"] | None] = "gradient"
    network: EncoderDecoder

    def __init__(
        self,
        scale: int,
        same_size: bool,
        kernel_size: WindowSize,
        padding: Padding,
        lr_grid: LRGrid,
    ) -> None:
        super().__init__(scale, same_size, kernel_size, padding)
        self.lr_grid = lr_grid

    def make_network(
        self,
        out_channels: int,
        width: int,
        levels: int,
        skips: bool,
        xavier: Xavier,
        image_channels: int = 1,
        conditions: int = 0,
    ) -> EncoderDecoder:
        """Return the shared encoder-decoder for this geometry."""
        scale_in = self.stride if self.lr_grid == "unshuffle" else 1
        return EncoderDecoder(
            out_channels, scale_in, width, levels, skips, xavier, image_channels, conditions
        )

    def seen(self, hr: Tensor) -> Tensor:
        """Return what the network reads of HR: its luma."""
        return luma_of(hr)

    def field(self, hr: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Run the network on what it sees of HR and bring its field to the LR grid.

        Args:
            hr: HR batch, RGB, Y or grey, shape (B, C, H, W).
            conditions: Further channels that the network takes, on its own grid.

        Returns:
            Shape (B, out_channels, H / stride, W / stride).
        """
        field: Tensor = self.network(self.seen(hr), conditions)
        if self.lr_grid == "pool" and self.stride > 1:
            # The mean over an LR pixel's s x s block keeps the half-pixel centre.
            field = F.avg_pool2d(field, self.stride)
        return field
