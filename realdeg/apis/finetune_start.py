"""The network and the camera that a fine-tuning starts from."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from realdeg.apis.create import Source, create_backbone, create_degradation, source_config
from realdeg.backbones.base import Backbone
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.component import plain

logger = logging.getLogger(__name__)


def find_network(
    network: Source | Backbone,
    scale: float | None,
    same_size: bool | None,
    weights: str | os.PathLike[str] | None,
) -> Backbone:
    """Return the network to be trained further.

    Args:
        network: Anything that :func:`realdeg.create_backbone` takes.
        scale: The scale factor; None: the network's.
        same_size: Whether LR lies on the HR grid; None: as the weights state.
        weights: A file of weights, or the name of published ones.

    Raises:
        ConfigError: If there is nothing to be trained.
    """
    found = create_backbone(network, scale, same_size, weights=weights, trained=True)
    name = type(found).__name__
    if found.zero_shot:
        raise ConfigError(
            f"{name} trains on each image when it is used: there is nothing to fine-tune."
        )
    if not any(True for _ in found.parameters()):
        raise ConfigError(f"{name} has no parameters: there is nothing to fine-tune.")
    return found.requires_grad_(True)


def find_camera(camera: Source | Degradation, network: Backbone) -> dict[str, Any]:
    """Return the config of the degradation that fits a network.

    Args:
        camera: Anything that :func:`realdeg.create_degradation` takes but an object.
        network: The network.

    Raises:
        ConfigError: If it is an object.
        GeometryError: If it has another scale, or makes LR that the network cannot take.
    """
    if isinstance(camera, Degradation):
        raise ConfigError(
            "finetune writes its config, so the camera is a file, a name or a config, not an"
            " object: save it first (camera.save('camera.safetensors'))."
        )
    cfg, beside = source_config(camera, "degradation", DEGRADATIONS, {})
    settings: dict[str, Any] = (
        {"checkpoint": str(Path(cfg).resolve())} if isinstance(cfg, str) else plain(cfg)
    )
    stated = {key: value for key, value in beside.items() if value is not None}
    try:
        create_degradation(settings, network.scale, network.same_size, trained=True)
        return settings
    except GeometryError as error:
        own = create_degradation(settings, **stated, trained=True)
        name = type(network).__name__
        if own.scale != network.scale:
            raise GeometryError(
                f"the camera is x{own.scale} and {name} is x{network.scale}: name a network for"
                f" x{own.scale}, or a camera fitted at x{network.scale}."
            ) from error
        if not own.same_size:
            raise GeometryError(
                f"the camera makes LR {own.scale} times smaller than HR, and {name} takes LR on the"
                " HR grid: name a network that enlarges, or fit a camera to pairs of equal size"
                " (`realdeg register --geometry same-size`)."
            ) from error
    logger.info(
        "the camera keeps the HR grid and %s enlarges: LR is made %d times smaller after it",
        *(name, own.scale),
    )
    # Such a camera's LR was enlarged to the HR grid; bicubic reduction undoes that.
    kept = {"type": "Compose", "parts": [settings], "scale": own.scale, "same_size": True}
    reduction = {"type": "Bicubic", "scale": own.scale, "same_size": False}
    return {"type": "Compose", "parts": [kept, reduction]}
