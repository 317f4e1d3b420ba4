"""Discriminators that end in dense layers, and so judge images of one size only."""

from __future__ import annotations

from torch import Tensor

from realdeg.discriminators.base import Channels, Discriminator
from realdeg.errors import ConfigError, DataError
from realdeg.utils.argument_types import Count


class FixedSizeDiscriminator(Discriminator):
    """A discriminator of square images of one size.

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

    @property
    def least_size(self) -> int:
        """The one size that it judges, in pixels."""
        return self.size

    def forward(self, images: Tensor) -> Tensor:
        """Judge images.

        Args:
            images: Shape (B, C, size, size).

        Returns:
            Logits (B, 1); positive means real.

        Raises:
            DataError: If the images have other channels or another size.
        """
        # What is too small is refused by the contract's own message.
        if images.ndim == 4 and max(images.shape[2:]) > self.size <= min(images.shape[2:]):
            raise DataError(
                f"{type(self).__name__} judges {self.size} x {self.size} pixels only, got"
                f" {images.shape[2]} x {images.shape[3]}: set its size and patch_size alike."
            )
        return super().forward(images)
