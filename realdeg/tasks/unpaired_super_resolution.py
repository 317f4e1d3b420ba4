"""Learn a degradation and a super-resolution network together, without pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from realdeg.backbones.base import BackboneLike
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.primitives.rounding import round_straight_through
from realdeg.discriminators.base import DiscriminatorLike
from realdeg.errors import ConfigError
from realdeg.losses.build import (
    AdversarialLossConfig,
    LossConfig,
    PenaltyConfig,
    build_gan_loss,
    build_optional_loss,
    build_penalties,
)
from realdeg.registry import TASKS
from realdeg.tasks.base import Mode
from realdeg.tasks.discriminators import check_colour, discriminator_from_config
from realdeg.tasks.loss_checks import check_images, check_names, check_single
from realdeg.tasks.player_checks import (
    channels_of_backbone,
    check_discriminator,
    check_optimisers,
    check_penalties,
    check_turns,
    lr_sizes,
)
from realdeg.tasks.players import (
    OPPONENT_LOSSES,
    Opponent,
    frozen,
    named_terms,
    optimisers_of,
    take_step,
)
from realdeg.tasks.references import Enlarged
from realdeg.tasks.unpaired_losses import UnpairedLosses
from realdeg.tasks.with_degradation import WithDegradation
from realdeg.utils.argument_types import Count, NonNegative, OddSize, Scale, Whole
from realdeg.utils.samples import Batch

_FIRST = ("lr_discriminator", "degradation")  # in the order of their steps
_OF_LR = (*OPPONENT_LOSSES, "loss_content", "loss_perceptual", "loss_sr")


@TASKS.register_module()
class UnpairedSuperResolution(WithDegradation):
    """Trains a degradation and a network jointly from HR images and real LR of other scenes.

    Each iteration makes LR from HR once. A discriminator learns to tell it from real LR, the
    degradation learns to deceive the discriminator while its LR resembles clean LR, and the network
    learns to restore HR from the generated LR. A second discriminator may judge its results. The
    order of the steps: discriminator of LR, degradation, discriminator of SR, network. Each sees
    the LR that was made at the beginning, and every player has its own optimiser::

        optim_wrapper = dict(
            constructor="MultiOptimizerConstructor",
            lr_discriminator_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
            degradation_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
            backbone_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
        )

    and ``sr_discriminator_step`` with a second discriminator. Losses of the degradation end in
    ``.lr``, those of the network in ``.sr``.

    LR is made in the network's colour, or in RGB if the degradation needs that. The degradation is
    exported beside the network, as ``degradation.safetensors``. Validation measures the network on
    real LR.

    Args:
        backbone: Config, path or object.
        degradation: Config, path or object; one that is learned by gradient descent.
        loss: Config of the network's loss between SR and HR; a ``WeightedLoss`` may have perceptual
            terms.
        lr_loss: Config of the loss between generated and clean LR, or None. Clean LR is the
            degradation's ``clean(hr)``, or else the bicubic reduction.
        low_pass_size: Side of the averaging window in LR pixels before ``lr_loss``, odd; 1 compares
            every pixel.
        lr_perceptual_loss: Config of a further loss between generated and clean LR, or None.
        lr_discriminator: Config of the discriminator of LR, or the module; ``start_from`` as for
            :class:`AdversarialSuperResolution`.
        lr_gan_loss: Config of its adversarial loss.
        lr_penalties: Configs of penalties of its gradient.
        lr_judged_in: The colour in which it judges; ``"y"`` shows it luma alone. None: that in
            which LR is made.
        sr_discriminator: Config of a discriminator of SR, or the module; None: there is none.
        sr_gan_loss: Config of its adversarial loss.
        sr_penalties: Configs of penalties of its gradient.
        sr_gradient: Factor of the loss between SR and HR among the losses of the degradation
            (``loss_sr.lr``); 0 leaves it out. The network rests meanwhile.
        degradation_first: In so many iterations at the beginning only the degradation and its
            discriminator are trained.
        degradation_until: The iteration, from 0, in which the degradation and its discriminator
            stop to learn; None: never.
        sr_gan_from: The iteration, from 0, in which the discriminator of SR begins.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether LR for the network is clipped and rounded to 8 bit, as in files. The
            gradient of ``sr_gradient`` passes the rounding unchanged.
        sharpen: As for :class:`SuperResolution`.

    Raises:
        ConfigError: If arguments contradict each other, or the degradation has nothing to learn.
        GeometryError: If degradation and backbone differ in geometry.

    Source:
        Bulat, Yang, Tzimiropoulos, ECCV 2018 (the defaults); the joint training of PDM (Luo et al.,
        CVPR 2022), greatlog/UnpairedSR at 771312e, which steps generators before discriminators.
    """

    adversarial: ClassVar[bool] = True
    own_losses: ClassVar[tuple[str, ...]] = OPPONENT_LOSSES

    def __init__(
        self,
        backbone: BackboneLike,
        degradation: DegradationLike,
        loss: LossConfig = {"type": "MSELoss"},  # noqa: B006 - never changed
        lr_loss: LossConfig | None = {"type": "MSELoss"},  # noqa: B006
        low_pass_size: OddSize = 1,
        lr_perceptual_loss: LossConfig | None = None,
        lr_discriminator: DiscriminatorLike = {"type": "BulatDiscriminator"},  # noqa: B006
        lr_gan_loss: AdversarialLossConfig = {"type": "HingeGANLoss", "weight": 0.05},  # noqa: B006
        lr_penalties: Sequence[PenaltyConfig] = (),
        lr_judged_in: Literal["y", "rgb"] | None = None,
        sr_discriminator: DiscriminatorLike | None = None,
        sr_gan_loss: AdversarialLossConfig = {"type": "HingeGANLoss", "weight": 0.05},  # noqa: B006
        sr_penalties: Sequence[PenaltyConfig] = (),
        sr_gradient: NonNegative = 0.0,
        degradation_first: Whole = 0,
        degradation_until: Count | None = None,
        sr_gan_from: Whole = 0,
        scale: Scale | None = None,
        same_size: bool | None = None,
        quantise: bool = True,
        sharpen: NonNegative = 0.5,
    ) -> None:
        super().__init__(
            backbone, degradation, loss, sr_gradient, scale, same_size, quantise, sharpen
        )
        if self.degradation.fitting != "gradient":
            raise ConfigError(
                f"{type(self.degradation).__name__} is not learned by gradient descent:"
                " UnpairedSuperResolution trains HighToLow, DSGAN, DirectNet and the like."
            )
        self.lr_colour = "rgb" if self.degradation.needs_rgb else self.backbone.colour
        self.lr_judged_in = self.lr_colour if lr_judged_in is None else lr_judged_in
        if (self.lr_colour, self.lr_judged_in) == ("y", "rgb"):
            raise ConfigError(
                "'model.lr_judged_in' is 'rgb', and LR is luma: leave it out, or set"
                " backbone.colour='rgb'."
            )
        self.lr_loss = build_optional_loss(lr_loss, "model.lr_loss")
        self.low_pass_size = low_pass_size
        self.lr_perceptual_loss = build_optional_loss(
            lr_perceptual_loss, "model.lr_perceptual_loss"
        )
        self.lr_discriminator = self._judge(lr_discriminator, "lr_discriminator", self.lr_judged_in)
        self.lr_gan_loss: Any = build_gan_loss(lr_gan_loss, "model.lr_gan_loss")
        self.lr_penalties = build_penalties(lr_penalties, "model.lr_penalties")
        self.sr_discriminator: nn.Module | None = None
        if sr_discriminator is not None:
            colour = self.backbone.colour
            self.sr_discriminator = self._judge(sr_discriminator, "sr_discriminator", colour)
        self.sr_gan_loss: Any = build_gan_loss(sr_gan_loss, "model.sr_gan_loss")
        self.sr_penalties = build_penalties(sr_penalties, "model.sr_penalties")
        self.degradation_first, self.degradation_until = degradation_first, degradation_until
        self.sr_gan_from = sr_gan_from
        if degradation_until is not None and degradation_until < degradation_first:
            raise ConfigError(
                f"'model.degradation_until' is {degradation_until}, before the end of"
                f" 'model.degradation_first', {degradation_first}: let the degradation learn for at"
                " least as long."
            )

    def _judge(self, cfg: DiscriminatorLike, part: str, colour: str) -> nn.Module:
        network = discriminator_from_config(cfg, part)
        maker = self.degradation if part.startswith("lr") else self.backbone
        check_colour(network, colour, type(maker).__name__, type(self).__name__, part)
        return network

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse optimisers, discriminators, losses and turns that do not fit each other.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the place and what would fit.
        """
        super().check_recipe(cfg)
        model, sizes, channels = cfg["model"], lr_sizes(cfg), channels_of_backbone(cfg)
        check_optimisers(cfg, cls.__name__, _players(model.get("sr_discriminator") is not None))
        # A degradation of RGB makes RGB for a network of luma as well.
        of_lr = 1 if model.get("lr_judged_in") == "y" else channels if channels == 3 else None
        check_discriminator(cfg, of_lr, "model.lr_discriminator", sizes)
        check_discriminator(cfg, channels, "model.sr_discriminator")
        for side in ("lr", "sr"):
            check_penalties(cfg, f"{side}_penalties")
        for name in ("lr_loss", "lr_perceptual_loss"):
            check_single(model.get(name), cls.__name__, f"model.{name}")
            check_images(
                cfg, channels if channels == 3 else None, name, sizes, cropped=name == "lr_loss"
            )
        if isinstance(model.get("lr_loss"), Mapping):
            check_names(model["lr_loss"], _OF_LR, cls.__name__, "model.lr_loss")
        check_turns(cfg, ("degradation_first",), "the network would never be trained")
        if model.get("sr_discriminator") is not None:
            what = "the discriminator of SR would never be trained"
            check_turns(cfg, ("sr_gan_from",), what)

    @property
    def players(self) -> tuple[str, ...]:
        """The parts with an optimiser of their own."""
        return _players(self.sr_discriminator is not None)

    @property
    def learning(self) -> tuple[str, ...]:
        """The parts that are trained in this iteration, in the order of their steps."""
        until = self.degradation_until
        first = _FIRST if until is None or self.iteration < until else ()
        if self.iteration < self.degradation_first:
            return first
        judged = self.sr_discriminator is not None and self.iteration >= self.sr_gan_from
        return (*first, *(("sr_discriminator",) if judged else ()), "backbone")

    @property
    def lr_losses(self) -> UnpairedLosses:
        """The degradation, its discriminator and their losses."""
        colour = self.lr_judged_in if self.lr_judged_in != self.lr_colour else None
        opponent = Opponent(
            self.lr_discriminator, self.lr_gan_loss, self.lr_penalties, "lr_discriminator", colour
        )
        return UnpairedLosses(
            self.degradation,
            opponent,
            self.lr_loss,
            self.lr_perceptual_loss,
            self.lr_colour,
            self.low_pass_size,
            side="lr",
        )

    @property
    def sr_opponent(self) -> Opponent:
        """The discriminator of SR with its losses.

        Raises:
            ConfigError: If there is none.
        """
        if self.sr_discriminator is None:
            raise ConfigError("there is no discriminator of SR: set model.sr_discriminator.")
        return Opponent(
            self.sr_discriminator, self.sr_gan_loss, self.sr_penalties, "sr_discriminator"
        )

    @property
    def degradation_notes(self) -> dict[str, Any]:
        """The objective."""
        return {"objective": self.lr_losses.objective}

    def init_weights(self) -> None:
        """Load what the losses need before the first iteration, and log the objective."""
        super().init_weights()
        self.lr_losses.announce()

    def forward(
        self, batch: Batch, mode: Mode | str = "tensor", made: Enlarged | None = None
    ) -> Any:
        """Process a batch.

        Args:
            batch: ``hr`` (B, 3, H, W) and, for the losses, ``real_lr`` (B, 3, h, w); ``lr`` for
                predictions.
            mode: ``"loss"``, ``"predict"`` or ``"tensor"`` as for every task; the name of a player
                for its losses, with the generated LR in ``batch["generated"]``.
            made: What the network made of the batch, for ``"sr_discriminator"`` and ``"backbone"``.

        Returns:
            As ``mode`` says.
        """
        if mode == "lr_discriminator":
            return self.lr_losses.of_discriminator(batch, self.iteration)
        if mode == "degradation":
            return self.degradation_losses(batch)
        if mode == "sr_discriminator":
            made = made or self.enlarge_generated(batch)
            step = max(self.iteration - max(self.sr_gan_from, self.degradation_first), 0)
            return self.sr_opponent.losses(made.hr, made.outputs.sr, batch["seeds"], step)
        if mode == "backbone":
            return self.backbone_losses(made or self.enlarge_generated(batch))
        return super().forward(batch, mode)  # type: ignore[arg-type]

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Step the players whose turn it is; return their losses.

        Raises:
            ConfigError: If ``optim_wrapper`` does not have the optimisers by name.
        """
        wrappers = optimisers_of(self, optim_wrapper, self.players)
        (batch,) = self.data_preprocessor(data, True)
        learning = self.learning
        with wrappers["degradation"].optim_context(self):
            batch = self._generated(batch, "degradation" in learning)
        made: Enlarged | None = None
        results: dict[str, Tensor] = {}
        for name in learning:
            part = getattr(self, name)
            resting = [getattr(self, other) for other in self.players if other != name]
            if made is None and name not in _FIRST:
                # Before its discriminator's step, with the graph for the network's.
                with wrappers["backbone"].optim_context(self):
                    made = self.enlarge_generated(batch)
            with frozen(*resting), wrappers[name].optim_context(self):
                # Called as a module, so that hooks see the losses.
                losses: dict[str, Tensor] = self(batch, name, made)
            take_step(wrappers[name], losses, part.parameters())
            results |= losses
        return {name: value.detach() for name, value in results.items()}

    def _generated(self, batch: Batch, learns: bool) -> Batch:
        if learns:
            return self.lr_losses.generate(batch)
        training = self.degradation.training
        # One that rests is as it will be in use: its running means stay.
        self.degradation.eval()
        try:
            with torch.no_grad():
                return self.lr_losses.generate(batch)
        finally:
            self.degradation.train(training)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of all players, for inspection; training alternates."""
        batch = self.lr_losses.generate(batch)
        found = {**self.degradation_losses(batch), **self(batch, "lr_discriminator")}
        made = self.enlarge_generated(batch)
        if self.sr_discriminator is not None:
            found |= self(batch, "sr_discriminator", made)
        return found | self.backbone_losses(made)

    def degradation_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return what teaches the degradation, its names ending in ``.lr``.

        Args:
            batch: With ``real_lr`` and ``generated``.
        """
        found = self.lr_losses.of_degradation(batch)
        if self.sr_gradient and self.iteration >= self.degradation_first:
            made = self.enlarge(self._for_network(batch, batch["generated"]))
            terms = self.named_losses(self.image_losses(made))
            scaled = torch.stack([v for k, v in terms.items() if k.startswith("loss")]).sum()
            found["loss_sr.lr"] = self.sr_gradient * scaled
        return found

    def backbone_losses(self, made: Enlarged) -> dict[str, Tensor]:
        """Return what teaches the network, its names ending in ``.sr``.

        Args:
            made: What :meth:`enlarge_generated` made of a batch.
        """
        found = named_terms(self.image_losses(made), "loss_image")
        if self.sr_discriminator is not None and self.iteration >= self.sr_gan_from:
            found["loss_gan"] = self.sr_opponent.against(made.outputs.sr, lambda: made.hr)
        return named_terms(found, side="sr")

    def enlarge_generated(self, batch: Batch) -> Enlarged:
        """Run the network on the generated LR, through which no gradient passes.

        Args:
            batch: With ``generated``.
        """
        return self.enlarge(self._for_network(batch, batch["generated"].detach()))

    def _for_network(self, batch: Batch, lr: Tensor) -> Batch:
        """Return the batch as pairs of HR and generated LR, which is rounded as in files."""
        if self.quantise:
            lr = round_straight_through(lr)
        return {**batch, "lr": lr, "paired": torch.ones_like(batch["paired"])}


def _players(second: bool) -> tuple[str, ...]:
    return (*_FIRST, *(("sr_discriminator",) if second else ()), "backbone")
