"""Make the same pairs with ``realdeg degrade`` and with wtp_dataset_destroyer, in turn.

    git clone https://github.com/umzi2/wtp_dataset_destroyer wtp
    python -m venv wtp/env && wtp/env/bin/pip install -r wtp/requirements.txt
    python benchmarks/beside_wtp.py --hr BSDS500 --wtp wtp --python wtp/env/bin/python

Both are started as commands, read PNG photos and write PNG pairs, x4, with one or two processes
for the images and whatever threads they use by themselves. Times are those of whole commands, and
are also given without the start, which is measured on a single photo.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from synthesis import photos, timed

from realdeg.utils.files import atomic_path
from realdeg.utils.image import Reading
from realdeg.utils.tables import markdown_table

SCALE = 4

WTP_RESIZE = """degradation {
  type = "resize"
  alg_lq = ["mat_cubic"]
  alg_hq = ["mat_cubic"]
  scale = 4
}
"""
WTP_CHAIN = (
    """degradation {
  type = "blur"
  filter = ["gauss"]
  kernel = [0.4, 3]
}
"""
    + WTP_RESIZE
    + """degradation {
  type = "noise"
  type_noise = ["gauss"]
  alpha = [0.01, 0.1, 0.01]
}
degradation {
  type = "compress"
  algorithm = ["jpeg"]
  jpeg_sampling = ["4:2:0"]
  target_compress = {
    jpeg = [30, 95]
  }
}
"""
)
CHAIN = """degradation = dict(
    type="Compose",
    parts=[
        dict(type="BlurDown", kind="DAN"),
        dict(type="AWGN", sigma=15),
        dict(type="JPEG", quality=(30, 95)),
    ],
)
"""
PAIRS = {
    "bicubic (MATLAB)": ("Bicubic", WTP_RESIZE),
    "Gaussian blur, bicubic, Gaussian noise, JPEG": (CHAIN, WTP_CHAIN),
}


def main() -> None:
    """Measure both in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hr", type=Path, required=True, help="folder of photos")
    parser.add_argument("--images", type=int, default=200, help="how many of them")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--wtp", type=Path, required=True, help="its checkout")
    parser.add_argument("--python", type=Path, required=True, help="the Python it is installed in")
    parser.add_argument("--out", type=Path, help="a JSON file, to which it is added")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="realdeg-wtp-") as root:
        found = measure(Path(root), args)
    found["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_average": round(load, 1),
    }
    if args.out is not None:
        stored = json.loads(args.out.read_text()) if args.out.exists() else {}
        with atomic_path(args.out) as temporary:
            temporary.write_text(json.dumps({**stored, "beside_wtp": found}, indent=2) + "\n")
    print("\n".join(table(found)))


def measure(root: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Return times of whole commands, for all photos and for one."""
    source = photos(root / "hr", args.hr, args.images)
    photos(root / "one", args.hr, 1)
    sizes = [Reading().load(file).pixels.shape[:2] for file in source]
    pixels = sum(height * width for height, width in sizes) / 1e6
    found: dict[str, Any] = {"photos": len(source), "megapixels": round(pixels, 2), "runs": {}}
    for label, (ours, theirs) in PAIRS.items():
        times: dict[str, list[tuple[float, float]]] = {}
        for _ in range(args.runs):
            for workers in (1, 2):
                for folder in ("hr", "one"):
                    commands = {
                        "realdeg": ours_command(root, ours, folder, workers),
                        "wtp": theirs_command(root, args, theirs, folder, workers),
                    }
                    for name, command in commands.items():
                        shutil.rmtree(root / "out", ignore_errors=True)
                        into = times.setdefault(f"{name}, {workers}, {folder}", [])
                        with timed(into):
                            subprocess.run(command, check=True, capture_output=True, cwd=root)
                        made = len(list((root / "out").rglob("*.png")))
                        wanted = 2 * (len(source) if folder == "hr" else 1)
                        if made != wanted:
                            raise SystemExit(f"{name} wrote {made} files instead of {wanted}")
        found["runs"][label] = {
            name: {
                "wall_s": round(statistics.median(pair[0] for pair in pairs), 3),
                "cpu_s": round(statistics.median(pair[1] for pair in pairs), 3),
            }
            for name, pairs in times.items()
        }
    return found


def ours_command(root: Path, degradation: str, folder: str, workers: int) -> list[str]:
    """Return the command of realdeg."""
    if "dict(" in degradation:
        (root / "chain.py").write_text(degradation)
        degradation = "chain.py"
    start = [sys.executable, "-m", "realdeg", "degrade", degradation, folder, "out"]
    rest = ["--scale", str(SCALE), "--hr", "--to", "folder", "--shard-size", "10", "--quiet"]
    return [*start, *rest, "--jobs", str(workers)]


def theirs_command(
    root: Path, args: argparse.Namespace, degradation: str, folder: str, workers: int
) -> list[str]:
    """Return the command of wtp_dataset_destroyer."""
    top = f'input = "{root / folder}"\noutput = "{root / "out"}"\n'
    kind = "process" if workers > 1 else "for"
    rest = f'num_workers = {workers}\nmap_type = "{kind}"\nreal_name = true\n'
    (root / "wtp.hcl").write_text(f"{top}{degradation}{rest}")
    script = str((args.wtp / "destroyer.py").resolve())
    # Not resolved: the Python of an environment is a link.
    return [str(args.python.absolute()), script, "-f", "wtp.hcl"]


def table(found: dict[str, Any]) -> list[str]:
    """Return megapixels per second, with and without the start of the command."""
    rows = []
    for label, times in found["runs"].items():
        for workers in (1, 2):
            cells = []
            for name in ("realdeg", "wtp"):
                whole, one = (times[f"{name}, {workers}, {folder}"] for folder in ("hr", "one"))
                speed = found["megapixels"] / whole["wall_s"]
                running = found["megapixels"] / max(whole["wall_s"] - one["wall_s"], 1e-3)
                processor = found["megapixels"] / max(whole["cpu_s"] - one["cpu_s"], 1e-3)
                cells.append(f"{speed:.1f}, {running:.1f}, {processor:.1f}")
            rows.append([label, str(workers), *cells])
    return markdown_table(["degradation", "processes", "realdeg", "wtp_dataset_destroyer"], rows)


if __name__ == "__main__":
    main()
