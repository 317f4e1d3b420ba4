"""Degrade a folder of images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from realdeg.apis.create import Source, create_degradation
from realdeg.apis.degrader import Colour, Degrader, Remainder
from realdeg.apis.folder import Summary
from realdeg.apis.inputs import Inputs, Photos
from realdeg.apis.saving import Saving
from realdeg.apis.workers import usable_cores
from realdeg.degradations.base import Degradation
from realdeg.utils.image import Reading


def degrade(
    degradation: Source | Degradation,
    src: Photos | Inputs,
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
    saving: Saving | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Summary:
    """Degrade every image of a folder, as ``realdeg degrade`` does.

    Each image's seed comes from ``seed`` and its name. The same call continues an interrupted run
    and gives the same bytes.

    Args:
        degradation: Anything that :func:`realdeg.create_degradation` takes.
        src: Folder of HR images, searched recursively; or an image, a pattern such as
            ``"trip/**/*.jpg"``, or several of them (docs/large_photos.md).
        dst: Folder for LR images and ``manifest.jsonl``.
        scale: The scale factor; None: the degradation's.
        same_size: Whether LR lies on the HR grid; None: as the degradation states.
        options: Dotted keys that override the config or type (``{"degradation.sigma": 5}``).
        colour: ``"rgb"`` degrades R, G and B, ``"y"`` only luma.
        seed: The random seed.
        remainder: ``"crop"`` or ``"refuse"`` sizes that are not divisible by the scale.
        device: Where to compute; None: where the degradation is, or the CPU if it is built here.
        jobs: Worker processes, one thread each; None: the number of cores.
        reading: How several pages and colour profiles are handled.
        saving: Names and format of the results; None: PNG files.
        overwrite: Start again and replace existing files.
        progress: Show a progress bar on stderr.

    Returns:
        The outcome for each image; check ``failed``.

    Raises:
        ConfigError: If the degradation is unknown or untrained, or ``dst`` was started with other
            settings.
        CheckpointError: If weights cannot be read.
        DataError: If there is no image, two have the same name, or one folder contains the other.
        GeometryError: If scale or grid differ from those of the weights.
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
        saving=saving,
    )
