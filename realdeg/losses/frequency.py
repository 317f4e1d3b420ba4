"""Losses that look at an image by frequency: its spectrum, or what a filter passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.pass_filters import low_pass
from realdeg.degradations.primitives.wavelets import haar
from realdeg.errors import ConfigError, GeometryError
from realdeg.losses.base import Loss, Reduction
from realdeg.losses.build import LossConfig, build_loss, component_of, needs_of
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import Count, NonNegative, OddSize


@LOSSES.register_module()
class FocalFrequencyLoss(Loss):
    """Squared difference of the spectra, weighted by itself: ``mean w |F(x) - F(y)|^2``.

    F is the orthonormal 2D Fourier transform of each channel and patch, and
    ``w = |F(x) - F(y)|^alpha`` divided by its largest value in the patch, a constant for the
    gradient. Frequencies that the network already has right fade out of the loss; with
    ``alpha=0`` it is the mean squared error.

    Args:
        weight: Factor of the result; the authors' autoencoder is trained with 100 beside 1 of the
            mean squared error (``celeba_recon_w_ffl.sh``).
        reduction: ``"mean"`` over images, channels and frequencies, or ``"sum"``.
        alpha: Exponent of the weights.
        patch_factor: The image is cut into this many patches per side.
        ave_spectrum: Compare the spectra averaged over the batch.
        log_matrix: Take ``log(1 + w)`` of the weights before they are divided.
        batch_matrix: Divide by the largest weight of the batch instead of that of each patch.

    Shape:
        (B, C, H, W), (B, C, H, W) -> ()

    Raises:
        GeometryError: If the shapes differ, or a side is not divisible by ``patch_factor``.

    Source:
        Jiang, Dai, Wu, Loy, ICCV 2021; EndlessSora/focal-frequency-loss 352f69d, whose arguments
        and defaults these are.
    """

    def __init__(
        self,
        weight: NonNegative = 1.0,
        reduction: Reduction = "mean",
        alpha: NonNegative = 1.0,
        patch_factor: Count = 1,
        ave_spectrum: bool = False,
        log_matrix: bool = False,
        batch_matrix: bool = False,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        self.alpha, self.patch_factor = float(alpha), patch_factor
        self.ave_spectrum, self.log_matrix = ave_spectrum, log_matrix
        self.batch_matrix = batch_matrix

    @classmethod
    def parts_for(cls, config: Mapping[str, Any]) -> int:
        """Return ``patch_factor``.

        Args:
            config: The loss's config.
        """
        return int(config.get("patch_factor") or 1)

    def check(self, prediction: Tensor, target: Tensor) -> None:
        """Raise GeometryError if the shapes differ or the patches do not fit."""
        super().check(prediction, target)
        if prediction.ndim != 4 or any(side % self.patch_factor for side in prediction.shape[2:]):
            raise GeometryError(
                f"FocalFrequencyLoss cuts images (B, C, H, W) into {self.patch_factor} x"
                f" {self.patch_factor} equal patches, got {tuple(prediction.shape)}: choose a"
                " patch_factor that divides both sides."
            )

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the weighted squared differences, (B, P, P, C, h, w) for P x P patches."""
        difference = self._spectrum(prediction) - self._spectrum(target)
        distance = difference.real.square() + difference.imag.square()
        with torch.no_grad():
            weights = distance.sqrt() ** self.alpha
            if self.log_matrix:
                weights = weights.log1p()
            largest = weights.max() if self.batch_matrix else weights.amax((-2, -1), keepdim=True)
            # Equal spectra weigh nothing.
            weights = torch.where(largest > 0, weights / largest, 0.0)
        return weights * distance

    def _spectrum(self, x: Tensor) -> Tensor:
        parts = self.patch_factor
        height, width = x.shape[2] // parts, x.shape[3] // parts
        patches = x.unfold(2, height, height).unfold(3, width, width).permute(0, 2, 3, 1, 4, 5)
        spectrum = torch.fft.fft2(patches, norm="ortho")
        return spectrum.mean(0, keepdim=True) if self.ave_spectrum else spectrum

    def extra_repr(self) -> str:
        """Show weight, reduction and alpha."""
        return f"{super().extra_repr()}, alpha={self.alpha:g}"


