"""What the page does with a photo: draw, replay, look at a place, compare, export."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

import realdeg
from realdeg.apis.arrays import take_apart
from realdeg.apis.create import create_degradation
from realdeg.apis.degrader import Degrader
from realdeg.apis.previewing import as_8_bit, choose_crop, cut, find_image, sample_names
from realdeg.apis.trace_files import Crop, TraceRecord, trace_lines
from realdeg.degradations.trace import Trace
from realdeg.errors import CheckpointError, ConfigError, DataError, GeometryError
from realdeg.evaluation.metrics.psnr import psnr
from realdeg.studio.local import kernel_at, noise_of
from realdeg.studio.recipe import Recipe, recipe_of, with_files
from realdeg.utils.colour import one_channel_is_grey
from realdeg.utils.component import plain
from realdeg.utils.image import check_image, load_image, to_tensor
from realdeg.utils.plain_json import read_json

LARGEST_PHOTO = 100 << 20
"""Bytes of a photo's file."""
LARGEST_WEIGHTS = 1 << 30
"""Bytes of a camera's or network's file."""
LARGEST_SIDE = 2048
"""Pixels of the largest part of a photo that is degraded on the page."""
AROUND = 16
"""LR pixels on each side of the pointer, over which noise is measured."""


@dataclass(frozen=True)
class Photo:
    """An HR image, and the part of it that is degraded.

    Attributes:
        name: The file's name, or that of a built-in image.
        pixels: The part, H x W x C, uint8 or uint16.
        crop: (top, left, height, width) of the part, or None for the whole image.
    """

    name: str
    pixels: NDArray[Any]
    crop: Crop | None


@dataclass(frozen=True)
class Shot:
    """One LR image, and all that made it.

    Attributes:
        photo: The HR image.
        recipe: The degradation as the page shows it.
        degrader: The same, built.
        record: The trace, the part of the image and the seed (None: replayed).
        lr: The LR image.
    """

    photo: Photo
    recipe: Recipe
    degrader: Degrader
    record: TraceRecord
    lr: NDArray[Any]

    @property
    def stride(self) -> int:
        """HR pixels per LR pixel on the grid."""
        return self.degrader.degradation.stride

    @property
    def input(self) -> tuple[Tensor, bool]:
        """The degradation's input, (1, C, H, W), and whether it is grey."""
        picture = take_apart(self.photo.pixels)
        channels, height, width = self.record.trace.size
        picture = picture.crop(height, width)
        grey = picture.grey and channels == 1
        return (picture.rgb[:, :1] if grey else picture.rgb), grey

    @cached_property
    def noise(self) -> tuple[Tensor, Tensor] | None:
        """What :func:`~realdeg.studio.local.noise_of` measures, once."""
        degradation, trace = self.degrader.degradation, self.record.trace
        hr, grey = self.input
        with one_channel_is_grey() if grey else nullcontext():
            return noise_of(degradation, hr, trace)

    @property
    def words(self) -> str:
        """What was done, a line for each step."""
        height, width = self.lr.shape[:2]
        seed = "replayed" if self.record.seed is None else f"seed {self.record.seed}"
        lines = [f"LR {height} x {width}, {seed}", *trace_lines(self.record.trace)]
        return "\n".join(lines)

    @property
    def trace_text(self) -> str:
        """The trace as JSON, a line of a file that ``realdeg preview --trace`` reads."""
        crop = self.record.crop
        record = {
            "image": self.record.image,
            "crop": None if crop is None else list(crop),
            "seed": self.record.seed,
            "trace": self.record.trace.to_dict(),
        }
        return json.dumps(record, allow_nan=False)


@dataclass(frozen=True)
class Place:
    """What the degradation did at one LR pixel.

    Attributes:
        row: Row of the LR pixel.
        column: Column of the LR pixel.
        kernel: Its kernel (k, k) of HR pixels, or None.
        stride: HR pixels per LR pixel on the grid, which places the kernel's centre.
        noise: The noise around it, H x W x C in grey levels of 0 to 255, or None without noise.
        sigma: Its standard deviation in grey levels, or None.
    """

    row: int
    column: int
    kernel: NDArray[np.float64] | None
    stride: int
    noise: NDArray[Any] | None
    sigma: float | None


