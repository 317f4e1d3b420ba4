"""Measure training steps of EDSR baseline x4: plain float32 against what makes them faster.

    python benchmarks/training_speed.py --out docs/results/training_speed.json
    python benchmarks/training_speed.py --only float32 --only "bfloat16, channels_last" --profile
    python benchmarks/training_speed.py --device cuda --steps 20

A step is that of a training run: the task's losses of 16 pairs of 48 x 48 LR pixels (L1), the
backward pass, and Adam. Reading and cropping of images is left out. All variants run in one
process, in short blocks that take turns in a shuffled order, so that whatever else the machine does
meets all of them. The ratio is that of the plain step and the variant's in the same round; its
median and range over the rounds are printed. The CPU time of the process, over all threads, depends
less on other programs than the wall time, but a thread that waits for another one counts.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from timing import table

from realdeg.engine import AutocastOptimWrapper, OptimWrapper
from realdeg.engine.compiling import compile_component, lay_out
from realdeg.registry import TASKS
from realdeg.utils.allocator import keep_freed_memory

PLAIN = "float32"
VARIANTS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "channels_last": {"memory_format": "channels_last"},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, channels_last": {"precision": "bfloat16", "memory_format": "channels_last"},
    "compiled": {"compile_model": True},
    "channels_last, compiled": {"memory_format": "channels_last", "compile_model": True},
    "bfloat16, compiled": {"precision": "bfloat16", "compile_model": True},
    "bfloat16, channels_last, compiled": {
        "precision": "bfloat16",
        "memory_format": "channels_last",
        "compile_model": True,
    },
}
SCALE = 4


@dataclass
class Measured:
    """The seconds per step of one variant, one value for each round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    first: float = 0.0
    """The first step, with what it compiles."""


def step_of(settings: dict[str, Any], arguments: argparse.Namespace) -> Callable[[], float]:
    """Return a training step of a fresh network; it returns the loss.

    Args:
        settings: Top-level keys of a config.
        arguments: Sizes and device.
    """
    torch.manual_seed(0)
    task: Any = TASKS.build(
        dict(
            type="SuperResolution",
            backbone=dict(type="EDSR"),
            loss=dict(type="L1Loss"),
            scale=SCALE,
            same_size=False,
        )
    )
    task = task.to(arguments.device).train()
    lay_out(task, settings.get("memory_format"), say)
    if settings.get("compile_model"):
        compile_component(task.backbone, {}, say)
    kind = AutocastOptimWrapper if settings.get("precision") == "bfloat16" else OptimWrapper
    wrapper = kind(optimizer=torch.optim.Adam(task.parameters(), lr=1e-4))
    count, side = arguments.batch, arguments.side
    batch = {
        "hr": torch.rand(count, 3, side * SCALE, side * SCALE),
        "lr": torch.rand(count, 3, side, side),
        "paired": torch.ones(count, dtype=torch.bool),
        "key": [str(index) for index in range(count)],
        "meta": [{}] * count,
        "seeds": list(range(count)),
    }

    def step() -> float:
        return float(task.train_step(dict(batch), wrapper)["loss"].detach())  # waits for the device

    return step


def say(message: str, *args: object) -> None:
    """Print what the engine reports."""
    print(message % args, flush=True)


def measure(arguments: argparse.Namespace) -> dict[str, Measured]:
    """Time all variants in turns."""
    names = arguments.only or list(VARIANTS)
    steps, found = {}, {name: Measured() for name in names}
    for name in names:
        steps[name] = step_of(VARIANTS[name], arguments)
        began = time.perf_counter()
        steps[name]()
        found[name].first = time.perf_counter() - began
        steps[name]()  # with the buffers of the optimiser
        print(f"{name}: the first step took {found[name].first:.1f} s", flush=True)
    order, shuffler = list(names), random.Random(0)
    for number in range(arguments.rounds):
        shuffler.shuffle(order)
        for name in order:
            steps[name]()  # memory and caches are another variant's
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(arguments.steps):
                steps[name]()
            found[name].wall.append((time.perf_counter() - wall) / arguments.steps)
            found[name].cpu.append((time.process_time() - cpu) / arguments.steps)
        print(f"round {number + 1} of {arguments.rounds}", flush=True)
    return found


