"""The road from photos on real pairs that were moved on purpose, by a warp that is recorded.

City100 and NTIRE 2019 publish pairs that are aligned, LR on the HR grid. Here LR is turned by up to
1 degree, up to 2 % too large or small, and displaced by up to 6 pixels, as a person's photo would
be, and what it does not show any more is cut off. What the road makes of such pairs is measured
beside what it makes of the pairs as they were published.

    python benchmarks/own_camera/moved_pairs.py make DATA OUT
    python benchmarks/own_camera/moved_pairs.py residual OUT OUT.json
    python benchmarks/own_camera/moved_pairs.py fidelity OUT OUT.json CAMERA [CAMERA ...]
    python benchmarks/own_camera/moved_pairs.py enlarged OUT OUT.json SR [SR ...]

``make`` writes ``published`` (HR and LR) and ``moved`` (WIDE and TELE, the HR as it was), each with
``train`` and ``test``. The others take what docs/own_camera.md makes of them in the same folder:
``pairs`` and ``test_pairs``, registered from ``moved``, and ``still_pairs``, registered from
``published/test``. Held-out pairs are the test pairs as they were published.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from photos import draw_warp, scene_points, warp_scene  # next to this file
from PIL import Image

from realdeg import create_degradation
from realdeg.evaluation.image_quality import measure as score
from realdeg.registration.transform import Transform
from realdeg.utils.image import as_rgb, read_image, to_tensor

LARGEST = 800
"""Sides of larger pairs are cut to this, about their middle: NTIRE 2019 has up to 3200 pixels."""


def published(data: Path) -> Iterator[tuple[str, str, Path, Path]]:
    """Yield split, name, HR and LR of the pairs in a folder of City100 or NTIRE 2019."""
    for hr in sorted(data.glob("*H.PNG")):
        # Postcards from 51 on are for testing.
        split = "test" if int(hr.stem[:-1]) > 50 else "train"
        yield split, hr.stem[:-1], hr, hr.with_name(f"{hr.stem[:-1]}L.PNG")
    for hr in sorted(data.glob("*/HR/*.png")):
        yield hr.parents[1].name, hr.stem, hr, hr.parents[1] / "LR" / hr.name


def centre(image: np.ndarray) -> np.ndarray:
    """Return the middle of an image, at most ``LARGEST`` pixels to a side."""
    sides = [min(side, LARGEST) for side in image.shape[:2]]
    top, left = ((side - kept) // 2 for side, kept in zip(image.shape[:2], sides, strict=True))
    return image[top : top + sides[0], left : left + sides[1]]


def edge(size: tuple[int, int], warp: dict[str, float]) -> int:
    """Return how many pixels of a moved image's border show what lay outside of it."""
    corners = np.array([(y, x) for y in (0, size[0] - 1) for x in (0, size[1] - 1)], np.float64)
    return int(np.abs(scene_points(corners, size, warp) - corners).max()) + 2


