"""Learn a camera's noise by its likelihood, on what a degradation without noise leaves."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Protocol, cast

import torch
import torch.nn.functional as F
from annotated_types import Gt, Interval
from torch import Tensor, nn

from realdeg.degradations import Degradation
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError, DataError
from realdeg.losses.build import LossConfig
from realdeg.registry import TASKS
from realdeg.tasks.base import ImageTask, predictions_of
from realdeg.tasks.flat_pixels import AROUND, NEAR, edge_energy, inner_part, sums, surroundings
from realdeg.tasks.noise_start import StartingNoise, start_correlation, start_from_residuals
from realdeg.utils.argument_types import NonNegative, Scale, Whole
from realdeg.utils.colour import to_colour
from realdeg.utils.samples import Batch, Prediction

# The square of a displacement in pixels, whose variance this is for the squared gradient, before
# the first batch shows its own.
_FIRST_STRUCTURE = 0.1
# Gradients of so many pixels are remembered, of each batch so many.
_REMEMBERED, _OF_A_BATCH = 4096, 512
# Outliers: how many, how many times wider, the region that they take with them, and the power.
_OUTLIERS, _WIDER, _REGION, _POWER = 0.05, 4.0, 9, 4
_ROUNDING = 1 / 12
# Real LR that is rounded lies this close to a level of 8 bit.
_ON_A_LEVEL = 0.02


class Noise(StartingNoise, Protocol):
    """A degradation that adds noise and knows its likelihood, such as ``LearnedNoise``."""

    rounding: bool
    radius: int
    least_pixels: int

    def log_likelihood(
        self,
        mean: Tensor,
        real: Tensor,
        excess: Tensor | None = None,
        chosen: Tensor | None = None,
    ) -> Tensor:
        """Return the logarithm of the likelihood of each value."""

    def marginal_variance(self, mean: Tensor) -> Tensor:
        """Return the variance of each value by itself."""

    def unpredictable(self, mean: Tensor) -> Tensor:
        """Return the standard deviation of what no other value predicts."""

    def roughness(self) -> Tensor:
        """Return how much the level changes from one brightness to the next."""


@TASKS.register_module()
class NoiseLearning(ImageTask):
    """Trains the noise of a camera, ``LearnedNoise``, by the likelihood of real LR.

    The degradation is a ``Compose`` of a trained one without noise and, last, the noise; or the
    noise alone, for pairs of a clean and a noisy photo (``scale=1``). The loss is the mean negative
    logarithm of the likelihood of a value, in nats, given the image that the parts before the noise
    make of HR, which is never trained by it. The probability of a rounded level is at most 1, so
    the likelihood has no pole where the noise vanishes.

    What is left of the real LR is noise, and the error of the parts before it, which follows the
    edges of the scene. Three things keep them apart, none of which is drawn later. Only the
    flattest pixels of the last batches count (``flat_share``). There, too, the variance may exceed
    that of the noise by the squared gradient times a learned factor of each channel
    (``structure``), and regions where the differences are many times wider than the noise count
    less. And differences of brightness, averaged over ``drift`` LR pixels with flat ones
    in front, are removed.

    The first batch sets the level, the correlation (where the mean is frozen) and the factor that
    an untrained noise starts from.

    Args:
        degradation: Config, path or object.
        mean: ``"frozen"``: the parts before the noise are trained already. ``"joint"``: they are
            trained at the same time, by ``loss``; their image is detached from the likelihood.
        loss: Config of the loss of these parts, where ``"joint"``.
        colour: The colour in which that loss compares: ``"y"`` (DML's paper) or ``"rgb"``.
        likelihood_weight: Weight of the likelihood.
        smoothness: Weight of the squared steps of the logarithm of the level, from one brightness
            to the next, so that those of which few pixels tell follow their neighbours: a hundredth
            of the pixels weighs as much.
        flat_share: Share of the pixels that count, those with the smallest gradients around them; 1
            for pairs of a clean and a noisy photo, which have no blur to get wrong.
        structure: Whether there is a variance that follows the gradients, and regions of large
            differences count less; False for such pairs.
        drift: Side in LR pixels of the squares whose mean difference is removed; 0 removes none.
        border: LR pixels cropped from each side of a training patch, where kernels reach beyond
            it; None: the degradation's border.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.

    Raises:
        ConfigError: If the last part has no likelihood, or the parts have no fixed order.
    """

    component: ClassVar[str] = "degradation"
    baseline_name: ClassVar[str] = "LR without the noise"
    gradients: Tensor
    started: Tensor
    own_losses: ClassVar[tuple[str, ...]] = ("loss_likelihood", "loss_smoothness")
    scheduled: ClassVar[tuple[str, ...]] = ("likelihood_weight", "smoothness")
    least_patch: ClassVar[int] = 96

    def __init__(
        self,
        degradation: DegradationLike,
        mean: Literal["frozen", "joint"] = "frozen",
        loss: LossConfig = {"type": "MSELoss"},  # noqa: B006 - never changed
        colour: Literal["y", "rgb"] = "y",
        likelihood_weight: NonNegative = 1.0,
        smoothness: NonNegative = 0.01,
        flat_share: Annotated[float, Gt(0), Interval(le=1)] = 0.05,
        structure: bool = True,
        drift: Whole = 33,
        border: Whole | None = None,
        scale: Scale | None = None,
        same_size: bool | None = None,
    ) -> None:
        super().__init__(loss if mean == "joint" else None)
        self.degradation = degradation_from_config(degradation, scale, same_size)
        self.mean, self.colour, self.border = mean, colour, border
        self.likelihood_weight, self.smoothness = float(likelihood_weight), float(smoothness)
        self.drift, self.flat_share = drift, float(flat_share)
        # The gradients of some pixels of the last batches, as -1 where there were none yet.
        self.register_buffer("gradients", torch.full((_REMEMBERED,), -1.0))
        # In checkpoints, so that a run that goes on does not start again.
        self.register_buffer("started", torch.tensor(False))
        self.structure: nn.Parameter | None = None
        if structure:
            self.structure = nn.Parameter(torch.full((3,), _FIRST_STRUCTURE).log())
        self.members = _in_order(self.degradation)
        last = self.members[-1]
        if not (callable(getattr(last, "log_likelihood", None)) and hasattr(last, "least_pixels")):
            raise ConfigError(
                "NoiseLearning trains LearnedNoise, alone or as the last part of a Compose; here"
                f" the last part is {type(last).__name__}."
            )
        if mean == "frozen":
            for part in self.members[:-1]:
                part.requires_grad_(False)

    @property
    def noise(self) -> Noise:
        """The part that is trained by its likelihood."""
        return cast(Noise, self.members[-1])

    def check_data(self, data: Any) -> None:
        """Refuse too few pixels for the noise, before the first iteration.

        Args:
            data: The training data set.

        Raises:
            DataError: If there are fewer LR pixels than the noise needs.
        """
        needed, found = self.noise.least_pixels, 0
        records = getattr(data, "records", None)
        if records is None:
            return
        for record in records:
            if record.lr is not None:
                height, width = data.size_of(record.lr)
                found += height * width
            if found >= needed:
                return
        raise DataError(
            f"{len(records)} pairs with {found} LR pixels in all are too few to learn noise from:"
            f" this {type(self.noise).__name__} needs {needed}. Give more pairs, or fewer knots or"
            " a smaller radius."
        )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return both losses of the noise and, where the mean is trained as well, its loss.

        Raises:
            ConfigError: If a part before the noise is untrained, and frozen.
            DataError: If there are no real pairs, nothing is left of the patches, or real LR is not
                rounded as the noise is.
        """
        # Not refused when it is built: a test builds it before it reads the weights.
        untrained = [part for part in self.members[:-1] if not part.is_trained]
        if self.mean == "frozen" and untrained:
            raise ConfigError(
                f"{type(untrained[0]).__name__}, before the noise, is untrained: name its file"
                " (checkpoint=...), or train both with model.mean='joint'."
            )
        hr, lr = self._pair(batch)
        made = self.without_noise(hr, batch)
        border = self.degradation.border if self.border is None else self.border
        found: dict[str, Tensor] = {}
        if self.mean == "joint":
            compared = [
                inner_part(to_colour(image, self.colour), border, 0) for image in (made, lr)
            ]
            found |= self.named_losses(self.loss(*compared))
        mean = self._mean_score(made.detach(), lr, border)
        found["loss_likelihood"] = -self.likelihood_weight * mean
        if self.smoothness:
            found["loss_smoothness"] = self.smoothness * self.noise.roughness()
        return found

    def _mean_score(self, mean: Tensor, real: Tensor, border: int) -> Tensor:
        """Return the mean logarithm of the likelihood of flat pixels, in nats a value."""
        past = self.noise.radius
        around = surroundings(mean)
        if self.flat_share < 1:
            # Of pixels closer to the border it is not known what lies around them.
            border += NEAR // 2 + AROUND // 2 + 1
        inner = torch.zeros_like(around, dtype=torch.bool)
        inner_part(inner, border, past).fill_(True)
        count = int(inner_part(inner, border, past).numel())
        if not count:
            raise DataError(
                f"training patches of {real.shape[2]} x {real.shape[3]} LR pixels vanish when"
                f" {border} are cropped from each side, and {past} where noise has no past: raise"
                " patch_size."
            )
        if self.training and not self.started:
            self._start(mean, real, inner, around)
        flat = inner & (around <= self._threshold(around[inner]))
        chosen = flat.expand_as(real)
        mean, excess = self._explained(mean, real)
        values = self.noise.log_likelihood(mean, real, excess, chosen)
        if excess is not None:
            values = values * self._trust(mean, real, excess)[chosen]
        # Divided by the number that is expected, so that each flat pixel of the run counts alike.
        return values.sum() / (3 * self.flat_share * count)

    @torch.no_grad()
    def _start(self, mean: Tensor, real: Tensor, inner: Tensor, around: Tensor) -> None:
        """Start from the scale of this batch's residuals, unless the noise is trained already."""
        self.started.fill_(True)
        if self.members[-1].is_trained:
            return
        # A batch by itself is all that is known, so its own flattest pixels count.
        seen = around[inner]
        known = seen.kthvalue(max(math.ceil(self.flat_share * seen.numel()), 1)).values
        flat = inner & (around <= known)
        start_from_residuals(self.noise, self.structure, self._explained(mean, real)[0], real, flat)
        if self.mean == "joint":
            return  # the first residuals are those of a mean that is not learned yet
        mean, excess = self._explained(mean, real)
        weight = flat.to(real)
        if excess is not None:
            weight = weight * self._trust(mean, real, excess)[:, :1]
        start_correlation(self.noise, mean, real, excess, weight)

    @torch.no_grad()
    def _trust(self, mean: Tensor, real: Tensor, excess: Tensor) -> Tensor:
        """Return weights from 0 to 1, low where differences are many times what noise makes.

        A value is an outlier with the posterior probability that it has of coming from a Gaussian
        of a wider deviation; the weight is a power of one minus its mean around the pixel, so that
        texture that the parts before the noise missed takes its surroundings with it.
        """
        variance = self.noise.marginal_variance(mean) + excess + _ROUNDING
        square = ((real - mean) * 255).square() / variance
        wider = 1 + _WIDER**2
        log_ratio = (square * (1 / wider - 1) + math.log(wider)) / 2
        outlier = torch.sigmoid(math.log(_OUTLIERS / (1 - _OUTLIERS)) - log_ratio)
        near = outlier.mean(1, keepdim=True)
        near = F.avg_pool2d(near, _REGION, 1, _REGION // 2, count_include_pad=False)
        return (1 - near).pow(_POWER).expand_as(mean)

    @torch.no_grad()
    def _threshold(self, around: Tensor) -> Tensor:
        """Note the gradients of a batch, and return the one that only flat pixels are below."""
        if self.flat_share >= 1:
            return around.max()
        chosen = around[:: max(around.numel() // _OF_A_BATCH, 1)][:_OF_A_BATCH]
        if self.training:
            kept = self.gradients[: len(self.gradients) - len(chosen)]
            self.gradients = torch.cat([chosen.to(kept), kept])
        seen = self.gradients[self.gradients >= 0] if self.training else chosen
        # The first batches may hold nothing flat: what is flattest among few counts for less.
        known = len(seen) / _REMEMBERED if self.training else 1.0
        return seen.quantile(self.flat_share * known)

    def without_noise(self, hr: Tensor, batch: Batch) -> Tensor:
        """Return what the parts before the noise make of HR (B, 3, H, W)."""
        made = hr
        with torch.set_grad_enabled(self.mean == "joint" and torch.is_grad_enabled()):
            for part in self.members[:-1]:
                made = part(made, batch["seeds"])
        return made

    def _explained(self, mean: Tensor, real: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the mean with the drift of real LR, and the variance that is not noise.

        Raises:
            DataError: If real LR is not rounded to 8 bit, and the noise is.
        """
        if self.noise.rounding:
            levels = real.detach() * 255
            off = float((levels - levels.round()).abs().max())
            if off > _ON_A_LEVEL:
                raise DataError(
                    f"real LR lies up to {off:.2f} levels of 8 bit off a level, so it is not"
                    " rounded as the noise expects: set rounding=False of LearnedNoise."
                )
        excess = None if self.structure is None else self.structure_variance(mean)
        if self.drift:
            mean = mean + self._drift(mean, real, excess)
        return mean, excess

    def structure_variance(self, mean: Tensor) -> Tensor:
        """Return the variance next to edges that is not noise, in grey levels squared.

        Args:
            mean: LR without noise, RGB in [0, 1], shape (B, 3, h, w).
        """
        assert self.structure is not None
        return self.structure.exp().view(1, 3, 1, 1) * edge_energy(mean)

    @torch.no_grad()
    def _drift(self, mean: Tensor, real: Tensor, excess: Tensor | None) -> Tensor:
        """Return the local mean of the differences, flat places counting more."""
        variance = self.noise.unpredictable(mean).square()
        weight = 1 / (variance if excess is None else variance + excess)
        total, weights = (sums(x, self.drift // 2) for x in (weight * (real - mean), weight))
        return total / weights

    def predict(self, batch: Batch) -> list[Prediction]:
        """Generate the noisy LR image of each HR image."""
        hr, lr = self._pair(batch)
        made = self.degradation(hr, batch["seeds"])
        return predictions_of(batch, made, lr, hr, self.degradation.scale)

    def output(self, batch: Batch) -> Tensor:
        """Return the noisy LR batch."""
        return self.degradation(to_colour(batch["hr"], "rgb"), batch["seeds"])

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the degradation with its noise.

        Raises:
            DataError: If the correlation that was learned does not decay.
        """
        settle = getattr(self.noise, "settle", None)
        if settle is not None:
            settle()
        return self.degradation.save(path, meta)

    def _pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if batch["lr"] is None or not bool(batch["paired"].all()):
            raise DataError(
                "learning noise needs real pairs; the data set has HR images without LR."
            )
        return to_colour(batch["hr"], "rgb"), to_colour(batch["lr"], "rgb")


def _in_order(degradation: Degradation) -> list[Degradation]:
    """Return the parts of a chain, or a degradation that is no container."""
    given: Any = degradation
    if not hasattr(given, "members"):
        return [degradation]
    parts: list[Degradation] = given.members()
    if type(degradation).__name__ != "Compose":
        raise ConfigError(
            f"NoiseLearning needs parts in a fixed order, and {type(degradation).__name__} chooses"
            " among them: take a Compose, with the noise last."
        )
    return parts
