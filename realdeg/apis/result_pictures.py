"""The figures of a test: inputs, predictions, targets and learned kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from torch import Tensor, nn

from realdeg.evaluation import measure
from realdeg.evaluation.image_quality import chosen_prediction
from realdeg.evaluation.protocols import Protocol, get_protocol
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.samples import Prediction, Predictions
from realdeg.visualization import SheetRow, comparison_sheet
from realdeg.visualization.learned import learned_kernels

_ROWS = 6


class KeepPredictions(Hook):
    """Keeps the first predictions of a test for its figures."""

    def __init__(self) -> None:
        self.kept: list[Prediction] = []

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep as many as the figure has rows."""
        self.kept.extend((outputs or [])[: _ROWS - len(self.kept)])


def draw_predictions(
    predictions: Predictions,
    evaluator: Evaluator,
    folder: Path,
    degradation: nn.Module | None,
    camera: nn.Module | None,
) -> list[Path]:
    """Draw predictions side by side, and the kernels of a learned degradation.

    Args:
        predictions: What the task's ``predict`` returned.
        evaluator: Its metrics define the protocol.
        folder: Where the figures are written.
        degradation: The degradation that was tested, if it was one.
        camera: The simulated camera of the test data, if there is one.

    Returns:
        The paths of the figures.
    """
    if not predictions:
        return []
    own = [getattr(metric, "protocol", None) for metric in evaluator.metrics]
    # Degradation metrics have another kind of protocol.
    protocols = [protocol for protocol in own if isinstance(protocol, Protocol)]
    protocol = protocols[0] if protocols else get_protocol("realsr-official")
    path = folder / "comparison.png"
    written = [_sheet(predictions, degradation is not None, protocol, path)]
    if degradation is not None:
        written += learned_kernels(degradation, predictions[0]["input"], folder, camera)
    return written


def _sheet(predictions: Predictions, learned: bool, protocol: Protocol, path: Path) -> Path:
    """Draw inputs, predictions and targets side by side, with the PSNR of each."""
    names = ("HR", "generated LR", "real LR") if learned else ("LR", "SR", "HR")
    rows = []
    for item in predictions:
        source, shown, target = item["input"], _shown(item), item["target"]
        if shown.shape[0] == 1:
            source, target = rgb_to_y(source), rgb_to_y(target)
        images = dict(zip(names, (source, shown, target), strict=True))
        rows.append(SheetRow(item["key"], images, {names[1]: _number(item, protocol)}))
    caption = f"PSNR in dB, protocol {protocol.name}"
    return comparison_sheet(rows, path, caption=caption)


@torch.no_grad()
def _number(prediction: Prediction, protocol: Protocol) -> float:
    scores = measure(
        chosen_prediction(prediction, protocol),
        prediction["target"],
        protocol,
        ["psnr"],
        scale=prediction["scale"],
        where=f"image '{prediction['key']}'",
        grey=bool((prediction.get("meta") or {}).get("grey")),
    )
    values = scores[protocol.label("psnr")]
    return sum(values) / len(values)


def _shown(prediction: Prediction) -> Tensor:
    return prediction.get("prediction_rgb", prediction["prediction"])
