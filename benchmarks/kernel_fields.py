"""Kernels of every pixel against those of held-out cameras, and what they are worth.

    python benchmarks/kernel_fields.py OUT.json ESTIMATOR.safetensors... --data DATA [--kernelgan 2]

DATA holds ``Kodak24``. The middle 256 x 256 pixels of photos are degraded at x2 by cameras that the
recipe does not train on. A finished photo is not measured again.

    python benchmarks/kernel_fields.py FIGURE.jpg ESTIMATOR.safetensors --data DATA --draw 23

draws the estimated and the true kernels of a whole photo, one over the other.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from realdeg import create_degradation
from realdeg.degradations import BackProjection, FieldBlur, kernels_of, widened
from realdeg.degradations.estimation import KernelField, estimator_from_config
from realdeg.degradations.primitives import imresize
from realdeg.evaluation.degradation.kernel_fields import tap_error
from realdeg.utils.image import read_image, to_tensor, write_image
from realdeg.visualization import kernel_grid

CAMERAS = ((0.25, 0.5), (0.75, 0.5))  # content, position: trained on 0, 0.5, 1 and 0, 1
SCALE, SIDE, STEP, BORDER, ITERATIONS = 2, 256, 4, 16, 10


def constant(kernel: Tensor, size: tuple[int, int]) -> KernelField:
    """Return one kernel as the field of an LR image."""
    return KernelField(kernel[None].double(), torch.ones(1, *size, dtype=torch.float64))


def psnr_of(field: KernelField | None, lr: Tensor, hr: Tensor) -> float:
    """Return the PSNR of the enlarged LR, corrected by back-projection with a field."""
    sr = imresize(lr, float(SCALE))
    if field is not None:
        blur = FieldBlur(field.basis, field.weights, scale=SCALE)
        project = BackProjection(blur, ITERATIONS, scale=SCALE, same_size=False)
        sr = project(sr, lr)
    error = (sr.clamp(0, 1) - hr)[..., BORDER:-BORDER, BORDER:-BORDER]
    return -10 * float(error.square().mean().log10())


def measure(photo: Path, camera: tuple[float, float], files: list[Path], gan: bool) -> dict:
    """Return kernel errors and PSNR of one photo and one camera."""
    pixels = to_tensor(read_image(photo))[None, :3]
    top, left = ((side - SIDE) // 2 for side in pixels.shape[2:])
    hr = pixels[..., top : top + SIDE, left : left + SIDE]
    content, position = camera
    degradation = create_degradation(
        {"type": "SampleCamera", "content": content, "position": position},
        scale=SCALE,
        same_size=False,
    )
    traces = degradation.sample(hr, [7])
    lr = degradation.replay(hr, traces)
    size = (int(lr.shape[2]), int(lr.shape[3]))
    points = [(y, x) for y in range(8, size[0] - 8, STEP) for x in range(8, size[1] - 8, STEP)]
    truth = kernels_of(degradation, hr, traces, points)[0].double()
    fields = {"true mean": constant(truth.mean(0), size)}
    for number, file in enumerate(files):
        field = estimator_from_config(file).estimate(lr, SCALE).field
        assert field is not None
        fields[f"field, seed {number}"] = field
        fields[f"its mean, seed {number}"] = constant(field.mean(), size)
    if gan:
        fields["KernelGAN"] = constant(
            estimator_from_config("KernelGAN").estimate(lr, SCALE).kernel, size
        )
    errors, psnr = {}, {"bicubic": psnr_of(None, lr, hr)}
    for name, field in fields.items():
        side = max(field.basis.shape[-1], truth.shape[-1])
        found, true = (widened(one, side, SCALE) for one in (field.at(points), truth))
        errors[name], psnr[name] = tap_error(found, true), psnr_of(field, lr, hr)
    return {"kernel_error": errors, "psnr": psnr}


def draw(photo: Path, file: Path, out: Path) -> None:
    """Draw the estimated and the true kernels over a degraded photo."""
    hr = to_tensor(read_image(photo))[None, :3]
    camera = {"type": "SampleCamera", "content": 0.25, "position": 1.0}
    degradation = create_degradation(camera, scale=SCALE, same_size=False)
    traces = degradation.sample(hr, [7])
    lr = degradation.replay(hr, traces)
    field = estimator_from_config(file).estimate(lr, SCALE).field
    assert field is not None
    rows, columns = 5, 8
    points = [(y, x) for y in range(int(lr.shape[2])) for x in range(int(lr.shape[3]))]
    truth = kernels_of(degradation, hr, traces, points)[0]
    side = int(truth.shape[-1])
    taps = truth.view(*lr.shape[2:], side**2).permute(2, 0, 1)
    true = adaptive_avg_pool2d(taps[None], (rows, columns))[0].permute(1, 2, 0)
    grids = {
        "estimated from the photo alone": field.grid(rows, columns),
        "true": true.reshape(rows, columns, side, side),
    }
    parts = []
    with TemporaryDirectory() as folder:
        for title, grid in grids.items():
            parts.append(read_image(kernel_grid(lr[0], grid, Path(folder) / "p.png", title=title)))
    write_image(out, np.concatenate(parts)[..., :3])


def main() -> None:
    """Measure what is missing, and write after each photo."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("estimators", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--kernelgan", type=int, default=0, help="photos KernelGAN sees")
    parser.add_argument("--draw", metavar="NAME", help="draw this photo instead of measuring")
    args = parser.parse_args()
    if args.draw:
        draw(args.data / "Kodak24" / f"{args.draw}.png", args.estimators[0], args.out)
        return
    done = json.loads(args.out.read_text()) if args.out.exists() else {"photos": {}}
    for number, photo in enumerate(sorted((args.data / "Kodak24").glob("*.png"))[: args.photos]):
        for camera in CAMERAS:
            key = f"{photo.stem}, content {camera[0]}, position {camera[1]}"
            if key not in done["photos"]:
                gan = number < args.kernelgan
                done["photos"][key] = measure(photo, camera, args.estimators, gan)
                args.out.write_text(json.dumps(done, indent=1) + "\n")
    for what in ("kernel_error", "psnr"):
        rows: dict[str, list[float]] = {}
        for one in done["photos"].values():
            for name, value in one[what].items():
                rows.setdefault(name, []).append(value)
        done[what] = {n: {"mean": sum(v) / len(v), "images": len(v)} for n, v in rows.items()}
        print(what, json.dumps(done[what]))
    args.out.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()
