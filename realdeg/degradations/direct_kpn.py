"""DirectKPN: the network predicts a free kernel for every pixel (baseline of DML, ACCV 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.encoder_decoder import Levels, Xavier
from realdeg.degradations.learned import LearnedDegradation, LRGrid
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.degradations.windowed import Padding, WindowSize
from realdeg.ops import pixel_kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count
from realdeg.utils.precision import full_precision


@DEGRADATIONS.register_module()
class DirectKPN(LearnedDegradation):
    """DML's network with ``kernel_size**2`` output channels, one kernel per LR pixel.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        kernel_size: Side of the kernels, 15 in the paper.
        width: Channels of the network at full resolution.
        levels: Halvings inside the network.
        skips: Whether the network has skip connections.
        normalise: ``"none"`` (the raw output, as in KPN, Mildenhall et al.) or ``"softmax"`` (as in
            BPN); the paper does not say.
        delta_init: Whether the last bias starts as a kernel that copies the pixel (or averages the
            pixels around an LR centre between them). No effect with ``"softmax"``.
        padding: Border handling, as in :func:`realdeg.ops.pixel_kernel_apply`.
        xavier: ``"uniform"`` or ``"normal"``.
        lr_grid: See :class:`LearnedDegradation`.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kernel_size: WindowSize = 15,
        width: Count = 64,
        levels: Levels = 4,
        skips: bool = True,
        normalise: Literal["none", "softmax"] = "none",
        delta_init: bool = True,
        padding: Padding = "reflect",
        xavier: Xavier = "uniform",
        lr_grid: LRGrid = "unshuffle",
    ) -> None:
        super().__init__(scale, same_size, kernel_size, padding, lr_grid)
        self.normalise = normalise
        self.network = self.make_network(kernel_size**2, width, levels, skips, xavier)
        if delta_init and normalise == "none":
            assert self.network.last.bias is not None
            with torch.no_grad():
                self.network.last.bias.copy_(self._delta().flatten())

    def _delta(self) -> Tensor:
        size = self.kernel_size
        # An LR centre between pixels is shared by its two (four) neighbours.
        centre = (size - 1) / 2 + centre_rest(size, self.stride)
        line = torch.zeros(size)
        for tap in range(size):
            line[tap] = max(0.0, 1.0 - abs(tap - centre))
        line = line / line.sum()
        return torch.outer(line, line)

    def kernels(self, hr: Tensor) -> Tensor:
        """Predict the kernels.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).

        Returns:
            Shape (B, k * k, H / stride, W / stride), taps in row-major order.
        """
        field = self.field(hr)
        return field.softmax(1) if self.normalise == "softmax" else field

    def generate(self, hr: Tensor) -> Tensor:
        """Filter every pixel with its own kernel."""
        kernels = self.kernels(hr)
        with full_precision(hr):
            return pixel_kernel_apply(hr, kernels, self.stride, self.padding)

    def kernels_at(self, hr: Tensor, points: Sequence[tuple[int, int]]) -> Tensor:
        """Return the kernels at given LR pixels, shape (P, k, k)."""
        rows, columns = zip(*points, strict=True)
        taps = self.kernels(hr)[0][:, list(rows), list(columns)]
        return taps.T.reshape(-1, self.kernel_size, self.kernel_size)
