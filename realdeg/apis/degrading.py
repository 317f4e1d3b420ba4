"""Degrade a folder of images with whatever names a degradation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from realdeg.apis.create import Source, create_degradation
from realdeg.apis.degrader import Colour, Degrader, Remainder
from realdeg.apis.folder import Summary
from realdeg.apis.workers import usable_cores
from realdeg.degradations.base import Degradation
from realdeg.utils.image import Reading


def degrade(
    degradation: Source | Degradation,
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    *,
    scale: float | None = None,
    same_size: bool | None = None,
    options: Mapping[str, Any] | None = None,
    colour: Colour = "rgb",
    seed: int = 0,
    remainder: Remainder = "crop",
    device: str | torch.device | None = None,
    jobs: int | None = None,
    reading: Reading | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Summary:
    """Degrade every image of a folder, as ``realdeg degrade`` does.

    Each image's seed comes from ``seed`` and its name. A run that was stopped is continued by the
    same call and ends with the same bytes.

    Args:
        degradation: Learned weights, a registered type, a config or its name, a dict, or a
            degradation: whatever :func:`realdeg.create_degradation` takes.
        src: Folder of HR images; sub-folders are followed.
        dst: Folder of LR images: PNG files and ``manifest.jsonl``.
        scale: How much resolution is lost; None: what the degradation says.
        same_size: Whether LR lies on the HR grid; None: what the degradation says.
        options: Dotted keys laid over the config or type (``{"degradation.sigma": 5}``).
        colour: ``"rgb"`` degrades R, G and B, ``"y"`` luma alone.
        seed: The seed of everything random.
        remainder: ``"crop"`` or ``"refuse"`` sizes that do not divide by the scale.
        device: Where to compute; None: where the degradation is, the CPU for one built here.
        jobs: Processes that work, one thread each; None: as many as there are cores.
        reading: How images are read: several pages, colour profiles.
        overwrite: Begin anew and replace what is there.
        progress: Show a bar on stderr.

    Returns:
        What became of each image; look at ``failed``.

    Raises:
        ConfigError: If the degradation is unknown or untrained, or ``dst`` was begun with other
            settings.
        CheckpointError: If weights cannot be read.
        DataError: If there is no image, or ``src`` and ``dst`` are not apart.
        GeometryError: If scale or grid are not those of the weights.
        OutputError: If ``dst`` cannot be written, or another process is writing there.

    Example:
        >>> import realdeg
        >>> realdeg.degrade("BSRGAN", "hr", "lr", scale=4)  # doctest: +SKIP
    """
    built = create_degradation(degradation, scale, same_size, trained=True, options=options)
    return Degrader(built, device=device, colour=colour).degrade_folder(
        src,
        dst,
        seed=seed,
        remainder=remainder,
        overwrite=overwrite,
        progress=progress,
        jobs=usable_cores() if jobs is None else jobs,
        reading=reading,
    )
