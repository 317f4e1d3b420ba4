"""Learned degradations and their files, as far as a config can be held against them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from realdeg.config.paths import list_configs
from realdeg.config.places import look_up
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.plain_json import read_json


def degradations_in(value: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every degradation of a tree of containers, with its place."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from degradations_in(item, f"{place}.{index}")
    elif isinstance(value, str):
        if value.endswith(".safetensors"):
            yield place, {"checkpoint": value}
    elif isinstance(value, Mapping):
        if "type" in value or "checkpoint" in value:
            yield place, value
        for key, item in value.items():
            if key != "checkpoint":
                yield from degradations_in(item, f"{place}.{key}")


def check_degradation(cfg: Mapping[str, Any], value: Any, place: str, *, jointly: bool) -> None:
    """Refuse a learned degradation that was not learned, or not for this recipe.

    Args:
        cfg: The config; its scale, same_size and sample count.
        value: The degradation's config.
        place: Where it stands.
        jointly: Whether it is trained in this run, so that it needs no weights.

    Raises:
        ConfigError: If it has no weights, or weights trained on the built-in sample.
        CheckpointError: If the file is missing, naming the command that makes it.
        GeometryError: If the file is of another scale or grid.
    """
    for where, item in degradations_in(value, place):
        file = item.get("checkpoint")
        if file is not None:
            _check_file(cfg, Path(str(file)), where)
        elif not jointly and _is_learned(item, where):
            raise ConfigError(
                f"'{where}' is an untrained {item['type']}: a network would learn from its random"
                " weights. Give the weights, dict(checkpoint='.../degradation.safetensors'), or"
                " train both together with model.train_degradation=True."
            )


def check_start(cfg: Mapping[str, Any]) -> None:
    """Refuse a backbone that starts from weights which are not there, or of a sample run.

    Args:
        cfg: The config.

    Raises:
        CheckpointError: If the file is missing, naming the command that makes it.
        ConfigError: If it was trained on the built-in sample, and this run is not.
    """
    backbone = cfg.get("backbone")
    start = backbone.get("start_from") if isinstance(backbone, Mapping) else None
    if not start or start.get("checkpoint") is None:
        return  # published weights are fetched when the network is built
    file, place = Path(str(start["checkpoint"])), "backbone.start_from"
    _check_there(cfg, file, place)
    header = read_header(file)
    if header:
        _check_no_sample(cfg, header[1], file, place, "which is no start")


def _is_learned(item: Mapping[str, Any], place: str) -> bool:
    found = look_up(DEGRADATIONS, item["type"], place)
    return getattr(found, "fitting", None) is not None


def _check_file(cfg: Mapping[str, Any], file: Path, place: str) -> None:
    _check_there(cfg, file, place)
    header = read_header(file)
    if not header:
        return  # whoever builds it says what is wrong with the file
    arguments, meta = header
    for key in ("scale", "same_size"):
        stored, asked = arguments.get(key), cfg.get(key)
        if stored is not None and asked is not None and stored != asked:
            raise GeometryError(
                f"'{place}': {file} was learned with {key}={stored}, and this config has"
                f" {key}={asked}. Take the weights or the config of the other geometry.",
                fits=(arguments.get("scale", cfg["scale"]), arguments.get("same_size", False)),
            )
    _check_no_sample(cfg, meta, file, place, "no camera's data")


def _check_there(cfg: Mapping[str, Any], file: Path, place: str) -> None:
    if not file.is_file():
        how = _how_to_make(file, " --sample" if cfg.get("sample") else "")
        raise CheckpointError(f"'{place}': there is no {file}.{how}")


def _check_no_sample(
    cfg: Mapping[str, Any], meta: Mapping[str, Any], file: Path, place: str, why: str
) -> None:
    if meta.get("sample") and not cfg.get("sample"):
        raise ConfigError(
            f"'{place}': {file} was trained on the built-in sample (--sample), {why}."
            f"{_how_to_make(file, '').rstrip('.')}; or run this recipe with --sample too."
        )


def _how_to_make(file: Path, flag: str) -> str:
    for name in list_configs():
        if name.rsplit("/", 1)[-1] == file.parent.name:
            # The default work dir is work_dirs/<name>; another one has to be said.
            usual = Path("work_dirs", file.parent.name) == file.parent
            place = "" if usual else f" --work-dir {file.parent}"
            return f" Make it with: realdeg train {name}{flag}{place}"
    return " Train that first, or correct the path."


def read_header(file: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Read arguments and notes of a self-describing file, without torch and without its tensors.

    Args:
        file: A ``.safetensors`` file.

    Returns:
        (arguments, meta), or None if the file does not describe itself.
    """
    try:
        header = _header(file)
        found = [
            read_json(header[key], key, CheckpointError, finite=False)
            for key in ("arguments", "meta")
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, CheckpointError):
        return None
    return (found[0], found[1]) if all(isinstance(part, dict) for part in found) else None


def read_description(file: Path) -> tuple[str, str, dict[str, Any]] | None:
    """Read what a self-describing file is, without torch and without its tensors.

    Args:
        file: A ``.safetensors`` file.

    Returns:
        (kind, type, arguments), or None if the file does not describe itself.
    """
    try:
        header = _header(file)
        arguments = read_json(header["arguments"], "arguments", CheckpointError)
        if not isinstance(arguments, dict):
            return None
        return str(header["kind"]), str(header["type"]), arguments
    except (OSError, ValueError, KeyError, TypeError, RecursionError, CheckpointError):
        return None


def _header(file: Path) -> dict[str, str]:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header: dict[str, str] = json.loads(stream.read(min(length, 1 << 24)))["__metadata__"]
    return header
