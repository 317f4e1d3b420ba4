"""What a network reads from synthetic LR that no camera writes: PSNR on both kinds of LR.

    python benchmarks/experiments/leak.py WORK DATA docs/results/camera_leak.json

A degradation that follows the content can hide HR in its LR. A network that was trained on such LR
then scores higher on it than on the camera's LR of the same photos, and by more than a network of
real pairs does. WORK holds the runs of ``camera_fidelity`` and ``camera_claim``; the photos are the
10 test crops of the RealSR V3 crops, LR is rounded to 8 bit. Only what is missing is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import camera
import numpy as np
import torch
from runs import Run

from realdeg import Degrader, SuperResolver, read_image
from realdeg.evaluation.image_quality import measure
from realdeg.utils.tables import markdown_table

NETWORKS = (
    "real",
    "real + bicubic",
    "real + Syn-DML, sigma 1",
    "real + Syn-DML, learned noise",
    "Syn-DML, sigma 5",
    "Syn-DML, learned noise",
    "real + DirectNet",
)
DEGRADATIONS = ("DML", "DirectNet")


def hr_files(data: Path) -> list[Path]:
    """Return the HR side of the test crops."""
    return sorted((data / "RealSR-V3-crops").glob("*/Test/4/*_HR.png"))


def psnr(network: SuperResolver, lr: np.ndarray, hr: np.ndarray) -> float:
    """Return the PSNR of luma by RealSR's protocol."""
    sr, target = (
        torch.from_numpy(image).permute(2, 0, 1).float() / 255
        for image in (network.upscale(lr), hr)
    )
    return measure(sr, target, "realsr-official", ["psnr"], scale=4)["psnr[realsr-official]"][0]


def scores(network: Path, degradation: Path | None, data: Path) -> dict[str, float]:
    """Return the PSNR of each photo, from the camera's LR or from LR of a degradation."""
    resolver = SuperResolver(network)
    camera_model = degradation and Degrader(degradation)
    found = {}
    for number, file in enumerate(hr_files(data)):
        hr = read_image(file)
        if camera_model:
            lr, _ = camera_model.degrade(hr, seed=number)
        else:
            lr = read_image(file.with_name(file.name.replace("_HR", "_LR4")))
        found[file.stem] = psnr(resolver, lr, hr)
    return found


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("result", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = json.loads(args.result.read_text()) if args.result.exists() else {}
    learned = camera.learned_files(args.work)
    makers = {"camera": None} | {d: Path(learned[f"fidelity:{d}, both"]) for d in DEGRADATIONS}
    rows = []
    for label in NETWORKS:
        for seed in (0,):
            folder = args.work / "camera_claim" / Run(label, seed, ()).folder / "train"
            weights = folder / "backbone.safetensors"
            if not weights.is_file():
                continue
            entry = kept.setdefault(f"{label}, seed {seed}", {})
            for name, file in makers.items():
                if name not in entry and (file is None or file.is_file()):
                    entry[name] = scores(weights, file, args.data)
                    args.result.write_text(json.dumps(kept, indent=1) + "\n")
            means = {name: statistics.fmean(values.values()) for name, values in entry.items()}
            cells = [f"{means[name]:.2f}" if name in means else "-" for name in makers]
            rows.append([label, str(seed), *cells])
    header = ["trained on", "seed", *(f"LR of {name}" for name in makers)]
    print("\n".join(markdown_table(header, rows)))


if __name__ == "__main__":
    main()
