"""What `register` and `fit` found of a camera that is known, beside the truth.

    python benchmarks/own_camera/measure.py registration PHOTOS PAIRS OUT.json
    python benchmarks/own_camera/measure.py kernels PHOTOS PAIRS OUT.json CAMERA [CAMERA ...]
    python benchmarks/own_camera/measure.py enlarged PHOTOS PAIRS OUT.json SR [SR ...]

PHOTOS is what photos.py wrote, PAIRS what `realdeg register` made of it, CAMERA what `realdeg fit`
made of PAIRS, or a file of a degradation; SR what `realdeg infer` made of PAIRS/LR. OUT.json
keeps what other calls wrote.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
from photos import camera, framed_scene, true_tele_points  # next to this file

from realdeg import create_degradation
from realdeg.degradations import kernels_of
from realdeg.degradations.primitives import imresize
from realdeg.evaluation.image_quality import measure as score
from realdeg.evaluation.kernel_error import match_support
from realdeg.utils.image import read_image, to_tensor

STEP, BORDER = 8, 16


def registration(photos: Path, pairs: Path) -> dict[str, Any]:
    """Return the distance, in LR pixels, of each found transform from the true one."""
    truth = json.loads((photos / "truth.json").read_text())
    records = json.loads((pairs / "registration.json").read_text())["pairs"]
    found: dict[str, Any] = {}
    for name, entry in truth["photos"].items():
        record = records[name]
        if record["rejected"]:
            found[name] = record["rejected"]
            continue
        cut = record["cut"]
        grid = np.stack(
            np.meshgrid(
                np.arange(cut["height"]) + cut["top"],
                np.arange(cut["width"]) + cut["left"],
                indexing="ij",
            ),
            -1,
        ).reshape(-1, 2)
        matrix = np.array(record["transform"]["matrix"])
        at = np.c_[grid, np.ones(len(grid))] @ matrix.T
        off = at[:, :2] / at[:, 2:] - true_tele_points(grid, entry, truth["scale"])
        distance = np.hypot(*off.T) / truth["scale"]
        found[name] = {
            "median": round(float(np.median(distance)), 4),
            "worst": round(float(distance.max()), 4),
            "as_reported": round(record["residual"]["median"], 4),
        }
    kept = [one for one in found.values() if isinstance(one, dict)]
    return {
        "accepted": len(kept),
        "photos": found,
        "median": round(statistics.median(one["median"] for one in kept), 4),
        "worst_median": round(max(one["median"] for one in kept), 4),
        "worst": round(max(one["worst"] for one in kept), 4),
    }


def kernels(photos: Path, pairs: Path, fitted: Path) -> dict[str, Any]:
    """Return the kernel errors of a fitted camera on the photos, against the true kernels.

    The error of a pixel is the sum of the absolute differences of kernels of sum 1.
    """
    truth = json.loads((photos / "truth.json").read_text())
    records = json.loads((pairs / "registration.json").read_text())["pairs"]
    degradation, lens = create_degradation(fitted), camera(truth["scale"])
    errors: dict[str, list[float]] = {"camera": [], "mean of the true kernels": []}
    for name, entry in truth["photos"].items():
        if records[name]["rejected"]:
            continue
        cut = records[name]["cut"]
        rows = range(BORDER, cut["height"] - BORDER, STEP)
        inside = [(y, x) for y in rows for x in range(BORDER, cut["width"] - BORDER, STEP)]
        framed = framed_scene(entry)
        outside = [(y + cut["top"], x + cut["left"]) for y, x in inside]
        true = kernels_of(lens, framed, lens.sample(framed, [0]), outside)[0]
        hr = to_tensor(read_image(pairs / "HR" / f"{name}.png"))[None]
        own = kernels_of(degradation, hr, degradation.sample(hr, [0]), inside)[0]
        own = own / own.sum((-2, -1), keepdim=True)
        own, true = match_support(own, true, truth["scale"])
        mean = true.mean(0, keepdim=True)
        errors["camera"].append(float((own - true).abs().sum((1, 2)).mean()))
        errors["mean of the true kernels"].append(float((mean - true).abs().sum((1, 2)).mean()))
    return {
        label: {
            "median": round(statistics.median(values), 4),
            "worst": round(max(values), 4),
        }
        for label, values in errors.items()
    }


def enlarged(pairs: Path, folders: list[Path]) -> dict[str, Any]:
    """Return PSNR and SSIM of Y (``realsr-official``) of enlarged photos, means over the pairs."""
    scale = float(json.loads((pairs / "registration.json").read_text())["scale"])
    scores: dict[str, list[dict[str, list[float]]]] = {}
    for file in sorted((pairs / "HR").glob("*.png")):
        hr, lr = (to_tensor(read_image(pairs / side / file.name)) for side in ("HR", "LR"))
        images = {folder.name: to_tensor(read_image(folder / file.name)) for folder in folders}
        images["bicubic interpolation"] = imresize(lr[None], scale)[0]
        for label, image in images.items():
            found = score(image, hr, "realsr-official", scale=scale)
            scores.setdefault(label, []).append(found)
    return {
        label: {
            name: round(statistics.mean(statistics.mean(one[name]) for one in found), 4)
            for name in found[0]
        }
        for label, found in scores.items()
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("registration", "kernels", "enlarged"))
    parser.add_argument("photos", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("made", type=Path, nargs="*", help="CAMERA or SR")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = json.loads(args.out.read_text()) if args.out.exists() else {}
    if args.what == "registration":
        kept["registration"] = registration(args.photos, args.pairs)
    elif args.what == "kernels":
        found = {file.name: kernels(args.photos, args.pairs, file) for file in args.made}
        kept["kernels"] = found
    else:
        kept["enlarged"] = enlarged(args.pairs, args.made)
    args.out.write_text(json.dumps(kept, indent=1) + "\n")
    print({key: value for key, value in kept[args.what].items() if key != "photos"})


if __name__ == "__main__":
    main()
