"""Methods that find blur kernels and noise patches in photos."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.datasets.paired import PairedFolderDataset
from realdeg.datasets.records import list_images
from realdeg.degradations.estimation import (
    DarkChannel,
    KernelGANResult,
    QuietPatches,
    SmoothPatches,
    check_estimator,
    common_kernel,
    kernelgan,
    noise_patches,
    patch_kernels,
)
from realdeg.degradations.estimation.parts import PoolParts
from realdeg.degradations.pool import Pool
from realdeg.errors import ConfigError, DataError, GeometryError, as_given
from realdeg.utils.image import as_rgb, read_image, to_tensor
from realdeg.utils.streams import stream_seed

logger = logging.getLogger(__name__)

_Path = str | os.PathLike[str]
_LEAST_CROP = 64


@dataclass
class Candidates:
    """Kernels or patches that were found, rejected or failed.

    Args:
        items: Kernels or patches.
        records: The source photo and quality of each item.
        refused: How many were rejected, by reason.
        failed: Reasons by photo or pair that could not be read.
    """

    items: list[Tensor] = field(default_factory=list)
    records: list[Mapping[str, Any]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, photo: str, item: Tensor, record: Mapping[str, Any]) -> None:
        """Add an item from a photo."""
        self.items.append(item)
        self.records.append({"photo": photo, **record})

    def reasons(self) -> str:
        """Return the reasons for rejections and their counts, as text."""
        return ", ".join(f"{why} {count}" for why, count in self.refused.most_common()) or "none"

    def log(self, start: float) -> None:
        """Log how many patches were kept and how long it took."""
        total, seconds = len(self.items) + sum(self.refused.values()), time.perf_counter() - start
        kept = f"{len(self.items)} of {total} patches kept"
        logger.info("%s, refused: %s; %.1f s", kept, self.reasons(), seconds)

    def pool(
        self, source: Path, meta: Mapping[str, Any], chosen: Sequence[int], **settings: Any
    ) -> Pool:
        """Return the chosen items as a pool."""
        return Pool(
            items=torch.stack([self.items[number] for number in chosen]),
            records=tuple(self.records[number] for number in chosen),
            meta={"source": source.absolute().name, **meta, "refused": dict(self.refused)},
            **settings,
        )


@dataclass(frozen=True)
class Selection:
    """What every method needs in addition to its own settings.

    Args:
        pool: The file that will be written.
        limit: Largest number of items; None: all.
        seed: The random seed.
    """

    pool: Path
    limit: int | None
    seed: int

    def choose(self, count: int) -> list[int]:
        """Choose at most ``limit`` of ``count`` indices at random, sorted."""
        if self.limit is None or self.limit >= count:
            return list(range(count))
        rng = np.random.default_rng(stream_seed(self.seed, "limit"))
        return sorted(int(n) for n in rng.choice(count, self.limit, replace=False))


@dataclass(frozen=True)
class PairKernels:
    """Blur kernels by least squares against real pairs.

    Attributes:
        hr_dir: Folder of HR images.
        lr_dir: Folder of real LR images; may be the same folder.
        scale: The scale factor.
        same_size: Whether LR lies on the HR grid (RealSR V1 and V2).
        pattern: Name pattern of HR files, such as ``"{name}_HR"``.
        lr_pattern: Name pattern of LR files, such as ``"{name}_LR{scale}"``.
        kernel_size: Kernel size in HR pixels; None: ``4 * scale + 5``.
        patch: Patch size in LR pixels; None: 32, or 96 with ``same_size``.
        keep_shifts: Do not centre the kernels.
    """

    hr_dir: _Path
    lr_dir: _Path
    scale: int
    same_size: bool = False
    pattern: str = "{name}"
    lr_pattern: str = "{name}"
    kernel_size: int | None = None
    patch: int | None = None
    keep_shifts: bool = False

    def extract(self, run: Selection, found: Candidates) -> Pool:
        """Estimate one kernel for all pairs and, starting from it, one for each patch."""
        data = PairedFolderDataset(
            Path(self.hr_dir).absolute(),
            Path(self.lr_dir).absolute(),
            pattern=self.pattern,
            lr_pattern=self.lr_pattern,
            recursive=True,
            scale=self.scale,
            same_size=self.same_size,
            transforms=[],
            cache_mb=0,
        )
        try:
            data.check()
            logger.info("%s", data.summary())
        except (DataError, GeometryError):
            # Find the pairs at fault. If it is none or all of them, the folders are wrong.
            if sum(1 for _ in self._pairs(data, found.failed)) == 0 or not found.failed:
                raise
            readable = len(data.keys) - len(found.failed)
            logger.info("%d of %d pairs can be read", readable, len(data.keys))
        start = time.perf_counter()
        both = ((hr, lr) for _, hr, lr in self._pairs(data, found.failed))
        common = common_kernel(both, self.scale, self.same_size, self.kernel_size)
        size, seconds = common.kernel_size, time.perf_counter() - start
        logger.info("one kernel of %d x %d for all pairs: %.1f s", size, size, seconds)
        patch = self.patch or (96 if self.same_size else 32)
        for key, hr, lr in self._pairs(data, found.failed):
            for one in patch_kernels(hr, lr, common, patch, centre=not self.keep_shifts):
                if one.kernel is None:
                    found.refused[one.rejection or ""] += 1
                else:
                    found.add(key, one.kernel, one.record)
        found.log(start)
        if not found.items:
            raise DataError(
                "no patch gave a kernel that passes the criteria"
                f" ({found.reasons()}): are the pairs registered, and of scale {self.scale}?"
            )
        meta = {
            "method": "least squares",
            "patch": patch,
            "pairs": len(data) - len(found.failed),
            "centred": not self.keep_shifts,
        }
        geometry = {"scale": self.scale, "same_size": self.same_size}
        chosen = run.choose(len(found.items))
        return found.pool(Path(self.lr_dir), meta, chosen, kind="kernels", **geometry)

    def _pairs(
        self, data: PairedFolderDataset, failed: dict[str, str]
    ) -> Iterator[tuple[str, Tensor, Tensor]]:
        for index, key in enumerate(data.keys):
            if key in failed:
                continue
            try:
                sample = data.load(index)
                self._check_sizes(sample["hr"], sample["lr"])
            except (DataError, GeometryError) as error:
                failed[key] = str(error)
            else:
                yield key, to_tensor(sample["hr"])[None], to_tensor(sample["lr"])[None]

    def _check_sizes(self, hr: NDArray[Any], lr: NDArray[Any]) -> None:
        factor = 1 if self.same_size else self.scale
        wanted = tuple(side * factor for side in lr.shape[:2])
        if hr.shape[:2] != wanted:
            raise GeometryError(
                f"HR has {hr.shape[0]} x {hr.shape[1]} pixels and LR {lr.shape[0]} x"
                f" {lr.shape[1]}: {wanted[0]} x {wanted[1]} were expected."
            )


@dataclass(frozen=True)
class PhotoKernels:
    """Blur kernels from photos alone, one per photo, after KernelGAN or by deconvolution.

    KernelGAN finds the kernel that reduced a photo, ``DarkChannel`` the one that blurred the
    enlarged photo, as in KMSR. The same call continues an interrupted run and looks only at the
    missing photos.

    Attributes:
        src: Folder of real LR photos, searched recursively.
        scale: The scale factor of the kernels: 2, 3 or 4.
        iterations: Training steps per photo, or rounds at each level of the deconvolution; None:
            3000 or 5.
        crop: Size of the centre crop of each photo in pixels, at least 64.
        device: Where to compute; None: the accelerator if there is one.
        estimator: The registered estimator.
        same_size: Whether the kernels are those of the enlarged photo, on the HR grid, which
            ``DarkChannel`` alone finds; KMSR trains on them.
    """

    src: _Path
    scale: int
    iterations: int | None = None
    crop: int = 512
    device: str | None = None
    estimator: Literal["KernelGAN", "DarkChannel"] = "KernelGAN"
    same_size: bool = False

    def extract(self, run: Selection, found: Candidates) -> Pool:
        """Estimate the kernel of each photo."""
        from realdeg.apis.create import find_device

        if self.crop < _LEAST_CROP:
            raise ConfigError(f"crop is at least {_LEAST_CROP} pixels, got {self.crop}.")
        kind = check_estimator(self.estimator, self.scale, "estimator")
        if self.same_size and not hasattr(kind, "enlarged"):
            raise ConfigError(
                f"{self.estimator} finds kernels that reduce, none of the HR grid: leave out"
                f" {as_given(same_size=True)}, or take {as_given(estimator='DarkChannel')}."
            )
        device = find_device(self.device)
        photos = list(_photos(self.src).items())
        photos = [photos[number] for number in run.choose(len(photos))]
        usual, unit = (3000, "steps") if self.estimator == "KernelGAN" else (5, "rounds a level")
        rounds = usual if self.iterations is None else self.iterations
        logger.info("%d photos, %d %s each", len(photos), rounds, unit)
        settings: dict[str, Any] = {"scale": self.scale, "iterations": rounds, "crop": self.crop}
        settings |= {"seed": run.seed, "estimator": self.estimator, "same_size": self.same_size}
        parts = PoolParts(run.pool, {**settings, "device": device.type})
        for key, file in photos:
            photo = _read(key, file, found.failed)
            if photo is None:
                continue
            image = to_tensor(_middle(photo, self.crop))[None].to(device)
            try:
                one = parts.find(key, file)
                if one is None:
                    one = self._estimate(image, rounds, stream_seed(run.seed, key))
                    parts.keep(key, file, one)
            except (DataError, GeometryError) as error:
                found.refused[str(error)] += 1
                logger.info("%s: refused, %s", key, error)
                continue
            logger.info("%s: %.0f s", key, one.record["seconds"])
            if one.record["released"]:
                found.add(key, one.kernel, one.record)
            else:
                found.refused["not released"] += 1
        if not found.items:
            raise DataError(f"none of {len(photos)} photos gave a kernel ({found.reasons()}).")
        for name in ("scale", "same_size", "estimator"):
            del settings[name]
        meta = {"method": self.estimator, **settings}
        geometry = {"scale": self.scale, "same_size": self.same_size}
        return found.pool(Path(self.src), meta, range(len(found.items)), kind="kernels", **geometry)

    def _estimate(self, image: Tensor, rounds: int, seed: int) -> KernelGANResult:
        if self.estimator == "KernelGAN":
            return kernelgan(image, self.scale, rounds, seed)
        began = time.perf_counter()
        deconvolution = DarkChannel(iterations=rounds)
        if self.same_size:
            kernel = deconvolution.enlarged(image, self.scale)
        else:
            kernel = deconvolution.estimate(image, self.scale).kernel
        seconds = round(time.perf_counter() - began, 1)
        return KernelGANResult(kernel, {"seconds": seconds, "released": True})


@dataclass(frozen=True)
class NoisePatches:
    """Noise patches from flat regions of photos.

    Attributes:
        src: Folder of real LR photos, searched recursively.
        criteria: What is flat: all sub-patches alike (``"gcbd"``) or low variance (``"realsr"``).
        patch: Patch size in pixels.
        stride: Pixels between patches; None: half a patch.
        max_variance: For ``"realsr"``, in squared grey levels of 0 to 255.
        detrend: What is subtracted from a patch: its ``"mean"``, as in the papers, or also its
            shading (``"plane"``).
    """

    src: _Path
    criteria: Literal["gcbd", "realsr"] = "gcbd"
    patch: int = 64
    stride: int | None = None
    max_variance: float = 20.0
    detrend: Literal["mean", "plane"] = "plane"

    def extract(self, run: Selection, found: Candidates) -> Pool:
        """Collect the patches of every photo."""
        stride = self.stride or max(1, self.patch // 2)
        criteria = (
            SmoothPatches(self.patch, stride, max(1, self.patch // 4))
            if self.criteria == "gcbd"
            else QuietPatches(self.patch, stride, self.max_variance)
        )
        start = time.perf_counter()
        photos = _photos(self.src)
        for key, file in photos.items():
            image = _read(key, file, found.failed)
            if image is None:
                continue
            if min(image.shape[:2]) < self.patch:
                found.refused["photo too small"] += 1
                continue
            patches, faults = noise_patches(image, criteria, self.detrend)
            found.refused.update(faults)
            for one in patches:
                found.add(key, one.patch, one.record)
        found.log(start)
        if not found.items:
            raise DataError(
                f"no flat patch of {self.patch} x {self.patch} in {len(photos)} photos of"
                f" {self.src} ({found.reasons()}): use smaller patches,"
                f" {as_given(criteria='realsr')}, or more photos."
            )
        meta = {
            "criteria": self.criteria,
            "settings": dict(vars(criteria)),
            "detrend": self.detrend,
            "photos": len(photos) - len(found.failed),
        }
        return found.pool(Path(self.src), meta, run.choose(len(found.items)), kind="noise")


def _read(key: str, file: Path, failed: dict[str, str]) -> NDArray[Any] | None:
    """Read a photo, or record why it cannot be read."""
    try:
        return as_rgb(read_image(file))
    except DataError as error:
        failed[key] = str(error)
        return None


def _photos(folder: _Path) -> dict[str, Path]:
    path = Path(folder)
    if not path.is_dir():
        raise DataError(f"there is no folder of photos {path}.")
    found = list_images(path, recursive=True)
    if not found:
        raise DataError(f"the folder {path} contains no photos.")
    return found


def _middle(image: NDArray[Any], size: int) -> NDArray[Any]:
    top, left = (max(0, (side - size) // 2) for side in image.shape[:2])
    return image[top : top + size, left : left + size]
