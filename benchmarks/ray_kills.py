"""Kill a node of a Ray cluster at random moments of ``realdeg degrade --engine ray``.

    python benchmarks/ray_kills.py --kills 30 --out docs/results/synthesis.json

Three nodes with one core each, and a head without, run on this machine. Every run loses one of the
three (SIGKILL to its raylet and all its processes), and must end by itself with the bytes of an
unbroken run of one process. A new node joins before the next run. Needs ``realdeg[ray]``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster
from synthesis import photos

from realdeg.utils.files import atomic_path

OPTIONS = "--scale 2 --to tar --variants 4 --crop 64 --shard-size 1 --quiet".split()
STORE = 80 << 20  # bytes of each node's object store


def main() -> None:
    """Kill so often, and write what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--hr", type=Path, help="folder of photos (the sample images)")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="realdeg-ray-") as root:
        found = kill_nodes(Path(root), args)
    stored = json.loads(args.out.read_text()) if args.out.exists() else {}
    with atomic_path(args.out) as temporary:
        temporary.write_text(json.dumps({**stored, "ray_kills": found}, indent=2) + "\n")
    print(json.dumps(found, indent=2))


def kill_nodes(root: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Return how often a node was killed, when, and how often the bytes differed."""
    photos(root / "hr", args.hr, args.images)
    run(root, "whole", "--jobs", "1").wait()
    whole = tree(root / "whole")
    shards = len(list((root / "whole" / "manifest").glob("*.jsonl")))
    draws = random.Random(0)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE}
    )
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(3)]
    moments, seconds, late = [], [], 0
    while len(moments) < args.kills:
        name = f"out{len(moments)}"
        start = time.perf_counter()
        process = run(root, name, "--engine", "ray", "--address", cluster.address)
        wanted = draws.randrange(shards - 1)
        records = root / name / "manifest"
        while process.poll() is None and len(list(records.glob("*.jsonl"))) < wanted:
            time.sleep(0.02)
        time.sleep(draws.uniform(0, 0.3))
        running = process.poll() is None
        lost = nodes.pop(draws.randrange(3))
        done = len(list(records.glob("*.jsonl")))
        cluster.remove_node(lost, allow_graceful=False)
        code, took = process.wait(), time.perf_counter() - start
        if code != 0:
            raise SystemExit(f"{name}: the run ended with {code}")
        if tree(root / name) != whole:
            raise SystemExit(f"{name}: other bytes than those of an unbroken run")
        nodes.append(cluster.add_node(num_cpus=1, object_store_memory=STORE))
        if not running or done == shards:
            late += 1  # nothing was left to lose
        else:
            moments.append(done)
            seconds.append(round(took, 1))
            print(f"{len(moments)}: killed after {done} of {shards} shards", file=sys.stderr)
        shutil.rmtree(root / name)
    cluster.shutdown()
    return {
        "kills": len(moments),
        "shards": shards,
        "shards_done_at_kill": moments,
        "seconds": seconds,
        "too_late": late,
        "differing": 0,
    }


def run(root: Path, name: str, *options: str) -> subprocess.Popen[bytes]:
    """Start the command."""
    command = [sys.executable, "-m", "realdeg", "degrade", "RealESRGAN", "hr", name]
    with (root / "log").open("ab") as log:
        return subprocess.Popen([*command, *OPTIONS, *options], cwd=root, stdout=log, stderr=log)


def tree(folder: Path) -> dict[str, str]:
    """Return SHA-256 by name of every file, hidden ones included."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


if __name__ == "__main__":
    main()
