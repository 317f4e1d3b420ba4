"""From a config, a path or a name to a degradation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realdeg.degradations.base import Degradation
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.component import load_state, read_component
from realdeg.utils.construction import bounded_parts, within_budget
from realdeg.utils.signature import check_arguments


def build_degradation(
    cfg: Mapping[str, Any] | str | os.PathLike[str] | Degradation,
    scale: float | None = None,
    same_size: bool | None = None,
) -> Degradation:
    """Build a degradation.

    Args:
        cfg: ``dict(type=...)`` with constructor arguments; ``dict(checkpoint=path)`` or the path
            of a self-describing file; a registered name; or a degradation, returned as it is.
        scale: The scale it must have; ``None`` leaves it to ``cfg``.
        same_size: The geometry it must have; ``None`` leaves it to ``cfg``.

    Returns:
        The degradation. One from a file is frozen and in evaluation mode.

    Raises:
        ConfigError: If the type or an argument is unknown.
        CheckpointError: If the file is unreadable or of another kind.
        GeometryError: If the file's geometry differs from the one asked for.
    """
    if isinstance(cfg, Degradation):
        _check_geometry(cfg, scale, same_size, "the degradation given")
        return cfg
    if isinstance(cfg, str | os.PathLike):
        text = str(cfg)
        if Path(text).suffix or os.sep in text:
            return _from_file(text, scale, same_size)
        cfg = {"type": text}
    if not isinstance(cfg, Mapping):
        raise ConfigError(f"a degradation is a dict, a path or a name, got {cfg!r:.80}.")
    cfg = dict(cfg)
    if "checkpoint" in cfg:
        path = cfg.pop("checkpoint")
        if cfg:
            raise ConfigError(
                f"a degradation from a checkpoint takes no other keys, got {', '.join(cfg)}: the"
                " file says what it is."
            )
        return _from_file(path, scale, same_size)
    for name, value in (("scale", scale), ("same_size", same_size)):
        if value is not None:
            cfg[name] = value
    if "type" not in cfg:
        raise ConfigError(f"a degradation needs a 'type' or a 'checkpoint', got {sorted(cfg)}.")
    with bounded_parts(str(cfg["type"])):
        return DEGRADATIONS.build(cfg)


def _from_file(
    path: str | os.PathLike[str], scale: float | None, same_size: bool | None
) -> Degradation:
    file = read_component(path)
    if file.kind != "degradation":
        raise CheckpointError(f"{path} holds a {file.kind} ({file.type}), wanted a degradation.")
    cls = DEGRADATIONS.require(file.type, str(path))
    with within_budget(file.state, str(path), file.type):
        check_arguments(cls, file.arguments)
        degradation = cls(**file.arguments)
    if not isinstance(degradation, Degradation):
        raise CheckpointError(f"{path} holds a {file.type}, which is no degradation.")
    _check_geometry(degradation, scale, same_size, str(path))
    load_state(degradation, file.state, str(path))
    degradation.eval().requires_grad_(False)
    degradation.mark_trained()
    return degradation


def _check_geometry(
    degradation: Degradation, scale: float | None, same_size: bool | None, where: str
) -> None:
    asked = (
        degradation.scale if scale is None else scale,
        degradation.same_size if same_size is None else bool(same_size),
    )
    if (degradation.scale, degradation.same_size) != asked:
        raise GeometryError(
            f"{where} is a {type(degradation).__name__} of scale {degradation.scale},"
            f" same_size={degradation.same_size}; asked for are scale {asked[0]},"
            f" same_size={asked[1]}. Take a config (or train a degradation) of the same geometry."
        )
