"""Tasks that train a super-resolution network beside a degradation, each by its own losses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from realdeg.backbones.base import BackboneLike
from realdeg.degradations.base import DegradationLike
from realdeg.errors import ConfigError
from realdeg.losses.build import LossConfig
from realdeg.tasks.low_resolution import LowResolution
from realdeg.tasks.super_resolution import SuperResolution
from realdeg.utils.argument_types import NonNegative, Scale


class WithDegradation(SuperResolution):
    """A super-resolution task with a degradation that has losses and an optimiser of its own.

    The degradation is exported beside the network, as ``degradation.safetensors``. Validation
    measures the network.

    Args:
        backbone: Config, path or object.
        degradation: Config, path or object; one with weights to learn.
        loss: Config of the network's loss.
        sr_gradient: Factor of the network's gradient that reaches the degradation.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether LR for the network is rounded.
        sharpen: As for :class:`SuperResolution`.

    Raises:
        ConfigError: If the degradation has nothing to learn, or has no gradient.
        GeometryError: If degradation and backbone differ in geometry.
    """

    scheduled: ClassVar[tuple[str, ...]] = ("sr_gradient",)

    def __init__(
        self,
        backbone: BackboneLike,
        degradation: DegradationLike,
        loss: LossConfig,
        sr_gradient: NonNegative,
        scale: Scale | None,
        same_size: bool | None,
        quantise: bool,
        sharpen: NonNegative,
    ) -> None:
        super().__init__(
            backbone,
            degradation,
            train_degradation=True,
            loss=loss,
            scale=scale,
            same_size=same_size,
            quantise=quantise,
            sharpen=sharpen,
        )
        self.sr_gradient = float(sr_gradient)
        if not any(True for _ in self.degradation.parameters()):
            raise ConfigError(
                f"{type(self).__name__}: {type(self.degradation).__name__} has nothing to learn:"
                " take DML, DirectNet, DSGAN or the like, or SuperResolution, in which the"
                " degradation is fixed."
            )
        # One from a file is frozen.
        self.degradation.requires_grad_(True)

    @property
    def _flows(self) -> bool:
        """Whether the network's gradient reaches the degradation through the LR of a batch."""
        return False

    def _low_resolution(self, colour: str | None = None, ahead: bool = False) -> LowResolution:
        return LowResolution(
            self.degradation,
            colour or self.backbone.colour,
            quantise=self.quantise and not self._flows,
            differentiable=self._flows,
        )

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the backbone to a file, and the degradation beside it.

        Args:
            path: The backbone's file. In the degradation's name ``degradation`` takes the place of
                ``backbone``.
            meta: Notes, plain data.

        Returns:
            The backbone's hash.
        """
        file = Path(path)
        own, other = self.component, "degradation"
        name = file.name.replace(own, other) if own in file.name else f"{other}_{file.name}"
        self.degradation.save(file.with_name(name), {**meta, **self.degradation_notes})
        return super().export(path, meta)

    @property
    def degradation_notes(self) -> dict[str, Any]:
        """What the degradation's file notes beside the run: plain data, by default nothing."""
        return {}
