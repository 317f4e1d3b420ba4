"""Numbers, the table and the picture at the end of the demo."""

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
    "A few built-in pictures, a simulated camera, minutes of training: these numbers show how the"
    " parts work together and belong in no comparison of methods."
)

Pictures = dict[str, dict[str, np.ndarray]]
"""For each test picture, the image of each column."""


@dataclass(frozen=True)
class Scores:
    """How well one training set serves.

    Args:
        source: The training set in words.
        psnr: Mean over the test pictures, in dB.
        ssim: Mean over the test pictures.
        per_image: PSNR of each test picture.
    """

    source: str
    psnr: float
    ssim: float
    per_image: dict[str, float]


def measure_networks(
    networks: Mapping[str, Path], test: SampleDataset
) -> tuple[list[Scores], Pictures]:
    """Super-resolve the test pictures and measure the results.

    Args:
        networks: Files of weights by the name of their training set.
        test: Pairs.

    Returns:
        The scores, LR itself first, and the pictures.
    """
    pairs = {test.keys[index]: test.load(index) for index in range(len(test))}
    pictures: Pictures = {key: {LR: pair["lr"]} for key, pair in pairs.items()}
    for name, weights in networks.items():
        resolver = SuperResolver(weights)
        for key, pair in pairs.items():
            pictures[key][SOURCES[name]] = resolver.upscale(pair["lr"])
    for key, pair in pairs.items():
        pictures[key][HR] = pair["hr"]
    columns = [LR, *(SOURCES[name] for name in networks)]
    return [_score(column, pictures, test.scale) for column in columns], pictures


def _score(column: str, pictures: Pictures, scale: float) -> Scores:
    psnr, ssim = {}, []
    for key, images in pictures.items():
        found = measure(
            to_tensor(images[column]), to_tensor(images[HR]), PROTOCOL, scale=scale, where=key
        )
        protocol = get_protocol(PROTOCOL)
        psnr[key] = float(np.mean(found[protocol.label("psnr")]))
        ssim += found[protocol.label("ssim")]
    return Scores(column, float(np.mean(list(psnr.values()))), float(np.mean(ssim)), psnr)


@torch.no_grad()
def measure_lr(degradation: Degradation, test: SampleDataset) -> float:
    """Compare generated LR with the camera's.

    Args:
        degradation: Makes LR of HR.
        test: Pairs.

    Returns:
        Mean PSNR in dB.
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
    """Write the table as Markdown.

    Args:
        path: The file.
        scores: One row each.
        remarks: Sentences below the table.
        quick: Whether it was the quick run.

    Returns:
        The file.
    """
    lines = [
        *markdown_table(
            ("trained on", f"PSNR (dB), `{PROTOCOL}`", f"SSIM, `{PROTOCOL}`"),
            ((one.source, f"{one.psnr:.2f}", f"{one.ssim:.4f}") for one in scores),
        ),
        "",
        *(f"- {remark[0].upper()}{remark[1:]}." for remark in remarks),
        "",
        ("Quick run, nothing is trained to any use. " if quick else "") + NOTICE,
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_picture(path: Path, pictures: Pictures, scores: Sequence[Scores]) -> Path:
    """Write the comparison: test pictures down, training sets across.

    Args:
        path: The PNG file.
        pictures: What :func:`measure_networks` returned.
        scores: Likewise.

    Returns:
        The file.
    """
    rows = [
        SheetRow(
            name=key.rsplit("/", 1)[-1],
            images=images,
            values={one.source: one.per_image[key] for one in scores},
        )
        for key, images in pictures.items()
    ]
    caption = f"psnr[{PROTOCOL}] in dB; columns: what the network was trained on"
    return comparison_sheet(rows, path, caption=caption)
