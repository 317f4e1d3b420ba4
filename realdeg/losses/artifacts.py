"""Locally discriminative learning: pixels where adversarial training makes artifacts."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.errors import ConfigError, GeometryError
from realdeg.losses.base import Loss, Reduction, in_full
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative, OddSize
from realdeg.utils.precision import full_precision


@LOSSES.register_module()
class LDLLoss(Loss):
    """L1 weighed by a map of artifacts, ``mean |m (x - y)|``.

    Artifacts of adversarial training are errors that vary strongly from pixel to pixel and from
    one step to the next. With the residual ``r = sum_c |x - y|``, the map ``m`` is the variance of
    r in a window of 7 x 7 pixels, times the fifth root of its variance over the image, and 0
    wherever the average of the network's weights has a larger residual than the network. Both
    variances are unbiased; the window is reflected at the border. As in the authors' code the
    gradient also passes through the map.

    As a term of ``WeightedLoss`` it is handed the picture ``"averaged"`` by tasks that keep an
    average of the network.

    Args:
        weight: Factor of the result; the authors' is 1, beside L1 of 0.01.
        reduction: ``"mean"`` over every element, or ``"sum"``.
        size: Side of the window in pixels, odd.

    Shape:
        (B, C, H, W), (B, C, H, W), averaged (B, C, H, W) -> ()

    Raises:
        ConfigError: If the averaged network's picture is not given.
        GeometryError: If shapes differ, or a side is not larger than half the window.

    Source:
        Liang, Zeng, Zhang, CVPR 2022; csjliang/LDL 2d22ddd (``LDL_loss.py``, window 7, weight 1).
    """

    needs: ClassVar[tuple[str, ...]] = ("averaged",)

    def __init__(
        self, weight: NonNegative = 1.0, reduction: Reduction = "mean", size: OddSize = 7
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.size = size

    def forward(self, prediction: Tensor, target: Tensor, averaged: Tensor | None = None) -> Tensor:
        """Return the weighted scalar loss.

        Args:
            prediction: The network's output, (B, C, H, W).
            target: The same shape.
            averaged: The output of the averaged network, the same shape; no gradient reaches it.
        """
        if averaged is None:
            raise ConfigError(
                "LDLLoss needs the picture 'averaged', the output of the averaged network: make it"
                " a term of WeightedLoss in a task that gives it."
            )
        self.check(prediction, target)
        self.check(averaged, target)
        x = in_full(prediction)
        with full_precision(x):
            return self._reduced(
                x, self._weighed, target.to(x.dtype), averaged.detach().to(x.dtype)
            )

    def check(self, prediction: Tensor, target: Tensor) -> None:
        """Raise GeometryError if the shapes differ or an image is too small for the window."""
        super().check(prediction, target)
        if prediction.ndim != 4 or min(prediction.shape[2:]) <= self.size // 2:
            raise GeometryError(
                f"LDLLoss takes images (B, C, H, W) with sides above {self.size // 2} pixels, got"
                f" {tuple(prediction.shape)}."
            )

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the weighed difference where no average is better than the prediction."""
        return self._weighed(prediction, target, target)

    def _weighed(self, prediction: Tensor, target: Tensor, averaged: Tensor) -> Tensor:
        weights = artifact_map(prediction, target, averaged, self.size)
        return (weights * (prediction - target)).abs()


def artifact_map(prediction: Tensor, target: Tensor, averaged: Tensor, size: int = 7) -> Tensor:
    """Return LDL's map of artifacts; see :class:`LDLLoss`.

    Args:
        prediction: The network's output, (B, C, H, W).
        target: The same shape.
        averaged: The output of the averaged network, the same shape.
        size: Side of the window in pixels, odd.

    Returns:
        The weights, (B, 1, H, W), 0 or more up to rounding.
    """
    residual = (target - prediction).abs().sum(1, keepdim=True)
    # The root of a variance of 0 has no finite gradient; a clamped one has the gradient 0.
    patch = residual.var((1, 2, 3), keepdim=True).clamp_min(1e-20) ** 0.2
    # The mean of the image is subtracted because a difference of large squares loses digits.
    centred = residual - residual.mean((1, 2, 3), keepdim=True).detach()
    centred = F.pad(centred, [size // 2] * 4, mode="reflect")
    mean, square = (F.avg_pool2d(one, size, 1) for one in (centred, centred.square()))
    count = size * size
    local = (square - mean.square()) * (count / max(count - 1, 1))
    worse = residual >= (target - averaged).abs().sum(1, keepdim=True)
    return torch.where(worse, patch * local, 0.0)
