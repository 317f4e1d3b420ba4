"""What degradations that are learned by gradient descent share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.encoder_decoder import EncoderDecoder
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError
from realdeg.ops import PADDINGS
from realdeg.utils.colour import to_colour

LRGrid = Literal["unshuffle", "pool"]


class LearnedDegradation(Degradation):
    """A deterministic degradation whose parameters are learned from real pairs.

    Its field (weights, residual or kernels) is predicted from luma; RGB images get the same
    field in R, G and B. Subclasses build ``self.network`` and implement :meth:`generate`.

    Args:
        scale: See :class:`Degradation`.
        same_size: See :class:`Degradation`.
        kernel_size: Side of the window that one LR pixel sees beyond the network, for
            :attr:`border`.
        padding: Border handling of the filtering, as in :func:`realdeg.ops.kernel_apply`.
        lr_grid: How the field reaches the LR grid when LR is smaller than HR: ``"unshuffle"``
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
        kernel_size: int,
        padding: str,
        lr_grid: LRGrid,
    ) -> None:
        super().__init__(scale, same_size)
        name = type(self).__name__
        if not 1 <= kernel_size <= 63:
            raise ConfigError(f"{name}: kernel_size is from 1 to 63, got {kernel_size}.")
        if padding not in PADDINGS or padding == "valid":
            known = ", ".join(p for p in PADDINGS if p != "valid")
            raise ConfigError(f"{name}: padding is one of {known}, got {padding!r}.")
        if lr_grid not in ("unshuffle", "pool"):
            raise ConfigError(f"{name}: lr_grid is 'unshuffle' or 'pool', got {lr_grid!r}.")
        self.kernel_size, self.padding, self.lr_grid = kernel_size, padding, lr_grid

    @property
    def border(self) -> int:
        """LR pixels at each rim whose windows reach beyond the image."""
        return -(-(self.kernel_size - 1) // (2 * self.stride))

    def make_network(
        self, out_channels: int, width: int, levels: int, skips: bool, xavier: Any
    ) -> EncoderDecoder:
        """Return the shared encoder-decoder for this geometry."""
        scale_in = self.stride if self.lr_grid == "unshuffle" else 1
        return EncoderDecoder(out_channels, scale_in, width, levels, skips, xavier)

    def field(self, hr: Tensor) -> Tensor:
        """Run the network on luma and bring its field to the LR grid.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).

        Returns:
            Shape (B, out_channels, H / stride, W / stride).
        """
        field = self.network(to_colour(hr, "y"))
        if self.lr_grid == "pool" and self.stride > 1:
            # The mean over an LR pixel's own s x s block keeps the half-pixel centre.
            field = F.avg_pool2d(field, self.stride)
        return field

    def generate(self, hr: Tensor) -> Tensor:
        """Degrade a batch; this is what training differentiates.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).

        Returns:
            The LR batch.
        """
        raise NotImplementedError

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Degrade a batch after checking that the traces name these very weights."""
        return self.generate(hr)

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Degrade a batch; nothing is random, so no seed is used."""
        self.check_input(hr)
        return self.generate(hr)
