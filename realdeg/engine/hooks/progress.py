"""Report the progress of a run: a summary, regular lines, and scalars for curves."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_distributed
from mmengine.hooks import Hook
from torch import distributed

from realdeg.engine.environment import device_name
from realdeg.engine.hooks.baseline import compared_with_input
from realdeg.engine.state import component_of, unwrapped
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count
from realdeg.utils.mmengine_internals import backward_passes, iterations_done
from realdeg.version import __version__

# Numbers of the config that ScheduleHook moves: their value, not a mean, as for rates.
_SCHEDULED = ("train/degradation.", "train/model.")


@HOOKS.register_module()
class ProgressHook(Hook):
    """Logs a summary before the first iteration, then the progress.

    Each line has the mean losses and times since the line before. The same values go to the
    visualizer as ``train/...`` and ``val/...`` (``scalars.json``, and TensorBoard where the config
    names it).

    Args:
        interval: The number of iterations between lines. The first iteration always gets one.
    """

    priority = "BELOW_NORMAL"

    def __init__(self, interval: Count = 100) -> None:
        self.interval = interval
        self._since = 0
        self._first = True
        self._val_began = 0.0
        self._pace = Pace()

    def before_train(self, runner: Any) -> None:
        """Log the summary."""
        for line in summary_lines(runner):
            runner.say("%s", line)
        # From now on the console shows all messages.
        runner.console.quiet = False
        self._since, self._first = runner.iter, True
        self._pace = Pace()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Log the progress, if it is due."""
        done = runner.iter + 1
        self._pace.iteration(done)
        if done % self.interval and done != runner.max_iters and not self._first:
            return
        self._first = False
        scalars = {}
        for name, buffer in runner.message_hub.log_scalars.items():
            if name.startswith("train/"):
                last = name.endswith("lr") or name.startswith(_SCHEDULED)
                scalars[name] = float(buffer.current() if last else buffer.mean(done - self._since))
        self._since = done
        scalars = mean_over_processes(scalars, runner.device)
        runner.visualizer.add_scalars(scalars, step=done)
        runner.logger.info("%s", self._line(runner, done, scalars))

    def before_val(self, runner: Any) -> None:
        """Start the clock."""
        self._val_began = time.monotonic()

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Log the metrics of a validation."""
        seconds = time.monotonic() - self._val_began
        if metrics:
            self._pace.validation(seconds)
        self._report(runner, "val", metrics or {}, seconds)

    def before_test(self, runner: Any) -> None:
        """Start the clock."""
        self._val_began = time.monotonic()

    def after_test_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Log the metrics of a test."""
        self._report(runner, "test", metrics or {}, time.monotonic() - self._val_began)

    def after_run(self, runner: Any) -> None:
        """Close the visualizer's files."""
        runner.visualizer.close()

    def _report(self, runner: Any, stage: str, metrics: Mapping[str, Any], seconds: float) -> None:
        numbers = {key: float(value) for key, value in metrics.items() if _is_number(value)}
        if not numbers:
            return
        iteration = iterations_done(runner)
        runner.visualizer.add_scalars(
            {f"{stage}/{key}": value for key, value in numbers.items()}, step=iteration
        )
        at = f" at {iteration}" if stage == "val" and iteration else ""
        shown = "  ".join(
            f"{key} {value:.4f}{compared_with_input(runner, key, value) if stage == 'val' else ''}"
            for key, value in numbers.items()
        )
        runner.say("%s", f"{stage}{at}: {shown}  ({seconds:.1f} s)")

    def _line(self, runner: Any, done: int, scalars: Mapping[str, float]) -> str:
        losses = {
            name.removeprefix("train/"): value
            for name, value in scalars.items()
            if name not in ("train/time", "train/data_time") and not name.endswith("lr")
        }
        if len(losses) == 2 and losses.get("loss") in [v for k, v in losses.items() if k != "loss"]:
            losses = {key: value for key, value in losses.items() if key != "loss"}
        width = len(str(runner.max_iters))
        parts = [f"iteration {done:>{width}}/{runner.max_iters}"]
        parts += [f"{name} {value:.4g}" for name, value in losses.items()]
        if "train/lr" in scalars:
            parts.append(f"lr {scalars['train/lr']:.3g}")
        if "train/time" in scalars:
            step, data = scalars["train/time"], scalars.get("train/data_time", 0.0)
            left = self._pace.left(runner.train_loop, done)
            waited = f"{100 * data / step:.0f} % waiting for data" if step > 0 else ""
            parts.append(f"{_seconds(step)}/iteration, {waited}")
            if left is not None:
                parts.append(f"{datetime.timedelta(seconds=int(left))} left")
        return "  ".join(parts)


