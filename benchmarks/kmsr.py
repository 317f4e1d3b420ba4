"""Go through the stages of KMSR on the RealSR V3 crops, x4, in minutes of one CPU core.

    python benchmarks/kmsr.py DATA RUNS RESULT.json --picture kernels.png
    python benchmarks/kmsr.py DATA RUNS RESULT.json --shorter 10

DATA holds ``RealSR-V3-crops``. Kernels are estimated from 20 training photos, a GAN learns to draw
more, and a small KMSR is trained on HR blurred by them, beside one trained on bicubic LR. All are
tested on the ten held-out pairs. Pool and trainings are kept in RUNS and continued; results are
written one by one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg import PhotoKernels, create_backbone, extract_pools, read_image, train
from realdeg.backbones.running import network_input, run_backbone
from realdeg.datasets import KernelSet
from realdeg.degradations.pool import load_pool
from realdeg.degradations.primitives.kernels import centroid, second_moments
from realdeg.degradations.primitives.resize import imresize
from realdeg.utils.colour import rgb_to_y
from realdeg.visualization.kernels import basis_kernels

SCALE, DRAWN, PHOTOS = 4, 200, 10
GAN_STEPS, STEPS = 3000, 150
CAMERAS = ("Canon", "Nikon")
OFF: dict[str, Any] = {
    f"{split}_{part}": None
    for split in ("val", "test")
    for part in ("dataloader", "cfg", "evaluator")
}
BRIEF: dict[str, Any] = {
    "train_dataloader.num_workers": 0,
    "train_dataloader.persistent_workers": False,
    "default_hooks.checkpoint.interval": 100,
    "default_hooks.logger.interval": 50,
}


class Stages:
    """The stages, each done once.

    Args:
        data: Folder of data sets.
        runs: Folder of what is kept.
        shorter: What trainings and photos are divided by.
    """

    def __init__(self, data: Path, runs: Path, shorter: int) -> None:
        self.crops, self.runs, self.shorter = data / "RealSR-V3-crops", runs, shorter

    def pool(self) -> Path:
        """Estimate kernels from the LR photos of training pairs."""
        file = self.runs / "pool.safetensors"
        if not file.exists():
            photos = self.runs / "photos"
            photos.mkdir(parents=True, exist_ok=True)
            for camera in CAMERAS:
                found = sorted((self.crops / camera / "Train/4").glob("*_LR4.png"))
                for photo in found[: max(1, PHOTOS // self.shorter)]:
                    shutil.copy(photo, photos)
            method = PhotoKernels(photos, SCALE, estimator="DarkChannel", same_size=True)
            extract_pools(method, file, name="RealSR V3 crops")
        return file

    def generator(self) -> Path:
        """Train the GAN on the pool."""
        options = {
            "train_dataloader.dataset.degradation.pool": str(self.pool()),
            "train_cfg.max_iters": GAN_STEPS // self.shorter,
        }
        self._train("generator", "kmsr/kmsr_generator_x2_cpu", options)
        return self.runs / "generator/degradation.safetensors"

    def network(self, kind: str) -> Path:
        """Train a small KMSR on HR of training pairs, degraded in one of three ways."""
        from_pool = {"type": "KernelPool", "pool": str(self.pool())}
        degradation: dict[str, Any] = {"type": "Bicubic"}
        if kind == "pool":
            degradation = from_pool
        elif kind == "pool and generated":
            parts = [from_pool, {"checkpoint": str(self.generator())}]
            degradation = {"type": "OneOf", "parts": parts}
        options = OFF | {
            "degradation": {**degradation, "_delete_": True},
            "hr_folders": [str(self.crops / camera / "Train/4") for camera in CAMERAS],
            "train_dataloader.dataset.pattern": "*_HR.png",
            "train_cfg.max_iters": STEPS // self.shorter,
        }
        name = kind.replace(" ", "_")
        self._train(name, "kmsr/kmsr_t91_x2_cpu", options)
        return self.runs / name / "backbone.safetensors"

    def _train(self, name: str, recipe: str, options: dict[str, Any]) -> None:
        folder = self.runs / name
        if (folder / "cpu_seconds").exists():
            return
        known, used = (folder / "last_checkpoint").exists(), time.process_time()
        settings = {"scale": SCALE, **BRIEF, **options}
        train(recipe, options=settings, work_dir=folder, seed=0, device="cpu", resume=known or None)
        (folder / "cpu_seconds").write_text(str(round(time.process_time() - used)))

    def cost(self, name: str) -> int:
        """Return the CPU seconds of a training, of its last part if it was interrupted."""
        return int((self.runs / name.replace(" ", "_") / "cpu_seconds").read_text())

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield HR and LR of the held-out pairs."""
        for camera in CAMERAS:
            for file in sorted((self.crops / camera / "Test/4").glob("*_HR.png")):
                yield _image(file), _image(file.with_name(file.name.replace("_HR", "_LR4")))


def _image(file: Path) -> Tensor:
    return torch.from_numpy(read_image(file)).permute(2, 0, 1)[None].float() / 255


