"""The base of pixel losses: weight, reduction and a check of shapes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from realdeg.errors import GeometryError

Reduction = Literal["mean", "sum"]


class Loss(nn.Module, ABC):
    """A weighted scalar that compares a prediction with a target.

    Subclasses return the loss of every element. Weight and reduction are applied here, in float32
    or wider. The loss of an empty batch is 0.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over every element, or ``"sum"``.
    """

    kind: ClassVar[str] = "image"
    """What the loss judges: places that take another kind refuse it."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Further pictures that it takes as keywords, such as ``"averaged"``; see WeightedLoss."""

    def __init__(self, weight: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.weight = float(weight)
        self.reduction = reduction

    @abstractmethod
    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every element, unreduced and unweighted."""

    def check(self, prediction: Tensor, target: Tensor) -> None:
        """Raise GeometryError if the shapes differ; nothing is ever broadcast."""
        if prediction.shape != target.shape:
            raise GeometryError(
                f"{type(self).__name__} compares a prediction {tuple(prediction.shape)} with a"
                f" target {tuple(target.shape)}: colours, scale and crops of both must agree."
            )

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the weighted scalar loss.

        Args:
            prediction: The network's output, (B, C, H, W).
            target: The same shape, unless the loss states otherwise.
        """
        self.check(prediction, target)
        # Sums over pixels need more than the 8 or 11 bits of the half-precision types.
        prediction = prediction.to(torch.promote_types(prediction.dtype, torch.float32))
        if target.is_floating_point():
            target = target.to(prediction.dtype)
        if not prediction.numel():
            return self.weight * prediction.sum()
        values = self.elements(prediction, target)
        return self.weight * (values.mean() if self.reduction == "mean" else values.sum())

    def extra_repr(self) -> str:
        """Show weight and reduction."""
        return f"weight={self.weight:g}, reduction={self.reduction!r}"
