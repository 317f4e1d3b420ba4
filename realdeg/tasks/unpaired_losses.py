"""What teaches a degradation without pairs: one place for every task that does so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from realdeg.degradations import Degradation
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives.pass_filters import low_pass
from realdeg.errors import DataError
from realdeg.tasks.players import Opponent, named_terms
from realdeg.utils.colour import to_colour
from realdeg.utils.place import places_in
from realdeg.utils.samples import Batch


@dataclass(frozen=True)
class UnpairedLosses:
    """A degradation, its discriminator, and the losses of both.

    Args:
        degradation: The degradation that is trained.
        opponent: Its discriminator, which sees generated and real LR.
        content: The loss between generated and clean LR, both behind the low-pass filter, or None.
        perceptual: A loss between generated and clean LR, or None.
        colour: The colour in which LR is generated and compared: ``"rgb"`` or ``"y"``.
        low_pass_size: Side of the averaging window in LR pixels; 1 compares every pixel.
        side: ``"lr"`` appends ``.lr`` to the names of the losses, for tasks that have others.
    """

    degradation: Degradation
    opponent: Opponent
    content: nn.Module | None
    perceptual: nn.Module | None
    colour: str
    low_pass_size: int
    side: str = ""

    @property
    def objective(self) -> str:
        """The objective in one line, for the log and the exported file."""
        terms = []
        if self.content is not None:
            behind = f" behind a {self.low_pass_size} px mean" if self.low_pass_size > 1 else ""
            terms.append(_weighted(self.content) + behind)
        rules = (self.opponent.gan_loss, *self.opponent.penalties)
        terms.append(" + ".join(_weighted(loss) for loss in rules))
        perceptual = "no perceptual term"
        if self.perceptual is not None:
            perceptual = _weighted(self.perceptual)
        return ", ".join([*terms, perceptual])

    def announce(self) -> None:
        """Log the objective."""
        # The console shows records with this mark.
        mark = {"console": True}
        MMLogger.get_current_instance().info("objective: %s", self.objective, extra=mark)

    def generate(self, batch: Batch) -> Batch:
        """Return a batch with ``generated`` LR, and with what the degradation says of itself.

        Args:
            batch: ``hr`` (B, 3, H, W) and ``seeds``.
        """
        hr = to_colour(batch["hr"], self.colour)
        own: Callable[..., tuple[Tensor, dict[str, Tensor]]] | None = getattr(
            self.degradation, "for_training", None
        )
        if own is None or not torch.is_grad_enabled():
            return {
                **batch,
                "generated": self.degradation.forward_at(hr, batch["seeds"], places_in(batch)),
            }
        generated, terms = own(hr, batch["seeds"])
        return {**batch, "generated": generated, "generated_terms": terms}

    def real(self, batch: Batch) -> Tensor:
        """Return the real LR of a batch.

        Raises:
            DataError: If there is none, or it has another size than the generated LR.
        """
        return real_lr(batch, self.colour, batch["generated"], "generated ones")

    def clean(self, batch: Batch) -> Tensor:
        """Return LR that only lost resolution, of the generated LR's size."""
        hr = to_colour(batch["hr"], self.colour)
        own: Callable[[Tensor], Tensor] | None = getattr(self.degradation, "clean", None)
        if own is not None:
            return own(hr)
        small = imresize(hr, 1 / self.degradation.scale)
        if not self.degradation.same_size:
            return small
        # By the scale, not to a size: that would stretch sides that are not divisible by it.
        return imresize(small, self.degradation.scale)[..., : hr.shape[2], : hr.shape[3]]

    def of_discriminator(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Evaluate the discriminator on real and on detached generated LR.

        Args:
            batch: With ``real_lr`` and ``generated``.
            step: The number of steps that the discriminator has taken.

        Returns:
            What :meth:`Opponent.losses` returns.

        Raises:
            DataError: If real LR is missing, or of another size than the generated one.
        """
        real = self.real(batch)
        return self.opponent.losses(real, batch["generated"], batch["seeds"], step)

    def of_degradation(self, batch: Batch) -> dict[str, Tensor]:
        """Evaluate the degradation.

        Args:
            batch: With ``real_lr`` and ``generated``.

        Returns:
            ``loss_content`` (or the terms of a loss with several), ``loss_gan``,
            ``loss_perceptual`` and the degradation's own losses, as far as there are any.

        Raises:
            DataError: If patches are smaller than the low-pass filter, or real LR is missing.
        """
        generated, side = batch["generated"], self.low_pass_size
        if min(generated.shape[2:]) < side:
            raise DataError(
                f"LR patches of {generated.shape[2]} x {generated.shape[3]} pixels are smaller than"
                f" low_pass_size={side}: raise patch_size."
            )
        compared = self.content is not None or self.perceptual is not None
        clean = self.clean(batch) if compared else generated
        losses: dict[str, Tensor] = {}
        if self.content is not None:
            low = [low_pass(image, side, padded=False) for image in (generated, clean)]
            losses |= named_terms(self.content(*low), "loss_content")
        losses["loss_gan"] = self.opponent.against(generated, lambda: self.real(batch))
        if self.perceptual is not None:
            losses["loss_perceptual"] = self.perceptual(generated, clean)
        own = batch.get("generated_terms", {})
        losses |= {f"loss_{name}": value for name, value in own.items()}
        return named_terms(losses, side=self.side)


def real_lr(batch: Batch, colour: str, like: Tensor, what: str) -> Tensor:
    """Return the real LR of a batch.

    Args:
        batch: With ``real_lr``.
        colour: ``"rgb"`` or ``"y"``: what it is converted to.
        like: Images whose shape (B, C, h, w) it must have.
        what: What they are, for the message.

    Raises:
        DataError: If there is no real LR, or it has another size.
    """
    real = batch.get("real_lr")
    if real is None:
        raise DataError(
            "learning without pairs needs real LR images: use UnpairedDataset and"
            " collate_fn=dict(type='collate_unpaired')."
        )
    real = to_colour(real, colour)
    if real.shape[1:] != like.shape[1:]:
        raise DataError(
            f"real LR patches are {tuple(real.shape[2:])} pixels, {what}"
            f" {tuple(like.shape[2:])}: let the patch sizes of both data sets agree."
        )
    return real


def _weighted(loss: Any) -> str:
    weight = getattr(loss, "weight", None)
    return type(loss).__name__ + ("" if weight is None else f" x {weight:g}")
