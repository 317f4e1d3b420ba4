"""Train a degradation that flows in the latents of an autoencoder, in two stages."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.losses.build import LossConfig, build_optional_loss
from realdeg.registry import TASKS
from realdeg.tasks.base import ImageTask, predictions_of
from realdeg.tasks.degradation_learning import bicubic_of
from realdeg.tasks.loss_checks import check_images, check_single
from realdeg.utils.argument_types import RealScale
from realdeg.utils.samples import Batch, Prediction
from realdeg.utils.streams import stream_seed

# Times of the flow keep away from its ends by this.
_MARGIN = 1e-5


class FlowComparison(Protocol):
    """What a step of the flow's training compares."""

    velocity: Tensor
    wanted: Tensor
    ahead: Tensor
    target: Tensor


class LatentFlow(Protocol):
    """A degradation with an autoencoder and a flow between its latents, such as ``DegFlow``."""

    def train_only(self, part: Literal["autoencoder", "flow"]) -> None:
        """Have one part receive gradients, and the other not."""

    def reconstruct(self, hr: Tensor, lr: Tensor) -> Tensor:
        """Encode and decode LR beside its HR."""

    def flow_step(
        self, hr: Tensor, lr: Tensor, scales: Sequence[float], shares: Tensor
    ) -> FlowComparison:
        """Compare the velocity at some time of each image with that of a path through images."""


