"""DirectNet: the network predicts the LR image itself (baseline of DML, ACCV 2020)."""

from __future__ import annotations

from torch import Tensor, nn

from realdeg.degradations.base import Scale
from realdeg.degradations.encoder_decoder import Levels, Xavier
from realdeg.degradations.learned import LearnedDegradation, LRGrid
from realdeg.degradations.primitives import imresize
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count
from realdeg.utils.colour import changed_like_luma


@DEGRADATIONS.register_module()
class DirectNet(LearnedDegradation):
    """DML's network with one output channel and a global residual.

    The last convolution has no sigmoid; its output is added to the HR luma (to its bicubic
    reduction when LR is smaller). In RGB images R, G and B change equally, so that luma changes by
    the predicted residual.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        width: Channels of the network at full resolution.
        levels: Halvings inside the network.
        skips: Whether the network has skip connections.
        xavier: ``"uniform"`` or ``"normal"``.
        zero_init: Whether the last convolution starts at zero (LR = HR at step 0).
        lr_grid: See :class:`LearnedDegradation`.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.
    """

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        width: Count = 64,
        levels: Levels = 4,
        skips: bool = True,
        xavier: Xavier = "uniform",
        zero_init: bool = False,
        lr_grid: LRGrid = "unshuffle",
    ) -> None:
        # It has no window; 15 makes the border that is shaved equal to DML's.
        super().__init__(scale, same_size, 15, "reflect", lr_grid)
        self.network = self.make_network(1, width, levels, skips, xavier)
        if zero_init:
            nn.init.zeros_(self.network.last.weight)

    def generate(self, hr: Tensor) -> Tensor:
        """Add the predicted residual."""
        residual = changed_like_luma(self.field(hr), hr.shape[1])
        base = hr if self.stride == 1 else imresize(hr, 1 / self.stride)
        return base + residual
