"""Build a backbone from a config, or from a file of weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from realdeg.backbones.base import Backbone
from realdeg.backbones.pretrained import (
    Pretrained,
    fetch_pretrained,
    fill_pretrained,
    find_pretrained,
)
from realdeg.backbones.weights import fill, form_of, load_weights, read_weights
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.arguments import check_arguments
from realdeg.utils.component import describes_itself, load_state, read_component, summary
from realdeg.utils.construction import bounded_parts, within_budget
from realdeg.utils.files import names_a_file, weights_in

logger = logging.getLogger(__name__)


def backbone_from_config(
    cfg: Mapping[str, Any] | str | os.PathLike[str],
    scale: float | None = None,
    same_size: bool | None = None,
) -> Backbone:
    """Build a backbone from its config.

    Args:
        cfg: One of ``dict(type='RCAN', ...)``; ``dict(type='RCAN', ..., checkpoint='file')``,
            which loads any file that :func:`load_weights` reads;
            ``dict(type='SwinIR', pretrained='classical-df2k')``, which loads published weights and
            takes their arguments where the config states none;
            ``dict(type='EDSR', start_from=dict(checkpoint='x2', ignore=('tail.',)))``, whose
            weights initialise training only (``pretrained=`` and ``scale=`` name published ones);
            ``dict(checkpoint='x.safetensors')`` or the path alone, for a self-describing file.
        scale: The requested scale; None: the config's or the file's.
        same_size: The requested geometry; None: the config's or the file's.

    Raises:
        ConfigError: If the config names an unknown backbone or argument.
        GeometryError: If config or file have a different geometry than requested.
        CheckpointError: If the weights cannot be fetched or read, or do not fit.
    """
    if isinstance(cfg, str | os.PathLike):
        cfg = {"checkpoint": cfg}
    if not isinstance(cfg, Mapping):
        raise ConfigError(f"a backbone is built from a dict or a path, got {cfg!r}.")
    settings = dict(cfg)
    checkpoint = settings.pop("checkpoint", None)
    start = settings.pop("start_from", None)
    pretrained = settings.pop("pretrained", None)
    kind = settings.pop("type", None)
    if pretrained is not None and checkpoint is not None:
        raise ConfigError(
            f"backbone has pretrained={pretrained!r} and checkpoint={str(checkpoint)!r}: only one"
            " of them can fill it."
        )
    if pretrained is not None and kind is None:
        raise ConfigError(
            f"backbone has pretrained={pretrained!r} but no type: name the network,"
            f" dict(type='SwinIR', pretrained={pretrained!r})."
        )
    if kind is None:
        if checkpoint is None:
            raise ConfigError(f"a backbone needs a 'type' or a 'checkpoint', got {dict(cfg)!r}.")
        if settings or start is not None:
            others = sorted([*settings, *(["start_from"] if start is not None else [])])
            raise ConfigError(
                f"backbone has {', '.join(others)} beside 'checkpoint', but the file"
                f" {checkpoint} states them itself: remove them, or add a 'type'."
            )
        return _from_file(checkpoint, scale, same_size)

    for name, asked in (("scale", scale), ("same_size", same_size)):
        if asked is None:
            continue
        if settings.get(name, asked) != asked:
            raise GeometryError(
                f"backbone.{name} is {settings[name]!r} but {name} of the config is {asked!r}:"
                f" state it once, at the top level."
            )
        settings[name] = asked
    entry = None
    if pretrained is not None:
        entry = find_pretrained(_unscoped(kind), pretrained, settings.get("scale"))
        settings = {**entry.settings(), **settings}
    if checkpoint is not None:
        return build_filled(kind, settings, "backbone", checkpoint)[0]
    backbone = construct(kind, settings, "backbone")
    if entry is not None:
        fill_pretrained(backbone, entry)
    elif start is not None:
        _start(backbone, start)
    return backbone


def build_filled(
    kind: str | type,
    settings: Mapping[str, Any],
    place: str,
    weights: str | os.PathLike[str],
    partial: bool = False,
) -> tuple[Backbone, list[str]]:
    """Build the network that a file's tensors belong to, and load them.

    Args:
        kind: The registered name, or a class.
        settings: The arguments that are stated; the rest is read from the tensors.
        place: Where they are stated, for messages.
        weights: The file, of any format.
        partial: Load what fits, and leave the rest as it is.

    Returns:
        The network, and what was not loaded.

    Raises:
        ConfigError: If there is no such network or argument.
        CheckpointError: If the file cannot be read, or contradicts what is stated.
    """
    cls = kind if callable(kind) else BACKBONES.require(kind, place)
    check_arguments(cls, settings, place)
    where, state = str(weights), read_weights(weights)
    arguments = form_of(cls, state, settings, where, partial=partial)
    backbone = construct(cls, arguments, place)
    return backbone, fill(backbone, state, where, partial=partial)


def backbone_with_weights(
    settings: Mapping[str, Any], weights: str | os.PathLike[str], *, partial: bool = False
) -> Backbone:
    """Build a backbone from its type and arguments, and load weights.

    Args:
        settings: ``type`` and arguments. The rest comes from the file's description, its tensors
            or the catalogue.
        weights: A file of any format that :func:`load_weights` reads, or the name of published
            weights.
        partial: Load the weights that fit, and leave the rest as it is.

    Raises:
        ConfigError: If there is no such type, argument or published weights.
        GeometryError: If the weights are for a different scale.
        CheckpointError: If the weights cannot be fetched or read, or do not fit.
    """
    settings, weights = dict(settings), weights_in(weights, "backbone") or weights
    name, scale = str(settings.pop("type")), settings.get("scale")
    if not names_a_file(weights):
        entry = find_pretrained(_unscoped(name), str(weights), scale)
        backbone = construct(name, {**entry.settings(), **settings}, "backbone")
        warn_partly_loaded(backbone, fill_pretrained(backbone, entry, partial=partial), entry)
        return backbone
    if not describes_itself(weights):
        backbone, left = build_filled(name, settings, "backbone", weights, partial)
    else:
        file = read_component(weights)
        if file.kind != "backbone" or file.type != _unscoped(name):
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
                f" is asked for: ask for {stored}, or set partial=True to start from what fits."
            )
        check_arguments(cls, settings)
        # A file states plain arguments only; in a config some keys name files.
        backbone = construct(cls, {**file.arguments, **settings}, str(weights), file.state)
        left = load_weights(backbone, weights, partial=partial)
    warn_partly_loaded(backbone, left, weights)
    return backbone


def registered_name(name: str) -> str:
    """Return the registered name that differs only in case, hyphens and underscores.

    Args:
        name: Any spelling; returned as it is if no registered name matches.

    Examples:
        >>> registered_name("swinir"), registered_name("srvgg_net_compact")
        ('SwinIR', 'SRVGGNetCompact')
    """
    known = BACKBONES.all_names()
    if name in known:
        return name
    matching = [each for each in known if _normalised(each) == _normalised(name)]
    return matching[0] if len(matching) == 1 else name


def _normalised(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _start(backbone: Backbone, start: Mapping[str, Any]) -> None:
    """Load the weights that training starts from.

    Arguments of published weights are not applied here: the trained network is tested with the
    same config without ``start_from``, and must be the same network then.
    """
    settings = dict(start)
    checkpoint, pretrained = (settings.pop(key, None) for key in ("checkpoint", "pretrained"))
    if checkpoint is None and pretrained is None:
        raise ConfigError(
            "backbone.start_from names no checkpoint: there is nothing to start from."
        )
    if checkpoint is not None and pretrained is not None:
        raise ConfigError(
            f"backbone.start_from has checkpoint={str(checkpoint)!r} and pretrained={pretrained!r}:"
            " training can start from only one of them."
        )
    if pretrained is not None:
        scale = settings.pop("scale", backbone.scale)
        checkpoint = fetch_pretrained(find_pretrained(type(backbone).__name__, pretrained, scale))
    check_arguments(load_weights, settings, "backbone.start_from")
    warn_partly_loaded(backbone, load_weights(backbone, checkpoint, **settings), checkpoint)


def warn_partly_loaded(
    backbone: Backbone, left: list[str], source: str | os.PathLike[str] | Pretrained
) -> None:
    """Warn if only a part of some weights was loaded."""
    if left:
        name = type(backbone).__name__
        logger.warning("%s has only a part of %s: %s.", name, source, summary(left))


def _unscoped(kind: str | type) -> str:
    """Return a type's name without the registry scope that mmengine allows before it."""
    return kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__


