"""Measure zero-shot methods: ZSSR on Set5, and ZSSR with true, estimated and wrong kernels.

    python benchmarks/zero_shot.py set5 DATA RESULT.json --names bird woman
    python benchmarks/zero_shot.py kernels DATA RESULT.json --names 05 19

DATA holds ``Set5/HR/x2``, ``Set5/LR_bicubic/x2`` and ``Kodak24``. Each image is written when it is
done, and a second call continues.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg import read_image
from realdeg.degradations.primitives.resize import imresize
from realdeg.utils.colour import rgb_to_y
from realdeg.zero_shot import ZSSR, ZeroShot
from realdeg.zero_shot.reductions import recorded_kernel, reduce

# By photo: the kernel, and the first row and column of its crop of 256 pixels.
KERNELS: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "05": (dict(sigma_x=1.5, sigma_y=1.5, angle=0.0), (128, 256)),
    "08": (dict(sigma_x=2.2, sigma_y=0.9, angle=0.8), (200, 300)),
    "19": (dict(sigma_x=1.0, sigma_y=2.0, angle=0.3), (300, 128)),
    "23": (dict(sigma_x=1.8, sigma_y=1.2, angle=2.2), (60, 150)),
}
KERNEL_SIZE = 15


def load(path: Path) -> Tensor:
    """Return an image as (1, C, H, W) in [0, 1]."""
    return torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float() / 255


def decibels(sr: Tensor, hr: Tensor, border: int) -> float:
    """Return the PSNR of luma after rounding to 8 bit, without a border."""
    y = rgb_to_y(sr.clamp(0, 1).mul(255).round().div(255))
    difference = (y - rgb_to_y(hr))[..., border:-border, border:-border]
    return round(float(-10 * torch.log10(difference.double().square().mean())), 3)


def enlarge(method: ZeroShot, lr: Tensor, hr: Tensor, **call: Any) -> dict[str, Any]:
    """Return what a method reaches, and at which cost."""
    used = time.process_time()
    with torch.no_grad():
        sr = method(lr, **call)
    cost = {"cpu_seconds": round(time.process_time() - used, 1)}
    return {"psnr_y": decibels(sr, hr, method.scale)} | cost | method.trainings[0].to_dict()


def set5(data: Path, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Measure bicubic interpolation and one configuration of ZSSR on one image."""
    (lr,) = (data / "Set5/LR_bicubic/x2").glob(f"{name}*")
    (hr,) = (data / "Set5/HR/x2").glob(f"{name}*")
    small, large = load(lr), load(hr)
    found = {"bicubic": decibels(imresize(small, 2), large, 2)}
    return found | {"zssr": enlarge(ZSSR(scale=2, **settings), small, large)}


def kernels(data: Path, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Measure ZSSR with the true, the estimated and the bicubic kernel on one crop."""
    record, (top, left) = KERNELS[name]
    record = {"shape": "gaussian", "size": KERNEL_SIZE, **record}
    large = load(data / f"Kodak24/{name}.png")[..., top : top + 256, left : left + 256]
    truth = recorded_kernel(record, 2, "kernel")
    small = reduce(large, (128, 128), truth).clamp(0, 1).mul(255).round().div(255)
    found: dict[str, Any] = {"kernel": record, "bicubic": decibels(imresize(small, 2), large, 2)}
    known = ZSSR(scale=2, preset="kernel", kernel=record, **settings)
    found["true kernel"] = enlarge(known, small, large)
    blind = ZSSR(scale=2, preset="kernel", kernel="kernelgan", **settings)
    found["KernelGAN"] = enlarge(blind, small, large)
    assert blind.kernel is not None
    estimate = same_size(blind.kernel, truth)
    found["KernelGAN"]["kernel_error"] = round(float((estimate - truth).abs().sum()), 3)
    found["bicubic kernel"] = enlarge(ZSSR(scale=2, **settings), small, large)
    return found


def same_size(kernel: Tensor, like: Tensor) -> Tensor:
    """Cut or surround a kernel so that it has the size of another of the same parity."""
    side = (int(like.shape[-1]) - int(kernel.shape[-1])) // 2
    return torch.nn.functional.pad(kernel, (side,) * 4)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("set5", "kernels"))
    parser.add_argument("data", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON for ZSSR")
    args = parser.parse_args()
    done = json.loads(args.result.read_text()) if args.result.exists() else {}
    measure = {"set5": set5, "kernels": kernels}[args.what]
    for name in args.names:
        if name in done:
            continue
        done[name] = measure(args.data, name, args.settings) | {"settings": args.settings}
        args.result.write_text(json.dumps(done, indent=1) + "\n")
        print(name, json.dumps(done[name]), flush=True)


if __name__ == "__main__":
    main()
