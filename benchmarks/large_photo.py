"""Super-resolve a photo of 12 megapixels: time, peak memory and seams of whole commands.

    python benchmarks/large_photo.py --weights WEIGHTS --out docs/results
    python benchmarks/large_photo.py --against ../realdeg-before --against-tiles 256 512

Each measurement is one ``realdeg infer`` in its own process, from its start to the written PNG:
wall-clock time, CPU time and peak resident memory. With ``--against`` another checkout of realdeg
alternates with this one, so that a busy machine slows both; CPU time is then the fairer ratio.

Seams: the largest difference between the result in tiles and that of the whole image, before
rounding, on a part of the photo that fits into memory as a whole (``--seams WIDTH HEIGHT``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from timing import table

from realdeg import SuperResolver, create_backbone
from realdeg.backbones import Backbone
from realdeg.utils.component import save_component
from realdeg.utils.image import image_size, write_image

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ("FSRCNN", "CARNM", "SRVGGNetCompact")
# Published weights, if available; time and memory do not depend on them.
PUBLISHED = {"FSRCNN": "fsrcnn_x{scale}.pth", "CARNM": "carn_m.pth"}


@dataclass(frozen=True)
class Cost:
    """Time and memory of one command."""

    network: str
    scale: int
    code: str
    tile: str
    seconds: float
    processor: float
    peak_mib: float
    megapixels_per_second: float
    """Of the photo that is read."""
    ok: bool


@dataclass(frozen=True)
class Seams:
    """How a result in tiles differs from that of the whole image."""

    network: str
    scale: int
    width: int
    height: int
    tile: int
    largest: float
    """The largest difference, in grey levels of 255, before rounding."""
    changed: float
    """Share of the values that differ after rounding to 8 bits."""


def photo(height: int, width: int) -> np.ndarray:
    """Return an image that compresses about as well as a photo."""
    rng = np.random.default_rng(0)
    picture = rng.normal(0, 2.0, (height, width, 3)).astype(np.float32)
    for cell in (8, 32, 128, 512):
        small = rng.normal(0, 24, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        large = torch.nn.functional.interpolate(
            torch.from_numpy(small.transpose(2, 0, 1).copy())[None],
            size=(height, width),
            mode="bilinear",
        )[0]
        picture += large.numpy().transpose(1, 2, 0)
    return np.clip(picture + 128, 0, 255).astype(np.uint8)


def network(name: str, scale: int, weights: Path | None) -> Backbone:
    """Build a network, with published weights if there are any."""
    torch.manual_seed(0)
    file = weights / PUBLISHED[name].format(scale=scale) if weights and name in PUBLISHED else None
    if file is not None and file.is_file():
        return create_backbone(name, scale, weights=file)
    return create_backbone(name, scale)


def seams(built: Backbone, image: np.ndarray, tile: int) -> Seams:
    """Compare a network's result in tiles with that of the whole image."""
    values = image.astype(np.float32) / 255
    parts = SuperResolver(built, tile=tile).upscale(values)
    whole = SuperResolver(built, tile=None).upscale(values)
    rounded = [np.rint(255 * np.clip(one, 0, 1)) for one in (parts, whole)]
    return Seams(
        network=type(built).__name__,
        scale=int(built.scale),
        width=image.shape[1],
        height=image.shape[0],
        tile=tile,
        largest=float(255 * np.abs(parts - whole).max()),
        changed=float(np.mean(rounded[0] != rounded[1])),
    )


