"""End a training when its time is up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook

from realdeg.engine.devices import agree
from realdeg.engine.hooks.early_stop import stop
from realdeg.errors import ConfigError
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count, Positive

TIME_IS_UP = "the time is up"
"""How the reason of such an end begins."""


@HOOKS.register_module()
class TimeLimitHook(Hook):
    """Ends the run after a validation, before the time is up or at a stated iteration.

    The run ends after the validation behind which another interval of the last one's length would
    take too long. Machines slow down when other work begins, so an estimate from before the run is
    not enough. Time is not the same twice: to repeat a run that ended like this, state the
    iteration instead of the seconds.

    Args:
        seconds: From the start of the training, or from where it was resumed; None: any time.
        iteration: The last iteration, which has a validation; None: that of the loop.

    Raises:
        ConfigError: If neither is stated.
    """

    priority = "LOW"  # after the validation is logged, before the checkpoint is written

    def __init__(self, seconds: Positive | None = None, iteration: Count | None = None) -> None:
        if seconds is None and iteration is None:
            raise ConfigError("TimeLimitHook needs 'seconds' or 'iteration'.")
        self.seconds, self.iteration = seconds, iteration
        self._began = self._validated = 0.0

    def before_train(self, runner: Any) -> None:
        """Note the time, and stay stopped if the run had ended before it was resumed."""
        self._began = self._validated = time.monotonic()
        if self.iteration is not None and runner.iter >= self.iteration:
            stop(runner, f"{TIME_IS_UP} after iteration {self.iteration}")

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """End the run if the next validation would be too late."""
        if not runner.training or runner.iter >= runner.max_iters:
            return
        if self.iteration is not None and runner.iter >= self.iteration:
            stop(runner, f"{TIME_IS_UP} after iteration {self.iteration}")
            return
        now = time.monotonic()
        taken, self._validated = now - self._validated, now
        late = self.seconds is not None and now + taken - self._began > self.seconds
        if agree(late, runner.device):  # all processes end together
            stop(runner, f"{TIME_IS_UP}: {now - self._began:.0f} of {self.seconds:g} s are used")
