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
from realdeg.utils.argument_types import Scale, Whole
from realdeg.utils.colour import to_colour
from realdeg.utils.place import Place, places_in
from realdeg.utils.samples import Batch, Prediction


class ClosedForm(Protocol):
    """A degradation that is fitted in closed form, such as ``GlobalKernel``."""

    def accumulate(self, hr: Tensor, lr: Tensor) -> None:
        """Add pairs to the problem."""

    def solve(self) -> float:
        """Set the weights to its solution."""


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
    """

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
    ) -> None:
        super().__init__(loss)
        self.degradation = degradation_from_config(degradation, scale, same_size)
        self.colour, self.border = colour, border
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
        return self.named_losses(
            compare_lr(self.degradation, self.loss, hr, lr, seeds, self.border, places)
        )

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
    if min(lr.shape[2:]) <= 2 * border:
        raise DataError(
            f"training patches of {lr.shape[2]} x {lr.shape[3]} LR pixels vanish when {border}"
            " are cropped from each side: raise patch_size."
        )
    found: Tensor | dict[str, Tensor] = loss(_crop(generated, border), _crop(lr, border))
    return found


def bicubic_of(degradation: Degradation, hr: Tensor) -> Tensor:
    """Reduce HR (C, H, W) by bicubic interpolation to the scale and grid of a degradation."""
    options = dict(scale=degradation.scale, same_size=degradation.same_size)
    bicubic: Degradation = DEGRADATIONS.build(dict(type="Bicubic", **options))
    return bicubic(hr[None], [0])[0]


def _crop(image: Tensor, border: int) -> Tensor:
    return image[..., border : image.shape[-2] - border, border : image.shape[-1] - border]
