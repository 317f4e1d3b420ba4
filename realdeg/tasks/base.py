"""What all tasks share: a batch comes in, losses or predictions go out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor

from realdeg.errors import ConfigError
from realdeg.losses.build import LossConfig
from realdeg.registry import LOSSES
from realdeg.utils.samples import Batch, Collate, Prediction

Mode = Literal["loss", "predict", "tensor"]


class BatchToDevice(BaseDataPreprocessor):
    """Moves a batch to the model's device and hands it on as one argument.

    mmengine spreads a dict over keyword arguments; wrapped in a tuple, the batch reaches
    ``forward(batch, mode)`` whole, under DistributedDataParallel too.
    """

    def forward(self, data: Batch, training: bool = False) -> tuple[Batch]:
        """Move the tensors.

        Args:
            data: A batch as ``collate_batch`` made it.
            training: Not used.

        Returns:
            The batch, alone in a tuple.
        """
        return (self.cast_data(data),)


class ImageTask(BaseModel, ABC):
    """A task computes losses and predictions; hooks and loops do everything else.

    Args:
        loss: Config of a registered loss.

    Raises:
        ConfigError: If the loss is unknown.
    """

    component: ClassVar[str]
    """Which attribute is trained and exported: ``"degradation"`` or ``"backbone"``."""

    adversarial: ClassVar[bool] = False
    """Whether losses pull against each other, so that none of them has to fall."""

    baseline_name: ClassVar[str] = "its input"
    """What :meth:`baseline` returns, in words."""

    def __init__(self, loss: LossConfig) -> None:
        super().__init__(data_preprocessor=BatchToDevice())
        self.loss = LOSSES.build(dict(loss))

    def forward(
        self, batch: Batch, mode: Mode = "tensor"
    ) -> Tensor | dict[str, Tensor] | list[Prediction]:
        """Process a batch.

        Args:
            batch: As ``collate_batch`` made it.
            mode: ``"loss"`` for a dict of named losses, ``"predict"`` for a list of predictions,
                ``"tensor"`` for the raw output.

        Returns:
            As ``mode`` says.
        """
        if mode == "loss":
            return self.losses(batch)
        if mode == "predict":
            return self.predict(batch)
        if mode == "tensor":
            return self.output(batch)
        raise ConfigError(f"a task's mode is 'loss', 'predict' or 'tensor', got {mode!r}.")

    def collate_with(self, collate: Collate) -> Collate:
        """Return the collate function of the training data; a task may do work in the workers.

        Args:
            collate: The one that the config names.
        """
        return collate

    @property
    def prepare(self) -> Callable[[Batch], Batch] | None:
        """What is done to a batch ahead of its step, in another thread; None for nothing."""
        return None

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the named losses of a training batch."""

    @abstractmethod
    def predict(self, batch: Batch) -> list[Prediction]:
        """Return one prediction per image."""

    @abstractmethod
    def output(self, batch: Batch) -> Tensor:
        """Return the raw output for a batch."""

    @abstractmethod
    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the trained component so that the file alone rebuilds it.

        Args:
            path: The ``.safetensors`` file.
            meta: Notes, plain data.

        Returns:
            The hash of the weights.
        """

    def baseline(self, prediction: Prediction) -> Tensor | None:
        """Return what doing nothing would predict.

        Args:
            prediction: One of :meth:`predict`.

        Returns:
            An image of the target's size, shape (1 or 3, H, W); None where nothing is comparable.
        """
        return None

    def named_losses(self, value: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
        """Give a loss that returned a bare tensor its name."""
        return value if isinstance(value, dict) else {"loss": value}


def on_cpu(image: Tensor) -> Tensor:
    """Detach one image of a batch and bring it to the CPU in float32."""
    return image.detach().float().cpu()
