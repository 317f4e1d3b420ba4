"""Closed-form fitting: one pass over whole images, then a solver instead of steps."""

from __future__ import annotations

import time
from typing import Any

import torch
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from realdeg.engine.state import unwrapped
from realdeg.errors import ConfigError
from realdeg.registry import LOOPS


@LOOPS.register_module()
class ClosedFormLoop(BaseLoop):
    """Passes every image to the model once, solves, validates and saves.

    The task has ``accumulate(batch)`` and ``solve()``. A run cannot be resumed midway: the sums
    are useless until they are complete.

    Args:
        runner: The runner; it has a single process.
        dataloader: The training data: each image once, whole, unaugmented.

    Raises:
        ConfigError: If the run has several processes, or a sampler that never ends.
    """

    max_epochs = 1
    epoch = 0
    val_begin = 1

    def __init__(self, runner: Any, dataloader: DataLoader[Any] | dict[str, Any]) -> None:
        if runner.world_size > 1:
            raise ConfigError(
                "ClosedFormLoop is one pass and one solve: start it in a single process, without"
                " a launcher."
            )
        super().__init__(runner, dataloader)
        if hasattr(self.dataloader.sampler, "start"):
            raise ConfigError(
                f"ClosedFormLoop needs a sampler that ends, got"
                f" {type(self.dataloader.sampler).__name__}: set train_dataloader.sampler ="
                " dict(type='EvalSampler')."
            )
        self.max_iters = len(self.dataloader)
        self.val_interval = self.max_iters
        self.stop_training = False
        self._epoch = 0
        self._iter = 0

    @property
    def iter(self) -> int:
        """The number of batches seen."""
        return self._iter

    def run(self) -> torch.nn.Module:
        """Fit the model and return it."""
        runner = self.runner
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")
        if self._iter < self.max_iters:
            self._fit()
            if runner.val_loop is not None:
                runner.val_loop.run()
        runner.call_hook("after_train_epoch")
        runner.call_hook("after_train")
        model: torch.nn.Module = runner.model
        return model

    def _fit(self) -> None:
        runner = self.runner
        model: Any = unwrapped(runner.model)
        for name in ("accumulate", "solve"):
            if not hasattr(model, name):
                raise ConfigError(
                    f"ClosedFormLoop needs a task with accumulate() and solve();"
                    f" {type(model).__name__} has no {name}()."
                )
        model.eval()
        reported = time.monotonic()
        with torch.no_grad():
            for count, batch in enumerate(self.dataloader, 1):
                model.accumulate(batch)
                if time.monotonic() - reported > 10:
                    reported = time.monotonic()
                    runner.say("summed over %d of %d images", count, self.max_iters)
            runner.say("solving after %d batches", self.max_iters)
            model.solve()
        self._iter = self.max_iters
