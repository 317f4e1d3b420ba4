"""Make a camera that ships from its data: learn, measure, write file, card and pictures.

    python cameras/make.py realsr-v3-nikon-x4 --data DATA

DATA is the folder that holds RealSR-V3-crops, NTIRE19-RealSR or City100-iPhoneX; the simulated
cameras need none. On the CPU, with one thread and the same builds of torch, NumPy and OpenCV, two
calls write the same bytes. An interrupted one continues.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import realdeg
from realdeg.apis.camera_report import camera_noise
from realdeg.apis.recipes import open_recipe
from realdeg.config import inject
from realdeg.config.data_sets import build_data_sets
from realdeg.datasets import simulated_camera
from realdeg.degradations import Degradation
from realdeg.engine.hooks.outputs import spread
from realdeg.evaluation.protocols import get_protocol
from realdeg.utils.files import atomic_path
from realdeg.utils.image import read_image, to_tensor
from realdeg.visualization.learned import learned_kernels

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parent / "realdeg" / "cameras"
RESEARCH = HERE / "research"
# The same scene for all cards; it is free to use.
SCENE = HERE.parent / "realdeg" / "datasets" / "sample_images" / "test" / "coffee.png"
# Below, rounding to 8 bit alone.
LEAST_NOISE = 0.3
# A field that differs less than this from place to place is one kernel.
LEAST_SPREAD = 0.01
# Pairs are fitted and noise is measured on the centre, at most so many HR pixels wide and high.
LARGEST = 1024


@dataclass(frozen=True)
class Camera:
    """What a card says about the data.

    Args:
        data: The data and their source.
        licence: Their terms.
        folder: Where the camera belongs.
    """

    data: str
    licence: str
    folder: Path = SHIPPED


_REALSR = (
    "RealSR V3 (Cai et al., Toward Real-World Single Image Super-Resolution, ICCV 2019), as cut to"
    " 512 x 512 in the OSEDiff repository: scenes 001-020 of each camera to learn from, 021-025 to"
    " test"
)
_FOR_RESEARCH = "published for research; this file is offered for research only"
_SAMPLE = (
    "the images that come with realdeg, seen by `SampleCamera`: 11 to learn from, 3 to test. The"
    " true kernels are known"
)
CAMERAS = {
    "city100-iphonex-x4": Camera(
        "City100 (Chen et al., Camera Lens Super-Resolution, CVPR 2019), iPhone X: postcards"
        " 001-024 to learn from, 051-056 to test",
        "MIT, Copyright (c) 2019 Chang Chen",
    ),
    "simulated-x2": Camera(_SAMPLE, "free to use (CC0 and public domain)"),
    "simulated-x4": Camera(_SAMPLE, "free to use (CC0 and public domain)"),
    "realsr-v3-canon-x4": Camera(f"{_REALSR}; Canon 5D3", _FOR_RESEARCH, RESEARCH),
    "realsr-v3-nikon-x4": Camera(f"{_REALSR}; Nikon D810", _FOR_RESEARCH, RESEARCH),
    "realsr-v3-x4": Camera(f"{_REALSR}; Canon 5D3 and Nikon D810", _FOR_RESEARCH, RESEARCH),
    "ntire19-x4": Camera(
        "NTIRE 2019 real super-resolution challenge, as kept in the IMDN repository: 9 pairs of two"
        " cameras to learn from, 3 to test",
        _FOR_RESEARCH,
        RESEARCH,
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Make the cameras that are named; return 0, or 2 if one cannot be made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="+", choices=sorted(CAMERAS), metavar="NAME")
    parser.add_argument("--data", default="data", help="the folder of the data (data)")
    parser.add_argument("--out", type=Path, help="write here instead of where each belongs")
    parser.add_argument("--runs", type=Path, default=Path("work_dirs") / "cameras")
    parser.add_argument("--iterations", type=int, help="train for fewer; for tests")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)  # more threads, other last digits
    for name in args.names:
        folder = (args.out or CAMERAS[name].folder) / name
        try:
            print(make(name, args.data, folder, args.runs / name, args.iterations))
        except realdeg.RealdegError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
    return 0


def make(
    name: str, data: str | os.PathLike[str], folder: Path, run: Path, iterations: int | None = None
) -> Path:
    """Make one camera.

    Args:
        name: One of ``CAMERAS``.
        data: The folder of the data.
        folder: Where the camera is written.
        run: The folder of the training, which is continued if it is there.
        iterations: Train for so many instead of the recipe's.

    Returns:
        The camera's file.

    Raises:
        RealdegError: If the data are missing, or the training fails.
        SystemExit: If the kernels do not differ from place to place.
    """
    recipe = HERE / "recipes" / f"{name}.py"
    options: dict[str, Any] = {"data_root": os.fspath(data)}
    if iterations is not None:
        options |= shortened(iterations)
    realdeg.train(recipe, options=options, work_dir=run, resume=True)
    learned = realdeg.create_degradation(run / "degradation.safetensors", trained=True)
    learn, tested = _pairs(recipe, options)
    one = _one_kernel(learned, learn)
    noise = camera_noise(learned, learn)
    level = (sum(noise[colour] ** 2 for colour in ("red", "green", "blue")) / 3) ** 0.5
    compared = realdeg.compare_degradations(
        {
            "bicubic": dict(type="Bicubic", scale=learned.scale, same_size=learned.same_size),
            "one kernel": one,
            "the camera": learned,
        },
        tested,
        seed=0,
    )
    numbers = _numbers(compared, tested)
    field = _field(learned, tested)
    if iterations is None and min(field.values()) < LEAST_SPREAD:
        sys.exit(
            f"{name}: kernels differ by {field['kernels']:.2%} from place to place, and weights by"
            f" {field['weights']:.2%}: the field has collapsed. Take another seed or a lower"
            " rate."
        )
    parts: list[Any] = [dict(checkpoint=str(run / "degradation.safetensors"))]
    if level >= LEAST_NOISE:
        parts.append(dict(type="AWGN", sigma=round(level, 3)))
    camera = realdeg.create_degradation(
        dict(type="Compose", parts=parts), learned.scale, learned.same_size, trained=True
    )
    config = open_recipe(recipe, options)
    report = {
        "name": name,
        "data": CAMERAS[name].data,
        "licence": CAMERAS[name].licence,
        "iterations": int(config.train_cfg.max_iters),
        "hash": camera.hash(),
        "noise": {"level": round(level, 3)} | {k: round(v, 3) for k, v in noise.items()},
        "spread": {k: round(v, 4) for k, v in field.items()},
        "protocol": get_protocol("lr-fidelity").summary(),
        "test_images": len(tested),
        **numbers,
    }
    return _write(name, folder, camera, learned, simulated_camera(tested), report)


def shortened(iterations: int) -> dict[str, Any]:
    """Return the options that shorten a recipe to so many iterations."""
    warm = max(iterations // 20, 1)
    return {
        "train_cfg.max_iters": iterations,
        "train_cfg.val_interval": iterations,
        "param_scheduler.0.end": warm,
        "param_scheduler.1.begin": warm,
    }


def _pairs(recipe: Path, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the pairs to learn from, cut to their centres, and the whole test pairs."""
    cfg = open_recipe(recipe, options)
    cfg.patch_size = cfg.flip = None
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.transforms = [dict(type="ModCrop"), dict(type="PackSample")]
    sets: Any = build_data_sets(inject(cfg), ("train_dataloader", "test_dataloader"))
    learn = sets["train_dataloader"]
    centres = [_centre(learn[index]) for index in range(len(learn))]
    return centres, sets["test_dataloader"]


