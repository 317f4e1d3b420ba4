"""The text that a page's forms edit: a config with a degradation, its scale and its grid.

The text is the only state. A form changes a value in it, a user may edit it by hand, and what is
exported is the text itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realdeg.config import list_configs, load_config
from realdeg.errors import ConfigError, nearest
from realdeg.registry import DEGRADATIONS, list_degradations
from realdeg.utils.component import plain
from realdeg.utils.data_file import data_text, parse_data
from realdeg.utils.files import names_a_file
from realdeg.utils.geometry import GEOMETRY

ORDERS = {
    "Compose": "one after another, in this order",
    "RandomOrder": "all of them, in an order drawn for each image",
    "OneOf": "one of them, drawn for each image",
}
"""How several steps are combined: the container, and its words on the page."""

MOST_STEPS = 16
_KEYS = ("degradation", *GEOMETRY)


@dataclass(frozen=True)
class Recipe:
    """A degradation as steps.

    Attributes:
        steps: The config of each step: ``type`` and arguments, or ``checkpoint``.
        order: How several are combined, one of :data:`ORDERS`.
        scale: HR pixels per LR pixel; None: as a file states.
        same_size: Whether LR lies on the HR grid; None: as a file states.
        rest: Further arguments of the container, such as ``probabilities``.
    """

    steps: tuple[Mapping[str, Any], ...]
    order: str = "Compose"
    scale: float | None = 4
    same_size: bool | None = False
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """The config, as ``realdeg.create_degradation`` takes it from a file."""
        alone = len(self.steps) == 1 and not self.rest
        parts = [dict(step) for step in self.steps]
        degradation = parts[0] if alone else {"type": self.order, "parts": parts, **self.rest}
        geometry = {"scale": self.scale, "same_size": self.same_size}
        stated = {key: value for key, value in geometry.items() if value is not None}
        return {"degradation": degradation, **stated}

    @property
    def text(self) -> str:
        """The config as YAML."""
        return data_text(plain(self.config))

    def with_steps(self, steps: Sequence[Mapping[str, Any]]) -> Recipe:
        """Return this recipe with other steps; ``rest`` belongs to the former ones.

        Args:
            steps: Their configs.

        Raises:
            ConfigError: If there are none, or too many.
        """
        if not 1 <= len(steps) <= MOST_STEPS:
            raise ConfigError(f"a degradation has 1 to {MOST_STEPS} steps, not {len(steps)}.")
        return Recipe(tuple(steps), self.order, self.scale, self.same_size)

    def moved(self, index: int, places: int) -> Recipe:
        """Return this recipe with one step moved; beyond an end it stays.

        Args:
            index: The step, from 0.
            places: How far; -1 is one earlier.
        """
        steps = list(self.steps)
        target = min(max(index + places, 0), len(steps) - 1)
        steps.insert(target, steps.pop(index))
        return self.with_steps(steps)

    def without(self, index: int) -> Recipe:
        """Return this recipe without one step.

        Args:
            index: The step, from 0.
        """
        return self.with_steps([*self.steps[:index], *self.steps[index + 1 :]])

    def changed(self, index: int, values: Mapping[str, Any]) -> Recipe:
        """Return this recipe with other arguments of one step.

        Args:
            index: The step, from 0.
            values: All arguments of the step that differ from their defaults.
        """
        kept = {key: self.steps[index][key] for key in ("type",) if key in self.steps[index]}
        geometry = {key: self.steps[index][key] for key in GEOMETRY if key in self.steps[index]}
        new = {**kept, **values, **geometry}
        steps = (*self.steps[:index], new, *self.steps[index + 1 :])
        return Recipe(steps, self.order, self.scale, self.same_size, self.rest)


def read_recipe(text: str) -> Recipe:
    """Read a recipe's text.

    Args:
        text: YAML with ``degradation`` and perhaps ``scale`` and ``same_size``.

    Raises:
        ConfigError: If it is not such YAML, or names an unknown type.
    """
    data = parse_data(text, "the recipe")
    if not isinstance(data, dict) or "degradation" not in data:
        raise ConfigError("the recipe needs a 'degradation' with a 'type'.")
    odd = [str(key) for key in data if key not in _KEYS]
    if odd:
        raise ConfigError(f"the recipe holds '{odd[0]}': it takes {', '.join(_KEYS)} only.")
    return recipe_of(data)


def recipe_of(config: Mapping[str, Any]) -> Recipe:
    """Return the steps of a config.

    Args:
        config: ``degradation`` and perhaps ``scale`` and ``same_size``.

    Raises:
        ConfigError: If a step is not a config of a degradation.
    """
    found = config["degradation"]
    found = {"type": found} if isinstance(found, str) and not names_a_file(found) else found
    geometry = (config.get("scale"), config.get("same_size"))
    if isinstance(found, Mapping) and found.get("type") in ORDERS:
        cfg = dict(found)
        order, parts = str(cfg.pop("type")), cfg.pop("parts", None)
        if not isinstance(parts, list | tuple) or not parts:
            raise ConfigError(f"{order} needs 'parts', a list of degradations.")
        steps = [{"type": part} if isinstance(part, str) else part for part in parts]
    else:
        order, steps, cfg = "Compose", [found], {}
    for number, step in enumerate(steps, start=1):
        _check_step(step, number)
    return Recipe(tuple(steps), order, *geometry, rest=cfg)


def _check_step(step: Any, number: int) -> None:
    if not isinstance(step, Mapping) or not ({"type", "checkpoint"} & set(step)):
        raise ConfigError(f"step {number} needs a 'type' or a 'checkpoint', got {step!r:.80}.")
    if "type" in step:
        DEGRADATIONS.require(step["type"], f"step {number}")


def recipe_from_config(name: str) -> Recipe:
    """Return the degradation of one of the recipes that come with realdeg.

    Args:
        name: A name of ``realdeg list configs``; no path.

    Raises:
        ConfigError: If there is no such recipe, or it has no degradation.
    """
    known = list_configs()
    if name not in known:
        raise ConfigError(f"there is no recipe '{name:.80}'.{nearest(name[:80], known)}")
    config = load_config(name)
    if not config.get("degradation"):
        raise ConfigError(f"the recipe '{name}' uses no degradation: it trains on real pairs.")
    return recipe_of({key: plain(config.get(key)) for key in _KEYS})


def is_learned(name: str) -> bool:
    """Return whether a registered degradation has weights, so needs a file.

    Args:
        name: Its registered name.
    """
    return getattr(DEGRADATIONS.require(name), "fitting", None) is not None


def kinds_of_step() -> list[tuple[str, str]]:
    """Return what a step can be, as (words for a menu, registered name); learned ones last."""
    names = [name for name in list_degradations() if name not in ORDERS]
    learned = {name for name in names if is_learned(name)}
    return [
        *((name, name) for name in names if name not in learned),
        *((f"{name} (learned: needs a camera file)", name) for name in names if name in learned),
    ]


def with_files(value: Any, files: Mapping[str, Path], place: str = "degradation") -> Any:
    """Replace the names of uploaded files by their paths, and refuse every other file.

    A page must not read files of the machine that its user names. Learned types without a file are
    refused before they are built: their sizes are not yet bounded by any weights.

    Args:
        value: A config, at any depth.
        files: Uploaded files by name.
        place: The value's key, for messages.

    Raises:
        ConfigError: If it names another file, or a learned degradation without one.
    """
    if isinstance(value, Mapping):
        kind = value.get("type")
        if isinstance(kind, str) and DEGRADATIONS.get(kind) is not None and is_learned(kind):
            raise ConfigError(
                f"{kind} is learned, and '{place}' has no weights for it: load its camera file"
                " (degradation.safetensors or camera.safetensors)."
            )
        return {
            key: item if key == "type" else with_files(item, files, f"{place}.{key}")
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [with_files(item, files, f"{place}.{i}") for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if value in files:
        return str(files[value])
    # A name without a suffix can be a file or a folder, too.
    if names_a_file(value) or place.endswith(".checkpoint") or Path(value).exists():
        loaded = f"; loaded are {', '.join(files)}" if files else ""
        raise ConfigError(
            f"'{place}' names the file {value:.80}, and the studio reads only files that were"
            f" loaded in the page{loaded}."
        )
    return value
