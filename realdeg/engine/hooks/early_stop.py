"""End a training that gains nothing any more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from mmengine.hooks import Hook

from realdeg.engine.hooks.baseline import find_metric, less_is_better
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count, NonNegative

STOPPED = "stopped_early"
"""The message hub's key of what ended the run: a sentence."""
SEEN = "early_stop"
"""The message hub's key of the values so far, by iteration, and of the best of them."""


@HOOKS.register_module()
class EarlyStopHook(Hook):
    """Ends the run when several validations in a row have not improved a metric.

    What it has seen is part of the checkpoint, so that a resumed run ends where the whole run would
    have ended. The weights of the best validation are kept by ``SaveCheckpointHook.save_best``.

    Args:
        metric: The metric, for instance ``"psnr"``.
        patience: The number of validations in a row without a gain.
        min_gain: The least difference from the best value so far that counts as a gain.
        rule: Whether ``"greater"`` or ``"less"`` is better. None decides by the metric's name.
    """

    priority = "LOW"  # after the validation is logged, before the checkpoint is written

    def __init__(
        self,
        metric: str = "psnr",
        patience: Count = 5,
        min_gain: NonNegative = 0.0,
        rule: Literal["greater", "less"] | None = None,
    ) -> None:
        self.metric, self.patience = metric, patience
        self.min_gain, self.rule = min_gain, rule

    def before_train(self, runner: Any) -> None:
        """Stay stopped if the run had ended before it was resumed."""
        if runner.iter and runner.message_hub.get_info(STOPPED):
            runner.train_loop.stop_training = True

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Compare with the best validation so far, and end the run if it is time."""
        if not metrics or not runner.training:
            return
        hub, now = runner.message_hub, runner.iter
        name = find_metric(metrics, self.metric, "EarlyStopHook.metric")
        score = float(metrics[name]) * (-1 if less_is_better(name, self.rule) else 1)
        state = dict(hub.get_info(SEEN) or {"best": -math.inf, "at": 0, "without": []})
        values = {**state.get("values", {}), now: float(metrics[name])}
        # By iteration: a validation that is repeated after a kill counts once.
        without = [iteration for iteration in state["without"] if iteration < now]
        if score > state["best"] + self.min_gain:
            state = {"best": score, "at": now, "without": []}
        elif now != state["at"]:
            state["without"] = [*without, now]
        hub.update_info(SEEN, {**state, "values": values})
        if len(state["without"]) >= self.patience and now < runner.max_iters:
            reason = (
                f"no gain of {name} in {self.patience} validations (best at iteration"
                f" {state['at']})"
            )
            stop(runner, reason)


def stop(runner: Any, reason: str) -> None:
    """End the run after this iteration.

    Args:
        runner: The runner.
        reason: Why, as the end of a sentence; ``train`` returns it.
    """
    runner.message_hub.update_info(STOPPED, reason)
    runner.train_loop.stop_training = True
    runner.say("stopped after iteration %d: %s", runner.iter, reason)
