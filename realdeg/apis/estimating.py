"""Estimate blur and noise of photos, as ``realdeg estimate`` does."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, Union, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.apis.arrays import take_apart
from realdeg.apis.kernel_files import write_kernel
from realdeg.apis.names import find_images
from realdeg.degradations.estimation import (
    EstimatorLike,
    KernelEstimator,
    KernelField,
    estimator_from_config,
    fit_gaussian,
    noise_level,
)
from realdeg.degradations.pool import Pool
from realdeg.errors import DataError, GeometryError, OutputError, as_given
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.image import ImageLike, Reading, as_array
from realdeg.utils.notebook import html_block, kernel_picture
from realdeg.utils.progress import progress_bar
from realdeg.visualization.kernels import kernel_grid
from realdeg.visualization.pools import pool_picture

FORMATS = (".npy", ".mat", ".json")
_FIELD = "_field.png"
Photo: TypeAlias = Union[str, "os.PathLike[str]", ImageLike]
_REGIONS = 8  # along the longer side of a photo


@dataclass(frozen=True)
class PhotoEstimate:
    """What was found in one photo.

    Args:
        name: Its name, without the suffix.
        kernel: Its kernel, (k, k); None if there is none.
        noise: Standard deviation of its noise in grey levels; None if it cannot be estimated.
        record: Widths in HR pixels, seconds, iterations and notes.
        failure: Why there is no kernel, or None.
    """

    name: str
    kernel: Tensor | None
    noise: float | None
    record: dict[str, Any]
    failure: str | None = None

    def __repr__(self) -> str:
        """Return what :meth:`describe` says."""
        return f"PhotoEstimate({self.describe()})"

    def _repr_html_(self) -> str:
        """Return the kernel as a picture, and the numbers, for a notebook."""
        noise = "not known" if self.noise is None else f"{self.noise:.2f} grey levels"
        facts: dict[str, object] = {"noise": noise, "no kernel": self.failure}
        named = ("estimator", "sigma", "angle", "iterations", "seconds")
        facts |= {name: self.record[name] for name in named if name in self.record}
        return html_block(
            self.name,
            facts,
            pictures=[] if self.kernel is None else [kernel_picture(self.kernel, "kernel")],
            notes=self.record.get("notes", ()),
        )

    def describe(self) -> str:
        """Return it as a line of text."""
        noise = "not known" if self.noise is None else f"{self.noise:.2f}"
        if self.kernel is None:
            return f"{self.name}: noise {noise}; no kernel: {self.failure}"
        first, second = self.record["sigma"]
        notes = "".join(f"; {note}" for note in self.record["notes"])
        return (
            f"{self.name}: kernel {len(self.kernel)} x {len(self.kernel)}, with bicubic reduction"
            f" like a Gaussian of {first:.2f} and {second:.2f} pixels, noise {noise},"
            f" {self.record['seconds']:g} s{notes}"
        )


def estimate_degradation(
    photos: Photo | Sequence[Photo],
    *,
    scale: int,
    out: str | os.PathLike[str] | None = None,
    estimator: EstimatorLike = "KernelGAN",
    reading: Reading | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> list[PhotoEstimate]:
    """Estimate the blur kernel and the noise of photos.

    Args:
        photos: Images, and folders that are searched recursively. An image may also be an array or
            an image of Pillow; these are called ``image``, ``image_2`` and so on.
        scale: HR pixels per LR pixel.
        out: A folder for ``NAME.npy``, ``NAME.mat`` and ``NAME.json`` of each photo, and a picture
            of all kernels, ``kernels.png``; with an estimator that gives each pixel a kernel also
            ``NAME_field.png``, those of regions over the dimmed photo. None: nothing is written.
        estimator: An estimator, its name or its config.
        reading: How several pages and colour profiles are handled.
        overwrite: Replace existing files. Former files of a photo that has no kernel now are
            removed.
        progress: Show a progress bar on stderr.

    Returns:
        One result per photo. A photo that cannot be read or reveals no kernel has a ``failure``.

    Raises:
        ConfigError: If the estimator is unknown.
        GeometryError: If it lacks the scale.
        DataError: If there is no photo, or two have the same name.
        OutputError: If files exist already, or cannot be written.
    """
    found = estimator_from_config(estimator)
    found.prepare(scale)
    one = isinstance(photos, str | os.PathLike | np.ndarray) or not isinstance(photos, Iterable)
    files = _files([cast("Photo", photos)] if one else list(cast("Sequence[Photo]", photos)))
    folder = None if out is None else Path(out)
    if folder is not None:
        _check_output(folder, files, overwrite)
    reading = reading or Reading()
    results = []
    for name, file in files.items():
        with progress_bar(name, shown=progress) as advance:
            result, field, image = _estimate(name, file, scale, found, reading, advance)
        results.append(result)
        if folder is not None:
            _write(folder, result, scale)
            _draw(folder / f"{name}{_FIELD}", field, image, scale)
    kernels = [one.kernel for one in results if one.kernel is not None]
    if folder is not None:
        picture = folder / "kernels.png"
        if kernels:
            pool_picture(_sheet(kernels, scale), picture, title="Estimated kernels")
        else:
            picture.unlink(missing_ok=True)
    return results


def _files(photos: Sequence[Photo]) -> dict[str, Path | NDArray[Any]]:
    """Return the photos by their names without suffix."""
    files: dict[str, Path | NDArray[Any]] = {}
    unnamed = 0
    for photo in photos:
        if not isinstance(photo, str | os.PathLike):
            unnamed += 1
            name = "image" if unnamed == 1 else f"image_{unnamed}"
            files[name] = as_array(photo)
            continue
        place = Path(photo)
        if place.is_dir():
            names, _, _ = find_images(place)
            each = {str(Path(name).with_suffix("")): place / name for name in names}
        elif place.exists():
            each = {place.stem: place}
        else:
            raise DataError(f"there is no image or folder {place}.")
        for name, file in each.items():
            if name in files:
                raise DataError(
                    f"{files[name]} and {file} have the same name, and so would their kernels:"
                    " estimate them one after the other."
                )
            files[name] = file
    if not files:
        raise DataError("there is no image to estimate: name images or folders of them.")
    return files


def _check_output(folder: Path, files: Collection[str], overwrite: bool) -> None:
    ensure_writable_dir(folder)
    suffixes = (*FORMATS, _FIELD)
    wanted = [folder / f"{name}{suffix}" for name in files for suffix in suffixes]
    there = [file for file in [*wanted, folder / "kernels.png"] if os.path.lexists(file)]
    if there and not overwrite:
        raise OutputError(
            f"{there[0]} is already there: choose another folder, or replace it with"
            f" {as_given(overwrite=True)}."
        )


def _estimate(
    name: str,
    file: Path | NDArray[Any],
    scale: int,
    estimator: KernelEstimator,
    reading: Reading,
    advance: Any,
) -> tuple[PhotoEstimate, KernelField | None, Tensor | None]:
    noise: float | None = None
    try:
        image = take_apart(reading.load(file).pixels if isinstance(file, Path) else file).rgb
        try:
            noise = round(255 * noise_level(image), 3)
        except (DataError, GeometryError):
            noise = None  # it is black or white, or tiny: the kernel may still be found
        found = estimator.estimate(image, scale, advance)
    except (DataError, GeometryError, OSError) as error:
        return PhotoEstimate(name, None, noise, {}, str(error)), None, None
    fitted = fit_gaussian(found.kernel, scale)
    record = {
        "scale": scale,
        "estimator": type(estimator).__name__,
        "sigma": [round(fitted.sigma_x, 3), round(fitted.sigma_y, 3)],
        "angle": round(fitted.angle, 3),
        "noise": noise,
        "seconds": round(found.seconds, 1),
        "iterations": found.iterations,
        "notes": list(found.notes),
    }
    kernel = found.kernel.detach().cpu().double()
    return PhotoEstimate(name, kernel, noise, record), found.field, image[0]


def _write(folder: Path, found: PhotoEstimate, scale: int) -> None:
    """Write a photo's kernel, or remove a former one that would pass for it."""
    for suffix in FORMATS:
        file = folder / f"{found.name}{suffix}"
        if found.kernel is None:
            file.unlink(missing_ok=True)
        else:
            write_kernel(file, found.kernel, found.record)


def _draw(file: Path, field: KernelField | None, image: Tensor | None, scale: int) -> None:
    """Draw a photo's field, or remove a former picture that would pass for it."""
    if field is None or image is None:
        file.unlink(missing_ok=True)
        return
    sides = [int(side) for side in image.shape[-2:]]
    rows, columns = (max(1, round(_REGIONS * side / max(sides))) for side in sides)
    grid = field.grid(min(rows, sides[0]), min(columns, sides[1]))
    kernel_grid(image, grid, file, stride=scale)


def _sheet(kernels: Sequence[Tensor], scale: int) -> Pool:
    """Return kernels as a pool for a picture, padded to one size."""
    side = max(len(kernel) for kernel in kernels)
    stack = torch.zeros(len(kernels), side, side, dtype=torch.float64)
    for place, kernel in zip(stack, kernels, strict=True):
        lead = (side - len(kernel)) // 2
        place[lead : lead + len(kernel), lead : lead + len(kernel)] = kernel / kernel.sum()
    return Pool("kernels", stack.float(), scale, False, {})
