"""Make a backbone by name, with or without weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from realdeg.backbones.base import Backbone
from realdeg.backbones.build import build_backbone, build_filled, construct, say_what_is_left
from realdeg.backbones.pretrained import fill_pretrained, find_pretrained
from realdeg.backbones.weights import load_weights
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.arguments import check_arguments
from realdeg.utils.component import describes_itself, read_component


def create_backbone(
    name: str,
    scale: float | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    pretrained: str | None = None,
    partial: bool = False,
    **arguments: Any,
) -> Backbone:
    """Make a network by its registered name.

    Args:
        name: One of ``realdeg.list_backbones()``; case, hyphens and underscores do not matter.
        scale: How much resolution is lost; None: the file's, or the network's default.
        weights: A file to fill it from, of any format that ``load_weights`` reads. It also gives
            the arguments that are not stated here, as far as its description or tensors say them.
        pretrained: The name of published weights (``realdeg list pretrained``), which are fetched
            if they are not on this machine. They also give the arguments that are not stated here.
        partial: Load what fits of the weights, and leave the rest as it is.
        **arguments: Further arguments of the network, such as ``same_size`` or ``depth``.

    Returns:
        The network, in training mode.

    Raises:
        ConfigError: If no network or no published weights have that name, or the network has no
            such argument.
        GeometryError: If the network or its weights do not come in that scale.
        CheckpointError: If the weights cannot be fetched or read, or do not fit.
    """
    name, entry = registered_name(name), None
    if pretrained is not None:
        if weights is not None:
            raise ConfigError(
                f"{name} is asked for with weights={str(weights)!r} and"
                f" pretrained={pretrained!r}: only one of them can fill it."
            )
        entry = find_pretrained(name, pretrained, scale)
        arguments = {**entry.settings(), **arguments}
    settings = dict(arguments) if scale is None else {**arguments, "scale": scale}
    if weights is not None and not describes_itself(weights):
        filled, left = build_filled(name, settings, "backbone", weights, partial)
        say_what_is_left(filled, left, weights)
        return filled
    backbone: Backbone | None = None
    if weights is not None:
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
        check_arguments(cls, settings)
        # What the file says are arguments and nothing else; in a config some words name files.
        backbone = construct(cls, {**file.arguments, **settings}, str(weights), file.state)
    if backbone is None:
        backbone = build_backbone({"type": name, **settings})
    if entry is not None:
        left = fill_pretrained(backbone, entry, partial=partial)
        say_what_is_left(backbone, left, entry)
    elif weights is not None:
        say_what_is_left(backbone, load_weights(backbone, weights, partial=partial), weights)
    return backbone


def registered_name(name: str) -> str:
    """Return the registered name of a network that is written in another way.

    Args:
        name: Its name; case, hyphens and underscores do not matter.

    Returns:
        The registered name, or ``name`` itself where none is like it.

    Examples:
        >>> registered_name("swinir"), registered_name("srvgg_net_compact")
        ('SwinIR', 'SRVGGNetCompact')
    """
    known = BACKBONES.names()
    if name in known:
        return name
    alike = [each for each in known if _folded(each) == _folded(name)]
    return alike[0] if len(alike) == 1 else name


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
