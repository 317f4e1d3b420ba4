"""What doing nothing would give, beside every validation."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook

from realdeg.engine.state import unwrapped
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count
from realdeg.utils.samples import Predictions

INPUT = "validation_input"
"""The message hub's note of what the input itself scores."""
_BELOW = "validations_below_input"
# Differences below this, in dB, are no difference.
_EVEN = 0.02


@HOOKS.register_module()
class BaselineHook(Hook):
    """Measures the input of the validation once, by the metrics of the run.

    The input of a network is its LR image, enlarged by bicubic interpolation where the network
    enlarges; that of a degradation is the bicubic reduction of HR (``ImageTask.baseline``). The
    numbers stand beside those of every validation and are kept in checkpoints. A model that is
    worse than its input in several validations, or at the end, is named.

    Args:
        patience: How many validations in a row below the input are told.
    """

    def __init__(self, patience: Count = 3) -> None:
        self.patience = patience
        self._twins: list[Any] = []

    def before_val_epoch(self, runner: Any) -> None:
        """Prepare to measure, if that has not been done."""
        self._twins = []
        if getattr(unwrapped(runner.model), "baseline", None) is None:
            return
        loop = runner.val_loop
        metrics = [m for m in loop.evaluator.metrics if getattr(m, "compares_images", False)]
        noted = runner.message_hub.get_info(INPUT)
        if not metrics or (noted and noted["of"] == _signature(runner, metrics)):
            return
        for metric in metrics:
            twin = copy.copy(metric)
            twin.results = []
            self._twins.append(twin)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: object = None, outputs: Predictions = ()
    ) -> None:
        """Measure the inputs of a batch."""
        if not self._twins:
            return
        task: Any = unwrapped(runner.model)
        samples = []
        for sample in outputs:
            image = task.baseline(sample)
            if image is None or image.shape[-2:] != sample["target"].shape[-2:]:
                self._twins = []
                return
            other = {key: value for key, value in sample.items() if key != "prediction_rgb"}
            samples.append({**other, "prediction": image})
        for twin in self._twins:
            twin.process(data_batch=None, data_samples=samples)

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Note what the input scores; name a model that stays below it."""
        twins, self._twins = self._twins, []
        hub = runner.message_hub
        if not metrics:
            return
        if twins:
            scores: dict[str, float] = {}
            for twin in twins:
                found = twin.evaluate(len(runner.val_loop.dataloader.dataset))
                scores |= {name: float(value) for name, value in found.items()}
            hub.update_info(INPUT, {"of": _signature(runner, twins), "scores": scores})
        noted = hub.get_info(INPUT)
        if noted and runner.training:
            self._judge(runner, metrics, noted["scores"])

    def _judge(self, runner: Any, metrics: Mapping[str, Any], scores: Mapping[str, float]) -> None:
        name = next((key for key in scores if _short(key) == "psnr" and key in metrics), None)
        task = unwrapped(runner.model)
        # What a discriminator likes is further from the target than what is blurred.
        if name is None or getattr(task, "adversarial", False):
            return
        hub = runner.message_hub
        state = dict(hub.get_info(_BELOW) or {"row": [], "told": False})
        below = float(metrics[name]) < scores[name] - _EVEN
        # By iteration: one that is made up for after a kill counts once.
        state["row"] = [*(i for i in state["row"] if i < runner.iter), runner.iter] if below else []
        last = runner.iter >= runner.max_iters and not runner.cfg.get("sample")
        if below and not state["told"] and (last or len(state["row"]) >= self.patience):
            state["told"] = True
            count = len(state["row"])
            runner.logger.warning(
                "the model is worse than doing nothing: %s is %.2f, that of %s is %.2f (%d"
                " validation%s in a row below it). A smaller learning rate, another"
                " initialisation or another loss may help; so may a look at the pairs (realdeg"
                " browse).",
                name,
                float(metrics[name]),
                getattr(task, "baseline_name", "its input"),
                scores[name],
                count,
                "" if count == 1 else "s",
            )
        hub.update_info(_BELOW, state)


def beside_input(runner: Any, name: str, value: float) -> str:
    """Phrase what a metric's value is beside that of the input.

    Args:
        runner: Its message hub has the input's scores.
        name: The metric's name.
        value: Its value.

    Returns:
        For instance ``" (input 27.1, -0.9)"``, or an empty string where the input was not measured.
    """
    noted = runner.message_hub.get_info(INPUT)
    score = noted["scores"].get(name) if noted else None
    if score is None or not math.isfinite(score) or not math.isfinite(value):
        return ""
    return f" (input {score:.4g}, {value - score:+.2g})"


def _signature(runner: Any, metrics: Any) -> str:
    """Say what was measured: the metrics, and on how many images."""
    names = sorted(label for metric in metrics for label in getattr(metric, "labels", ()))
    return f"{len(runner.val_loop.dataloader.dataset)} images: {', '.join(names)}"


def _short(metric: str) -> str:
    return metric.partition("[")[0].rpartition("/")[2].lower()
