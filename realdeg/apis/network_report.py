"""Measure a fine-tuned network before and after, and write its file, card, report and pictures."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from realdeg.apis.finetune_plan import PROTOCOL, HeldOut
from realdeg.apis.guided import CARD, write_report, write_text
from realdeg.backbones.base import Backbone
from realdeg.datasets.collate import collate_batch
from realdeg.degradations.base import Degradation
from realdeg.evaluation.image_quality import chosen_prediction, measure
from realdeg.evaluation.protocols import get_protocol
from realdeg.registry import DATASETS
from realdeg.tasks.super_resolution import SuperResolution
from realdeg.utils.durations import format_duration
from realdeg.utils.files import atomic_path
from realdeg.utils.tables import markdown_table
from realdeg.visualization.curves import training_curves
from realdeg.visualization.sheets import SheetRow, comparison_sheet

NETWORK = "network.safetensors"
_METRICS = ("psnr", "ssim")
_SHOWN = 4


@dataclass
class Scores:
    """Scores of the held-out images.

    Args:
        values: By metric, one value per image.
        names: The names of the images.
        pictures: The first images, by name.
    """

    values: dict[str, list[float]] = field(default_factory=lambda: {m: [] for m in _METRICS})
    names: list[str] = field(default_factory=list)
    pictures: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def mean(self, metric: str) -> float:
        """Return the mean over images."""
        return fmean(self.values[metric])

    def means(self) -> dict[str, float]:
        """Return the means of all metrics."""
        return {metric: self.mean(metric) for metric in _METRICS}

    def to_dict(self) -> dict[str, Any]:
        """Return means and values of each image as plain data."""
        each = {
            name: {metric: round(self.values[metric][i], 4) for metric in _METRICS}
            for i, name in enumerate(self.names)
        }
        return {metric: round(self.mean(metric), 4) for metric in _METRICS} | {"images": each}

    def add(self, name: str, image: Tensor, item: Mapping[str, Any], shown: Tensor) -> None:
        """Measure an image."""
        protocol = get_protocol(PROTOCOL)
        found = measure(image, item["target"], protocol, _METRICS, scale=item["scale"], where=name)
        for metric in _METRICS:
            self.values[metric].append(fmean(found[protocol.label(metric)]))
        self.names.append(name)
        if len(self.pictures) < _SHOWN:
            self.pictures[name] = shown


@torch.no_grad()
def measure_network(
    networks: Mapping[str, Backbone],
    degradation: Degradation,
    held: HeldOut,
    device: torch.device,
) -> dict[str, Scores]:
    """Measure networks, and LR enlarged by bicubic interpolation, on the same LR.

    Args:
        networks: By name.
        degradation: What makes LR of HR photos.
        held: The held-out images.
        device: Where to compute.

    Returns:
        Scores by the network's name, of ``"bicubic"``, and pictures of ``"HR"``.
    """
    first = next(iter(networks.values()))
    geometry = dict(scale=first.scale, same_size=first.same_size)
    data = DATASETS.build(
        {**held.config(round(first.scale)), **geometry, "seed": int(held.plan["seed"])}
    )
    scores = {name: Scores() for name in ("bicubic", *networks, "HR")}
    for number, (name, network) in enumerate(networks.items()):
        task: Any = SuperResolution(network, degradation).to(device).eval()
        for index in range(len(data)):
            (batch,) = task.data_preprocessor(collate_batch([data[index]]))
            (item,) = task.predict(batch)
            key = str(item["key"])
            picture = item.get("prediction_rgb", item["prediction"])
            image = chosen_prediction(item, get_protocol(PROTOCOL))
            scores[name].add(key, image, item, picture.clamp(0, 1))
            if number == 0:
                enlarged = task.baseline(item).clamp(0, 1)
                scores["bicubic"].add(key, enlarged, item, enlarged)
                scores["HR"].pictures[key] = item["target"]
        network.cpu()
    degradation.cpu()
    return scores


def write_network(
    folder: Path, source: Path, scores: Mapping[str, Scores], report: dict[str, Any]
) -> Path:
    """Write pictures, card, report and, last of all, the network.

    Args:
        folder: The folder of the network.
        source: The weights that are kept.
        scores: What was measured.
        report: The content of ``report.json``.

    Returns:
        The file of the network.
    """
    place = folder / "pictures"
    place.mkdir(exist_ok=True)
    columns = {"bicubic": "bicubic", "before": "before", "after": "after", "HR": "HR"}
    rows = []
    for number, name in enumerate(scores["before"].pictures):
        values = {
            title: scores[key].values["psnr"][number]
            for key, title in columns.items()
            if key != "HR"
        }
        images = {title: scores[key].pictures[name] for key, title in columns.items()}
        rows.append(SheetRow(name, images, values))
    drawn = [
        comparison_sheet(
            rows,
            place / "before_after.png",
            caption=f"PSNR in dB, protocol {PROTOCOL}, held-out {report['held_out']}",
        )
    ]
    steps = [int(at) for at in report["validations"]]
    drawn.append(
        training_curves(
            {"fine-tuned": (steps, list(report["validations"].values()))},
            place / "validation.png",
            ylabel=f"PSNR on held-out {report['held_out']}, dB",
            references={"before": scores["before"].mean("psnr")},
        )
    )
    report["pictures"] = [str(path.relative_to(folder)) for path in drawn]
    write_text(folder / CARD, _card(folder, scores, report))
    write_report(folder, report)
    target = folder / NETWORK
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target


def _card(folder: Path, scores: Mapping[str, Scores], report: Mapping[str, Any]) -> str:
    plan, name = report["plan"], folder.name
    titles = {"bicubic": "LR enlarged", "before": "before", "after": "after"}
    rows = [
        [title, f"{scores[key].mean('psnr'):.2f}", f"{scores[key].mean('ssim'):.4f}"]
        for key, title in titles.items()
    ]
    real = ""
    if "pairs" in plan:
        real = f"\nReal pairs: {plan['pairs']['described']}; alignment: {plan['alignment']}."
        held = plan["pairs"]["held_out"]
    else:
        held = plan["held_out_photos"]
    pictures = "\n".join(f"![{Path(path).stem}]({path})\n" for path in report["pictures"])
    table = "\n".join(markdown_table(["network", "PSNR, dB", "SSIM"], rows))
    return f"""# {name}

{report["network"]} x{report["scale"]}, fine-tuned for a camera: {report["camera"]}.

| file | what |
|---|---|
| `network.safetensors` | the network |
| `start.safetensors` | the network as it was given |
| `config.yaml` | the training; `realdeg train {name}/config.yaml` gives the same weights |
| `report.json` | all numbers |

## Data

{plan["photos"]} HR photos, degraded by the camera.{real}
Held out ({report["held_out"]}, chosen by seed {plan["seed"]}): {", ".join(held)}.

## Numbers

Held-out {report["held_out"]}, protocol `{PROTOCOL}` ({get_protocol(PROTOCOL).summary()}):

{table}

{report["stopped"][0].upper()}{report["stopped"][1:]}.
It took {format_duration(report["seconds"])} on {plan["device"]}.

## Use

```
realdeg infer {name} PHOTOS RESULTS
```

## Pictures

{pictures}"""
