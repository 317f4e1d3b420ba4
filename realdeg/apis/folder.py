"""Turn a folder of images into another one: whole, resumable, with a record of every image.

What is written depends on the settings and on each image alone, so a run that was killed and
started again ends with the same bytes as one that was not, and an image added later changes no
other. One bad image is named at the end and harms none of the rest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from realdeg.apis.manifest import Manifest, Record
from realdeg.apis.names import find_images, plan_outputs
from realdeg.apis.tiling import MemoryShortageError, is_out_of_memory
from realdeg.errors import DataError, GeometryError
from realdeg.utils.files import ensure_writable_dir, sha256_file
from realdeg.utils.image import read_image, write_image
from realdeg.version import __version__

Work = Callable[[NDArray[Any], str], tuple[NDArray[Any], Record]]
"""Takes an image and its name; returns the result and what the manifest says of it."""

# What `atomic_path` leaves behind when a process is killed between writing and renaming.
_LEFT_OVER = re.compile(r"^\..+\.[a-z0-9_]{8}\.tmp(\.[a-z]+)?$")


@dataclass(frozen=True)
class Failure:
    """An image that could not be done.

    Args:
        name: Path of the image, relative to the source folder.
        reason: Why, in a sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """What became of a folder.

    Args:
        folder: The folder of results.
        made: Names of the images made by this run.
        kept: Names of the images that were there already and are as recorded.
        cropped: Names of the images whose size did not divide and that were cropped.
        ignored: Names of files in the source folder that are no images.
        failed: The images that could not be done.
    """

    folder: Path
    made: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    cropped: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every image is there."""
        return not self.failed

    def describe(self) -> str:
        """Return the summary in words, failures one per line."""
        lines = [f"{self.folder}: {len(self.made)} made, {len(self.kept)} kept"]
        if self.cropped:
            lines.append(
                f"{len(self.cropped)} cropped to a size that divides: {_few(self.cropped)}"
            )
        if self.ignored:
            lines.append(f"{len(self.ignored)} files are no images: {_few(self.ignored)}")
        if self.failed:
            lines.append(f"{len(self.failed)} FAILED:")
            lines += [f"  {failure.name}: {failure.reason}" for failure in self.failed]
        return "\n".join(lines)


def process_folder(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    work: Work,
    settings: Mapping[str, Any],
    *,
    overwrite: bool = False,
    progress: bool = True,
    title: str = "images",
) -> Summary:
    """Apply ``work`` to every image below ``src`` and write PNG files below ``dst``.

    Args:
        src: Folder of images; sub-folders are followed, hidden files are not.
        dst: Folder of results, with ``manifest.jsonl``.
        work: Makes one result.
        settings: What the results depend on, plain data; goes into the manifest's header.
        overwrite: Begin anew: results recorded there are removed, files in the way replaced.
        progress: Show a progress bar.
        title: What the bar says.

    Returns:
        What became of each image.

    Raises:
        DataError: If there is no image, or the two folders are one or lie in each other.
        ConfigError: If ``dst`` was begun with other settings.
        OutputError: If ``dst`` cannot be written.
    """
    source, target = _separate(Path(src), Path(dst))
    names, ignored = find_images(source)
    ensure_writable_dir(target)
    versions = {"realdeg": __version__, "torch": torch.__version__}
    threads = torch.get_num_threads()
    manifest = Manifest(
        target, {**settings, "versions": versions, "threads": threads}, overwrite=overwrite
    )
    _clean(target, manifest)
    folder = _Folder(source, target, manifest, work, overwrite)
    for name in sorted(manifest.records.keys() - set(names)):
        reason = f"it is recorded in {manifest.path} and no longer in {source}"
        folder.failed.append(
            Failure(name, f"{reason}: put it back, or make the folder anew with overwrite.")
        )
    outputs = plan_outputs(names, {name: r["output"] for name, r in manifest.records.items()})
    # Sums over many numbers depend on how they are split among threads: those of the first run.
    with _threads(int(manifest.header.get("threads", threads))):
        for name in _track(names, title, progress):
            folder.process(name, outputs.get(name))
    manifest.finish()
    return Summary(
        target,
        tuple(folder.made),
        tuple(folder.kept),
        tuple(n for n in names if manifest.records.get(n, {}).get("cropped")),
        tuple(ignored),
        tuple(sorted(folder.failed, key=lambda failure: failure.name)),
    )


class _Folder:
    """One run over a folder."""

    def __init__(
        self, source: Path, target: Path, manifest: Manifest, work: Work, overwrite: bool
    ) -> None:
        self.source, self.target, self.manifest = source, target, manifest
        self.work, self.overwrite = work, overwrite
        self.made: list[str] = []
        self.kept: list[str] = []
        self.failed: list[Failure] = []

    def process(self, name: str, output: str | None) -> None:
        """Make, keep or refuse one image."""
        try:
            if output is None:
                raise DataError("its result would get the name of another image's; rename it.")
            if self._is_done(name, output):
                self.kept.append(name)
                return
            self._make(name, output)
            self.made.append(name)
        # Only what is wrong with this one image; a full disk or a bug stops the run.
        except (DataError, GeometryError, MemoryShortageError) as error:
            self.failed.append(Failure(name, str(error)))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).splitlines()[0] if str(error) else "the machine's memory is full"
            self.failed.append(Failure(name, f"memory ran out: {reason}"))

    def _is_done(self, name: str, output: str) -> bool:
        record = self.manifest.records.get(name)
        if record is None:
            return False
        if _digest(self.source / name) != record["source_sha256"]:
            raise DataError(
                f"it has changed since {output} was made from it: put the former file back, or"
                " make the folder anew with overwrite."
            )
        file = self.target / output
        if not file.exists():
            return False
        if _digest(file) != record["output_sha256"]:
            raise DataError(
                f"its result {file} was changed after it was written: delete that file to have it"
                " made again."
            )
        return True

    def _make(self, name: str, output: str) -> None:
        file = self.target / output
        digest = _digest(self.source / name)
        image = read_image(self.source / name)
        result, notes = self.work(image, name)
        if file.exists() and not self.overwrite and not _same_pixels(file, result):
            raise DataError(
                f"{file} is already there and was not made by this run: move it away, or replace"
                " it with overwrite."
            )
        write_image(file, result)
        record: Record = {
            "record": "image",
            "name": name,
            "output": output,
            "source_sha256": digest,
            "output_sha256": _digest(file),
            "source_size": list(image.shape[:2]),
            "output_size": list(result.shape[:2]),
            "channels": int(result.shape[2]),
            "bits": result.dtype.itemsize * 8,
            **notes,
        }
        self.manifest.append(record)


def _separate(source: Path, target: Path) -> tuple[Path, Path]:
    here, there = source.resolve(), target.resolve()
    if here == there:
        raise DataError(f"input and output are the same folder {source}: choose another output.")
    if here in there.parents or there in here.parents:
        raise DataError(
            f"the folders {source} and {target} lie in each other: results would be mixed with"
            " the originals. Choose an output beside the input."
        )
    return source, target


def _clean(target: Path, manifest: Manifest) -> None:
    """Remove what a killed run left half-written and, on a fresh start, earlier results."""
    for file in target.rglob(".*"):
        if file.is_file() and _LEFT_OVER.match(file.name):
            file.unlink()
    for record in manifest.discarded.values():
        file = target / str(record.get("output"))
        if file.is_file() and sha256_file(file) == record.get("output_sha256"):
            file.unlink()


def _digest(file: Path) -> str:
    try:
        return sha256_file(file)
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}.") from error


def _same_pixels(file: Path, result: NDArray[Any]) -> bool:
    # Killed between writing an image and recording it: the file is ours, and made again equal.
    try:
        there = read_image(file)
    except DataError:
        return False
    return there.dtype == result.dtype and np.array_equal(there, result)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _track(names: Sequence[str], title: str, progress: bool) -> Iterator[str]:
    if not progress:
        yield from names
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(names, description=title, console=Console(stderr=True))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
