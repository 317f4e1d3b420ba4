"""Crops of one scene at two focal lengths, side by side over networks (DML paper, Fig. 6).

The shots are not aligned, so nothing is measured against the longer focal length: it is shown for
the eye. Beside each crop stand two numbers that need no reference.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from realdeg.apis.super_resolver import SuperResolver
from realdeg.backbones.base import Backbone
from realdeg.datasets.sr_raw import SRRAWDataset
from realdeg.degradations.estimation.noise_level import noise_level
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import DataError
from realdeg.registration.coarse import (
    TELE_SIDE,
    WIDE_SIDE,
    CoarseMatch,
    find_features,
    match_features,
    seek,
)
from realdeg.registration.photos import luma_of_levels
from realdeg.registration.warp import warp
from realdeg.utils.image import read_image
from realdeg.visualization.sheets import SheetRow, busiest_crop, comparison_sheet

logger = logging.getLogger(__name__)

SHARPNESS, NOISE = "sharpness", "noise"
# LR pixels around a crop that a network sees as well.
_MARGIN = 16
REFERENCE = "longer focal length"


@dataclass(frozen=True)
class SceneCrop:
    """A crop of a scene, and the same part at a longer focal length.

    Args:
        name: The scene.
        lr: The crop with a margin of 16 pixels, uint8, shape (h, w, 3).
        reference: The part of the other shot, resampled to the SR grid, uint8, (H, W, 3).
        ratio: Pixels of the other shot per pixel of the crop.
    """

    name: str
    lr: np.ndarray
    reference: np.ndarray
    ratio: float


def find_crops(data: SRRAWDataset, scale: int, side: int = 48, most: int = 4) -> list[SceneCrop]:
    """Find a busy part of each scene in the shot whose magnification is nearest to the scale.

    Args:
        data: The scenes; their shot is the LR.
        scale: Of the networks.
        side: Side of a crop in LR pixels.
        most: The number of scenes, evenly spaced.

    Raises:
        DataError: If no scene has a shot that shows a part of it larger.
    """
    whole = [scene for scene, shots in data.scenes.items() if data.shot in shots]
    count = min(most, len(whole))
    chosen = [whole[index * len(whole) // count] for index in range(count)]
    found = []
    for scene in chosen:
        crop = _crop(scene, data.scenes[scene], data.shot, scale, side)
        if crop is None:
            logger.warning("scene %s: no shot at a longer focal length was found in it", scene)
        else:
            found.append(crop)
    if not found:
        raise DataError(
            f"{data.label}: in none of {len(chosen)} scenes another shot was found again; a figure"
            " wants shots of one scene at two focal lengths."
        )
    return found


def _crop(
    name: str, shots: Mapping[int, Path], shot: int, scale: int, side: int
) -> SceneCrop | None:
    wide = _rgb(shots[shot])
    luma = luma_of_levels(wide)
    features = find_features(luma, WIDE_SIDE)
    best: tuple[float, CoarseMatch, np.ndarray] | None = None
    for number, file in sorted(shots.items()):
        if number >= shot:  # a shorter focal length
            continue
        tele = _rgb(file)
        other = luma_of_levels(tele)
        match = match_features(features, find_features(other, TELE_SIDE)) or seek(luma, other)
        if match is None or match.ratio < 1.2:
            continue
        distance = abs(math.log(match.ratio / scale))
        if best is None or distance < best[0]:
            best = (distance, match, tele)
    if best is None:
        return None
    _, match, tele = best
    inverse = np.linalg.inv(match.matrix)
    corners = np.array(
        [[row, column, 1.0] for row in (0, tele.shape[0] - 1) for column in (0, tele.shape[1] - 1)]
    )
    seen = (corners @ inverse.T)[:, :2]
    whole = side + 2 * _MARGIN
    first = np.maximum(np.ceil(seen.min(0)), 0).astype(int)
    last = np.minimum(np.floor(seen.max(0)) + 1, luma.shape).astype(int)
    if min(last - first) < whole:
        return None
    inner = wide[first[0] : last[0], first[1] : last[1]]
    top, left = (int(place) for place in busiest_crop(inner, whole))
    top, left = top + int(first[0]), left + int(first[1])
    linear, shift = match.matrix[:2, :2], match.matrix[:2, 2]

    def mapping(places: np.ndarray) -> np.ndarray:
        # SR pixel j of the crop lies at LR pixel (j + 0.5) / s - 0.5 of it.
        own = (places + 0.5) / scale - 0.5 + (top + _MARGIN, left + _MARGIN)
        mapped: np.ndarray = own @ linear.T + shift
        return mapped

    size = (side * scale, side * scale)
    levels = warp(tele.astype(np.float32), mapping, size, shrinks=match.ratio / scale)
    reference = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
    return SceneCrop(
        name, wide[top : top + whole, left : left + whole].copy(), reference, match.ratio
    )


def draw_scenes(
    networks: Mapping[str, Any], crops: Sequence[SceneCrop], scale: int, path: Path
) -> list[dict[str, Any]]:
    """Draw the crops over networks, and return the numbers.

    Args:
        networks: By heading, anything that :class:`realdeg.SuperResolver` takes.
        crops: The crops.
        scale: Of the networks.
        path: The picture.

    Returns:
        One record per crop and column: ``scene``, ``network``, ``sharpness``, ``noise``.
    """
    resolvers = {name: SuperResolver(one) for name, one in networks.items()}
    rows, records = [], []
    for crop in crops:
        images = dict(_made(resolvers, crop, scale))
        values = {}
        for name, image in images.items():
            sharp, noise = unreferenced(image)
            values[name] = f"{sharp:.1f} / {'n/a' if noise is None else f'{noise:.2f}'}"
            records.append({"scene": crop.name, "network": name, SHARPNESS: sharp, NOISE: noise})
        rows.append(SheetRow(crop.name, images, values))
    comparison_sheet(
        rows,
        path,
        crop_size=0,
        caption="sharpness / noise, both in grey levels; not aligned, so no PSNR",
    )
    return records


def _made(
    resolvers: Mapping[str, SuperResolver], crop: SceneCrop, scale: int
) -> Iterator[tuple[str, np.ndarray]]:
    enlarged = _enlarged(crop.lr, scale)
    inner = slice(_MARGIN * scale, -_MARGIN * scale)
    yield "bicubic", enlarged[inner, inner]
    for name, resolver in resolvers.items():
        network: Backbone = resolver.backbone
        given = enlarged if network.same_size else crop.lr
        yield name, resolver.upscale(given)[inner, inner]
    yield REFERENCE, crop.reference


def unreferenced(image: np.ndarray) -> tuple[float, float | None]:
    """Return two numbers that need no reference.

    Args:
        image: uint8, shape (H, W, 3).

    Returns:
        The mean length of the luma's gradient, and the noise level, both in grey levels; None for
        noise where most of the image is black or white.
    """
    luma = luma_of_levels(image)
    by_row, by_column = np.gradient(luma)
    tensor = torch.from_numpy(luma.copy())[None, None] / 255
    try:
        noise: float | None = 255 * noise_level(tensor)
    except DataError:
        noise = None
    return float(np.hypot(by_row, by_column).mean()), noise


def _enlarged(pixels: np.ndarray, scale: int) -> np.ndarray:
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    made = imresize(tensor, size=(pixels.shape[0] * scale, pixels.shape[1] * scale))
    return np.clip(made[0].permute(1, 2, 0).numpy() + 0.5, 0, 255).astype(np.uint8)


def _rgb(file: Path) -> np.ndarray:
    pixels = read_image(file)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise DataError(f"{file} is not an 8-bit RGB photo: {pixels.shape}, {pixels.dtype}.")
    return pixels
