"""The scores, the table and the figure at the end of the demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from realdeg.apis import SuperResolver
from realdeg.datasets import SampleDataset
from realdeg.degradations import Degradation
from realdeg.demo.plan import LR_PROTOCOL, PROTOCOL, SOURCES
from realdeg.evaluation import get_protocol, measure
from realdeg.utils.files import atomic_path
from realdeg.utils.image import to_tensor
from realdeg.utils.tables import markdown_table
from realdeg.visualization import SheetRow, comparison_sheet

LR = "LR as it is"
HR = "HR"
NOTICE = (
    "A few built-in images, a simulated camera, minutes of training: these numbers show how the"
    " parts work together. They do not compare methods."
)

Images = dict[str, dict[str, np.ndarray]]
"""For each test image, the image of each column."""


@dataclass(frozen=True)
class Scores:
    """The scores of one training set.

    Args:
        source: The training set in words.
        psnr: Mean over the test images, in dB.
        ssim: Mean over the test images.
        per_image: PSNR of each test image, in dB.
    """

    source: str
    psnr: float
    ssim: float
    per_image: dict[str, float]


def measure_networks(
    networks: Mapping[str, Path], test: SampleDataset
) -> tuple[list[Scores], Images]:
    """Super-resolve the test images and measure the results.

    Args:
        networks: Files of weights by the name of their training set.
        test: The test pairs.

    Returns:
        The scores, starting with LR itself, and the images.
    """
    pairs = {test.keys[index]: test.load(index) for index in range(len(test))}
    results: Images = {key: {LR: pair["lr"]} for key, pair in pairs.items()}
    for name, weights in networks.items():
        resolver = SuperResolver(weights)
        for key, pair in pairs.items():
            results[key][SOURCES[name]] = resolver.upscale(pair["lr"])
    for key, pair in pairs.items():
        results[key][HR] = pair["hr"]
    columns = [LR, *(SOURCES[name] for name in networks)]
    return [_score(column, results, test.scale) for column in columns], results


def _score(column: str, results: Images, scale: float) -> Scores:
    psnr, ssim = {}, []
    for key, images in results.items():
        found = measure(
            to_tensor(images[column]), to_tensor(images[HR]), PROTOCOL, scale=scale, where=key
        )
        protocol = get_protocol(PROTOCOL)
        psnr[key] = float(np.mean(found[protocol.label("psnr")]))
        ssim += found[protocol.label("ssim")]
    return Scores(column, float(np.mean(list(psnr.values()))), float(np.mean(ssim)), psnr)


@torch.no_grad()
def measure_lr(degradation: Degradation, test: SampleDataset) -> float:
    """Return the mean PSNR in dB of generated LR images against the camera's.

    Args:
        degradation: The degradation.
        test: The test pairs.
    """
    was_training = degradation.training
    degradation.eval()
    values = []
    for index in range(len(test)):
        pair = test.load(index)
        generated = degradation(to_tensor(pair["hr"])[None], seeds=[0])[0]
        found = measure(
            generated, to_tensor(pair["lr"]), LR_PROTOCOL, ["psnr"], scale=degradation.scale
        )
        values += next(iter(found.values()))
    degradation.train(was_training)
    return float(np.mean(values))


def write_table(
    path: Path, scores: Sequence[Scores], remarks: Sequence[str], *, quick: bool = False
) -> Path:
    """Write the table as Markdown and return its path.

    Args:
        path: The Markdown file to write.
        scores: One row each.
        remarks: Sentences below the table.
        quick: Whether it was the quick run.
    """
    lines = [
        *markdown_table(
            ("trained on", f"PSNR (dB), `{PROTOCOL}`", f"SSIM, `{PROTOCOL}`"),
            ((one.source, f"{one.psnr:.2f}", f"{one.ssim:.4f}") for one in scores),
        ),
        "",
        *(f"- {remark[0].upper()}{remark[1:]}." for remark in remarks),
        "",
        ("Quick run: nothing is trained well. " if quick else "") + NOTICE,
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_figure(path: Path, results: Images, scores: Sequence[Scores]) -> Path:
    """Draw the comparison, test images as rows and training sets as columns; return its path.

    Args:
        path: The PNG file.
        results: The images of :func:`measure_networks`.
        scores: The scores of :func:`measure_networks`.
    """
    rows = [
        SheetRow(
            name=key.rsplit("/", 1)[-1],
            images=images,
            values={one.source: one.per_image[key] for one in scores},
        )
        for key, images in results.items()
    ]
    caption = f"psnr[{PROTOCOL}] in dB; columns: what the network was trained on"
    return comparison_sheet(rows, path, caption=caption)
