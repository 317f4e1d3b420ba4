"""Measure how long training waits for data that are degraded on the fly.

    python benchmarks/on_the_fly.py                        # every preset, in the workers
    python benchmarks/on_the_fly.py BSRGAN RealESRGAN --places device workers prefetch

Real training runs on the built-in images, x4: a network like EDSR baseline (16 residual blocks of
64 channels), batches of 4 patches of 48 x 48 LR pixels, one data-loader worker. Waiting is the time
between the end of a step and the arrival of the next batch, as in the training log. The first
iterations, in which worker and caches start, are excluded.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from typing import Any

import torch
from timing import table
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.common import Upsampler
from realdeg.config import inject, load_config
from realdeg.engine import RealdegRunner
from realdeg.registry import BACKBONES
from realdeg.utils.allocator import keep_freed_memory

PRESETS: dict[str, dict[str, Any]] = {
    "Bicubic": {"type": "Bicubic"},
    "BD": {"type": "BlurDown"},
    "SRMD": {"type": "SRMD"},
    "IKC": {"type": "BlurDown", "kind": "IKC"},
    "BSRGAN": {"type": "BSRGAN"},
    "BSRGANPlus": {"type": "BSRGANPlus"},
    "RealESRGAN": {"type": "RealESRGAN"},
    "CameraISP": {"type": "CameraISP"},
    "Mosaic": {"type": "Mosaic"},
    "ToneMap": {"type": "ToneMap"},
    "JPEG": {"type": "JPEG"},
    "KernelPool": {"type": "KernelPool"},
    "NoisePool": {"type": "NoisePool"},
}


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(x)))


@BACKBONES.register_module()
class SixteenBlocks(Backbone):
    """A network with the cost of EDSR baseline."""

    scales = (2, 3, 4)

    def __init__(self, scale: int = 4, same_size: bool = False, width: int = 64) -> None:
        super().__init__(scale, same_size)
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*(_Block(width) for _ in range(16)))
        self.tail = nn.Sequential(Upsampler(scale, width), nn.Conv2d(width, 3, 3, padding=1))

    @classmethod
    def example(cls) -> SixteenBlocks:
        """Return a narrow network."""
        return cls(width=4)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve."""
        features = self.head(lr)
        return self.tail(features + self.body(features))


def measure(preset: str, place: str, iterations: int, workers: int) -> tuple[float, float]:
    """Train briefly; return seconds per step and the share spent waiting."""
    skipped = 4
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "degradation": PRESETS[preset],
            "model.degrade_in": place,
            "backbone": {"type": "SixteenBlocks"},
            "train_dataloader.num_workers": workers,
            "batch_size": 4,
            "patch_size": 192,
            "train_cfg.max_iters": iterations + skipped,
            "train_cfg.val_interval": iterations + skipped,
            "default_hooks.logger.interval": 1,
            "work_dir": folder,
        }
        cfg = load_config("vdsr_realsrv3crops_bicubic_x4_cpu", options=options, sample=True)
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        runner = RealdegRunner.from_cfg(inject(cfg))
        runner.train()
        history = runner.message_hub.log_scalars
        steps = [float(n) for n in history["train/time"].data[0][skipped:]]
        waits = [float(n) for n in history["train/data_time"].data[0][skipped:]]
        runner.close()
    return statistics.median(steps), sum(waits) / sum(steps)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", help=f"any of {', '.join(PRESETS)}; or all")
    parser.add_argument("--places", nargs="*", default=["workers"])
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of the training process")
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    rows = []
    for preset in arguments.presets or PRESETS:
        row: list[object] = [preset]
        for place in arguments.places:
            step, share = measure(preset, place, arguments.iterations, arguments.workers)
            row += [f"{step * 1e3:.0f} ms", f"{100 * share:.1f} %"]
        rows.append(row)
    header = ["degradation"]
    for place in arguments.places:
        header += [f"{place}: step", "waiting"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
