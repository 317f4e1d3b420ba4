"""LR for a batch: real if present, else degraded from HR."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from realdeg.degradations import Degradation
from realdeg.errors import ConfigError, GeometryError
from realdeg.tasks.scheduled import DegradationSchedule
from realdeg.utils.colour import channels_of_files, to_colour
from realdeg.utils.image import round_to_8_bit
from realdeg.utils.place import Place, places_in
from realdeg.utils.precision import full_precision
from realdeg.utils.samples import Batch, Collate, PackedSample

DegradeIn = Literal["device", "workers", "prefetch"]


class LowResolution:
    """Adds LR to batches, for the task, for data-loader workers and for a prefetcher.

    Args:
        degradation: The degradation; None if all images are paired.
        colour: The backbone's, ``"y"`` or ``"rgb"``: LR is made in it (DML is learned and applied
            on Y), unless the degradation needs RGB.
        quantise: Whether LR is clipped and rounded to 8 bit, as in files.
        differentiable: Whether gradients flow into the degradation (joint training); LR is then
            not rounded.
        by_scale: The degradations of batches with a scale, if any.
        schedule: The numbers of the degradations that change over the run, if any.
        ahead: Whether batches come before their iteration, as in workers.
    """

    def __init__(
        self,
        degradation: Degradation | None,
        colour: str,
        quantise: bool = True,
        differentiable: bool = False,
        by_scale: Mapping[float, Degradation] | None = None,
        schedule: DegradationSchedule | None = None,
        ahead: bool = False,
    ) -> None:
        self.degradation, self.colour = degradation, colour
        self.by_scale = by_scale or {}
        self.quantise, self.differentiable = quantise, differentiable
        self.schedule, self.ahead = schedule, ahead

    def __call__(self, batch: Batch) -> Tensor:
        """Return LR for every image of a batch, which may be complete already.

        Returns:
            Shape (B, C, h, w), in the backbone's colour.

        Raises:
            ConfigError: If an image has no LR and there is no degradation.
            GeometryError: If real and degraded LR differ in size.
        """
        real, paired = batch["lr"], batch["paired"]
        grey = grey_files(batch)
        if real is not None and real.shape[0] == paired.shape[0]:
            return channels_of_files(real, self.colour, grey)
        without = (~paired).nonzero().flatten()
        seeds = [batch["seeds"][i] for i in without.tolist()]
        theirs = [grey[i] for i in without.tolist()]
        known = places_in(batch)
        places = [known[i] for i in without.tolist()]
        degraded = self._in_colour(batch["hr"][without], seeds, theirs, self.of(batch), places)
        if real is None:
            return degraded
        if real.shape[2:] != degraded.shape[2:]:
            raise GeometryError(
                f"real LR patches are {tuple(real.shape[2:])} pixels, degraded ones"
                f" {tuple(degraded.shape[2:])}: the geometry of data and degradation differs."
            )
        lr = degraded.new_empty((paired.shape[0], *degraded.shape[1:]))
        of_pairs = [flag for flag, has in zip(grey, paired.tolist(), strict=True) if has]
        lr[paired] = channels_of_files(real, self.colour, of_pairs).to(degraded.dtype)
        lr[~paired] = degraded
        return lr

    def conditions(self, batch: Batch) -> list[dict[str, Any]] | None:
        """Return the conditions of each image's degradation, as ``Degradation.condition`` does.

        Draws depend on the seed alone, so they are those of the LR wherever it was made.

        Returns:
            One for each image, or None if LR was not made here: its degradation is unknown.

        Raises:
            GeometryError: If only some of the images are real pairs.
        """
        paired, degradation = batch["paired"], self.of(batch)
        if bool(paired.all()) or degradation is None:
            return None
        if bool(paired.any()):
            raise GeometryError(
                "a network that is told the degradation gets images of one kind in a batch: real"
                " pairs, of which nothing is known, or HR to be degraded."
            )
        traces = degradation.sample(batch["hr"], batch["seeds"], places_in(batch))
        return [degradation.condition(trace) for trace in traces]

    def complete(self, batch: Batch) -> Batch:
        """Return the batch with one LR image for each HR image."""
        return {**batch, "lr": self(batch)}

    def for_workers(self) -> LowResolution:
        """Return a copy for data-loader workers, with degradations on the CPU."""
        theirs = copy.deepcopy(self)
        for degradation in (theirs.degradation, *theirs.by_scale.values()):
            if degradation is not None:
                degradation.cpu()
        return theirs

    def at(self, scale: float | None) -> Degradation | None:
        """Return the degradation for a batch's scale, or the run's own if it is None."""
        return self.degradation if scale is None else self.by_scale.get(scale, self.degradation)

    def of(self, batch: Batch) -> Degradation | None:
        """Return the degradation for a batch: of its scale, with the numbers of its iteration.

        Raises:
            DataError: If numbers change over the run, and the batch does not say where it belongs.
        """
        degradation = self.at(batch.get("scale"))
        if degradation is None or self.schedule is None:
            return degradation
        return self.schedule.apply(degradation, batch, self.ahead)

    def _in_colour(
        self,
        hr: Tensor,
        seeds: list[int],
        grey: list[bool],
        degradation: Degradation | None,
        places: list[Place | None],
    ) -> Tensor:
        """Degrade in the backbone's colour; grey files as their single channel."""
        if degradation is not None and degradation.needs_rgb:
            lr = self.degrade(hr, seeds, degradation, places)
            return channels_of_files(lr, self.colour, grey)
        if not any(grey):
            return self.degrade(to_colour(hr, self.colour), seeds, degradation, places)
        made: list[Tensor] = []
        for image, seed, flag, place in zip(hr, seeds, grey, places, strict=True):
            source = image[None, :1] if flag else to_colour(image[None], self.colour)
            lr = self.degrade(source, [seed], degradation, [place])
            made.append(lr.expand(-1, 3, -1, -1) if flag and self.colour == "rgb" else lr)
        return torch.cat(made)

    def degrade(
        self,
        hr: Tensor,
        seeds: list[int],
        degradation: Degradation | None,
        places: Sequence[Place | None] | None = None,
    ) -> Tensor:
        """Degrade HR images.

        Args:
            hr: Shape (B, C, H, W).
            seeds: One per image.
            degradation: That of the batch.
            places: Where each image lies in its photo, if that is known.

        Returns:
            Shape (B, C, h, w).

        Raises:
            ConfigError: If there is no degradation.
        """
        if degradation is None:
            raise ConfigError(
                "the data set gives HR images without LR, and the config has no degradation: set"
                " degradation=dict(type=...)."
            )
        if self.differentiable:
            return degradation.forward_at(hr, seeds, places)
        # Data must not depend on the training precision.
        with torch.no_grad(), full_precision(hr):
            lr = degradation.forward_at(hr, seeds, places)
        return round_to_8_bit(lr) if self.quantise else lr


def grey_files(batch: Batch) -> list[bool]:
    """Return for each image of a batch whether its files have one channel."""
    flags = [bool((meta or {}).get("grey")) for meta in batch.get("meta") or ()]
    return flags or [False] * batch["hr"].shape[0]


class DegradingCollate:
    """A collate function that adds LR to its batches, for data-loader workers."""

    def __init__(self, collate: Collate, low_resolution: LowResolution) -> None:
        self.collate, self.low_resolution = collate, low_resolution

    def __call__(self, samples: Sequence[PackedSample]) -> Batch:
        """Collate samples and add LR."""
        return self.low_resolution.complete(self.collate(samples))