class Pace:
    """Estimates the remaining time of a run.

    The first iterations fill caches, start workers and choose algorithms, so they are left out, and
    there is no estimate before a few more are done. Validations are added once one has been timed.
    """

    # The iterations that are left out, and what must follow them before an estimate.
    _WARM_UP, _LEAST_ITERATIONS, _LEAST_SECONDS = 2, 3, 1.0

    def __init__(self) -> None:
        self._seen = 0
        self._began = 0.0
        self._last = 0.0
        self._validating = 0.0
        self._validations: list[float] = []

    def iteration(self, done: int) -> None:
        """Record an iteration; ``done`` is their number in the whole run."""
        self._seen += 1
        self._last = time.monotonic()
        if self._seen == self._WARM_UP:
            self._began, self._validating = self._last, 0.0

    def validation(self, seconds: float) -> None:
        """Record the time of a validation."""
        self._validations.append(seconds)
        self._validating += seconds

    def left(self, loop: Any, done: int) -> float | None:
        """Estimate the remaining seconds; None if it is too early.

        Args:
            loop: The training loop.
            done: The number of completed iterations.
        """
        counted = self._seen - self._WARM_UP
        rest = int(loop.max_iters) - done
        if not rest:
            return 0.0
        # Checkpoints and other hooks are part of the time between iterations.
        training = self._last - self._began - self._validating
        if counted < self._LEAST_ITERATIONS or training < self._LEAST_SECONDS:
            return None
        seconds = training / counted * rest
        if self._validations:
            # The first one may have taken longer.
            latest = self._validations[-3:]
            count = loop.max_iters // loop.val_interval - done // loop.val_interval
            count += loop.max_iters % loop.val_interval > 0
            seconds += count * sum(latest) / len(latest)
        return seconds


def mean_over_processes(scalars: dict[str, float], device: torch.device) -> dict[str, float]:
    """Return the mean of each value over all processes; every process must call it.

    Args:
        scalars: Values by name; the names are the same in every process.
        device: The device of this process.
    """
    if not is_distributed():
        return scalars
    values = torch.tensor(list(scalars.values()), dtype=torch.float64, device=device)
    distributed.all_reduce(values)
    means = (values / distributed.get_world_size()).tolist()
    return dict(zip(scalars, means, strict=True))


def summary_lines(runner: Any) -> list[str]:
    """Describe a training run in a few lines.

    Args:
        runner: The runner; everything is built.

    Returns:
        At most sixteen lines.
    """
    model, loop = unwrapped(runner.model), runner.train_loop
    found = component_of(model)
    module = found[1] if found else model
    describe = getattr(module, "describe", None)
    what = str(describe()) if callable(describe) else type(module).__name__
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    whole = sum(p.numel() for p in model.parameters())
    loader = loop.dataloader
    passes = backward_passes(runner.optim_wrapper)
    batch = (loader.batch_size or 1) * runner.world_size * passes
    rows = [("trains", f"{type(model).__name__}: {what.splitlines()[0][:160]}")]
    if runner.cfg.get("sample"):
        rows.append(("sample", "the built-in sample and a short schedule: no result to report"))
    rows.append(("parameters", f"{trained:,}" + (f" of {whole:,}" if whole != trained else "")))
    rows += [("data", line) for line in _data_lines(loader.dataset)]
    if runner.val_loop is not None:
        lines = _data_lines(runner.val_loop.dataloader.dataset)[:2]
        rows += [("validation", line) for line in lines]
    parts = f" in {passes} backward passes" if passes > 1 else ""
    rows.append(("batch", f"{batch}{parts}, {loader.num_workers} workers per process"))
    scales = getattr(loader.sampler, "scales", None)
    if scales:
        listed = ", ".join(f"{scale:g}" for scale in scales)
        rows.append(("scales", f"{listed}: one is drawn for each batch"))
    begun = f", {loop.iter:,} of them done" if loop.iter else ""
    rows.append(("iterations", f"{loop.max_iters:,}{begun}"))
    processes = "" if runner.world_size == 1 else f", {runner.world_size} processes"
    threads = f", {torch.get_num_threads()} threads" if runner.device.type == "cpu" else ""
    rows.append(("device", f"{device_name(runner.device)}{threads}{processes}"))
    rows.append(("work dir", runner.work_dir))
    log = getattr(runner.logger, "log_file", None)
    if log:
        rows.append(("log", str(Path(log).relative_to(runner.work_dir))))
    return [f"realdeg {__version__}"] + [f"  {name:<11}{text}" for name, text in rows]


def _data_lines(dataset: Any) -> list[str]:
    summary = getattr(dataset, "summary", None)
    if not callable(summary):
        return [f"{type(dataset).__name__}: {len(dataset)} items"]
    lines = str(summary()).strip().splitlines()
    return lines if len(lines) <= 4 else [*lines[:3], f"and {len(lines) - 3} more"]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not math.isnan(float(value))


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"
