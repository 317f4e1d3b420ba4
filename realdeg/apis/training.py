"""Train a degradation or a network from a recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from realdeg.apis.recipes import Recipe, check_complete, open_recipe
from realdeg.config import inject
from realdeg.config.check import check_files
from realdeg.config.data_sets import build_data_sets, use_data_sets
from realdeg.config.fill import recipe_hint
from realdeg.errors import ConfigError, OutputError, RealdegError, argument_name
from realdeg.registry import BACKBONES
from realdeg.utils.description import read_description
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.locks import exclusive
from realdeg.utils.processes import Launcher, rank, world_size

if TYPE_CHECKING:
    from realdeg.engine import RealdegRunner


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a training run.

    Attributes:
        work_dir: The folder of checkpoints, logs and weights.
        iterations: How many iterations the run has done, including those before a resume.
        weights: The self-describing files of weights, such as ``backbone.safetensors``.
        stopped: Why the run ended before its last iteration, if
            ``EarlyStopHook`` or ``TimeLimitHook`` ended it.
        validations: The metric that this hook watched, by iteration.
    """

    work_dir: Path
    iterations: int
    weights: tuple[Path, ...]
    stopped: str = ""
    validations: Mapping[int, float] = field(default_factory=dict)


def train(
    config: Recipe,
    *,
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    seed: int | None = None,
    work_dir: str | os.PathLike[str] | None = None,
    device: str | None = None,
    launcher: Launcher = "none",
    resume: bool | str | os.PathLike[str] | None = None,
    **fields: Any,
) -> TrainingResult:
    """Train a degradation or a super-resolution network, as ``realdeg train`` does.

    The config and every data file are checked before the first iteration.

    Args:
        config: A config file, a run's folder, or a name such as ``dml/dml_n8_realsr_x4``.
        options: Dotted keys and their values, such as ``{"train_cfg.max_iters": 1000}``.
        sample: Run the recipe on the built-in sample images with a short schedule.
        seed: The seed of every random stream; None: the config's.
        work_dir: The folder for all output. None: the run's folder that ``config`` names, the
            config's, or ``work_dirs/NAME``.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; None: the config's, or the accelerator if
            there is one.
        launcher: ``"pytorch"`` under torchrun.
        resume: True resumes from the newest checkpoint of the work dir, a path from that file.
            False starts again. None: as the config states.
        **fields: Top-level fields of the config, such as ``scale=2``.

    Raises:
        ConfigError: If the config is not found or broken, or there is nothing to train.
        DataError: If images are missing or damaged.
        GeometryError: If scale or grid of data, degradation and backbone differ.
        CheckpointError: If weights cannot be read, or do not fit.
        OutputError: If the work dir cannot be written, is in use, or holds weights that a sample
            run would replace.
        TrainingError: If the training cannot go on.

    Example:
        >>> import realdeg
        >>> realdeg.train("dml/dml_n8_realsr_x4", sample=True, seed=3)  # doctest: +SKIP
    """
    processes = world_size(launcher)
    cfg = open_recipe(
        config,
        options,
        fields,
        sample=sample,
        seed=seed,
        work_dir=work_dir,
        device=device,
        launcher=launcher,
    )
    if resume is not None:
        # A recipe's initial weights count until the run has its own checkpoint.
        cfg.resume = resume is True and (
            not cfg.get("load_from") or any(Path(cfg.work_dir).glob("iter_*.pth"))
        )
    check_complete(cfg)
    _refuse_zero_shot(cfg)
    if cfg.get("train_dataloader") is None:
        raise ConfigError("the config has no 'train_dataloader': there is nothing to train on.")
    cfg = inject(cfg, processes)
    check_files(cfg)
    from realdeg.engine import RealdegRunner
    from realdeg.engine.hooks.early_stop import SEEN, STOPPED
    from realdeg.engine.state import unwrapped

    folder = ensure_writable_dir(cfg.work_dir)
    # Locked before anything is written. The other processes of a run follow the first one.
    with exclusive(folder, "training run") if rank() == 0 else nullcontext():
        if cfg.get("sample"):
            _refuse_to_overwrite(folder)
        data_sets = build_data_sets(cfg, ("train_dataloader", "val_dataloader"))
        with recipe_hint(cfg):
            runner = RealdegRunner.from_cfg(cfg)
        use_data_sets(runner, data_sets)
        try:
            if resume is not None and not isinstance(resume, bool):
                runner.resume_from(os.fspath(resume))
            _refuse_nothing_to_train(cfg, runner)
            check_data = getattr(unwrapped(runner.model), "check_data", None)
            if check_data is not None and not cfg.get("sample"):
                check_data(data_sets["train_dataloader"])
            with recipe_hint(cfg):
                runner.train()
        finally:
            runner.close()
        weights = tuple(sorted(folder.glob("*.safetensors")))
        for file in weights:
            runner.say("wrote %s", file)
        if rank() == 0:
            _draw_curves(folder, runner)
    hub = runner.message_hub
    return TrainingResult(
        folder,
        runner.iter,
        weights,
        stopped=str(hub.get_info(STOPPED) or ""),
        validations=dict((hub.get_info(SEEN) or {}).get("values", {})),
    )


def _draw_curves(folder: Path, runner: RealdegRunner) -> None:
    """Draw the run's curves, if it has logged enough; a picture is no reason for a run to fail."""
    from realdeg.apis.curve_pictures import CURVES, draw_curves
    from realdeg.runs import read_run

    try:
        draw_curves([read_run(folder)], folder / CURVES)
    except (RealdegError, ImportError) as error:
        runner.logger.warning("%s was not drawn: %s", CURVES, error)


def _refuse_zero_shot(cfg: Config) -> None:
    """Refuse a method that trains on each image when it is used."""
    name = (cfg.get("backbone") or {}).get("type")
    if name is not None and getattr(BACKBONES.get(name), "zero_shot", False):
        raise ConfigError(
            f"there is nothing to train: {name} trains on each image when it is used. Use it with"
            " `realdeg test` or `realdeg infer`."
        )


def _refuse_nothing_to_train(cfg: Config, runner: RealdegRunner) -> None:
    """Refuse a run that would not change any weights."""
    if any(parameter.requires_grad for parameter in runner.model.parameters()):
        return
    named = cfg.get("backbone") or cfg.get("degradation") or {}
    found = named.get("type") or named.get("checkpoint") or "the model"
    raise ConfigError(
        f"there is nothing to train: {found} has no parameters, or is frozen because it comes"
        " from a file. Name a type to train; load_from=CHECKPOINT starts it from weights."
    )


def _refuse_to_overwrite(work_dir: Path) -> None:
    """Keep a sample run from replacing weights that took days to train."""
    for name in ("degradation.safetensors", "backbone.safetensors"):
        described = read_description(work_dir / name)
        if described is not None and not described.meta.get("sample"):
            raise OutputError(
                f"{work_dir / name} was trained on real data, and this sample run would replace"
                f" it: choose another {argument_name('work_dir')}."
            )
