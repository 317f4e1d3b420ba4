"""Measure a fitted camera on held-out pairs, and write its file, card, report and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg.apis.comparison import compare_degradations
from realdeg.apis.fit_plan import held_out
from realdeg.apis.guided import CARD, write_report, write_text
from realdeg.apis.photo_pairs import PhotoPairs
from realdeg.datasets import PairedFolderDataset
from realdeg.degradations.base import Degradation
from realdeg.degradations.build import degradation_from_config
from realdeg.evaluation.degradation.noise import (
    block_cosines,
    flat_candidates,
    on_lr_grid,
)
from realdeg.evaluation.image_quality import measure
from realdeg.evaluation.protocols import get_protocol
from realdeg.utils.colour import to_colour
from realdeg.utils.durations import format_duration
from realdeg.utils.tables import markdown_table
from realdeg.version import __version__
from realdeg.visualization.curves import training_curves
from realdeg.visualization.learned import learned_kernels

PROTOCOL = "lr-fidelity"
# Blocks of so many LR pixels, at most so many of each image, in which noise is measured.
_BLOCK, _BLOCKS = 8, 64
# Rounding to 8 bit alone leaves 0.29.
_LEAST_NOISE = 0.3


@dataclass(frozen=True)
class CameraNumbers:
    """What was measured on held-out pairs.

    Args:
        psnr: PSNR in dB under ``lr-fidelity``, by what made LR.
        ssim: SSIM likewise.
        noise: Standard deviation of the noise in flat blocks, in grey levels, over R, G and B.
        noise_by_channel: The same for R, G and B, and for luma.
        images: How many held-out images there were.
        pictures: Pictures that were drawn.
    """

    psnr: dict[str, float]
    ssim: dict[str, float]
    noise: float
    noise_by_channel: dict[str, float]
    images: int
    pictures: Sequence[Path]

    def to_dict(self) -> dict[str, Any]:
        """Return them as plain data."""
        return {
            "protocol": get_protocol(PROTOCOL).summary(),
            "psnr": {name: round(value, 4) for name, value in self.psnr.items()},
            "ssim": {name: round(value, 5) for name, value in self.ssim.items()},
            "noise": round(self.noise, 3),
            "noise_by_channel": {k: round(v, 3) for k, v in self.noise_by_channel.items()},
            "held_out_images": self.images,
        }


def measure_camera(
    pairs: PhotoPairs,
    plan: Mapping[str, Any],
    learned: Mapping[str, Degradation],
    folder: Path,
    device: torch.device,
) -> CameraNumbers:
    """Measure cameras, bicubic reduction and, where LR is as large as HR, doing nothing.

    Args:
        pairs: The pairs.
        plan: Which of them are held out.
        learned: The cameras without noise, by name.
        folder: The folder of the camera, for the comparison.
        device: Where to degrade.
    """
    data = held_out(pairs, plan["held_out"])
    psnr, ssim = {}, {}
    label = get_protocol(PROTOCOL).label
    if pairs.same_size:
        found = [_identity(data, index) for index in range(len(data))]
        psnr["HR as it is"], ssim["HR as it is"] = (
            sum(scores[label(name)] for scores in found) / len(found) for name in ("psnr", "ssim")
        )
    compared = compare_degradations(
        {
            "bicubic": dict(type="Bicubic", scale=pairs.scale, same_size=pairs.same_size),
            **learned,
        },
        data,
        seed=int(plan["seed"]),
        device=device,
        out=folder / "held_out",
    )
    for name, result in compared.results.items():
        psnr[name] = result.numbers[label("psnr")]
        ssim[name] = result.numbers[label("ssim")]
    best = max(learned, key=lambda name: psnr[name])
    channels = camera_noise(learned[best].to(device), data)
    rgb = [channels[name] for name in ("red", "green", "blue")]
    noise = (sum(value**2 for value in rgb) / 3) ** 0.5
    for one in learned.values():
        one.cpu()
    return CameraNumbers(psnr, ssim, noise, channels, len(data), compared.files)


@torch.no_grad()
def camera_noise(degradation: Degradation, data: PairedFolderDataset) -> dict[str, float]:
    """Measure the noise of real LR, by what it has at the highest frequencies where HR is flat.

    In blocks of LR where HR is flat the camera without noise leaves almost nothing of the highest
    frequencies. What real LR has there beyond that is noise. The median over blocks leaves texture
    out, and brightness that differs from HR does not count.

    Args:
        degradation: Without noise.
        data: Pairs as tensors.

    Returns:
        Standard deviations in grey levels of 0 to 255 of ``red``, ``green``, ``blue`` and ``luma``;
        the rounding to 8 bit is part of them. They are 0 if no image has room for a block.
    """
    names = ("red", "green", "blue", "luma")
    found: list[Tensor] = []
    device = next(iter(degradation.parameters()), torch.empty(0)).device
    place = torch.arange(_BLOCK)
    high = place[:, None] + place >= _BLOCK
    for index in range(len(data)):
        item: Any = data[index]
        hr, lr = item["hr"], item["lr"]
        made = degradation(hr[None].to(device), [0])[0].cpu()
        guide = 255 * on_lr_grid(to_colour(hr[None], "y")[0, 0], degradation.stride)
        border = degradation.border
        inner = tuple(slice(border, side - border or None) for side in guide.shape)
        chosen, _, _ = flat_candidates(guide[inner].contiguous(), _BLOCK, _BLOCKS)
        energies = []
        for image in (lr, made):
            channels = 255 * torch.cat([image, to_colour(image[None], "y")[0]])
            blocks = block_cosines(channels[(slice(None), *inner)].double(), _BLOCK, _BLOCK // 2)
            energies.append(blocks[:, chosen][..., high].square().mean(-1))
        found.append(energies[0] - energies[1])
    variances = torch.cat(found, 1)
    if not variances.shape[1]:
        return dict.fromkeys(names, 0.0)
    levels = variances.median(1).values.clamp_min(0).sqrt()
    return {name: float(level) for name, level in zip(names, levels, strict=True)}


def write_camera(
    pairs: PhotoPairs,
    folder: Path,
    learned: Degradation,
    kind: str,
    file: Path,
    numbers: CameraNumbers,
    report: dict[str, Any],
) -> Path:
    """Write pictures, card, report and, last of all, the camera.

    Args:
        pairs: The pairs.
        folder: The folder of the camera.
        learned: The camera without noise.
        kind: What it is called.
        file: Its weights.
        numbers: What was measured.
        report: The content of ``report.json``.

    Returns:
        The file of the camera.
    """
    data = held_out(pairs, report["plan"]["held_out"])
    first: Tensor = data[0]["hr"]  # type: ignore[assignment]
    place = folder / "pictures"
    place.mkdir(exist_ok=True)
    drawn = learned_kernels(learned, first, place)
    if report["validations"]:
        steps = [int(at) for at in report["validations"]]
        values = list(report["validations"].values())
        references = {k: v for k, v in numbers.psnr.items() if k not in ("DML", "bicubic")}
        drawn.append(
            training_curves(
                {"DML": (steps, values)},
                place / "validation.png",
                ylabel="PSNR on held-out pairs, dB",
                references=references,
            )
        )
    parts: list[dict[str, Any]] = [dict(checkpoint=str(file))]
    if numbers.noise >= _LEAST_NOISE:
        luma = round(numbers.noise_by_channel["luma"], 3)
        parts.append(dict(type="AWGN", sigma=round(numbers.noise, 3), luma=luma))
    camera = degradation_from_config(
        dict(type="Compose", parts=parts), pairs.scale, pairs.same_size
    )
    report["camera"] = camera.describe()
    report["hash"] = camera.hash()
    report["pictures"] = [str(path.relative_to(folder)) for path in (*drawn, *numbers.pictures)]
    write_text(folder / CARD, _card(pairs, folder, kind, report))
    notes = {
        "made_by": f"realdeg fit {__version__}",
        "pairs": len(pairs.names),
        "psnr": report["psnr"],
        "noise": report["noise"],
    }
    write_report(folder, report)
    target = folder / "camera.safetensors"
    camera.save(target, notes)
    return target


def _identity(data: PairedFolderDataset, index: int) -> dict[str, float]:
    item: Any = data[index]
    found = measure(item["hr"], item["lr"], PROTOCOL, where=item["key"])
    return {label: sum(values) / len(values) for label, values in found.items()}


def _card(pairs: PhotoPairs, folder: Path, kind: str, report: Mapping[str, Any]) -> str:
    plan, name = report["plan"], folder.name
    rows = [
        [what, f"{report['psnr'][what]:.2f}", f"{report['ssim'][what]:.4f}"]
        for what in report["psnr"]
    ]
    channels = report["noise_by_channel"]
    grid = "on the HR grid" if pairs.same_size else f"{pairs.scale} times smaller than HR"
    what_is_held = "regions of each pair" if plan["regions"] else "pairs"
    pictures = "\n".join(
        f"![{Path(path).stem}]({path})\n" for path in report["pictures"] if path.endswith(".png")
    )
    table = "\n".join(markdown_table(["LR made by", "PSNR, dB", "SSIM"], rows))
    return f"""# {name}

A camera as a degradation: {report["camera"]}. LR is {grid}.

| file | what |
|---|---|
| `camera.safetensors` | the degradation with its noise |
| `config.yaml` | the training; `realdeg train {name}/config.yaml` gives the same weights |
| `report.json` | all numbers |

## Data

{plan["pairs"]}; alignment: {plan["alignment"]}.
Held out ({what_is_held}, chosen by seed {plan["seed"]}): {", ".join(plan["held_out"])}.

## Numbers

Held-out LR against what is made of HR ({report["protocol"]}):

{table}

The camera uses: {kind}. {report["stopped"][0].upper()}{report["stopped"][1:]}.
Noise where HR is flat: {channels["red"]:.2f} (red), {channels["green"]:.2f} (green),
{channels["blue"]:.2f} (blue), {channels["luma"]:.2f} (luma) grey levels, found at the highest
frequencies. JPEG removes noise there first, so of photos that were JPEG files this is too little.
It took {format_duration(report["seconds"])} on {plan["device"]}.

## Use

```
realdeg degrade {name} HR_PHOTOS LR_PHOTOS
realdeg finetune NETWORK --camera {name} --hr HR_PHOTOS -o my_network
```

## Pictures

{pictures}"""
