"""Texture losses: statistics of features or of wavelet coefficients, not their places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from realdeg.degradations.primitives.wavelets import haar_packet
from realdeg.errors import ConfigError, GeometryError
from realdeg.losses.base import Loss, Reduction
from realdeg.losses.features import FeatureLoss, LayerWeights, TrunkLike, distance, mean_one
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import Count, NonNegative, Positive, Range, Whole


@LOSSES.register_module()
class TextureLoss(FeatureLoss):
    """The distance of Gram matrices, which say how features occur together, but not where.

    With F the features of an image as a matrix of C rows and H W columns, its Gram matrix is
    ``F F^T / (C H W)`` (BasicSR's form), compared by ``criterion``; or, with
    ``criterion="gatys"``, ``sum (F F^T - G G^T)^2 / (4 C^2 (H W)^2)``.

    EnhanceNet compares ``relu1_1``, ``relu2_1`` and ``relu3_1`` with ``criterion="mse"``,
    ``patch_size=16`` and ``normalise_features=True``. Its weights (3e-7, 1e-6 and 1e-6) are for
    sums over Gram matrices that are not divided by their size; the means here are smaller by
    about ``C^2 (C H W)^2`` of a patch, so that weights have to be chosen anew.

    Args:
        layers: Weights by layer: ``conv1_1``, ``relu1_1``, ..., ``pool5``.
        weight: Factor of the result.
        reduction: ``"mean"`` or ``"sum"`` over the images of a batch.
        criterion: ``"l1"``, ``"mse"``, ``"norm"`` or ``"gatys"``.
        before_relu: Whether a name such as ``conv5_4`` is the convolution's own output; otherwise
            that of the ReLU after it.
        patch_size: The side in pixels of the patches that have a Gram matrix each; None: the whole
            image. What is left over at the lower and the right border is not compared.
        normalise_features: Whether each image's features are first divided by their mean.
        trunk: As for :class:`ContentLoss`, and so are the arguments below.
        weights: The file of the trunk's weights; None looks in torch.hub's cache, or in the
            package. Nothing is downloaded.
        input_range: The images' black and white.
        normalise: Whether ImageNet's mean and standard deviation are used.

    Shape:
        (B, 3, H, W), (B, 3, H, W) -> (); one channel is repeated.

    Raises:
        ConfigError: If the trunk has no such layer, or two names mean the same one.
        GeometryError: If shapes differ, or an image is too small for a layer or a patch.
        PerceptualUnavailableError: If the trunk's weights are missing, at the first call.

    Source:
        Gatys, Ecker, Bethge, CVPR 2016; Sajjadi, Schölkopf, Hirsch (EnhanceNet), ICCV 2017;
        PerceptualLoss (``style_weight``) of XPixelGroup/BasicSR at 8d56e3a.
    """

    def __init__(
        self,
        layers: LayerWeights = {"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 1.0},  # noqa: B006
        weight: NonNegative = 1.0,
        reduction: Reduction = "mean",
        criterion: Literal["l1", "mse", "norm", "gatys"] = "l1",
        before_relu: bool = True,
        patch_size: Count | None = None,
        normalise_features: bool = False,
        trunk: TrunkLike = "vgg19",
        weights: str | None = None,
        input_range: Range = (0.0, 1.0),
        normalise: bool = True,
    ) -> None:
        super().__init__(
            layers=layers,
            weight=weight,
            reduction=reduction,
            before_relu=before_relu,
            trunk=trunk,
            weights=weights,
            input_range=input_range,
            normalise=normalise,
        )
        self.criterion = criterion
        self.patch_size, self.normalise_features = patch_size, normalise_features

    def compare(self, found: Tensor, wanted: Tensor, image: Tensor) -> Tensor:
        """Return the distance of one layer's Gram matrices, (B,)."""
        if self.normalise_features:
            found, wanted = mean_one(found), mean_one(wanted)
        batch = found.shape[0]
        if self.patch_size is not None:
            found, wanted = (self._patches(each, image) for each in (found, wanted))
        if self.criterion == "gatys":
            # sum / (4 C^2 M^2) is a quarter of the mean over C^2 entries that are divided by M.
            positions = found.shape[2] * found.shape[3]
            ours, theirs = (_products(each) / positions for each in (found, wanted))
            values = distance(ours, theirs, "mse") / 4
        else:
            count = found[0].numel()
            ours, theirs = (_products(each) / count for each in (found, wanted))
            values = distance(ours, theirs, self.criterion)
        return values.view(batch, -1).mean(1)

    def _patches(self, features: Tensor, image: Tensor) -> Tensor:
        """Cut (B, C, h, w) into (B * patches, C, p, p), with p what the layer makes of a patch."""
        size = self.patch_size or 0
        batch, channels, height, width = features.shape
        side = round(size * height / image.shape[2])
        rows, columns = height // max(side, 1), width // max(side, 1)
        if side < 1 or not rows or not columns:
            raise GeometryError(
                f"TextureLoss: patches of {size} pixels do not fit: an image of"
                f" {tuple(image.shape[2:])} pixels has features of {(height, width)}."
            )
        cut = features[..., : rows * side, : columns * side]
        cut = cut.reshape(batch, channels, rows, side, columns, side)
        return cut.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, side, side)


