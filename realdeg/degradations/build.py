"""Build a degradation from a config, or from the file that holds its weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from realdeg.degradations.base import Degradation
from realdeg.errors import CheckpointError, ConfigError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.component import load_state, read_component
from realdeg.utils.construction import bounded_parts, within_budget
from realdeg.utils.files import names_a_file, weights_in
from realdeg.utils.geometry import check_geometry
from realdeg.utils.mmengine_internals import registered_names_only


def degradation_from_config(
    cfg: Mapping[str, Any] | str | os.PathLike[str] | Degradation,
    scale: float | None = None,
    same_size: bool | None = None,
) -> Degradation:
    """Build a degradation from its config.

    Args:
        cfg: ``dict(type=...)`` with constructor arguments; ``dict(checkpoint=path)`` or the path
            of a self-describing file, or of a folder with one (``my_camera``); a registered name;
            or a degradation, returned unchanged.
        scale: The scale it must have; ``None`` leaves it to ``cfg``.
        same_size: The geometry it must have; ``None`` leaves it to ``cfg``.

    Returns:
        The degradation. One from a file is frozen and in evaluation mode; weights that serve any
        geometry (``fixed_geometry`` is False) get the one asked for.

    Raises:
        ConfigError: If the type or an argument is unknown.
        CheckpointError: If the file is unreadable or of another kind.
        GeometryError: If the file's geometry differs from the one asked for.
    """
    if isinstance(cfg, Degradation):
        check_geometry(cfg, scale, same_size, f"the {type(cfg).__name__} given")
        return cfg
    if isinstance(cfg, str | os.PathLike):
        if names_a_file(cfg):
            return _from_file(cfg, scale, same_size)
        cfg = {"type": str(cfg)}
    if not isinstance(cfg, Mapping):
        raise ConfigError(f"a degradation is a dict, a path or a name, got {cfg!r:.80}.")
    cfg = dict(cfg)
    if "checkpoint" in cfg:
        path = cfg.pop("checkpoint")
        if cfg:
            raise ConfigError(
                f"a degradation from a checkpoint takes no other keys, got {', '.join(cfg)}: the"
                " file states its type and arguments."
            )
        return _from_file(path, scale, same_size)
    for name, value in (("scale", scale), ("same_size", same_size)):
        if value is not None:
            cfg[name] = value
    if "type" not in cfg:
        raise ConfigError(f"a degradation needs a 'type' or a 'checkpoint', got {sorted(cfg)}.")
    kind = cfg.pop("type")
    cls = kind if callable(kind) else DEGRADATIONS.require(kind)
    with bounded_parts(str(kind)), registered_names_only():
        degradation = cls(**cfg)
    if not isinstance(degradation, Degradation):
        raise ConfigError(f"{kind!r:.80} built a {type(degradation).__name__}, not a degradation.")
    return degradation


def _from_file(
    path: str | os.PathLike[str], scale: float | None, same_size: bool | None
) -> Degradation:
    path = weights_in(path, "degradation") or path
    file = read_component(path)
    if file.kind != "degradation":
        raise CheckpointError(f"{path} holds a {file.kind} ({file.type}), wanted a degradation.")
    cls = DEGRADATIONS.require(file.type, str(path))
    arguments = dict(file.arguments)
    if not getattr(cls, "fixed_geometry", True):
        asked = {"scale": scale, "same_size": same_size}
        arguments |= {name: value for name, value in asked.items() if value is not None}
    with within_budget(file.state, str(path), file.type):
        degradation = cls(**arguments)
    if not isinstance(degradation, Degradation):
        raise CheckpointError(f"{path} holds a {file.type}, which is not a degradation.")
    check_geometry(degradation, scale, same_size, f"the {file.type} in {path}")
    load_state(degradation, file.state, str(path))
    degradation.eval().requires_grad_(False)
    degradation.mark_trained()
    return degradation
