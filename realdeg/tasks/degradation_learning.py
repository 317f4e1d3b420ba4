"""Learn a degradation from real pairs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, cast

import torch
from torch import Tensor, nn

from realdeg.degradations import Degradation
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError, DataError
from realdeg.losses.build import LossConfig
from realdeg.registry import DEGRADATIONS, TASKS
from realdeg.tasks.base import ImageTask, predictions_of
from realdeg.tasks.loss_checks import check_images
from realdeg.tasks.player_checks import lr_sizes
from realdeg.utils.argument_types import Positive, Scale, Scales, Whole
from realdeg.utils.colour import to_colour
from realdeg.utils.place import Place, places_in
from realdeg.utils.samples import Batch, Prediction
from realdeg.utils.scales import as_scale


class ClosedForm(Protocol):
    """A degradation that is fitted in closed form, such as ``GlobalKernel``."""

    def accumulate(self, hr: Tensor, lr: Tensor) -> None:
        """Add pairs to the problem."""

    def solve(self) -> float:
        """Set the weights to its solution."""


class HasCodes(Protocol):
    """A degradation with random codes, such as ``DML(latent=4)``."""

    def with_posterior(
        self, hr: Tensor, lr: Tensor, seeds: Sequence[int], places: Sequence[Place | None] | None
    ) -> tuple[Tensor, Tensor]:
        """Return LR with codes read off the pairs, and what each code tells, in nats."""


class ServesScales(Protocol):
    """A degradation whose weights serve many scales, such as ``ScaleDML``."""

    def at_scale(self, scale: float) -> Degradation:
        """Return it at another scale, with the same weights."""


@TASKS.register_module()
class DegradationLearning(ImageTask):
    """Trains any trainable degradation so that its LR matches the camera's.

    The objective is DML's Eq. 4 (ACCV 2020): the squared difference of luma, as a mean instead of a
    sum, which Adam does not notice.

    Args:
        degradation: Config, path or object.
        loss: Config of the loss.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        colour: ``"y"`` (the paper) or ``"rgb"``.
        border: LR pixels cropped from each side of a training patch, where kernels reach beyond
            it; None: the degradation's border.
        unexplained: For a degradation with random codes (``DML(latent=...)``): the standard
            deviation, in grey levels, of what a code does not explain. With ``MSELoss`` it makes
            the sum of ``loss`` and ``loss_code`` the evidence bound of a Gaussian of that
            deviation, in units of the squared error; a smaller one lets codes tell more.
        scales: Scales that are drawn for the training batches, for a degradation of any scale
            (``ScaleDML``) and HR images that a transform of the data set degrades (``Degrade``).
    """

    own_losses: ClassVar[tuple[str, ...]] = ("code",)
    component: ClassVar[str] = "degradation"
    baseline_name: ClassVar[str] = "the bicubic reduction of HR"

    def __init__(
        self,
        degradation: DegradationLike,
        loss: LossConfig = {"type": "MSELoss"},  # noqa: B006 - never changed
        scale: Scale | None = None,
        same_size: bool | None = None,
        colour: Literal["y", "rgb"] = "y",
        border: Whole | None = None,
        unexplained: Positive = 2.0,
        scales: Scales | None = None,
    ) -> None:
        super().__init__(loss)
        self.degradation = degradation_from_config(degradation, scale, same_size)
        self.colour, self.border, self.unexplained = colour, border, float(unexplained)
        self.scales = None if scales is None else tuple(as_scale(one) for one in scales)
        if self.scales is not None:
            if not hasattr(self.degradation, "at_scale"):
                raise ConfigError(
                    f"{type(self.degradation).__name__} is learned at one scale; with model.scales"
                    " take ScaleDML."
                )
            for one in self.scales:
                cast(ServesScales, self.degradation).at_scale(one)
        if self.degradation.needs_rgb and colour == "y" and self.degradation.fitting is not None:
            raise ConfigError(
                f"{type(self.degradation).__name__} has kernels for R, G and B, which luma alone"
                " cannot teach it: set model.colour='rgb'."
            )

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse a loss of larger patches, or of other colours, than LR that is compared.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the loss and what would fit.
        """
        model = cfg["model"]
        channels = 3 if model.get("colour") == "rgb" else 1
        check_images(cfg, channels, "loss", lr_sizes(cfg), "model.colour='rgb'", cropped=True)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compare the generated LR with the real one, border cropped."""
        if self.degradation.fitting is None:
            raise ConfigError(
                f"{type(self.degradation).__name__} has nothing to learn: measure it with test.py,"
                " or train DML, DirectNet, DirectKPN or GlobalKernel."
            )
        hr, lr = self._pair(batch)
        seeds, places = batch["seeds"], places_in(batch)
        drawn = batch.get("scale")
        if drawn is not None and self.scales is not None:
            own = cast(ServesScales, self.degradation).at_scale(drawn)
            return self.named_losses(compare_lr(own, self.loss, hr, lr, seeds, self.border, places))
        if getattr(self.degradation, "latent", 0):
            return self._losses_with_codes(hr, lr, seeds, places)
        return self.named_losses(
            compare_lr(self.degradation, self.loss, hr, lr, seeds, self.border, places)
        )

    def _losses_with_codes(
        self, hr: Tensor, lr: Tensor, seeds: Sequence[int], places: Sequence[Place | None]
    ) -> dict[str, Tensor]:
        """Compare LR that was generated with codes read off the pairs, and charge for the codes."""
        own = cast(HasCodes, self.degradation)
        generated, divergence = own.with_posterior(hr, lr, seeds, places)
        border = self.degradation.border if self.border is None else self.border
        pair = _cropped(generated, lr, border)
        named = dict(self.named_losses(self.loss(*pair)))
        # -log p = squared error / (2 v), summed; times 2 v over the count it is the mean error.
        price = 2 * (self.unexplained / 255) ** 2 / pair[1][0].numel()
        named["loss_code"] = price * divergence.mean()
        return named

    def predict(self, batch: Batch) -> list[Prediction]:
        """Generate the LR image of each HR image."""
        hr, lr = self._pair(batch, "rgb")
        source = to_colour(hr, self.colour)
        generated = self.degradation.forward_at(source, batch["seeds"], places_in(batch))
        return predictions_of(batch, generated, lr, hr, self.degradation.scale)

    def baseline(self, prediction: Prediction) -> Tensor | None:
        """Return the bicubic reduction of HR."""
        return bicubic_of(self.degradation, to_colour(prediction["input"], self.colour))

    def output(self, batch: Batch) -> Tensor:
        """Return the generated LR batch."""
        hr = to_colour(batch["hr"], self.colour)
        return self.degradation.forward_at(hr, batch["seeds"], places_in(batch))

    @torch.no_grad()
    def accumulate(self, batch: Batch) -> None:
        """Add a batch of whole images to a closed-form fit."""
        (moved,) = self.data_preprocessor(batch)
        hr, lr = self._pair(moved)
        self._closed_form().accumulate(hr, lr)

    def solve(self) -> None:
        """Finish a closed-form fit."""
        self._closed_form().solve()

    def _closed_form(self) -> ClosedForm:
        if self.degradation.fitting != "closed_form":
            raise ConfigError(
                f"{type(self.degradation).__name__} is not fitted in closed form: its config needs"
                " train_cfg.type='IterTrainLoop' instead of 'ClosedFormLoop'."
            )
        return cast(ClosedForm, self.degradation)

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the degradation."""
        return self.degradation.save(path, meta)

    def _pair(self, batch: Batch, colour: str | None = None) -> tuple[Tensor, Tensor]:
        if batch["lr"] is None or not bool(batch["paired"].all()):
            raise DataError(
                "learning or measuring a degradation needs real pairs; the data set has HR images"
                " without LR."
            )
        wanted = colour or self.colour
        return to_colour(batch["hr"], wanted), to_colour(batch["lr"], wanted)


