"""Networks on the page: published ones by name, and files that were loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from realdeg.apis.arrays import put_together, take_apart
from realdeg.apis.create import create_backbone
from realdeg.apis.previewing import as_8_bit, choose_crop, cut
from realdeg.apis.super_resolver import SuperResolver
from realdeg.apis.told import Teller, Told
from realdeg.backbones.base import Backbone
from realdeg.backbones.pretrained import list_pretrained
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError, DataError, nearest
from realdeg.studio.session import LARGEST_PHOTO, LARGEST_WEIGHTS, check_size
from realdeg.utils.description import read_description
from realdeg.utils.image import check_image, load_image, write_image

MOST_PIXELS = 1 << 22
"""Pixels of the largest image that the page upscales; ``realdeg infer`` takes larger ones."""
SHOWN = 1024
"""Side of the largest part of a result that the page shows, in pixels."""


@dataclass(frozen=True)
class Upscaled:
    """A result and how it was made.

    Attributes:
        file: The whole result as a PNG file.
        plain: The shown part, enlarged by bicubic interpolation, 8-bit RGB.
        made: The same part by the network.
        words: Sizes, time and tiles.
    """

    file: Path
    plain: NDArray[np.uint8]
    made: NDArray[np.uint8]
    words: str


def published() -> list[str]:
    """Return every published network as ``NETWORK:NAME xSCALE``, sorted."""
    return sorted({f"{e.type}:{e.name} x{s:g}" for e in list_pretrained() for s in e.scales})


def published_network(name: str) -> Backbone:
    """Return a published network; its weights are fetched where they are not at hand.

    Args:
        name: A name of :func:`published`.

    Raises:
        ConfigError: If there is none of that name.
        CheckpointError: If its weights cannot be had; it says which file to put where.
    """
    known = published()
    if name not in known:
        raise ConfigError(f"no published network '{name:.80}'.{nearest(name[:80], known)}")
    source, _, scale = name.rpartition(" x")
    return create_backbone(source, scale=int(scale), trained=True)


def loaded_network(file: Path, kind: str | None = None, scale: float | None = None) -> Backbone:
    """Return the network of a loaded file.

    Args:
        file: A self-describing file, or one of another project.
        kind: The registered network that a file of another project is for.
        scale: Its scale, where the file does not tell.

    Raises:
        ConfigError: If a file of another project comes without ``kind``.
        DataError: If it is too large.
        CheckpointError: If it cannot be read, or does not fit.
    """
    check_size(file, LARGEST_WEIGHTS)
    if read_description(file) is not None:
        return create_backbone(file, trained=True)
    if not kind:
        raise ConfigError(
            f"{file.name} does not say which network it is for: choose the network's type."
        )
    return create_backbone(kind, scale=scale, weights=file, trained=True)


def read_picture(path: Path) -> NDArray[Any]:
    """Read an image to upscale, checked before its pixels are decoded.

    Args:
        path: The uploaded file.

    Raises:
        DataError: If it is no image that realdeg reads, or too large.
    """
    check_size(path, LARGEST_PHOTO)
    header = check_image(path)
    if header.height * header.width > MOST_PIXELS:
        raise DataError(
            f"{path.name} has {header.height} x {header.width} pixels, and the page upscales at"
            f" most {MOST_PIXELS / 1e6:.1f} megapixels: `realdeg infer` takes images of any size."
        )
    return load_image(path).pixels


def upscale(
    image: NDArray[Any],
    network: Backbone,
    out: Path,
    *,
    tile: int | Literal["auto"] | None = "auto",
    self_ensemble: bool = False,
    kernel_width: float | None = None,
    noise: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Upscaled:
    """Super-resolve an image into a file, and choose the part to show.

    Args:
        image: H x W x C, uint8 or uint16.
        network: The network.
        out: The PNG file to write.
        tile: Tile size in pixels; ``"auto"``: as memory allows.
        self_ensemble: Return the mean of eight passes.
        kernel_width: Standard deviation of a Gaussian blur in HR pixels, for networks that are told
            the degradation.
        noise: Standard deviation of the noise in grey levels of 0 to 255, for the same.
        progress: Called with the number of finished tiles and their total.

    Raises:
        RealdegError: As :class:`~realdeg.SuperResolver`.
    """
    resolver = SuperResolver(network, tile=tile, self_ensemble=self_ensemble)
    cond, _ = Teller(resolver.backbone, Told(kernel_width, noise)).of(image, out.name)
    started = time.perf_counter()
    made = resolver.upscale_into(image, out, cond=cond, progress=progress)
    seconds = time.perf_counter() - started
    result = load_image(out).pixels
    height, width = result.shape[:2]
    part = choose_crop(result, SHOWN, 1)
    picture = take_apart(image)
    alpha = None if picture.alpha is None else imresize(picture.alpha, size=(height, width))
    plain = put_together(imresize(picture.rgb, size=(height, width)), alpha, picture)
    used = "whole image" if made["tile"] is None else f"tiles of {made['tile']} pixels"
    words = (
        f"{type(network).__name__}: {image.shape[0]} x {image.shape[1]} to {height} x {width},"
        f" {seconds:.1f} s, {height * width / 1e6 / seconds:.2f} MP/s, {used}"
        + ("" if part is None else f"; shown are {part[2]} x {part[3]} pixels of it")
    )
    return Upscaled(out, as_8_bit(cut(plain, part)), as_8_bit(cut(result, part)), words)


def store(image: NDArray[Any], out: Path) -> Path:
    """Write an image that the page offers for download.

    Args:
        image: H x W x C, uint8 or uint16.
        out: The PNG file.
    """
    write_image(out, image)
    return out
