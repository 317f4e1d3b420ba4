"""Train a generator of blur kernels against a critic."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.discriminators.base import DiscriminatorLike
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.losses.build import (
    AdversarialLossConfig,
    PenaltyConfig,
    build_gan_loss,
    build_penalties,
)
from realdeg.registry import TASKS
from realdeg.tasks.base import ImageTask, Mode
from realdeg.tasks.discriminators import discriminator_from_config
from realdeg.tasks.player_checks import check_optimisers, check_penalties, check_turns
from realdeg.tasks.players import (
    OPPONENT_LOSSES,
    Opponent,
    clip_weights,
    frozen,
    optimisers_of,
    take_step,
)
from realdeg.utils.argument_types import Count, Positive, Scale
from realdeg.utils.samples import Batch, Prediction
from realdeg.utils.streams import stream_seed


@TASKS.register_module()
class AdversarialKernels(ImageTask):
    """Trains a generator of kernels, ``KernelGenerator``, on the kernels of a ``KernelSet``.

    A Wasserstein GAN in KMSR's form: the critic's weights are clipped after each of its steps, and
    the generator is stepped in every fifth iteration only. Each iteration has a batch of its own.
    ``-loss_discriminator`` estimates the distance of generated kernels from real ones. There are
    no images, so nothing is validated or tested. It needs two optimisers, ``degradation_step`` and
    ``discriminator_step``.

    Args:
        degradation: Config, path or object with ``raw_kernels`` of codes.
        discriminator: Config of a registered discriminator of one channel, or the module.
        gan_loss: Config of an adversarial loss.
        penalties: Configs of penalties of the critic's gradient, instead of clipping.
        weight_limit: The largest absolute value of the critic's weights; None: no limit.
        generator_every: The generator is stepped in every so-many-th iteration.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.

    Raises:
        ConfigError: If the degradation makes no kernels of codes, or the critic takes colours.

    Source:
        Zhou, Susstrunk, ICCV 2019 (IVRL/Kernel-Modeling-Super-Resolution, commit 1253598), after
        Arjovsky, Chintala, Bottou, Wasserstein GAN, ICML 2017. The code clips before each of the
        critic's steps, so its generator meets weights that are one step beyond the limit.
    """

    component: ClassVar[str] = "degradation"
    adversarial: ClassVar[bool] = True
    own_losses: ClassVar[tuple[str, ...]] = OPPONENT_LOSSES
    players: ClassVar[tuple[str, ...]] = ("degradation", "discriminator")
    """The parts with an optimiser of their own."""

    def __init__(
        self,
        degradation: DegradationLike,
        discriminator: DiscriminatorLike = {"type": "KernelCritic"},  # noqa: B006
        gan_loss: AdversarialLossConfig = {"type": "WGANLoss"},  # noqa: B006 - never changed
        penalties: Sequence[PenaltyConfig] = (),
        weight_limit: Positive | None = 0.01,
        generator_every: Count = 5,
        scale: Scale | None = None,
        same_size: bool | None = None,
    ) -> None:
        super().__init__(None)
        self.degradation = degradation_from_config(degradation, scale, same_size)
        if not callable(getattr(self.degradation, "raw_kernels", None)):
            raise ConfigError(
                f"{type(self.degradation).__name__} makes no kernels of codes: AdversarialKernels"
                " trains KernelGenerator."
            )
        self.discriminator = discriminator_from_config(discriminator)
        channels = getattr(self.discriminator, "in_channels", 1)
        if channels != 1:
            raise ConfigError(
                f"AdversarialKernels: the discriminator has in_channels={channels}, and kernels"
                " have one channel: set model.discriminator.in_channels=1."
            )
        self.gan_loss: Any = build_gan_loss(gan_loss)
        self.penalties = build_penalties(penalties)
        self.weight_limit, self.generator_every = weight_limit, generator_every

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse optimisers and turns that do not fit the rest of the config.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the place and what would fit.
        """
        check_optimisers(cfg, cls.__name__, cls.players)
        check_penalties(cfg)
        check_turns(cfg, (), "the generator would never be trained", every="generator_every")

    @property
    def opponent(self) -> Opponent:
        """The critic with its losses."""
        return Opponent(self.discriminator, self.gan_loss, self.penalties)

    @property
    def generator_learns(self) -> bool:
        """Whether the generator is stepped in this iteration."""
        return (self.iteration + 1) % self.generator_every == 0

    def forward(self, batch: Batch, mode: Mode | str = "tensor") -> Any:
        """Process a batch.

        Args:
            batch: ``kernel`` (B, 1, k, k) and ``seeds``.
            mode: ``"loss"`` or ``"tensor"`` as for every task; ``"discriminator"`` or
                ``"degradation"`` for the losses of one player.

        Returns:
            As ``mode`` says.
        """
        if mode == "discriminator":
            return self.discriminator_losses(batch)
        if mode == "degradation":
            return self.degradation_losses(batch)
        return super().forward(batch, mode)  # type: ignore[arg-type]

    def train_step(self, data: Batch, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Step the critic and, when it is due, the generator; return their losses.

        Raises:
            ConfigError: If ``optim_wrapper`` does not have the two optimisers by name.
        """
        wrappers = optimisers_of(self, optim_wrapper, self.players)
        (batch,) = self.data_preprocessor(data, True)
        ours, theirs = (wrappers[name] for name in self.players)
        with theirs.optim_context(self):
            # Called as a module, so that hooks see the losses.
            losses: dict[str, Tensor] = self(batch, mode="discriminator")
        take_step(theirs, losses, self.discriminator.parameters())
        if self.weight_limit is not None:
            clip_weights(self.discriminator, self.weight_limit)
        if self.generator_learns:
            with frozen(self.discriminator):
                with ours.optim_context(self):
                    terms: dict[str, Tensor] = self(batch, mode="degradation")
                take_step(ours, terms, self.degradation.parameters())
            losses = terms | losses
        return {name: value.detach() for name, value in losses.items()}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of both players, for inspection; training alternates."""
        return {**self.degradation_losses(batch), **self.discriminator_losses(batch)}

    def discriminator_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Evaluate the critic on real kernels and on generated ones.

        Args:
            batch: With ``kernel`` and ``seeds``.

        Returns:
            What :meth:`Opponent.losses` returns.

        Raises:
            DataError: If the batch has no kernels, or fewer than two.
            GeometryError: If they are of another size than the generator's.
        """
        real = self._real(batch)
        with torch.no_grad():
            generated = self._generated(batch, "critic")
        return self.opponent.losses(real, generated, batch["seeds"], self.iteration)

    def degradation_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``loss_gan`` of kernels of other codes than the critic's.

        Args:
            batch: With ``kernel`` and ``seeds``.
        """
        generated = self._generated(batch, "generator")
        return {"loss_gan": self.opponent.against(generated, lambda: self._real(batch))}

    def _real(self, batch: Batch) -> Tensor:
        kernels = batch.get("kernel")
        if kernels is None:
            raise DataError(
                "a generator of kernels is trained on kernels: use the data set KernelSet."
            )
        if len(kernels) < 2:
            raise DataError(
                "a generator of kernels normalises by the statistics of a batch, and this one has"
                " a single kernel: raise batch_size."
            )
        side = cast(Any, self.degradation).kernel_size
        if kernels.shape[1:] != (1, side, side):
            raise GeometryError(
                f"the generator makes kernels of {side} x {side}, and the data set has"
                f" {tuple(kernels.shape[-2:])}: set degradation.kernel_size or the KernelSet's"
                " kernel_size."
            )
        return kernels

    def _generated(self, batch: Batch, stream: str) -> Tensor:
        """Return generated kernels of the batch's number, shape (B, 1, k, k)."""
        made: Tensor = cast(Any, self.degradation).raw_kernels(self._codes(batch, stream))
        return made[:, None]

    def _codes(self, batch: Batch, stream: str) -> Tensor:
        code_of = cast(Any, self.degradation).code_of
        codes = [code_of(stream_seed(seed, stream)) for seed in batch["seeds"]]
        return torch.stack(codes).to(next(self.degradation.parameters()))

    def predict(self, batch: Batch) -> list[Prediction]:
        """Refuse to: kernels are not compared with a target.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            "a generator of kernels predicts no images that could be measured: leave out"
            " validation (val_dataloader=None, val_cfg=None, val_evaluator=None)."
        )

    def output(self, batch: Batch) -> Tensor:
        """Return kernels drawn with the batch's seeds, shape (B, k, k)."""
        made: Tensor = cast(Any, self.degradation).kernels(self._codes(batch, "code"))
        return made

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the degradation."""
        return self.degradation.save(path, meta)
