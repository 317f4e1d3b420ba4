"""Learn a degradation from unpaired LR images, against a discriminator."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from mmengine.optim import OptimWrapper
from torch import Tensor

from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.discriminators.base import DiscriminatorLike
from realdeg.errors import ConfigError, DataError
from realdeg.losses.build import (
    AdversarialLossConfig,
    LossConfig,
    PenaltyConfig,
    build_gan_loss,
    build_optional_loss,
    build_penalties,
)
from realdeg.registry import TASKS
from realdeg.tasks.base import ImageTask, Mode, predictions_of
from realdeg.tasks.degradation_learning import bicubic_of
from realdeg.tasks.discriminators import discriminator_from_config
from realdeg.tasks.loss_checks import check_images, check_single
from realdeg.tasks.player_checks import (
    check_discriminator,
    check_optimisers,
    check_penalties,
    lr_sizes,
)
from realdeg.tasks.players import OPPONENT_LOSSES, Opponent, frozen, optimisers_of, take_step
from realdeg.tasks.unpaired_losses import UnpairedLosses
from realdeg.utils.argument_types import OddSize, Scale
from realdeg.utils.colour import to_colour
from realdeg.utils.place import places_in
from realdeg.utils.samples import Batch, Prediction


@TASKS.register_module()
class UnpairedDegradation(ImageTask):
    """Trains any trainable degradation and a discriminator against each other.

    Each iteration generates LR from HR, steps the discriminator on it and on real LR, then steps
    the degradation against the updated discriminator. (DSGAN's code evaluates the discriminator
    before either step, which PyTorch no longer allows once weights change in place.) It needs two
    optimisers: ``optim_wrapper.constructor = "MultiOptimizerConstructor"`` with
    ``degradation_step`` and ``discriminator_step``.

    The degradation's objective: the weighted ``loss`` between generated and clean LR after a
    low-pass filter, ``gan_loss``, and ``perceptual_loss`` between generated and clean LR. Clean LR
    is the degradation's ``clean(hr)``, or else the bicubic reduction.

    Args:
        degradation: Config, path or object.
        discriminator: Config of a registered discriminator, or the module.
        loss: Config of the content loss; DSGAN's is L1 of weight 1.
        gan_loss: Config of an adversarial loss.
        perceptual_loss: Config of a loss on RGB images; weight 0 or None disables it, as the log
            and the exported file then state.
        low_pass_size: Side of the averaging window, in LR pixels, that is applied before the
            content is compared, odd; 1 compares every pixel.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        colour: ``"rgb"``, or ``"y"`` for luma alone.
        penalties: Configs of penalties of the discriminator's gradient, such as
            ``dict(type='GradientPenalty')`` for ``WGANLoss``.

    Raises:
        ConfigError: If arguments contradict each other, or the degradation has nothing to learn.

    Source:
        Fritsche, Gu, Timofte, ICCVW 2019 (the defaults); Bulat, Yang, Tzimiropoulos, ECCV 2018.
    """

    component: ClassVar[str] = "degradation"
    adversarial: ClassVar[bool] = True
    baseline_name: ClassVar[str] = "the bicubic reduction of HR"
    own_losses: ClassVar[tuple[str, ...]] = (*OPPONENT_LOSSES, "loss_perceptual")
    players: ClassVar[tuple[str, ...]] = ("degradation", "discriminator")
    """The parts with an optimiser of their own."""

    def __init__(
        self,
        degradation: DegradationLike,
        discriminator: DiscriminatorLike = {"type": "DSGANDiscriminator"},  # noqa: B006
        loss: LossConfig = {"type": "L1Loss"},  # noqa: B006 - never changed
        gan_loss: AdversarialLossConfig = {  # noqa: B006
            "type": "CrossEntropyGANLoss",
            "weight": 0.005,
        },
        perceptual_loss: LossConfig | None = {"type": "LPIPSLoss", "weight": 0.01},  # noqa: B006
        low_pass_size: OddSize = 5,
        scale: Scale | None = None,
        same_size: bool | None = None,
        colour: Literal["y", "rgb"] = "rgb",
        penalties: Sequence[PenaltyConfig] = (),
    ) -> None:
        super().__init__(loss)
        self.degradation = degradation_from_config(degradation, scale, same_size)
        if self.degradation.fitting != "gradient":
            raise ConfigError(
                f"{type(self.degradation).__name__} is not learned by gradient descent:"
                " UnpairedDegradation trains DSGAN, HighToLow, DirectNet and the like."
            )
        self.discriminator = discriminator_from_config(discriminator)
        self.gan_loss: Any = build_gan_loss(gan_loss)
        self.penalties = build_penalties(penalties)
        place = "model.perceptual_loss"
        self.perceptual_loss: Any = build_optional_loss(perceptual_loss, place)
        if self.perceptual_loss is not None and colour == "y":
            raise ConfigError(
                "UnpairedDegradation: the perceptual loss compares RGB images; with"
                " colour='y' set model.perceptual_loss=None."
            )
        self.colour, self.low_pass_size = colour, low_pass_size

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse optimisers and a discriminator that do not fit the rest of the config.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the place and what would fit.
        """
        check_optimisers(cfg, cls.__name__, cls.players)
        model, sizes = cfg["model"], lr_sizes(cfg)
        channels = 1 if model.get("colour") == "y" else 3
        check_discriminator(cfg, channels, sizes=sizes)
        check_penalties(cfg)
        check_single(model.get("perceptual_loss"), cls.__name__, "model.perceptual_loss")
        for place in ("loss", "perceptual_loss"):
            check_images(cfg, channels, place, sizes, "model.colour='rgb'", place == "loss")

    def init_weights(self) -> None:
        """Load what the losses need before the first iteration, and log the objective."""
        super().init_weights()
        self.lr_losses.announce()

    @property
    def objective(self) -> str:
        """The objective in one line, for the log and the exported file."""
        return self.lr_losses.objective

    @property
    def lr_losses(self) -> UnpairedLosses:
        """The degradation, the discriminator and their losses."""
        opponent = Opponent(self.discriminator, self.gan_loss, self.penalties)
        return UnpairedLosses(
            self.degradation,
            opponent,
            self.loss,
            self.perceptual_loss,
            self.colour,
            self.low_pass_size,
        )

    def forward(self, batch: Batch, mode: Mode | str = "tensor") -> Any:
        """Process a batch.

        Args:
            batch: ``hr`` (B, 3, H, W) and, for the losses, ``real_lr`` (B, 3, h, w); ``lr``
                (B, 3, h, w) for predictions, which are measured against it.
            mode: ``"loss"``, ``"predict"`` or ``"tensor"`` as for every task; ``"discriminator"``
                or ``"degradation"`` for the losses of one network, with the generated LR in
                ``batch["generated"]``.

        Returns:
            As ``mode`` says.
        """
        if mode == "discriminator":
            return self.discriminator_losses(batch)
        if mode == "degradation":
            return self.degradation_losses(batch)
        return super().forward(batch, mode)  # type: ignore[arg-type]

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Step the discriminator, then the degradation; return the losses of both.

        Raises:
            ConfigError: If ``optim_wrapper`` does not have the two optimisers by name.
        """
        wrappers = optimisers_of(self, optim_wrapper, self.players)
        (batch,) = self.data_preprocessor(data, True)
        ours, theirs = (wrappers[name] for name in self.players)
        with ours.optim_context(self):
            batch = self.lr_losses.generate(batch)
        with theirs.optim_context(self):
            # Called as a module, so that hooks see the losses.
            losses: dict[str, Tensor] = self(batch, mode="discriminator")
        take_step(theirs, losses, self.discriminator.parameters())
        with frozen(self.discriminator):
            with ours.optim_context(self):
                terms: dict[str, Tensor] = self(batch, mode="degradation")
            take_step(ours, terms, self.degradation.parameters())
        return {name: value.detach() for name, value in {**terms, **losses}.items()}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of both networks, for inspection; training alternates."""
        batch = self.lr_losses.generate(batch)
        return {**self.degradation_losses(batch), **self.discriminator_losses(batch)}

    def generate(self, batch: Batch) -> Tensor:
        """Return generated LR for a batch."""
        hr = to_colour(batch["hr"], self.colour)
        return self.degradation.forward_at(hr, batch["seeds"], places_in(batch))

    def discriminator_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Evaluate the discriminator on real and on detached generated LR.

        Args:
            batch: With ``real_lr`` and ``generated``.

        Returns:
            ``loss_discriminator``, a loss for each penalty, and the scores of both as
            probabilities (for a discriminator trained by cross entropy).

        Raises:
            DataError: If real LR is missing, or of another size than the generated one.
        """
        return self.lr_losses.of_discriminator(batch, self.iteration)

    def degradation_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return what :meth:`UnpairedLosses.of_degradation` does."""
        return self.lr_losses.of_degradation(batch)

    def predict(self, batch: Batch) -> list[Prediction]:
        """Generate the LR image of each HR image, to compare with the real one."""
        if batch["lr"] is None or not bool(batch["paired"].all()):
            raise DataError(
                "a generated LR image is measured against the real one of its scene, and the data"
                " set has none: validate on pairs, or not at all (val_dataloader=None,"
                " val_cfg=None, val_evaluator=None)."
            )
        generated = self.generate(batch)
        scale = self.degradation.scale
        return predictions_of(batch, generated, batch["lr"], batch["hr"], scale)

    def baseline(self, prediction: Prediction) -> Tensor | None:
        """Return the bicubic reduction of HR."""
        return bicubic_of(self.degradation, to_colour(prediction["input"], self.colour))

    def output(self, batch: Batch) -> Tensor:
        """Return the generated LR batch."""
        return self.generate(batch)

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the degradation, with the objective among its notes."""
        return self.degradation.save(path, {**meta, "objective": self.objective})
