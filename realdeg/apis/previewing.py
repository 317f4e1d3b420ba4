"""Show what a degradation does to one image: samples, descriptions, replays."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realdeg.apis.create import Source, create_degradation
from realdeg.apis.degrader import Colour, Degrader
from realdeg.apis.trace_files import Crop, TraceRecord, read_traces, trace_lines, write_traces
from realdeg.apis.trace_words import trace_differences
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, DataError, argument_name, nearest
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.image import ImageLike, as_array, as_rgb, read_image, write_image
from realdeg.utils.place import Place
from realdeg.utils.streams import stream_seed
from realdeg.visualization.degradations import degradation_preview
from realdeg.visualization.sheets import busiest_crop, check_crop
from realdeg.visualization.style import figure_path

_SAMPLES = "sample/"
# Characters per line next to an image.
_WRAP = 92


@dataclass(frozen=True)
class PreviewSample:
    """One LR image and how it was made.

    Args:
        record: The trace, and the part of the image that was degraded.
        lr: The LR image, with the number type and channels of the HR image.
        difference: What distinguishes it from the samples beside it, in a few words.
    """

    record: TraceRecord
    lr: NDArray[Any]
    difference: str = ""

    def in_words(self) -> list[str]:
        """Return the LR size with what is different, and the trace, as lines of text."""
        size = f"LR {self.lr.shape[0]} x {self.lr.shape[1]}"
        heading = f"{size}: {self.difference}" if self.difference else size
        return [heading, *trace_lines(self.record.trace)]


@dataclass(frozen=True)
class Preview:
    """The result of a preview.

    Attributes:
        samples: The LR images and how they were made.
        files: The figure and, if requested, the file of traces.
    """

    samples: tuple[PreviewSample, ...]
    files: tuple[Path, ...]


def preview(
    degradation: Source | Degradation,
    image: ImageLike | str | os.PathLike[str],
    out: str | os.PathLike[str] = "preview.png",
    *,
    count: int = 4,
    scale: float | None = None,
    same_size: bool | None = None,
    options: Mapping[str, Any] | None = None,
    colour: Colour = "rgb",
    seed: int = 0,
    size: int = 256,
    crop: int | None = None,
    trace: str | os.PathLike[str] | None = None,
    index: int | None = None,
    save_traces: str | os.PathLike[str] | None = None,
    save_images: str | os.PathLike[str] | None = None,
) -> Preview:
    """Draw what a degradation does to an image, several times, as ``realdeg preview`` does.

    Args:
        degradation: Anything that :func:`realdeg.create_degradation` takes.
        image: An HR image: a file, for instance ``sample/coffee`` for a built-in one, an array,
            or an image of Pillow.
        out: The figure to write.
        count: Number of samples.
        scale: The scale factor; None: the degradation's.
        same_size: Whether LR lies on the HR grid; None: as the degradation states.
        options: Dotted keys that override the config or type.
        colour: ``"rgb"`` degrades R, G and B, ``"y"`` only luma.
        seed: The random seed.
        size: Crop a larger image to its most detailed part of this size in pixels; 0: no crop.
        crop: Size of the enlarged detail in pixels; None: a fraction of the image.
        trace: Replay the traces of this file instead of drawing new ones.
        index: Replay only the trace with this index, from 0.
        save_traces: A file for the traces.
        save_images: A folder for the LR images, as PNG files.

    Raises:
        ConfigError: If the degradation is unknown or untrained, or an argument is out of range.
        CheckpointError: If weights cannot be read.
        DataError: If there is no such image, or the traces are of another image.
        GeometryError: If scale or grid differ from those of the weights.
        OutputError: If an output cannot be written.

    Example:
        >>> import realdeg
        >>> realdeg.preview("BSRGAN", "sample/coffee", scale=4)  # doctest: +SKIP
    """
    # Refused before the work, not after it.
    picture = figure_path(out)
    ensure_writable_dir(picture.parent)
    if save_traces is not None:
        ensure_writable_dir(Path(save_traces).parent)
    if save_images is not None:
        ensure_writable_dir(save_images)
    check_crop(crop)
    built = create_degradation(degradation, scale, same_size, trained=True, options=options)
    degrader = Degrader(built, device="cpu", colour=colour)
    name, pixels = open_image(image)
    if trace is not None:
        records = _chosen(trace, index)[: max(count, 1)]
        samples, part = replay_previews(degrader, pixels, records), records[0].crop
    else:
        if size < 0:
            raise ConfigError(f"size must be 0 or a number of pixels, got {size}.")
        part = choose_crop(pixels, size, built.stride)
        samples = sample_previews(degrader, pixels, name, count=count, seed=seed, crop=part)
    hr = as_8_bit(cut(pixels, part))
    degradation_preview(
        hr,
        [(as_8_bit(sample.lr), _wrapped(sample)) for sample in samples],
        picture,
        words=[f"HR {hr.shape[0]} x {hr.shape[1]} of {name}", built.describe()],
        title=type(built).__name__,
        crop_size=crop,
    )
    written = [picture]
    if save_traces is not None:
        written.append(write_traces(save_traces, [sample.record for sample in samples]))
    if save_images is not None:
        for number, sample in enumerate(samples):
            write_image(Path(save_images) / f"{number}.png", sample.lr)
    return Preview(tuple(samples), tuple(written))


def _chosen(file: str | os.PathLike[str], index: int | None) -> list[TraceRecord]:
    """Return all traces of a file, or the one at ``index``."""
    records = read_traces(file)
    if index is None:
        return records
    if not 0 <= index < len(records):
        raise ConfigError(f"index is {index}, but {file} has traces 0 to {len(records) - 1}.")
    return records[index : index + 1]


def _wrapped(sample: PreviewSample) -> list[str]:
    lines = []
    for line in sample.in_words():
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(line, _WRAP, initial_indent="", subsequent_indent=indent + "    ")
    return lines


def find_image(image: str | os.PathLike[str]) -> Path:
    """Find an image by its path, or a built-in image.

    Args:
        image: A file, or for instance ``sample/coffee`` for an image of the sample set.

    Raises:
        DataError: If it does not exist.
    """
    path = Path(image).expanduser()
    if path.is_file():
        return path
    text = Path(image).as_posix()
    if text.startswith(_SAMPLES):
        found = _sample_files()
        if text in found:
            return found[text]
        raise DataError(
            f"there is no built-in image '{text}': choose among {', '.join(found)}."
            f"{nearest(text, list(found))}"
        )
    raise DataError(f"there is no image {image}.")


def sample_names() -> list[str]:
    """Return the names of the built-in images, as :func:`find_image` takes them."""
    return list(_sample_files())


def _sample_files() -> dict[str, Path]:
    folder = Path(__file__).resolve().parent.parent / "datasets" / "sample_images"
    return {f"{_SAMPLES}{file.stem}": file for file in sorted(folder.glob("*/*.png"))}


def choose_crop(image: NDArray[Any], side: int, multiple: int) -> Crop | None:
    """Choose the most detailed part of a large image.

    Args:
        image: H x W x C.
        side: Largest height and width in pixels; 0: no limit.
        multiple: Height and width of the part are multiples of this.

    Returns:
        (top, left, height, width), or None if the whole image is small enough.
    """
    height, width = image.shape[:2]
    if not side or max(height, width) <= side:
        return None
    part = tuple(max(min(side, length) // multiple * multiple, 1) for length in (height, width))
    square = min(part)
    top, left = busiest_crop(as_8_bit(image), square)
    corner = (min(top, height - part[0]), min(left, width - part[1]))
    return (*corner, *part)


def cut(image: NDArray[Any], crop: Crop | None) -> NDArray[Any]:
    """Return a part of an image.

    Raises:
        DataError: If the part lies outside the image.
    """
    if crop is None:
        return image
    top, left, height, width = crop
    if min(crop) < 0 or top + height > image.shape[0] or left + width > image.shape[1]:
        raise DataError(
            f"the trace is of the part {height} x {width} at row {top}, column {left}, and the"
            f" image has {image.shape[0]} x {image.shape[1]} pixels: it is another image."
        )
    return image[top : top + height, left : left + width]


def as_8_bit(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return any image as 8-bit RGB for display: alpha is dropped, grey replicated."""
    array = image[..., None] if image.ndim == 2 else image
    if array.dtype == np.uint16:
        array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif array.dtype.kind == "f":
        array = (np.clip(array, 0, 1) * 255 + 0.5).astype(np.uint8)
    if array.shape[2] == 2:
        array = array[..., :1]
    return as_rgb(array)


