"""The contract of every task: from a batch to losses or predictions."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, cast

from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor

from realdeg.errors import ConfigError
from realdeg.losses.build import LossConfig, build_loss, references_of
from realdeg.registry import LOSSES, TASKS
from realdeg.tasks.loss_checks import check_compared, check_names
from realdeg.utils.samples import Batch, Collate, Prediction

Mode = Literal["loss", "predict", "tensor"]


class BatchToDevice(BaseDataPreprocessor):
    """Moves a batch to the model's device and keeps it one argument.

    mmengine spreads a dict over keyword arguments. Wrapped in a tuple, the batch reaches
    ``forward(batch, mode)`` whole, under DistributedDataParallel as well.
    """

    def forward(self, data: Batch, training: bool = False) -> tuple[Batch]:
        """Move the tensors of a batch and wrap it in a tuple; ``training`` is not used."""
        return (self.cast_data(data),)


class ImageTask(BaseModel, ABC):
    """Computes losses and predictions; hooks and loops do everything else.

    Args:
        loss: Config of a registered loss; None for a task that computes its own.

    Raises:
        ConfigError: If the loss is unknown.
    """

    component: ClassVar[str]
    """The attribute that is trained and exported: ``"degradation"`` or ``"backbone"``."""

    adversarial: ClassVar[bool] = False
    """Whether losses oppose each other, so that none of them need fall."""

    uses_all_parameters: bool = True
    """Whether every loss reaches every parameter, so that several processes need not look for those
    without a gradient."""

    least_patch: ClassVar[int] = 0
    """The side in HR pixels below which a sample run makes no patches, for discriminators."""

    references: ClassVar[tuple[str, ...]] = ()
    """The pictures beside HR that the task makes for loss terms which need them."""

    scheduled: ClassVar[tuple[str, ...]] = ()
    """The arguments, numbers that are read in every iteration, which ``ScheduleHook`` may move."""

    own_losses: ClassVar[tuple[str, ...]] = ()
    """The names, or patterns, of the losses that the task itself adds to the terms of ``loss``."""

    baseline_name: ClassVar[str] = "its input"
    """A phrase for what :meth:`baseline` returns."""

    def __init__(self, loss: LossConfig | None) -> None:
        super().__init__(data_preprocessor=BatchToDevice())
        self.iteration = 0
        """The number of completed iterations, which the train loop sets before each step."""
        self.check_config({"loss": loss})
        self.loss: Any = None if loss is None else build_loss(loss, "image", "model.loss")

    @classmethod
    def check_config(cls, settings: Mapping[str, Any], place: str = "model") -> None:
        """Refuse a loss of what the task does not make, when a config is read.

        Args:
            settings: The task's arguments.
            place: The task's place in the config, for messages.

        Raises:
            ConfigError: Naming the term and what would fit: an image loss, or a task that makes the
                picture which the term needs.
        """
        loss = settings.get("loss")
        if not isinstance(loss, Mapping):
            return
        check_compared(loss, f"{place}.loss")
        check_names(loss, cls.own_losses, cls.__name__, f"{place}.loss")
        needed = references_of(loss, f"{place}.loss")
        for name, where in needed.items():
            if name in cls.references:
                continue
            fitting = [n for n in TASKS.names() if name in getattr(TASKS.get(n), "references", ())]
            raise ConfigError(
                f"'{where}' needs the picture '{name}', which {cls.__name__} does not make:"
                f" remove the term, or take a task that does"
                f" ({', '.join(fitting) or 'none is registered'})."
            )

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse other parts of a config that contradict the task, when the config is read.

        Args:
            cfg: The whole config, with types and arguments that exist.
        """

    def check_data(self, data: Any) -> None:
        """Refuse training data that are too few, before the first iteration.

        Args:
            data: The training data set.

        Raises:
            DataError: Saying how much is needed.
        """

    def forward(
        self, batch: Batch, mode: Mode = "tensor"
    ) -> Tensor | dict[str, Tensor] | list[Prediction]:
        """Process a batch.

        Args:
            batch: From ``collate_batch``.
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
        """Wrap the config's collate function for training, to do work in the data workers."""
        return collate

    def init_weights(self) -> None:
        """Have the losses load or check what they need, before the first iteration.

        Raises:
            PerceptualUnavailableError: If weights of a loss are missing.
        """
        losses = tuple(kind for kind in LOSSES.module_dict.values() if isinstance(kind, type))
        for part in self.modules():
            if isinstance(part, losses) and hasattr(part, "prepare"):
                part.prepare()
        super().init_weights()

    @property
    def prepare(self) -> Callable[[Batch], Batch] | None:
        """A function applied to each batch ahead of its step, in another thread, or None."""
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
        """Write the trained component to a ``.safetensors`` file that alone rebuilds it.

        Args:
            path: The file to write, ending in ``.safetensors``.
            meta: Notes, plain data.

        Returns:
            The component's hash.
        """

    def baseline(self, prediction: Prediction) -> Tensor | None:
        """Return what no processing would have predicted, shape (1 or 3, H, W), or None."""
        return None

    def named_losses(self, value: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
        """Name a loss that returned a single tensor."""
        return value if isinstance(value, dict) else {"loss": value}


def predictions_of(
    batch: Batch,
    prediction: Tensor,
    target: Tensor,
    given: Tensor,
    scale: float,
    rgb: Tensor | None = None,
) -> list[Prediction]:
    """Split batched predictions into records on the CPU.

    Args:
        batch: The batch, for keys and notes.
        prediction: Shape (B, 1 or 3, h, w).
        target: Shape (B, 3, h, w).
        given: The component's input.
        scale: HR pixels per LR pixel.
        rgb: The prediction in RGB, if chroma was added to Y.
    """
    fields = {"prediction": prediction, "prediction_rgb": rgb, "target": target, "input": given}
    return [
        cast(
            Prediction,
            {
                "key": batch["key"][index],
                **{
                    name: images[index].detach().float().cpu()
                    for name, images in fields.items()
                    if images is not None
                },
                "scale": scale,
                "meta": batch["meta"][index],
            },
        )
        for index in range(prediction.shape[0])
    ]
