"""Train a super-resolution network against a discriminator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from realdeg.backbones.base import BackboneLike
from realdeg.degradations.base import DegradationLike
from realdeg.discriminators.base import DiscriminatorLike
from realdeg.losses.build import (
    AdversarialLossConfig,
    LossConfig,
    PenaltyConfig,
    build_gan_loss,
    build_penalties,
)
from realdeg.registry import TASKS
from realdeg.tasks.base import Mode
from realdeg.tasks.discriminators import check_colour, discriminator_from_config
from realdeg.tasks.low_resolution import DegradeIn
from realdeg.tasks.player_checks import (
    channels_of_backbone,
    check_discriminator,
    check_optimisers,
    check_penalties,
    check_turns,
)
from realdeg.tasks.players import (
    OPPONENT_LOSSES,
    Opponent,
    frozen,
    named_terms,
    optimisers_of,
    seeds_of_step,
    take_step,
)
from realdeg.tasks.references import Enlarged
from realdeg.tasks.super_resolution import SuperResolution
from realdeg.utils.argument_types import Count, NonNegative, RealScale, Scales, Whole
from realdeg.utils.samples import Batch


@TASKS.register_module()
class AdversarialSuperResolution(SuperResolution):
    """Trains any backbone and a discriminator of HR images against each other.

    Each iteration makes SR from LR, steps the discriminator on HR and on SR, then steps the network
    by the terms of ``loss`` and by ``gan_loss`` against the updated discriminator, which is frozen
    meanwhile. LR comes from pairs, from degraded HR, or from both, as in
    :class:`SuperResolution`. Every player has its own optimiser::

        optim_wrapper = dict(
            constructor="MultiOptimizerConstructor",
            backbone_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
            discriminator_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
        )

    and ``degradation_step`` as well with ``train_degradation=True``.

    Args:
        backbone: As for :class:`SuperResolution`, like the arguments down to ``sharpen``. GANs
            start from a network that was trained without one: ``start_from=dict(checkpoint=...)``.
        degradation: Config, path or object.
        train_degradation: Whether the degradation is trained jointly with the backbone.
        loss: Config of the loss of the image, with its weights beside ``gan_loss``.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether LR of a frozen degradation is clipped and rounded to 8 bit.
        degrade_in: Where training images are degraded.
        scales: Scales that are drawn from.
        sharpen: Strength of the unsharp mask for sharpened targets.
        discriminator: Config of a registered discriminator, or the module. Its config may have
            ``start_from=dict(checkpoint=file)``, as a backbone's.
        gan_loss: Config of an adversarial loss, with its weight.
        penalties: Configs of penalties of the discriminator's gradient, such as
            ``dict(type='GradientPenalty')`` for ``WGANLoss``.
        gan_target: The images that the discriminator takes for real: ``"hr"``, or
            ``"sharpened"`` HR.
        discriminator_steps: Steps of the discriminator in each iteration, all on the same batch
            (EDSR-PyTorch's ``gan_k``).
        generator_every: The network is stepped in every so-many-th iteration only, the
            discriminator in all of them, each with a new batch (WGAN-GP: 5; BasicSR's
            ``net_d_iters``).
        adversarial_from: The iteration, from 0, at which the adversarial part begins. Before it
            the network learns from ``loss`` alone, and the discriminator is not trained.
        discriminator_first: In so many iterations from then on only the discriminator is trained
            (BasicSR's ``net_d_init_iters``).

    Raises:
        ConfigError: If the arguments do not fit each other, or the degradation has not been
            learned yet.
        GeometryError: If degradation and backbone differ in geometry, or lack one of the scales.

    Source:
        Ledig et al., SRGAN, CVPR 2017; Wang et al., ESRGAN, ECCVW 2018. The order is that of SRGAN
        and EDSR-PyTorch; BasicSR steps the network first, against the discriminator of the
        iteration before.
    """

    adversarial: ClassVar[bool] = True
    own_losses: ClassVar[tuple[str, ...]] = OPPONENT_LOSSES

    def __init__(
        self,
        backbone: BackboneLike,
        degradation: DegradationLike | None = None,
        train_degradation: bool = False,
        loss: LossConfig = {"type": "L1Loss"},  # noqa: B006 - never changed
        scale: RealScale | None = None,
        same_size: bool | None = None,
        quantise: bool = True,
        degrade_in: DegradeIn = "device",
        scales: Scales | None = None,
        sharpen: NonNegative = 0.5,
        discriminator: DiscriminatorLike = {"type": "UNetDiscriminator"},  # noqa: B006
        gan_loss: AdversarialLossConfig = {"type": "CrossEntropyGANLoss", "weight": 0.1},  # noqa: B006
        penalties: Sequence[PenaltyConfig] = (),
        gan_target: Literal["hr", "sharpened"] = "hr",
        discriminator_steps: Count = 1,
        generator_every: Count = 1,
        adversarial_from: Whole = 0,
        discriminator_first: Whole = 0,
    ) -> None:
        super().__init__(
            backbone,
            degradation,
            train_degradation,
            loss,
            scale,
            same_size,
            quantise,
            degrade_in,
            scales,
            sharpen,
        )
        self.discriminator = discriminator_from_config(discriminator)
        check_colour(
            self.discriminator,
            self.backbone.colour,
            type(self.backbone).__name__,
            type(self).__name__,
        )
        self.gan_loss = build_gan_loss(gan_loss)
        self.penalties = build_penalties(penalties)
        self.gan_target = gan_target
        self.discriminator_steps, self.generator_every = discriminator_steps, generator_every
        self.adversarial_from, self.discriminator_first = adversarial_from, discriminator_first

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse optimisers, a discriminator and turns that do not fit the rest of the config.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the place and what would fit.
        """
        super().check_recipe(cfg)
        jointly = bool(cfg["model"].get("train_degradation"))
        check_optimisers(cfg, cls.__name__, (*_makers(jointly), "discriminator"))
        check_discriminator(cfg, channels_of_backbone(cfg))
        check_penalties(cfg)
        check_turns(
            cfg,
            ("adversarial_from", "discriminator_first"),
            "the network would never be trained against the discriminator",
            every="generator_every",
        )

    @property
    def players(self) -> tuple[str, ...]:
        """The parts with an optimiser of their own."""
        return (*_makers(self.train_degradation), "discriminator")

    @property
    def opponent(self) -> Opponent:
        """The discriminator with its losses."""
        return Opponent(self.discriminator, self.gan_loss, self.penalties)

    def forward(
        self,
        batch: Batch,
        mode: Mode | str = "tensor",
        made: Enlarged | None = None,
        turn: int = 0,
    ) -> Any:
        """Process a batch.

        Args:
            batch: As for :class:`SuperResolution`.
            mode: ``"loss"``, ``"predict"`` or ``"tensor"`` as for every task; ``"discriminator"``
                or ``"backbone"`` for the losses of one player.
            made: What :meth:`enlarge` made of the batch, for the losses of one player.
            turn: The number of the discriminator's step on this batch, from 0.

        Returns:
            As ``mode`` says.
        """
        if mode == "discriminator":
            return self.discriminator_losses(batch, made or self.enlarge(batch), turn)
        if mode == "backbone":
            return self.backbone_losses(made or self.enlarge(batch))
        return super().forward(batch, mode)  # type: ignore[arg-type]

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Step the players whose turn it is; return the losses of all of them.

        Raises:
            ConfigError: If ``optim_wrapper`` does not have the optimisers by name.
        """
        wrappers = optimisers_of(self, optim_wrapper, self.players)
        (batch,) = self.data_preprocessor(data, True)
        makers = _makers(self.train_degradation)
        theirs, ours = wrappers["discriminator"], [wrappers[name] for name in makers]
        results: dict[str, Tensor] = {}
        with ours[0].optim_context(self), torch.set_grad_enabled(self.network_learns):
            made = self.enlarge(batch)
        for turn in range(self.discriminator_steps if self.adversarial_now else 0):
            with theirs.optim_context(self):
                # Called as a module, so that hooks see the losses.
                losses: dict[str, Tensor] = self(batch, "discriminator", made, turn)
            take_step(theirs, losses, self.discriminator.parameters())
            results |= losses
        if self.network_learns:
            with frozen(self.discriminator):
                with ours[0].optim_context(self):
                    terms: dict[str, Tensor] = self(batch, "backbone", made)
                parts = [getattr(self, name) for name in makers]
                take_step(ours, terms, [p for part in parts for p in part.parameters()])
            results = terms | results
        return {name: value.detach() for name, value in results.items()}

    @property
    def adversarial_now(self) -> bool:
        """Whether the adversarial part has begun."""
        return self.iteration >= self.adversarial_from

    @property
    def network_learns(self) -> bool:
        """Whether the network is stepped in this iteration."""
        since = self.iteration - self.adversarial_from
        if since < 0:
            return True
        return since >= self.discriminator_first and (since + 1) % self.generator_every == 0

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of both players, for inspection; training alternates."""
        made = self.enlarge(batch)
        return {**self.backbone_losses(made), **self.discriminator_losses(batch, made)}

    def discriminator_losses(
        self, batch: Batch, made: Enlarged, turn: int = 0
    ) -> dict[str, Tensor]:
        """Evaluate the discriminator on real images and on detached SR.

        Args:
            batch: The batch, for its seeds.
            made: What the network made of it.
            turn: The number of the step on this batch, from 0.

        Returns:
            What :meth:`Opponent.losses` returns.
        """
        step = max(self.iteration - self.adversarial_from, 0) * self.discriminator_steps + turn
        seeds = seeds_of_step(batch["seeds"], turn)
        return self.opponent.losses(self._real(made), made.outputs.sr, seeds, step)

    def backbone_losses(self, made: Enlarged) -> dict[str, Tensor]:
        """Return the terms of ``loss`` and, once the adversarial part has begun, ``loss_gan``.

        A loss that returns a single number is called ``loss_image``.

        Args:
            made: What the network made of a batch.
        """
        found = named_terms(self.image_losses(made), "loss_image")
        if self.adversarial_now:
            found["loss_gan"] = self.opponent.against(made.outputs.sr, lambda: self._real(made))
        return found

    def _real(self, made: Enlarged) -> Tensor:
        return made.hr if self.gan_target == "hr" else self.reference("sharpened", made)


def _makers(jointly: bool) -> tuple[str, ...]:
    """Return the parts that make SR, which step together."""
    return ("backbone", "degradation") if jointly else ("backbone",)
