"""The figures of a test: inputs, predictions, targets and learned kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from torch import Tensor, nn

from realdeg.apis.picture_scores import Square, crop_scores, with_chroma
from realdeg.degradations.primitives import imresize
from realdeg.evaluation.image_quality import chosen_prediction
from realdeg.evaluation.protocols import Protocol, get_protocol
from realdeg.tasks.degradation_learning import bicubic_of
from realdeg.utils.samples import Prediction, Predictions
from realdeg.visualization import SheetRow, comparison_sheet
from realdeg.visualization.learned import learned_kernels
from realdeg.visualization.sheets import telling_crop
from realdeg.visualization.style import pixels

_ROWS = 6
# Side of the crops: a quarter of the image, within these limits, in pixels of the larger images.
_CROP, _LEAST = 96, 48
_PREDICTIONS = ("SR", "generated LR")


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
    written = [_sheet(predictions, degradation, protocol, path)]
    if degradation is not None:
        first = predictions[0]
        written += learned_kernels(
            degradation, first["input"], folder, camera, (first.get("meta") or {}).get("place")
        )
    return written


def _sheet(
    predictions: Predictions, degradation: nn.Module | None, protocol: Protocol, path: Path
) -> Path:
    """Draw inputs, bicubic interpolation, predictions and targets side by side, with scores."""
    columns = [_columns(item, degradation) for item in predictions]
    steps = [max(1, round(_ratio(item))) for item in predictions]
    sides = [max(min(image.shape[-2:]) for image in images.values()) for images in columns]
    side = min(max(min(sides) // 4, _LEAST), _CROP) // 12 * 12  # whole LR pixels at most scales
    rows = []
    for item, images, step in zip(predictions, columns, steps, strict=True):
        shown = {name: pixels(image) for name, image in images.items()}
        size = min(side, *(max(image.shape[axis] for image in shown.values()) for axis in (0, 1)))
        scene = shown["HR"]
        crop = telling_crop([*(shown[name] for name in _measured(images, item)), scene], size, step)
        values = _values(item, images, protocol, (*crop, size), step)
        rows.append(SheetRow(item["key"], shown, values, crop))
    caption = f"PSNR and SSIM, protocol {protocol.name}; crops where columns differ"
    return comparison_sheet(rows, path, crop_size=side, caption=caption)


def _columns(item: Prediction, degradation: nn.Module | None) -> dict[str, Tensor]:
    """Return the images of a row by the headings of their columns, in colour."""
    source, target = item["input"], item["target"]
    made = item.get("prediction_rgb", item["prediction"]).clamp(0, 1)
    if degradation is not None:
        bicubic = bicubic_of(degradation, source).clamp(0, 1)  # type: ignore[arg-type]
        made = with_chroma(made, bicubic)
        return {"HR": source, "bicubic LR": bicubic, "generated LR": made, "real LR": target}
    size = (int(made.shape[-2]), int(made.shape[-1]))
    if size == tuple(source.shape[-2:]):
        return {"LR": source, "SR": with_chroma(made, source), "HR": target}
    bicubic = imresize(source[None], size=size)[0].clamp(0, 1)
    return {"LR": source, "bicubic": bicubic, "SR": with_chroma(made, bicubic), "HR": target}


def _measured(images: dict[str, Tensor], item: Prediction) -> list[str]:
    """Return the columns that are compared with the target, which is not one of them."""
    size = item["target"].shape[-2:]
    return [
        name
        for name, image in images.items()
        if name not in ("HR", "real LR") and image.shape[-2:] == size
    ]


def _ratio(item: Prediction) -> float:
    """Return the ratio of the larger to the smaller of input and target."""
    first, second = (int(item[name].shape[-1]) for name in ("input", "target"))  # type: ignore[literal-required]
    return max(first, second) / min(first, second)


def _values(
    item: Prediction, images: dict[str, Tensor], protocol: Protocol, crop: Square, step: int
) -> dict[str, str]:
    """Return the scores of all images of the target's size but the target."""
    target = item["target"]
    if target.shape[-1] < images["HR"].shape[-1]:  # the crop is in pixels of HR
        crop = (crop[0] // step, crop[1] // step, max(1, crop[2] // step))
    measured = {name: images[name] for name in _measured(images, item)}
    measured |= {
        name: chosen_prediction(item, protocol) for name in measured if name in _PREDICTIONS
    }
    grey = bool((item.get("meta") or {}).get("grey"))
    return {
        name: crop_scores(image, target, protocol, crop, scale=item["scale"], grey=grey)
        for name, image in measured.items()
    }
