"""Train a super-resolution network on real pairs, on degraded HR images, or on both."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from realdeg.backbones import Backbone
from realdeg.backbones.base import BackboneLike
from realdeg.backbones.build import backbone_from_config
from realdeg.backbones.refinement import Refinement
from realdeg.backbones.running import (
    complete_colour,
    network_input,
    result_size,
    run_backbone,
)
from realdeg.degradations import Degradation
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.primitives import imresize
from realdeg.errors import ConfigError, GeometryError
from realdeg.losses.build import LossConfig
from realdeg.registry import TASKS
from realdeg.tasks.base import ImageTask, predictions_of
from realdeg.tasks.joint_scales import ScaleCollate, check_scales, degradations_at
from realdeg.tasks.loss_checks import check_images
from realdeg.tasks.low_resolution import DegradeIn, DegradingCollate, LowResolution, grey_files
from realdeg.tasks.player_checks import channels_of_backbone
from realdeg.tasks.references import Enlarged, check_average, make_reference
from realdeg.tasks.scheduled import DegradationSchedule
from realdeg.utils.argument_types import NonNegative, RealScale, Scales
from realdeg.utils.colour import channels_of_files
from realdeg.utils.component import save_component
from realdeg.utils.samples import Batch, Collate, Prediction
from realdeg.utils.schedules import Schedule


@TASKS.register_module()
class SuperResolution(ImageTask):
    """Trains any backbone.

    Paired images use their real LR. HR-only images are degraded in the backbone's colour (DML is
    learned and applied on Y, ACCV 2020), or in RGB if the degradation needs that.

    Args:
        backbone: Config, path or object.
        degradation: Config, path or object; required for data sets of HR images only. Unless
            trained jointly, it is frozen and outside the state dict, the moving average, DDP and
            ``train()``.
        train_degradation: Whether the degradation is trained jointly with the backbone.
        loss: Config of the loss. ``WeightedLoss`` also weights a network's auxiliary outputs; any
            other loss receives the image only.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether LR of a frozen degradation is clipped and rounded to 8 bit, as in files.
        degrade_in: Where training images are degraded: on the training ``"device"`` as part of the
            step, in the data loader's ``"workers"``, or by a ``"prefetch"`` thread on the device
            during the previous step. The LR is the same; docs/speed.md helps to choose.
        scales: One of these is drawn for each training batch, for a network that supports several;
            ``scale`` is then that of validation and the default of calls. None: always ``scale``.
        sharpen: Strength of the unsharp mask for loss terms that compare with sharpened HR
            (``target="sharpened"``). Real-ESRGAN's is 0.5; its window of 51 pixels and threshold of
            10 grey levels are fixed here.

    Raises:
        ConfigError: If the degradation has not been learned yet.
        GeometryError: If degradation and backbone differ in geometry, or lack one of the scales.
    """

    component: ClassVar[str] = "backbone"
    references: ClassVar[tuple[str, ...]] = ("sharpened", "averaged")
    baseline_name: ClassVar[str] = "its LR image (enlarged by bicubic interpolation)"

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
    ) -> None:
        super().__init__(loss)
        self.sharpen = float(sharpen)
        # A tuple hides the network from nn.Module's registration.
        self._average: tuple[Backbone, ...] = ()
        if train_degradation and degrade_in != "device":
            raise ConfigError(
                "a degradation that is trained jointly runs on the training device: remove"
                f" model.degrade_in={degrade_in!r}."
            )
        self.degrade_in = degrade_in
        if isinstance(backbone, Backbone):
            self.backbone = backbone
        else:
            self.backbone = backbone_from_config(backbone, scale=scale, same_size=same_size)
        self.quantise, self.train_degradation = quantise, train_degradation
        self.refinement = Refinement()
        self.scales = None if scales is None else check_scales(scales, self.backbone)
        # Parts that belong to other scales get no gradient.
        self.uses_all_parameters = self.scales is None
        if self.scales is not None and train_degradation:
            raise ConfigError(
                "a degradation that is trained jointly has one scale: remove model.scales or"
                " model.train_degradation."
            )
        built: Degradation | None = None
        if degradation is not None:
            built = degradation_from_config(
                degradation, self.backbone.scale, self.backbone.same_size
            )
            self._check(built)
        if built is not None and train_degradation:
            self.degradation = built
        frozen: dict[float, Degradation] = {}
        if built is not None and not train_degradation:
            frozen[self.backbone.scale] = built
            frozen |= degradations_at(self.scales or (), degradation, self.backbone.scale)
        # A plain dict hides the modules from nn.Module's registration.
        self._frozen = {scale: _freeze(one) for scale, one in frozen.items()}
        self._schedule: DegradationSchedule | None = None

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse loss terms for which the rest of the config does not provide.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: If a term compares with a moving average and nothing averages, or with
                larger patches or other colours than the network makes.
        """
        check_average(cfg)
        check_images(cfg, channels_of_backbone(cfg))

    def _check(self, degradation: Degradation) -> None:
        name = type(degradation).__name__
        if not self.train_degradation and not degradation.is_trained:
            raise ConfigError(
                f"the degradation {name} has not been learned: give its checkpoint"
                " (degradation=dict(checkpoint='.../degradation.safetensors')), or train it"
                " jointly (model.train_degradation=True)."
            )
        if self.train_degradation and not degradation.differentiable:
            raise ConfigError(f"{name} is not differentiable and cannot be trained jointly.")

    @property
    def active_degradation(self) -> Degradation | None:
        """The degradation, frozen or trained jointly."""
        return self._frozen.get(self.backbone.scale, getattr(self, "degradation", None))

    def degradation_for(self, batch: Batch) -> Degradation | None:
        """Return the degradation of a batch: of its scale, with the numbers of its iteration."""
        return self._low_resolution().of(batch)

    def schedule_degradation(self, path: str, schedule: Schedule) -> DegradationSchedule:
        """Let a number of the frozen degradation change over the run.

        Args:
            path: The number's path in the degradation's arguments, such as ``"parts.1.sigma"``.
            schedule: Its value at every iteration. The values in the config remain those of
                validation, test and export.

        Returns:
            All schedules of the degradation, to be told the current iteration.

        Raises:
            ConfigError: If the degradation is missing, or is trained.
        """
        if not self._frozen:
            raise ConfigError(
                f"'degradation.{path}' cannot follow a schedule: the degradation"
                f" {'is trained in this run' if self.train_degradation else 'is missing'}."
            )
        if self._schedule is None:
            self._schedule = DegradationSchedule()
        self._schedule.numbers[path] = schedule
        return self._schedule

    def check_schedule(self) -> None:
        """Raise ConfigError if the degradation cannot have the values of all schedules."""
        if self._schedule is not None:
            self._schedule.check(self._frozen.values())

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> SuperResolution:
        # The frozen degradation still follows the model to its device.
        for frozen in self._frozen.values():
            frozen._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)
        return self

    def use_average(self, network: Backbone) -> None:
        """Receive the moving average of the network, which ``ComponentEMAHook`` keeps.

        Args:
            network: The average; it is not registered as a part of the task.
        """
        self._average = (network,)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compare the network's outputs with HR."""
        return self.image_losses(self.enlarge(batch))

    def enlarge(self, batch: Batch) -> Enlarged:
        """Run the network on the LR of a training batch.

        Raises:
            GeometryError: If its result and HR differ in size.
        """
        hr = channels_of_files(batch["hr"], self.backbone.colour, grey_files(batch))
        lr, scale = self.low_resolution(batch), batch.get("scale")
        # Teacher forcing: an autoregressive network sees the image that it learns to generate.
        if self.backbone.teacher_forced:
            cond: Tensor | None = hr * self.backbone.value_range
        else:
            cond = self.condition(batch)
        image = network_input(self.backbone, lr, scale)
        outputs = run_backbone(self.backbone, image, scale=scale, cond=cond)
        if outputs.sr.shape != hr.shape:
            raise GeometryError(
                f"the backbone made {tuple(outputs.sr.shape)} of LR {tuple(lr.shape)}, but HR is"
                f" {tuple(hr.shape)}: scale or same_size of data and backbone differ."
            )
        return Enlarged(outputs, hr, image, scale)

    def condition(self, batch: Batch) -> Tensor | None:
        """Return what the network is told of the degradations of a batch.

        Returns:
            Shape (B, K) or (B, K, h, w); None for networks that are told nothing, and for real
            pairs.
        """
        if type(self.backbone).condition_of is Backbone.condition_of:
            return None
        conditions = self._low_resolution().conditions(batch)
        if not conditions:
            return None
        told = [self.backbone.condition_of(each) for each in conditions]
        return torch.stack([each for each in told if each is not None]).to(batch["hr"])

    def image_losses(self, made: Enlarged) -> dict[str, Tensor]:
        """Return the named terms of ``loss``."""
        outputs, hr = made.outputs, made.hr
        if not getattr(self.loss, "takes_outputs", False):
            return self.named_losses(self.loss(outputs.sr, hr))
        wanted = getattr(self.loss, "references", ())
        targets = {"sr": hr} | {name: self.reference(name, made) for name in sorted(wanted)}
        if not outputs.aux:
            return self.named_losses(self.loss(outputs.sr, targets))
        # Auxiliary outputs and their targets are in the network's own range.
        full = hr * self.backbone.value_range
        theirs = dict.fromkeys(outputs.aux, full) | self.backbone.targets(full)
        return self.named_losses(self.loss(outputs, theirs | targets))

    def reference(self, name: str, made: Enlarged) -> Tensor:
        """Return a picture that a loss term asks for beside HR.

        Args:
            name: ``"sharpened"``, HR after unsharp masking (Real-ESRGAN's targets), or
                ``"averaged"``, the result of the network's moving average (LDL's reference).
            made: The batch.

        Returns:
            Shape (B, C, H, W), without gradient.

        Raises:
            ConfigError: If there is no such picture, or nothing averages the network.
        """
        return make_reference(name, made, self.sharpen, self._average)

    def low_resolution(self, batch: Batch) -> Tensor:
        """Return LR for every image, real or degraded, in the backbone's colour: (B, C, h, w)."""
        return self._low_resolution()(batch)

    def _low_resolution(self, colour: str | None = None, ahead: bool = False) -> LowResolution:
        return LowResolution(
            self.active_degradation,
            colour or self.backbone.colour,
            quantise=self.quantise and not self.train_degradation,
            differentiable=self.train_degradation,
            by_scale=self._frozen,
            schedule=self._schedule,
            ahead=ahead,
        )

    def collate_with(self, collate: Collate) -> Collate:
        """Return the collate function for training, which may degrade and check scales."""
        if self.scales is not None:
            collate = ScaleCollate(collate, self.scales)
        if self.degrade_in != "workers":
            return collate
        return DegradingCollate(collate, self._low_resolution(ahead=True).for_workers())

    @property
    def prepare(self) -> Callable[[Batch], Batch] | None:
        """The function that a prefetcher applies to a batch, or None."""
        if self.degrade_in != "prefetch":
            return None

        def prepared(batch: Batch) -> Batch:
            moved = self.data_preprocessor.cast_data(batch)
            return self._low_resolution(ahead=True).complete(moved)

        return prepared

    def predict(self, batch: Batch) -> list[Prediction]:
        """Super-resolve each image.

        LR is made from HR in RGB, as in benchmarks. A random degradation runs in the network's
        colour, as in training: the luma of RGB noise has little more than half its strength.
        """
        hr, grey, backbone = batch["hr"], grey_files(batch), self.backbone
        rgb = self._low_resolution("rgb")(batch)
        image = channels_of_files(rgb, backbone.colour, grey)
        made = not bool(batch["paired"].all())
        if made and backbone.colour == "y" and _draws(self.active_degradation):
            image = self._low_resolution()(batch)
            rgb = _picture(backbone, image, rgb, grey).clamp(0, 1)
        cond = self.condition(batch)
        sr = self.refinement.predict(backbone, network_input(backbone, image), image, cond=cond)
        coloured = _picture(backbone, sr, rgb, grey)
        return predictions_of(batch, sr, hr, rgb, backbone.scale, coloured)

    def baseline(self, prediction: Prediction) -> Tensor | None:
        """Return the LR image, enlarged by bicubic interpolation if the network enlarges."""
        image = prediction["input"][None]
        size = result_size(self.backbone, image)
        return (image if size == tuple(image.shape[-2:]) else imresize(image, size=size))[0]

    def output(self, batch: Batch) -> Tensor:
        """Return the super-resolved batch in the backbone's colour."""
        scale = batch.get("scale")
        image = network_input(self.backbone, self.low_resolution(batch), scale)
        return run_backbone(self.backbone, image, scale=scale, cond=self.condition(batch)).sr

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the backbone."""
        notes = dict(meta)
        if self.scales is not None:
            notes["scales"] = list(self.scales)
        degradation = self.active_degradation
        if degradation is not None:
            notes["degradation"] = {
                "type": type(degradation).__name__,
                "hash": degradation.hash(),
                "described": degradation.describe(),
            }
        if self._schedule is not None:
            notes["degradation"]["schedules"] = self._schedule.describe()
        return save_component(
            path,
            self.backbone,
            kind="backbone",
            type=type(self.backbone).__name__,
            arguments=self.backbone.arguments,
            meta=notes,
        )


def _picture(backbone: Backbone, output: Tensor, lr: Tensor, grey: list[bool]) -> Tensor:
    """Convert a network's output to RGB; that of a grey file stays grey."""
    picture = complete_colour(backbone, output, lr)
    for index, flag in enumerate(grey):
        if flag and output.shape[1] == 1:
            picture[index] = output[index]
    return picture


def _draws(degradation: Degradation | None) -> bool:
    """Return whether a degradation is random and may run on luma alone."""
    if degradation is None or degradation.needs_rgb:
        return False
    return type(degradation).sample_one is not Degradation.sample_one


def _freeze(degradation: Degradation) -> Degradation:
    return degradation.eval().requires_grad_(False)
