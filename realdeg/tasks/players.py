"""Networks that are trained against each other, in turns: one place for every task that does so.

A player is a part of a task (``backbone``, ``degradation``, ``discriminator``, ...) with an
optimiser of its own, ``<part>_step``. Each player's step computes its losses while the others are
frozen, so that no gradient is computed that nobody uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.dist import all_reduce_params
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from realdeg.errors import ConfigError
from realdeg.utils.colour import to_colour
from realdeg.utils.streams import stream_seed

_NUMBERS = {1: "one optimiser", 2: "two optimisers", 3: "three optimisers", 4: "four optimisers"}
OPPONENT_LOSSES = ("loss_gan", "loss_discriminator", "loss_*_penalty")
"""The names of what :class:`Opponent` adds to a task's losses."""


def optimisers_of(
    task: nn.Module, wrappers: OptimWrapper, players: Sequence[str]
) -> dict[str, OptimWrapper]:
    """Return the optimiser of each player.

    Args:
        task: The task, for the message.
        wrappers: What the runner built from ``optim_wrapper``.
        players: The names of the task's parts.

    Raises:
        ConfigError: If ``wrappers`` does not hold exactly these, by name.
    """
    steps = [f"{player}_step" for player in players]
    if not isinstance(wrappers, OptimWrapperDict) or set(wrappers.keys()) != set(steps):
        wanted = ", ".join(f"{step}=dict(...)" for step in steps)
        found = ""
        if isinstance(wrappers, OptimWrapperDict):
            found = f" It names {', '.join(wrappers.keys())}."
        raise ConfigError(
            f"{type(task).__name__} needs {_NUMBERS.get(len(steps), f'{len(steps)} optimisers')}:"
            f" optim_wrapper=dict(constructor='MultiOptimizerConstructor', {wanted}).{found}"
        )
    return {player: wrappers[f"{player}_step"] for player in players}


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Within the block, compute no gradients for the parameters of modules.

    Gradients still pass through them. What was frozen before stays so afterwards.
    """
    held = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def take_step(
    wrappers: OptimWrapper | Sequence[OptimWrapper],
    losses: Mapping[str, Tensor],
    parameters: Iterable[nn.Parameter],
) -> None:
    """Step the optimisers of one or more players by the sum of their losses.

    Args:
        wrappers: The optimisers; the first scales the loss where its precision needs that.
        losses: Named scalars; those whose names begin with ``loss`` are summed.
        parameters: The players' parameters. Their gradients are averaged over processes.
    """
    several = [wrappers] if isinstance(wrappers, OptimWrapper) else list(wrappers)
    total = torch.stack([v for name, v in losses.items() if name.startswith("loss")]).sum()
    for wrapper in several:
        wrapper.zero_grad()
    several[0].backward(total)
    # Without a process group this does nothing; see ManualGradientSync.
    all_reduce_params([p.grad for p in parameters if p.grad is not None], op="mean")
    for wrapper in several:
        wrapper.step()


@dataclass(frozen=True)
class Opponent:
    """A discriminator, its loss and its penalties: what a network is trained against.

    Args:
        discriminator: Images (B, C, H, W) to logits.
        gan_loss: An adversarial loss.
        penalties: Penalties of the discriminator's gradient.
        name: The part of the task that the discriminator is. The log calls its loss
            ``loss_<name>``. ``lr_discriminator`` has ``score_real.lr`` and so on.
        colour: ``"y"`` or ``"rgb"``: the colour in which it judges; None: that of the images.
    """

    discriminator: nn.Module
    gan_loss: Any
    penalties: Iterable[Any] = field(default=())
    name: str = "discriminator"
    colour: str | None = None

    def losses(
        self, real: Tensor, generated: Tensor, seeds: Sequence[int] = (), step: int = 0
    ) -> dict[str, Tensor]:
        """Evaluate the discriminator on real images, then on detached generated ones.

        The two batches pass separately, so that batch normalisation sees each by itself.

        Args:
            real: Real images, shape (B, C, H, W).
            generated: Generated ones of the same shape.
            seeds: One per image, for penalties that draw random numbers.
            step: The number of steps that this discriminator has taken, for penalties that are
                not computed at every step.

        Returns:
            ``loss_discriminator``, a loss for each penalty that is due, and ``score_real`` and
            ``score_generated``: mean probabilities of being real, or ``logit_real`` and
            ``logit_generated`` where the loss gives logits another meaning.
        """
        real, generated = self._seen(real), self._seen(generated.detach())
        on_real, on_generated = self.discriminator(real), self.discriminator(generated)
        found = {f"loss_{self.name}": self.gan_loss.discriminator(on_real, on_generated)}
        for penalty in self.penalties:
            if penalty.is_due(step):
                value = penalty(self.discriminator, real, generated, seeds)
                found[self._key(f"loss_{_snake(type(penalty).__name__)}")] = value
        logits = {"real": on_real.detach().float(), "generated": on_generated.detach().float()}
        for side, values in logits.items():
            if getattr(self.gan_loss, "probabilities", True):
                found[self._key(f"score_{side}")] = values.sigmoid().mean()
            else:
                found[self._key(f"logit_{side}")] = values.mean()
        return found

    def against(self, generated: Tensor, real: Callable[[], Tensor]) -> Tensor:
        """Return the loss of the network that generated images, a weighted scalar.

        Args:
            generated: Its images, shape (B, C, H, W).
            real: Returns real ones, which relativistic losses compare them with.
        """
        if not getattr(self.gan_loss, "relativistic", False):
            loss: Tensor = self.gan_loss.generator(self.discriminator(self._seen(generated)))
            return loss
        with torch.no_grad():
            on_real = self.discriminator(self._seen(real()))
        loss = self.gan_loss.generator(self.discriminator(self._seen(generated)), on_real)
        return loss

    def _seen(self, images: Tensor) -> Tensor:
        return images if self.colour is None else to_colour(images, self.colour)

    def _key(self, key: str) -> str:
        side = self.name.removesuffix("discriminator").rstrip("_")
        return f"{key}.{side}" if side else key


def named_terms(
    value: Tensor | Mapping[str, Tensor], plain: str = "loss", side: str = ""
) -> dict[str, Tensor]:
    """Name what a loss returned.

    Args:
        value: A scalar, or named ones, of which the only one may be called ``"loss"``.
        plain: The name of a single number.
        side: What is appended to every name after a point: ``"lr"`` makes ``loss_gan.lr``.
    """
    named = {"loss": value} if isinstance(value, Tensor) else value
    end = f".{side}" if side else ""
    return {(plain if name == "loss" else name) + end: item for name, item in named.items()}


def clip_weights(module: nn.Module, limit: float) -> None:
    """Clip every parameter to [-limit, limit], as Wasserstein GANs do after a critic's step.

    Args:
        module: The critic.
        limit: The largest absolute value.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.clamp_(-limit, limit)


def seeds_of_step(seeds: Sequence[int], step: int) -> list[int]:
    """Return other seeds for each repeated step on the same batch.

    Args:
        seeds: The batch's, one per image.
        step: The number of the step, from 0.
    """
    return [stream_seed(seed, step) for seed in seeds] if step else list(seeds)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
