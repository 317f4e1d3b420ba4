"""Structural similarity as a loss, single and multi-scale."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from realdeg.errors import GeometryError
from realdeg.losses.base import Loss, Reduction
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative, Positive
from realdeg.utils.structural_similarity import (
    MS_SSIM_LEAST_SIDE,
    SCALE_WEIGHTS,
    halve,
    side_of,
    similarity_maps,
)

_LEAST_CONTRAST = 1e-6


@LOSSES.register_module()
class SSIMLoss(Loss):
    """Structural similarity, ``1 - SSIM`` of each image, mean over channels and positions.

    The same formula as the metric ``ssim``: Gaussian window of 11 x 11 pixels with sigma 1.5, at
    valid positions only, K1 0.01, K2 0.03, biased moments. It compares local means, contrast and
    correlation, so it is lenient with brightness and strict with lost texture.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over images, or ``"sum"``.
        data_range: The dynamic range L of the images.

    Shape:
        (B, C, H, W), (B, C, H, W) -> (); sides of 11 pixels or more.

    Raises:
        GeometryError: If the shapes differ or a side is below 11 pixels.

    Source:
        Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004; as a loss Zhao, Gallo, Frosio, Kautz, IEEE
        TCI 2017.
    """

    least_side: ClassVar[int] = side_of("gaussian-11")

    def __init__(
        self, weight: NonNegative = 1.0, reduction: Reduction = "mean", data_range: Positive = 1.0
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.data_range = float(data_range)

    def check(self, prediction: Tensor, target: Tensor) -> None:
        """Raise GeometryError if the shapes differ or an image is too small."""
        super().check(prediction, target)
        if prediction.ndim != 4 or min(prediction.shape[2:]) < self.least_side:
            raise GeometryError(
                f"{type(self).__name__} compares images (B, C, H, W) of at least {self.least_side}"
                f" pixels per side, got {tuple(prediction.shape)}: raise patch_size."
            )

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return ``1 - SSIM`` of each image, (B,)."""
        return 1 - similarity_maps(prediction, target, self.data_range)[0].mean((1, 2, 3))

    def extra_repr(self) -> str:
        """Show weight, reduction and range."""
        return f"{super().extra_repr()}, data_range={self.data_range:g}"


@LOSSES.register_module()
class MSSSIMLoss(SSIMLoss):
    """Multi-scale structural similarity, ``1 - MS-SSIM`` of each image, mean over channels.

    The same formula as the metric ``ms_ssim``: contrast-structure at five scales (2 x 2 means
    between them) to the powers 0.0448, 0.2856, 0.3001, 0.2363, 0.1333, luminance at the coarsest.
    A scale whose mean contrast is below 1e-6 counts as 1e-6, where the metric counts negative ones
    as 0: the gradient of a power at 0 is not finite.

    Args:
        weight: Factor of the result; 0.84 beside 0.16 of L1 in Zhao et al.
        reduction: ``"mean"`` over images, or ``"sum"``.
        data_range: The dynamic range L of the images.

    Shape:
        (B, C, H, W), (B, C, H, W) -> (); sides of 176 pixels or more.

    Raises:
        GeometryError: If the shapes differ or a side is below 176 pixels, where the coarsest scale
            would be smaller than the window.

    Source:
        Wang, Simoncelli, Bovik, Asilomar 2003; as a loss Zhao, Gallo, Frosio, Kautz, IEEE TCI 2017.
    """

    least_side: ClassVar[int] = MS_SSIM_LEAST_SIDE

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return ``1 - MS-SSIM`` of each image, (B,)."""
        x, y = prediction, target
        result = x.new_ones(x.shape[:2])
        for level, weight in enumerate(SCALE_WEIGHTS):
            if level:
                x, y = halve(x), halve(y)
            similarity, contrast = similarity_maps(x, y, self.data_range)
            coarsest = level == len(SCALE_WEIGHTS) - 1
            mean = (similarity if coarsest else contrast).mean((2, 3))
            result = result * mean.clamp_min(_LEAST_CONTRAST) ** weight
        return 1 - result.mean(1)
