"""How fast pairs are read from each format, in the shuffled order of training.

    python benchmarks/shards.py --out docs/results/shards.json

The pairs are overlapping patches of the built-in sample images. All formats hold the same ones and
take turns, and everything lies in the cache of the operating system: this is the cost of format and
decoding, without that of a disk.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import realdeg
from realdeg.datasets import PairedShardDataset, SampleDataset
from realdeg.utils.files import atomic_path

FORMATS = ("folder", "tar", "lmdb", "parquet")


def write(root: Path, crop: int) -> dict[str, PairedShardDataset]:
    """Write the pairs in every format, and return them without a cache.

    Args:
        root: An empty folder.
        crop: Side of HR in pixels.
    """
    photo = SampleDataset(split="train", mode="hr").records[0].hr
    assert isinstance(photo, Path)
    for kind in FORMATS:
        realdeg.degrade_dataset(
            "Bicubic",
            photo.parent,
            root / kind,
            to=kind,
            scale=4,
            crop=crop,
            stride=crop // 4,
            hr=True,
            jobs=1,
            progress=False,
        )
    return {kind: PairedShardDataset(root / kind, scale=4, cache_mb=0) for kind in FORMATS}


def measure(crop: int, repeats: int) -> dict[str, object]:
    """Return processor seconds per pair by format, the median of some rounds.

    Args:
        crop: Side of HR in pixels.
        repeats: The rounds.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = write(Path(folder), crop)
        count = len(data["folder"])
        order = np.random.default_rng(0).permutation(count).tolist()
        times: dict[str, list[float]] = {kind: [] for kind in FORMATS}
        for _ in range(repeats + 1):
            for kind in FORMATS:
                start = time.process_time()
                for index in order:
                    data[kind].load(index)
                times[kind].append((time.process_time() - start) / count)
    seconds = {kind: median(found[1:]) for kind, found in times.items()}  # the first warms up
    ratios = {kind: round(seconds["folder"] / one, 3) for kind, one in seconds.items()}
    return {"crop": crop, "pairs": count, "seconds per pair": seconds, "times files": ratios}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=int, nargs="+", default=[64, 192])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = [measure(crop, args.repeats) for crop in args.crops]
    text = json.dumps({"rows": rows}, indent=1)
    print(text)
    if args.out:
        with atomic_path(args.out) as temporary:
            temporary.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