def _from_file(
    path: str | os.PathLike[str], scale: float | None, same_size: bool | None
) -> Backbone:
    """Rebuild the backbone that a file describes."""
    path = weights_in(path, "backbone") or path
    file = read_component(path)
    if file.kind != "backbone":
        raise CheckpointError(f"{path} holds a {file.kind} ({file.type}), not a backbone.")
    known = BACKBONES.require(file.type, str(path))
    if scale is not None and getattr(known, "any_scale", False):
        file.arguments["scale"] = scale  # such weights serve every scale
    for name, asked in (("scale", scale), ("same_size", same_size)):
        stored = file.arguments.get(name)
        if asked is not None and stored is not None and stored != asked:
            raise GeometryError(
                f"the {file.type} in {path} was trained with {name}={stored} and {name}={asked} is"
                f" asked for: set {name}={stored}, or name the type beside the checkpoint to"
                " start another geometry from these weights.",
                fits=(file.arguments.get("scale", 4), bool(file.arguments.get("same_size"))),
            )
    backbone = construct(file.type, file.arguments, str(path), file.state)
    load_state(backbone, file.state, str(path))
    return backbone


def construct(
    kind: str | type,
    settings: Mapping[str, Any],
    place: str,
    state: Mapping[str, Tensor] | None = None,
) -> Backbone:
    """Create a registered network from a config, or from a file's arguments and tensors.

    Args:
        kind: The registered name, or a class.
        settings: Its arguments and nothing else.
        place: Where they are stated: a key of a config, or the file.
        state: The file's tensors, which are not loaded here but bound the network's size; None:
            the arguments are a config's.

    Raises:
        ConfigError: If there is no such network or argument.
        CheckpointError: If a file's arguments ask for more than its tensors, or are invalid.
    """
    cls = kind if callable(kind) else BACKBONES.require(kind, place)
    if isinstance(cls, type) and not issubclass(cls, Backbone):
        raise ConfigError(
            f"{cls.__name__} (at '{place}') is not a backbone: derive it from"
            " realdeg.backbones.Backbone."
        )
    if state is None:
        check_arguments(cls, settings, place)
        with bounded_parts(cls.__name__):
            backbone = cls(**settings)
    else:
        with within_budget(state, place, cls.__name__):
            check_arguments(cls, settings)
            rebuild = getattr(cls, "rebuild", None)  # functions that return networks have none
            backbone = rebuild(settings, state) if rebuild else cls(**settings)
    if not isinstance(backbone, Backbone):
        raise ConfigError(f"{cls.__name__} (at '{place}') made a {type(backbone).__name__}.")
    return backbone
