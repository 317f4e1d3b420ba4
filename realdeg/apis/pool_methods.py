"""Methods that find blur kernels and noise patches in photos."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.apis.pool_candidates import (
    Candidates,
    FolderPath,
    Selection,
    list_photos,
    middle,
    read_photo,
)
from realdeg.datasets.paired import PairedFolderDataset
from realdeg.degradations.estimation import (
    DarkChannel,
    EstimatorLike,
    KernelGANResult,
    QuietPatches,
    SmoothPatches,
    check_estimator,
    common_kernel,
    estimator_from_config,
    kernelgan,
    noise_patches,
    patch_kernels,
    region_kernels,
)
from realdeg.degradations.estimation.parts import PoolParts
from realdeg.degradations.pool import Pool
from realdeg.degradations.true_kernels import widened
from realdeg.errors import ConfigError, DataError, GeometryError, as_given
from realdeg.utils.image import to_tensor
from realdeg.utils.streams import stream_seed

logger = logging.getLogger(__name__)

_LEAST_CROP = 64


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

    hr_dir: FolderPath
    lr_dir: FolderPath
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

    src: FolderPath
    scale: int
    iterations: int | None = None
    crop: int = 512
    device: str | None = None
    estimator: Literal["KernelGAN", "DarkChannel"] = "KernelGAN"
    same_size: bool = False

    def extract(self, run: Selection, found: Candidates) -> Pool:
        """Estimate the kernel of each photo."""
        from realdeg.apis.create import find_device

        _check_crop(self.crop)
        kind = check_estimator(self.estimator, self.scale, "estimator")
        if self.same_size and not hasattr(kind, "enlarged"):
            raise ConfigError(
                f"{self.estimator} finds kernels that reduce, none of the HR grid: leave out"
                f" {as_given(same_size=True)}, or take {as_given(estimator='DarkChannel')}."
            )
        device = find_device(self.device)
        photos = list(list_photos(self.src).items())
        photos = [photos[number] for number in run.choose(len(photos))]
        usual, unit = (3000, "steps") if self.estimator == "KernelGAN" else (5, "rounds a level")
        rounds = usual if self.iterations is None else self.iterations
        logger.info("%d photos, %d %s each", len(photos), rounds, unit)
        settings: dict[str, Any] = {"scale": self.scale, "iterations": rounds, "crop": self.crop}
        settings |= {"seed": run.seed, "estimator": self.estimator, "same_size": self.same_size}
        parts = PoolParts(run.pool, {**settings, "device": device.type})
        for key, file in photos:
            photo = read_photo(key, file, found.failed)
            if photo is None:
                continue
            image = to_tensor(middle(photo, self.crop))[None].to(device)
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
class FieldKernels:
    """Blur kernels from photos alone, several per photo, by a network that gives each pixel one.

    Attributes:
        src: Folder of real LR photos, searched recursively.
        estimator: The file of a trained estimator of kernel fields, such as
            :class:`~realdeg.degradations.estimation.AdaptiveKernelBasis`, or its config.
        scale: The scale factor.
        same_size: Whether LR lies on the HR grid.
        patch: Side of the regions in LR pixels; each gives the mean of its pixels' kernels.
        crop: Size of the centre crop of each photo in pixels, at least 64.
        device: Where to compute; None: the accelerator if there is one.
    """

    src: FolderPath
    estimator: EstimatorLike
    scale: int
    same_size: bool = False
    patch: int = 64
    crop: int = 512
    device: str | None = None

    def extract(self, run: Selection, found: Candidates) -> Pool:
        """Estimate the kernels of each photo, and collect those of its regions."""
        from realdeg.apis.create import find_device

        _check_crop(self.crop)
        estimator = estimator_from_config(self.estimator)
        stride = 1 if self.same_size else self.scale
        estimator.prepare(stride)
        if isinstance(estimator, torch.nn.Module):
            estimator.to(find_device(self.device))
        name = type(estimator).__name__
        start = time.perf_counter()
        photos = list_photos(self.src)
        for key, file in photos.items():
            photo = read_photo(key, file, found.failed)
            if photo is None:
                continue
            image = to_tensor(middle(photo, self.crop))[None]
            try:
                field = estimator.estimate(image, stride).field
                if field is None:
                    raise ConfigError(
                        f"{name} finds one kernel for an image, none for its regions: take"
                        " AdaptiveKernelBasis, or collect one kernel per photo."
                    )
                patches = region_kernels(image, field, self.scale, self.same_size, self.patch)
            except (DataError, GeometryError) as error:
                found.refused[str(error)] += 1
                logger.info("%s: refused, %s", key, error)
                continue
            for one in patches:
                if one.kernel is None:
                    found.refused[one.rejection or ""] += 1
                else:
                    found.add(key, one.kernel, one.record)
        found.log(start)
        if not found.items:
            raise DataError(f"none of {len(photos)} photos gave a kernel ({found.reasons()}).")
        # Fields are wider where they were shifted.
        widest = max(len(kernel) for kernel in found.items)
        found.items[:] = [widened(kernel, widest, stride) for kernel in found.items]
        meta = {
            "method": name,
            "patch": self.patch,
            "crop": self.crop,
            "photos": len(photos) - len(found.failed),
        }
        geometry = {"scale": self.scale, "same_size": self.same_size}
        chosen = run.choose(len(found.items))
        return found.pool(Path(self.src), meta, chosen, kind="kernels", **geometry)


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

    src: FolderPath
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
        photos = list_photos(self.src)
        for key, file in photos.items():
            image = read_photo(key, file, found.failed)
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


def _check_crop(crop: int) -> None:
    if crop < _LEAST_CROP:
        raise ConfigError(f"crop is at least {_LEAST_CROP} pixels, got {crop}.")
