"""The content loss: the distance of two images in the features of a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor

from realdeg.losses.base import Reduction
from realdeg.losses.features import (
    Criterion,
    FeatureLoss,
    LayerWeights,
    TrunkLike,
    distance,
    mean_one,
)
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative, Positive, Range

_FIVE_LAYERS = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}

CONTENT_PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "srgan_vgg22": dict(
            layers={"conv2_2": 1.0}, before_relu=False, criterion="mse", divisor=12.75
        ),
        "srgan_vgg54": dict(
            layers={"conv5_4": 1.0}, before_relu=False, criterion="mse", divisor=12.75
        ),
        "edsr_vgg22": dict(layers={"conv2_2": 1.0}, criterion="mse"),
        "edsr_vgg54": dict(layers={"conv5_4": 1.0}, criterion="mse"),
        "esrgan": dict(layers={"conv5_4": 1.0}, criterion="l1"),
        "real_esrgan": dict(layers=_FIVE_LAYERS, criterion="l1"),
        "enhancenet": dict(
            layers={"pool2": 0.2, "pool5": 0.02}, criterion="mse", normalise_features=True
        ),
    }
)
"""The arguments of :class:`ContentLoss` in published recipes. ``real_esrgan`` is also SwinIR's and
BSRGAN's. The weight of the term is that of the recipe."""


@LOSSES.register_module()
class ContentLoss(FeatureLoss):
    """The distance of two images in the features of a trained network.

    For each layer with features F of the prediction and G of the target, both divided by
    ``divisor``: ``mean |F - G|`` (``"l1"``), ``mean (F - G)^2`` (``"mse"``), or
    ``sqrt(sum (F - G)^2) / (h w c)`` per image (``"norm"``); summed with the layers' weights.
    ``CONTENT_PRESETS`` has the arguments of published recipes.

    Args:
        layers: Weights by layer: ``conv1_1``, ``relu1_1``, ..., ``pool5``.
        weight: Factor of the result.
        reduction: ``"mean"`` or ``"sum"`` over the images of a batch.
        criterion: ``"l1"``, ``"mse"`` or ``"norm"``.
        before_relu: Whether a name such as ``conv5_4`` is the convolution's own output; otherwise
            that of the ReLU after it.
        divisor: Divides the features; SRGAN's is 12.75.
        normalise_features: Whether each image's features are first divided by their mean
            (EnhanceNet's).
        trunk: ``"vgg19"``, ``"vgg16"``, ``"vgg16_shift_tolerant"`` (of ST-LPIPS, a stand-in that
            comes with a package), or a module.
        weights: The file of the trunk's weights; None looks in torch.hub's cache, or in the
            package. Nothing is downloaded.
        input_range: The images' black and white: (0, 1), (-1, 1), (0, 255).
        normalise: Whether ImageNet's mean and standard deviation are used.

    Shape:
        (B, 3, H, W), (B, 3, H, W) -> (); one channel is repeated.

    Raises:
        ConfigError: If the trunk has no such layer, or two names mean the same one.
        GeometryError: If shapes differ, or an image is too small for a layer.
        PerceptualUnavailableError: If the trunk's weights are missing, at the first call.

    Source:
        Johnson, Alahi, Fei-Fei, ECCV 2016; Ledig et al. (SRGAN), CVPR 2017; Wang et al. (ESRGAN),
        ECCVW 2018; PerceptualLoss of XPixelGroup/BasicSR at 8d56e3a, whose ``layer_weights`` are
        ``layers`` here.
    """

    def __init__(
        self,
        layers: LayerWeights = {"conv5_4": 1.0},  # noqa: B006 - never changed
        weight: NonNegative = 1.0,
        reduction: Reduction = "mean",
        criterion: Criterion = "l1",
        before_relu: bool = True,
        divisor: Positive = 1.0,
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
        self.criterion: Criterion = criterion
        self.divisor, self.normalise_features = float(divisor), normalise_features

    def compare(self, found: Tensor, wanted: Tensor, image: Tensor) -> Tensor:
        """Return the distance of one layer's features, (B,)."""
        if self.normalise_features:
            found, wanted = mean_one(found), mean_one(wanted)
        return distance(found / self.divisor, wanted / self.divisor, self.criterion)
