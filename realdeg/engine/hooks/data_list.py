"""Record which files a run learns from, and say on resume what has changed in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch.utils.data import Dataset

from realdeg.engine.state import unwrapped
from realdeg.errors import DataError
from realdeg.registry import HOOKS
from realdeg.utils.files import atomic_path, open_regular
from realdeg.utils.image import ImageFile, StoredImage, sha256_of, state_of
from realdeg.utils.mmengine_internals import is_resuming

LIST = "data_list.tsv"
"""The file in the work dir: one line per image, in the order of the data set."""

_LARGEST_LIST = 1 << 30
_NAMED = 3


@dataclass(frozen=True)
class _File:
    """One image file: its name, its size in bytes, and its time or hash."""

    name: str
    size: int
    state: str

    def line(self) -> str:
        return f"{self.name}\t{self.size}\t{self.state}\n"


@HOOKS.register_module()
class DataListHook(Hook):
    """Records names, sizes and times of the training files, and compares them on resume.

    A checkpoint holds their number and a hash, and ``data_list.tsv`` in the work dir lists them, in
    the order of the data set, from which the sampler draws. A resumed run says how many files were
    added, are gone, or differ, and names some; it goes on, as with any changed setting. A copied
    data set has other times and the same sizes, which is said as well, as sizes prove little:
    ``contents=True`` hashes the files instead, and reads all of them once at the start. A frozen
    degradation that makes LR is recorded by its hash. An image in a tar file, table or database has
    the time of that file, so that an edit of one of its images shows as another time of all.

    ``default_hooks.data_list=None`` leaves all this out.

    Args:
        contents: Whether contents are hashed instead of noting times.
    """

    priority = "LOW"

    def __init__(self, contents: bool = False) -> None:
        self.contents = contents
        self._files: list[_File] = []
        self._record: dict[str, Any] = {}

    def before_run(self, runner: Any) -> None:
        """Look at the files; only the first process does."""
        if not (runner.training and is_main_process()):
            return
        self._files = list(self._of(runner.train_loop.dataloader.dataset, ""))
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(file.line().encode("utf-8", "surrogateescape"))
        self._record = {
            "files": len(self._files),
            "bytes": sum(file.size for file in self._files),
            "by": "contents" if self.contents else "times",
            "sha256": digest.hexdigest(),
        }
        degradation = _frozen_degradation(runner)
        if degradation is not None:
            self._record["degradation"] = degradation

    def after_load_checkpoint(self, runner: Any, checkpoint: Mapping[str, Any]) -> None:
        """Compare with the files that the checkpoint learned from, if the run is resumed."""
        former = checkpoint.get("data_list")
        if not (self._record and is_resuming(runner) and isinstance(former, Mapping)):
            return
        lines = list(self._changes(Path(runner.work_dir) / LIST, former))
        for line in lines:
            runner.logger.warning("the training data changed since: %s", line)

    def before_train(self, runner: Any) -> None:
        """Write the list, which then is that of the checkpoints to come."""
        path = Path(runner.work_dir) / LIST
        if not (self._record and self._files) or _read(path, self._record) is not None:
            return
        with atomic_path(path) as temporary:
            with temporary.open("w", encoding="utf-8", errors="surrogateescape") as stream:
                stream.writelines(file.line() for file in self._files)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the record into the checkpoint."""
        if self._record:
            checkpoint["data_list"] = dict(self._record)

    def _of(self, dataset: Any, place: str) -> Iterator[_File]:
        """Yield the files of a data set and of those in it."""
        records = getattr(dataset, "records", None)
        if records is not None:
            label = f"{place}{getattr(dataset, 'label', type(dataset).__name__)}"
            for record in records:
                for side in ("hr", "lr"):
                    path = getattr(record, side, None)
                    if path is not None:
                        yield self._facts(f"{label}/{record.key} {side}", _image_file(path))
            return
        for name, value in vars(dataset).items():
            parts = value if isinstance(value, list | tuple) else [value]
            for number, part in enumerate(parts):
                if isinstance(part, Dataset):
                    where = f"{name}[{number}]" if parts is value else name
                    yield from self._of(part, f"{place}{where}.")

    def _facts(self, name: str, path: ImageFile) -> _File:
        try:
            size, state = state_of(path)
            if self.contents:
                state = sha256_of(path)
        except (DataError, OSError):  # reading it will say what is wrong
            return _File(_one_line(name), 0, "unreadable")
        return _File(_one_line(name), size, state)

    def _changes(self, path: Path, former: Mapping[str, Any]) -> Iterator[str]:
        made = former.get("degradation")
        if made != self._record.get("degradation"):
            yield f"LR is made by {self._record.get('degradation')}, was made by {made}"
        if former.get("sha256") == self._record["sha256"]:
            return
        listed = _read(path, former)
        if listed is None:
            yield (
                f"{self._record['files']} files of {self._record['bytes']} bytes in all, were"
                f" {former.get('files')} of {former.get('bytes')}"
            )
            return
        old, new = ({file.name: file for file in files} for files in (listed, self._files))
        added, gone = ([n for n in a if n not in b] for a, b in ((new, old), (old, new)))
        both = [name for name in new if name in old]
        sizes = [name for name in both if new[name].size != old[name].size]
        alike = former.get("by") == self._record["by"]
        states = [
            name
            for name in both
            if alike and new[name].size == old[name].size and new[name].state != old[name].state
        ]
        if added:
            yield f"{_count(added)} added ({_few(added)})"
        if gone:
            yield f"{_count(gone)} gone ({_few(gone)})"
        if sizes:
            yield f"{_count(sizes)} of another size ({_few(sizes)})"
        if states and self.contents:
            yield f"{_count(states)} with other contents ({_few(states)})"
        elif states:
            yield (
                f"{_count(states)} with another time and the same size ({_few(states)}): copied, or"
                " edited. default_hooks.data_list.contents=True compares contents instead"
            )
        if not (added or gone or sizes or states):
            reason = "their order" if alike else "how they are compared"
            yield f"{reason} and no file"


def _image_file(path: Any) -> ImageFile:
    """Return what a record names, in which data sets of others may have texts."""
    return path if isinstance(path, StoredImage) else Path(path)


def _frozen_degradation(runner: Any) -> str | None:
    """Return what makes LR, where it is given rather than trained."""
    task: Any = unwrapped(runner.model)
    degradation: Any = getattr(task, "degradation", None)
    if getattr(task, "component", None) == "degradation" or not hasattr(degradation, "hash"):
        return None
    if any(parameter.requires_grad for parameter in degradation.parameters()):
        return None
    return f"{type(degradation).__name__} {degradation.hash()}"


def _read(path: Path, former: Mapping[str, Any]) -> list[_File] | None:
    """Read the list of the checkpoint's run; None if it is not there any more."""
    try:
        with open_regular(path) as stream:
            content = stream.read(_LARGEST_LIST + 1)
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != former.get("sha256"):
        return None
    files = []
    try:
        for line in content.decode("utf-8", "surrogateescape").split("\n")[:-1]:
            name, size, state = line.split("\t")
            files.append(_File(name, int(size), state))
    except ValueError:  # another program's file, whose hash the checkpoint repeats
        return None
    return files


def _one_line(name: str) -> str:
    return "".join(" " if character in "\t\n\r" else character for character in name)


def _count(names: list[str]) -> str:
    return f"{len(names)} file{'' if len(names) == 1 else 's'}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
