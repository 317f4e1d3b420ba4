"""Warn of a loss that does not decrease."""

from __future__ import annotations

import math
from statistics import fmean, variance
from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict

from realdeg.engine.hooks.baseline import INPUT
from realdeg.engine.state import unwrapped
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count

_NOTE = "loss_means"
# The numbers of blocks after which the two halves are compared: after 1000, 2000, 4000 and 8000
# iterations in blocks of 100. Later the loss may be constant: the model has converged.
_AFTER = (10, 20, 40, 80)
# A loss that falls by less than this share from the first half to the second stands still...
_LEAST_FALL = 0.01
# ...if a fall by more than this can also be excluded at two standard errors.
_SURELY_LESS = 0.03


@HOOKS.register_module()
class StandstillHook(Hook):
    """Warns of a loss that stands still from the start.

    The means of blocks of iterations are kept. After 10, 20, 40 and 80 blocks the second half is
    compared with the first, without the very first block, in which most losses drop steeply. There
    is no warning with several optimisers, whose losses oppose each other, for runs that start from
    weights, and for a model that a validation found better than its input.

    Args:
        block: The number of iterations whose losses are averaged.
    """

    def __init__(self, block: Count = 100) -> None:
        self.block = block
        self._watching = False

    def before_train(self, runner: Any) -> None:
        """Decide whether there is anything to watch."""
        hub = runner.message_hub
        several = isinstance(runner.optim_wrapper, OptimWrapperDict)
        state = hub.get_info(_NOTE)
        if state is None:
            from_scratch = not runner.iter and not runner.loaded_from
            state = {"means": [], "sum": 0.0, "open": from_scratch and not _has_weights(runner)}
            hub.update_info(_NOTE, state)
        adversarial = getattr(unwrapped(runner.model), "adversarial", False)
        self._watching = bool(state["open"]) and not several and not adversarial

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Add the loss, and compare if it is due."""
        buffer = runner.message_hub.log_scalars.get("train/loss")
        if not self._watching or buffer is None:
            return
        state = dict(runner.message_hub.get_info(_NOTE))
        state["sum"] += float(buffer.current())
        if (runner.iter + 1) % self.block == 0:
            state["means"] = [*state["means"], state["sum"] / self.block]
            state["sum"] = 0.0
            count = len(state["means"])
            if count in _AFTER:
                self._compare(runner, state)
            if count >= _AFTER[-1]:
                state["open"] = False
            self._watching = state["open"]
        runner.message_hub.update_info(_NOTE, state)

    def _compare(self, runner: Any, state: dict[str, Any]) -> None:
        means = state["means"]
        half = len(means) // 2
        early, late = means[1:half], means[half:]
        first, second = fmean(early), fmean(late)
        if not first > 0:
            return
        error = math.sqrt(variance(early) / len(early) + variance(late) / len(late)) / first
        fall = 1 - second / first
        if fall >= _LEAST_FALL or fall + 2 * error >= _SURELY_LESS or _is_better(runner):
            return
        state["open"] = False
        runner.logger.warning(
            "the loss stands still: %.4g on average over iterations %d to %d, %.4g over %d to %d."
            " A smaller (or larger) learning rate, another initialisation or another loss may"
            " help.",
            first,
            self.block + 1,
            half * self.block,
            second,
            half * self.block + 1,
            len(means) * self.block,
        )


def _is_better(runner: Any) -> bool:
    """Return whether the last validation found the model better than its input."""
    noted = runner.message_hub.get_info(INPUT)
    for name, score in (noted["scores"] if noted else {}).items():
        buffer = runner.message_hub.log_scalars.get(f"val/{name}")
        if "psnr" in name and buffer is not None:
            return float(buffer.current()) > float(score) + 0.1
    return False


def _has_weights(runner: Any) -> bool:
    """Return whether the component that is trained starts from weights."""
    part = runner.cfg.get(str(getattr(unwrapped(runner.model), "component", "")))
    named = ("checkpoint", "pretrained", "start_from")
    return isinstance(part, dict) and any(part.get(name) for name in named)
