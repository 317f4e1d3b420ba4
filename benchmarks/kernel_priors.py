"""Measure FKP: the likelihood of its flows, and the kernels that it finds beside KernelGAN's.

    python benchmarks/kernel_priors.py likelihood WEIGHTS RESULT.json
    python benchmarks/kernel_priors.py kernels WEIGHTS RESULT.json --data DATA
    python benchmarks/kernel_priors.py picture WEIGHTS RESULT.json --data kernels.png

WEIGHTS holds the published ``FKP_x2.pt``, ``FKP_x3.pt``, ``FKP_x4.pt`` and ``usrnet_tiny.pth`` of
JingyunLiang/FKP, and perhaps flows trained here as ``fkp_x2.safetensors``; DATA holds ``Kodak24``.
Every result is written when it is there, and a second call continues with the next one. Kernels
are written to RESULT.npz beside it; ``picture`` draws them, a row for each method.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg import create_degradation, read_image
from realdeg.backbones import read_weights
from realdeg.backbones.build import backbone_from_config
from realdeg.datasets import KernelSet, collate_kernels
from realdeg.degradations import FlowKernel
from realdeg.degradations.blur_kinds import KINDS
from realdeg.degradations.estimation import KernelGAN, KernelGANFKP
from realdeg.degradations.primitives import pad_kernel
from realdeg.degradations.primitives.kernels import centred
from realdeg.degradations.primitives.resize import imresize
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.image import write_image
from realdeg.zero_shot import DIPFKP

# By photo: the first row and column of its crop. The kernel's seed is the photo's number.
CROPS = {
    **{"01": (160, 288), "05": (128, 256), "08": (200, 300), "13": (240, 320)},
    **{"16": (224, 160), "19": (300, 128), "21": (176, 352), "23": (60, 150)},
}
SIDE, SCALE, KERNELS = 192, 2, 1000
METHODS = ("true kernel", "KernelGAN", "KernelGAN-FKP", "DIP-FKP")
KEPT = "taps"  # the kernel in a row, which is kept apart


def flow_of(weights: Path, scale: int) -> FlowKernel:
    """Return the published flow of a scale."""
    file = weights / f"FKP_x{scale}.pt"
    return FlowKernel.from_published(read_weights(file), str(file), {"scale": scale})


def likelihood(weights: Path, scale: int) -> Iterator[tuple[str, Any]]:
    """Yield the negative log-likelihood of kernels of FKP's family, and the sums of samples."""
    family = {"type": "BlurDown", "kind": "FKP"}
    data = KernelSet(degradation=family, length=KERNELS, split="test", scale=scale)
    batch = collate_kernels([data[index] for index in range(KERNELS)])
    flows = {"published": flow_of(weights, scale)}
    if (weights / f"fkp_x{scale}.safetensors").exists():
        flows["trained here"] = create_degradation(weights / f"fkp_x{scale}.safetensors")
    for name, flow in flows.items():
        with torch.no_grad():
            found = flow.log_likelihood(batch["kernel"], batch["seeds"]).double()
            codes = torch.stack([flow.code_of(seed) for seed in range(KERNELS)])
            raw = flow.raw_kernels(codes).sum((1, 2))
        yield (
            name,
            {
                "negative_log_likelihood": round(float(-found.mean()), 3),
                "standard_error": round(float(found.std()) / KERNELS**0.5, 3),
                "sum_of_samples": [round(float(raw.mean()), 4), round(float(raw.std()), 4)],
            },
        )


