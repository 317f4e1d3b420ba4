"""``manifest.jsonl``: a header with the settings of a folder, then one line per image.

Lines are appended and flushed to disk as images finish, so a killed run loses at most the current
image. A truncated last line is dropped; the rest is checked against the files before anything is
kept. A manifest may come from anywhere, so it is validated before any file is touched.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from realdeg.apis.saving import Saving
from realdeg.errors import ConfigError, DataError, OutputError, as_given
from realdeg.synthesis.plan import PLAN_NAME, read_plan
from realdeg.utils.files import atomic_path, is_inside, open_regular

MANIFEST_NAME = "manifest.jsonl"
MANIFEST_FORMAT = 1
# The number of threads is read from the manifest, not compared: see `folder.py`.
_NOT_COMPARED = ("threads",)
# A line has a trace with small arrays; a million images make a gigabyte.
_LONGEST_LINE = 1 << 26
_LARGEST_FILE = 1 << 32
_DEEPEST = 200
_SHA256 = re.compile(r"[0-9a-f]{64}")

Record = dict[str, Any]


def read_manifest(path: str | os.PathLike[str]) -> tuple[Record, dict[str, Record]]:
    """Read a manifest.

    Args:
        path: The ``manifest.jsonl`` or its folder.

    Returns:
        The header, and the records by the name of the source image, in the order of the file. The
        last record of an image counts.

    Raises:
        DataError: If it is missing, or a line other than a truncated last one is damaged.
    """
    file = Path(path)
    try:
        file = file / MANIFEST_NAME if file.is_dir() else file
        records, _ = _read(file)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read the manifest {file}: {reason}.") from error
    if not records:
        raise DataError(f"the manifest {file} is empty.")
    number = records[0].get("format")
    if number != MANIFEST_FORMAT:
        raise DataError(
            f"the manifest {file} has format {number!r:.40}; this release reads {MANIFEST_FORMAT}."
        )
    return records[0], {record["name"]: record for record in records[1:]}


class Manifest:
    """The manifest of a folder that is being processed.

    Args:
        folder: The output folder.
        settings: What the outputs depend on, as plain data.
        overwrite: Start again and discard an earlier manifest.

    Raises:
        ConfigError: If the folder was started with other settings, or holds a data set in shards.
        DataError: If its manifest is damaged.
        OutputError: If it cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        self.path = folder / MANIFEST_NAME
        _refuse_shards(folder)
        fresh = {"record": "header", "format": MANIFEST_FORMAT, **settings}
        # Through JSON and back, so that tuples compare equal to what is read from the file.
        self.header: Record = json.loads(_line(fresh))
        self.records: dict[str, Record] = {}
        self.discarded: dict[str, Record] = {}
        if self._there():
            try:
                header, records = self._continue()
            except DataError:
                if not overwrite:
                    raise
                header, records = {}, {}
            if header and not overwrite:
                self._compare(header)
                self.header, self.records = header, records
                return
            self.discarded = records
        self._rewrite()

    @property
    def threads(self) -> int:
        """The number of threads of the first run.

        Raises:
            DataError: If the manifest has no valid number, or more than this machine can start.
        """
        number, most = self.header.get("threads"), max(64, 4 * (os.cpu_count() or 1))
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
            raise DataError(
                f"the manifest {self.path} states that it was started with {number!r:.40} threads,"
                f" which is not a number from 1 to {most}: restore the file as it was written, or"
                f" {start_again()}."
            )
        return number

    def append(self, record: Record) -> None:
        """Add the record of a finished image; it is on disk when this returns."""
        self.records[record["name"]] = record
        try:
            # Never through a link, and never blocking on a pipe.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            with os.fdopen(os.open(self.path, flags, 0o666), "ab") as stream:
                stream.write(_line(record).encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}. Free some space and run"
                " the same command again: it continues here."
            ) from error

    def finish(self) -> None:
        """Sort the records by name."""
        try:
            with open_regular(self.path) as stream:
                there = stream.read()
        except OSError:
            there = b""
        if there != self._content():
            self._rewrite()

    def _there(self) -> bool:
        """Return whether there is a manifest, and refuse anything else in its place."""
        if not os.path.lexists(self.path):
            return False
        if self.path.is_symlink() or not self.path.is_file():
            kind = "a link" if self.path.is_symlink() else "not a file"
            raise DataError(
                f"{self.path} is {kind}: realdeg writes a manifest there and follows no link out of"
                " the output folder. Move it away."
            )
        return True

    def _continue(self) -> tuple[Record, dict[str, Record]]:
        """Read the earlier manifest, and drop a truncated last line."""
        try:
            records, length = _read(self.path)
            if not records:
                return {}, {}
            if length != self.path.stat().st_size:
                with open_regular(self.path) as stream:
                    whole = stream.read(length)
                with atomic_path(self.path) as temporary:
                    temporary.write_bytes(whole)
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"cannot read the manifest {self.path}: {reason}.") from error
        return read_manifest(self.path)

    def _content(self) -> bytes:
        ordered = [self.records[name] for name in sorted(self.records)]
        return "".join(_line(record) for record in [self.header, *ordered]).encode()

    def _rewrite(self) -> None:
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(self._content())

    def _compare(self, header: Record) -> None:
        before, now = _flat(header), _flat(self.header)
        differing = [
            f"{key} was {before.get(key)!r:.200} and is {now.get(key)!r:.200}"
            for key in sorted(before.keys() | now.keys())
            if key not in _NOT_COMPARED and before.get(key) != now.get(key)
        ]
        if differing:
            more = f" and {len(differing) - 8} more" if len(differing) > 8 else ""
            raise ConfigError(
                f"the folder {self.path.parent} was started with other settings:"
                f" {'; '.join(differing[:8])}{more}. Run with the former ones to continue, choose"
                f" another folder, or {start_again()}."
            )