def _centre(pair: Mapping[str, Any]) -> dict[str, Any]:
    """Cut a pair to its centre."""
    hr, lr = pair["hr"], pair["lr"]
    stride = hr.shape[1] // lr.shape[1]
    sides = [min(side, LARGEST // stride) for side in lr.shape[1:]]
    tops = [(whole - side) // 2 for whole, side in zip(lr.shape[1:], sides, strict=True)]
    (top, left), (height, width) = tops, sides
    return {
        "hr": hr[
            :,
            top * stride : (top + height) * stride,
            left * stride : (left + width) * stride,
        ].clone(),
        "lr": lr[:, top : top + height, left : left + width].clone(),
    }


def _one_kernel(learned: Degradation, pairs: Any) -> Degradation:
    """Fit one kernel for the whole camera to the same pairs, by least squares."""
    one: Any = realdeg.create_degradation(
        "GlobalKernel", learned.scale, learned.same_size, kernel_size=15
    )
    for index in range(len(pairs)):
        pair = pairs[index]
        one.accumulate(pair["hr"][None], pair["lr"][None])
    one.solve()
    return one


def _numbers(compared: Any, pairs: Any) -> dict[str, Any]:
    label = get_protocol("lr-fidelity").label
    return {
        score: {
            name: round(float(result.numbers[label(score)]), digits)
            for name, result in compared.results.items()
        }
        for score, digits in (("psnr", 3), ("ssim", 4))
    }


@torch.no_grad()
def _field(learned: Degradation, pairs: Any) -> dict[str, float]:
    """Return how far kernels and weights differ from place to place, over all test images."""
    kernels, weights = [], []
    for index in range(len(pairs)):
        hr = pairs[index]["hr"][None]
        rows, columns = (side // learned.stride for side in hr.shape[-2:])
        points = [(rows * i // 9, columns * j // 9) for i in range(1, 9) for j in range(1, 9)]
        kernels.append(learned.kernels_at(hr, points))
        mixed = learned.weights(hr)[0]
        weights.append(torch.stack([mixed[:, row, column] for row, column in points]))
    return {"kernels": spread(torch.cat(kernels)), "weights": spread(torch.cat(weights))}


def _write(
    name: str,
    folder: Path,
    camera: Degradation,
    learned: Degradation,
    truth: Degradation | None,
    report: dict[str, Any],
) -> Path:
    """Write pictures, numbers and card, and the camera last."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = to_tensor(read_image(SCENE))
    drawn = learned_kernels(learned, scene, folder, truth)
    for path in drawn:
        _palette(path)
    with atomic_path(folder / "report.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    with atomic_path(folder / "README.md") as temporary:
        temporary.write_text(_card(name, camera, report, drawn), encoding="utf-8")
    target = folder / "camera.safetensors"
    camera.save(target, {key: report[key] for key in ("name", "data", "licence", "psnr", "noise")})
    return target


def _palette(path: Path) -> None:
    """Store a picture in 256 colours: a third of the size."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256)
    with atomic_path(path) as temporary:
        small.save(temporary, optimize=True)


def _card(name: str, camera: Degradation, report: Mapping[str, Any], drawn: Sequence[Path]) -> str:
    rows = "\n".join(
        f"| {made} | {report['psnr'][made]:.2f} | {report['ssim'][made]:.4f} |"
        for made in report["psnr"]
    )
    noise, field = report["noise"], report["spread"]
    added = (
        f"white noise of {noise['level']:.2f} grey levels"
        if noise["level"] >= LEAST_NOISE
        else "no noise, as there is no more than rounding makes"
    )
    pictures = "\n\n".join(f"![{path.stem}]({path.name})" for path in drawn)
    data = "" if name.startswith("simulated") else " --data DATA"
    return f"""# {name}

{camera.describe()}: a mixture of 8 learned kernels (DML), and {added}.

```
realdeg degrade {name} HR_PHOTOS LR_PHOTOS
```

## Data

{report["data"]}. Terms of the data: {report["licence"]}.

## Protocol

Learned with `cameras/recipes/{name}.py`, {report["iterations"]} iterations, on the CPU with one
thread. `python cameras/make.py {name}{data}` writes the same bytes with the same builds of torch,
NumPy and OpenCV. The last weights are taken; the test pairs chose nothing.

## Numbers

LR of {report["test_images"]} test pairs against what is made of their HR, without noise
({report["protocol"]}):

| LR made by | PSNR, dB | SSIM |
|---|---:|---:|
{rows}

"One kernel" is `GlobalKernel`, fitted to the same pairs by least squares.

Noise of the pairs to learn from, where HR is flat, in grey levels: red {noise["red"]:.2f}, green
{noise["green"]:.2f}, blue {noise["blue"]:.2f}, luma {noise["luma"]:.2f}.
Over the test images kernels differ from their mean by {field["kernels"]:.1%} of it, weights by
{field["weights"]:.1%}.

## Pictures

Kernels at five places of a photo that no camera has learned from, the learned bases, and the
weights of the bases:

{pictures}
"""


if __name__ == "__main__":
    sys.exit(main())
