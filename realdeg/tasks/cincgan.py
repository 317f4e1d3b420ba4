"""Train a cleaner and a super-resolution network without pairs, in two cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, BackboneLike
from realdeg.degradations.base import DegradationLike
from realdeg.discriminators.base import DiscriminatorLike
from realdeg.losses.build import (
    AdversarialLossConfig,
    LossConfig,
    PenaltyConfig,
    build_gan_loss,
    build_loss,
    build_penalties,
)
from realdeg.registry import DEGRADATIONS, TASKS
from realdeg.tasks.base import Mode
from realdeg.tasks.cycles import (
    Direction,
    check_parts,
    given_images,
    judge_for,
    names_weights,
    translated,
    way_back,
)
from realdeg.tasks.loss_checks import check_images, check_single
from realdeg.tasks.player_checks import (
    channels_of_backbone,
    check_discriminator,
    check_optimisers,
    check_penalties,
    check_turns,
    lr_sizes,
)
from realdeg.tasks.players import Opponent, frozen, optimisers_of, take_step
from realdeg.tasks.with_degradation import WithDegradation
from realdeg.utils.argument_types import NonNegative, Scale, Whole
from realdeg.utils.samples import Batch

Cycle = Literal["inner", "outer"]

_JUDGES = {
    "lr_discriminator": ("clean_lr", "cleaned"),
    "reverse_discriminator": ("real_lr", "soiled"),
    "hr_discriminator": ("hr", "sr"),
}
"""What each discriminator sees: real images, and made ones."""
_PLAYERS = ("cleaner", "reverse", "enlarger", "degradation", "lr_discriminator", "hr_discriminator")
_INNER = ("inner_identity_loss", "inner_cycle_loss", "inner_tv_loss")
_OUTER = ("loss", "cycle_loss", "tv_loss")
_IDENTITY = {"type": "IdentityLoss", "weight": 5.0, "criterion": "mse"}
_CYCLE = {"type": "CycleLoss", "weight": 10.0, "criterion": "mse"}
_TV = {"type": "TVLoss", "form": "squared", "border": "valid"}
_BACK = "reverse_discriminator"
_GAN = {"type": "LSGANLoss", "weight": 2.0}  # the paper's squares have no factor of 1/2
_HR = {"type": "CinCGANDiscriminator", "form": "hr"}


@TASKS.register_module()
class CinCGAN(WithDegradation):
    """Trains a network that cleans LR, one that enlarges it, and both ways back, without pairs.

    x is real LR, z is HR of other scenes, and y is z reduced by bicubic interpolation. Four
    networks: the ``cleaner`` G1 makes x look like y, ``reverse`` G2 takes it back; the ``enlarger``
    SR makes HR of clean LR, ``degradation`` G3 turns HR into LR like x. The result is ``backbone``,
    SR after G1 (:class:`~realdeg.backbones.clean_then_enlarge.CleanThenEnlarge`).

    Losses are called ``loss_<direction>_<kind>``; each direction has an adversarial loss (``gan``),
    a ``cycle`` and an ``identity`` loss, and, but for ``reverse``, one of the image ``alone``:

    ========= ============ ========= ============= ================= ============
    direction made image   among     cycle         identity          alone
    ========= ============ ========= ============= ================= ============
    inner     G1(x)        y         G2(G1(x)), x  G1(y), y          G1(x)
    reverse   G2(y)        x         G1(G2(y)), y  G2(x), x
    outer     SR(G1(x))    z         G3 of it, x   SR(y), z          SR(G1(x))
    ========= ============ ========= ============= ================= ============

    ``reverse`` exists only with a ``reverse_discriminator``. ``inner`` and ``reverse`` train G1 and
    G2, ``outer`` trains G1, SR and G3.

    The run has two stages. In the first ``inner_first`` iterations only the inner cycle is trained;
    then both are, the inner before the outer in each iteration, or the outer alone with G1 frozen.
    In each cycle the discriminators step first. Every network has an optimiser of its own::

        optim_wrapper = dict(
            constructor="MultiOptimizerConstructor",
            cleaner_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4)),
            # and reverse, enlarger, degradation, lr_discriminator, hr_discriminator
        )

    The cleaner takes two steps where both cycles are trained. ``degradation`` is exported as well.
    Validation measures the backbone on pairs.

    Args:
        backbone: Config of ``CleanThenEnlarge``, whose enlarger has ``start_from``: weights for
            bicubic LR.
        degradation: Config, path or object: G3.
        reverse: Config of G2, a network that keeps the size; it is built at scale 1.
        lr_discriminator: Config of the discriminator of clean LR.
        hr_discriminator: Config of the discriminator of HR.
        reverse_discriminator: Config of a discriminator of real LR, for the other direction of the
            inner cycle; None: it has one direction, as in the paper.
        loss: Config of the outer identity loss. Here and below a weight of 0 leaves a loss out.
        cycle_loss: Of the outer cycle loss.
        tv_loss: Of the loss of SR alone.
        gan_loss: Of the outer adversarial loss; the paper's squares have no factor of 1/2.
        inner_identity_loss: Of the identity losses within LR.
        inner_cycle_loss: Of the cycle losses within LR.
        inner_tv_loss: Of the loss of cleaned LR alone.
        inner_gan_loss: Of the adversarial losses within LR.
        identity_jointly: Factor of the inner identity loss while both cycles are trained: the
            paper's weight falls from 5 to 1.
        penalties: Configs of penalties of the discriminators' gradients.
        inner_first: At the beginning of the run, in so many iterations the inner cycle alone is
            trained.
        then: What is trained afterwards: ``"both"`` cycles, or the ``"outer"`` cycle with a frozen
            cleaner, whose normalisation then uses its running statistics.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether reduced HR is clipped and rounded to 8 bit, as in files.

    Raises:
        ConfigError: If ``backbone`` is no ``CleanThenEnlarge``, the degradation has nothing to
            learn, or the parts work on different colours.
        GeometryError: If degradation and backbone differ in geometry, or lack the scale.

    Source:
        Yuan, Liu, Zhang, Zhang, Dong, Lin, Unsupervised Image Super-Resolution using
        Cycle-in-Cycle Generative Adversarial Networks, CVPRW 2018, arXiv 1809.00437 (the
        defaults; the code was not released). ``reverse_discriminator`` and ``then="outer"`` are of
        sangyun884/CinCGAN-pytorch (c2605f9), the order of steps of greatlog/UnpairedSR (771312e).
    """

    adversarial: ClassVar[bool] = True
    scheduled: ClassVar[tuple[str, ...]] = ("identity_jointly",)
    least_patch: ClassVar[int] = 80
    own_losses: ClassVar[tuple[str, ...]] = (
        *("loss_inner_*", "loss_reverse_*", "loss_outer_*"),
        *("loss_*_discriminator", "loss_*_penalty*"),
    )

    def __init__(
        self,
        backbone: BackboneLike,
        degradation: DegradationLike,
        reverse: BackboneLike = {"type": "CinCGANTranslator"},  # noqa: B006 - never changed
        lr_discriminator: DiscriminatorLike = {"type": "CinCGANDiscriminator"},  # noqa: B006
        hr_discriminator: DiscriminatorLike = _HR,
        reverse_discriminator: DiscriminatorLike | None = None,
        loss: LossConfig = _IDENTITY,
        cycle_loss: LossConfig = _CYCLE,
        tv_loss: LossConfig = {**_TV, "weight": 2.0},  # noqa: B006
        gan_loss: AdversarialLossConfig = _GAN,
        inner_identity_loss: LossConfig = _IDENTITY,
        inner_cycle_loss: LossConfig = _CYCLE,
        inner_tv_loss: LossConfig = {**_TV, "weight": 0.5},  # noqa: B006
        inner_gan_loss: AdversarialLossConfig = _GAN,
        identity_jointly: NonNegative = 0.2,
        penalties: Sequence[PenaltyConfig] = (),
        inner_first: Whole = 0,
        then: Literal["both", "outer"] = "both",
        scale: Scale | None = None,
        same_size: bool | None = None,
        quantise: bool = True,
    ) -> None:
        super().__init__(backbone, degradation, loss, 0.0, scale, same_size, quantise, 0.5)
        check_parts("CinCGAN", self.backbone)
        self.reverse = way_back(reverse, self.backbone, "model.reverse")
        judges = {"lr_discriminator": lr_discriminator, "hr_discriminator": hr_discriminator}
        self.reverse_discriminator: nn.Module | None = None
        if reverse_discriminator is not None:
            judges[_BACK] = reverse_discriminator
        for name, judge in judges.items():
            setattr(self, name, judge_for(judge, self.backbone, "CinCGAN", name))
        inner = (inner_identity_loss, inner_cycle_loss, inner_tv_loss)
        for name, cfg in zip((*_INNER, *_OUTER[1:]), (*inner, cycle_loss, tv_loss), strict=True):
            setattr(self, name, build_loss(cfg, "image", f"model.{name}"))
        self.gan_loss: Any = build_gan_loss(gan_loss)
        self.inner_gan_loss: Any = build_gan_loss(inner_gan_loss, "model.inner_gan_loss")
        self.penalties = build_penalties(penalties)
        self.identity_jointly = float(identity_jointly)
        self.inner_first, self.then = inner_first, then
        geometry = dict(scale=self.backbone.scale, same_size=self.backbone.same_size)
        self._bicubic = DEGRADATIONS.build(dict(type="Bicubic", **geometry))
        self._taught = names_weights(backbone)

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse optimisers, discriminators, losses and turns that do not fit the config.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the place and what would fit.
        """
        super().check_recipe(cfg)
        model, channels, small = cfg["model"], channels_of_backbone(cfg), lr_sizes(cfg)
        back = (_BACK,) if model.get(_BACK) is not None else ()
        check_optimisers(cfg, cls.__name__, (*_PLAYERS, *back))
        for place, sizes in (("lr", small), ("hr", None), ("reverse", small)):
            check_discriminator(cfg, channels, f"model.{place}_discriminator", sizes)
        check_penalties(cfg)
        for place in (*_INNER, *_OUTER):
            if not place.endswith("tv_loss"):
                check_single(model.get(place), cls.__name__, f"model.{place}")
            check_images(cfg, channels, place, None if place in ("loss", "tv_loss") else small)
        check_turns(cfg, ("inner_first",), "the outer cycle would never be trained")

    def init_weights(self) -> None:
        """Load what the losses need; say so if the network that enlarges knows nothing yet."""
        super().init_weights()
        if not self._taught:
            MMLogger.get_current_instance().warning(
                "CinCGAN: backbone.enlarger starts untrained, unless this run resumes or has"
                " load_from. The method expects a network that enlarges bicubic LR:"
                " backbone.enlarger.start_from=dict(checkpoint='.../backbone.safetensors')."
            )

    @property
    def cleaner(self) -> Backbone:
        """G1, a part of the backbone."""
        return self.backbone.cleaner  # type: ignore[return-value]

    @property
    def enlarger(self) -> Backbone:
        """SR, a part of the backbone."""
        return self.backbone.enlarger  # type: ignore[return-value]

    @property
    def players(self) -> tuple[str, ...]:
        """The parts with an optimiser of their own."""
        return _PLAYERS if self.reverse_discriminator is None else (*_PLAYERS, _BACK)

    @property
    def cycles(self) -> tuple[Cycle, ...]:
        """The cycles that are trained in this iteration."""
        if self.iteration < self.inner_first:
            return ("inner",)
        return ("inner", "outer") if self.then == "both" else ("outer",)

    def players_of(self, cycle: Cycle) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the discriminators, and then the other networks, that a cycle trains now."""
        if cycle == "inner":
            judges = [name for name in self.players if name in ("lr_discriminator", _BACK)]
            return tuple(judges), ("cleaner", "reverse")
        makers = ("cleaner", "enlarger", "degradation")
        return ("hr_discriminator",), makers if "inner" in self.cycles else makers[1:]

    def opponent(self, name: str) -> Opponent:
        """Return a discriminator with its losses."""
        rule = self.gan_loss if name == "hr_discriminator" else self.inner_gan_loss
        return Opponent(getattr(self, name), rule, self.penalties, name)

    def forward(
        self, batch: Batch, mode: Mode | str = "tensor", made: Mapping[str, Tensor] | None = None
    ) -> Any:
        """Process a batch.

        Args:
            batch: ``hr`` (B, 3, H, W) and, for the losses, ``real_lr`` (B, 3, h, w); ``lr``
                (B, 3, h, w) for predictions.
            mode: ``"loss"``, ``"predict"`` or ``"tensor"`` as for every task; ``"inner"`` or
                ``"outer"`` for the losses of a cycle's networks; the name of a discriminator.
            made: What :meth:`make` made of the batch, for the losses of one player.

        Returns:
            As ``mode`` says.
        """
        if mode in ("inner", "outer"):
            made = made or self.make(batch, mode)  # type: ignore[arg-type]
            return self.inner_losses(made) if mode == "inner" else self.outer_losses(made)
        if mode in _JUDGES:
            made = made or self.make(batch, "outer" if mode == "hr_discriminator" else "inner")
            return self._discriminator_losses(batch, mode, made)
        return super().forward(batch, mode)  # type: ignore[arg-type]

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Step the players of the cycles whose turn it is; return the losses of all of them.

        Raises:
            ConfigError: If ``optim_wrapper`` does not have the optimisers by name.
        """
        wrappers = optimisers_of(self, optim_wrapper, self.players)
        (batch,) = self.data_preprocessor(data, True)
        self.cleaner.train("inner" in self.cycles)
        results: dict[str, Tensor] = {}
        for cycle in self.cycles:
            results |= self._turn(batch, cycle, wrappers)
        return {name: value.detach() for name, value in results.items()}

    def _turn(
        self, batch: Batch, cycle: Cycle, wrappers: Mapping[str, OptimWrapper]
    ) -> dict[str, Tensor]:
        """Step the discriminators of a cycle, then its other networks against them."""
        judges, makers = self.players_of(cycle)
        ours = [wrappers[name] for name in makers]
        results: dict[str, Tensor] = {}
        with ours[0].optim_context(self):
            made = self.make(batch, cycle)
        for name in judges:
            with wrappers[name].optim_context(self):
                # Called as a module, so that hooks see the losses.
                losses: dict[str, Tensor] = self(batch, name, made)
            take_step(wrappers[name], losses, getattr(self, name).parameters())
            results |= losses
        with frozen(*(getattr(self, name) for name in judges)):
            with ours[0].optim_context(self):
                terms: dict[str, Tensor] = self(batch, cycle, made)
            parts = [getattr(self, name) for name in makers]
            take_step(ours, terms, [p for part in parts for p in part.parameters()])
        return terms | results

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of all players, for inspection; training alternates."""
        found: dict[str, Tensor] = {}
        for cycle in ("inner", "outer"):
            made = self.make(batch, cycle)
            found |= self(batch, cycle, made)
            for name in self.players_of(cycle)[0]:
                found |= self(batch, name, made)
        return found

    def make(self, batch: Batch, cycle: Cycle) -> dict[str, Tensor]:
        """Return the images of a cycle.

        Args:
            batch: With ``hr`` and ``real_lr``.
            cycle: ``"inner"`` or ``"outer"``.

        Returns:
            ``hr``, ``clean_lr`` (y), ``real_lr``, ``cleaned`` (G1(x)), ``soiled`` (G2(y)) where the
            inner cycle has both directions, and ``sr`` in the outer cycle; not clipped.

        Raises:
            DataError: If real LR is missing, or of another size than reduced HR.
        """
        made = given_images(batch, self.backbone.colour, self._bicubic, self.quantise)
        learns = "cleaner" in self.players_of(cycle)[1]
        with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
            made["cleaned"] = translated(self.cleaner, made["real_lr"])
        if cycle == "outer":
            made["sr"] = self._enlarge(made["cleaned"])
        elif self.reverse_discriminator is not None:
            made["soiled"] = translated(self.reverse, made["clean_lr"])
        return made

    def _discriminator_losses(
        self, batch: Batch, name: str, made: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        real, generated = (made[image] for image in _JUDGES[name])
        # Its own steps, for penalties that are not computed at every one.
        step = self.iteration - (self.inner_first if name == "hr_discriminator" else 0)
        return self.opponent(name).losses(real, generated, batch["seeds"], max(step, 0))

    def inner_losses(self, made: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses of G1 and G2 for the images of the inner cycle."""
        real, clean = made["real_lr"], made["clean_lr"]
        there, back = partial(translated, self.cleaner), partial(translated, self.reverse)
        factor = self.identity_jointly if "outer" in self.cycles else 1.0
        judges: list[Any] = [self.inner_cycle_loss, self.inner_identity_loss, self.inner_tv_loss]
        inner = Direction("inner", self.opponent("lr_discriminator"), *judges)
        found = inner.losses(made["cleaned"], real, clean, back, partial(there, clean), factor)
        if self.reverse_discriminator is not None:
            reverse = Direction("reverse", self.opponent("reverse_discriminator"), *judges[:2])
            same = partial(back, real)
            found |= reverse.losses(made["soiled"], clean, real, there, same, factor)
        return found

    def outer_losses(self, made: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses of G1, SR and G3 for the images of the outer cycle."""
        judges: list[Any] = [self.cycle_loss, self.loss, self.tv_loss]
        outer = Direction("outer", self.opponent("hr_discriminator"), *judges)
        same = partial(self._enlarge, made["clean_lr"])
        return outer.losses(made["sr"], made["real_lr"], made["hr"], self.degradation, same)

    def _enlarge(self, clean: Tensor) -> Tensor:
        enlarged: Tensor = self.backbone.enlarge(clean)  # type: ignore[operator]
        return enlarged
