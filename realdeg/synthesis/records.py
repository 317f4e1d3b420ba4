"""Records of shards: ``manifest/000000.jsonl``, written last, so that a shard with one is done."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from realdeg.errors import DataError
from realdeg.synthesis.placing import Written
from realdeg.synthesis.plan import Plan
from realdeg.synthesis.samples import Row, line_of
from realdeg.utils.files import atomic_path, is_inside, open_regular
from realdeg.utils.plain_json import read_json

FOLDER = "manifest"
_LONGEST_LINE = 1 << 26
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KINDS = ("image", "dropped", "failed")


@dataclass(frozen=True)
class ShardRecord:
    """What is known of a shard that is done.

    Args:
        shard: Its number.
        settings: SHA-256 of the ``dataset.json`` that it was made with.
        files: Its files, for formats that hold many samples in one.
        rows: One per sample (``image``), per image with patches left out (``dropped``) and per
            image that failed (``failed``), in order.
    """

    shard: int
    settings: str
    files: tuple[Written, ...]
    rows: tuple[Row, ...]

    def of_kind(self, kind: str) -> list[Row]:
        """Return the rows of a kind."""
        return [row for row in self.rows if row["record"] == kind]


def record_path(root: Path, shard: int) -> Path:
    """Return where a shard's record is."""
    return root / FOLDER / f"{shard:06d}.jsonl"


def write_record_of(root: Path, record: ShardRecord) -> None:
    """Write a shard's record; from now on the shard is done.

    Raises:
        OutputError: If it cannot be written.
    """
    head = {
        "record": "shard",
        "shard": record.shard,
        "settings": record.settings,
        "files": [asdict(one) for one in record.files],
        "rows": len(record.rows),
    }
    with atomic_path(record_path(root, record.shard)) as temporary:
        with open(temporary, "wb") as stream:
            stream.write(line_of(head))
            stream.writelines(line_of(row) for row in record.rows)


def read_record(root: Path, shard: int) -> ShardRecord | None:
    """Read a shard's record; None if the shard is not done.

    Raises:
        DataError: If it is damaged.
    """
    file = record_path(root, shard)
    if not os.path.lexists(file):
        return None
    lines = _lines(file)
    head = _parsed(next(lines, b""), file, 1)
    rows = [_parsed(line, file, number) for number, line in enumerate(lines, start=2)]
    files, settings = head.get("files"), head.get("settings")
    good = head.get("record") == "shard" and head.get("shard") == shard
    good = good and head.get("rows") == len(rows) and isinstance(settings, str)
    if not good or not isinstance(files, list):
        raise _damaged(file, 1)
    for number, row in enumerate(rows, start=2):
        if not _is_row(row, keyed=bool(files)):
            raise _damaged(file, number)
    return ShardRecord(shard, str(settings), tuple(_file(one, file) for one in files), tuple(rows))


def missing_shards(root: Path, plan: Plan) -> list[int]:
    """Return the shards without a record."""
    try:
        with os.scandir(root / FOLDER) as found:
            names = {one.name for one in found}
    except FileNotFoundError:
        names = set()
    except OSError as error:
        raise DataError(f"cannot read {root / FOLDER}: {error.strerror or error}.") from error
    return [shard for shard in range(plan.shards) if f"{shard:06d}.jsonl" not in names]


def merge_records(
    root: Path, header: Row, plan: Plan, settings: str, target: str
) -> tuple[int, int]:
    """Write the records of all shards into one manifest, in the order of the images' names.

    Args:
        root: The folder of the data set.
        header: The manifest's first line.
        plan: How the data set is cut.
        settings: SHA-256 of ``dataset.json``, which every record must repeat.
        target: Name of the manifest.

    Returns:
        The number of samples and of bytes.

    Raises:
        DataError: If a shard is missing, damaged or of another data set.
        OutputError: If the manifest cannot be written.
    """
    missing = missing_shards(root, plan)
    if missing:
        listed = ", ".join(map(str, missing[:5]))
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(
            f"shards {listed}{more} of {plan.shards} in {root} are not done: run their jobs again,"
            " then merge."
        )
    count = -1  # the header is no sample
    with atomic_path(root / target) as temporary:
        with open(temporary, "wb") as stream:
            for line in merged_lines(root, header, plan, settings):
                stream.write(line)
                count += 1
            size = stream.tell()
    return count, size


