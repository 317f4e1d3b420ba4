"""Make or keep one shard of a data set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from realdeg.apis.dataset_work import ImageWork
from realdeg.apis.folder import Failure, why_failed
from realdeg.errors import DataError, as_given
from realdeg.synthesis.entries import Entry, Source
from realdeg.synthesis.placing import Placing
from realdeg.synthesis.plan import Plan
from realdeg.synthesis.records import (
    ShardRecord,
    former_files,
    read_record,
    record_path,
    write_record_of,
)
from realdeg.synthesis.samples import Made, Row, Sample, sha256
from realdeg.synthesis.sinks import Sink
from realdeg.utils.files import path_inside, sha256_file
from realdeg.version import __version__


@dataclass
class ShardOutcome:
    """What became of one shard.

    Args:
        made: Names of images whose samples were made.
        kept: Names of images whose samples an earlier run made.
        samples: How many samples the shard holds.
        dropped: How many patches were left out, and images that are smaller than one.
        failed: Images, or files of the shard, and what is wrong.
    """

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    samples: int = 0
    dropped: int = 0
    failed: list[Failure] = field(default_factory=list)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ShardOutcome:
        """Return an outcome from what :func:`dataclasses.asdict` made of it."""
        failed = [Failure(**failure) for failure in plain["failed"]]
        return cls(**{**plain, "failed": failed})


@dataclass(frozen=True)
class ShardMaker:
    """Makes the shards of one data set, each in one process.

    Args:
        root: The folder of the data set.
        plan: How it is cut.
        settings: SHA-256 of its ``dataset.json``.
        source: The images.
        work: What is made of one image.
        sink: Where samples go.
        overwrite: Whether files that no run recorded may be replaced.
    """

    root: Path
    plan: Plan
    settings: str
    source: Source
    work: ImageWork
    sink: Sink
    overwrite: bool = False

    def __call__(self, shard: str) -> ShardOutcome:
        """Make a shard, or keep it if it is done and neither it nor its images have changed.

        Args:
            shard: Its number.

        Raises:
            OutputError: If a file cannot be written.
        """
        number = int(shard)
        entries = [self.source.entries[index] for index in self.plan.span(number)]
        try:
            record = read_record(self.root, number)
            if record is None:
                return self._make(number, entries, None)
            if record.settings != self.settings:
                raise DataError(
                    f"{record_path(self.root, number)} belongs to other settings: move it away."
                )
            outcome, whole = self._check(record, entries)
            if whole:
                return outcome
            return self._make(number, entries, record)
        except Exception as error:
            reason = why_failed(error)
            if reason is None:
                raise
            return ShardOutcome(failed=[Failure(f"shard {number}", reason)])

    def _make(self, number: int, entries: list[Entry], former: ShardRecord | None) -> ShardOutcome:
        outcome, rows = ShardOutcome(), list[Row]()
        placing = Placing(self.root, former_files(former), self.overwrite)
        samples = self._samples(number, entries, outcome, rows)
        self.sink.write(number, samples, placing)
        files = tuple(placing.written) if self.sink.recorded else ()
        write_record_of(self.root, ShardRecord(number, self.settings, files, tuple(rows)))
        return outcome

    def _samples(
        self, number: int, entries: list[Entry], outcome: ShardOutcome, rows: list[Row]
    ) -> Iterator[Sample]:
        """Yield the samples of a shard, and note what became of each image."""
        for entry in entries:
            made, row = self._one(entry)
            if made is None:
                outcome.failed.append(Failure(entry.name, row["reason"]))
                rows.append(row)
                continue
            outcome.made.append(entry.name)
            for sample in made.samples:
                sample.row["output"] = self.sink.output(number, sample)
                rows.append(sample.row)
                outcome.samples += 1
                yield sample
            if made.dropped is not None:
                rows.append(made.dropped)
                outcome.dropped += _count(made.dropped)

    def _one(self, entry: Entry) -> tuple[Made | None, Row]:
        """Return what is made of an image, or None and the row of a failure."""
        digest = None
        try:
            content = self.source.read(entry)
            digest = sha256(content)
            return self.work(entry.name, content), {}
        except Exception as error:
            reason = why_failed(error)
            if reason is None:
                raise
            # With the hash, the image is tried again once it has changed; without it, always.
            tried = None if "memory ran out" in reason else digest
            row = {"record": "failed", "name": entry.name, "source_sha256": tried}
            return None, {**row, "reason": reason}

    def _check(self, record: ShardRecord, entries: list[Entry]) -> tuple[ShardOutcome, bool]:
        """Compare a shard that is done with its files and images; False: it is made again.

        That would replace what was made of an image that has changed, so it is refused then.
        """
        outcome = ShardOutcome(samples=len(record.of_kind("image")))
        outcome.dropped = sum(_count(row) for row in record.of_kind("dropped"))
        whole, refused, tried = True, False, list[Failure]()
        for name, digest in former_files(record).items():
            file = path_inside(self.root, name)
            if not os.path.lexists(file):
                whole = False
            elif file.is_symlink() or sha256_file(file) != digest:
                raise DataError(
                    f"{file} was changed after it was written: delete it to have it made again."
                )
        known = {row["name"]: row for row in record.rows}
        for entry in entries:
            row = known.get(entry.name, {})
            now, reason = self._digest(entry)
            if row.get("record") == "failed":
                again = row["source_sha256"] is None or now != row["source_sha256"]
                why = "it is tried again once the others of its shard are what they were."
                known_why = str(row.get("reason", "")) or "failed."
                tried.append(Failure(entry.name, why if again else known_why))
                whole = whole and not again
            elif now != row.get("source_sha256"):
                changed = (
                    f"it has changed since shard {record.shard} was made from it: put the former"
                    f" file back, or start again with {as_given(overwrite=True)}."
                )
                outcome.failed.append(Failure(entry.name, reason or changed))
                refused = True
            else:
                outcome.kept.append(entry.name)
        outcome.failed += tried
        return outcome, whole or refused

    def _digest(self, entry: Entry) -> tuple[str | None, str | None]:
        """Return an image's SHA-256, or None and why it cannot be read."""
        try:
            return sha256(self.source.read(entry)), None
        except Exception as error:
            reason = why_failed(error)
            if reason is None:
                raise
            return None, reason


def versions_of(sink: Sink) -> dict[str, str]:
    """Return the versions of the packages that the bytes of shards depend on."""
    return {"realdeg": __version__, "torch": torch.__version__, **sink.versions()}


def _count(row: Row) -> int:
    return len(row["flat"]) or 1
