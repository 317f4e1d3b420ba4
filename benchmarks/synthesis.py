"""Measure data sets in shards: throughput, kills, a million rows, and what it costs.

    python benchmarks/synthesis.py throughput --hr Kodak24 --out docs/results/synthesis.json
    python benchmarks/synthesis.py kills --kills 30 --out docs/results/synthesis.json
    python benchmarks/synthesis.py rows --rows 1000000 --out docs/results/synthesis.json
    python benchmarks/synthesis.py index --out docs/results/synthesis.json
    python benchmarks/synthesis.py costs --out docs/results/synthesis.json

Each command replaces its own part of the file. `costs` measures nothing: it reads the other parts
and prints the tables of docs/synthesis.md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import random
import resource
import shutil
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from realdeg import Degrader, create_degradation, degrade_dataset, merge_dataset, verify_dataset
from realdeg.apis.dataset_work import ImageWork
from realdeg.degradations import Degradation
from realdeg.synthesis.archives import TarSource
from realdeg.synthesis.entries import Entry, in_order, key_of, keys_of
from realdeg.synthesis.placing import Placing
from realdeg.synthesis.plan import Plan, agree, hash_names
from realdeg.synthesis.records import ShardRecord, write_record_of
from realdeg.synthesis.samples import sha256
from realdeg.synthesis.sinks import build_sink
from realdeg.utils.files import atomic_path
from realdeg.utils.image import Reading, encode_image, to_tensor, write_image

ROOT = Path(__file__).resolve().parents[1]
SCALE = 4
STEPS = ("read and decode", "degrade", "encode LR", "hash and write", "encode HR")
# HR is stored as it is where it can be, as in the runs here; patches are encoded.
SHARED = STEPS[:-1]
# Assumed: a core of a cloud for an hour, and a gigabyte in object storage for a month, in dollars.
CORE_HOUR, GB_MONTH = 0.04, 0.023


def degradations() -> dict[str, Degradation]:
    """Return what is measured; an untrained DML takes as long as a trained one."""
    made = {name: create_degradation(name, SCALE) for name in ("Bicubic", "BSRGAN", "RealESRGAN")}
    made["DML"] = create_degradation({"type": "DML"}, SCALE, False)
    made["DML"].eval().requires_grad_(False).mark_trained()  # as from a file of weights
    return made


def main() -> None:
    """Run one measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("throughput", "kills", "rows", "index", "costs"))
    parser.add_argument("--out", type=Path, required=True, help="the JSON file")
    parser.add_argument("--hr", type=Path, help="folder of PNG photos (the sample images)")
    parser.add_argument("--images", type=int, default=24, help="how many of them")
    parser.add_argument("--runs", type=int, default=3, help="runs of each alternative")
    parser.add_argument("--kills", type=int, default=30, help="of each kind")
    parser.add_argument("--kinds", nargs="*", help="kinds of kills (all)")
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    if args.what == "costs":
        print(costs(json.loads(args.out.read_text())))
        return
    before = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="realdeg-synthesis-") as root:
        work: dict[str, Callable[[], Any]] = {
            "throughput": lambda: throughput(Path(root), args.hr, args.images, args.runs),
            "kills": lambda: kills(Path(root), args.kills, args.kinds),
            "rows": lambda: rows(Path(root), args.rows),
            "index": lambda: index(Path(root)),
        }
        found = work[args.what]()
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_average": [round(load, 1) for load in (*before[:1], os.getloadavg()[0])],
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    stored = json.loads(args.out.read_text()) if args.out.exists() else {}
    stored[args.what] = {"machine": machine, **found}
    with atomic_path(args.out) as temporary:
        temporary.write_text(json.dumps(stored, indent=2) + "\n")
    print(json.dumps(stored[args.what], indent=2))


# --- throughput ---------------------------------------------------------------------------------