def merged_lines(root: Path, header: Row, plan: Plan, settings: str) -> Iterator[bytes]:
    """Yield the lines of the manifest; arguments and errors are those of `merge_records`."""
    yield line_of(header)
    for shard in range(plan.shards):
        yield from _images(root, shard, settings)


def _images(root: Path, shard: int, settings: str) -> Iterator[bytes]:
    """Yield the lines of a shard's samples as they are."""
    file = record_path(root, shard)
    lines = _lines(file)
    head = _parsed(next(lines, b""), file, 1)
    if head.get("shard") != shard or head.get("settings") != settings:
        raise DataError(
            f"{file} belongs to another data set or to other settings: move it away and run its"
            " job again."
        )
    number = 1
    for number, line in enumerate(lines, start=2):
        # As `line_of` writes them; reading a million rows as JSON would take minutes.
        if line.startswith(b'{"record": "image", '):
            yield line
        elif not line.startswith((b'{"record": "dropped", ', b'{"record": "failed", ')):
            raise _damaged(file, number)
    if head.get("rows") != number - 1:
        raise _damaged(file, number)


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with open_regular(file) as stream:
            number = 1
            while line := stream.readline(_LONGEST_LINE):
                if not line.endswith(b"\n"):
                    raise _damaged(file, number)
                yield line
                number += 1
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}.") from error


def _parsed(line: bytes, file: Path, number: int) -> Row:
    text = line.decode(errors="replace")
    row = read_json(text, f"line {number} of {file}", DataError, largest=_LONGEST_LINE)
    if not isinstance(row, dict):
        raise _damaged(file, number)
    return row


def _is_row(row: Row, keyed: bool) -> bool:
    """Return whether a row has what is read of it; of files with many samples, also a key."""
    if row.get("record") not in _KINDS or not isinstance(row.get("name"), str):
        return False
    digests = [row.get(name) for name in ("source_sha256", "output_sha256", "hr_sha256")]
    if not all(one is None or (isinstance(one, str) and _SHA256.fullmatch(one)) for one in digests):
        return False
    if row["record"] == "failed":
        return "source_sha256" in row
    if row["record"] == "dropped":
        return isinstance(row.get("flat"), list)
    if (keyed or "hr_sha256" in row) and "key" not in row:
        return False
    if "crop" in row and not _is_rectangle(row["crop"]):
        return False
    # A foreign record must not name files outside its folder.
    names = [row["name"], row.get("output"), row.get("key", "key")]
    return None not in digests[:2] and all(isinstance(n, str) and is_inside(n) for n in names)


def _is_rectangle(stored: Any) -> bool:
    """Return whether it is top, left, height and width."""
    whole = isinstance(stored, list) and all(type(one) is int and one >= 0 for one in stored)
    return whole and len(stored) == 4


def _file(stored: Any, file: Path) -> Written:
    if isinstance(stored, dict) and stored.keys() == {"name", "sha256", "size"}:
        name, digest, size = stored["name"], stored["sha256"], stored["size"]
        if isinstance(name, str) and is_inside(name) and isinstance(digest, str):
            if _SHA256.fullmatch(digest) and type(size) is int:
                return Written(name, digest, size)
    raise _damaged(file, 1)


def _damaged(file: Path, number: int) -> DataError:
    return DataError(
        f"line {number} of {file} is damaged: move the file away and run the job of its shard"
        " again."
    )


def former_files(record: ShardRecord | None) -> dict[str, str]:
    """Return SHA-256 by name of the files that a record lists, for replacing them."""
    if record is None:
        return {}
    listed = {one.name: one.sha256 for one in record.files}
    for row in record.of_kind("image"):
        if not record.files:
            listed[row["output"]] = row["output_sha256"]
            if "hr_sha256" in row:
                listed[f"HR/{row['key']}.png"] = row["hr_sha256"]
    return listed
