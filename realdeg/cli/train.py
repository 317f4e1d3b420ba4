"""``realdeg train``: train what a config names."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config

from realdeg.cli.common import (
    add_config_options,
    add_run_options,
    check_complete,
    check_data,
    prepare,
    rank,
    world_size,
)
from realdeg.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from realdeg.engine import RealdegRunner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "config", help="a config file, a run's folder, or a name such as dml/dml_n8_realsr_x4"
    )
    add_run_options(parser)
    add_config_options(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="PATH",
        help="go on from the newest checkpoint of the work dir, or from PATH",
    )


def run(args: argparse.Namespace) -> int:
    """Train.

    Args:
        args: The parsed options.

    Returns:
        0.
    """
    processes = world_size(args.launcher)
    cfg = prepare(args)
    if args.resume is not None:
        # What a recipe begins with counts until the run has a checkpoint of its own.
        cfg.resume = args.resume == "auto" and (
            not cfg.get("load_from") or any(Path(cfg.work_dir).glob("iter_*.pth"))
        )
    from realdeg.config import inject
    from realdeg.utils.files import ensure_writable_dir
    from realdeg.utils.locks import exclusive

    check_complete(cfg)
    if cfg.get("train_dataloader") is None:
        raise ConfigError("the config has no 'train_dataloader': there is nothing to train on.")
    cfg = inject(cfg, processes)
    work_dir = ensure_writable_dir(cfg.work_dir)
    # Before anything is written there. The other processes of a run follow the first one.
    with exclusive(work_dir, "training run") if rank() == 0 else nullcontext():
        _train(cfg, args.resume)
    return 0


def _train(cfg: Config, resume: str | None) -> None:
    from realdeg.config.fill import naming_sibling
    from realdeg.engine import RealdegRunner

    work_dir = Path(cfg.work_dir)
    if cfg.get("sample"):
        _refuse_to_overwrite(work_dir)
    check_data(cfg, ("train_dataloader", "val_dataloader"))
    with naming_sibling(cfg):
        runner = RealdegRunner.from_cfg(cfg)
    try:
        if resume not in (None, "auto"):
            runner.go_on_from(str(resume))
        _refuse_idle(cfg, runner)
        with naming_sibling(cfg):
            runner.train()
    finally:
        runner.close()
    for file in sorted(work_dir.glob("*.safetensors")):
        runner.say("wrote %s", file)


def _refuse_idle(cfg: Config, runner: RealdegRunner) -> None:
    """Refuse a run that would change no weight."""
    if any(parameter.requires_grad for parameter in runner.model.parameters()):
        return
    named = cfg.get("backbone") or cfg.get("degradation") or {}
    found = named.get("type") or named.get("checkpoint") or "the model"
    raise ConfigError(
        f"there is nothing to train: {found} has no parameters, or is frozen because it comes"
        " from a file. Name a type to train; load_from=CHECKPOINT starts it from weights."
    )


def _refuse_to_overwrite(work_dir: Path) -> None:
    """Keep a sample run from taking the place of weights that cost days."""
    from realdeg.utils.description import read_description

    for name in ("degradation.safetensors", "backbone.safetensors"):
        described = read_description(work_dir / name)
        if described is not None and not described.meta.get("sample"):
            raise OutputError(
                f"{work_dir / name} was trained on real data, and this sample run would replace"
                " it: choose another --work-dir."
            )
