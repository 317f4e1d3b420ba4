"""Run a test and write its report while images are measured."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook

from realdeg.apis.result_pictures import KeepPredictions, draw_predictions
from realdeg.config import config_name
from realdeg.config.data_sets import use_data_sets
from realdeg.config.fill import recipe_hint, recipe_of
from realdeg.datasets import simulated_camera
from realdeg.engine import RealdegRunner
from realdeg.engine.state import component_of, unwrapped
from realdeg.errors import ConfigError, OutputError, RealdegError, first_line
from realdeg.evaluation import Report
from realdeg.evaluation.kernel_error import compare_with_truth
from realdeg.utils.component import component_hash
from realdeg.utils.description import read_description
from realdeg.utils.memory import memory_for
from realdeg.utils.processes import rank

logger = logging.getLogger(__name__)

# Writing takes at most this share of the time of a test.
_SHARE = 0.05


def measure(
    cfg: Config,
    data_sets: Mapping[str, Any],
    config: str,
    checkpoint: str | None,
    *,
    pictures: bool = True,
    when_measured: Callable[[Report], object] | None = None,
) -> Report:
    """Build what a config names, test it and return the report, which is also written.

    Args:
        cfg: The injected config; the report goes to its ``work_dir``.
        data_sets: Data sets that are already built, by data loader.
        config: The config as the user named it.
        checkpoint: The weights as the user named them, if any.
        pictures: Also draw predictions and learned kernels.
        when_measured: Called with the complete report before figures are drawn, on the first
            process.
    """
    folder = Path(cfg.work_dir)
    with recipe_hint(cfg):
        runner = RealdegRunner.from_cfg(cfg)
    use_data_sets(runner, data_sets)
    try:
        _refuse_untrained(cfg, runner)
        predictions = KeepPredictions()
        runner.register_hook(predictions)
        report = _measure(cfg, runner, config, checkpoint, folder)
        if rank() == 0 and when_measured is not None:
            when_measured(report)
        if rank() == 0 and pictures:
            camera, degradation = _true_camera(runner)
            report.files += draw_predictions(
                predictions.kept, runner.test_loop.evaluator, folder, degradation, camera
            )
    finally:
        runner.close()
    return report


class ReportHook(Hook):
    """Keeps a report up to date during a test, so that an interrupted test keeps its results.

    ``report.json`` and ``report.md`` are replaced after each image, or less often if images are
    measured faster than files are written. Until the end they are marked as unfinished.

    Args:
        head: Makes a report without results, once the weights are loaded.
        folder: Where the report is written.
    """

    priority = "LOWEST"

    def __init__(self, head: Callable[[RealdegRunner], Report], folder: Path) -> None:
        self.head, self.folder = head, folder
        self.report: Report | None = None
        self._seen: list[int] = []
        self._total = 0
        self._next = 0.0
        self._written = False

    def before_test(self, runner: Any) -> None:
        """Start the report."""
        loop = runner.test_loop
        self._total = len(loop.dataloader.dataset)
        self._seen = [0] * len(loop.evaluator.metrics)
        self.report = self.head(runner)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Add the results of the batch."""
        if rank() != 0 or self.report is None:
            return
        for number, metric in enumerate(runner.test_loop.evaluator.metrics):
            results = getattr(metric, "results", [])
            for scores in results[self._seen[number] :]:
                # Third-party metrics may keep results of any kind.
                if hasattr(scores, "key") and callable(getattr(scores, "mean", None)):
                    self.report.add_image(scores, getattr(metric, "prefix", None) or "")
            self._seen[number] = len(results)
        if time.monotonic() >= self._next:
            self._write(f"{self._progress()} when this was written.")

    def finish(self, runner: RealdegRunner, after: Callable[[Report], None]) -> Report:
        """Add the means, write the report and return it; only the first process writes.

        Args:
            runner: The runner after its test.
            after: Adds more results; the means are on disk before it is called.
        """
        loop: Any = runner.test_loop
        assert self.report is not None
        if rank() != 0:
            return self.report
        for metric in loop.evaluator.metrics:
            if hasattr(metric, "averages"):
                self.report.add(metric)
        self._write("all images are measured; more results were expected when this was written.")
        after(self.report)
        self.report.unfinished = ""
        self.report.write(self.folder)
        return self.report

    def give_up(self, runner: RealdegRunner, reason: str) -> str:
        """Keep what was measured before a test ended early.

        Args:
            runner: Its evaluator holds what was measured.
            reason: Why it ended, as a sentence.

        Returns:
            A sentence that states what was kept; empty if nothing had been measured.
        """
        if rank() != 0 or self.report is None or not self.report.images:
            return ""
        loop: Any = runner.test_loop
        for metric in loop.evaluator.metrics:
            if getattr(metric, "averages", None):
                try:
                    self.report.add(metric)
                except ConfigError:  # already added
                    continue
        try:
            self._write(f"{self._progress()}, then the test ended: {reason}")
        except OutputError:
            if not self._written:
                return ""
        return f"{self._progress()}: kept in {self.folder / 'report.md'}, marked as incomplete."

    def _progress(self) -> str:
        count = len(self.report.images) if self.report is not None else 0
        return f"{count} of {self._total} images are measured"

    def _write(self, unfinished: str) -> None:
        assert self.report is not None
        self.report.unfinished = unfinished
        start = time.monotonic()
        self.report.write(self.folder)
        self._written = True
        end = time.monotonic()
        self._next = end + (end - start) / _SHARE