def measure(code: Path, model: Path, source: Path, target: Path, tile: str, threads: int) -> Cost:
    """Run one command and measure its time and memory."""
    height, width = image_size(source)
    command = [sys.executable, "-m", "realdeg", "infer", str(model), str(source), str(target)]
    command += ["--tile", tile, "--overwrite", "--quiet", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(code)}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        # In another folder: `python -m` would find this checkout's package first.
        process = subprocess.Popen(
            command, env=environment, cwd=target.parent, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        if process.returncode:
            print(log.read().decode(errors="replace")[-600:], file=sys.stderr)
    name, scale = model.stem.rsplit("_x", 1)
    seconds = time.perf_counter() - start
    return Cost(
        network=name,
        scale=int(scale),
        code="this" if code == ROOT else "against",
        tile=tile,
        seconds=round(seconds, 2),
        processor=round(usage.ru_utime + usage.ru_stime, 2),
        peak_mib=round(usage.ru_maxrss / 1024, 1),
        megapixels_per_second=round(height * width / 1e6 / seconds, 3),
        ok=process.returncode == 0,
    )


def main() -> int:
    """Measure, print the table and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--tiles", nargs="+", default=["auto"], help="of this checkout")
    parser.add_argument("--against", type=Path, help="another checkout to measure in turn")
    parser.add_argument("--against-tiles", nargs="+", default=["auto"])
    parser.add_argument("--weights", type=Path, help="folder of published weights")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--seams",
        type=int,
        nargs=2,
        metavar=("WIDTH", "HEIGHT"),
        help="also compare tiles with the whole image on a part of the photo of this size",
    )
    parser.add_argument("--seam-tiles", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--out", type=Path, help="folder for large_photo.json")
    args = parser.parse_args()
    costs: list[Cost] = []
    found: list[Seams] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        picture = photo(args.height, args.width)
        write_image(folder / "photo.png", picture)
        for name in args.networks:
            for scale in args.scales:
                built = network(name, scale, args.weights)
                model = folder / f"{name}_x{scale}.safetensors"
                save_component(model, built, kind="backbone", type=name, arguments=built.arguments)
                ways = [(ROOT, tile) for tile in args.tiles]
                if args.against:
                    ways += [(args.against.resolve(), tile) for tile in args.against_tiles]
                for _ in range(args.runs):
                    for code, tile in ways:
                        target = folder / "result.png"
                        source = folder / "photo.png"
                        cost = measure(code, model, source, target, tile, args.threads)
                        print(cost, file=sys.stderr, flush=True)
                        costs.append(cost)
                        target.unlink(missing_ok=True)
                        save(args, costs, found)  # after each, since all of them take hours
                if args.seams:
                    part = picture[: args.seams[1], : args.seams[0]]
                    found += [seams(built, part, tile) for tile in args.seam_tiles]
                    save(args, costs, found)
    print(summary(costs))
    for one in found:
        print(one)
    return 0 if all(cost.ok for cost in costs) else 1


def save(args: argparse.Namespace, costs: list[Cost], found: list[Seams]) -> None:
    """Write the results so far."""
    if args.out is None:
        return
    args.out.mkdir(parents=True, exist_ok=True)
    content = {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "width": args.width,
        "height": args.height,
        "threads": args.threads,
        "runs": [asdict(cost) for cost in costs],
        "seams": [asdict(one) for one in found],
    }
    (args.out / "large_photo.json").write_text(json.dumps(content, indent=1) + "\n")


def summary(costs: list[Cost]) -> str:
    """Return the table: the shortest run of each variant and its ratio to the other checkout."""
    ways = sorted({(c.network, c.scale, c.code != "this", c.tile) for c in costs})
    rows = []
    for name, scale, other, tile in ways:
        mine = [
            c
            for c in costs
            if (c.network, c.scale, c.code != "this", c.tile) == (name, scale, other, tile)
        ]
        others = [
            c for c in costs if c.ok and (c.network, c.scale, c.code) == (name, scale, "against")
        ]
        least = min(c.processor for c in mine)
        ratio = f"{least / min(c.processor for c in others):.2f}" if others else ""
        rows.append(
            [
                f"{name} x{scale}",
                "other" if other else "this",
                tile,
                f"{min(c.seconds for c in mine):.0f}" if mine[0].ok else "failed",
                f"{least:.0f}",
                ratio,
                f"{max(c.peak_mib for c in mine):.0f}",
                f"{max(c.megapixels_per_second for c in mine):.2f}",
            ]
        )
    header = ["network", "code", "tile", "s", "processor s", "ratio", "peak MiB", "MP/s"]
    return table(header, rows)


if __name__ == "__main__":
    raise SystemExit(main())
