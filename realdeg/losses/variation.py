"""Total variation: how much a picture changes from pixel to pixel."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from realdeg.errors import GeometryError
from realdeg.losses.base import Reduction, Regulariser
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative, Positive


@LOSSES.register_module()
class TVLoss(Regulariser):
    r"""Total variation of the prediction, one value per image.

    With the forward differences ``dx = x[i, j+1] - x[i, j]`` and ``dy = x[i+1, j] - x[i, j]`` of
    each channel, and means over rows, columns and channels:

    - ``"isotropic"``: ``mean sqrt(dx^2 + dy^2 + eps^2)``.
    - ``"anisotropic"``: ``mean |dx| + mean |dy|``.
    - ``"squared"``: ``2 (mean dx^2 + mean dy^2)``; the factor is that of the public code.

    A column has one difference fewer than pixels. ``border="zero"`` counts the missing one as 0, so
    that every mean is over all H W C values; the last row and column keep their other difference.
    ``border="valid"`` takes only differences that exist: of the (H - 1) x (W - 1) pixels that have
    both for the isotropic form, and the (H - 1) W and H (W - 1) of each direction for the others.

    Args:
        weight: Factor of the result. Published: 2e-8 (SRGAN's VGG22 variants), 0.5 at LR and 2 at
            HR (CinCGAN, squared).
        reduction: ``"mean"`` over images, or ``"sum"``.
        form: ``"isotropic"``, ``"anisotropic"`` or ``"squared"``.
        border: ``"zero"`` or ``"valid"``.
        eps: Of the isotropic form, in the images' units: without it the gradient of a flat picture
            would not be finite.

    Shape:
        (B, C, H, W) -> (); a target is accepted and not used.

    Raises:
        GeometryError: If a side is below 2 pixels.

    Source:
        Rudin, Osher, Fatemi, Physica D 1992. With ``border="valid"`` the anisotropic form equals
        BasicSR's WeightedTVLoss (8d56e3a), and the squared one KAIR's TVLoss (fc1732f) and that of
        sangyun884/CinCGAN-pytorch (6eaaf1a).
    """

    def __init__(
        self,
        weight: NonNegative = 1.0,
        reduction: Reduction = "mean",
        form: Literal["isotropic", "anisotropic", "squared"] = "isotropic",
        border: Literal["zero", "valid"] = "zero",
        eps: Positive = 1e-6,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.form, self.border, self.eps = form, border, float(eps)

    def values(self, prediction: Tensor) -> Tensor:
        """Return the total variation of each image, (B,)."""
        if prediction.ndim != 4 or min(prediction.shape[2:]) < 2:
            raise GeometryError(
                "TVLoss takes images (B, C, H, W) of at least 2 x 2 pixels, got"
                f" {tuple(prediction.shape)}."
            )
        dx, dy = prediction.diff(dim=3), prediction.diff(dim=2)
        if self.border == "zero":
            dx, dy = F.pad(dx, (0, 1)), F.pad(dy, (0, 0, 0, 1))
        if self.form == "isotropic":
            if self.border == "valid":
                dx, dy = dx[:, :, :-1], dy[..., :-1]
            return (dx.square() + dy.square() + self.eps**2).sqrt().mean((1, 2, 3))
        if self.form == "anisotropic":
            return dx.abs().mean((1, 2, 3)) + dy.abs().mean((1, 2, 3))
        return 2 * (dx.square().mean((1, 2, 3)) + dy.square().mean((1, 2, 3)))

    def extra_repr(self) -> str:
        """Show weight, form and border."""
        return f"{super().extra_repr()}, form={self.form!r}, border={self.border!r}"