def throughput(root: Path, hr: Path | None, count: int, runs: int) -> dict[str, Any]:
    """Measure whole runs, the steps of one image, and the degradation alone."""
    torch.set_num_threads(1)
    source = photos(root / "hr", hr, count)
    sizes = [Reading().load(file).pixels.shape[:2] for file in source]
    pixels = sum(height * width for height, width in sizes) / 1e6
    found: dict[str, Any] = {
        "photos": f"{len(source)} PNG photos, {pixels:.2f} MP in all"
        + (f" ({hr.name})" if hr else " (sample images)"),
        "scale": SCALE,
        "bytes_hr": sum(file.stat().st_size for file in source),
        "megapixels": pixels,
        "degradations": {},
    }
    for name, degradation in degradations().items():
        one = {"steps": steps(root, source, degradation), "alone": alone(source, degradation)}
        one["runs"] = whole_runs(root, pixels, degradation, runs)
        share = one["alone"]["mp_per_cpu_s"]
        for run in one["runs"].values():
            run["share_of_alone"] = round(run["mp_per_cpu_s"] / share, 3)
        one["bytes"] = sizes_of(root, degradation)
        found["degradations"][name] = one
        print(name, json.dumps(one), file=sys.stderr, flush=True)
    return found


def photos(folder: Path, hr: Path | None, count: int) -> list[Path]:
    """Copy photos as PNG files, so that every run reads the same ones."""
    if hr is None:
        hr = ROOT / "realdeg/datasets/sample_images/train"
    files = sorted(file for file in hr.rglob("*") if file.suffix.lower() in (".png", ".jpg"))
    for file in files[:count]:
        write_image(folder / f"{file.stem}.png", Reading().load(file).pixels)
    return sorted(folder.glob("*.png"))


def steps(root: Path, source: list[Path], degradation: Degradation) -> dict[str, Any]:
    """Return processor seconds of each step, in one process, for a tar shard with HR."""
    degrader, sink = Degrader(degradation), build_sink("tar", hr=True)
    spent = dict.fromkeys(STEPS, 0.0)
    work = ImageWork(degrader)
    samples = []
    for warm in (True, False):
        for file in source[:2] if warm else source:
            marks = [time.process_time()]
            content = file.read_bytes()
            image = Reading().decode(content, file.name)
            marks.append(time.process_time())
            result, _ = degrader.degrade_recorded(image.pixels, 1, remainder="crop")
            marks.append(time.process_time())
            encode_image("a.png", result)
            marks.append(time.process_time())
            encode_image("a.png", image.pixels)
            marks.append(time.process_time())
            if not warm:
                done = [step for step in STEPS if step != "hash and write"]
                for step, start, end in zip(done, marks[:-1], marks[1:], strict=True):
                    spent[step] += end - start
    samples = [sample for file in source for sample in work(file.name, file.read_bytes()).samples]
    start = time.process_time()
    for sample in samples:
        sha256(sample.lr)
        sha256(sample.hr or b"")
    sink.write(0, samples, Placing(root / "steps"))
    spent["hash and write"] = time.process_time() - start
    shutil.rmtree(root / "steps")
    return {"cpu_s": {step: round(value, 3) for step, value in spent.items()}}


