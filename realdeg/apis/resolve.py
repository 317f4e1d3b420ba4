"""From what a user names (a file, a type, a config) to a built component."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from realdeg.backbones import build_backbone
from realdeg.backbones.base import Backbone
from realdeg.config import find_config, load_config
from realdeg.config.find import run_weights
from realdeg.degradations import build_degradation
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, GeometryError, nearest
from realdeg.registry import BACKBONES, DEGRADATIONS, Registry, load_plugins

_FOR_OTHERS = (".onnx", ".pt2")
_WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")

Source = str | os.PathLike[str] | Mapping[str, Any]


def load_degradation(
    source: Source | Degradation,
    *,
    scale: float | None = None,
    same_size: bool | None = None,
    options: Mapping[str, Any] | None = None,
) -> Degradation:
    """Build the degradation that a user names.

    Args:
        source: A file of weights, a run's folder, a registered type, a config (file or name), a
            dict, or a degradation.
        scale: The scale asked for; None takes what the source says.
        same_size: Whether LR lies on the HR grid; None takes what the source says.
        options: Dotted keys laid over the config or type (``degradation.sigma``).

    Returns:
        The degradation.

    Raises:
        ConfigError: If nothing goes by that name, or it is a learned one without weights.
        CheckpointError: If weights cannot be read.
        GeometryError: If another scale or grid is asked for than the source has.
    """
    if isinstance(source, Degradation):
        _check_geometry(source, scale, same_size)
        return source
    cfg, geometry = _component(source, "degradation", DEGRADATIONS, options or {})
    degradation = build_degradation(cfg, **_geometry(geometry, scale, same_size))
    for part in degradation.modules():
        if isinstance(part, Degradation) and not part.is_trained:
            name = type(part).__name__
            raise ConfigError(
                f"{name} has learned nothing yet, so what it does to an image means nothing: give"
                " the degradation.safetensors that its training wrote, or train it first."
            )
    degradation.requires_grad_(False)
    return degradation


def load_backbone(
    source: Source | Backbone,
    *,
    scale: float | None = None,
    same_size: bool | None = None,
    options: Mapping[str, Any] | None = None,
) -> Backbone:
    """Build the super-resolution network that a user names.

    Args:
        source: A file of weights, a run's folder, a config whose ``backbone`` names weights, a
            dict with ``checkpoint``, or a network.
        scale: The scale asked for; None takes what the source says.
        same_size: Whether LR lies on the HR grid; None takes what the source says.
        options: Dotted keys laid over the config or type (``backbone.checkpoint``).

    Returns:
        The network.

    Raises:
        ConfigError: If nothing goes by that name, or no weights are named.
        CheckpointError: If weights cannot be read.
        GeometryError: If another scale or grid is asked for than the source has.
    """
    if isinstance(source, Backbone):
        _check_geometry(source, scale, same_size)
        return source
    cfg, geometry = _component(source, "backbone", BACKBONES, options or {})
    backbone = build_backbone(cfg, **_geometry(geometry, scale, same_size))
    named = isinstance(cfg, str) or bool({"checkpoint", "pretrained"} & set(cfg))
    named = named or backbone.brings_weights
    if not named and next(backbone.parameters(), None) is not None:
        raise ConfigError(
            f"{type(backbone).__name__} has no weights, so its pictures mean nothing: give the"
            " backbone.safetensors that its training wrote."
        )
    backbone.requires_grad_(False)
    return backbone


def where_is(module: nn.Module) -> torch.device:
    """Return the device of a module's first tensor; the CPU where it has none."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")


def find_device(name: str | torch.device | None) -> torch.device:
    """Return a device by name; None takes the accelerator where there is one.

    Raises:
        ConfigError: If the name means nothing, or the device is not there.
    """
    # The engine brings the training's machinery with it, which most callers do without.
    from realdeg.engine.devices import resolve_device

    return resolve_device(name)


def _component(
    source: Source, kind: str, registry: Registry, options: Mapping[str, Any]
) -> tuple[str | dict[str, Any], dict[str, Any]]:
    """Return the component's config and the geometry that stands beside it."""
    load_plugins()
    if isinstance(source, Mapping):
        return _with_options(dict(source), kind, options), {}
    text = os.fspath(source)
    text = str(run_weights(text, kind) or text)
    if Path(text).suffix.lower() in _WEIGHTS:
        if options:
            raise ConfigError(
                f"options change a config or a type, and {text} is a file of weights, whose"
                f" settings are fixed: leave out {', '.join(sorted(options))}."
            )
        return text, {}
    if Path(text).suffix.lower() in _FOR_OTHERS:
        raise ConfigError(
            f"{text} is a file for other programs, which realdeg does not run: give the"
            " backbone.safetensors that it was exported from."
        )
    if registry.get(text) is not None:
        return _with_options({"type": text}, kind, options), {}
    try:
        find_config(text)
    except ConfigError as error:
        known = registry.names()
        raise ConfigError(
            f"'{text}' is no {kind}: no file of weights (.safetensors), no registered type"
            f" ({', '.join(known)}) and no config.{nearest(text, known)}"
        ) from error
    cfg = load_config(text, options)
    if not cfg.get(kind):
        raise ConfigError(f"the config '{text}' has no '{kind}'.")
    found = cfg[kind]
    component = found if isinstance(found, str) else dict(found)
    return component, {key: cfg.get(key) for key in ("scale", "same_size")}


def _with_options(
    component: dict[str, Any], kind: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    if not options:
        return component
    from mmengine.config import Config

    from realdeg.config import apply_options

    foreign = sorted(key for key in options if not key.startswith(f"{kind}."))
    if foreign:
        raise ConfigError(
            f"there is no config here, only a {kind}: options start with '{kind}.', found"
            f" {', '.join(foreign)}."
        )
    cfg = Config({kind: component})
    apply_options(cfg, options)
    return dict(cfg[kind])


def _geometry(
    beside: Mapping[str, Any], scale: float | None, same_size: bool | None
) -> dict[str, Any]:
    return {
        "scale": beside.get("scale") if scale is None else scale,
        "same_size": beside.get("same_size") if same_size is None else same_size,
    }


def _check_geometry(
    component: Degradation | Backbone, scale: float | None, same_size: bool | None
) -> None:
    for name, wanted in (("scale", scale), ("same_size", same_size)):
        found = getattr(component, name)
        if wanted is not None and wanted != found:
            raise GeometryError(
                f"{type(component).__name__} was made with {name}={found}, asked for {wanted}:"
                " build it with the one that is wanted."
            )