def ratios(plain: list[float], other: list[float]) -> dict[str, float]:
    """Return median, smallest and largest ratio of the rounds."""
    every = [one / two for one, two in zip(plain, other, strict=True)]
    return {
        "median": round(statistics.median(every), 3),
        "least": round(min(every), 3),
        "most": round(max(every), 3),
    }


def report(found: dict[str, Measured], arguments: argparse.Namespace) -> dict[str, Any]:
    """Summarise the measurement as plain data."""
    machine = {
        "processor": _processor() if arguments.device == "cpu" else torch.cuda.get_device_name(),
        "system": platform.platform(terse=True),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": arguments.device,
    }
    sizes = {key: getattr(arguments, key) for key in ("batch", "side", "rounds", "steps")}
    variants = {}
    for name, values in found.items():
        entry: dict[str, Any] = {
            "settings": VARIANTS[name],
            "wall_s": [round(value, 4) for value in values.wall],
            "cpu_s": [round(value, 4) for value in values.cpu],
            "first_step_s": round(values.first, 2),
        }
        if PLAIN in found:
            entry["wall_ratio"] = ratios(found[PLAIN].wall, values.wall)
            entry["cpu_ratio"] = ratios(found[PLAIN].cpu, values.cpu)
        variants[name] = entry
    return {"machine": machine, **sizes, "variants": variants}


def rows_of(result: dict[str, Any]) -> list[list[str]]:
    """Return the table's rows: medians, and ratios with their range."""
    rows = []
    for name, entry in result["variants"].items():
        row = [name]
        for clock in ("wall", "cpu"):
            row.append(f"{statistics.median(entry[f'{clock}_s']):.3g} s")
            ratio = entry.get(f"{clock}_ratio")
            row.append(
                f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"
                if ratio
                else "-"
            )
        rows.append([*row, f"{entry['first_step_s']:.0f} s"])
    return rows


HEADER = ["variant", "step, wall", "ratio", "step, CPU", "ratio", "first step"]


def profile(arguments: argparse.Namespace) -> None:
    """Print which operators the time of each variant goes to."""
    for name in arguments.only or [PLAIN, "bfloat16, channels_last"]:
        step = step_of(VARIANTS[name], arguments)
        for _ in range(2):
            step()
        with torch.profiler.profile() as profiler:
            step()
        averages = profiler.key_averages()
        whole = sum(event.self_cpu_time_total for event in averages)
        largest = sorted(averages, key=lambda event: event.self_cpu_time_total, reverse=True)[:12]
        rows = [
            [
                event.key,
                f"{event.self_cpu_time_total / 1e3:.0f} ms",
                f"{100 * event.self_cpu_time_total / whole:.1f} %",
                event.count,
            ]
            for event in largest
        ]
        print(f"\n{name}\n{table(['operator', 'time', 'share', 'calls'], rows)}", flush=True)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def main() -> None:
    """Print the table, and write the measurement if requested."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=list(VARIANTS), help="these variants")
    parser.add_argument("--batch", type=int, default=16, help="pairs in a step")
    parser.add_argument("--side", type=int, default=48, help="size of an LR patch")
    parser.add_argument("--rounds", type=int, default=7, help="blocks of each variant")
    parser.add_argument("--steps", type=int, default=2, help="counted steps in a block")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--profile", action="store_true", help="operators instead of variants")
    parser.add_argument("--out", type=Path, help="JSON file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as the command line does
    MMLogger.get_instance("benchmark")
    if arguments.profile:
        profile(arguments)
        return
    result = report(measure(arguments), arguments)
    print(table(HEADER, rows_of(result)))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
