"""The contract of networks that estimate a field of kernels, as basis kernels and weights."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from typing_extensions import Self

from realdeg.degradations.estimation.base import KernelEstimator
from realdeg.utils.component import save_component


class FieldEstimator(KernelEstimator, nn.Module):
    """A trained network that gives each pixel a kernel; ``KernelFieldLearning`` trains it.

    A subclass calls ``nn.Module.__init__`` first, and implements :meth:`forward` and
    :meth:`estimate`.

    Attributes:
        size: Side k of its kernels.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        is_trained: Whether it has weights from a training or a file.
    """

    size: int
    scale: int
    same_size: bool
    is_trained: bool = False

    @abstractmethod
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fields of a batch, with gradients.

        Args:
            image: (B, 1 or 3, h, w) in [0, 1].

        Returns:
            Kernels (B, N, k, k), each with sum 1, and weights (B, N, h, w), which sum to 1.
        """

    @property
    def stride(self) -> int:
        """Pixels of the kernels' grid per pixel of the image."""
        return 1 if self.same_size else int(self.scale)

    def mark_trained(self) -> Self:
        """Mark the weights as learned; called after training or loading. Returns itself."""
        self.is_trained = True
        return self

    def save(self, path: str | os.PathLike[str], meta: Mapping[str, Any] | None = None) -> str:
        """Write a self-describing file, and return the hash of the weights.

        Args:
            path: The ``.safetensors`` file.
            meta: Notes as plain data.

        Raises:
            OutputError: If the file cannot be written.
        """
        # The file holds the weights, and names no other.
        arguments = {name: value for name, value in self.arguments.items() if name != "weights"}
        kind = type(self).__name__
        return save_component(
            path, self, kind="estimator", type=kind, arguments=arguments, meta=meta
        )