def alone(source: list[Path], degradation: Degradation) -> dict[str, Any]:
    """Return the speed of the degradation by itself, on tensors in memory."""
    images = [to_tensor(Reading().load(file).pixels)[None] for file in source]
    images = [one[..., : one.shape[-2] // 4 * 4, : one.shape[-1] // 4 * 4] for one in images]
    pixels = sum(one.shape[-1] * one.shape[-2] for one in images) / 1e6
    degradation.eval()
    best = []
    with torch.no_grad():
        for _ in range(3):
            start = time.process_time()
            for number, image in enumerate(images):
                degradation(image, [number])
            best.append(time.process_time() - start)
    return {"mp_per_cpu_s": round(pixels / statistics.median(best), 3)}


def whole_runs(
    root: Path, pixels: float, degradation: Degradation, runs: int
) -> dict[str, dict[str, Any]]:
    """Alternate whole runs to PNG files and to tar, with one and two workers."""
    kinds = [(to, jobs) for to in ("folder", "tar") for jobs in (1, 2)]
    times: dict[str, list[tuple[float, float]]] = {f"{to}, {jobs}": [] for to, jobs in kinds}
    shuffled = random.Random(0)
    for _ in range(runs):
        shuffled.shuffle(kinds)
        for to, jobs in kinds:
            with timed(times[f"{to}, {jobs}"]):
                made = degrade_dataset(
                    degradation,
                    root / "hr",
                    root / "out",
                    to=to,  # type: ignore[arg-type]
                    shard_size=3,
                    jobs=jobs,
                    progress=False,
                    hr=to == "tar",
                )
            assert made.ok
            shutil.rmtree(root / "out")
    found = {}
    for name, pairs in times.items():
        wall = statistics.median(pair[0] for pair in pairs)
        cpu = statistics.median(pair[1] for pair in pairs)
        found[name] = {
            "mp_per_s": round(pixels / wall, 3),
            "mp_per_cpu_s": round(pixels / cpu, 3),
            "wall_s": [round(pair[0], 2) for pair in pairs],
            "cpu_s": [round(pair[1], 2) for pair in pairs],
        }
    return found


@contextmanager
def timed(into: list[tuple[float, float]]) -> Iterator[None]:
    """Add elapsed and processor seconds of the block, its processes included."""

    def spent() -> float:
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in both)

    wall, cpu = time.perf_counter(), spent()
    yield
    into.append((time.perf_counter() - wall, spent() - cpu))


def sizes_of(root: Path, degradation: Degradation) -> dict[str, float]:
    """Return bytes per image of a tar data set and of its manifest."""
    made = degrade_dataset(
        degradation, root / "hr", root / "sizes", to="tar", jobs=1, progress=False
    )
    assert made.manifest is not None
    tars = sum(file.stat().st_size for file in (root / "sizes").glob("*.tar"))
    found = {
        "tar_per_image": round(tars / made.samples),
        "manifest_per_image": round(made.manifest.stat().st_size / made.samples),
    }
    shutil.rmtree(root / "sizes")
    return found


# --- a million rows -----------------------------------------------------------------------------


def rows(root: Path, count: int, per_shard: int = 1000) -> dict[str, Any]:
    """Measure the list of images and the manifest at a size that no test reaches.

    The rows are those of BSRGAN for one photo, under other names.
    """
    photos(root / "hr", None, 1)
    degrader = Degrader("BSRGAN", scale=SCALE)
    (file,) = sorted((root / "hr").glob("*.png"))
    (sample,) = ImageWork(degrader)(file.name, file.read_bytes()).samples
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    entries = in_order(Entry(f"{n % 100:02d}/{n:09d}.png", "/data/hr") for n in range(count))
    names = hash_names(entry.name for entry in entries)
    keys_of(entries)
    listed = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base
    plan = Plan("tar", True, count, names, per_shard)
    target = root / "out"
    target.mkdir()
    header = {**degrader.settings(), "seed": 0, "versions": {}, "threads": 1}
    settings = agree(target, header, plan)
    start, wall = time.process_time(), time.perf_counter()
    for shard in range(plan.shards):
        made = tuple(
            {**sample.row, "name": entries[n].name, "key": key_of(entries[n].name), "output": "x"}
            for n in plan.span(shard)
        )
        write_record_of(target, ShardRecord(shard, settings, (), made))
    written = (time.process_time() - start, time.perf_counter() - wall)
    merged: list[tuple[float, float]] = []
    with timed(merged):
        result = merge_dataset(target)
    assert result.samples == count and result.manifest is not None
    size = result.manifest.stat().st_size
    return {
        "rows": count,
        "rows_per_shard": per_shard,
        "list_cpu_s": round(listed, 2),
        "list_peak_mib": round(peak / 1024),
        "manifest_bytes": size,
        "bytes_per_row": round(size / count),
        "records_written_cpu_s": round(written[0], 1),
        "records_written_s": round(written[1], 1),
        "merge_s": round(merged[0][0], 1),
        "merge_cpu_s": round(merged[0][1], 1),
    }


def index(root: Path, count: int = 100_000) -> dict[str, Any]:
    """Measure how long the images in a tar file take to be found."""
    with tarfile.open(root / "a.tar", "w") as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"{number:09d}.png")
            member.size = 1000
            archive.addfile(member, io.BytesIO(bytes(1000)))
    start = time.process_time()
    found = TarSource([str(root / "a.tar")])
    return {"members": len(found.entries), "cpu_s": round(time.process_time() - start, 2)}


# --- kills --------------------------------------------------------------------------------------


