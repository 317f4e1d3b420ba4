"""What degradations that are networks trained against a discriminator share."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.utils.colour import grey_of, one_channel_of


class GeneratorDegradation(Degradation):
    """A network from clean to degraded RGB, learned from LR images that need no HR.

    It is trained by the task ``UnpairedDegradation``; nothing speaks against pairs and
    ``DegradationLearning`` either. Luma alone is taken as the grey picture of that luma, and the
    luma of the result returned.

    Args:
        scale: See :class:`Degradation`.
        same_size: See :class:`Degradation`.
    """

    fitting: ClassVar[Literal["gradient", "closed_form"] | None] = "gradient"

    @property
    def needs_rgb(self) -> bool:
        """The network saw colour pictures: where there is colour, it gets colour."""
        return True

    def clean(self, hr: Tensor) -> Tensor:
        """Return the LR image without any degradation but the loss of resolution.

        The content of the generated LR image is compared with it during training.

        Args:
            hr: HR batch, shape (B, C, H, W).

        Returns:
            Of the generated LR's shape.
        """
        raise NotImplementedError

    @staticmethod
    def in_rgb(image: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
        """Run a function of RGB on RGB, luma or grey.

        Args:
            image: Shape (B, C, H, W), C = 1 (Y, or grey) or 3 (RGB).
            network: From (B, 3, H, W) to (B, 3, h, w).

        Returns:
            Shape (B, C, h, w).
        """
        if image.shape[1] == 3:
            return network(image)
        return one_channel_of(network(grey_of(image).expand(-1, 3, -1, -1)))
