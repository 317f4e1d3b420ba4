"""A loss that looks at details of all sizes alike."""

from __future__ import annotations

import torch
from torch import Tensor

from realdeg.losses import Loss
from realdeg.registry import LOSSES


@LOSSES.register_module()
class FrequencyLoss(Loss):
    """The absolute difference of two images' Fourier transforms.

    Losses of pixels are ruled by large areas; here fine texture has as many terms as they have.
    The transform is orthonormal: the numbers do not grow with the image.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` over every frequency, or ``"sum"``.

    Shape:
        (B, C, H, W), (B, C, H, W) -> ()

    Source:
        Cho et al., Rethinking Coarse-to-Fine Approach in Single Image Deblurring, ICCV 2021.
    """

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the difference of every frequency."""
        spectrum: Tensor = torch.fft.rfft2(prediction - target, norm="ortho")
        return spectrum.abs()
