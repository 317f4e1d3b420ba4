"""``--sample``: any recipe on the images that come with realdeg, in minutes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmengine.config import Config, ConfigDict

from realdeg.config.shape import look_up
from realdeg.registry import DATASETS, DISCRIMINATORS, TASKS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Upper limits of a sample run."""

    patch_size: int
    batch_size: int
    max_iters: int
    val_interval: int
    log_interval: int


# With a paper's settings, one iteration takes seconds on two CPU cores.
LARGE = Limits(patch_size=48, batch_size=4, max_iters=40, val_interval=40, log_interval=10)
# A recipe with a short schedule was made for a CPU, and may run longer.
SMALL = Limits(patch_size=96, batch_size=4, max_iters=400, val_interval=200, log_interval=50)
_SHORT_SCHEDULE = 10_000
# Iterations at which something begins, and the part of a sample run that may pass before.
_TURNS = {"adversarial_from": 2, "discriminator_first": 4, "degradation_first": 2, "inner_first": 2}
_TOP = "!" * 78


def use_sample(
    cfg: Config, name: str, options: Mapping[str, Any], max_iters: int | None = None
) -> None:
    """Replace a recipe's data by the built-in sample, and shorten its schedule.

    The recipe's geometry, transforms, components, task and metrics stay.

    Args:
        cfg: A valid config, changed in place.
        name: The recipe's name, for the log.
        options: The command line's values, which the caller applies again; named in the log.
        max_iters: The schedule of the file itself, which shows how large a recipe it is; None
            takes the config's.
    """
    changes: list[str] = []
    schedule = cfg.get("train_cfg") or {}
    iterations = schedule.get("max_iters", 0) if max_iters is None else max_iters
    limits = LARGE if iterations > _SHORT_SCHEDULE else SMALL
    task = look_up(TASKS, (cfg.get("model") or {}).get("type"), "model")
    least = max(limits.patch_size, getattr(task, "least_patch", 0))
    limits = _with_discriminator(cfg, replace(limits, patch_size=least), changes)
    for key in ("train_dataloader", "val_dataloader", "test_dataloader"):
        loader = cfg.get(key)
        if loader is None:
            continue
        train = key == "train_dataloader"
        split = "train" if train else "test"
        before = _names(loader["dataset"])
        loader["dataset"] = _replaced(loader["dataset"], split, limits)
        kernels = "drawn kernels" if before == "KernelSet" else f"the sample's {split} images"
        changes.append(f"{key}: {before} -> {kernels}")
        loader["num_workers"] = 0
        if train:
            _lower(loader, "batch_size", limits.batch_size, f"{key}.", changes)
            _lower(cfg, "batch_size", limits.batch_size, "", changes)
            _lower(cfg, "patch_size", limits.patch_size, "", changes)
    _lower(schedule, "max_iters", limits.max_iters, "train_cfg.", changes)
    _lower(schedule, "val_interval", limits.val_interval, "train_cfg.", changes)
    for turn, share in _TURNS.items():
        _lower(cfg.get("model") or {}, turn, limits.max_iters // share, "model.", changes)
    hooks = cfg.get("default_hooks") or {}
    if hooks.get("logger"):
        _lower(hooks["logger"], "interval", limits.log_interval, "default_hooks.logger.", changes)
    cfg["sample"] = True
    won = [key for key in options if key.startswith(("train_", "val_", "test_"))]
    if won:
        changes.append(f"set by the command line: {', '.join(won)}")
    lines = [f"SAMPLE RUN of {name}: it shows that the recipe runs, not how good its results are."]
    logger.warning("%s\n%s\n%s", _TOP, "\n  ".join(lines + changes), _TOP)


def _with_discriminator(cfg: Config, limits: Limits, changes: list[str]) -> Limits:
    """Lower the size of a discriminator that takes one size only; the patches follow it."""
    place = "model.discriminator"
    judge: Any = (cfg.get("model") or {}).get("discriminator")
    while isinstance(judge, Mapping) and "discriminator" in judge:  # behind a filter
        place, judge = f"{place}.discriminator", judge["discriminator"]
    kind: Any = look_up(DISCRIMINATORS, judge["type"], place) if judge else None
    size = kind.only_size(judge) if hasattr(kind, "only_size") else None
    if size is None or size <= limits.patch_size:
        return limits
    # They halve their images several times.
    power = 1 << (limits.patch_size.bit_length() - 1)
    judge["size"] = power
    changes.append(f"{place}.size: {size} -> {power}")
    return replace(limits, patch_size=power)


def _lower(holder: Any, key: str, most: int, place: str, changes: list[str]) -> None:
    value = holder.get(key)
    if isinstance(value, int) and value > most:
        holder[key] = most
        changes.append(f"{place}{key}: {value} -> {most}")


def _names(dataset: Mapping[str, Any]) -> str:
    inner = dataset.get("datasets")
    if inner:
        return " + ".join(_names(item) for item in inner)
    if dataset.get("dataset"):  # a set of scales
        return _names(dataset["dataset"])
    return str(dataset.get("type"))


def _replaced(dataset: Mapping[str, Any], split: str, limits: Limits) -> ConfigDict:
    """Return the sample that replaces a data set; a mixture stays one, and so do kernels."""
    if dataset.get("datasets"):
        kept = ConfigDict(dataset)
        kept["datasets"] = [_replaced(item, split, limits) for item in dataset["datasets"]]
        return kept
    if dataset.get("dataset"):
        kept = ConfigDict(dataset)
        kept["dataset"] = _replaced(dataset["dataset"], split, limits)
        return kept
    if dataset.get("type") == "KernelSet":
        kept = ConfigDict(dataset)
        if kept.pop("pool", None) is not None:
            kept["degradation"] = dict(type="KernelPool")  # its synthetic pool
        return kept
    sample = ConfigDict(type="SampleDataset", split=split, mode=_mode(dataset))
    if "transforms" in dataset:
        sample["transforms"] = _small(dataset["transforms"] or [], limits)
    return sample


def _mode(dataset: Mapping[str, Any]) -> str:
    """Return ``"hr"`` for a data set of HR images alone, else ``"pairs"``."""
    from realdeg.datasets import HRFolderDataset, HRShardDataset

    if dataset["type"] == "SampleDataset":
        return str(dataset.get("mode", "pairs"))
    found = look_up(DATASETS, dataset["type"], "dataset")
    steps = [item.get("type") for item in dataset.get("transforms") or []]
    alone = isinstance(found, type) and issubclass(found, HRFolderDataset | HRShardDataset)
    # Both of these refuse a pair.
    return "hr" if alone or "Degrade" in steps or "DownsampleHR" in steps else "pairs"


def _small(transforms: Sequence[Any], limits: Limits) -> list[Any]:
    """Return the transforms with crops that are small enough after all of them."""
    small, most = [], limits.patch_size
    for transform in reversed(transforms):
        if isinstance(transform, Mapping):
            transform = ConfigDict(transform)
            if isinstance(transform.get("patch_size"), int):
                transform["patch_size"] = min(transform["patch_size"], most)
            if transform.get("type") == "DownsampleHR":
                most *= transform.get("factor", 2)
        small.append(transform)
    return small[::-1]
