"""Cross entropy of per-pixel class logits."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from realdeg.errors import GeometryError
from realdeg.losses.base import Loss
from realdeg.registry import LOSSES


@LOSSES.register_module()
class CrossEntropyLoss(Loss):
    """Negative log-likelihood of the right class at every pixel, in nats.

    For networks that predict a distribution per pixel, such as one over 256 levels of each
    colour. The target holds class numbers; a backbone makes them from the HR image in its
    ``targets``.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over pixels (and colours), or ``"sum"``.

    Shape:
        (B, K, ...) logits, (B, ...) integer classes in [0, K) -> ()
    """

    def check(self, prediction: Tensor, target: Tensor) -> None:
        """Refuse targets that are no class numbers, or of another size.

        Args:
            prediction: Logits (B, K, ...).
            target: Classes (B, ...).

        Raises:
            GeometryError: If shapes or the target's type do not fit.
        """
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