def open_photo(path: str | Path, side: int, stride: int = 1) -> Photo:
    """Read a photo, checked before its pixels are decoded, and choose the part to degrade.

    Args:
        path: The uploaded file, or for instance ``sample/coffee`` for a built-in image.
        side: Height and width of the part in pixels, 16 to 2048: the most detailed one.
        stride: Height and width of the part are multiples of it.

    Raises:
        DataError: If it is no image that realdeg reads, or too large.
        ConfigError: If ``side`` is out of range.
    """
    if not 16 <= side <= LARGEST_SIDE:
        raise ConfigError(f"the part of the photo is 16 to {LARGEST_SIDE} pixels, not {side}.")
    file = find_image(path)
    check_size(file, LARGEST_PHOTO)
    check_image(file)
    pixels = load_image(file).pixels
    crop = choose_crop(pixels, side, stride)
    name = str(path) if str(path) in sample_names() else file.name
    return Photo(name, cut(pixels, crop), crop)


def check_size(file: Path, most: int) -> None:
    """Refuse a file before it is read.

    Args:
        file: An uploaded file.
        most: Bytes.

    Raises:
        DataError: If it is larger.
    """
    size = file.stat().st_size
    if size > most:
        raise DataError(f"{file.name} has {size >> 20} MiB, at most {most >> 20} are loaded.")


def build(recipe: Recipe, files: Mapping[str, Path]) -> Degrader:
    """Build the degradation of a recipe, on the CPU.

    Args:
        recipe: The recipe.
        files: Uploaded files by name; no other file is read.

    Raises:
        RealdegError: As ``realdeg.create_degradation``, and for a file that was not uploaded.
    """
    config = with_files(recipe.config["degradation"], files)
    built = create_degradation(config, recipe.scale, recipe.same_size, trained=True)
    return Degrader(built, device="cpu")


def draw(photo: Photo, recipe: Recipe, seed: int, files: Mapping[str, Path]) -> Shot:
    """Degrade a photo.

    Args:
        photo: The photo.
        recipe: The degradation.
        seed: The random seed, 0 or more.
        files: Uploaded files by name.

    Returns:
        The LR image; the exported Python and config give the same bits for the same seed.

    Raises:
        ConfigError: If the seed or the recipe is wrong.
    """
    if not 0 <= seed < 2**63:
        raise ConfigError(f"the seed is a whole number from 0, not {seed}.")
    degrader = build(recipe, files)
    lr, trace = degrader.degrade(photo.pixels, seed, remainder="crop")
    return Shot(photo, recipe, degrader, TraceRecord(trace, photo.name, photo.crop, seed), lr)


def replay(photo: Photo, recipe: Recipe, text: str, files: Mapping[str, Path]) -> Shot:
    """Apply a recorded trace to a photo.

    Args:
        photo: The photo; its part must have the size that the trace was drawn for.
        recipe: The degradation that drew it.
        text: A trace as JSON: :attr:`Shot.trace_text`, or ``Trace.to_json``.
        files: Uploaded files by name.

    Raises:
        DataError: If it is no trace, or one of another degradation or size.
    """
    degrader = build(recipe, files)
    data = read_json(text, "the trace", DataError)
    if isinstance(data, dict) and "trace" in data:
        data = data["trace"]
    trace = Trace.from_dict(data)
    lr = degrader.replay(photo.pixels, trace)
    return Shot(photo, recipe, degrader, TraceRecord(trace, photo.name, photo.crop), lr)


def look_at(shot: Shot, row: int, column: int) -> Place:
    """Return kernel and noise at an LR pixel.

    Args:
        shot: An LR image of :func:`draw` or :func:`replay`.
        row: Its row.
        column: Its column.

    Raises:
        GeometryError: If there is no such pixel.
    """
    height, width = shot.lr.shape[:2]
    if not (0 <= row < height and 0 <= column < width):
        raise GeometryError(
            f"LR has {height} x {width} pixels, none at row {row}, column {column}."
        )
    hr, grey = shot.input
    with one_channel_is_grey() if grey else nullcontext():
        kernel = kernel_at(shot.degrader.degradation, hr, shot.record.trace, row, column)
    if shot.noise is None:
        return Place(row, column, kernel, shot.stride, None, None)
    noise, deviation = shot.noise
    rows = slice(max(row - AROUND, 0), row + AROUND + 1)
    columns = slice(max(column - AROUND, 0), column + AROUND + 1)
    sigma = float(deviation[:, rows, columns].square().mean().sqrt()) * 255
    patch = noise[:, rows, columns].permute(1, 2, 0).double().numpy() * 255
    return Place(row, column, kernel, shot.stride, patch, sigma)


def enlarged(shot: Shot) -> NDArray[np.uint8]:
    """Return LR on the HR grid, every pixel repeated, 8-bit RGB for display.

    Args:
        shot: The LR image.
    """
    lr = as_8_bit(shot.lr)
    height, width = _used(shot).shape[:2]
    rows, columns = (
        np.minimum((np.arange(side) / (side / own)).astype(int), own - 1)
        for side, own in ((height, lr.shape[0]), (width, lr.shape[1]))
    )
    return lr[rows[:, None], columns[None]]


