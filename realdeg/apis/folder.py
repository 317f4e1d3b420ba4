"""Process many images: resumable, with a manifest that records every image.

Each output depends only on the settings and its image. So an interrupted run that is continued
gives the same bytes, and adding an image later changes no other output. A bad image is reported at
the end and does not affect the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from realdeg.apis.inputs import Inputs, Photos, find_inputs
from realdeg.apis.manifest import Manifest, Record, start_again
from realdeg.apis.saving import Saving
from realdeg.apis.workers import WorkerDiedError, check_jobs, process_items, threads_of_torch
from realdeg.errors import DataError, GeometryError, OutputError, as_given, first_line
from realdeg.utils.files import (
    atomic_path,
    concerns_one_file,
    ensure_writable_dir,
    path_inside,
    remove_left_overs,
    sha256_file,
)
from realdeg.utils.image import LoadedImage, Reading, image_size
from realdeg.utils.locks import exclusive
from realdeg.utils.memory import is_out_of_memory
from realdeg.utils.notebook import Table, html_block
from realdeg.utils.progress import Pace, Ticker, progress_bar
from realdeg.version import __version__

Work = Callable[[LoadedImage, str, Path], Record]
"""Takes an image, its name and the file to write; returns its fields for the manifest, with
``output_size``, the height and width of the output."""


@dataclass(frozen=True)
class Failure:
    """An image that failed.

    Args:
        name: Path of the image, relative to the source folder.
        reason: The reason, as a sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """The outcome for a folder.

    Args:
        folder: The output folder.
        made: Names of the images processed by this run.
        kept: Names of the images that an earlier run processed and whose output is unchanged.
        cropped: Names of the images that were cropped to a size divisible by the scale.
        ignored: Names of files in the source folder that are not images.
        failed: The images that failed.
        noted: Names of the images with remarks (``notes`` in the manifest): the first of several
            pages, CMYK converted to RGB, a damaged colour profile.
    """

    folder: Path
    made: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    cropped: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    noted: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return what :meth:`describe` says."""
        return f"Summary({self.describe()})"

    def _repr_html_(self) -> str:
        """Return the counts, and each failure with its reason, for a notebook."""
        names = ("made", "kept", "cropped", "ignored", "noted")
        return html_block(
            str(self.folder),
            {name: len(listed) for name in names if (listed := getattr(self, name))},
            tables=[Table(("failed", "why"), [(one.name, one.reason) for one in self.failed])],
        )

    @property
    def ok(self) -> bool:
        """Whether no image failed."""
        return not self.failed

    def describe(self) -> str:
        """Return the summary as text, with one failure per line."""
        lines = [f"{self.folder}: {len(self.made)} made, {len(self.kept)} kept"]
        if self.cropped:
            lines.append(f"{len(self.cropped)} cropped to a divisible size: {_few(self.cropped)}")
        if self.ignored:
            lines.append(f"{len(self.ignored)} files are not images: {_few(self.ignored)}")
        if self.noted:
            lines.append(f"{len(self.noted)} with notes in the manifest: {_few(self.noted)}")
        if self.failed:
            lines.append(f"{len(self.failed)} FAILED:")
            lines += [f"  {failure.name}: {failure.reason}" for failure in self.failed]
        return "\n".join(lines)


def process_folder(
    src: Photos | Inputs,
    dst: str | os.PathLike[str],
    work: Work,
    settings: Mapping[str, Any],
    *,
    overwrite: bool = False,
    progress: bool = True,
    title: str = "images",
    jobs: int = 1,
    threads: int | None = None,
    reading: Reading | None = None,
    saving: Saving | None = None,
    ticker: Ticker | None = None,
) -> Summary:
    """Apply ``work`` to every image in ``src`` and write the results to ``dst``.

    Args:
        src: A folder that is searched recursively, or anything else that
            :func:`~realdeg.apis.inputs.find_inputs` takes or returned.
        dst: Output folder, with ``manifest.jsonl``; only one process may work there.
        work: Makes one output.
        settings: What the outputs depend on, as plain data for the manifest's header.
        overwrite: Start again: outputs in the manifest are removed, other files replaced.
        progress: Show a progress bar.
        title: Text of the bar.
        jobs: Worker processes, one thread each; outputs do not depend on their number.
        threads: Number of threads, unless the folder was started with another number; None: one
            if there are several jobs, or else torch's setting.
        reading: How images are read; also stored in the manifest's header.
        saving: How outputs are named and in which format ``work`` finds their names; likewise
            stored. None: PNG files.
        ticker: How ``work`` tells what share of an image is done; shown with one job.

    Returns:
        The outcome for each image.

    Raises:
        DataError: If there is no image, two have the same name, or one folder contains the other.
        ConfigError: If ``dst`` was started with other settings.
        OutputError: If ``dst`` cannot be written, or another process is working there.
    """
    target, saving = Path(dst), saving or Saving()
    saving.check_quality(saving.format)
    check_jobs(jobs)
    inputs = src if isinstance(src, Inputs) else find_inputs(src)
    inputs.check_apart(target)
    names = list(inputs.files)
    ensure_writable_dir(target)
    if threads is None:
        threads = 1 if jobs > 1 else torch.get_num_threads()
    with exclusive(target, f"{title} run"):
        remove_left_overs(target, below=True)
        versions = {"realdeg": __version__, "torch": torch.__version__}
        reading = reading or Reading()
        header = {**settings, **reading.settings(), **saving.settings(), "versions": versions}
        header["threads"] = threads
        manifest = Manifest(target, header, overwrite=overwrite)
        # Sums depend on how they are split among threads, so the first run's number is kept.
        threads = manifest.threads
        _clean(target, manifest)
        folder = _Folder(inputs.files, target, manifest, work, overwrite, reading, saving)
        for name, reason in inputs.refused.items():
            folder.fail(name, reason)
        if inputs.whole is not None:
            for name in sorted(manifest.records.keys() - set(names)):
                reason = f"it is recorded in {manifest.path} but no longer in {inputs.whole}"
                folder.fail(name, f"{reason}: put it back, or {start_again()}.")
        with threads_of_torch(threads):
            # Multi-threaded processes cannot be forked.
            jobs = jobs if threads == 1 else 1
            folder.run(names, title, progress, jobs, ticker or Ticker())
        remove_left_overs(target, below=True)
        manifest.finish()
    return Summary(
        target,
        tuple(sorted(folder.made)),
        tuple(sorted(folder.kept)),
        tuple(n for n in names if manifest.records.get(n, {}).get("cropped")),
        tuple(inputs.ignored),
        tuple(Failure(name, folder.failed[name]) for name in sorted(folder.failed)),
        tuple(n for n in names if manifest.records.get(n, {}).get("notes")),
    )


@dataclass(frozen=True)
class _Outcome:
    """The outcome for one image: its new record, the reason of its failure, or neither if kept."""

    record: Record | None = None
    reason: str | None = None


class _Folder:
    """One run over a folder."""

    def __init__(
        self,
        files: Mapping[str, Path],
        target: Path,
        manifest: Manifest,
        work: Work,
        overwrite: bool,
        reading: Reading,
        saving: Saving,
    ) -> None:
        self.files, self.target, self.manifest = files, target, manifest
        self.work, self.overwrite, self.reading, self.saving = work, overwrite, reading, saving
        self.outputs: dict[str, str] = {}
        self.made: list[str] = []
        self.kept: list[str] = []
        self.failed: dict[str, str] = {}

    def fail(self, name: str, reason: str) -> None:
        """Record that an image failed."""
        self.failed.setdefault(name, reason)

    def run(
        self, names: Sequence[str], title: str, progress: bool, jobs: int, ticker: Ticker
    ) -> None:
        """Process, keep or refuse every image."""
        fixed = {name: record["output"] for name, record in self.manifest.records.items()}
        self.outputs = self.saving.plan(names, fixed)
        pace = Pace({name: _megapixels(self.files[name]) for name in names} if progress else {})
        with progress_bar(title, len(names), shown=progress, left=False) as advance:
            number = 0
            if jobs == 1:  # other processes cannot draw here
                ticker.show = lambda name, share: advance(number, note=pace.note(name, share))
            done = process_items(names, self.process, jobs)
            for number, (name, outcome) in enumerate(done, start=1):
                if isinstance(outcome, WorkerDiedError):
                    self.fail(name, str(outcome))
                elif outcome.reason is not None:
                    self.fail(name, outcome.reason)
                elif outcome.record is None:
                    self.kept.append(name)
                else:
                    self.manifest.append(outcome.record)
                    self.made.append(name)
                pace.finish(name, counts=self.made[-1:] == [name])
                advance(number, note=pace.note())

    def process(self, name: str) -> _Outcome:
        """Process, keep or refuse one image."""
        try:
            output = self.outputs.get(name)
            if output is None:
                raise DataError("its output would have the name of another output: rename it.")
            if self._is_done(name, output):
                return _Outcome()
            return _Outcome(record=self._make(name, output))
        except Exception as error:
            reason = why_failed(error)
            if reason is None:
                raise
            return _Outcome(reason=reason)

    def _is_done(self, name: str, output: str) -> bool:
        record = self.manifest.records.get(name)
        if record is None:
            return False
        if _digest(self.files[name]) != record["source_sha256"]:
            raise DataError(
                f"it has changed since {output} was made from it: put the former file back, or"
                f" {start_again()}."
            )
        file = path_inside(self.target, output)
        if not os.path.lexists(file):
            return False
        if file.is_symlink() or _digest(file) != record["output_sha256"]:
            raise DataError(
                f"its output {file} was changed after it was written: delete that file to have it"
                " made again."
            )
        return True

    def _make(self, name: str, output: str) -> Record:
        file = path_inside(self.target, output)
        digest = _digest(self.files[name])
        image = self.reading.load(self.files[name])
        if os.path.lexists(file) and not self.overwrite:
            with atomic_path(file) as temporary:
                notes = self.work(image, name, temporary)
                made = sha256_file(temporary)
                # A run killed between writing and recording an image left an equal file.
                if not _is_same(file, made):
                    raise DataError(
                        f"{file} is already there and was not made by this run: move it away, or"
                        f" replace it with {as_given(overwrite=True)}."
                    )
        else:
            notes = self.work(image, name, file)
            made = sha256_file(file)
        return {
            "record": "image",
            "name": name,
            "output": output,
            "source_sha256": digest,
            "output_sha256": made,
            "source_size": list(image.pixels.shape[:2]),
            "channels": int(image.pixels.shape[2]),
            "bits": image.pixels.dtype.itemsize * 8,
            **({"notes": list(image.notes)} if image.notes else {}),
            **notes,
        }


def why_failed(error: Exception) -> str | None:
    """Return why one image failed, or None if the error concerns the run: a full disk, a bug."""
    if isinstance(error, DataError | GeometryError):
        return str(error)
    if isinstance(error, OutputError | OSError) and concerns_one_file(error):
        return str(error)
    if is_out_of_memory(error):
        return f"memory ran out: {first_line(error)}"
    return None


def _megapixels(file: Path) -> float:
    """Return the size of an image by its header; 0 if that cannot be read."""
    try:
        height, width = image_size(file)
    except DataError:
        return 0.0
    return height * width / 1e6


def _clean(target: Path, manifest: Manifest) -> None:
    """Remove the outputs of earlier runs on a fresh start, if they match the manifest."""
    for record in manifest.discarded.values():
        try:
            file = path_inside(target, record["output"])
            if not file.is_symlink() and sha256_file(file) == record["output_sha256"]:
                file.unlink()
        except (OSError, DataError):  # missing, or not ours
            continue


def _digest(file: Path) -> str:
    try:
        return sha256_file(file)
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}.") from error


def _is_same(file: Path, digest: str) -> bool:
    try:
        return not file.is_symlink() and sha256_file(file) == digest
    except OSError:
        return False


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
