"""The base of degradations that are networks trained against a discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.utils.colour import in_rgb


class GeneratorDegradation(Degradation):
    """A network from clean to degraded RGB, learned from LR images without HR.

    The task ``UnpairedDegradation`` trains it; ``DegradationLearning`` with pairs works as well. A
    luma image is treated as a grey image of that luma, and the luma of the result is returned.

    Args:
        scale: See :class:`Degradation`.
        same_size: See :class:`Degradation`.
    """

    fitting: ClassVar[Literal["gradient", "closed_form"] | None] = "gradient"

    @property
    def needs_rgb(self) -> bool:
        """Always: the network was trained on colour images."""
        return True

    def clean(self, hr: Tensor) -> Tensor:
        """Return the reduced HR batch, to which training compares the generated LR's content.

        Args:
            hr: HR batch, shape (B, C, H, W).

        Returns:
            The shape of the generated LR.
        """
        raise NotImplementedError

    def for_training(self, hr: Tensor, seeds: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Degrade a training batch, and judge what the network did apart from the LR it made.

        Args:
            hr: HR batch, shape (B, C, H, W).
            seeds: One per image.

        Returns:
            The LR batch, and weighted losses by name, which training adds to its own: here none.
        """
        return self(hr, seeds), {}

    in_rgb = staticmethod(in_rgb)
    """The function that lets a network of RGB take luma and grey as well."""
