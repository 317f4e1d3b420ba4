"""``manifest.jsonl``: one line that says how a folder was made, then one line per image.

Lines are appended and flushed to disk as images are finished, so a killed run loses at most the
image it was at. A last line that was cut short is dropped; what remains is checked against the
files before anything is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from realdeg.errors import ConfigError, DataError, OutputError
from realdeg.utils.files import atomic_path

MANIFEST_NAME = "manifest.jsonl"
MANIFEST_FORMAT = 1
# The number of threads is taken over from the manifest, not compared: see `folder.py`.
_NOT_COMPARED = ("threads",)

Record = dict[str, Any]


def read_manifest(path: str | os.PathLike[str]) -> tuple[Record, dict[str, Record]]:
    """Read a manifest.

    Args:
        path: The ``manifest.jsonl`` or the folder that holds it.

    Returns:
        The header, and the images' records by the name of the source image, in the order of the
        file. Of two records of one image the later counts.

    Raises:
        DataError: If there is none, or a line other than a last, cut one is damaged.
    """
    file = Path(path)
    file = file / MANIFEST_NAME if file.is_dir() else file
    try:
        lines, _ = _whole_lines(file.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read the manifest {file}: {error.strerror or error}.") from error
    if not lines:
        raise DataError(f"the manifest {file} is empty.")
    records = []
    for number, line in enumerate(lines, start=1):
        record = _parse(line)
        wanted = "header" if number == 1 else "image"
        if record is None or record.get("record") != wanted or not _sound(record):
            raise DataError(
                f"line {number} of the manifest {file} is damaged: put back the file as it was"
                " written, or make the folder anew with overwrite."
            )
        records.append(record)
    if records[0].get("format") != MANIFEST_FORMAT:
        raise DataError(
            f"the manifest {file} has format {records[0].get('format')!r}, this release reads"
            f" {MANIFEST_FORMAT}."
        )
    return records[0], {record["name"]: record for record in records[1:]}


class Manifest:
    """The manifest of a folder that is being made.

    Args:
        folder: The folder of results.
        settings: What the results depend on; plain data.
        overwrite: Begin anew, whatever an earlier manifest says.

    Raises:
        ConfigError: If the folder was begun with other settings.
        DataError: If its manifest is damaged.
        OutputError: If it cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        self.path = folder / MANIFEST_NAME
        fresh = {"record": "header", "format": MANIFEST_FORMAT, **settings}
        # Through JSON and back, so that tuples compare equal to what is read from the file.
        self.header: Record = json.loads(_line(fresh))
        self.records: dict[str, Record] = {}
        self.discarded: dict[str, Record] = {}
        if self._repair():
            try:
                header, records = read_manifest(self.path)
            except DataError:
                if not overwrite:
                    raise
                header, records = {}, {}
            if not overwrite:
                self._compare(header)
                self.header, self.records = header, records
                return
            self.discarded = records
        self._rewrite()

    def append(self, record: Record) -> None:
        """Add the record of a finished image, on disk before this returns."""
        self.records[record["name"]] = record
        try:
            with open(self.path, "ab") as stream:
                stream.write(_line(record).encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}. Free some space and run"
                " the same command again: it continues here."
            ) from error

    def finish(self) -> None:
        """Bring the records into the order of names, whatever order they came in."""
        if self.path.read_bytes() != self._content():
            self._rewrite()

    def _content(self) -> bytes:
        ordered = [self.records[name] for name in sorted(self.records)]
        return "".join(_line(record) for record in [self.header, *ordered]).encode()

    def _rewrite(self) -> None:
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(self._content())

    def _repair(self) -> bool:
        """Drop a cut last line; return whether a header is left."""
        if not self.path.is_file():
            return False
        content = self.path.read_bytes()
        lines, length = _whole_lines(content)
        if length != len(content) and lines:
            with atomic_path(self.path) as temporary:
                temporary.write_bytes(content[:length])
        return bool(lines)

    def _compare(self, header: Record) -> None:
        before, now = _flat(header), _flat(self.header)
        differing = [
            f"{key} was {before.get(key)!r} and is {now.get(key)!r}"
            for key in sorted(before.keys() | now.keys())
            if key not in _NOT_COMPARED and before.get(key) != now.get(key)
        ]
        if differing:
            raise ConfigError(
                f"the folder {self.path.parent} was begun with other settings:"
                f" {'; '.join(differing)}. Run with the former ones to continue, choose another"
                " folder, or begin anew with overwrite."
            )


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


def _parse(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _sound(record: Record) -> bool:
    """Check the fields that files are read, written and removed by."""
    if record["record"] == "header":
        return True
    texts = [record.get(key) for key in ("name", "output", "source_sha256", "output_sha256")]
    if not all(isinstance(text, str) and text for text in texts):
        return False
    # A manifest from elsewhere must not lead out of its folder.
    output = PurePosixPath(record["output"])
    return not output.is_absolute() and ".." not in output.parts


def _whole_lines(content: bytes) -> tuple[list[bytes], int]:
    """Split into lines, leaving out a cut last one; also the length in bytes of what is kept."""
    length = content.rfind(b"\n") + 1
    lines = content[:length].split(b"\n")[:-1]
    # A crash of the machine may leave a last line of the right length filled with zeros.
    if lines and _parse(lines[-1]) is None:
        length -= len(lines.pop()) + 1
    return lines, length


def _flat(value: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        where = f"{place}.{key}" if place else str(key)
        if isinstance(item, Mapping) and item:
            flat.update(_flat(item, where))
        else:
            flat[where] = item
    return flat
