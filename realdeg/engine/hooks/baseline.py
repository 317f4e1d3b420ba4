"""The score of doing nothing, beside every validation."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, Literal

from mmengine.hooks import Hook

from realdeg.engine.state import unwrapped
from realdeg.errors import ConfigError
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count
from realdeg.utils.samples import Predictions

INPUT = "validation_input"
"""The message hub's key of the scores of the input itself."""
_BELOW = "validations_below_input"
_LESS = (
    *("loss", "error", "mse", "mae", "lpips", "dists", "gmsd", "distance", "shift"),
    *("niqe", "brisque", "piqe"),
)
# Differences below this, in dB, are ignored.
_EVEN = 0.02


@HOOKS.register_module()
class BaselineHook(Hook):
    """Measures the input of the validation once, by the metrics of the run.

    The input of a network is its LR image, enlarged by bicubic interpolation where the network
    enlarges; that of a degradation is HR reduced by bicubic interpolation (``ImageTask.baseline``).
    Its scores are logged beside those of every validation and kept in checkpoints. A model that is
    worse than its input in several validations, or at the end, gets a warning.

    Args:
        patience: The number of validations in a row below the input before the warning.
    """

    def __init__(self, patience: Count = 3) -> None:
        self.patience = patience
        self._metrics: list[Any] = []  # copies of the run's

    def before_val_epoch(self, runner: Any) -> None:
        """Prepare to measure the input, unless that has been done."""
        self._metrics = []
        if getattr(unwrapped(runner.model), "baseline", None) is None:
            return
        loop = runner.val_loop
        metrics = [m for m in loop.evaluator.metrics if getattr(m, "compares_images", False)]
        noted = runner.message_hub.get_info(INPUT)
        if not metrics or (noted and noted["of"] == _signature(runner, metrics)):
            return
        for metric in metrics:
            copied = copy.copy(metric)
            copied.results = []
            self._metrics.append(copied)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: object = None, outputs: Predictions = ()
    ) -> None:
        """Measure the inputs of a batch."""
        if not self._metrics:
            return
        task: Any = unwrapped(runner.model)
        samples = []
        for sample in outputs:
            image = task.baseline(sample)
            if image is None or image.shape[-2:] != sample["target"].shape[-2:]:
                self._metrics = []
                return
            other = {key: value for key, value in sample.items() if key != "prediction_rgb"}
            samples.append({**other, "prediction": image})
        for metric in self._metrics:
            metric.process(data_batch=None, data_samples=samples)

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Store the scores of the input, and warn of a model that stays below them."""
        copies, self._metrics = self._metrics, []
        hub = runner.message_hub
        if not metrics:
            return
        if copies:
            scores: dict[str, float] = {}
            for metric in copies:
                values = metric.evaluate(len(runner.val_loop.dataloader.dataset))
                scores |= {name: float(value) for name, value in values.items()}
            hub.update_info(INPUT, {"of": _signature(runner, copies), "scores": scores})
        noted = hub.get_info(INPUT)
        if noted and runner.training:
            self._compare(runner, metrics, noted["scores"])

    def _compare(
        self, runner: Any, metrics: Mapping[str, Any], scores: Mapping[str, float]
    ) -> None:
        name = next((key for key in scores if short_name(key) == "psnr" and key in metrics), None)
        task = unwrapped(runner.model)
        # Adversarial training moves further from the target than a blurred image is.
        if name is None or getattr(task, "adversarial", False):
            return
        hub = runner.message_hub
        state = dict(hub.get_info(_BELOW) or {"row": [], "told": False})
        below = float(metrics[name]) < scores[name] - _EVEN
        # By iteration: a validation that is repeated after a kill counts once.
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


def compared_with_input(runner: Any, name: str, value: float) -> str:
    """Compare the value of a metric with that of the input.

    Args:
        runner: Its message hub has the input's scores.
        name: The metric's name.
        value: The metric's value.

    Returns:
        For instance ``" (input 27.1, -0.9)"``, or an empty string where the input was not measured.
    """
    noted = runner.message_hub.get_info(INPUT)
    score = noted["scores"].get(name) if noted else None
    if score is None or not math.isfinite(score) or not math.isfinite(value):
        return ""
    return f" (input {score:.4g}, {value - score:+.2g})"


def _signature(runner: Any, metrics: Any) -> str:
    """Return which metrics were measured, and on how many images."""
    names = sorted(label for metric in metrics for label in getattr(metric, "labels", ()))
    return f"{len(runner.val_loop.dataloader.dataset)} images: {', '.join(names)}"


def short_name(metric: str) -> str:
    """Return ``"psnr"`` for ``"psnr[realsr-official]"`` and ``"realsr/PSNR"``."""
    return metric.partition("[")[0].rpartition("/")[2].lower()


def find_metric(metrics: Mapping[str, Any], wanted: str, argument: str) -> str:
    """Return the full name of a metric of the validation.

    Args:
        metrics: The values by name.
        wanted: A full name, or the short one: ``"psnr"`` finds ``"psnr[realsr-official]"``.
        argument: The argument that states it, for the message.

    Raises:
        ConfigError: If no metric or several match.
    """
    matching = [wanted] if wanted in metrics else []
    matching = matching or [name for name in metrics if short_name(name) == wanted]
    if len(matching) != 1:
        found = "several match" if matching else "none matches"
        raise ConfigError(
            f"{argument}='{wanted}': {found}; the validation gives {', '.join(sorted(metrics))}."
        )
    return matching[0]


def less_is_better(metric: str, rule: Literal["greater", "less"] | None = None) -> bool:
    """Return whether a smaller value of a metric is better; ``rule`` None: by its name."""
    return rule == "less" if rule else any(part in short_name(metric) for part in _LESS)