def _refuse_shards(folder: Path) -> None:
    """Refuse a data set in shards, whose manifest and records another run would contradict."""
    try:
        _, plan, _ = read_plan(folder)
    except DataError:  # there is none, or a file of somebody else
        return
    # One of LR images alone is what this run would make.
    if not plan.plain:
        raise ConfigError(
            f"{folder} holds a data set in shards ({PLAN_NAME}, {as_given(to=plan.to)}): continue"
            " it with the options that it was started with, or choose another folder."
        )


def _read(file: Path) -> tuple[list[Record], int]:
    """Return the records without a truncated last one, and their length in bytes."""
    records: list[Record] = []
    length, doubtful = 0, 0
    saving = Saving()
    for number, line in enumerate(_lines(file), start=1):
        if doubtful:
            break
        record = _parse(line) if line.endswith(b"\n") else None
        if record is None:
            # Truncated, or filled with zeros by a crash of the machine: dropped if it is the last.
            doubtful = number
        elif record.get("record") != ("image" if records else "header"):
            raise _damaged(file, number)
        elif records and not _sound(record, saving):
            raise _damaged(file, number)
        else:
            try:
                saving = saving if records else Saving.of(record)
            except ConfigError as error:
                raise _damaged(file, number) from error
            records.append(record)
            length += len(line)
    else:
        return records, length
    raise _damaged(file, doubtful)


def start_again() -> str:
    """Return the advice of messages about a folder that cannot be continued."""
    return f"start again with {as_given(overwrite=True)}"


def _damaged(file: Path, number: int) -> DataError:
    return DataError(
        f"line {number} of the manifest {file} is damaged: restore the file as it was written, or"
        f" {start_again()}."
    )


def _lines(file: Path) -> Iterator[bytes]:
    with open_regular(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > _LARGEST_FILE:
            raise DataError(
                f"the manifest {file} has {size} bytes, more than any that realdeg writes: restore"
                f" the file as it was written, or {start_again()}."
            )
        number = 1
        while line := stream.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise _damaged(file, number)
            yield line
            number += 1


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


def _parse(line: bytes) -> Record | None:
    try:
        record = json.loads(line, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and _is_flat_enough(record) else None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _is_flat_enough(record: Record) -> bool:
    level: list[Any] = [record]
    for _ in range(_DEEPEST):
        inner = [item.values() if isinstance(item, dict) else item for item in level]
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return True
    return False


def _sound(record: Record, saving: Saving) -> bool:
    """Check the fields that determine which files are read, written and removed."""
    name, output = record.get("name"), record.get("output")
    if not isinstance(name, str) or not isinstance(output, str):
        return False
    digests = (record.get("source_sha256"), record.get("output_sha256"))
    if not all(isinstance(text, str) and _SHA256.fullmatch(text) for text in digests):
        return False
    # A foreign manifest must not name files outside its folder, nor files that no run made.
    return is_inside(name) and output in saving.possible(name)


def _flat(value: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        where = f"{place}.{key}" if place else str(key)
        if isinstance(item, Mapping) and item:
            flat.update(_flat(item, where))
        else:
            flat[where] = item
    return flat
