"""Train a recipe on the sample and return the file of weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realdeg.apis.recipes import leave_out
from realdeg.config import inject, load_config
from realdeg.demo.console import AdvanceHook, Steps
from realdeg.demo.plan import LEARN_RECIPE, TRAIN_RECIPE, Plan
from realdeg.engine import RealdegRunner


def patches(size: int) -> list[dict[str, Any]]:
    """Return the transforms of a training set: crop, flip, pack."""
    return [
        dict(type="PairedCrop", patch_size=size),
        dict(type="Flip", horizontal=True, vertical=True, transpose=False),
        dict(type="PackSample"),
    ]


def sample_pairs(patch: int) -> dict[str, Any]:
    """Return the config of the simulated camera's own pairs."""
    return dict(type="SampleDataset", split="train", transforms=patches(patch))


def folder_pairs(hr: Path, lr: Path, patch: int) -> dict[str, Any]:
    """Return the config of pairs that were synthesised to a folder."""
    return dict(
        type="PairedFolderDataset",
        hr_dir=str(hr.resolve()),
        lr_dir=str(lr.resolve()),
        transforms=patches(patch),
    )


def mixture(*datasets: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a mixture in equal shares."""
    return dict(type="MixtureDataset", datasets=list(datasets), ratios=[1] * len(datasets))


def learning(plan: Plan, folder: Path, seed: int) -> RealdegRunner:
    """Build the run that learns the camera.

    Args:
        plan: The sizes.
        folder: The work dir.
        seed: The random seed.
    """
    options = {f"degradation.{name}": value for name, value in plan.degradation.items()}
    options["train_dataloader.dataset"] = sample_pairs(plan.learn_patch)
    return _runner(LEARN_RECIPE, options, plan.learn_iterations, plan.batch, folder, seed)


def super_resolution(plan: Plan, dataset: dict[str, Any], folder: Path, seed: int) -> RealdegRunner:
    """Build the run that trains a network.

    Args:
        plan: The sizes.
        dataset: Config of the training set.
        folder: The work dir.
        seed: The random seed.
    """
    options = {f"backbone.{name}": value for name, value in plan.backbone.items()}
    options["train_dataloader.dataset"] = dataset
    options["optim_wrapper.optimizer.lr"] = 1e-3
    return _runner(TRAIN_RECIPE, options, plan.train_iterations, plan.batch, folder, seed)


def train(runner: RealdegRunner, steps: Steps, text: str) -> Path:
    """Train with a progress bar and return the self-describing file of weights.

    Args:
        runner: What :func:`learning` or :func:`super_resolution` built.
        steps: Prints the progress.
        text: Text of the bar.
    """
    with steps.bar(text, runner.max_iters) as advance:
        runner.register_hook(AdvanceHook(advance), priority="LOWEST")
        try:
            runner.train()
        finally:
            runner.close()
    return Path(runner.work_dir) / f"{runner.model.component}.safetensors"


def _runner(
    recipe: str, options: dict[str, Any], iterations: int, batch: int, folder: Path, seed: int
) -> RealdegRunner:
    options = {
        **options,
        "seed": seed,
        "work_dir": str(folder),
        "train_cfg.max_iters": iterations,
        # So short a run gains a lot from a decaying learning rate.
        "param_scheduler": [dict(type="CosineAnnealingLR", T_max=iterations, eta_min=1e-5)],
        # There are few images and they are cached: workers would cost more than they save.
        "train_dataloader.num_workers": 0,
        "train_dataloader.batch_size": batch,
        "default_hooks.logger": None,
    }
    with _silent("realdeg.config"):
        cfg = load_config(recipe, options, sample=True)
    leave_out(cfg, "val")  # all networks are measured at the end of the demo
    return RealdegRunner.from_cfg(inject(cfg))


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Silence a logger's warning about a sample run; the demo states that itself."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
