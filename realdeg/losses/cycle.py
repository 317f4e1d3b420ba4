"""Cycle consistency and identity, for pairs of networks that undo each other."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from realdeg.losses.base import Loss, Reduction
from realdeg.losses.pixel import norms
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative


class _Criterion(Loss):
    """A loss whose distance is chosen by name."""

    def __init__(
        self,
        weight: NonNegative = 1.0,
        reduction: Reduction = "mean",
        criterion: Literal["l1", "mse", "norm"] = "l1",
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.criterion = criterion

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the distance of every element, or with ``"norm"`` of every image."""
        difference = prediction - target
        if self.criterion == "norm":
            return norms(difference)
        return difference.abs() if self.criterion == "l1" else difference.square()

    def extra_repr(self) -> str:
        """Show weight, reduction and criterion."""
        return f"{super().extra_repr()}, criterion={self.criterion!r}"


@LOSSES.register_module()
class CycleLoss(_Criterion):
    """Distance of an image from itself after a network and its reverse, ``d(F(G(x)), x)``.

    The loss of one direction; a full cycle loss has a term for each.

    Args:
        weight: Factor of the result; 10 in both papers.
        reduction: ``"mean"`` or ``"sum"``.
        criterion: ``"l1"`` (CycleGAN), ``"mse"`` (CinCGAN), or ``"norm"`` for
            ``sqrt(sum d^2) / (h w c)`` of each image.

    Shape:
        (B, C, H, W) after the cycle, (B, C, H, W) before it -> ()

    Source:
        Zhu, Park, Isola, Efros, ICCV 2017 (junyanz/pytorch-CycleGAN-and-pix2pix: ``lambda_A`` 10);
        Yuan et al., CVPRW 2018 (sangyun884/CinCGAN-pytorch 09d7efc: ``w1`` 10).
    """

    def __init__(
        self,
        weight: NonNegative = 10.0,
        reduction: Reduction = "mean",
        criterion: Literal["l1", "mse", "norm"] = "l1",
    ) -> None:
        super().__init__(weight=weight, reduction=reduction, criterion=criterion)


@LOSSES.register_module()
class IdentityLoss(_Criterion):
    """Distance of an image from itself after a network that should leave it, ``d(G(y), y)``.

    It keeps the colours of a network that is trained without pairs: ``y`` is an image of the domain
    that G maps to.

    Args:
        weight: Factor of the result; half the cycle's in both papers.
        reduction: ``"mean"`` or ``"sum"``.
        criterion: ``"l1"`` (CycleGAN), ``"mse"`` (CinCGAN), or ``"norm"`` for
            ``sqrt(sum d^2) / (h w c)`` of each image.

    Shape:
        (B, C, H, W) after the network, (B, C, H, W) before it -> ()

    Source:
        Zhu, Park, Isola, Efros, ICCV 2017 (junyanz/pytorch-CycleGAN-and-pix2pix:
        ``lambda_identity`` 0.5 of ``lambda_A`` 10); Yuan et al., CVPRW 2018
        (sangyun884/CinCGAN-pytorch 09d7efc: ``w2`` 5).
    """

    def __init__(
        self,
        weight: NonNegative = 5.0,
        reduction: Reduction = "mean",
        criterion: Literal["l1", "mse", "norm"] = "l1",
    ) -> None:
        super().__init__(weight=weight, reduction=reduction, criterion=criterion)
