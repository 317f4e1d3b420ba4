"""Discriminators that end in dense layers, and so need images of one fixed size."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from realdeg.discriminators.base import Channels, Discriminator
from realdeg.errors import ConfigError, DataError
from realdeg.utils.argument_types import Count


class FixedSizeDiscriminator(Discriminator):
    """A discriminator of square images of one fixed size.

    Args:
        in_channels: 3 for RGB, 1 for Y.
        width: Channels of the first layer.
        size: Height and width in pixels.
        divisor: What the size must be a multiple of.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(self, in_channels: Channels, width: Count, size: Count, divisor: int) -> None:
        super().__init__(in_channels)
        if size % divisor:
            raise ConfigError(
                f"{type(self).__name__} needs a size divisible by {divisor}, got size={size}."
            )
        self.size = size

    @classmethod
    def only_size(cls, settings: Mapping[str, Any]) -> int | None:
        """Return ``size``, or its default.

        Args:
            settings: Arguments of the constructor, from a config.
        """
        default = inspect.signature(cls).parameters["size"].default
        size: int = settings.get("size", default)
        return size

    @property
    def least_size(self) -> int:
        """The only size that it accepts, in pixels."""
        return self.size

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (B, 1) of images (B, C, size, size); positive means real.

        Raises:
            DataError: If the images have a wrong number of channels or another size.
        """
        # Images that are too small are refused by the base class.
        if images.ndim == 4 and max(images.shape[2:]) > self.size <= min(images.shape[2:]):
            raise DataError(
                f"{type(self).__name__} takes {self.size} x {self.size} pixels only, got"
                f" {images.shape[2]} x {images.shape[3]}: make its size match patch_size."
            )
        return super().forward(images)
