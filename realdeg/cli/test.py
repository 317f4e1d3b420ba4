"""``realdeg test``: measure a model, and write a report in which every number has its protocol."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from realdeg.cli.run_weights import take_arguments, weights_of_run
from realdeg.errors import ConfigError, RealdegError
from realdeg.utils.memory import memory_for

if TYPE_CHECKING:
    from realdeg.engine import RealdegRunner
    from realdeg.evaluation import Report
    from realdeg.utils.samples import Prediction, Predictions


_KERNEL_ERRORS = tuple(
    f"kernel/{name}_mean" for name in ("relative", "textured_relative", "constant_relative")
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "config", help="a config file, a run's folder, or a name such as dml/dml_n8_realsr_x4"
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        help="a training checkpoint (.pth) or exported weights (.safetensors); none for a run's"
        " folder, and for what needs no training, such as degradation=Bicubic",
    )
    add_run_options(parser)
    add_config_options(parser)
    parser.add_argument("--no-pictures", action="store_true", help="write numbers only")


def run(args: argparse.Namespace) -> int:
    """Test.

    Args:
        args: The parsed options.

    Returns:
        0.

    Raises:
        SystemExit: With code 130 or 143 after Ctrl-C or SIGTERM, once the image is measured and
            the report written.
    """
    processes = world_size(args.launcher)
    cfg = prepare(args)
    _leave_out_training(cfg)
    if args.checkpoint is None and Path(args.config).is_dir():
        args.checkpoint = weights_of_run(Path(args.config), cfg)
    if args.checkpoint is not None:
        cfg.load_from = args.checkpoint
        take_arguments(cfg, args.checkpoint)
    cfg.resume = False
    from realdeg.config.fill import naming_sibling
    from realdeg.utils.files import ensure_writable_dir

    if cfg.get("test_dataloader") is None:
        raise ConfigError("the config has no 'test_dataloader': there is nothing to test on.")
    check_complete(cfg)
    cfg = _with_needed_degradation(cfg, processes)
    # A folder of its own: the training's log and config stay as they are.
    folder = ensure_writable_dir(Path(cfg.work_dir) / "test")
    cfg.work_dir = str(folder)

    from realdeg.engine import RealdegRunner

    with naming_sibling(cfg):
        runner = RealdegRunner.from_cfg(cfg)
    try:
        _refuse_untrained(cfg, runner)
        predictions = _KeepPredictions.register(runner)
        _measure(cfg, runner, args, folder)
        if rank() == 0 and not args.no_pictures:
            _draw(runner, predictions, folder)
    finally:
        runner.close()
    return 0


def _measure(cfg: Config, runner: RealdegRunner, args: argparse.Namespace, folder: Path) -> None:
    """Run the test; whatever ends it, its report is kept, and the terminal says where."""
    from realdeg.cli.measuring import ReportHook, why
    from realdeg.config.fill import naming_sibling

    kept = ReportHook(lambda runner: _head(cfg, runner, args), folder)
    runner.register_hook(kept)
    # Several processes stop together or not at all, so there a signal ends each at once.
    alone = runner.world_size == 1
    try:
        advice = "Measure smaller images or fewer at once, or on another device."
        with (
            naming_sibling(cfg),
            runner.interruption if alone else nullcontext(),
            memory_for("the test of a whole image", advice),
        ):
            runner.test()
        if runner.interruption.requested:
            raise runner.interruption.leave()
        if rank() != 0:
            return
        report = kept.finish(runner, lambda report: _add_kernel_errors(report, runner))
        _show(report, folder)
    except BaseException as error:
        stopped = runner.interruption
        reason = f"stopped by {stopped.name()}." if stopped.requested else why(error)
        sentence = kept.give_up(runner, reason)
        if sentence:
            print(sentence, file=sys.stderr)
        raise


def _leave_out_training(cfg: Config) -> None:
    """Drop what only training needs, so that its data and weights need not be there."""
    for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"):
        cfg[key] = None
    for key in ("val_dataloader", "val_cfg", "val_evaluator"):
        cfg[key] = None
    if isinstance(cfg.get("backbone"), dict):
        cfg.backbone.pop("start_from", None)


def _with_needed_degradation(cfg: Config, processes: int) -> Config:
    """Make the config ready; a network's degradation stays where the test data have no LR.

    Pairs bring their own LR, so a test on them needs no degradation, nor its file.
    """
    from realdeg.config import inject
    from realdeg.datasets import has_lr

    jointly = (cfg.get("model") or {}).get("train_degradation")
    if cfg.get("backbone") is None or cfg.get("degradation") is None or jointly:
        ready = inject(cfg, processes)
        check_data(ready, ("test_dataloader",))
        return ready
    degradation, cfg.degradation = cfg.degradation, None
    ready = inject(cfg, processes)
    (dataset,) = check_data(ready, ("test_dataloader",))
    if has_lr(dataset):
        return ready
    cfg.degradation = degradation
    return inject(cfg, processes)


def _refuse_untrained(cfg: Config, runner: RealdegRunner) -> None:
    from realdeg.engine.state import bare, component_of

    found = component_of(runner.model)
    if cfg.get("load_from") or found is None:
        return
    if {"checkpoint", "pretrained"} & set(cfg.get(found[0]) or {}):
        return
    if getattr(found[1], "brings_weights", False):
        return
    # What is frozen came from a file; what has parameters to train needs weights.
    if any(parameter.requires_grad for parameter in bare(runner.model).parameters()):
        raise ConfigError(
            f"the {found[0]} {type(found[1]).__name__} is untrained, so its numbers would mean"
            f" nothing: give a checkpoint, `realdeg test CONFIG {found[0]}.safetensors`."
        )


class _KeepPredictions:
    """Holds the first predictions of a test for the pictures."""

    @staticmethod
    def register(runner: RealdegRunner) -> list[Prediction]:
        from mmengine.hooks import Hook

        from realdeg.cli.pictures import MOST_ROWS

        kept: list[Prediction] = []

        class Keep(Hook):
            def after_test_iter(
                self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
            ) -> None:
                kept.extend((outputs or [])[: MOST_ROWS - len(kept)])

        runner.register_hook(Keep())
        return kept


def _head(cfg: Config, runner: RealdegRunner, args: argparse.Namespace) -> Report:
    from realdeg.config import config_name
    from realdeg.config.fill import recipe_of
    from realdeg.engine.state import bare, component_of
    from realdeg.evaluation import Report
    from realdeg.utils.component import component_hash

    loop: Any = runner.test_loop
    dataset = loop.dataloader.dataset
    summary = getattr(dataset, "summary", None)
    found = component_of(runner.model)
    facts: dict[str, Any] = {
        "Config": args.config,
        "Scale": f"{cfg.scale}, LR {'on the HR grid' if cfg.same_size else 'smaller than HR'}",
        "Seed": cfg.seed,
        "Device": str(runner.device),
    }
    digest, weights = None, args.checkpoint
    if found is not None:
        kind, module = found
        component: Any = module
        facts[kind.capitalize()] = getattr(component, "describe", lambda: type(module).__name__)()
        named = cfg.get(kind) or {}
        weights = weights or named.get("checkpoint") or named.get("pretrained")
        state = module.state_dict()
        if state:  # Bicubic has no weights that could be told apart
            digest = component_hash(type(module).__name__, component.arguments, state)
    made_by = getattr(bare(runner.model), "active_degradation", None)
    if made_by is not None and found is not None and found[0] == "backbone":
        facts["LR"] = f"made of HR by {made_by.describe()}, seeded by each image's name"
    objective = _objective(weights)
    if objective:
        facts["Trained for"] = objective
    return Report(
        title=recipe_of(cfg) or config_name(cfg.filename),
        dataset=summary() if callable(summary) else type(dataset).__name__,
        checkpoint=weights,
        checkpoint_hash=digest,
        sample=bool(cfg.get("sample")),
        facts=facts,
    )


def _objective(weights: str | None) -> str | None:
    """Return what an exported file says of the losses that it was trained with."""
    from realdeg.utils.description import read_description

    described = read_description(weights) if weights else None
    said = described.meta if described else {}
    return str(said["objective"]) if "objective" in said else None


def _add_kernel_errors(report: Report, runner: RealdegRunner) -> None:
    """Where the camera is simulated, its kernels are known: say how near the learned ones are."""
    loop: Any = runner.test_loop
    dataset = loop.dataloader.dataset
    camera, degradation = _truth(runner, dataset)
    if camera is None or degradation is None:
        return
    from realdeg.evaluation.kernel_error import compare_with_truth

    images = {}
    for index in range(len(dataset)):
        item = dataset[index]
        images[item["key"]] = item["hr"]
    try:
        errors = compare_with_truth(degradation, camera, images)
    except ConfigError:  # not a field of kernels
        return
    except RealdegError as error:
        report.add_scores({}, missing={"relative_mean": str(error)}, prefix="kernel")
        return
    report.add_scores(errors, prefix="kernel")


def _truth(runner: RealdegRunner, dataset: Any) -> tuple[Any, Any]:
    from realdeg.datasets import simulated_camera
    from realdeg.engine.state import component_of

    found = component_of(runner.model)
    degradation = found[1] if found is not None and found[0] == "degradation" else None
    return simulated_camera(dataset), degradation


def _show(report: Report, folder: Path) -> None:
    from realdeg.evaluation.report import SAMPLE_NOTICE, number_text

    # The report has every kernel error; a terminal is better off with the telling ones.
    shown = {
        name: value
        for name, value in report.averages.items()
        if not name.startswith("kernel/") or name in _KERNEL_ERRORS
    }
    width = max((len(name) for name in shown), default=0)
    print(f"\n{report.title} on {report.dataset}")
    for name, value in shown.items():
        print(f"  {name:<{width}}  {number_text(name, value)}")
    for name, reason in report.missing.items():
        print(f"  {name}: n/a, {reason}")
    for name, meaning in report.meanings.items():
        print(f"  {name}: {meaning}")
    if report.sample:
        print(f"\n{SAMPLE_NOTICE}")
    for path in report.write(folder):
        print(f"wrote {path}")


def _draw(runner: RealdegRunner, predictions: Predictions, folder: Path) -> None:
    from realdeg.cli.pictures import kernels, sheet
    from realdeg.evaluation.protocols import Protocol, get_protocol

    loop: Any = runner.test_loop
    own = [getattr(metric, "protocol", None) for metric in loop.evaluator.metrics]
    # Metrics of the degradation itself have protocols of another kind.
    protocols = [protocol for protocol in own if isinstance(protocol, Protocol)]
    camera, degradation = _truth(runner, loop.dataloader.dataset)
    written: list[Path] = []
    if predictions:
        protocol = protocols[0] if protocols else get_protocol("realsr-official")
        path = folder / "comparison.png"
        written.append(sheet(predictions, degradation is not None, protocol, path))
    if degradation is not None and predictions:
        written += kernels(degradation, predictions[0]["input"], folder, camera)
    for path in written:
        print(f"wrote {path}")