def open_image(image: ImageLike | str | os.PathLike[str]) -> tuple[str, NDArray[Any]]:
    """Find and read an image; return its name and its pixels. One in memory is ``image``."""
    if not isinstance(image, str | os.PathLike):
        return "image", as_array(image)
    path = find_image(image)
    return path.name, read_image(path)


def sample_previews(
    degrader: Degrader,
    image: NDArray[Any],
    name: str,
    *,
    count: int = 4,
    seed: int = 0,
    crop: Crop | None = None,
) -> list[PreviewSample]:
    """Degrade one image several times.

    Args:
        degrader: The degradation.
        image: H x W x C, uint8, uint16 or float.
        name: The image's name, stored with the traces.
        count: Number of LR images.
        seed: The random seed; each sample's seed is derived from it and the sample's index.
        crop: The part of the image that is degraded.

    Returns:
        The samples. Sizes that are not divisible by the scale are cropped at bottom and right.

    Raises:
        ConfigError: If ``count`` is less than 1.
    """
    if count < 1:
        raise ConfigError(f"{argument_name('count')} must be at least 1, got {count}.")
    part = cut(image, crop)
    place = Place.whole(*image.shape[:2]).cropped(*(crop or (0, 0, *image.shape[:2])))
    samples = []
    for index in range(count):
        number = stream_seed(seed, "preview", index)
        lr, trace = degrader.degrade(part, number, remainder="crop", place=place)
        samples.append(PreviewSample(TraceRecord(trace, name, crop, number), lr))
    return _told_apart(samples)


def _told_apart(samples: Sequence[PreviewSample]) -> list[PreviewSample]:
    words = trace_differences([sample.record.trace for sample in samples])
    return [replace(one, difference=said) for one, said in zip(samples, words, strict=True)]


def replay_previews(
    degrader: Degrader, image: NDArray[Any], records: Sequence[TraceRecord]
) -> list[PreviewSample]:
    """Replay traces.

    Args:
        degrader: The degradation that drew them.
        image: The whole image that they were drawn for.
        records: What :func:`read_traces` returned.

    Returns:
        The samples; bit-identical on the CPU with the same build and number of threads.

    Raises:
        DataError: If a trace is of another degradation, other settings or another image size.
    """
    return _told_apart(
        [
            PreviewSample(record, degrader.replay(cut(image, record.crop), record.trace))
            for record in records
        ]
    )
