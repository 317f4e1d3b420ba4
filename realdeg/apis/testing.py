"""Evaluate what a recipe or a run's folder names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from realdeg.apis.recipes import Recipe, check_complete, leave_out, open_recipe
from realdeg.apis.refining import refine_test
from realdeg.apis.run_weights import take_arguments, weights_of_run
from realdeg.apis.test_protocol import ProtocolName, use_protocol
from realdeg.config import inject
from realdeg.config.check import check_files
from realdeg.config.data_sets import build_data_sets
from realdeg.config.shape import trains_degradation
from realdeg.errors import ConfigError
from realdeg.utils.files import ensure_writable_dir, weights_in
from realdeg.utils.processes import Launcher, world_size

if TYPE_CHECKING:
    from realdeg.evaluation import Report


def test(
    config: Recipe,
    checkpoint: str | os.PathLike[str] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    seed: int | None = None,
    work_dir: str | os.PathLike[str] | None = None,
    device: str | None = None,
    launcher: Launcher = "none",
    pictures: bool = True,
    self_ensemble: bool | None = None,
    back_projection: Mapping[str, Any] | None = None,
    protocol: ProtocolName | Sequence[ProtocolName] | None = None,
    when_measured: Callable[[Report], object] | None = None,
    **fields: Any,
) -> Report:
    """Evaluate a degradation or a network, as ``realdeg test`` does.

    The report is written to the folder ``test`` of the work dir while images are measured, so an
    interrupted test keeps its results.

    Args:
        config: A config file, a run's folder, or a name such as ``dml/dml_n8_realsr_x4``.
        checkpoint: A training checkpoint (``.pth``) or weights (``.safetensors``). None: those of
            the run's folder or of the config; what needs no training needs none.
        options: Dotted keys and their values, such as ``{"degradation.type": "Bicubic"}``.
        sample: Test on the built-in sample images.
        seed: The seed of every random stream; None: the config's.
        work_dir: The parent of the folder ``test``. None: the run's folder that ``config`` names,
            the config's, or ``work_dirs/NAME``.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; None: the config's, or the accelerator if
            there is one.
        launcher: ``"pytorch"`` under torchrun.
        pictures: Also draw predictions, and the kernels of a learned degradation.
        self_ensemble: Whether a network's images are the mean of eight passes, over the rotations
            and reflections of the input; None: as ``test_cfg`` of the config states.
        back_projection: ``dict(degradation=..., iterations=10)`` corrects a network's images, as
            for :class:`realdeg.SuperResolver`; None: as ``test_cfg`` states.
        protocol: The evaluation protocol of every image metric, a name or ``dict(base="rgb",
            border=4)``, or several of them, so that networks of different recipes are measured
            alike; None: as the config states.
        when_measured: Called with the complete report before figures are drawn, on the first
            process.
        **fields: Top-level fields of the config, such as ``scale=2``.

    Returns:
        The report; ``report.files`` lists what was written. With several processes only the first
        one's has results.

    Raises:
        ConfigError: If the config is not found or broken, or what it names is untrained.
        DataError: If images are missing or damaged.
        GeometryError: If scale or grid of data, weights and config differ.
        CheckpointError: If weights cannot be read, or do not fit.
        OutputError: If the report cannot be written.
        SystemExit: With code 130 or 143 after Ctrl-C or SIGTERM, once the current image is measured
            and the report written.
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
    leave_out(cfg, "train", "val")
    refine_test(cfg, self_ensemble, back_projection)
    if protocol is not None:
        use_protocol(cfg, protocol)
    if checkpoint is None and Path(config).is_dir():
        checkpoint = weights_of_run(Path(config), cfg)
    if checkpoint is not None:
        checkpoint = os.fspath(weights_in(checkpoint) or checkpoint)
        cfg.load_from = checkpoint
        take_arguments(cfg, checkpoint)
    cfg.resume = False
    if cfg.get("test_dataloader") is None:
        raise ConfigError("the config has no 'test_dataloader': there is nothing to test on.")
    check_complete(cfg)
    cfg, data_sets = _with_needed_degradation(cfg, processes)
    check_files(cfg, "model.backbone")
    # A separate folder keeps the log and config of the training.
    folder = ensure_writable_dir(Path(cfg.work_dir) / "test")
    cfg.work_dir = str(folder)
    from realdeg.apis.measuring import measure

    return measure(
        *(cfg, data_sets, os.fspath(config), checkpoint),
        pictures=pictures,
        when_measured=when_measured,
    )


def _with_needed_degradation(cfg: Config, processes: int) -> tuple[Config, dict[str, Any]]:
    """Inject the config and build the data; keep a network's degradation only if it is needed.

    Pairs have their own LR, so a test on them needs neither a degradation nor its file.
    """
    from realdeg.datasets import has_lr

    keys = ("test_dataloader",)
    without = cfg.get("backbone") is None or cfg.get("degradation") is None
    if without or trains_degradation(cfg.model):
        ready = inject(cfg, processes)
        return ready, build_data_sets(ready, keys)
    degradation, cfg.degradation = cfg.degradation, None
    ready = inject(cfg, processes)
    data_sets = build_data_sets(ready, keys)
    if has_lr(*data_sets.values()):
        return ready, data_sets
    cfg.degradation = degradation
    return inject(cfg, processes), {}