def shown_hr(shot: Shot) -> NDArray[np.uint8]:
    """Return the part of HR that LR shows, 8-bit RGB.

    Args:
        shot: The LR image.
    """
    return as_8_bit(_used(shot))


def _used(shot: Shot) -> NDArray[Any]:
    height, width = shot.record.trace.size[1:]
    return shot.photo.pixels[:height, :width]


def compare(first: Shot, second: Shot) -> dict[str, tuple[str, str]]:
    """Return what two LR images of one photo have in common and what not, for a table.

    Args:
        first: One LR image.
        second: Another, perhaps of another size.

    Returns:
        By row, the words for both.
    """
    rows = {
        "degradation": tuple(one.degrader.degradation.describe() for one in (first, second)),
        "LR": tuple(f"{one.lr.shape[0]} x {one.lr.shape[1]}" for one in (first, second)),
        "kernel in the middle, width": tuple(_middle(one)[0] for one in (first, second)),
        "noise in the middle, sigma of 255": tuple(_middle(one)[1] for one in (first, second)),
        "PSNR to bicubic LR": tuple(_to_bicubic(one) for one in (first, second)),
    }
    if first.lr.shape == second.lr.shape:
        alike = _psnr(first.lr, second.lr)
        rows["PSNR to each other"] = (alike, alike)
    return rows  # type: ignore[return-value]


def _middle(shot: Shot) -> tuple[str, str]:
    from realdeg.visualization.kernels import kernel_width

    place = look_at(shot, shot.lr.shape[0] // 2, shot.lr.shape[1] // 2)
    width = "none" if place.kernel is None else f"{kernel_width(place.kernel):.2f} HR pixels"
    return width, "none" if place.sigma is None else f"{place.sigma:.2f}"


def _to_bicubic(shot: Shot) -> str:
    degradation = shot.degrader.degradation
    usual = recipe_of({"degradation": {"type": "Bicubic"}})
    usual = replace(usual, scale=degradation.scale, same_size=degradation.same_size)
    return _psnr(shot.lr, draw(shot.photo, usual, 0, {}).lr)


def _psnr(first: NDArray[Any], second: NDArray[Any]) -> str:
    value = psnr(to_tensor(as_8_bit(first)), to_tensor(as_8_bit(second)))
    return "equal" if math.isinf(value) else f"{value:.2f} dB"


def load_camera(path: Path, most: int = LARGEST_WEIGHTS) -> Recipe:
    """Check a camera's file and return it as a recipe.

    Args:
        path: The uploaded ``.safetensors`` file.
        most: The largest size in bytes.

    Raises:
        CheckpointError: If it is not the file of a learned degradation.
        DataError: If it is too large.
    """
    if path.suffix.lower() != ".safetensors":
        raise CheckpointError(f"{path.name} is no camera file: those end in .safetensors.")
    check_size(path, most)
    built = create_degradation({"checkpoint": str(path)}, trained=True)
    cfg = {"checkpoint": path.name}
    return recipe_of({"degradation": cfg, "scale": built.scale, "same_size": built.same_size})


def python_of(photo: Photo | None, recipe: Recipe, seed: int) -> str:
    """Return the Python that makes the LR image of :func:`draw`.

    Args:
        photo: The photo, or None for a stand-in name.
        recipe: The degradation.
        seed: The random seed.
    """
    config = plain(recipe.config)
    geometry = {key: config[key] for key in ("scale", "same_size") if key in config}
    stated = "".join(f", {key}={value!r}" for key, value in geometry.items())
    file = repr("photo.png" if photo is None else photo.name)
    first = ["import realdeg"]
    if photo is not None and photo.name in sample_names():
        package = Path(realdeg.__file__).resolve().parent
        built_in = find_image(photo.name).relative_to(package).as_posix()
        file = f"Path(realdeg.__file__).parent / {built_in!r}"
        first = ["from pathlib import Path", "", *first]
    lines = [
        *first,
        "",
        f"config = {config['degradation']!r}",
        f"degradation = realdeg.create_degradation(config{stated}, trained=True)",
        'degrader = realdeg.Degrader(degradation, device="cpu")',
        f"photo = realdeg.read_image({file})",
    ]
    if photo is not None and photo.crop is not None:
        top, left, height, width = photo.crop
        lines.append(f"photo = photo[{top}:{top + height}, {left}:{left + width}]")
    lines += [
        f'lr, trace = degrader.degrade(photo, seed={seed}, remainder="crop")',
        'realdeg.write_image("lr.png", lr)',
        "print(trace.in_words())",
    ]
    return "\n".join(lines) + "\n"
