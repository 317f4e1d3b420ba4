"""What is measured of files, images and pairs; the checks judge it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realdeg.datasets.records import Record
from realdeg.diagnosis.jpeg import JPEGHistory, find_history, quality_of_file
from realdeg.diagnosis.limits import BLACK, GREY_LEVELS, VALUES_OF_8_BIT, WHITE
from realdeg.diagnosis.sets import ImageSet
from realdeg.diagnosis.spectrum import CENTRE, Detail, measure_detail, middle_of
from realdeg.errors import DataError
from realdeg.evaluation.alignment import PairAlignment
from realdeg.evaluation.alignment_limits import measure_pairs
from realdeg.utils.image import Header, ImageFile, as_rgb, check_image, load_image

# Rows that are examined at a time, so that no second copy of a large image is made.
_STRIP = 256


@dataclass(frozen=True)
class FileFacts:
    """What the header of a file says.

    Args:
        path: The file.
        header: Its header; None if it cannot be read.
        fault: Why not.
        profile: The colour profile's description; empty without one.
        quality: The quality of a JPEG file.
    """

    path: ImageFile
    header: Header | None
    fault: str = ""
    profile: str = ""
    quality: int | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width."""
        return None if self.header is None else self.header.size


@dataclass(frozen=True)
class ImageFacts:
    """What the pixels of an image say.

    Args:
        detail: Its spectrum; None if it is small or flat.
        history: An earlier JPEG compression, if one is seen.
        black: Share of pixels that are black.
        white: Share of pixels that are white.
        shallow: Whether 16 bit hold only 8.
        grey: Whether three channels are equal.
        transparent: Share of pixels that are not opaque; None without alpha.
    """

    detail: Detail | None
    history: JPEGHistory | None
    black: float
    white: float
    shallow: bool
    grey: bool
    transparent: float | None


@dataclass(frozen=True)
class Item:
    """One image or pair that was decoded.

    Args:
        record: Its files.
        hr: The facts of HR; None if it cannot be decoded.
        lr: The facts of LR, if there is one.
        alignment: How LR lies on HR.
        fault: Why a file could not be decoded, by file.
    """

    record: Record
    hr: ImageFacts | None
    lr: ImageFacts | None
    alignment: PairAlignment | None
    fault: tuple[tuple[ImageFile, str], ...] = ()


@dataclass(frozen=True)
class Examined:
    """All facts of one data set.

    Args:
        set: The data set.
        files: The facts of every file.
        items: The facts of the images and pairs that were decoded.
    """

    set: ImageSet
    files: dict[ImageFile, FileFacts]
    items: tuple[Item, ...]

    def side(self, side: str) -> Iterator[tuple[ImageFile, ImageFacts]]:
        """Yield the facts of all decoded ``"hr"`` or ``"lr"`` images that are files."""
        for item in self.items:
            path, facts = getattr(item.record, side), getattr(item, side)
            if path is not None and facts is not None:
                yield path, facts


def read_headers(
    files: Sequence[ImageFile], tell: Callable[[int], None]
) -> dict[ImageFile, FileFacts]:
    """Read the headers of files in threads, which hide the latency of the disk.

    Args:
        files: The files.
        tell: Called with the number of files that are done.
    """
    found: dict[ImageFile, FileFacts] = {}
    with ThreadPoolExecutor(8) as pool:
        for facts in pool.map(_header_facts, files):
            found[facts.path] = facts
            tell(len(found))
    return found


def _header_facts(path: ImageFile) -> FileFacts:
    try:
        header = check_image(path)
    except DataError as error:
        return FileFacts(path, None, _reason(error, path))
    quality = quality_of_file(path) if header.format == "JPEG" else None
    return FileFacts(path, header, "", _profile_name(header.icc), quality)


def _reason(error: DataError, path: ImageFile) -> str:
    """Return an error as the end of a sentence that starts with the file."""
    text = str(error).replace(f"cannot read the image {path}:", "cannot be read:")
    return text.replace(f"the image {path} ", "").rstrip(".")


def _profile_name(icc: bytes) -> str:
    if not icc:
        return ""
    from PIL import ImageCms

    try:
        profile: Any = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        return str(ImageCms.getProfileDescription(profile)).strip() or "without a name"
    except (ImageCms.PyCMSError, OSError, ValueError):
        return "damaged"


def examine(images: ImageSet, index: int) -> Item:
    """Decode one image or pair and measure it; nothing of the pixels is kept.

    Args:
        images: The data set.
        index: Which of its records.
    """
    record = images.records[index]
    faults: list[tuple[ImageFile, str]] = []
    pixels: list[NDArray[Any] | None] = []
    for path in (record.hr, record.lr):
        try:
            pixels.append(None if path is None else load_image(path).pixels)
        except DataError as error:
            pixels.append(None)
            faults.append((path or record.hr, _reason(error, path or record.hr)))
    hr, lr = pixels
    if lr is None and images.make_lr is not None and hr is not None:
        lr = images.make_lr(index)
    alignment = None
    if hr is not None and lr is not None and _fits(images, hr, lr):
        sample = {"key": record.key, "hr": _colour(hr), "lr": _colour(lr)}
        found = measure_pairs(lambda _: sample, 1, images.scale, images.same_size)
        alignment = found.get(record.key)
    return Item(
        record,
        None if hr is None else _image_facts(hr, record.hr),
        None if lr is None else _image_facts(lr, record.lr),
        alignment,
        tuple(faults),
    )


def _fits(images: ImageSet, hr: NDArray[Any], lr: NDArray[Any]) -> bool:
    stride = 1 if images.same_size else images.scale
    return all(a // stride == b and b for a, b in zip(hr.shape[:2], lr.shape[:2], strict=True))


def _colour(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(as_rgb(pixels))


def luma_of(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the luma of the central part in 8-bit levels, as JPEG defines it."""
    part = middle_of(pixels, CENTRE).astype(np.float32)
    if pixels.dtype == np.uint16:
        part /= 257
    if part.shape[2] < 3:
        return np.ascontiguousarray(part[..., 0])
    return np.asarray(cv2.transform(part[..., :3], np.array([[0.299, 0.587, 0.114]])))


def _image_facts(pixels: NDArray[Any], path: ImageFile | None) -> ImageFacts:
    luma = luma_of(pixels)
    # A JPEG file states its last compression; an earlier one is sought in lossless files alone.
    lossless = path is None or path.suffix.lower() not in (".jpg", ".jpeg")
    deep = pixels.dtype == np.uint16
    unit = 257 if deep else 1
    colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    black = white = clear = 0
    grey = colours == 3
    values: set[int] = set()
    for top in range(0, pixels.shape[0], _STRIP):
        strip = pixels[top : top + _STRIP]
        lowest, highest = strip[..., :colours].min(2), strip[..., :colours].max(2)
        black += int((highest <= BLACK * unit).sum())
        white += int((lowest >= WHITE * unit).sum())
        grey = grey and int((highest - lowest).max()) <= GREY_LEVELS * unit
        if pixels.shape[2] in (2, 4):
            clear += int((strip[..., -1] < (65535 if deep else 255)).sum())
        if deep and len(values) <= VALUES_OF_8_BIT:
            values.update(np.unique(strip[..., :colours]).tolist())
    count = pixels.shape[0] * pixels.shape[1]
    return ImageFacts(
        measure_detail(luma),
        find_history(luma) if lossless else None,
        black / count,
        white / count,
        deep and len(values) <= VALUES_OF_8_BIT,
        grey,
        clear / count if pixels.shape[2] in (2, 4) else None,
    )
