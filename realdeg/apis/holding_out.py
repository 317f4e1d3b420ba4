"""Divide pairs or photos into those to learn from and those held out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.apis.photo_pairs import PhotoPairs, Size, find_pairs
from realdeg.errors import DataError
from realdeg.utils.image import write_image
from realdeg.utils.streams import stream_seed

LEAST_TO_DIVIDE = 5
"""With fewer pairs, regions are held out instead of whole pairs."""
REGIONS = "regions"
_SCENE = re.compile(r"(.+?)[_-](?:s|crop|patch|p)?\d{1,4}")
_HELD_OUT_SHARE = 0.2
_MOST_HELD_OUT = 10
# SSIM needs 11 pixels of what is left after 7 are shaved from each side.
_LEAST_REGION = 32
_WINDOW = 15


def divide(pairs: PhotoPairs, folder: Path, seed: int) -> dict[str, Any]:
    """Decide which pairs are held out, or cut them into regions if they are few.

    Args:
        pairs: The pairs.
        folder: Regions are written into a folder in it.
        seed: The seed of the choice.

    Returns:
        ``learned_from`` and ``held_out``, names; and ``regions``, whether they are regions.
    """
    if len(pairs.names) < LEAST_TO_DIVIDE:
        try:
            _, learn, held = cut_regions(pairs, folder / REGIONS, seed)
        except BaseException:
            shutil.rmtree(folder / REGIONS, ignore_errors=True)
            raise
        return {"held_out": held, "learned_from": learn, "regions": True}
    learn, held = hold_out(pairs.names, seed)
    return {"held_out": held, "learned_from": learn, "regions": False}


def divided_pairs(pairs: PhotoPairs, folder: Path, plan: Mapping[str, Any]) -> PhotoPairs:
    """Return the pairs that the names of :func:`divide` belong to."""
    if not plan["regions"]:
        return pairs
    place = folder.resolve() / REGIONS
    return find_pairs((place / "HR", place / "LR"), assumed=pairs.scale)


def hold_out(
    names: Sequence[str], seed: int, share: float = _HELD_OUT_SHARE, most: int = _MOST_HELD_OUT
) -> tuple[list[str], list[str]]:
    """Divide names into those to learn from and those held out, by scene.

    Names that differ only in a number at the end (``house_s001``, ``house_s002``) are crops of one
    scene if some scene has several, and stay on one side.

    Args:
        names: At least two names.
        seed: The seed of the choice.
        share: The share of scenes to hold out, at least one.
        most: The largest number of names to hold out.

    Returns:
        The names to learn from and the held-out names, both sorted.
    """
    scenes: dict[str, list[str]] = {}
    for name in sorted(names):
        scenes.setdefault(scene_of(name), []).append(name)
    if len(scenes) < 5 or len(scenes) > len(names) // 2:
        # Few scenes: rather the names themselves are photos in a series, IMG_0001 and IMG_0002.
        scenes = {name: [name] for name in sorted(names)}
    order = np.random.default_rng(stream_seed(seed, "held out")).permutation(sorted(scenes))
    wanted = max(1, min(round(share * len(names)), most))
    held: list[str] = []
    for scene in order[: len(scenes) - 1]:
        if held and len(held) + len(scenes[scene]) > wanted:
            continue
        held += scenes[scene]
        if len(held) >= wanted:
            break
    return sorted(set(names) - set(held)), sorted(held)


def cut_regions(
    pairs: PhotoPairs, folder: Path, seed: int, window: int = _WINDOW
) -> tuple[PhotoPairs, list[str], list[str]]:
    """Cut each pair in two, to learn from one region and hold out the other.

    The held-out region is a fifth of the image, at one end of its longer side. What a window of
    ``window`` HR pixels could see of both is left out.

    Args:
        pairs: The pairs.
        folder: Where the regions are written, as pairs in the folders HR and LR.
        seed: The seed of the choice of ends.
        window: Side of the largest kernel, in HR pixels.

    Returns:
        The regions as pairs, the names to learn from and the names held out.

    Raises:
        DataError: If an image is too small.
    """
    data, stride = pairs.data_set(), pairs.stride
    gap = -(-window // stride)
    names: tuple[list[str], list[str]] = ([], [])
    sizes: dict[str, Size] = {}
    for index, name in enumerate(data.keys):
        loaded = data.load(index)
        hr, lr = loaded["hr"], loaded["lr"]
        axis = int(lr.shape[1] > lr.shape[0])
        length = lr.shape[axis]
        held = max(round(_HELD_OUT_SHARE * length), _LEAST_REGION)
        if length - held - gap < _LEAST_REGION or lr.shape[1 - axis] < _LEAST_REGION:
            raise DataError(
                f"LR of '{name}' has {lr.shape[0]} x {lr.shape[1]} pixels: too few to hold out a"
                f" part of {_LEAST_REGION}, and there are fewer than {LEAST_TO_DIVIDE} pairs to"
                " hold out a whole one. Give more pairs, or larger ones."
            )
        first = bool(np.random.default_rng(stream_seed(seed, name, "region")).integers(2))
        spans = (
            [(held + gap, length), (0, held)]
            if first
            else [(0, length - held - gap), (length - held, length)]
        )
        for side, (start, stop) in zip(("learn", "held"), spans, strict=True):
            region = f"{name}-{side}"
            parts = []
            for image, factor in ((hr, stride), (lr, 1)):
                along = slice(start * factor, stop * factor)
                across = slice(0, lr.shape[1 - axis] * factor)
                parts.append(image[across, along] if axis else image[along, across])
            write_image(folder / "HR" / f"{region}.png", parts[0])
            write_image(folder / "LR" / f"{region}.png", parts[1])
            sizes[region] = (parts[0].shape[0], parts[0].shape[1])
            names[side == "held"].append(region)
    found = PhotoPairs(
        folder / "HR", folder / "LR", tuple(sorted(sizes)), sizes, pairs.scale, pairs.same_size
    )
    return found, sorted(names[0]), sorted(names[1])


def scene_of(name: str) -> str:
    """Return the name of a scene: that of a crop without its number."""
    match = _SCENE.fullmatch(name)
    return match[1] if match else name
