"""Images without noise and the same with noise, for benchmarks/learned_noise.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from realdeg.degradations import CameraISP, GlobalKernel, SampleCamera
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.image import read_image, to_tensor

Pair = tuple[Tensor, Tensor]
Halves = tuple[list[Pair], list[Pair]]
FLAT = 0.05
SHOT, READ, ISP_SHOT = 4e-4, 2e-5, 2e-3
"""Noise of the simulated cameras."""


def photo(path: Path) -> Tensor:
    """Read a photo as (1, 3, H, W)."""
    return to_tensor(read_image(path))[None]


def rounded(image: Tensor) -> Tensor:
    """Round to 8 bit."""
    return (image.clamp(0, 1) * 255).round() / 255


def centre(image: Tensor, side: int) -> Tensor:
    """Cut the centre."""
    top, left = ((length - side) // 2 // 4 * 4 for length in image.shape[2:])
    return image[..., max(top, 0) : max(top, 0) + side, max(left, 0) : max(left, 0) + side]


@torch.no_grad()
def sample_camera(data: Path) -> Halves:
    """Photos before SampleCamera, whose noise has the variance shot x + read."""
    camera = SampleCamera(2, shot=SHOT, read=READ)
    clean = SampleCamera(2, noise=False, quantise=False)
    files = sorted((data / "Kodak24").glob("*.png"))[::2]
    pairs = []
    for number, file in enumerate(files):
        hr = centre(photo(file), 384)
        pairs.append((clean(hr, [0]), camera(hr, [number])))
    return pairs[:8], pairs[8:]


@torch.no_grad()
def camera_isp(data: Path) -> Halves:
    """Photos before one CameraISP: noise at the sensor, then demosaicing, colours and curve."""
    camera, clean = CameraISP(1, shot=ISP_SHOT), CameraISP(1, noise=False)
    pairs = []
    for number, file in enumerate(sorted((data / "Kodak24").glob("*.png"))):
        hr = centre(photo(file), 256)
        (trace,) = camera.sample(hr, [7])
        drawn = dataclasses.replace(trace, params={**trace.params, "noise_seed": number})
        pairs.append((clean(hr, [7]), rounded(camera.replay(hr, [drawn]))))
    return pairs[:16], pairs[16:]


@torch.no_grad()
def behind_one_kernel(
    train: list[Pair], test: list[Pair], scale: int, same_size: bool, fitted: int
) -> Halves:
    """Make LR without noise by one kernel, fitted to squares of ``fitted`` HR pixels."""
    kernel = GlobalKernel(scale, same_size, kernel_size=15)
    stride = kernel.stride
    for hr, lr in train:
        kernel.accumulate(
            rgb_to_y(centre(hr, fitted)), rgb_to_y(centre(lr, max(fitted // stride, 1)))
        )
    kernel.solve()
    return tuple([(kernel(hr, [0]), lr) for hr, lr in half] for half in (train, test))  # type: ignore[return-value]


def realsr(camera: str) -> Callable[[Path], Halves]:
    """Return a reader of one camera of the RealSR V3 crops."""

    def read(data: Path) -> Halves:
        halves = []
        for part in ("Train", "Test"):
            files = sorted((data / "RealSR-V3-crops" / camera / part / "4").glob("*_HR.png"))
            halves.append(
                [(photo(f), photo(f.with_name(f.name.replace("_HR", "_LR4")))) for f in files]
            )
        return behind_one_kernel(*halves, 4, False, 512)

    return read


def ntire(data: Path) -> Halves:
    """Read the centres of NTIRE 2019."""
    halves = []
    for part in ("train", "test"):
        folder = data / "NTIRE19-RealSR" / part
        files = sorted((folder / "HR").glob("*.png"))
        halves.append(
            [(centre(photo(f), 640), centre(photo(folder / "LR" / f.name), 640)) for f in files]
        )
    return behind_one_kernel(*halves, 4, True, 320)


def city(data: Path) -> Halves:
    """Read the postcards of City100 before an iPhone X."""
    files = sorted((data / "City100-iPhoneX").glob("*H.PNG"))
    pairs = [(photo(f), photo(f.with_name(f.name.replace("H.", "L.")))) for f in files]
    pairs = [(centre(hr, 480), centre(lr, 480)) for hr, lr in pairs]
    return behind_one_kernel(pairs[:24:2], pairs[24:], 4, True, 240)


def polyu(data: Path) -> Halves:
    """Read one camera at ISO 6400, as the recipe does: JPEG."""

    def named(scene: str) -> list[Pair]:
        files = sorted((data / "PolyU-noise").glob(f"NikonD800_{scene}_*_mean.JPG"))
        return [(photo(f), photo(f.with_name(f.name.replace("_mean", "_real")))) for f in files]

    return named("5_125_6400_stair"), named("5-6_160_6400_wall")


def nam(data: Path) -> Halves:
    """Read the 19 crops of several cameras: PNG."""
    files = sorted((data / "Nam-noise").glob("*_gt.png"))
    pairs = [(photo(f), photo(f.with_name(f.name.replace("_gt", "_noise")))) for f in files]
    return pairs[::2], pairs[1::2]


# What it is called, how it is read, the radius, and the share of pixels that count.
SETS: dict[str, tuple[Callable[[Path], Halves], int, float]] = {
    "SampleCamera, truth known": (sample_camera, 3, 1.0),
    "CameraISP, truth known": (camera_isp, 3, 1.0),
    "RealSR V3 crops, Canon": (realsr("Canon"), 3, FLAT),
    "RealSR V3 crops, Nikon": (realsr("Nikon"), 3, FLAT),
    "NTIRE 2019": (ntire, 5, FLAT),
    "City100": (city, 5, FLAT),
    "PolyU, Nikon D800, ISO 6400": (polyu, 3, 1.0),
    "Nam": (nam, 3, 1.0),
}