def _measure(
    cfg: Config, runner: RealdegRunner, config: str, checkpoint: str | None, folder: Path
) -> Report:
    """Run the test; if it is interrupted, keep its report and log where."""
    kept = ReportHook(lambda runner: _head(cfg, runner, config, checkpoint), folder)
    runner.register_hook(kept)
    # Several processes must stop together, so there a signal ends each at once.
    alone = runner.world_size == 1
    try:
        advice = "Test smaller images or fewer at once, or on another device."
        with (
            recipe_hint(cfg),
            runner.interruption if alone else nullcontext(),
            memory_for("the test of a whole image", advice),
        ):
            runner.test()
        if runner.interruption.requested:
            raise runner.interruption.leave()
        return kept.finish(runner, lambda report: _add_kernel_errors(report, runner))
    except BaseException as error:
        stopped = runner.interruption
        reason = f"stopped by {stopped.name()}." if stopped.requested else _why(error)
        sentence = kept.give_up(runner, reason)
        if sentence:
            logger.warning("%s", sentence)
        raise


def _refuse_untrained(cfg: Config, runner: RealdegRunner) -> None:
    found = component_of(runner.model)
    if cfg.get("load_from") or found is None:
        return
    if {"checkpoint", "pretrained"} & set(cfg.get(found[0]) or {}):
        return
    if getattr(found[1], "brings_weights", False):
        return
    # A frozen component came from a file; one with trainable parameters needs weights.
    if any(parameter.requires_grad for parameter in unwrapped(runner.model).parameters()):
        raise ConfigError(
            f"the {found[0]} {type(found[1]).__name__} is untrained, so its results would mean"
            f" nothing: give a checkpoint, `realdeg test CONFIG {found[0]}.safetensors`."
        )


def _head(cfg: Config, runner: RealdegRunner, config: str, checkpoint: str | None) -> Report:
    """Return a report that states what is tested and on which data, without results."""
    loop: Any = runner.test_loop
    dataset = loop.dataloader.dataset
    summary = getattr(dataset, "summary", None)
    found = component_of(runner.model)
    facts: dict[str, Any] = {
        "Config": config,
        "Scale": f"{cfg.scale}, LR {'on the HR grid' if cfg.same_size else 'smaller than HR'}",
        "Seed": cfg.seed,
        "Device": str(runner.device),
    }
    digest, weights = None, checkpoint
    refinement = getattr(loop, "refinement", None)
    added = refinement.describe() if refinement else ""
    if found is not None:
        kind, module = found
        component: Any = module
        facts[kind.capitalize()] = (
            getattr(component, "describe", lambda: type(module).__name__)() + added
        )
        named = cfg.get(kind) or {}
        weights = weights or named.get("checkpoint") or named.get("pretrained")
        state = module.state_dict()
        if state:  # Bicubic has no weights to identify
            digest = component_hash(type(module).__name__, component.arguments, state)
    made_by = getattr(unwrapped(runner.model), "active_degradation", None)
    if made_by is not None and found is not None and found[0] == "backbone":
        facts["LR"] = f"made of HR by {made_by.describe()}, seeded by each image's name"
    objective = _objective(weights)
    if objective:
        facts["Trained for"] = objective
    return Report(
        title=(recipe_of(cfg) or config_name(cfg.filename)) + added,
        dataset=summary() if callable(summary) else type(dataset).__name__,
        checkpoint=weights,
        checkpoint_hash=digest,
        sample=bool(cfg.get("sample")),
        facts=facts,
    )


def _objective(weights: str | None) -> str | None:
    """Return the losses that an exported file was trained with, if it states them."""
    described = read_description(weights) if weights else None
    notes = described.meta if described else {}
    return str(notes["objective"]) if "objective" in notes else None


def _add_kernel_errors(report: Report, runner: RealdegRunner) -> None:
    """Add the errors of learned kernels if the camera is simulated and the true ones known."""
    loop: Any = runner.test_loop
    dataset = loop.dataloader.dataset
    camera, degradation = _true_camera(runner)
    if camera is None or degradation is None:
        return
    images, places = {}, {}
    for index in range(len(dataset)):
        item = dataset[index]
        images[item["key"]] = item["hr"]
        place = (item.get("meta") or {}).get("place")
        if place is not None:
            places[item["key"]] = place
    try:
        errors = compare_with_truth(degradation, camera, images, places=places)
    except ConfigError:  # not a field of kernels
        return
    except RealdegError as error:
        report.add_scores({}, missing={"relative_mean": str(error)}, prefix="kernel")
        return
    report.add_scores(errors, prefix="kernel")


def _true_camera(runner: RealdegRunner) -> tuple[Any, Any]:
    """Return the simulated camera of the test data and the degradation that is tested."""
    loop: Any = runner.test_loop
    found = component_of(runner.model)
    degradation = found[1] if found is not None and found[0] == "degradation" else None
    return simulated_camera(loop.dataloader.dataset), degradation


def _why(error: BaseException) -> str:
    """Return in one sentence what ended a test."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted."
    if isinstance(error, RealdegError):
        return first_line(error)
    return f"{type(error).__name__}: {first_line(error)}"
