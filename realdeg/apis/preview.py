"""Look at what a degradation does to one image: sampled, in words, saved, replayed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realdeg.apis.degrader import Degrader
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError, nearest
from realdeg.utils.files import atomic_path
from realdeg.utils.image import as_rgb, read_image
from realdeg.utils.streams import stream_seed
from realdeg.visualization.sheets import busiest_crop

Crop = tuple[int, int, int, int]
_SAMPLES = "sample/"
# What is the same for every trace of a degradation, or says nothing to a reader.
_UNSPOKEN = ("scale", "same_size")
# A file of traces is text for people; anything larger is something else.
_LARGEST_FILE = 64 << 20


@dataclass(frozen=True)
class TraceRecord:
    """One line of a file of traces.

    Args:
        trace: What was done.
        image: Name of the image that it was done to, or None.
        crop: (top, left, height, width) of the part of it, or None for the whole image.
        seed: The seed that the trace was drawn with, or None.
    """

    trace: Trace
    image: str | None = None
    crop: Crop | None = None
    seed: int | None = None


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
    return (*corner, *part)  # type: ignore[return-value]


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


def write_traces(path: str | os.PathLike[str], records: Sequence[TraceRecord]) -> Path:
    """Write traces, one JSON object per line: ``trace``, ``image``, ``crop``, ``seed``.

    Args:
        path: The file.
        records: The traces.

    Returns:
        The path.

    Raises:
        OutputError: If it cannot be written.
    """
    lines = [
        json.dumps(
            {
                "image": record.image,
                "crop": None if record.crop is None else list(record.crop),
                "seed": record.seed,
                "trace": record.trace.to_dict(),
            },
            allow_nan=False,
        )
        for record in records
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(path)


def read_traces(path: str | os.PathLike[str]) -> list[TraceRecord]:
    """Read traces from a file.

    Args:
        path: What :func:`write_traces` wrote, bare traces of ``Trace.to_json`` (one per line),
            or a ``manifest.jsonl`` of ``realdeg degrade``.

    Returns:
        The traces, in the order of the file.

    Raises:
        DataError: If the file cannot be read or holds something else.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise DataError(f"{file} is larger than {_LARGEST_FILE >> 20} MiB: no file of traces.")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot read the traces {file}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no file of traces: it is not text.") from error
    try:
        whole = json.loads(text)
        lines = [(1, whole)]
    except (ValueError, RecursionError):
        lines = list(_json_lines(text, file))
    records = []
    for number, line in lines:
        if isinstance(line, dict) and line.get("record") == "header":
            continue  # of a manifest
        try:
            records.append(_record(line))
        except DataError as error:
            raise DataError(f"line {number} of {file}: {error}") from error
    if not records:
        raise DataError(f"{file} holds no trace.")
    return records


def _json_lines(text: str, file: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"line {number} of {file} is not JSON: {error}.") from error


def _record(line: Any) -> TraceRecord:
    if not isinstance(line, dict) or "trace" not in line:
        return TraceRecord(Trace.from_dict(line))
    crop, seed = line.get("crop"), line.get("seed")
    image = line.get("image", line.get("name"))
    if crop is not None and not (
        isinstance(crop, list)
        and len(crop) == 4
        and all(isinstance(n, int) and not isinstance(n, bool) for n in crop)
    ):
        raise DataError(f"crop is [top, left, height, width] or null, got {crop!r}.")
    return TraceRecord(
        Trace.from_dict(line["trace"]),
        image if isinstance(image, str) else None,
        None if crop is None else (crop[0], crop[1], crop[2], crop[3]),
        seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
    )


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


def trace_lines(trace: Trace) -> list[str]:
    """Say what a trace records, a line for each step; seeds are left out.

    Args:
        trace: The trace.

    Returns:
        Lines of text; those of parts and steps are indented.

    Examples:
        >>> trace_lines(Trace("Blur", {"scale": 4, "sigma": 1.2345, "noise_seed": 7}))
        ['Blur: sigma 1.23']
    """
    return list(_lines(trace, 0))


def _lines(trace: Trace, depth: int) -> Iterator[str]:
    indent = "  " * depth
    params = {key: value for key, value in trace.params.items() if key not in _UNSPOKEN}
    steps = params.pop("steps", None)
    words = _words(params)
    yield f"{indent}{trace.type}" + (f": {words}" if words else "")
    if isinstance(steps, list | tuple):
        for step in steps:
            yield f"{indent}  {_step(step)}"
    for part in trace.parts:
        yield from _lines(part, depth + 1)


def _step(step: Any) -> str:
    if not isinstance(step, Mapping):
        return _value(step)
    rest = {key: value for key, value in step.items() if key != "op"}
    words = _words(rest)
    return str(step.get("op", "step")) + (f": {words}" if words else "")


def _words(params: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {_value(value)}"
        for key, value in params.items()
        if not str(key).endswith("seed") and value is not None
    )


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + _words(value) + ")"
    if isinstance(value, np.ndarray):
        return "x".join(str(n) for n in value.shape) + " array"
    if isinstance(value, list | tuple):
        if len(value) > 6:
            return f"{len(value)} values"
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
