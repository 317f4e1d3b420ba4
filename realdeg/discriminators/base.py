"""The contract of every discriminator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from torch import Tensor, nn

from realdeg.errors import DataError
from realdeg.utils.argument_types import Component

Channels: TypeAlias = Literal[1, 3, 9]
"""1 for luma, 3 for RGB; behind a wavelet (FilteredDiscriminator) three times as many."""


class Discriminator(nn.Module, ABC):
    """Distinguishes real images from generated ones.

    It returns logits: the adversarial losses apply the sigmoid where they need one.

    Args:
        in_channels: 3 for RGB, 1 for Y.

    Shape:
        Images in [0, 1], (B, C, H, W), to logits (B, 1, h, w), one per position, or (B, 1).
    """

    def __init__(self, in_channels: Channels = 3) -> None:
        super().__init__()
        self.in_channels = in_channels

    @classmethod
    def only_size(cls, settings: Mapping[str, Any]) -> int | None:
        """Return the only height and width that a discriminator of these arguments takes.

        Args:
            settings: Arguments of the constructor, from a config.

        Returns:
            The size in pixels; None for one that takes images of any size.
        """
        return None

    @property
    def least_size(self) -> int:
        """The minimum height and width of an image, in pixels."""
        return 1

    @abstractmethod
    def judge(self, images: Tensor) -> Tensor:
        """Return the logits of images that :meth:`forward` has checked."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images (B, C, H, W); positive means real.

        Raises:
            DataError: If the images have a wrong number of channels, or are too small.
        """
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            raise DataError(
                f"{type(self).__name__} expects (B, {self.in_channels}, H, W), got"
                f" {tuple(images.shape)}: make in_channels match the task's colour."
            )
        if min(images.shape[2:]) < self.least_size:
            raise DataError(
                f"{type(self).__name__} needs at least {self.least_size} x {self.least_size}"
                f" pixels, got {images.shape[2]} x {images.shape[3]}: raise patch_size."
            )
        return self.judge(images)


DiscriminatorLike: TypeAlias = Annotated[nn.Module | Mapping[str, Any], Component("discriminator")]
"""A discriminator or its config."""
