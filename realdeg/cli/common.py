"""What the commands share: options, processes, devices."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from realdeg.cli.options import add_cfg_options
from realdeg.errors import ConfigError, DataError


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that change a config: ``--cfg-options``, ``--sample``, ``--seed``."""
    add_cfg_options(
        parser,
        "override config values, e.g. degradation.type=DirectNet train_cfg.max_iters=1000;"
        " a changed type replaces the whole dict",
    )
    parser.add_argument(
        "--sample",
        action="store_true",
        help="run the recipe on the built-in sample images with a short schedule",
    )
    parser.add_argument("--seed", type=int, help="seed of every random stream")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that runs a model: where, on what, how many processes."""
    parser.add_argument("--work-dir", help="folder of everything written")
    parser.add_argument(
        "--device", help="cpu, cuda or cuda:1; taken from what the machine has by default"
    )
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch"),
        default="none",
        help="'pytorch' under torchrun",
    )


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the command line's config values; ``--seed`` is one of them."""
    options = dict(args.cfg_options)
    if args.seed is not None:
        options["seed"] = args.seed
    return options


def _from_environment(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    return int(value) if value.isdigit() else default


def rank() -> int:
    """Return this process's rank; 0 where torchrun did not start it."""
    return _from_environment("RANK", 0)


def world_size(launcher: str) -> int:
    """Return how many processes take part.

    Args:
        launcher: ``"none"`` or ``"pytorch"``.

    Returns:
        The number of processes.

    Raises:
        ConfigError: If torchrun's variables are missing under ``pytorch``.
    """
    if launcher == "none":
        return 1
    missing = [name for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE") if name not in os.environ]
    if missing:
        raise ConfigError(
            f"--launcher {launcher} needs torchrun ({', '.join(missing)} not set):"
            " torchrun --nproc-per-node 2 -m realdeg train CONFIG --launcher pytorch"
        )
    return _from_environment("WORLD_SIZE", 1)


def prepare(args: argparse.Namespace) -> Config:
    """Load the config that a command names and fill in what the command line says.

    Args:
        args: Has ``config``, and what ``add_config_options`` and ``add_run_options`` add.

    Returns:
        The config before injection, with ``work_dir``, ``launcher`` and ``device``.
    """
    from realdeg.config import load_config

    cfg = load_config(args.config, options_of(args), sample=args.sample)
    cfg.launcher = args.launcher
    if args.device is not None:
        cfg.device = args.device
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif Path(args.config).is_dir():
        cfg.work_dir = args.config
    elif not cfg.get("work_dir"):
        cfg.work_dir = str(Path("work_dirs") / Path(cfg.filename).stem)
    return cfg


_TOGETHER = (
    ("train_dataloader", "train_cfg", "optim_wrapper"),
    ("val_dataloader", "val_cfg", "val_evaluator"),
    ("test_dataloader", "test_cfg", "test_evaluator"),
)


def check_complete(cfg: Config) -> None:
    """Refuse a config that has only some of what a training, a validation or a test needs.

    Args:
        cfg: The config.

    Raises:
        ConfigError: Naming what is there and what is not.
    """
    closed_form = (cfg.get("train_cfg") or {}).get("type") == "ClosedFormLoop"
    for keys in _TOGETHER:
        missing = [key for key in keys if cfg.get(key) is None]
        if closed_form and missing == ["optim_wrapper"]:
            continue
        if missing and len(missing) < len(keys):
            there = [key for key in keys if key not in missing]
            raise ConfigError(
                f"the config sets {' and '.join(there)}, but not {' and '.join(missing)}: they"
                " belong together; set all three, or all to None."
            )


def check_data(cfg: Config, keys: Sequence[str]) -> list[Any]:
    """Look at every file of the data before anything is built, and say what there is.

    Args:
        cfg: The injected config.
        keys: Which data loaders.

    Returns:
        The data sets of those that the config has.

    Raises:
        DataError: If files are missing or damaged.
        GeometryError: If they are of another geometry, naming the recipe that fits.
    """
    from realdeg.config.fill import naming_sibling
    from realdeg.registry import DATASETS

    datasets = []
    for key in keys:
        if cfg.get(key) is None:
            continue
        with naming_sibling(cfg):
            dataset = DATASETS.build(cfg[key]["dataset"])
            if callable(getattr(dataset, "check", None)):
                dataset.check()
            _check_remainders(cfg, key, dataset)
        datasets.append(dataset)
    return datasets


def _check_remainders(cfg: Config, key: str, dataset: Any) -> None:
    """Refuse HR images that no degradation can shrink, before the first one meets it."""
    remainders = getattr(dataset, "remainders", None)
    found = remainders() if cfg.get("degradation") is not None and callable(remainders) else []
    if found:
        more = f"\n  and {len(found) - 1} more" if len(found) > 1 else ""
        raise DataError(
            f"'{key}' holds HR images that the degradation cannot shrink: add"
            " dict(type='ModCrop') as the first transform, which cuts the last rows and columns,"
            f" or remove these files.\n  {found[0]}{more}"
        )