@LOSSES.register_module()
class FilteredLoss(Loss):
    """Another loss, on images behind a low-pass or high-pass filter.

    FSSR compares pixels of low-pass images only and leaves fine texture to a discriminator behind a
    high-pass. The high-pass band is ``x - low(x)``, so that both bands add up to the image. A
    wavelet's bands are those of one Haar level times 1/2: the low one has the means of 2 x 2
    pixels, the high one three details per channel, both at half the size (an odd last row or column
    is dropped).

    Args:
        loss: Config of the loss between the filtered images.
        band: ``"low"`` or ``"high"``: what the filter keeps.
        filter: ``"average"``, ``"gaussian"`` of variance ``(size / 6)^2`` pixels squared, or
            ``"wavelet"``.
        size: Side of the window in pixels, odd; not used by the wavelet.
        border: What lies outside of the image: ``"zero"`` (FSSR's ESRGAN-FS), ``"ignore"`` takes
            the mean of the pixels inside (DSGAN's high-pass), ``"crop"`` keeps whole windows only
            (DSGAN's low-pass).
        weight: Factor of the result, beside the inner loss's own.

    Shape:
        (B, C, H, W), (B, C, H, W) -> ()

    Raises:
        ConfigError: If the inner loss has several terms or needs further pictures.
        GeometryError: If the shapes differ or an image is smaller than a window.

    Source:
        Fritsche, Gu, Timofte, ICCVW 2019; ManuelFritsche/real-world-sr 4be7851: L1 of weight 0.01
        behind a mean of 9 x 9 pixels, zeros outside. Its Gaussian option has the variance
        ``((size - 1) / 6)^2``.
    """

    def __init__(
        self,
        loss: LossConfig = {"type": "L1Loss"},  # noqa: B006 - never changed
        band: Literal["low", "high"] = "low",
        filter: Literal["average", "gaussian", "wavelet"] = "average",
        size: OddSize = 9,
        border: Literal["zero", "ignore", "crop"] = "zero",
        weight: NonNegative = 1.0,
    ) -> None:
        super().__init__(weight=weight)
        self.inner = build_loss(loss, "image", "FilteredLoss.loss")
        if getattr(self.inner, "takes_outputs", False) or needs_of(self.inner):
            raise ConfigError(
                f"FilteredLoss filters two images for one loss, and {type(self.inner).__name__}"
                " has several terms or needs further pictures: take L1Loss or the like."
            )
        self.band, self.filter, self.size, self.border = band, filter, size, border

    def check(self, prediction: Tensor, target: Tensor) -> None:
        """Raise GeometryError if the shapes differ or an image is smaller than a window."""
        super().check(prediction, target)
        least = 2 if self.filter == "wavelet" else self.size if self.border == "crop" else 1
        if prediction.ndim != 4 or min(prediction.shape[2:]) < least:
            raise GeometryError(
                f"FilteredLoss takes images (B, C, H, W) of at least {least} pixels per side, got"
                f" {tuple(prediction.shape)}: raise patch_size."
            )

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the inner loss of the filtered images, ()."""
        value: Tensor = self.inner(self.filtered(prediction), self.filtered(target))
        return value

    def filtered(self, x: Tensor) -> Tensor:
        """Return what the filter keeps of images (B, C, H, W)."""
        if self.filter == "wavelet":
            height, width = (side - side % 2 for side in x.shape[2:])
            bands = 0.5 * haar(x[..., :height, :width])
            channels = x.shape[1]
            return bands[:, :channels] if self.band == "low" else bands[:, channels:]
        margin = self.size // 2
        outside = F.pad(x, [margin] * 4) if self.border == "zero" else x
        low = low_pass(outside, self.size, self.filter, padded=self.border == "ignore")
        if self.band == "low":
            return low
        if self.border == "crop":
            x = x[..., margin : x.shape[2] - margin, margin : x.shape[3] - margin]
        return x - low

    @classmethod
    def least_side_for(cls, config: Mapping[str, Any]) -> int:
        """Return the smallest side that a window, and the inner loss behind the filter, takes.

        Args:
            config: The loss's config.
        """
        inner = config.get("loss") or {}
        least_for = getattr(component_of(inner), "least_side_for", None)
        least = 1 if least_for is None else int(least_for(inner))
        if config.get("filter") == "wavelet":
            return 2 * least
        return least + config.get("size", 9) - 1 if config.get("border") == "crop" else least

    @classmethod
    def check_config(cls, settings: Mapping[str, Any], place: str = "") -> None:
        """Refuse an inner loss with several terms or further pictures, when a config is read.

        Args:
            settings: The arguments.
            place: The loss's place in the config, for messages.

        Raises:
            ConfigError: Naming the inner loss and its place.
        """
        inner = settings.get("loss")
        kind = inner.get("type") if isinstance(inner, Mapping) else None
        component = LOSSES.get(kind) if isinstance(kind, str) else kind
        if getattr(component, "takes_outputs", False) or needs_of(component):
            raise ConfigError(
                f"'{place}.loss' is {kind}, which has several terms or needs further pictures:"
                " FilteredLoss filters two images for one loss, such as L1Loss."
            )

    def extra_repr(self) -> str:
        """Show weight and filter."""
        return (
            f"weight={self.weight:g}, band={self.band!r}, filter={self.filter!r}, size={self.size}"
        )
