"""Train a flow of blur kernels by their likelihood."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError, DataError
from realdeg.registry import TASKS
from realdeg.tasks.base import ImageTask
from realdeg.utils.argument_types import Scale
from realdeg.utils.samples import Batch, Prediction


@TASKS.register_module()
class KernelLikelihood(ImageTask):
    """Trains a flow of kernels, ``FlowKernel``, on the kernels of a ``KernelSet``.

    The loss is the mean negative logarithm of the kernels' density, in nats for each kernel. It is
    a density, so it may be negative. There are no images, so nothing is validated or tested.

    Args:
        degradation: Config, path or object with a ``log_likelihood`` of kernels.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.

    Raises:
        ConfigError: If the degradation has no likelihood.

    Source:
        Liang et al., CVPR 2021 (FKP); JingyunLiang/FKP, commit 127c121, FKP/main.py.
    """

    component: ClassVar[str] = "degradation"
    own_losses: ClassVar[tuple[str, ...]] = ("loss_likelihood",)

    def __init__(
        self,
        degradation: DegradationLike,
        scale: Scale | None = None,
        same_size: bool | None = None,
    ) -> None:
        super().__init__(None)
        self.degradation = degradation_from_config(degradation, scale, same_size)
        if not callable(getattr(self.degradation, "log_likelihood", None)):
            raise ConfigError(
                f"{type(self.degradation).__name__} has no likelihood of kernels: KernelLikelihood"
                " trains FlowKernel."
            )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``loss_likelihood``, with new noise in every iteration.

        Raises:
            DataError: If the batch has no kernels, or fewer than two.
        """
        kernels = batch.get("kernel")
        if kernels is None:
            raise DataError("a flow of kernels is trained on kernels: use the data set KernelSet.")
        if len(kernels) < 2:
            raise DataError(
                "a flow of kernels normalises by the statistics of a batch, and this one has a"
                " single kernel: raise batch_size."
            )
        flow = cast(Any, self.degradation)
        likelihood: Tensor = flow.log_likelihood(kernels, batch["seeds"])
        return {"loss_likelihood": -likelihood.mean()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Refuse to: kernels are not compared with a target.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            "a flow of kernels predicts no images that could be measured: leave out validation"
            " (val_dataloader=None, val_cfg=None, val_evaluator=None), and look at its kernels with"
            " `realdeg preview`."
        )

    def output(self, batch: Batch) -> Tensor:
        """Return kernels drawn with the batch's seeds, shape (B, k, k)."""
        conditions = [
            self.degradation.condition(self.degradation.sample_one((3, 1, 1), seed))
            for seed in batch["seeds"]
        ]
        return torch.stack([each["kernel"] for each in conditions])

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the degradation."""
        return self.degradation.save(path, meta)
