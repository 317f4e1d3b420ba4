"""Check before a training on pairs whether they are aligned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any

from annotated_types import Ge
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from realdeg.engine.state import unwrapped
from realdeg.evaluation.alignment_limits import AlignmentLimits, judge_alignment, measure_pairs
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count


@HOOKS.register_module()
class AlignmentHook(Hook):
    """Measures a few real pairs before the first iteration, and warns of misaligned ones.

    A model trained on misaligned pairs learns the misalignment. ``default_hooks.alignment=None``
    turns the measurement off. A resumed run does not measure again.

    Args:
        pairs: The number of pairs of each data set, spread evenly over it.
        side: The side of the centre crop that is measured, in LR pixels.
        limits: Limits that differ from
            :class:`~realdeg.evaluation.alignment_limits.AlignmentLimits`.

    Raises:
        ConfigError: If a limit is unknown.
    """

    priority = "LOW"  # after the summary, which opens the console

    def __init__(
        self,
        pairs: Count = 4,
        side: Annotated[int, Ge(64)] = 512,
        limits: dict[str, float] | None = None,
    ) -> None:
        self.pairs, self.side = pairs, side
        self.limits = AlignmentLimits(**(limits or {}))

    def before_train(self, runner: Any) -> None:
        """Measure, and report the result."""
        # Adversarial tasks may learn from unpaired images.
        if runner.iter or getattr(unwrapped(runner.model), "adversarial", False):
            return
        if not is_main_process():
            return
        for dataset in _paired(runner.train_loop.dataloader.dataset):
            began = time.monotonic()
            scale, same_size = dataset.scale, dataset.same_size
            found = measure_pairs(
                dataset.load, len(dataset), scale, same_size, self.pairs, self.side
            )
            if not found:
                continue
            verdict = judge_alignment(found, scale, same_size, self.limits)
            for name, pair in found.items():
                self._note(runner, f"alignment of '{name}': {pair.describe()}")
            label = getattr(dataset, "label", type(dataset).__name__)
            if verdict.fault:
                runner.logger.warning(
                    "the pairs of %s are off: %s. A model trained on them learns the"
                    " misalignment: register them first. docs/alignment.md has the values of"
                    " published data sets; default_hooks.alignment=None turns this check off.",
                    label,
                    verdict.fault,
                )
            else:
                runner.say("pairs of %s: %s", label, verdict.summary)
            self._note(runner, f"measured in {time.monotonic() - began:.1f} s")

    def _note(self, runner: Any, text: str) -> None:
        """Write to the log file only."""
        runner.logger.info("%s", text, extra={"console": False})


def _paired(dataset: Any) -> Iterator[Any]:
    """Yield the data sets whose items are pairs, also those in mixtures."""
    inner = getattr(dataset, "datasets", None)
    if isinstance(inner, list | tuple):
        for part in inner:
            yield from _paired(part)
        return
    needed = ("load", "scale", "same_size")
    if not all(hasattr(dataset, name) for name in needed) or not len(dataset):
        return
    records = getattr(dataset, "records", None)
    # Data sets of files state whether they hold pairs before anything is read.
    if records and records[0].lr is None and getattr(dataset, "mode", "hr") != "pairs":
        return
    yield dataset
