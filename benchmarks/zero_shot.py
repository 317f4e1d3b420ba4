"""Measure zero-shot methods: ZSSR on Set5, and ZSSR with true, estimated and wrong kernels.

    python benchmarks/zero_shot.py set5 DATA RESULT.json --names bird woman
    python benchmarks/zero_shot.py kernels DATA RESULT.json --names 05 19
    python benchmarks/zero_shot.py gradual DATA RESULT.json --names bird woman
    python benchmarks/zero_shot.py dip DATA RESULT.json --names butterfly
    python benchmarks/zero_shot.py dip_paper DATA RESULT.json --names butterfly

DATA holds ``Set5/HR/x{2,4}``, ``Set5/LR_bicubic/x2`` and ``Kodak24``. Every result is written
when it is there, and a second call continues with the next image.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from realdeg import read_image
from realdeg.degradations.primitives.resize import imresize
from realdeg.utils.colour import rgb_to_y
from realdeg.zero_shot import DIP, ZSSR, ZeroShot
from realdeg.zero_shot.reductions import recorded_kernel, reduce
from realdeg.zero_shot.variance_rule import VarianceRule

# By photo: the kernel, and the first row and column of its crop of 256 pixels.
KERNELS: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "05": (dict(sigma_x=1.5, sigma_y=1.5, angle=0.0), (128, 256)),
    "08": (dict(sigma_x=2.2, sigma_y=0.9, angle=0.8), (200, 300)),
    "19": (dict(sigma_x=1.0, sigma_y=2.0, angle=0.3), (300, 128)),
    "23": (dict(sigma_x=1.8, sigma_y=1.2, angle=2.2), (60, 150)),
}
KERNEL_SIZE, SIDE = 15, 256


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


def set5(data: Path, name: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what bicubic interpolation and one configuration of ZSSR reach on one image."""
    (lr,) = (data / "Set5/LR_bicubic/x2").glob(f"{name}*")
    (hr,) = (data / "Set5/HR/x2").glob(f"{name}*")
    small, large = load(lr), load(hr)
    yield "bicubic", decibels(imresize(small, 2), large, 2)
    yield "ZSSR", enlarge(ZSSR(scale=2, **settings), small, large)


def kernels(data: Path, name: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what ZSSR reaches with the true, the estimated and the bicubic kernel on one crop."""
    shape, (top, left) = KERNELS[name]
    record = {"shape": "gaussian", "size": KERNEL_SIZE, **shape}
    large = load(data / f"Kodak24/{name}.png")[..., top : top + SIDE, left : left + SIDE]
    truth = recorded_kernel(record, 2, "kernel")
    small = reduce(large, (SIDE // 2, SIDE // 2), truth).clamp(0, 1).mul(255).round().div(255)
    yield "bicubic", decibels(imresize(small, 2), large, 2)
    known = ZSSR(scale=2, preset="kernel", kernel=record, **settings)
    yield "true kernel", enlarge(known, small, large)
    yield "bicubic kernel", enlarge(ZSSR(scale=2, **settings), small, large)
    blind = ZSSR(scale=2, preset="kernel", kernel="kernelgan", **settings)
    found = enlarge(blind, small, large)
    assert blind.kernel is not None
    side = (KERNEL_SIZE - int(blind.kernel.shape[-1])) // 2
    estimate = torch.nn.functional.pad(blind.kernel, (side,) * 4)
    yield "KernelGAN", found | {"kernel_error": round(float((estimate - truth).abs().sum()), 3)}


def dip(data: Path, name: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what DIP's average and its last output reach on a crop of 128 HR pixels, x4."""
    (hr,) = (data / "Set5/HR/x4").glob(f"{name}*")
    large = load(hr)[..., 64:192, 64:192]
    small = imresize(large, size=(32, 32)).clamp(0, 1).mul(255).round().div(255)
    yield "bicubic", decibels(imresize(small, 4), large, 4)
    yield "average", enlarge(DIP(4, "bicubic", **settings), small, large)
    yield "last output", enlarge(DIP(4, "bicubic", average=0, **settings), small, large)


def gradual(data: Path, name: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what ZSSR's gradual configuration reaches on one image."""
    yield from set5(data, name, {"preset": "gradual", **settings})


def dip_paper(data: Path, name: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what DIP reaches at x4 on a whole image; LR by Pillow's Lanczos filter as in its paper.

    One training gives the result of the published program (the output of iteration 2000), that of
    the variance rule, and a curve of both.
    """
    (path,) = (data / "Set5/HR/x4").glob(f"{name}*")
    image = Image.open(path).convert("RGB")
    width, height = (side // 32 * 32 for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    image = image.crop((left, top, left + width, top + height))
    small_image = image.resize((width // 4, height // 4), Image.Resampling.LANCZOS)
    large, small = (
        torch.from_numpy(np.array(one)).permute(2, 0, 1)[None].float() / 255
        for one in (image, small_image)
    )
    yield "size", [height, width]
    yield "bicubic", decibels(imresize(small, 4), large, 4)
    curve: list[tuple[int, float, float]] = []
    last: list[Tensor] = []

    class Recording(VarianceRule):
        """Keeps the last output and a curve."""

        def add(self, output: Tensor, error: float) -> None:
            super().add(output, error)
            last[:] = [output]
            if self._count % 50 == 0:
                both = (decibels(one, large, 4) for one in (output, self.result))
                curve.append((self._count, *both))
                print(name, curve[-1], flush=True)

    method = DIP(4, "lanczos", **{"patience": 2000, **settings})
    with mock.patch("realdeg.zero_shot.dip.VarianceRule", Recording):
        yield "rule", enlarge(method, small, large)
    yield "last output", decibels(last[0], large, 4)
    yield "curve", curve


METHODS = {
    "set5": set5,
    "gradual": gradual,
    "kernels": kernels,
    "dip": dip,
    "dip_paper": dip_paper,
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=METHODS)
    parser.add_argument("data", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON for the method")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kept = json.loads(args.result.read_text()) if args.result.exists() else {}
    place = kept.setdefault(args.what, {})
    for name in args.names:
        done = place.setdefault(name, {"settings": args.settings})
        if done.get("complete"):
            continue
        for method, found in METHODS[args.what](args.data, name, args.settings):
            done[method] = found
            args.result.write_text(json.dumps(kept, indent=1) + "\n")
            print(name, method, found, flush=True)
        done["complete"] = True
        args.result.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
