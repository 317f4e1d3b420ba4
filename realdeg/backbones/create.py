"""Make a backbone by name, with or without weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from realdeg.backbones.base import Backbone
from realdeg.backbones.build import build_backbone
from realdeg.backbones.weights import load_weights
from realdeg.errors import CheckpointError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.component import describes_itself, read_component


def create_backbone(
    name: str,
    scale: float | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    partial: bool = False,
    **arguments: Any,
) -> Backbone:
    """Make a network by its registered name.

    Args:
        name: One of ``realdeg.list_backbones()``.
        scale: How much resolution is lost; None: the file's, or the network's default.
        weights: A file to fill it from, of any format that ``load_weights`` reads. One that
            describes itself also gives the arguments that are not stated here.
        partial: Load what fits of the weights, and leave the rest as it is.
        **arguments: Further arguments of the network, such as ``same_size`` or ``depth``.

    Returns:
        The network, in training mode.

    Raises:
        ConfigError: If no network has that name, or the network has no such argument.
        GeometryError: If the network does not come in that scale, or the file is of another.
        CheckpointError: If the weights cannot be read or do not fit.
    """
    settings = dict(arguments) if scale is None else {**arguments, "scale": scale}
    if weights is not None and describes_itself(weights):
        file = read_component(weights)
        if file.kind != "backbone" or file.type != name:
            raise CheckpointError(
                f"{Path(weights)} holds a {file.type} and {name} is asked for:"
                f" name {file.type}, or other weights."
            )
        stored = file.arguments.get("scale")
        cls: type[Backbone] = BACKBONES.require(name)
        fixed = not cls.any_scale and not partial
        if fixed and stored is not None and scale not in (None, stored):
            raise GeometryError(
                f"the {name} in {Path(weights)} was trained with scale={stored} and scale={scale}"
                f" is asked for: ask for {stored}, or say partial=True to start from what fits."
            )
        settings = {**file.arguments, **settings}
    backbone = build_backbone({"type": name, **settings})
    if weights is not None:
        load_weights(backbone, weights, partial=partial)
    return backbone
