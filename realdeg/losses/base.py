"""The bases of losses: weight, reduction, precision and a check of shapes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from realdeg.errors import GeometryError
from realdeg.utils.argument_types import NonNegative
from realdeg.utils.precision import full_precision

Reduction = Literal["mean", "sum"]


class Loss(nn.Module, ABC):
    """A weighted scalar that compares a prediction with a target.

    Subclasses return the loss of every element, or one value per image. Weight and reduction are
    applied here, in float32 or wider and without autocast. The loss of an empty batch is 0.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over every element (or image), or ``"sum"``.
    """

    kind: ClassVar[str] = "image"
    """What the loss judges: places that take another kind refuse it."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Further pictures that it takes as keywords, such as ``"averaged"``; see WeightedLoss."""

    compares: ClassVar[str] = "image"
    """``"image"``, or what only some networks put out: ``"classes"`` (logits per pixel) or
    ``"bands"`` (of a wavelet)."""

    judges_alone: ClassVar[bool] = False
    """Whether it judges the prediction alone, and compares it with nothing."""

    least_side: ClassVar[int] = 1
    """The smallest side of an image that it takes, in pixels."""

    needs_rgb: ClassVar[bool] = False
    """Whether it takes images of three channels only."""

    def __init__(self, weight: NonNegative = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.weight = float(weight)
        self.reduction = reduction

    @classmethod
    def least_side_for(cls, config: Mapping[str, Any]) -> int:
        """Return the smallest side of an image in pixels that a loss takes.

        Args:
            config: The loss's config, for losses whose arguments decide it.
        """
        return cls.least_side

    @classmethod
    def parts_for(cls, config: Mapping[str, Any]) -> int:
        """Return the number that must divide the sides of an image.

        Args:
            config: The loss's config, for losses whose arguments decide it.
        """
        return 1

    @classmethod
    def compares_for(cls, config: Mapping[str, Any]) -> str:
        """Return what a loss compares: :attr:`compares`, unless its arguments decide it.

        Args:
            config: The loss's config.
        """
        return cls.compares

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
        prediction = in_full(prediction)
        if target.is_floating_point():
            target = target.to(prediction.dtype)
        with full_precision(prediction):
            return self._reduced(prediction, self.elements, target)

    def _reduced(
        self, prediction: Tensor, elements: Callable[..., Tensor], *others: Tensor
    ) -> Tensor:
        """Return the weighted scalar of the elements, 0 where there are none."""
        if not prediction.numel():
            return self.weight * prediction.sum()
        values = elements(prediction, *others)
        return self.weight * (values.mean() if self.reduction == "mean" else values.sum())

    def extra_repr(self) -> str:
        """Show weight and reduction."""
        return f"weight={self.weight:g}, reduction={self.reduction!r}"


class Regulariser(Loss):
    """A weighted scalar that judges a prediction alone: the target may be left out.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over every element (or image), or ``"sum"``.
    """

    judges_alone: ClassVar[bool] = True

    @abstractmethod
    def values(self, prediction: Tensor) -> Tensor:
        """Return the loss of every element, or one value per image, unreduced and unweighted."""

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return :meth:`values` of the prediction; the target is not used."""
        return self.values(prediction)

    def forward(self, prediction: Tensor, target: Tensor | None = None) -> Tensor:
        """Return the weighted scalar loss.

        Args:
            prediction: The network's output, (B, C, H, W).
            target: Not used; it is accepted so that the loss can be one term among others.
        """
        with full_precision(prediction):
            return self._reduced(in_full(prediction), self.values)


def in_full(x: Tensor) -> Tensor:
    """Return a tensor in float32 or wider: sums over pixels need more than half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
