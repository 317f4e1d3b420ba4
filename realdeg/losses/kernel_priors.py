"""Priors of blur kernels, the four of KernelGAN, as losses."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from realdeg.degradations.primitives.kernel_priors import (
    BOUNDARY_MARGIN,
    SPARSITY_POWER,
    boundary_penalty,
    boundary_weights,
    centre_penalty,
    sparsity_penalty,
    sum_penalty,
)
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.errors import GeometryError
from realdeg.losses.base import Reduction, Regulariser
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import Count, NonNegative, Positive, Scale


class KernelPrior(Regulariser):
    """A penalty on blur kernels, one value per kernel.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over kernels, or ``"sum"``.
    """

    kind: ClassVar[str] = "kernel"

    def forward(self, prediction: Tensor, target: Tensor | None = None) -> Tensor:
        """Return the weighted scalar penalty.

        Args:
            prediction: One kernel (k, k) or several (K, k, k).
            target: Not used.

        Raises:
            GeometryError: If the kernels have another shape.
        """
        shape = tuple(prediction.shape)
        if len(shape) not in (2, 3) or shape[-1] != shape[-2]:
            raise GeometryError(
                f"{type(self).__name__} takes kernels (k, k) or (K, k, k), got {shape}."
            )
        return super().forward(prediction)


@LOSSES.register_module()
class KernelSumLoss(KernelPrior):
    """The taps of a kernel sum to one: ``|1 - sum k|``.

    Args:
        weight: Factor of the result; KernelGAN's is 0.5.
        reduction: ``"mean"`` over kernels, or ``"sum"``.

    Shape:
        (k, k) or (K, k, k) -> ()

    Source:
        Bell-Kligler, Shocher, Irani, NeurIPS 2019.
    """

    def __init__(self, weight: NonNegative = 0.5, reduction: Reduction = "mean") -> None:
        super().__init__(weight=weight, reduction=reduction)

    def values(self, prediction: Tensor) -> Tensor:
        """Return the penalty of each kernel."""
        return sum_penalty(prediction)


@LOSSES.register_module()
class KernelBoundaryLoss(KernelPrior):
    """A kernel ends before its window does: ``mean |w k|`` with weights w on the outer taps.

    ``w = 30 (1 - g)`` on the outer rings and 0 inside, with ``g`` a Gaussian of sigma k and height
    1 at the middle, so that corners cost most.

    Args:
        weight: Factor of the result; KernelGAN's is 0.5.
        reduction: ``"mean"`` over kernels, or ``"sum"``.
        margin: How many rings of taps are penalised.

    Shape:
        (k, k) or (K, k, k) -> ()

    Source:
        Bell-Kligler, Shocher, Irani, NeurIPS 2019.
    """

    def __init__(
        self,
        weight: NonNegative = 0.5,
        reduction: Reduction = "mean",
        margin: Count = BOUNDARY_MARGIN,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.margin = margin

    def values(self, prediction: Tensor) -> Tensor:
        """Return the penalty of each kernel."""
        weights = boundary_weights(prediction.shape[-1], self.margin)
        return boundary_penalty(prediction, weights.to(prediction))


@LOSSES.register_module()
class KernelSparsityLoss(KernelPrior):
    """Few taps of a kernel are strong: ``mean |k|^0.2``.

    Taps below 1e-12 count as 1e-12: the power has no finite gradient at 0.

    Args:
        weight: Factor of the result; KernelGAN's is 5 once its kernel has left bicubic, 0 before.
        reduction: ``"mean"`` over kernels, or ``"sum"``.
        power: The exponent, below 1 for sparsity.

    Shape:
        (k, k) or (K, k, k) -> ()

    Source:
        Bell-Kligler, Shocher, Irani, NeurIPS 2019.
    """

    def __init__(
        self,
        weight: NonNegative = 5.0,
        reduction: Reduction = "mean",
        power: Positive = SPARSITY_POWER,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.power = float(power)

    def values(self, prediction: Tensor) -> Tensor:
        """Return the penalty of each kernel."""
        return sparsity_penalty(prediction, self.power)


@LOSSES.register_module()
class KernelCentreLoss(KernelPrior):
    """A kernel's centre of mass lies on the LR pixel: its mean squared distance over both axes.

    A kernel whose taps sum to 0 has no centre of mass.

    Args:
        weight: Factor of the result; KernelGAN's is 1 once its kernel has left bicubic, 0 before.
        reduction: ``"mean"`` over kernels, or ``"sum"``.
        scale: HR pixels per LR pixel on the grid. The LR pixel's centre is the window's middle
            where ``scale - k`` is even, else half a tap beyond it.

    Shape:
        (k, k) or (K, k, k) -> ()

    Source:
        Bell-Kligler, Shocher, Irani, NeurIPS 2019.
    """

    def __init__(
        self, weight: NonNegative = 1.0, reduction: Reduction = "mean", scale: Scale = 1
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.scale = scale

    def values(self, prediction: Tensor) -> Tensor:
        """Return the squared distance of each kernel."""
        return centre_penalty(prediction, centre_rest(prediction.shape[-1], self.scale))