def decibels(sr: Tensor, hr: Tensor) -> float:
    """Return the PSNR of luma after rounding to 8 bit, without a border of four pixels."""
    y = rgb_to_y(sr.clamp(0, 1).mul(255).round().div(255))
    difference = (y - rgb_to_y(hr))[..., SCALE:-SCALE, SCALE:-SCALE]
    return float(-10 * torch.log10(difference.double().square().mean()))


def measure(stages: Stages, kind: str | None) -> dict[str, Any]:
    """Return the mean PSNR of a network, or of interpolation, on the held-out pairs."""
    network = None
    if kind is not None:
        settings = {"type": "KMSR", "checkpoint": str(stages.network(kind))}
        network = create_backbone(settings, scale=SCALE, same_size=False).eval()
    found = []
    for hr, lr in stages.pairs():
        made = imresize(lr, SCALE)
        if network is not None:
            with torch.no_grad():
                made = run_backbone(network, network_input(network, lr)).sr
        found.append(round(decibels(made, hr), 3))
    result: dict[str, Any] = {"psnr_y": round(sum(found) / len(found), 3), "images": found}
    if kind is not None:
        result |= {"iterations": STEPS // stages.shorter, "cpu_seconds": stages.cost(kind)}
    return result


def statistics(kernels: Tensor) -> dict[str, Any]:
    """Return medians, and 5 and 95 % quantiles, of kernels' centroids and widths."""
    widths, offsets, ratios = [], [], []
    for kernel in kernels.double():
        values = torch.linalg.eigvalsh(second_moments(kernel)).clamp(min=0)
        widths.append(float(values.mean().sqrt()))
        ratios.append(float((values[1] / values[0].clamp(min=1e-9)).sqrt()))
        offsets.append(float(torch.tensor(centroid(kernel)).norm()))
    steps = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
    named = {"width_px": widths, "elongation": ratios, "centroid_px": offsets}
    return {
        "number": len(kernels),
        "largest_error_of_sum": float((kernels.double().sum((1, 2)) - 1).abs().max()),
        **{
            name: [round(one, 3) for one in torch.tensor(each).double().quantile(steps).tolist()]
            for name, each in named.items()
        },
        "distance_from_own_mean": _spread(kernels),
    }


def _spread(kernels: Tensor) -> float:
    mean = kernels.mean(0)
    return round(float((kernels - mean).abs().sum((1, 2)).mean()), 3)


def drawn(stages: Stages, count: int = DRAWN) -> Tensor:
    """Return kernels drawn by the trained generator, (N, k, k)."""
    generator = {"checkpoint": str(stages.generator())}
    data = KernelSet(degradation=generator, length=count, scale=SCALE, same_size=True)
    return torch.stack([data[number]["kernel"][0] for number in range(count)])


def of_generator(stages: Stages) -> dict[str, Any]:
    """Train the generator; return its kernels' statistics and the critic's distance over time."""
    kernels, real = drawn(stages), load_pool(stages.pool()).items
    distances = (kernels[:, None] - real[None]).abs().sum((2, 3))
    logs = sorted((stages.runs / "generator").glob("*/vis_data/*.json"))
    lines = [json.loads(line) for log in logs for line in log.read_text().splitlines() if line]
    name = "train/loss_discriminator"
    logged = {line["step"]: -line[name] for line in lines if name in line}
    return statistics(kernels) | {
        "iterations": GAN_STEPS // stages.shorter,
        "cpu_seconds": stages.cost("generator"),
        "critic_distance": {
            str(step): round(value, 4) for step, value in logged.items() if step % 250 == 0
        },
        "l1_to_nearest_of_pool": round(float(distances.min(1).values.mean()), 3),
        "l1_of_means": round(float((kernels.mean(0) - real.mean(0)).abs().sum()), 3),
    }


def of_pool(stages: Stages) -> dict[str, Any]:
    """Return the statistics of the pool, and the seconds that each of its photos took."""
    pool = load_pool(stages.pool())
    seconds = sorted(float(record["seconds"]) for record in pool.records)
    return statistics(pool.items) | {"median_seconds_of_a_photo": seconds[len(seconds) // 2]}


def main() -> None:
    """Do what is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--shorter", type=int, default=1, help="divide photos and iterations")
    parser.add_argument("--picture", type=Path, help="draw kernels of the pool and generated ones")
    given = parser.parse_args()
    stages = Stages(given.data.resolve(), given.runs.resolve(), given.shorter)
    rows: dict[str, Callable[[], dict[str, Any]]] = {
        "kernels of the pool": lambda: of_pool(stages),
        "generated kernels": lambda: of_generator(stages),
        "bicubic interpolation": lambda: measure(stages, None),
    }
    for kind in ("bicubic", "pool", "pool and generated"):
        rows[f"KMSR, {kind}"] = lambda kind=kind: measure(stages, kind)  # type: ignore[misc]
    known = json.loads(given.result.read_text()) if given.result.exists() else {}
    for name, make in rows.items():
        if name not in known:
            known[name] = make()
            given.result.write_text(json.dumps(known, indent=1) + "\n")
            print(name, known[name], flush=True)
    if given.picture:
        real = load_pool(stages.pool()).items[:8]
        title = "Kernels of photos, and below them generated ones"
        both = torch.cat([real, drawn(stages, 8)])
        basis_kernels(both, given.picture, title=title, columns=8)


if __name__ == "__main__":
    main()