def kills(root: Path, count: int, wanted: list[str] | None) -> dict[str, Any]:
    """Kill every kind of run at random moments until it was killed so often."""
    sys.path.insert(0, str(ROOT))
    from tests.fuzz.harness import warm_up
    from tests.fuzz.killed_commands import Scenario
    from tests.fuzz.kills import kill_often

    common = ("degrade", "BSRGAN", "hr", "out", "--scale", "2", "--quiet", "--shard-size", "2")

    def prepare(folder: Path) -> None:
        drawn = np.random.default_rng(3)
        for number in range(16):
            coarse = drawn.uniform(40, 215, (8, 8, 3)).repeat(16, 0).repeat(16, 1)
            noisy = (coarse + drawn.normal(0, 2, coarse.shape)).round().astype(np.uint8)
            write_image(folder / "hr" / f"{number}.png", noisy)

    def prepare_others(folder: Path) -> None:
        prepare(folder)
        for number in (0, 2):
            degrade_dataset(
                "BSRGAN", folder / "hr", folder / "out", scale=2, to="tar", shard=(number, 3),
                shard_size=2, jobs=1, progress=False,
            )  # fmt: skip

    def result(folder: Path) -> dict[str, str]:
        out = folder / "out"
        files = (file for file in out.rglob("*") if file.is_file())
        return {str(f.relative_to(out)): sha256(f.read_bytes()) for f in files}

    def whole(folder: Path, said: str) -> int:
        """Nothing that has its name may be half-written."""
        if (folder / "out" / "dataset.json").exists():
            found = verify_dataset(folder / "out", replay=0, progress=False)
            assert all("is not done" in one.reason for one in found.differing), found.describe()
        return 0

    kinds = {
        "images": (*common, "--hr", "--jobs", "2"),
        "plain folder": (*common, "--shard", "0/1", "--jobs", "2"),
        "patches": (*common, "--to", "tar", "--crop", "64", "--variants", "2", "--jobs", "2"),
        "tar": (*common, "--to", "tar", "--jobs", "2"),
        "tar, one process": (*common, "--to", "tar", "--jobs", "1"),
        "parquet": (*common, "--to", "parquet", "--jobs", "2"),
        "lmdb": (*common, "--to", "lmdb", "--jobs", "2"),
        "job 1 of 3": (*common, "--to", "tar", "--shard", "1/3", "--jobs", "2"),
    }
    warm_up()
    found = {}
    for name, words in kinds.items():
        if wanted and name not in wanted:
            continue
        starting = prepare_others if name.startswith("job") else prepare
        scenario = Scenario(name, count, words, starting, result, whole)
        tally = kill_often(scenario, root / name.replace(" ", "-"), count, random.Random(name))
        found[name] = {
            key: value
            for key, value in asdict(tally).items()
            if key not in ("interval", "most_lost")
        }
        print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    return {"kinds": found}


# --- costs --------------------------------------------------------------------------------------


def costs(stored: dict[str, Any]) -> str:
    """Return the tables of the page, computed from what was measured."""
    measured = stored["throughput"]
    mp = measured["megapixels"]
    images = int(measured["photos"].split()[0])
    lines = ["| degradation | " + " | ".join(STEPS) + " |", "|---" * (len(STEPS) + 1) + "|"]
    for name, one in measured["degradations"].items():
        spent = one["steps"]["cpu_s"]
        total = sum(spent[step] for step in SHARED)
        cells = [f"{spent[step] / total:.1%}" for step in STEPS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| degradation | alone | " + " | ".join(
        f"{to}, {jobs} worker{'s' * (jobs > 1)}" for to in ("PNG", "tar") for jobs in (1, 2)
    ) + " |", "|---|---|---|---|---|---|"]  # fmt: skip
    for name, one in measured["degradations"].items():
        cells = [
            f"{run['mp_per_cpu_s']:.2f} ({run['share_of_alone']:.0%}), {run['mp_per_s']:.2f}"
            for run in one["runs"].values()
        ]
        lines.append(f"| {name} | {one['alone']['mp_per_cpu_s']:.2f} | {' | '.join(cells)} |")
    lines += ["", "| degradation | images | core-hours | price | tar | manifest | shards |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name, one in measured["degradations"].items():
        # Per image of one megapixel; the manifest's rows do not grow with the image.
        hours = 1 / one["runs"]["tar, 1"]["mp_per_cpu_s"] / 3600
        size = one["bytes"]["tar_per_image"] * images / mp
        for count in (10**6, 10**8):
            # About one gigabyte per shard.
            per_shard = max(1, int(1e9 // size))
            lines.append(
                f"| {name} | 10^{len(str(count)) - 1} | {hours * count:,.0f} |"
                f" ${hours * count * CORE_HOUR:,.0f} | {size * count / 1e12:,.2f} TB,"
                f" ${size * count / 1e9 * GB_MONTH:,.0f} a month |"
                f" {one['bytes']['manifest_per_image'] * count / 1e9:,.1f} GB |"
                f" {-(-count // per_shard):,} of {per_shard} images |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
