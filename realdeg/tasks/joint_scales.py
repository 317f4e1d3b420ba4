"""One network for several scales, one of which is drawn for each training batch.

The sampler draws it (``PositionSampler(scales=...)``), the crop uses it, and the batch carries it
as ``scale``. This module has what a task needs in addition.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from realdeg.backbones import Backbone
from realdeg.backbones.running import network_input, result_size, run_backbone
from realdeg.degradations import Degradation
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError, GeometryError
from realdeg.utils.samples import Batch, Collate, PackedSample
from realdeg.utils.scales import as_scale

# Side of the LR image that a network is tested on.
_SIDE = 4


def check_scales(scales: Sequence[float], backbone: Backbone) -> tuple[int | float, ...]:
    """Return ``model.scales``, whole ones as integers, after checking that a network supports each.

    Raises:
        ConfigError: If one occurs twice.
        GeometryError: If the network does not support all of them.
    """
    found = tuple(as_scale(scale) for scale in scales)
    if len(set(found)) < len(found):
        raise ConfigError(f"model.scales is {scales!r}, wanted each scale once.")
    name = type(backbone).__name__
    if backbone.same_size:
        raise GeometryError(
            f"model.scales is for networks that enlarge: with same_size=True {name} keeps the size,"
            " and a degradation that draws one of several scales does it"
            " (configs/_base_/degradations/bicubic_joint.py)."
        )
    served = {scale for scale in found if scale == backbone.scale or _serves(backbone, scale)}
    for scale in found:
        if scale in served:
            continue
        listed = ", ".join(f"{each:g}" for each in sorted(served | {backbone.scale}))
        advice = (
            "choose a network of several scales (MDSR, CARN, MSLapSRN, MetaSR, or one on the"
            " interpolated image, such as VDSR), with multi_scale=True where it has that argument"
        )
        raise GeometryError(
            f"model.scales draws scale {scale}, but {name} as it is configured serves scale"
            f" {listed}: {'remove that scale' if len(served) > 1 else advice}, or leave out"
            " model.scales."
        )
    return found


def _serves(backbone: Backbone, scale: float) -> bool:
    """Return whether a network supports a scale, by trying it."""
    if backbone.any_scale:
        return True
    parameter = next(backbone.parameters(), torch.empty(0))
    if parameter.is_meta:  # only counted, cannot run
        return True
    image = torch.zeros(1, backbone.channels, _SIDE, _SIDE).to(parameter)
    training = backbone.training
    # Running means of normalisations must not see this image.
    backbone.eval()
    try:
        with torch.no_grad():
            made = run_backbone(backbone, network_input(backbone, image, scale), scale=scale).sr
    except GeometryError:
        return False
    finally:
        backbone.train(training)
    return tuple(made.shape[-2:]) == result_size(backbone, image, scale)


def degradations_at(
    scales: Sequence[float], cfg: DegradationLike | None, own: float
) -> dict[float, Degradation]:
    """Build the degradations of all scales but ``own``, which is built elsewhere.

    Args:
        scales: The scales of the run.
        cfg: The degradation's config, path or object, or None.
        own: The scale of the run.

    Raises:
        GeometryError: If the degradation is not available at a scale.
    """
    found: dict[float, Degradation] = {}
    if cfg is None:
        return found
    for scale in scales:
        if scale == own:
            continue
        try:
            found[scale] = degradation_from_config(cfg, scale=scale, same_size=False)
        except (GeometryError, ConfigError) as error:
            raise GeometryError(
                f"model.scales draws scale {scale}, which the degradation does not support: {error}"
            ) from error
    return found


class ScaleCollate:
    """A collate function that refuses batches for which none of ``scales`` was drawn."""

    def __init__(self, collate: Collate, scales: Sequence[float]) -> None:
        self.collate, self.scales = collate, tuple(scales)

    def __call__(self, samples: Sequence[PackedSample]) -> Batch:
        """Collate samples, or raise ConfigError if their scale is missing or unexpected."""
        batch = self.collate(samples)
        if batch.get("scale") not in self.scales:
            raise ConfigError(
                f"model.scales is {list(self.scales)}, but the training batch has scale"
                f" {batch.get('scale')}: train_dataloader.sampler has to be"
                f" dict(type='PositionSampler', scales={list(self.scales)})."
            )
        return batch
