"""The base of losses that compare images in the features of a trained network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import torch
from annotated_types import MinLen
from torch import Tensor, nn

from realdeg.errors import ConfigError, GeometryError
from realdeg.losses.base import Loss, Reduction, in_full
from realdeg.losses.pixel import norms
from realdeg.utils.argument_types import NonNegative, Range
from realdeg.utils.arguments import arguments_of
from realdeg.utils.precision import full_precision
from realdeg.utils.trunk_files import PerceptualUnavailableError
from realdeg.utils.trunks import IMAGENET_MEAN, IMAGENET_STD, TRUNKS, Trunk

LayerWeights: TypeAlias = Annotated[Mapping[str, NonNegative], MinLen(1)]
"""Weights by the names of layers: ``{"conv5_4": 1.0}``."""
TrunkLike: TypeAlias = str | nn.Module
"""A trunk by its name in ``realdeg.utils.trunks.TRUNKS``, or a module."""
Criterion = Literal["l1", "mse", "norm"]


class FeatureLoss(Loss):
    """Compares two images in the features of a frozen trunk, one value per image.

    The trunk is a VGG16 or VGG19 with layers by name: ``conv1_1``, ``relu1_1``, ..., ``pool5``. It
    is loaded by :meth:`prepare` or at the first call, is shared by all losses with the same
    weights, runs in evaluation mode and is part of no state dict. It runs no further than the last
    layer that is needed, under autocast in its type; distances are taken in float32 or wider. The
    target's features have no gradient. An image of one channel is repeated.

    Args:
        weight: Factor of the result.
        reduction: ``"mean"`` or ``"sum"`` over the images of a batch.
        layers: Weights by layer.
        before_relu: Whether a name such as ``conv5_4`` is the convolution's own output; otherwise
            that of the ReLU after it, as ``relu5_4`` always is.
        trunk: A trunk by name. Or a module: a ``Sequential`` with named children, or one that
            returns its features by name.
        weights: The file of the trunk's weights: torchvision's state dict, or any other of the
            same convolutions in the same order. None looks in torch.hub's cache, for
            ``vgg16_shift_tolerant`` in the installed package stlpips-pytorch. Nothing is
            downloaded.
        input_range: The images' black and white. They are mapped to [0, 1], then ImageNet's mean is
            subtracted and its standard deviation divides, as torchvision's trunks want it.
        normalise: Whether ImageNet's mean and standard deviation are used; a module may do
            without.

    Raises:
        ConfigError: If the trunk has no such layer.
        GeometryError: If an image has neither 1 nor 3 channels, or is too small for a layer.
        PerceptualUnavailableError: If the weights are missing, at the first call.
    """

    def __init__(
        self,
        layers: LayerWeights,
        weight: NonNegative = 1.0,
        reduction: Reduction = "mean",
        before_relu: bool = True,
        trunk: TrunkLike = "vgg19",
        weights: str | None = None,
        input_range: Range = (0.0, 1.0),
        normalise: bool = True,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction)
        if input_range[0] == input_range[1]:
            raise ConfigError(
                f"{type(self).__name__}: input_range is {tuple(input_range)}, wanted black below"
                " white, such as (0, 1)."
            )
        # Hidden in an object that is no module, so that it has no part in the state dict.
        self._trunk = Trunk(trunk, weights, type(self).__name__)
        self.before_relu = before_relu
        self.layers = _resolved(self._trunk, layers, before_relu)
        self.input_range = (float(input_range[0]), float(input_range[1]))
        self.normalise = normalise

    @classmethod
    def check_config(cls, config: Mapping[str, Any], place: str) -> None:
        """Refuse an unknown trunk, or layers that it does not have, when a config is read.

        Args:
            config: The loss's config.
            place: Its place in the config.

        Raises:
            ConfigError: With the place, naming the layers there are.
        """
        trunk = config.get("trunk", "vgg19")
        before_relu = bool(config.get("before_relu", True))
        if isinstance(trunk, str):
            try:
                named = Trunk(trunk, None, cls.__name__)
                _resolved(named, config.get("layers") or {}, before_relu)
            except ConfigError as error:
                raise ConfigError(f"'{place}': {error}") from error

    @classmethod
    def least_side_for(cls, config: Mapping[str, Any]) -> int:
        """Return the smallest side of an image in pixels that reaches the last layer.

        Args:
            config: The loss's config.
        """
        trunk = config.get("trunk", "vgg19")
        layers = config.get("layers") or arguments_of(cls).parameters["layers"].default
        if not isinstance(trunk, str) or config.get("weight", 1) == 0:
            return cls.least_side
        return max(config.get("patch_size") or 1, TRUNKS[trunk].least_side(layers))

    @classmethod
    def check_files(cls, config: Mapping[str, Any], place: str) -> None:
        """Refuse weights that are missing or of another network, before data are opened.

        Args:
            config: The loss's config.
            place: Its place in the config.

        Raises:
            PerceptualUnavailableError: With the place, what was looked for, and what to do.
        """
        if config.get("weight", 1) == 0:
            return
        trunk = config.get("trunk", "vgg19")
        try:
            Trunk(trunk, config.get("weights"), cls.__name__).check()
        except PerceptualUnavailableError as error:
            raise PerceptualUnavailableError(f"'{place}': {error}") from error

    def prepare(self) -> None:
        """Check the trunk's weights now, so that missing files are reported before training.

        Raises:
            PerceptualUnavailableError: If they are missing, or of another network.
        """
        if self.weight != 0:
            self._trunk.check()

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the weighted scalar loss.

        Args:
            prediction: The network's output, (B, 1 or 3, H, W).
            target: The same shape.
        """
        self.check(prediction, target)
        prediction = in_full(prediction)
        if self.weight == 0:  # the trunk may be missing
            return 0.0 * prediction.sum()
        # Unlike in other losses, the trunk runs under autocast; only distances are taken without.
        return self._reduced(prediction, self.elements, target.to(prediction.dtype))

    def elements(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every image, shape (B,)."""
        with torch.no_grad():
            wanted = self.features(target)
        found = self.features(prediction)
        total = prediction.new_zeros(prediction.shape[0])
        with full_precision(prediction):
            for name, factor in self.layers.items():
                ours, theirs = (each[name].to(prediction.dtype) for each in (found, wanted))
                total = total + factor * self.compare(ours, theirs, prediction)
        return total

    @abstractmethod
    def compare(self, found: Tensor, wanted: Tensor, image: Tensor) -> Tensor:
        """Compare the features of one layer.

        Args:
            found: Of the prediction, (B, C, h, w).
            wanted: Of the target, (B, C, h, w).
            image: The prediction, (B, 1 or 3, H, W), for its size.

        Returns:
            One value per image, (B,).
        """

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return the features of images (B, 1 or 3, H, W) by layer, each (B, C, h, w).

        Raises:
            GeometryError: If the images have neither 1 nor 3 channels, or are too small.
        """
        if image.ndim != 4 or image.shape[1] not in (1, 3):
            raise GeometryError(
                f"{type(self).__name__} compares images (B, 3, H, W) or (B, 1, H, W), got"
                f" {tuple(image.shape)}."
            )
        black, white = self.input_range
        image = ((image - black) / (white - black)).expand(-1, 3, -1, -1)
        if self.normalise:
            mean, std = (image.new_tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
            image = (image - mean) / std
        return self._trunk.features(image, self.layers)

    def extra_repr(self) -> str:
        """Show trunk, layers, weight and reduction."""
        layers = ", ".join(f"{name}: {factor:g}" for name, factor in self.layers.items())
        return f"{self._trunk.shown} {{{layers}}}, {super().extra_repr()}"


def distance(found: Tensor, wanted: Tensor, criterion: Criterion) -> Tensor:
    """Compare what belongs to each image.

    Args:
        found: (B, ...).
        wanted: (B, ...).
        criterion: ``"l1"``: mean of absolute differences. ``"mse"``: mean of squares. ``"norm"``:
            the root of the sum of squares, divided by the number of values.

    Returns:
        One value per image, (B,).
    """
    difference = (found - wanted).flatten(1)
    if criterion == "l1":
        return difference.abs().mean(1)
    if criterion == "mse":
        return difference.square().mean(1)
    return norms(difference)


def mean_one(features: Tensor) -> Tensor:
    """Divide the features (B, C, h, w) of each image by their mean, so that this is 1."""
    mean = features.mean((1, 2, 3), keepdim=True)
    return features / (mean + 1e-6)


def _resolved(trunk: Trunk, layers: Mapping[str, float], before_relu: bool) -> dict[str, float]:
    """Return the weights by the names of the layers that are compared."""
    found: dict[str, float] = {}
    for name, factor in layers.items():
        layer = trunk.resolve(name, before_relu)
        if layer in found:
            raise ConfigError(
                f"{trunk.needed_by}: two of the layers are '{layer}': give each one once."
            )
        found[layer] = float(factor)
    return found
