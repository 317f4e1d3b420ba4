"""Losses that compare pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from realdeg.losses.base import Loss, Reduction
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative, Positive


@LOSSES.register_module()
class L1Loss(Loss):
    """Absolute difference, ``mean |x - y|``.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` or ``"sum"``.

    Shape:
        (B, C, H, W), (B, C, H, W) -> ()
    """

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return ``|x - y|``."""
        return (prediction - target).abs()


@LOSSES.register_module()
class MSELoss(Loss):
    """Squared difference, ``mean (x - y)^2``.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` or ``"sum"``.

    Shape:
        (B, C, H, W), (B, C, H, W) -> ()
    """

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return ``(x - y)^2``."""
        return (prediction - target).square()


@LOSSES.register_module()
class NormLoss(Loss):
    """Norm of the difference of each image, ``sqrt(sum (x - y)^2) / (h w c)``.

    The sum is over one image, the result the mean over images. The root makes the gradient of an
    image independent of how wrong it is; with ``h w c`` below the line it also shrinks with the
    image: about ``RMSE / sqrt(h w c)``.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over images, or ``"sum"``.

    Shape:
        (B, C, H, W), (B, C, H, W) -> ()

    Source:
        The form in which lectures state content and cycle losses. At equality the gradient is 0.
    """

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the norm of each image, divided by its number of values, (B,)."""
        return norms(prediction - target)


@LOSSES.register_module()
class CharbonnierLoss(Loss):
    """A smooth absolute difference, ``mean sqrt((x - y)^2 + eps^2)``.

    ``eps`` itself is squared, as in the paper. Several public implementations add 1e-12 or 1e-9
    under the root instead, which is ``eps=1e-6`` or ``3.2e-5`` here.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` or ``"sum"`` (the paper's).
        eps: Half-width of the smooth minimum, in the images' units.

    Shape:
        (B, C, H, W), (B, C, H, W) -> ()

    Raises:
        ConfigError: If ``eps`` is not positive: the gradient at equality would not be finite.

    Source:
        Lai, Huang, Ahuja, Yang, Deep Laplacian Pyramid Networks for Fast and Accurate
        Super-Resolution, CVPR 2017.
    """

    def __init__(
        self, weight: NonNegative = 1.0, reduction: Reduction = "mean", eps: Positive = 1e-3
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.eps = float(eps)

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return ``sqrt((x - y)^2 + eps^2)``."""
        return ((prediction - target).square() + self.eps**2).sqrt()


def norms(difference: Tensor) -> Tensor:
    """Return ``sqrt(sum d^2) / n`` of each of B differences with n values, (B,)."""
    flat = difference.flatten(1)
    # vector_norm has the gradient 0 at 0, where that of the root is not finite.
    norm: Tensor = torch.linalg.vector_norm(flat, dim=1)
    return norm / flat.shape[1]
