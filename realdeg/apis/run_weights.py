"""Which weights a test uses, and the arguments that they state."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from realdeg.errors import CheckpointError
from realdeg.registry import BACKBONES, DEGRADATIONS, TASKS

logger = logging.getLogger(__name__)

_GEOMETRY = ("scale", "same_size")
_REGISTRIES = {"degradation": DEGRADATIONS, "backbone": BACKBONES}


def weights_of_run(folder: Path, cfg: Config) -> str | None:
    """Find the trained weights in a run's folder.

    Args:
        folder: The run's folder.
        cfg: Its config.

    Returns:
        ``degradation.safetensors`` or ``backbone.safetensors``, or else the newest ``iter_N.pth``;
        None if the folder has neither.
    """
    from realdeg.engine.checkpoint import find_checkpoints

    exported = folder / f"{_trains(cfg)}.safetensors"
    found = exported if exported.is_file() else next(iter(find_checkpoints(folder)), None)
    if found is not None:
        logger.info("weights: %s", found)
    return None if found is None else str(found)


def take_arguments(cfg: Config, checkpoint: str) -> None:
    """Let self-describing weights override the type and arguments in the config.

    Scale and grid stay the config's; weights of another geometry are refused when they are loaded.

    Args:
        cfg: The config before injection, changed in place.
        checkpoint: A training checkpoint or a self-describing file. Other files change nothing.

    Raises:
        ConfigError: If the file names a type that is not registered, or unknown arguments.
        CheckpointError: If a training checkpoint cannot be read.
    """
    from realdeg.config.shape import look_up
    from realdeg.utils.arguments import check_arguments

    kind = _trains(cfg)
    described = description_of(Path(checkpoint))
    if kind not in _REGISTRIES or described is None or described[0] != kind:
        return  # what does not fit is refused when it is loaded
    _, name, arguments = described
    component = look_up(_REGISTRIES[kind], name, f"{checkpoint}: {kind}")
    own = {key: value for key, value in arguments.items() if key not in _GEOMETRY}
    check_arguments(component, own, f"{checkpoint}: {kind}")
    configured = cfg.get(kind)
    configured = dict(configured) if isinstance(configured, Mapping) else {}
    differing = _differing(component, name, own, configured)
    cfg[kind] = {"type": name, **own}
    if differing:
        logger.warning(
            "%s describes itself, and its arguments are used: %s.", checkpoint, differing
        )


def _trains(cfg: Config) -> str:
    """Return the kind of component that the config's task trains."""
    from realdeg.config.shape import look_up

    return str(getattr(look_up(TASKS, cfg.model["type"], "model"), "component", ""))


def description_of(file: Path) -> tuple[str, str, dict[str, Any]] | None:
    """Return kind, type and arguments of weights, or None where the file does not state them.

    Args:
        file: A self-describing file, a training checkpoint, or a file of another format.

    Raises:
        CheckpointError: If there is no such file.
    """
    from realdeg.engine.checkpoint import read_checkpoint
    from realdeg.utils.description import read_description

    if file.suffix == ".safetensors":
        found = read_description(file)
        return None if found is None else (found.kind, found.type, found.arguments)
    try:
        meta = read_checkpoint(file).get("meta")
    except CheckpointError:
        if file.is_file():
            return None  # another format; loading it reports what is wrong
        raise
    stated = meta.get("component") if isinstance(meta, Mapping) else None
    if not isinstance(stated, Mapping) or not isinstance(stated.get("arguments"), Mapping):
        return None
    if not stated["arguments"] or not isinstance(stated.get("type"), str):
        return None  # built from objects, not from arguments
    return str(stated.get("kind")), stated["type"], dict(stated["arguments"])


def _differing(component: Any, name: str, own: Mapping[str, Any], cfg: Mapping[str, Any]) -> str:
    """Phrase where a file's arguments differ from the config's."""
    if str(cfg.get("type", "")).rpartition(".")[2] != name:
        return f"a {name}, where the config has {cfg.get('type') or cfg.get('checkpoint')}"
    parameters = inspect.signature(component).parameters
    found = []
    for key, value in own.items():
        default = parameters[key].default if key in parameters else None
        config = cfg.get(key, default)
        if _comparable(config) != _comparable(value):
            found.append(f"{key}={value!r} (the config: {config!r})")
    return ", ".join(found)


def _comparable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    return value
