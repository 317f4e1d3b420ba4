"""From folders of photos to pools: what ``realdeg extract_pools`` does."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg.cli.pool_parts import PoolParts
from realdeg.datasets.records import list_images
from realdeg.degradations.estimation import (
    QuietPatches,
    SmoothPatches,
    common_kernel,
    kernelgan,
    noise_patches,
    patch_kernels,
)
from realdeg.degradations.pool import Pool
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.utils.image import as_rgb, read_image, to_tensor
from realdeg.utils.streams import stream_seed

Say = Callable[[str], Any]
Failed = dict[str, str]
"""Photos that could not be read, with the reasons."""


def from_pairs(args: argparse.Namespace, say: Say, failed: Failed) -> Pool:
    """Find kernels by least squares against pairs.

    Args:
        args: The arguments of ``extract_pools pairs``.
        say: Gets lines on how it goes.
        failed: Is filled with what cannot be read; the rest is done.

    Returns:
        A pool of kernels.

    Raises:
        DataError: If there are no pairs, or no patch passes the criteria.
    """
    from realdeg.datasets.paired import PairedFolderDataset

    data = PairedFolderDataset(
        Path(args.hr_dir).absolute(),
        Path(args.lr_dir).absolute(),
        pattern=args.pattern,
        lr_pattern=args.lr_pattern,
        recursive=True,
        scale=args.scale,
        same_size=args.same_size,
        transforms=[],
        cache_mb=0,
    )
    try:
        data.check()
    except (DataError, GeometryError) as error:
        fault: DataError | GeometryError | None = error
    else:
        fault = None
        say(data.summary())

    def pairs() -> Iterator[tuple[str, Tensor, Tensor]]:
        for index, key in enumerate(data.keys):
            if key in failed:
                continue
            try:
                sample = data.load(index)
                _same_geometry(sample["hr"], sample["lr"], args)
            except (DataError, GeometryError) as error:
                failed[key] = str(error)
            else:
                yield key, to_tensor(sample["hr"])[None], to_tensor(sample["lr"])[None]

    if fault is not None:
        # Which of the pairs is it? Where none is, or all are, it is the folders' fault.
        if sum(1 for _ in pairs()) == 0 or not failed:
            raise fault
        say(f"{len(data.keys) - len(failed)} of {len(data.keys)} pairs can be read")
    began = time.perf_counter()
    both = ((hr, lr) for _, hr, lr in pairs())
    common = common_kernel(both, args.scale, args.same_size, args.kernel_size)
    size = common.kernel_size
    say(f"one kernel of {size} x {size} for all pairs: {time.perf_counter() - began:.1f} s")
    patch = args.patch or (96 if args.same_size else 32)
    kernels: list[Tensor] = []
    records: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()
    for key, hr, lr in pairs():
        for found in patch_kernels(hr, lr, common, patch, centre=not args.keep_shifts):
            if found.kernel is None:
                refused[found.fault or ""] += 1
            else:
                kernels.append(found.kernel)
                records.append({"photo": key, **found.record})
    say(_tally(len(kernels), refused, "patches", time.perf_counter() - began))
    if not kernels:
        raise DataError(
            "no patch gave a kernel that passes the criteria"
            f" ({_reasons(refused)}): are the pairs registered, and of scale {args.scale}?"
        )
    meta = {
        "source": args.name or Path(args.lr_dir).absolute().name,
        "method": "least squares",
        "patch": patch,
        "pairs": len(data) - len(failed),
        "refused": dict(refused),
        "centred": not args.keep_shifts,
    }
    chosen = _spread(len(kernels), args)
    items = torch.stack([kernels[n] for n in chosen])
    return Pool(
        "kernels", items, args.scale, args.same_size, meta, tuple(records[n] for n in chosen)
    )


def from_photos(args: argparse.Namespace, say: Say, failed: Failed) -> Pool:
    """Find one kernel per photo, without pairs.

    Args:
        args: The arguments of ``extract_pools photos``.
        say: Gets lines on how it goes.
        failed: Is filled with what cannot be read; the rest is done.

    Returns:
        A pool of kernels.

    Raises:
        ConfigError: If the crop is too small.
        DataError: If there are no photos, or none gave a kernel.
    """
    from realdeg.engine.devices import resolve_device

    if args.crop < 64:
        raise ConfigError(f"--crop is at least 64 pixels, got {args.crop}.")
    device = resolve_device(args.device)
    files = list(_photos(args.src).items())
    files = [files[n] for n in _spread(len(files), args)]
    say(f"{len(files)} photos, {args.iterations} steps each")
    settings = {name: getattr(args, name) for name in ("scale", "iterations", "crop", "seed")}
    parts = PoolParts(Path(args.pool), {**settings, "device": device.type})
    kernels: list[Tensor] = []
    records: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()
    for key, file in files:
        photo = _read(key, file, failed)
        if photo is None:
            continue
        image = to_tensor(_middle(photo, args.crop))[None].to(device)
        found = parts.find(key, file)
        try:
            if found is None:
                seed = stream_seed(args.seed, key)
                found = kernelgan(image, args.scale, args.iterations, seed)
                parts.keep(key, file, found)
        except DataError as error:
            refused[str(error)] += 1
            say(f"{key}: refused, {error}")
            continue
        say(f"{key}: {found.record['seconds']:.0f} s")
        if not found.record["released"]:
            refused["not released"] += 1
            continue
        kernels.append(found.kernel)
        records.append({"photo": key, **found.record})
    if not kernels:
        raise DataError(f"none of {len(files)} photos gave a kernel ({_reasons(refused)}).")
    meta = {
        "source": args.name or Path(args.src).absolute().name,
        "method": "KernelGAN",
        "iterations": args.iterations,
        "crop": args.crop,
        "seed": args.seed,
        "refused": dict(refused),
    }
    return Pool("kernels", torch.stack(kernels), args.scale, False, meta, tuple(records))


def noise(args: argparse.Namespace, say: Say, failed: Failed) -> Pool:
    """Collect noise patches.

    Args:
        args: The arguments of ``extract_pools noise``.
        say: Gets lines on how it goes.
        failed: Is filled with what cannot be read; the rest is done.

    Returns:
        A pool of noise.

    Raises:
        DataError: If there are no photos, or nothing in them is flat.
    """
    stride = args.stride or max(1, args.patch // 2)
    criteria = (
        SmoothPatches(args.patch, stride, max(1, args.patch // 4))
        if args.criteria == "gcbd"
        else QuietPatches(args.patch, stride, args.max_variance)
    )
    began = time.perf_counter()
    patches: list[Tensor] = []
    records: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()
    files = _photos(args.src)
    for key, file in files.items():
        image = _read(key, file, failed)
        if image is None:
            continue
        if min(image.shape[:2]) < args.patch:
            refused["photo too small"] += 1
            continue
        found, faults = noise_patches(image, criteria, args.detrend)
        refused.update(faults)
        patches += [item.patch for item in found]
        records += [{"photo": key, **item.record} for item in found]
    say(_tally(len(patches), refused, "patches", time.perf_counter() - began))
    if not patches:
        raise DataError(
            f"no flat patch of {args.patch} x {args.patch} in {len(files)} photos of {args.src}"
            f" ({_reasons(refused)}): take smaller patches, --criteria realsr, or more photos."
        )
    meta = {
        "source": args.name or Path(args.src).absolute().name,
        "criteria": args.criteria,
        "settings": dict(vars(criteria)),
        "detrend": args.detrend,
        "photos": len(files) - len(failed),
        "refused": dict(refused),
    }
    chosen = _spread(len(patches), args)
    items = torch.stack([patches[n] for n in chosen])
    return Pool("noise", items, meta=meta, records=tuple(records[n] for n in chosen))


def _read(key: str, file: Path, failed: Failed) -> np.ndarray | None:
    """Read a photo, or note why it cannot be read."""
    try:
        return as_rgb(read_image(file))
    except DataError as error:
        failed[key] = str(error)
        return None


def _same_geometry(hr: np.ndarray, lr: np.ndarray, args: argparse.Namespace) -> None:
    factor = 1 if args.same_size else args.scale
    wanted = tuple(side * factor for side in lr.shape[:2])
    if hr.shape[:2] != wanted:
        raise GeometryError(
            f"HR has {hr.shape[0]} x {hr.shape[1]} pixels and LR {lr.shape[0]} x {lr.shape[1]}:"
            f" {wanted[0]} x {wanted[1]} were expected."
        )


def _photos(folder: str) -> dict[str, Path]:
    path = Path(folder)
    if not path.is_dir():
        raise DataError(f"no folder of photos at {path}.")
    found = list_images(path, recursive=True)
    if not found:
        raise DataError(f"the folder {path} holds no photos.")
    return found


def _middle(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (max(0, (side - size) // 2) for side in image.shape[:2])
    return image[top : top + size, left : left + size]


def _spread(count: int, args: argparse.Namespace) -> list[int]:
    """Choose at most ``--limit`` of so many items at random, in order."""
    if args.limit is None or args.limit >= count:
        return list(range(count))
    rng = np.random.default_rng(stream_seed(args.seed, "limit"))
    return sorted(int(n) for n in rng.choice(count, args.limit, replace=False))


def _tally(kept: int, refused: Counter[str], what: str, seconds: float) -> str:
    total = kept + sum(refused.values())
    return f"{kept} of {total} {what} kept, refused: {_reasons(refused)}; {seconds:.1f} s"


def _reasons(refused: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in refused.most_common()) or "none"
