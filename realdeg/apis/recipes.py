"""Load a recipe and apply the overrides of a call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mmengine.config import Config

from realdeg.config import load_config
from realdeg.config.find import at_scale
from realdeg.errors import ConfigError
from realdeg.utils.processes import Launcher

Recipe: TypeAlias = str | os.PathLike[str]
"""A config file, a run's folder, or the name of a recipe such as ``dml/dml_n8_realsr_x4``."""

STAGES = {
    "train": ("train_dataloader", "train_cfg", "optim_wrapper"),
    "val": ("val_dataloader", "val_cfg", "val_evaluator"),
    "test": ("test_dataloader", "test_cfg", "test_evaluator"),
}
"""The keys of a config that belong together, by stage."""


def open_recipe(
    config: Recipe,
    options: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
    *,
    sample: bool = False,
    seed: int | None = None,
    work_dir: str | os.PathLike[str] | None = None,
    device: str | None = None,
    launcher: Launcher = "none",
) -> Config:
    """Load a config and override it with the arguments of a call.

    Args:
        config: The recipe.
        options: Dotted keys and their values, such as ``{"train_cfg.max_iters": 1000}``.
        fields: Top-level fields of the config; they take precedence over ``options``. ``scale``
            selects another scale that the recipe offers.
        sample: Run on the built-in sample images with a short schedule.
        seed: The seed of every random stream.
        work_dir: The folder for all output. None: the run's folder that ``config`` names, the
            config's, or one below ``work_dirs``.
        device: Where to compute; None: the config's, or the accelerator if there is one.
        launcher: ``"pytorch"`` under torchrun.

    Returns:
        The config before injection.

    Raises:
        ConfigError: If it is not found or broken, or names something unknown.
    """
    overrides = {**(options or {}), **(fields or {})}
    if fields and fields.get("scale") is not None:
        config = at_scale(config, overrides.pop("scale"))
    if seed is not None:
        overrides["seed"] = seed
    cfg = load_config(config, overrides, sample=sample)
    cfg.launcher = launcher
    if device is not None:
        cfg.device = device
    if work_dir is not None:
        cfg.work_dir = os.fspath(work_dir)
    elif Path(config).is_dir():
        cfg.work_dir = os.fspath(config)
    elif not cfg.get("work_dir"):
        cfg.work_dir = str(Path("work_dirs") / Path(cfg.filename).stem)
    return cfg


def leave_out(cfg: Config, *stages: str) -> None:
    """Drop what only the given stages need, so that their data and weights may be missing.

    Args:
        cfg: The config, changed in place.
        stages: ``"train"``, ``"val"`` or ``"test"``.
    """
    for stage in stages:
        for key in STAGES[stage]:
            cfg[key] = None
    if "train" in stages:
        cfg.param_scheduler = None
        for part in (cfg.get("backbone"), *(cfg.get("model") or {}).values()):
            _drop_starts(part)


def _drop_starts(part: Any) -> None:
    """Remove the weights that a component and its own parts would start training from."""
    if isinstance(part, dict):
        part.pop("start_from", None)
        for value in part.values():
            _drop_starts(value)


def check_complete(cfg: Config) -> None:
    """Refuse a config that has only some of the keys that a stage needs.

    Args:
        cfg: The config, before injection.

    Raises:
        ConfigError: Naming the keys that are set and those that are not.
    """
    closed_form = (cfg.get("train_cfg") or {}).get("type") == "ClosedFormLoop"
    for keys in STAGES.values():
        missing = [key for key in keys if cfg.get(key) is None]
        if closed_form and missing == ["optim_wrapper"]:
            continue
        if missing and len(missing) < len(keys):
            present = [key for key in keys if key not in missing]
            raise ConfigError(
                f"the config sets {' and '.join(present)}, but not {' and '.join(missing)}: they"
                " belong together; set all three, or all to None."
            )
