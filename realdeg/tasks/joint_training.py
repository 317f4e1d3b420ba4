"""Train a degradation and a super-resolution network together, each by its own loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from realdeg.backbones.base import BackboneLike
from realdeg.degradations.base import DegradationLike
from realdeg.errors import DataError
from realdeg.losses.build import LossConfig, build_loss
from realdeg.registry import TASKS
from realdeg.tasks.base import Mode
from realdeg.tasks.degradation_learning import compare_lr
from realdeg.tasks.loss_checks import check_images, check_single
from realdeg.tasks.player_checks import (
    channels_of_backbone,
    check_optimisers,
    check_turns,
    lr_sizes,
)
from realdeg.tasks.players import frozen, named_terms, optimisers_of, take_step
from realdeg.tasks.with_degradation import WithDegradation
from realdeg.utils.argument_types import Count, NonNegative, Scale, Whole
from realdeg.utils.colour import to_colour
from realdeg.utils.place import places_in
from realdeg.utils.samples import Batch

_PLAYERS = ("backbone", "degradation")


@TASKS.register_module()
class JointTraining(WithDegradation):
    """Trains a degradation on real pairs, and a network on the LR that it makes.

    The data are a mixture of pairs and HR images. The degradation makes LR of the pairs' HR, which
    is compared with the real LR, as in :class:`DegradationLearning`. The network enlarges LR that
    the degradation makes of the HR images, and the real LR of pairs. Its loss is that of
    :class:`SuperResolution`. Unlike ``SuperResolution(train_degradation=True)``, in which the
    network's loss alone trains the degradation and rewards LR that is easy to enlarge, here the
    real pairs say what LR looks like. Both have an optimiser::

        optim_wrapper = dict(
            constructor="MultiOptimizerConstructor",
            backbone_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
            degradation_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3)),
        )

    The degradation is exported beside the network, as ``degradation.safetensors``. Validation
    measures the network.

    Args:
        backbone: Config, path or object.
        degradation: Config, path or object; one with weights to learn. LR is made in the backbone's
            colour.
        loss: Config of the network's loss.
        degradation_loss: Config of the loss between generated and real LR.
        sr_gradient: Factor of the network's gradient that reaches the degradation. With 0 none
            does, and LR for the network is clipped and rounded to 8 bit, as in files; otherwise
            it is not rounded.
        alternate: Numbers of iterations (degradation, network) that take turns. The other part is
            frozen meanwhile. None trains both in every iteration.
        degradation_first: At the beginning of the run, in so many iterations the degradation alone
            is trained.
        pairs: What the network sees of pairs: their ``"real"`` LR, LR ``"degraded"`` from their
            HR, or ``"nothing"``.
        border: LR pixels cropped from each side of a patch before LR is compared; None: the
            degradation's border.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether LR for the network is rounded where no gradient flows through it.
        sharpen: As for :class:`SuperResolution`.

    Raises:
        ConfigError: If the degradation has nothing to learn, or has no gradient.
        GeometryError: If degradation and backbone differ in geometry.
    """

    own_losses: ClassVar[tuple[str, ...]] = ("loss_degradation",)
    players: ClassVar[tuple[str, ...]] = _PLAYERS
    """The parts with an optimiser of their own."""

    def __init__(
        self,
        backbone: BackboneLike,
        degradation: DegradationLike,
        loss: LossConfig = {"type": "L1Loss"},  # noqa: B006 - never changed
        degradation_loss: LossConfig = {"type": "MSELoss"},  # noqa: B006
        sr_gradient: NonNegative = 0.0,
        alternate: tuple[Count, Count] | None = None,
        degradation_first: Whole = 0,
        pairs: Literal["real", "degraded", "nothing"] = "real",
        border: Whole | None = None,
        scale: Scale | None = None,
        same_size: bool | None = None,
        quantise: bool = True,
        sharpen: NonNegative = 0.5,
    ) -> None:
        super().__init__(
            backbone, degradation, loss, sr_gradient, scale, same_size, quantise, sharpen
        )
        self.degradation_loss = build_loss(degradation_loss, "image", "model.degradation_loss")
        self.alternate, self.degradation_first = alternate, degradation_first
        self.pairs, self.border = pairs, border

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse optimisers that are not those of the two parts, and losses that do not fit them.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the place and what would fit.
        """
        super().check_recipe(cfg)
        check_optimisers(cfg, cls.__name__, _PLAYERS)
        model = cfg["model"]
        check_single(model.get("degradation_loss"), cls.__name__, "model.degradation_loss")
        channels = channels_of_backbone(cfg)
        check_images(cfg, channels, "degradation_loss", lr_sizes(cfg), cropped=True)
        check_turns(cfg, ("degradation_first",), "the network would never be trained")

    @property
    def learning(self) -> tuple[str, ...]:
        """The parts that are trained in this iteration."""
        done = self.iteration - self.degradation_first
        if done < 0:
            return ("degradation",)
        if self.alternate is None:
            return _PLAYERS
        first, second = self.alternate
        return ("degradation",) if done % (first + second) < first else ("backbone",)

    @property
    def _flows(self) -> bool:
        """Whether the network's gradient reaches the degradation in this iteration."""
        turns = self.iteration >= self.degradation_first and "degradation" in self.learning
        return self.training and self.sr_gradient > 0 and turns

    def forward(self, batch: Batch, mode: Mode | str = "tensor") -> Any:
        """Process a batch.

        Args:
            batch: Pairs and HR images, as a mixture of both gives them.
            mode: ``"loss"``, ``"predict"`` or ``"tensor"`` as for every task; ``"backbone"`` or
                ``"degradation"`` for the losses of one part.

        Returns:
            As ``mode`` says.
        """
        if mode == "degradation":
            return self.degradation_losses(batch)
        if mode == "backbone":
            return self.backbone_losses(batch)
        return super().forward(batch, mode)  # type: ignore[arg-type]

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Step the parts whose turn it is; return their losses.

        Raises:
            ConfigError: If ``optim_wrapper`` does not have the two optimisers by name.
        """
        wrappers = optimisers_of(self, optim_wrapper, _PLAYERS)
        (batch,) = self.data_preprocessor(data, True)
        turn = self.learning
        resting = [getattr(self, name) for name in _PLAYERS if name not in turn]
        losses: dict[str, Tensor] = {}
        with frozen(*resting):
            with wrappers[turn[0]].optim_context(self):
                # Called as a module, so that hooks see the losses.
                if "degradation" in turn:
                    losses |= self(batch, mode="degradation")
                if "backbone" in turn or self._flows:
                    losses |= self(batch, mode="backbone")
            parts: list[nn.Module] = [getattr(self, name) for name in turn]
            parameters = [one for part in parts for one in part.parameters()]
            take_step([wrappers[name] for name in turn], losses, parameters)
        return {name: value.detach() for name, value in losses.items()}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of both parts, for inspection."""
        return {**self.degradation_losses(batch), **self.backbone_losses(batch)}

    def degradation_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compare generated with real LR of the pairs of a batch.

        Returns:
            ``loss_degradation``, or ``loss_degradation.<term>`` of a loss with several.

        Raises:
            DataError: If the batch has no pairs, or is too small for the border.
        """
        real, paired = batch["lr"], batch["paired"]
        if real is None:
            raise DataError(
                "JointTraining needs real pairs in every batch, for the degradation, and this one"
                " has none: take a MixtureDataset of pairs and HR images with ratios, and a"
                " batch_size that holds both."
            )
        colour = self.backbone.colour
        seeds = [seed for seed, has in zip(batch["seeds"], paired.tolist(), strict=True) if has]
        places = [one for one, has in zip(places_in(batch), paired.tolist(), strict=True) if has]
        value = compare_lr(
            self.degradation,
            self.degradation_loss,
            to_colour(batch["hr"][paired], colour),
            to_colour(real, colour),
            seeds,
            self.border,
            places,
        )
        named = self.named_losses(value)
        return {
            "loss_degradation" if key == "loss" else f"loss_degradation.{key[5:]}": item
            for key, item in named.items()
        }

    def backbone_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of ``loss``; a loss that returns a single number is ``loss_image``."""
        terms = self.image_losses(self.enlarge(self._for_network(batch)))
        return named_terms(terms, "loss_image")

    def low_resolution(self, batch: Batch) -> Tensor:
        """Return LR for every image; where it is degraded, its gradient is ``sr_gradient``-fold."""
        lr = super().low_resolution(batch)
        if not self._flows or self.sr_gradient == 1:
            return lr
        fixed = lr.detach()
        return fixed + self.sr_gradient * (lr - fixed)

    def _for_network(self, batch: Batch) -> Batch:
        """Return what the network sees of a batch."""
        paired = batch["paired"]
        if self.pairs == "real" or not bool(paired.any()):
            return batch
        if self.pairs == "degraded":
            return {**batch, "lr": None, "paired": paired.new_zeros(paired.shape)}
        kept = (~paired).nonzero().flatten().tolist()
        if not kept:
            raise DataError(
                "JointTraining with pairs='nothing' needs HR images in every batch, for the"
                " network, and this one has pairs only: take a MixtureDataset with ratios, and a"
                " batch_size that holds both."
            )
        one = {name: [batch[name][i] for i in kept] for name in ("key", "meta", "seeds")}  # type: ignore[literal-required]
        return {**batch, **one, "hr": batch["hr"][kept], "lr": None, "paired": paired[kept]}  # type: ignore[typeddict-item]
