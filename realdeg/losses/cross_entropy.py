"""Cross entropy of per-pixel class logits."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from realdeg.errors import GeometryError
from realdeg.losses.base import Loss
from realdeg.registry import LOSSES


@LOSSES.register_module()
class CrossEntropyLoss(Loss):
    """Negative log-likelihood of the correct class at every pixel, in nats.

    For networks that predict a distribution per pixel, such as one over 256 levels of each
    colour. The target holds class indices, which a backbone's ``targets`` derives from the HR
    image.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over pixels (and colours), or ``"sum"``.

    Shape:
        (B, K, ...) logits, (B, ...) integer classes in [0, K) -> ()
    """

    compares: ClassVar[str] = "classes"

    def check(self, prediction: Tensor, target: Tensor) -> None:
        """Raise GeometryError unless the target holds class indices (B, ...) of matching size."""
        wanted = (prediction.shape[0], *prediction.shape[2:]) if prediction.ndim > 1 else ()
        if target.is_floating_point() or tuple(target.shape) != wanted or prediction.ndim < 2:
            raise GeometryError(
                f"CrossEntropyLoss compares logits (B, K, ...) {tuple(prediction.shape)} with"
                f" integer classes (B, ...), wanted {wanted}, got {tuple(target.shape)} of"
                f" {target.dtype}: let the backbone's targets() turn the HR image into classes."
            )

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return ``-log p(class)`` of every pixel."""
        return F.cross_entropy(prediction, target.long(), reduction="none")