def compare_lr(
    degradation: Degradation,
    loss: nn.Module,
    hr: Tensor,
    lr: Tensor,
    seeds: Sequence[int],
    border: int | None = None,
    places: Sequence[Place | None] | None = None,
) -> Tensor | dict[str, Tensor]:
    """Compare the LR that a degradation makes of HR with the real one, borders cropped.

    Args:
        degradation: The degradation.
        loss: An image loss.
        hr: HR patches, shape (B, C, H, W).
        lr: Their real LR, shape (B, C, h, w).
        seeds: One per image.
        border: LR pixels cropped from each side; None: the degradation's border.
        places: Where each patch lies in its photo, for a degradation that ``uses_place``.

    Returns:
        What the loss returns.

    Raises:
        DataError: If nothing is left of the patches.
    """
    generated = degradation.forward_at(hr, seeds, places)
    border = degradation.border if border is None else border
    found: Tensor | dict[str, Tensor] = loss(*_cropped(generated, lr, border))
    return found


def _cropped(generated: Tensor, lr: Tensor, border: int) -> tuple[Tensor, Tensor]:
    if min(lr.shape[2:]) <= 2 * border:
        raise DataError(
            f"training patches of {lr.shape[2]} x {lr.shape[3]} LR pixels vanish when {border}"
            " are cropped from each side: raise patch_size."
        )
    return _crop(generated, border), _crop(lr, border)


def bicubic_of(degradation: Degradation, hr: Tensor) -> Tensor:
    """Reduce HR (C, H, W) by bicubic interpolation to the scale and grid of a degradation."""
    options = dict(scale=degradation.scale, same_size=degradation.same_size)
    bicubic: Degradation = DEGRADATIONS.build(dict(type="Bicubic", **options))
    return bicubic(hr[None], [0])[0]


def _crop(image: Tensor, border: int) -> Tensor:
    return image[..., border : image.shape[-2] - border, border : image.shape[-1] - border]