def kernels(weights: Path, name: str, data: Path) -> Iterator[tuple[str, Any]]:
    """Yield what each estimator finds on one crop, and the images made with it."""
    top, left = CROPS[name]
    large = load(data / f"Kodak24/{name}.png")[..., top : top + SIDE, left : left + SIDE]
    family = {**KINDS["FKP"].kernel(SCALE), "centre": "aligned"}
    blur = create_degradation(
        dict(type="BlurDown", kind="FKP", kernel=family), scale=SCALE, same_size=False
    )
    (trace,) = blur.sample(large, [int(name)])
    small = blur.replay(large, [trace]).clamp(0, 1).mul(255).round().div(255)
    truth = blur.condition(trace)["kernel"].double()
    yield "true kernel's record", trace.params["kernel"]
    yield "bicubic", {"psnr_y": decibels(imresize(small, SCALE), large)}
    solver = backbone_from_config(
        dict(type="USRNet", preset="tiny", checkpoint=weights / "usrnet_tiny.pth"), SCALE
    ).eval()

    def solved(kernel: Tensor) -> float:
        with torch.no_grad():
            return decibels(solver(small, scale=SCALE, cond=kernel[None, None].float()), large)

    yield "true kernel", {"psnr_y": solved(truth), KEPT: truth}
    used = time.process_time()
    found = KernelGAN().estimate(small, SCALE)
    yield "KernelGAN", error(found.kernel, truth) | cost(used) | {"psnr_y": solved(found.kernel)}
    flow = flow_of(weights, SCALE)
    used, method = time.process_time(), DIPFKP(SCALE, flow)
    image = method(small)
    kernel = centred(method.kernels[0], SCALE)
    own = {"psnr_y": solved(kernel), "psnr_y_own_image": decibels(image, large)}
    yield "DIP-FKP", error(kernel, truth) | cost(used) | own
    used = time.process_time()
    found = KernelGANFKP(flow).estimate(small, SCALE)
    yield (
        "KernelGAN-FKP",
        error(found.kernel, truth) | cost(used) | {"psnr_y": solved(found.kernel)},
    )


def load(path: Path) -> Tensor:
    """Return an image as (1, C, H, W) in [0, 1]."""
    return torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float() / 255


def decibels(sr: Tensor, hr: Tensor) -> float:
    """Return the PSNR of luma after rounding to 8 bit, without a border of the scale."""
    y = rgb_to_y(sr.clamp(0, 1).mul(255).round().div(255))
    difference = (y - rgb_to_y(hr))[..., SCALE:-SCALE, SCALE:-SCALE]
    return round(float(-10 * torch.log10(difference.double().square().mean())), 3)


def error(kernel: Tensor, truth: Tensor) -> dict[str, Any]:
    """Return the sum of absolute differences, the PSNR over the true kernel's taps, the kernel."""
    side = max(len(kernel), len(truth))
    difference = pad_kernel(kernel.double(), side) - pad_kernel(truth, side)
    mean = difference.square().sum() / truth.numel()
    return {
        "kernel_error": round(float(difference.abs().sum()), 3),
        "kernel_psnr": round(float(-10 * torch.log10(mean)), 2),
        KEPT: kernel,
    }


def cost(used: float) -> dict[str, float]:
    """Return the CPU seconds since a moment."""
    return {"cpu_seconds": round(time.process_time() - used, 1)}


def keep(file: Path, name: str, kernel: Tensor) -> None:
    """Add a kernel to a file of arrays."""
    found = dict(np.load(file)) if file.exists() else {}
    np.savez(file, **{**found, name: kernel.double().numpy()})


def picture(file: Path, path: Path) -> None:
    """Draw kernels in a grid, each row a method and each column a crop, whose truth sets white."""
    found, side, zoom = np.load(file), 15, 6
    rows = []
    for method in METHODS:
        row = []
        for name in CROPS:
            white = found[f"{name} {METHODS[0]}"].max()
            tile = np.full((side * zoom + 4,) * 2, 255.0)
            if f"{name} {method}" in found:
                kernel = torch.from_numpy(found[f"{name} {method}"])
                cut = pad_kernel(kernel, max(side, len(kernel)))[:side, :side].numpy()
                grey = (255 * cut / white).clip(0, 255).repeat(zoom, 0).repeat(zoom, 1)
                tile[2:-2, 2:-2] = grey
            row.append(tile)
        rows.append(np.concatenate(row, 1))
    grid = np.concatenate(rows, 0).round().astype(np.uint8)
    write_image(path, np.ascontiguousarray(grid[..., None].repeat(3, 2)))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", choices=["likelihood", "kernels", "picture"])
    parser.add_argument("weights", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--names", nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    arrays = args.result.with_suffix(".npz")
    if args.method == "picture":
        picture(arrays, args.data)
        return
    done = json.loads(args.result.read_text()) if args.result.exists() else {}
    usual = list(CROPS) if args.method == "kernels" else ["2", "3", "4"]
    for name in args.names or usual:
        rows = done.setdefault(args.method, {}).setdefault(name, {})
        if args.method == "kernels":
            steps = kernels(args.weights, name, args.data)
            if "KernelGAN-FKP" in rows:
                continue
        else:
            steps = likelihood(args.weights, int(name))
        for key, value in steps:
            if KEPT in value:
                keep(arrays, f"{name} {key}", value.pop(KEPT))
            rows[key] = value
            args.result.write_text(json.dumps(done, indent=1) + "\n")
            print(args.method, name, key, value, flush=True)


if __name__ == "__main__":
    main()
