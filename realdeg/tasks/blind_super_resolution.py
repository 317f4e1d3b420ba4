"""Train a network that estimates the blur kernel together with the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from realdeg.backbones import BlindBackbone, Outputs
from realdeg.backbones.base import BackboneLike
from realdeg.backbones.build import backbone_from_config
from realdeg.degradations import Degradation
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError, RealdegError
from realdeg.losses.build import LossConfig, build_loss
from realdeg.registry import BACKBONES, TASKS
from realdeg.tasks.loss_checks import check_single
from realdeg.tasks.low_resolution import DegradeIn
from realdeg.tasks.references import Enlarged
from realdeg.tasks.super_resolution import SuperResolution
from realdeg.utils.argument_types import NonNegative, RealScale
from realdeg.utils.samples import Batch

# Draws of a degradation that are looked at before training: a container may choose its parts.
_DRAWS = 8


@TASKS.register_module()
class BlindSuperResolution(SuperResolution):
    """Compares images with HR, and estimates of the kernel with the kernel that made LR.

    The degradation tells each image's kernel, so LR is made here: a batch of real pairs, of which
    no kernel is known, is compared by its images alone.

    Args:
        backbone: Config, path or object of a :class:`~realdeg.backbones.blind.BlindBackbone`.
        degradation: Config, path or object; each image has one kernel, of the network's size.
        loss: Config of the loss of the image.
        kernel_loss: Config of the loss of an estimate, with its weight.
        earlier_rounds: Weight of every round before the last, for its image and its estimate
            alike. KXNet's is 0.1; DAN learns from its last round alone.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether LR is clipped and rounded to 8 bit, as in files.
        degrade_in: Where training images are degraded, as for :class:`SuperResolution`.
        sharpen: Strength of the unsharp mask for loss terms that compare with sharpened HR.

    Raises:
        ConfigError: If the network estimates no kernel, or the degradation has none.
        GeometryError: If degradation and backbone differ in geometry, or in the kernel's size.
    """

    own_losses: ClassVar[tuple[str, ...]] = ("loss_kernel", "loss_earlier_*")

    def __init__(
        self,
        backbone: BackboneLike,
        degradation: DegradationLike | None = None,
        loss: LossConfig = {"type": "L1Loss"},  # noqa: B006 - never changed
        kernel_loss: LossConfig = {"type": "L1Loss"},  # noqa: B006 - never changed
        earlier_rounds: NonNegative = 0.0,
        scale: RealScale | None = None,
        same_size: bool | None = None,
        quantise: bool = True,
        degrade_in: DegradeIn = "device",
        sharpen: NonNegative = 0.5,
    ) -> None:
        super().__init__(
            backbone,
            degradation,
            loss=loss,
            scale=scale,
            same_size=same_size,
            quantise=quantise,
            degrade_in=degrade_in,
            sharpen=sharpen,
        )
        self.kernel_loss = build_loss(kernel_loss, "image", "model.kernel_loss")
        self.earlier_rounds = float(earlier_rounds)

    @classmethod
    def check_config(cls, settings: Mapping[str, Any], place: str = "model") -> None:
        """Refuse a kernel's loss of more than two tensors, beside what every task refuses."""
        super().check_config(settings, place)
        check_single(settings.get("kernel_loss"), cls.__name__, f"{place}.kernel_loss")

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse a network without estimates, and a degradation without kernels of its size.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: Naming the place and what would fit.
            GeometryError: If the degradation's kernels have another size than the network's.
        """
        super().check_recipe(cfg)
        network, degradation = cfg.get("backbone"), cfg.get("degradation")
        if not isinstance(network, Mapping) or "type" not in network:
            return  # a file decides, and is checked when the network is built
        kind = BACKBONES.get(network["type"])
        if isinstance(kind, type) and not issubclass(kind, BlindBackbone):
            raise _not_blind(kind.__name__, "'backbone'")
        scale, same_size = cfg.get("scale"), cfg.get("same_size")
        try:
            with torch.device("meta"):
                own = {name: value for name, value in network.items() if name != "start_from"}
                built = backbone_from_config(own, scale=scale, same_size=same_size)
            if degradation is None:
                return
            made = degradation_from_config(degradation, scale, same_size)
        except RealdegError:
            return  # said with its place where the component is built
        if isinstance(built, BlindBackbone):
            check_told(built, made)

    def _check(self, degradation: Degradation) -> None:
        super()._check(degradation)
        check_told(self.blind, degradation)

    @property
    def blind(self) -> BlindBackbone:
        """The network.

        Raises:
            ConfigError: If it estimates no kernel.
        """
        if not isinstance(self.backbone, BlindBackbone):
            raise _not_blind(type(self.backbone).__name__, "'model.backbone'")
        return self.backbone

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compare the images with HR, and the estimates with the kernels."""
        made = self.enlarge(batch)
        found = self.image_losses(_last(made))
        images, estimates = made.outputs.aux.get("images"), made.outputs.aux["estimates"]
        if images is not None:
            found |= self._earlier_images(made, images)
        targets = self.kernel_targets(batch)
        if targets is not None:
            found |= self._kernels(estimates, targets.to(estimates))
        return found

    def kernel_targets(self, batch: Batch) -> Tensor | None:
        """Return what the estimates for a batch are compared with, (B, ...), or None if unknown.

        Raises:
            GeometryError: If only some of the images are real pairs.
        """
        conditions = self._low_resolution().conditions(batch)
        if not conditions:
            return None
        return torch.stack([self.blind.target_of(each) for each in conditions])

    def _earlier_images(self, made: Enlarged, images: Tensor) -> dict[str, Tensor]:
        """Return the weighted sum of the image losses of all rounds but the last."""
        if not self.earlier_rounds or images.shape[1] < 2:
            return {}
        white = self.backbone.value_range
        rounds = (
            Enlarged(Outputs(image / white), made.hr, made.image, made.scale)
            for image in images[:, :-1].unbind(1)
        )
        terms = [term for each in rounds for term in self.image_losses(each).values()]
        return {"loss_earlier_images": self.earlier_rounds * torch.stack(terms).sum()}

    def _kernels(self, estimates: Tensor, targets: Tensor) -> dict[str, Tensor]:
        found = {"loss_kernel": self.kernel_loss(estimates[:, -1], targets)}
        if self.earlier_rounds and estimates.shape[1] > 1:
            terms = [self.kernel_loss(each, targets) for each in estimates[:, :-1].unbind(1)]
            found["loss_earlier_kernels"] = self.earlier_rounds * torch.stack(terms).sum()
        return found


def check_told(network: BlindBackbone, degradation: Degradation) -> None:
    """Refuse a degradation whose kernels a network cannot learn to estimate.

    Args:
        network: The network.
        degradation: The degradation, of which a few traces are drawn.

    Raises:
        ConfigError: If a trace has no kernel.
        GeometryError: If a kernel has another size than the network's.
    """
    side = degradation.stride * 2
    for seed in range(_DRAWS):
        network.told_kernel(degradation.condition(degradation.sample_one((3, side, side), seed)))


def _last(made: Enlarged) -> Enlarged:
    return Enlarged(Outputs(made.outputs.sr), made.hr, made.image, made.scale)


def _not_blind(name: str, place: str) -> ConfigError:
    kinds = (BACKBONES.get(each) for each in BACKBONES.names())
    blind = [k.__name__ for k in kinds if isinstance(k, type) and issubclass(k, BlindBackbone)]
    return ConfigError(
        f"{place} is {name}, which estimates no kernel: BlindSuperResolution trains"
        f" {', '.join(blind) or 'networks that do'}; SuperResolution trains the others."
    )