def make(data: Path, out: Path, seed: int) -> None:
    """Write the pairs as published, and moved, and the truth."""
    truth: dict[str, Any] = {"seed": seed, "train": {}, "test": {}}
    for number, (split, name, hr_file, lr_file) in enumerate(published(data)):
        hr, lr = (centre(as_rgb(read_image(file))) for file in (hr_file, lr_file))
        warp = draw_warp(1000 * seed + number)
        size = (lr.shape[0], lr.shape[1])
        cut = edge(size, warp)
        moved = (warp_scene(lr / 255.0, warp) * 255).round().astype(np.uint8)
        for kind, images in {
            "published": {"HR": hr, "LR": lr},
            "moved": {"WIDE": moved[cut:-cut, cut:-cut], "TELE": hr},
        }.items():
            for side, image in images.items():
                file = out / kind / split / side / f"{name}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(file)
        truth[split][name] = {"warp": warp, "size": size, "cut": cut}
    (out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


def _records(pairs: Path) -> dict[str, Any]:
    file = pairs / "registration.json"
    return json.loads(file.read_text())["pairs"] if file.exists() else {}


def residual(root: Path) -> dict[str, Any]:
    """Return the distance in pixels of each found transform from the planted one.

    ``as_published``: if the published pair is aligned everywhere. ``beside_still``: if what
    ``register`` finds of the published pair is the truth; it counts what the warp alone costs.
    """
    truth = json.loads((root / "truth.json").read_text())
    still = _records(root / "still_pairs")
    found: dict[str, Any] = {}
    for split, folder in (("train", "pairs"), ("test", "test_pairs")):
        for name, record in _records(root / folder).items():
            if record["rejected"]:
                found[name] = record["rejected"]
                continue
            entry = truth[split][name]
            size, cut = tuple(entry["size"]), entry["cut"]
            rows, columns = (np.arange(16, side - 2 * cut - 16, 16.0) for side in size)
            at = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
            ours = Transform.from_record(record["transform"])(at)
            before = scene_points(at + cut, size, entry["warp"])
            numbers = {"as_published": before}
            if name in still and not still[name]["rejected"]:
                numbers["beside_still"] = Transform.from_record(still[name]["transform"])(before)
            found[name] = {"as_reported": round(record["residual"]["median"], 4)}
            for label, true in numbers.items():
                distance = np.hypot(*(ours - true).T)
                found[name][label] = [
                    round(float(np.median(distance)), 4),
                    round(float(distance.max()), 4),
                ]
    kept = [one for one in found.values() if isinstance(one, dict)]
    summary: dict[str, Any] = {"accepted": len(kept), "of": len(found)}
    for label in ("as_published", "beside_still"):
        some = [one[label] for one in kept if label in one]
        if some:
            summary[label] = {
                "median": round(statistics.median(one[0] for one in some), 4),
                "worst_median": max(one[0] for one in some),
                "worst": max(one[1] for one in some),
                "photos": len(some),
            }
    return {**summary, "photos": found}


def _held_out(root: Path) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    for file in sorted((root / "published/test/HR").glob("*.png")):
        lr = root / "published/test/LR" / file.name
        yield file.stem, *(to_tensor(read_image(one)) for one in (file, lr))


def _means(scores: dict[str, list[dict[str, list[float]]]]) -> dict[str, dict[str, float]]:
    return {
        label: {
            name.split("[")[0]: round(
                statistics.mean(statistics.mean(one[name]) for one in all_), 4
            )
            for name in all_[0]
        }
        for label, all_ in scores.items()
    }


def fidelity(root: Path, cameras: list[Path]) -> dict[str, Any]:
    """Return PSNR and SSIM (``lr-fidelity``) of LR made by cameras without their noise."""
    scores: dict[str, list[dict[str, list[float]]]] = {}
    scale = 3
    made: dict[str, Any] = {"bicubic": dict(type="Bicubic", scale=scale, same_size=True)}
    for folder in cameras:
        scale = json.loads((folder / "report.json").read_text())["scale"]
        files = {"one kernel": "one_kernel/degradation.safetensors"}
        files["DML"] = "run/best_degradation.safetensors"
        for kind, file in files.items():
            if (folder / file).exists():
                made[f"{folder.name}: {kind}"] = folder / file
    for _, hr, lr in _held_out(root):
        scores.setdefault("HR as it is", []).append(score(hr, lr, "lr-fidelity"))
        for label, source in made.items():
            degradation = create_degradation(source)
            with torch.no_grad():
                own = degradation(hr[None], [0])[0]
            scores.setdefault(label, []).append(score(own, lr, "lr-fidelity"))
    return _means(scores)


def enlarged(root: Path, folders: list[Path], scale: float) -> dict[str, Any]:
    """Return PSNR and SSIM (``realsr-official``) of what networks made of held-out LR."""
    scores: dict[str, list[dict[str, list[float]]]] = {}
    for name, hr, lr in _held_out(root):
        images = {"LR as it is": lr}
        images |= {f.name: to_tensor(read_image(f / f"{name}.png")) for f in folders}
        for label, image in images.items():
            found = score(image, hr, "realsr-official", scale=scale)
            scores.setdefault(label, []).append(found)
    return _means(scores)


def main() -> None:
    """Make pairs, or measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "residual", "fidelity", "enlarged"))
    parser.add_argument("source", type=Path, help="DATA of make, or OUT")
    parser.add_argument("out", type=Path, help="OUT of make, or OUT.json")
    parser.add_argument("made", type=Path, nargs="*", help="CAMERA or SR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.what == "make":
        make(args.source, args.out, args.seed)
        return
    kept = json.loads(args.out.read_text()) if args.out.exists() else {}
    if args.what == "residual":
        kept["residual"] = residual(args.source)
    elif args.what == "fidelity":
        kept["fidelity"] = fidelity(args.source, args.made)
    else:
        kept["enlarged"] = enlarged(args.source, args.made, args.scale)
    args.out.write_text(json.dumps(kept, indent=1) + "\n")
    print({key: value for key, value in kept[args.what].items() if key != "photos"})


if __name__ == "__main__":
    main()
