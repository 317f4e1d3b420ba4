"""DML: degradation model learning (Xiao, Yong and Zhang, ACCV 2020).

Each LR pixel is filtered by its own mixture of N basis kernels. The bases are global and learned;
a network predicts the mixing weights from the HR image (Eqs. 2 to 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.degradations.base import Scale
from realdeg.degradations.encoder_decoder import Levels, Xavier
from realdeg.degradations.learned import LearnedDegradation, LRGrid
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.degradations.windowed import Padding, WindowSize
from realdeg.ops import kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count
from realdeg.utils.precision import full_precision

Activation = Literal["sigmoid", "sigmoid_normalised", "softmax"]


@DEGRADATIONS.register_module()
class DML(LearnedDegradation):
    """N learned basis kernels, mixed at every pixel by a network.

    Where the paper leaves something open, an argument decides; defaults are the literal reading.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid (RealSR V1/V2, the paper's setting).
        num_kernels: N, 8 in the paper; 4 and 16 in its ablation.
        kernel_size: Side of the bases, 15 in the paper for all scales.
        width: Channels of the network at full resolution (not stated).
        levels: Halvings inside the network (not stated).
        skips: Whether the network has skip connections (not stated).
        activation: Activation of the weights: independent ``"sigmoid"`` (the paper),
            ``"sigmoid_normalised"`` (divided by their sum) or ``"softmax"``.
        init: Initial bases: ``"random"`` (uniform on [0, 1), each divided by its sum; the paper) or
            ``"gaussian_bank"`` (Gaussians from nearly a delta to a wide blur, centred on the LR
            pixel).
        unit_gain: Whether the last bias makes the initial weights 1 / N, which preserves brightness
            at step 0. Without it, a sigmoid starts at 0.5 and images are N / 2 times too bright.
            ``None`` is True for ``gaussian_bank`` and False for ``random``.
        renormalise: Whether the bases are divided by their sums on every use.
        nonnegative: Whether negative taps are set to 0 on every use.
        padding: Border handling, as in :func:`realdeg.ops.kernel_apply`.
        xavier: ``"uniform"`` or ``"normal"`` (the paper only says Xavier).
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
        num_kernels: Count = 8,
        kernel_size: WindowSize = 15,
        width: Count = 64,
        levels: Levels = 4,
        skips: bool = True,
        activation: Activation = "sigmoid",
        init: Literal["random", "gaussian_bank"] = "random",
        unit_gain: bool | None = None,
        renormalise: bool = False,
        nonnegative: bool = False,
        padding: Padding = "reflect",
        xavier: Xavier = "uniform",
        lr_grid: LRGrid = "unshuffle",
    ) -> None:
        super().__init__(scale, same_size, kernel_size, padding, lr_grid)
        self.activation, self.renormalise, self.nonnegative = activation, renormalise, nonnegative
        if init == "random":
            bases = torch.rand(num_kernels, kernel_size, kernel_size)
            bases = bases / bases.sum((1, 2), keepdim=True)
        else:
            bases = gaussian_bank(num_kernels, kernel_size, self.stride)
        self.bases = nn.Parameter(bases)
        self.network = self.make_network(num_kernels, width, levels, skips, xavier)
        wants_unit = init == "gaussian_bank" if unit_gain is None else unit_gain
        if wants_unit and activation == "sigmoid" and num_kernels > 1:
            # sigmoid(-log(N - 1)) = 1 / N
            assert self.network.last.bias is not None
            nn.init.constant_(self.network.last.bias, -math.log(num_kernels - 1))

    def weights(self, hr: Tensor) -> Tensor:
        """Predict the mixing weights, C in Eq. 3.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).

        Returns:
            Shape (B, N, H / stride, W / stride).
        """
        field = self.field(hr)
        if self.activation == "softmax":
            return field.softmax(1)
        weights = field.sigmoid()
        if self.activation == "sigmoid_normalised":
            weights = weights / weights.sum(1, keepdim=True)
        return weights

    def effective_bases(self) -> Tensor:
        """Return the bases after ``nonnegative`` and ``renormalise``, shape (N, k, k)."""
        bases: Tensor = self.bases
        if self.nonnegative:
            bases = F.relu(bases)
        if self.renormalise:
            bases = bases / bases.sum((1, 2), keepdim=True)
        return bases

    def generate(self, hr: Tensor) -> Tensor:
        """Filter every pixel with its own mixture of the bases."""
        weights, bases = self.weights(hr), self.effective_bases()
        with full_precision(hr):
            return kernel_apply(hr, weights, bases, self.stride, self.padding)

    def kernels_at(self, hr: Tensor, points: Sequence[tuple[int, int]]) -> Tensor:
        """Return the mixed kernels at given LR pixels, shape (P, k, k)."""
        rows, columns = zip(*points, strict=True)
        weights = self.weights(hr)[0][:, list(rows), list(columns)]
        return torch.einsum("np,nij->pij", weights, self.effective_bases())


def gaussian_bank(num_kernels: int, kernel_size: WindowSize, stride: int) -> Tensor:
    """Return N unit-sum Gaussians, float32, (N, k, k), from the sharpest to a wide blur.

    Every third one is elongated, so that mixtures can have a direction. Their common centroid is at
    the LR pixel: in the middle of the window if ``stride - kernel_size`` is even, else half a pixel
    off. ``stride`` is in HR pixels per LR pixel on the grid.
    """
    rest = centre_rest(kernel_size, stride)
    # The window then reaches half a pixel further on one side; cutting that off keeps wide kernels
    # centred.
    distance = (torch.arange(kernel_size, dtype=torch.float64) - (kernel_size - 1) / 2 - rest).abs()
    near = (distance <= (kernel_size - 1) / 2 - rest).double()
    inside = torch.outer(near, near)
    widest = kernel_size / 6
    kernels = []
    for index in range(num_kernels):
        share = index / max(num_kernels - 1, 1)
        sigma = 0.35 * (widest / 0.35) ** share
        stretch, angle = 1.0, 0.0
        if index % 3 == 2:
            stretch, angle = 1.5, 0.0 if index % 2 else math.pi / 2
        kernel = gaussian_kernel(kernel_size, sigma * stretch, sigma / stretch, angle, (rest, rest))
        kernels.append(kernel * inside / (kernel * inside).sum())
    return torch.stack(kernels).float()
