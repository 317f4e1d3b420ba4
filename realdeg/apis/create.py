"""Create networks and degradations from names, configs, dicts and files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from mmengine.config import Config
from torch import nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.build import backbone_from_config, backbone_with_weights, registered_name
from realdeg.backbones.pretrained import list_pretrained
from realdeg.config import (
    apply_options,
    find_config,
    list_presets,
    load_config,
    preset_named,
)
from realdeg.degradations.base import Degradation
from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError, nearest
from realdeg.registry import BACKBONES, DEGRADATIONS, Registry, load_plugins
from realdeg.utils.cameras import find_cameras
from realdeg.utils.deprecation import warn_renamed
from realdeg.utils.files import is_weights, weights_in
from realdeg.utils.geometry import GEOMETRY, check_geometry

_FOR_OTHERS = (".onnx", ".pt2")
# Keys that name weights; ``create_backbone(weights=...)`` replaces them.
_WEIGHTS = ("checkpoint", "pretrained", "start_from")

Source: TypeAlias = str | os.PathLike[str] | Mapping[str, Any]


def create_backbone(
    source: Source | Backbone,
    scale: float | None = None,
    same_size: bool | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    trained: bool = False,
    partial: bool = False,
    options: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Backbone:
    """Create a super-resolution network from a name, config, dict or file.

    Args:
        source: A registered name (``realdeg.list_backbones()``; case, hyphens and underscores do
            not matter); a dict as in a config (``type``, arguments, ``checkpoint``,
            ``pretrained``, ``start_from``); a config, whose ``backbone`` and geometry are used; a
            run's folder or a self-describing file of weights; published weights
            (``realdeg list pretrained``) as ``"SPAN:ntire2024"``, or by their name alone if only
            one network has them; ``"hf:OWNER/NAME"``, a repository on the Hugging Face Hub;
            ``"FSRCNN:fsrcnn_x2.pth"``, a network and a file; or a network, which is
            returned unchanged.
        scale: The scale factor; None: the source's, or the network's default.
        same_size: Whether LR lies on the HR grid; None: as the source states.
        weights: A file of any format that ``load_weights`` reads, or the name of published
            weights. Either may supply arguments that are not given here.
        trained: Require weights and freeze the parameters, for a network that is only applied.
        partial: Load the tensors of ``weights`` that fit and keep the others.
        options: Dotted keys that override a config or a type (``{"backbone.depth": 5}``).
        **arguments: More arguments of the network, such as ``depth=5``.

    Returns:
        The network, in training mode.

    Raises:
        ConfigError: If the name is unknown, the network has no such argument, or required weights
            are not named.
        GeometryError: If the network or its weights do not support that scale or grid.
        CheckpointError: If the weights cannot be fetched or read, or do not fit.

    Example:
        >>> import realdeg
        >>> realdeg.create_backbone("vdsr", scale=2, depth=4).scale
        2
    """
    if "pretrained" in arguments:
        warn_renamed("create_backbone(pretrained=...)", "create_backbone(weights=...)")
        published = arguments.pop("pretrained")
        if weights is not None:
            raise ConfigError(
                f"{source} has weights={str(weights)!r} and pretrained={published!r}: only one of"
                " them can fill it."
            )
        weights = published
    if isinstance(source, Backbone):
        check_geometry(source, scale, same_size, f"the {type(source).__name__} given")
        return source
    if isinstance(source, str) and weights is None:
        source, weights = _network_and_weights(source)
    cfg, geometry = source_config(source, "backbone", BACKBONES, options or {})
    scale, same_size = _geometry(geometry, scale, same_size)
    if weights is None:
        if arguments:
            cfg = {"checkpoint": cfg, **arguments} if isinstance(cfg, str) else {**cfg, **arguments}
        backbone = backbone_from_config(cfg, scale, same_size)
        named = isinstance(cfg, str) or bool({"checkpoint", "pretrained"} & set(cfg))
    elif isinstance(cfg, str) or "type" not in cfg:
        raise ConfigError(
            f"weights={str(weights)!r} needs a network, but {source} does not name one: for example"
            " create_backbone('VDSR', weights=...)."
        )
    else:
        settings = {key: value for key, value in cfg.items() if key not in _WEIGHTS}
        settings |= {
            k: v for k, v in zip(GEOMETRY, (scale, same_size), strict=True) if v is not None
        }
        backbone = backbone_with_weights({**settings, **arguments}, weights, partial=partial)
        named = True
    if not trained:
        return backbone
    if not (named or backbone.brings_weights) and next(backbone.parameters(), None) is not None:
        name = type(backbone).__name__
        published = [entry.reference for entry in list_pretrained() if entry.type == name]
        names = ", ".join(dict.fromkeys(published))
        others = f", or published weights by name ({names})" if names else ""
        raise ConfigError(
            f"{name} has no weights, so its output means nothing: give the backbone.safetensors"
            f" that its training wrote{others}."
        )
    return backbone.requires_grad_(False)


def _network_and_weights(source: str) -> tuple[str, str | None]:
    """Split ``SPAN:ntire2024``, or find the network that alone has weights of a name."""
    kind, colon, name = source.partition(":")
    if colon and name and BACKBONES.get(registered_name(kind)) is not None:
        return kind, name
    if BACKBONES.get(registered_name(source)) is not None:
        return source, None
    found = list(dict.fromkeys(e.type for e in list_pretrained() if e.name == source))
    if len(found) > 1:
        raise ConfigError(
            f"several networks have weights '{source}' ({', '.join(found)}): name the network,"
            f" as in '{found[0]}:{source}'."
        )
    return (found[0], source) if found else (source, None)


def create_degradation(
    source: Source | Degradation,
    scale: float | None = None,
    same_size: bool | None = None,
    *,
    trained: bool = False,
    options: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Degradation:
    """Create a degradation from a name, config, dict or file.

    Args:
        source: A registered name (``realdeg.list_degradations()``); the name of settings
            (``realdeg list presets``), such as ``"osediff"``; a dict as in a config
            (``type`` and arguments, or ``checkpoint``); a config, whose ``degradation`` and
            geometry are used; the name of a camera (``realdeg.list_cameras()``); a run's folder
            or a file of learned weights; ``"hf:OWNER/NAME"``, a repository on the Hugging Face
            Hub; or a degradation, which is returned unchanged.
        scale: The scale factor; None: the source's.
        same_size: Whether LR lies on the HR grid; None: as the source states.
        trained: Refuse an untrained degradation and freeze the parameters, for one that is only
            applied.
        options: Dotted keys that override a config or a type (``{"degradation.sigma": 5}``).
        **arguments: More arguments of the degradation, such as ``sigma=5``.

    Returns:
        The degradation. One from a file is frozen and in evaluation mode.

    Raises:
        ConfigError: If the name is unknown, there is no such argument, or ``trained`` is asked of
            an untrained degradation.
        CheckpointError: If weights cannot be read, or belong to another component.
        GeometryError: If the source has another scale or grid.

    Example:
        >>> import realdeg
        >>> realdeg.create_degradation("AWGN", scale=2, sigma=5).describe()
        'AWGN x2, LR 2 times smaller'
    """
    if isinstance(source, Degradation):
        check_geometry(source, scale, same_size, f"the {type(source).__name__} given")
        return source
    cfg, geometry = source_config(source, "degradation", DEGRADATIONS, options or {})
    if arguments:
        cfg = {"checkpoint": cfg, **arguments} if isinstance(cfg, str) else {**cfg, **arguments}
    degradation = degradation_from_config(cfg, *_geometry(geometry, scale, same_size))
    if not trained:
        return degradation
    for part in degradation.modules():
        if isinstance(part, Degradation) and not part.is_trained:
            name = type(part).__name__
            raise ConfigError(
                f"{name} is untrained, so its LR images mean nothing: give the"
                " degradation.safetensors that its training wrote, or train it first."
            )
    return degradation.requires_grad_(False)


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a module's first tensor, or the CPU if it has none."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")


def find_device(name: str | torch.device | None) -> torch.device:
    """Return a device by name; None: the accelerator if there is one.

    Raises:
        ConfigError: If the name is unknown, or the device is not available.
    """
    # Imported late: the engine is slow to import, and most callers do not need it.
    from realdeg.engine.devices import resolve_device

    return resolve_device(name)


def source_config(
    source: Source, kind: str, registry: Registry, options: Mapping[str, Any]
) -> tuple[str | dict[str, Any], dict[str, Any]]:
    """Find the config of a component.

    Args:
        source: As for :func:`create_backbone` or :func:`create_degradation`, but no object.
        kind: ``"backbone"`` or ``"degradation"``.
        registry: Its registry.
        options: Dotted keys that override a config or a type.

    Returns:
        The component's config or file, and the geometry next to it in a config.

    Raises:
        ConfigError: If nothing of that name is found.
    """
    load_plugins()
    if isinstance(source, Mapping):
        return _with_options(dict(source), kind, options), {}
    if not isinstance(source, str | os.PathLike):
        raise ConfigError(f"a {kind} is given by a name, a dict or a path, got {source!r:.80}.")
    text = os.fspath(source)
    text = str(weights_in(source, kind) or text)
    if is_weights(text):
        if options:
            raise ConfigError(
                f"options override a config or a type, but {text} is a file of weights, whose"
                f" arguments are fixed: leave out {', '.join(sorted(options))}."
            )
        return text, {}
    if Path(text).suffix.lower() in _FOR_OTHERS:
        raise ConfigError(
            f"{text} is an export for other programs, which realdeg cannot load: give the"
            " backbone.safetensors that it was exported from."
        )
    name = registered_name(text) if kind == "backbone" else text
    if registry.get(name) is not None:
        return _with_options({"type": name}, kind, options), {}
    if kind == "degradation":
        text = preset_named(text) or text
    try:
        find_config(text)
    except ConfigError as error:
        known = registry.all_names()
        others = list(find_cameras()) if kind == "degradation" else []
        named = f", a camera ({', '.join(others)})" if others else ""
        if kind == "degradation":
            # A preset is often named as its type is, which is the better guess.
            types = {name.lower() for name in known}
            others += [name for name in list_presets() if name not in types]
            named += ", a preset (`realdeg list presets`)"
        raise ConfigError(
            f"'{text}' is not a {kind}: not a file of weights (.safetensors), a registered type"
            f" ({', '.join(known)}){named} or a config.{nearest(text, [*others, *known])}"
        ) from error
    cfg = load_config(text, options)
    if not cfg.get(kind):
        raise ConfigError(f"the config '{text}' has no '{kind}'.")
    return dict(cfg[kind]), {key: cfg.get(key) for key in GEOMETRY}


def _with_options(
    component: dict[str, Any], kind: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    if not options:
        return component
    foreign = sorted(key for key in options if not key.startswith(f"{kind}."))
    if foreign:
        raise ConfigError(
            f"without a config, options must start with '{kind}.', found {', '.join(foreign)}."
        )
    cfg = Config({kind: component})
    apply_options(cfg, options)
    return dict(cfg[kind])


def _geometry(
    beside: Mapping[str, Any], scale: float | None, same_size: bool | None
) -> tuple[float | None, bool | None]:
    return (
        beside.get("scale") if scale is None else scale,
        beside.get("same_size") if same_size is None else same_size,
    )
