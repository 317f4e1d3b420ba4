"""Look at what a degradation does to one image: sampled, in words, saved, replayed."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realdeg.apis.create import Source, create_degradation
from realdeg.apis.degrader import Colour, Degrader
from realdeg.apis.trace_files import Crop, TraceRecord, read_traces, trace_lines, write_traces
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, DataError, nearest
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.image import as_rgb, read_image, write_image
from realdeg.utils.streams import stream_seed
from realdeg.visualization.degradations import degradation_preview
from realdeg.visualization.sheets import busiest_crop, check_crop
from realdeg.visualization.style import figure_path

_SAMPLES = "sample/"
# Characters of a line beside a picture.
_WRAP = 92


@dataclass(frozen=True)
class PreviewSample:
    """One LR image and how it was made.

    Args:
        record: What was done, and to which part of the image.
        lr: The LR image, of the HR image's kind.
    """

    record: TraceRecord
    lr: NDArray[Any]

    def in_words(self) -> list[str]:
        """Return what was done, one line each."""
        seed = "" if self.record.seed is None else f" of seed {self.record.seed}"
        size = f"LR {self.lr.shape[0]} x {self.lr.shape[1]}{seed}"
        return [size, *trace_lines(self.record.trace)]


@dataclass(frozen=True)
class Preview:
    """What a preview shows.

    Attributes:
        samples: The LR images and how they were made.
        files: The picture and, where it was asked for, the file of traces.
    """

    samples: tuple[PreviewSample, ...]
    files: tuple[Path, ...]


def preview(
    degradation: Source | Degradation,
    image: str | os.PathLike[str],
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
        degradation: A registered type, a config or its name, learned weights, a dict, or a
            degradation: whatever :func:`realdeg.create_degradation` takes.
        image: An HR image; or ``sample/coffee`` for a built-in one.
        out: The picture to write.
        count: How many samples.
        scale: How much resolution is lost; None: what the degradation says.
        same_size: Whether LR lies on the HR grid; None: what the degradation says.
        options: Dotted keys laid over the config or type.
        colour: ``"rgb"`` degrades R, G and B, ``"y"`` luma alone.
        seed: The seed of everything random.
        size: Of a larger image, the part of this side with most detail, in pixels; 0: all of it.
        crop: Side of the enlarged detail in pixels; None: a part of the image.
        trace: Replay the traces of this file instead of drawing new ones.
        index: Of these traces only the one of this number, from 0.
        save_traces: A file for the traces, to be replayed.
        save_images: A folder for the LR images, as PNG files.

    Returns:
        The samples and the files that were written.

    Raises:
        ConfigError: If the degradation is unknown or untrained, or an argument means nothing.
        CheckpointError: If weights cannot be read.
        DataError: If there is no such image, or the traces are of another one.
        GeometryError: If scale or grid are not those of the weights.
        OutputError: If something cannot be written.

    Example:
        >>> import realdeg
        >>> realdeg.preview("BSRGAN", "sample/coffee", scale=4)  # doctest: +SKIP
    """
    # Before the work, not after it.
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
            raise ConfigError(f"size is 0 or a number of pixels, got {size}.")
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
    """Return the traces of a file, or one of them."""
    records = read_traces(file)
    if index is None:
        return records
    if not 0 <= index < len(records):
        raise ConfigError(f"index {index}: {file} holds traces 0 to {len(records) - 1}.")
    return records[index : index + 1]


def _wrapped(sample: PreviewSample) -> list[str]:
    lines = []
    for line in sample.in_words():
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(line, _WRAP, initial_indent="", subsequent_indent=indent + "    ")
    return lines


def find_image(image: str | os.PathLike[str]) -> Path:
    """Find an image by its path, or one of the built-in pictures.

    Args:
        image: A file; or ``sample/coffee`` for a picture of the sample set.

    Returns:
        The file.

    Raises:
        DataError: If there is none.
    """
    path = Path(image).expanduser()
    if path.is_file():
        return path
    text = Path(image).as_posix()
    if text.startswith(_SAMPLES):
        folder = Path(__file__).resolve().parent.parent / "datasets" / "sample_images"
        found = {f"{_SAMPLES}{file.stem}": file for file in sorted(folder.glob("*/*.png"))}
        if text in found:
            return found[text]
        raise DataError(
            f"no built-in picture '{text}': there are {', '.join(found)}."
            f"{nearest(text, list(found))}"
        )
    raise DataError(f"there is no image {image}.")


def choose_crop(image: NDArray[Any], side: int, multiple: int) -> Crop | None:
    """Choose the part of a large image with most detail.

    Args:
        image: H x W x C.
        side: Greatest height and width in pixels; 0 for no limit.
        multiple: What height and width have to divide by.

    Returns:
        (top, left, height, width), or None where the whole image is small enough.
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
        DataError: If the part lies outside of it.
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
    """Return any image as 8-bit RGB for a picture: alpha is dropped, grey replicated."""
    array = image[..., None] if image.ndim == 2 else image
    if array.dtype == np.uint16:
        array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif array.dtype.kind == "f":
        array = (np.clip(array, 0, 1) * 255 + 0.5).astype(np.uint8)
    if array.shape[2] == 2:
        array = array[..., :1]
    return as_rgb(array)


def open_image(image: str | os.PathLike[str]) -> tuple[str, NDArray[Any]]:
    """Find and read an image: its name and its pixels."""
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
        name: The image's name, noted with the traces.
        count: How many LR images.
        seed: Decides everything that is random, together with the number of the sample.
        crop: The part of the image that is degraded.

    Returns:
        The samples. A size that does not divide by the scale is cropped at the bottom and the
        right.

    Raises:
        ConfigError: If none is asked for.
    """
    if count < 1:
        raise ConfigError(f"one sample is the least to look at, got {count}.")
    part = cut(image, crop)
    samples = []
    for index in range(count):
        number = stream_seed(seed, "preview", index)
        lr, trace = degrader.degrade(part, number, remainder="crop")
        samples.append(PreviewSample(TraceRecord(trace, name, crop, number), lr))
    return samples


def replay_previews(
    degrader: Degrader, image: NDArray[Any], records: Sequence[TraceRecord]
) -> list[PreviewSample]:
    """Do again what traces say.

    Args:
        degrader: The degradation that drew them.
        image: The whole image that they were drawn for.
        records: What :func:`read_traces` returned.

    Returns:
        The samples: on the CPU, with the same build and number of threads, the same pixels.

    Raises:
        DataError: If a trace is of another degradation, other settings or another image size.
    """
    return [
        PreviewSample(record, degrader.replay(cut(image, record.crop), record.trace))
        for record in records
    ]
