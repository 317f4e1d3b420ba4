"""Measure USRNet's published weights, told the kernel: Set5 and Kodak crops, and bicubic LR.

    python benchmarks/usrnet.py kernels DATA RESULT.json --weights usrnet_tiny.pth \
        --kernels kernels_12.mat
    python benchmarks/usrnet.py bicubic DATA RESULT.json --weights usrnet_tiny.pth

DATA holds ``Set5/HR/x{2,3,4}``, ``Set5/LR_bicubic`` and ``Kodak24``. ``kernels`` degrades as the
authors' ``main_test_table1.py``: the 8-bit image is convolved with a wrapped border, and the first
of s pixels kept; PSNR is of RGB without a border of s * s pixels. The bicubic enlargement beside it
is moved onto those pixels. Every result is written when it is there, and a second call continues.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat
from scipy.ndimage import convolve
from torch import Tensor

from realdeg import create_backbone, read_image
from realdeg.backbones import USRNet
from realdeg.backbones.ircnn_hqs import _align as first_pixels
from realdeg.degradations.primitives.resize import imresize
from realdeg.utils.colour import rgb_to_y

KERNELS = (2, 7, 11)
CROPS = {"05": (128, 256), "08": (200, 300), "19": (300, 128), "23": (60, 150)}
SIDE, SCALES = 256, (2, 3, 4)


def image(path: Path) -> np.ndarray:
    """Return an image (H, W, 3), uint8."""
    return np.asarray(read_image(path))


def tensor(pixels: np.ndarray) -> Tensor:
    """Return an image as (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255


def decibels(sr: Tensor, hr: Tensor, border: int) -> float:
    """Return the PSNR after rounding to 8 bit, without a border."""
    difference = (sr.clamp(0, 1).mul(255).round().div(255) - hr).double()
    difference = difference[..., border:-border, border:-border]
    return float(-10 * torch.log10(difference.square().mean()))


def pictures(data: Path, scale: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Give set, name and HR image, sides divisible by scale and by 8."""
    unit = int(np.lcm(scale, 8))
    for path in sorted((data / "Set5" / "HR" / "x4").glob("*.png")):
        hr = image(path)
        height, width = (side // unit * unit for side in hr.shape[:2])
        yield "Set5", path.stem.removesuffix("_HR_x4"), hr[:height, :width]
    side = SIDE // unit * unit
    for name, (row, column) in CROPS.items():
        hr = image(data / "Kodak24" / f"{name}.png")
        yield "Kodak", name, hr[row : row + side, column : column + side]


def kernels(options: argparse.Namespace, found: dict) -> Iterator[tuple[str, dict]]:
    """Measure with the authors' kernels and degradation."""
    stored = loadmat(options.kernels)["kernels"]
    network = create_backbone("USRNet", weights=options.weights, border="circular").eval()
    for scale in SCALES:
        for number in KERNELS:
            kernel = torch.from_numpy(stored[0, number - 1].astype(np.float64))
            cond = USRNet.of_first_pixels(kernel / kernel.sum(), scale)[None, None]
            for group, name, hr in pictures(options.data, scale):
                key = f"{group} {name} x{scale} kernel {number}"
                if key in found:
                    continue
                blurred = convolve(hr, stored[0, number - 1][..., None], mode="wrap")
                lr, wanted = tensor(blurred[::scale, ::scale]), tensor(hr)
                begun = time.process_time()
                with torch.no_grad():
                    sr = network(lr, scale=scale, cond=cond)
                seconds = time.process_time() - begun
                bicubic = first_pixels(imresize(lr, float(scale)), scale)
                yield (
                    key,
                    {
                        "usrnet": round(decibels(sr, wanted, scale**2), 3),
                        "bicubic": round(decibels(bicubic, wanted, scale**2), 3),
                        "cpu_seconds": round(seconds, 1),
                    },
                )


def bicubic(options: argparse.Namespace, found: dict) -> Iterator[tuple[str, dict]]:
    """Measure on Set5's bicubic LR, of which the network is told nothing; PSNR of luma."""
    for border in ("circular", "extended"):
        network = create_backbone("USRNet", weights=options.weights, border=border).eval()
        for scale in SCALES:
            for path in sorted((options.data / "Set5" / "HR" / f"x{scale}").glob("*.png")):
                key = f"Set5 {path.stem.removesuffix(f'_HR_x{scale}')} x{scale} {border}"
                if key in found:
                    continue
                name = path.name.replace("_HR_", "_LRBI_")
                lr = tensor(image(options.data / "Set5" / "LR_bicubic" / f"x{scale}" / name))
                hr = tensor(image(path))
                with torch.no_grad():
                    sr = network(lr, scale=scale)
                pair = (rgb_to_y(each.clamp(0, 1).mul(255).round().div(255)) for each in (sr, hr))
                yield key, {"usrnet": round(luma_decibels(*pair, scale), 3)}


def luma_decibels(sr: Tensor, hr: Tensor, border: int) -> float:
    """Return the PSNR of luma in [0, 1] without a border."""
    difference = (sr - hr).double()[..., border:-border, border:-border]
    return float(-10 * torch.log10(difference.square().mean()))


def main() -> None:
    """Measure what is asked for and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("kernels", "bicubic"))
    parser.add_argument("data", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--kernels", type=Path)
    options = parser.parse_args()
    result = json.loads(options.result.read_text()) if options.result.exists() else {}
    found = result.setdefault(options.what, {})
    measure = kernels if options.what == "kernels" else bicubic
    for key, values in measure(options, found):
        found[key] = values
        print(key, values, flush=True)
        options.result.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
