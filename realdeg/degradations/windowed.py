"""The base of deterministic degradations that see a window of HR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.trace import Trace
from realdeg.ops import PADDINGS
from realdeg.utils.argument_types import Choice

WindowSize = Annotated[int, Interval(ge=1, le=63)]
"""Side of the window of one LR pixel, in HR pixels."""
Padding = Annotated[str, Choice(*(padding for padding in PADDINGS if padding != "valid"))]
"""Border handling of the filtering, as in :func:`realdeg.ops.kernel_apply`."""


class WindowedDegradation(Degradation):
    """A deterministic degradation: each LR pixel depends on the HR window around it.

    Subclasses implement :meth:`generate`.

    Args:
        scale: See :class:`Degradation`.
        same_size: See :class:`Degradation`.
        kernel_size: Side of the window of one LR pixel, from 1 to 63.
        padding: Border handling of the filtering, as in :func:`realdeg.ops.kernel_apply`.
    """

    def __init__(
        self, scale: int, same_size: bool, kernel_size: WindowSize, padding: Padding
    ) -> None:
        super().__init__(scale, same_size)
        self.kernel_size, self.padding = kernel_size, padding

    @property
    def border(self) -> int:
        """LR pixels at each border whose windows reach beyond the image."""
        return -(-(self.kernel_size - 1) // (2 * self.stride))

    def generate(self, hr: Tensor) -> Tensor:
        """Degrade a batch, differentiably for training.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).

        Returns:
            The LR batch.
        """
        raise NotImplementedError

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Degrade a batch; the traces hold nothing that the object does not."""
        return self.generate(hr)

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Degrade a batch; nothing is random, so no seed is used."""
        self.check_input(hr)
        return self.generate(hr)