def _products(features: Tensor) -> Tensor:
    """Return F F^T of (B, C, h, w): (B, C, C)."""
    rows = features.flatten(2)
    return rows @ rows.transpose(1, 2)


@LOSSES.register_module()
class WaveletTextureLoss(Loss):
    """Asks each detail band of a prediction for at least the target's energy, times ``alpha``.

    With ``|x|^2`` the sum of squares over the colours of a coefficient of the prediction, and
    ``|y|^2`` that of the target: ``mean max(0, alpha |y|^2 - |x|^2 + margin)`` over the detail
    bands and their positions. So details are not averaged away; their signs and places are left to
    the other terms.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` or ``"sum"``.
        levels: Levels of the Haar packet that is taken of both images, whose coarse band is left
            out. 0: what is given are detail bands already, such as WaveletSRNet's output ``high``,
            with the colours of a band side by side.
        channels: The colours of a band, for ``levels=0``.
        alpha: The energy that is wanted, as a multiple of the target's.
        margin: Is added to the difference.

    Shape:
        (B, C, H, W), (B, C, H, W) -> ()

    Raises:
        ConfigError: If images of one level or more are to have bands of ``channels``.
        GeometryError: If the shapes differ, or do not divide into bands.

    Source:
        Huang, He, Sun, Tan, Wavelet-SRNet, ICCV 2017; the constants are those of its code,
        hhb072/WaveletSRNet at f021990 (``loss_Textures``): alpha 1.2, margin 0, weight 1 beside
        0.99 and 0.01 for the detail bands and the coarse one and 0.1 for the image.
    """

    def __init__(
        self,
        weight: NonNegative = 1.0,
        reduction: Reduction = "mean",
        levels: Whole = 0,
        channels: Count = 3,
        alpha: Positive = 1.2,
        margin: float = 0.0,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        if levels and channels != 3:
            raise ConfigError(
                "WaveletTextureLoss: 'channels' counts the colours of bands that are given"
                f" (levels=0); of images (levels={levels}) it is known: remove it."
            )
        self.levels, self.channels = levels, channels
        self.alpha, self.margin = float(alpha), float(margin)

    @classmethod
    def compares_for(cls, config: Mapping[str, Any]) -> str:
        """Return ``"bands"`` for ``levels=0``.

        Args:
            config: The loss's config.
        """
        return "image" if config.get("levels") else "bands"

    @classmethod
    def parts_for(cls, config: Mapping[str, Any]) -> int:
        """Return what the sides of an image of ``levels`` are multiples of.

        Args:
            config: The loss's config.
        """
        return int(2 ** (config.get("levels") or 0))

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the missing energy of every coefficient, (B, bands, h, w)."""
        ours, theirs = (self._energy(each) for each in (prediction, target))
        return torch.relu(self.alpha * theirs - ours + self.margin)

    def _energy(self, images: Tensor) -> Tensor:
        colours = images.shape[1] if self.levels else self.channels
        if self.levels:
            side = 2**self.levels
            if images.shape[2] % side or images.shape[3] % side:
                raise GeometryError(
                    f"WaveletTextureLoss: images of {tuple(images.shape[2:])} pixels have no"
                    f" {self.levels} levels: their sides must be multiples of {side}."
                )
            images = haar_packet(images, self.levels)[:, colours:]
        if images.shape[1] % colours:
            raise GeometryError(
                f"WaveletTextureLoss: {images.shape[1]} channels are no bands of {colours} colours:"
                " give 'channels', or 'levels' for an image."
            )
        return images.unflatten(1, (-1, colours)).square().sum(2)
