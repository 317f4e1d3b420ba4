"""The combinations of a sweep and the folders of their runs."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from realdeg.config import load_config
from realdeg.errors import ConfigError, argument_name

MOST_RUNS = 10_000
_LONGEST_VALUE, _LONGEST_NAME = 40, 200
# How and where a run is started, and what a run notes about itself.
_NOT_COMPARED = ("work_dir", "launcher", "resume", "device", "recipe")


@dataclass(frozen=True)
class Combination:
    """One run of a sweep.

    Attributes:
        name: The name of its folder, such as ``"depth=12_seed=0"``.
        options: The swept keys of the config with this run's values.
        seed: Its seed.
    """

    name: str
    options: Mapping[str, Any]
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        """The swept keys and the seed."""
        return {**self.options, "seed": self.seed}


def combinations(grid: Mapping[str, Sequence[Any]], seeds: Sequence[int]) -> list[Combination]:
    """Return every combination, the seed changing fastest.

    Args:
        grid: Dotted keys and the values that each takes.
        seeds: The seeds.

    Raises:
        ConfigError: If a key has no values, a value or seed is given twice, or there are more than
            ``MOST_RUNS``.
    """
    name = argument_name("grid")
    count = len(seeds)
    for key, values in {**grid, "seed": seeds}.items():
        texts = [repr(value) for value in values]
        if isinstance(values, str) or not texts or len(set(texts)) < len(texts):
            raise ConfigError(
                f"'{key}' of {name} takes a list of different values, got {values!r:.80}."
            )
        count *= len(texts) if key != "seed" else 1
    if "seed" in grid:
        raise ConfigError(f"'seed' is not swept by {name}: give {argument_name('seeds')}.")
    if count > MOST_RUNS:
        raise ConfigError(f"this sweep has {count} runs, at most {MOST_RUNS} are planned.")
    short = _short_names(list(grid))
    plan = []
    for values in itertools.product(*grid.values()):
        options = dict(zip(grid, values, strict=True))
        parts = [f"{short[key]}={_value_text(value)}" for key, value in options.items()]
        for seed in seeds:
            plan.append(Combination(_joined([*parts, f"seed={seed}"]), options, seed))
    names = [one.name for one in plan]
    doubled = next((item for item in names if names.count(item) > 1), None)
    if doubled is not None:
        raise ConfigError(f"two runs of this sweep would have the folder {doubled}.")
    return plan


def same_config(cfg: Config, folder: Path) -> None:
    """Refuse to continue a run whose config is another one.

    Args:
        cfg: The config that is wanted, before injection.
        folder: The run's folder.

    Raises:
        ConfigError: If the saved config differs, naming the first key.
    """
    saved = _comparable(load_config(folder, check=False))
    wanted = _comparable(cfg)
    for key in [*wanted, *saved]:
        if saved.get(key) != wanted.get(key):
            raise ConfigError(
                f"{folder} holds a run of another config: '{key}' is {saved.get(key)!r:.80} there,"
                f" and {wanted.get(key)!r:.80} is asked for. Choose another"
                f" {argument_name('out')}, or remove the folder."
            )


def _comparable(cfg: Config) -> dict[str, Any]:
    data: Any = json.loads(json.dumps(cfg.to_dict(), default=str))  # tuples as lists
    return {
        key: value for key, value in data.items() if key not in _NOT_COMPARED and value is not None
    }


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return for each key as many of its last parts as tell it from the others."""
    found = {}
    for key in keys:
        parts = key.split(".")
        for count in range(1, len(parts) + 1):
            short = ".".join(parts[-count:])
            others = (other for other in keys if other != key)
            if not short.isdigit() and not any(
                o == short or o.endswith(f".{short}") for o in others
            ):
                break
        found[key] = re.sub(r"[^A-Za-z0-9.-]+", "_", short)
    return found


def _value_text(value: Any) -> str:
    """Return a value as part of a folder's name: short, and different for different values."""
    plain = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    if isinstance(value, Mapping) and isinstance(value.get("type"), str):
        plain = value["type"] if len(value) == 1 else plain
    text = re.sub(r"[^A-Za-z0-9.+-]+", "-", plain).strip("-.")
    if text == plain and len(text) <= _LONGEST_VALUE:
        return text
    kept = text[: _LONGEST_VALUE - 7].rstrip("-.")
    return f"{kept}-{hashlib.sha256(plain.encode()).hexdigest()[:6]}"


def _joined(parts: Sequence[str]) -> str:
    name = "_".join(parts)
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 30]}-{digest}_{parts[-1]}"
