"""Run the experiments of docs/training_results.md, or print their tables.

    python benchmarks/experiments/run.py batch_norm curriculum --data data
    python benchmarks/experiments/run.py batch_norm --report

Every run is an ordinary ``tools/train.py`` and ``tools/test.py`` with one thread. A number is
written to ``docs/results/EXPERIMENT.json`` as soon as it is measured, and is not measured again;
trainings that were interrupted are continued. ``--report`` measures nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

PARENT = Path(__file__).resolve().parent
sys.path[:0] = [str(PARENT), str(PARENT.parent)]

import adversarial  # noqa: E402 (next to this file)
import camera  # noqa: E402 (next to this file)
import camera_report  # noqa: E402 (next to this file)
import mismatch  # noqa: E402 (next to this file)
import pictures  # noqa: E402
import same_size  # noqa: E402 (next to this file)
import supervised  # noqa: E402 (next to this file)
import unpaired  # noqa: E402 (next to this file)
from cells import digits, spread  # noqa: E402
from runs import RESULTS, Book, Run, perform  # noqa: E402
from timing import in_child  # noqa: E402

from realdeg.utils.tables import markdown_table  # noqa: E402

Runs = Callable[[Book, argparse.Namespace], list[Run]]
Report = Callable[[Book], None]


def value_table(book: Book, names: list[str], order: list[str] | None = None) -> list[str]:
    """Return the table of all runs, mean and spread over seeds, in an order of labels."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for key, entry in book.entries.get("runs", {}).items():
        groups.setdefault(key.rpartition(", seed ")[0], []).append(entry)
    rows = []
    for label in sorted(groups, key=(order or list(groups)).index):
        entries = groups[label]
        cells = [spread([e["values"][name] for e in entries], digits(name)) for name in names]
        count = " + ".join(f"{n:,}" for n in entries[0]["iterations"].values())
        spent = [list(entry["cpu_seconds"].values()) for entry in entries]
        # An interrupted training has no time.
        whole = [sum(times) for times in spent if times and None not in times]
        time_spent = f"{sum(whole) / len(whole):.0f}" if whole else "-"
        rows.append([label, str(len(entries)), count, time_spent, *cells])
    return markdown_table(["run", "seeds", "iterations", "CPU s", *names], rows)


def processor_seconds(
    alternatives: Mapping[str, Callable[[], None]], runs: int
) -> dict[str, list[float]]:
    """Measure CPU seconds, which other programs disturb less, of all alternatives in turn."""
    seconds: dict[str, list[float]] = {label: [] for label in alternatives}
    torch.set_num_threads(1)
    for function in alternatives.values():
        function()
    for _ in range(runs):
        for label, function in alternatives.items():
            start = time.process_time()
            function()
            seconds[label].append(time.process_time() - start)
    return seconds


def costs(form: str, steps: Mapping[str, supervised.Step], runs: int) -> dict[str, Any]:
    """Measure steps in turn, and the peak memory of each in a process of its own."""
    found = {}
    for place, (label, seconds) in enumerate(processor_seconds(steps, runs).items()):
        low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
        peak = in_child(str(PARENT / "step_memory.py"), form, str(place))
        found[label] = {
            "seconds": median,
            "quartiles": [low, high],
            "peak_mib": round(peak / 2**20, 1),
            "parameters": sum(p.numel() for p in steps[label].network.parameters()),
        }
    return found


def norm_runs(book: Book, args: argparse.Namespace) -> list[Run]:
    """List the runs of ``batch_norm``, whose cost is measured first."""
    book.once("costs", "step", lambda: costs("norm", supervised.norm_steps(), 20))
    book.once("costs", "paper", lambda: costs("paper", supervised.paper_steps(), 5))
    return supervised.norm_runs(args.seeds)


def norm_report(book: Book) -> None:
    """Print costs and values."""
    rows = [
        [
            label,
            f"{cost['parameters']:,}",
            f"{1e3 * cost['seconds']:.0f} ms ({1e3 * cost['quartiles'][0]:.0f} to"
            f" {1e3 * cost['quartiles'][1]:.0f})",
            f"{cost['peak_mib']:.0f} MiB",
        ]
        for page in book.entries["costs"].values()
        for label, cost in page.items()
    ]
    header = ["SRResNet", "parameters", "CPU time of an iteration (quartiles)", "peak memory"]
    print("\n".join([*markdown_table(header, rows), ""]))
    print("\n".join(value_table(book, ["psnr[benchmark-y]", "ssim[benchmark-y]"])))


def same_size_report(book: Book) -> None:
    """Print the means over the test images of both cameras, and their spread over seeds."""
    print("\n".join(same_size.table(book)))


def adversarial_report(book: Book) -> None:
    """Print the values."""
    order = [adversarial.BICUBIC.label, adversarial.L1.label, *adversarial.RECIPES]
    print("\n".join(value_table(book, list(adversarial.VALUES), order)))


SHOWN = ("Nikon_024", "Nikon_021")
"""Test photos of the picture: print, and a fabric."""

PICTURED: Mapping[str, list[str]] = {
    "adversarial": [
        adversarial.BICUBIC.label,
        adversarial.L1.label,
        *(r for r in adversarial.RECIPES if r not in (adversarial.CONTROL, adversarial.CONTENT)),
    ],
    "camera_claim": ["bicubic", *(label for label, _, _ in camera.rows("both"))],
}
"""By experiment: the labels of a picture."""