class LatentTask(ImageTask):
    """What both stages share: the degradation, its test on pairs, its file.

    Args:
        degradation: Config, path or object of a degradation with an autoencoder and a flow.
        part: What is trained.
        loss: Config of the loss between images, or None.
        scale: The scale at which it is validated and tested.
        same_size: Whether LR lies on the HR grid, which it has to in training.

    Raises:
        ConfigError: If the degradation has no flow.
        GeometryError: If LR is smaller than HR.
    """

    component: ClassVar[str] = "degradation"
    baseline_name: ClassVar[str] = "the bicubic reduction of HR"

    def __init__(
        self,
        degradation: DegradationLike,
        part: Literal["autoencoder", "flow"],
        loss: LossConfig | None,
        scale: float | None,
        same_size: bool | None,
    ) -> None:
        super().__init__(loss)
        self.degradation = degradation_from_config(degradation, scale, same_size)
        name = type(self.degradation).__name__
        if not callable(getattr(self.degradation, "flow_step", None)):
            raise ConfigError(
                f"{name} has no flow between latents: {type(self).__name__} trains DegFlow."
            )
        if not self.degradation.same_size:
            raise GeometryError(
                f"{type(self).__name__} compares images on one grid, but same_size=False: train"
                " with same_size=True; the file serves smaller LR as well."
            )
        self.flow = cast(LatentFlow, self.degradation)
        self.flow.train_only(part)

    def baseline(self, prediction: Prediction) -> Tensor | None:
        """Return the bicubic reduction of HR."""
        return bicubic_of(self.degradation, prediction["input"])

    def predict(self, batch: Batch) -> list[Prediction]:
        """Generate an image for each pair, to be compared with LR."""
        lr = batch["lr"]
        if lr is None or not bool(batch["paired"].all()):
            raise DataError(
                "measuring a degradation needs real pairs; the data set has HR images without LR."
            )
        return predictions_of(batch, self.output(batch), lr, batch["hr"], self.degradation.scale)

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the degradation."""
        return self.degradation.save(path, meta)

    @staticmethod
    def _scales_of(batch: Batch) -> tuple[Tensor, tuple[float, ...]]:
        found = batch.get("lr_scales")
        if found is None:
            raise DataError(
                "the latents of a scene at several scales are trained on, and this batch has one:"
                " use ScaleSetDataset around the data set of pairs."
            )
        return found, batch["scales"]


@TASKS.register_module()
class LatentAutoencoding(LatentTask):
    """Trains the autoencoder of a latent flow: DegFlow's first stage.

    For each scene of a batch one of HR and its LR images is drawn; it has to be decoded from its
    latent and the features of HR. In validation LR of the pairs is decoded, so the scores are the
    limit for the second stage.

    Args:
        degradation: Config, path or object of a degradation with an autoencoder and a flow.
        loss: Config of the loss between images in [0, 1].
        scale: The scale at which it is validated and tested.
        same_size: Whether LR lies on the HR grid, which it has to.

    Raises:
        ConfigError: If the degradation has no flow.
        GeometryError: If LR is smaller than HR.

    Source:
        present091/DegFlow, commit d3ee421, trainers/lit_ae.py.
    """

    def __init__(
        self,
        degradation: DegradationLike,
        loss: LossConfig = {"type": "MSELoss"},  # noqa: B006 - never changed
        scale: RealScale | None = None,
        same_size: bool | None = None,
    ) -> None:
        super().__init__(degradation, "autoencoder", loss, scale, same_size)

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse a loss of larger patches than those that are compared.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the loss and what would fit.
        """
        check_images(cfg, 3)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compare each drawn image with its decoded latent."""
        lr, _ = self._scales_of(batch)
        hr = batch["hr"]
        images = torch.cat([hr[:, None], lr], 1)
        drawn = [stream_seed(seed, "scale") % images.shape[1] for seed in batch["seeds"]]
        each = torch.arange(len(hr), device=hr.device)
        image = images[each, torch.tensor(drawn, device=hr.device)]
        return self.named_losses(self.loss(self.flow.reconstruct(hr, image), image))

    def output(self, batch: Batch) -> Tensor:
        """Return each LR image as the autoencoder repeats it."""
        lr = batch["lr"]
        if lr is None:
            raise DataError("an autoencoder repeats LR images, and this batch has none.")
        return self.flow.reconstruct(batch["hr"], lr).clamp(0, 1)


@TASKS.register_module()
class LatentFlowMatching(LatentTask):
    """Trains the velocity of a latent flow: DegFlow's second stage.

    The autoencoder is that of the first stage (``load_from``) and stays as it is.
    ``loss_velocity`` is the mean squared difference of the predicted velocity and that of a natural
    cubic spline through the latents of a scene's HR and LR images, at a time drawn for each scene.
    ``perceptual_loss`` compares the image that the predicted velocity leads to at the next scale
    with the real one.

    Args:
        degradation: Config, path or object of a degradation with an autoencoder and a flow.
        perceptual_loss: Config of a loss between images in [0, 1], RGB; weight 0 or None leaves it
            out. The authors' is 0.1 times LPIPS of a VGG16.
        scale: The scale at which it is validated and tested.
        same_size: Whether LR lies on the HR grid, which it has to.

    Raises:
        ConfigError: If the degradation has no flow, or there is no autoencoder to start from.
        GeometryError: If LR is smaller than HR.

    Source:
        Kim, Kim, Jin, Kim, AAAI 2026; present091/DegFlow, commit d3ee421, trainers/lit_rf.py.
    """

    own_losses: ClassVar[tuple[str, ...]] = ("loss_velocity", "loss_perceptual")

    def __init__(
        self,
        degradation: DegradationLike,
        perceptual_loss: LossConfig | None = None,
        scale: RealScale | None = None,
        same_size: bool | None = None,
    ) -> None:
        super().__init__(degradation, "flow", None, scale, same_size)
        self.perceptual_loss = build_optional_loss(perceptual_loss, "model.perceptual_loss")

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse a recipe without the first stage's file, and a loss of larger patches.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming what is missing or what would fit.
        """
        if cfg.get("train_dataloader") is not None and not cfg.get("load_from"):
            raise ConfigError(
                "LatentFlowMatching needs an autoencoder to start from: set 'load_from' to the"
                " degradation.safetensors of a run of LatentAutoencoding (degflow/degflow_ae_...)."
            )
        check_single(cfg["model"].get("perceptual_loss"), cls.__name__, "model.perceptual_loss")
        check_images(cfg, 3, "perceptual_loss")

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``loss_velocity`` and, if there is one, ``loss_perceptual``."""
        lr, scales = self._scales_of(batch)
        hr = batch["hr"]
        drawn = [
            float(np.random.default_rng(stream_seed(seed, "time")).random())
            for seed in batch["seeds"]
        ]
        shares = torch.tensor(drawn, device=hr.device) * (1 - 2 * _MARGIN) + _MARGIN
        # Dropout follows from the batch, so that a resumed run draws the same.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(batch["seeds"][0], "dropout") % (1 << 62))
            step = self.flow.flow_step(hr, lr, scales, shares)
        error = (step.velocity.float() - step.wanted.float()).square().mean()
        losses: dict[str, Tensor] = {"loss_velocity": error}
        if self.perceptual_loss is not None:
            losses["loss_perceptual"] = self.perceptual_loss(step.ahead, step.target)
        return losses

    def output(self, batch: Batch) -> Tensor:
        """Return the generated LR batch."""
        return self.degradation(batch["hr"], batch["seeds"])