def draw_crops(name: str, book: Book, data: Path, work: Path, path: Path, also: list[str]) -> None:
    """Draw crops by every network of the first seed, with PSNR and ST-LPIPS of the photo.

    Args:
        name: The experiment.
        book: Its record.
        data: The folder of the data.
        work: The folder of the experiment's runs.
        path: The picture.
        also: Name, weights and ``report.json`` of one more network, or nothing.
    """
    runs = book.entries["runs"]
    shown = {  # headings are short
        label.replace("learned noise", "learned"): (
            runs[f"{label}, seed 0"]["weights"],
            runs[f"{label}, seed 0"]["images"],
        )
        for label in PICTURED[name]
        if f"{label}, seed 0" in runs
    }
    if also:
        label, weights, report = also
        entries = json.loads(Path(report).read_text())["images"]
        shown[label] = (Path(weights).resolve(), {entry["key"]: entry for entry in entries})
    rows = []
    for photo in SHOWN:
        folder = data / "RealSR-V3-crops" / photo.partition("_")[0] / "Test" / "4"
        numbers = {
            label: "{:.2f} dB, {:.3f}".format(*(images[photo][v] for v in adversarial.VALUES[::3]))
            for label, (_, images) in shown.items()
        }
        networks = {label: work / weights for label, (weights, _) in shown.items() if weights}
        files = (folder / f"{photo}_HR.png", folder / f"{photo}_LR4.png")
        rows.append(pictures.tiles_of(*files, networks, numbers))
    print("wrote", pictures.draw(rows, path, columns=6))


def benchmark_report(book: Book) -> None:
    """Print the values."""
    print("\n".join(value_table(book, ["psnr[benchmark-y]", "ssim[benchmark-y]"])))


def unpaired_report(book: Book) -> None:
    """Print the values."""
    print("\n".join(value_table(book, list(unpaired.VALUES), unpaired.ORDER)))


@dataclass(frozen=True)
class Experiment:
    """Runs and their table."""

    runs: Runs
    report: Report


EXPERIMENTS = {
    "adversarial": Experiment(
        lambda book, args: [
            adversarial.BICUBIC,
            adversarial.L1,
            *adversarial.fine_tunings(args.seeds),
        ],
        adversarial_report,
    ),
    "batch_norm": Experiment(norm_runs, norm_report),
    "camera_fidelity": Experiment(
        lambda book, args: camera.fidelity_runs(args.seeds), camera_report.fidelity_report
    ),
    "camera_claim": Experiment(
        lambda book, args: camera.claim_runs(args.seeds), camera_report.claim_report
    ),
    "camera_noise": Experiment(
        lambda book, args: camera.noise_runs(args.seeds), camera_report.noise_report
    ),
    "same_fidelity": Experiment(
        lambda book, args: same_size.fidelity_runs(args.seeds), same_size_report
    ),
    "same_claim": Experiment(lambda book, args: same_size.claim_runs(args.seeds), same_size_report),
    "curriculum": Experiment(
        lambda book, args: supervised.curriculum_runs(args.seeds), benchmark_report
    ),
    "unpaired": Experiment(lambda book, args: unpaired.unpaired_runs(args.seeds), unpaired_report),
    "mismatch": Experiment(lambda book, args: mismatch.mismatch_runs(args.seeds), mismatch.report),
}


def measure(name: str, book: Book, args: argparse.Namespace) -> None:
    """Perform the runs of an experiment that are not recorded yet."""
    work = args.work / name
    runs = EXPERIMENTS[name].runs(book, args)
    # Options refer to the weights of another run by its folder, or to those of L1.
    folders = {run.folder: run.folder for run in runs} | {"l1": adversarial.L1.folder}
    names = {
        key: str(work / folder / "train" / "backbone.safetensors")
        for key, folder in folders.items()
    }
    names |= camera.learned_files(args.work) | same_size.learned_files(args.work)
    for run in runs:
        if args.only in run.key:
            entry = book.once("runs", run.key, partial(perform, run, work, args.data, names))
            print(f"{name}: {run.key}: {entry['values']}", file=sys.stderr, flush=True)


def main() -> int:
    """Measure what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(EXPERIMENTS), metavar="EXPERIMENT")
    parser.add_argument("--data", default="data", help="data_root of the configs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", default="", help="only runs whose name contains this text")
    parser.add_argument("--work", type=Path, default=Path("work_dirs/experiments"))
    parser.add_argument("--report", action="store_true", help="print what has been measured")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="draw crops of `adversarial` or `camera_claim`"
    )
    parser.add_argument(
        "--differences", type=Path, metavar="FILE", help="draw those of `camera_claim`"
    )
    parser.add_argument(
        "--also",
        nargs=3,
        default=[],
        metavar=("NAME", "WEIGHTS", "REPORT"),
        help="one more network of the picture, and the report of its test",
    )
    args = parser.parse_args()
    for name in args.names:
        book = Book(RESULTS / f"{name}.json")
        if not args.report:
            measure(name, book, args)
        print(f"\n{name}\n")
        EXPERIMENTS[name].report(book)
        if args.picture is not None and name in PICTURED:
            draw_crops(name, book, Path(args.data), args.work / name, args.picture, args.also)
        if args.differences is not None and name == "camera_claim":
            print("wrote", camera_report.draw_differences(book, args.differences))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
