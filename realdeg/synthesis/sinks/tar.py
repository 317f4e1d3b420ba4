"""Tar shards as WebDataset reads them: ``key.hr.png``, ``key.lr.png`` and ``key.json``."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from realdeg.errors import DataError
from realdeg.synthesis.archives import members, read_member
from realdeg.synthesis.entries import Entry
from realdeg.synthesis.placing import Placing
from realdeg.synthesis.samples import Row, Sample, line_of
from realdeg.synthesis.sinks.base import Sink, Stored
from realdeg.utils.files import path_inside


class TarSink(Sink):
    """One tar file per shard. Owners and times are zero, so equal samples give equal bytes."""

    name = "tar"

    def output(self, shard: int, sample: Sample) -> str:
        """Return the file that a sample goes to; see :class:`Sink`."""
        return self.files(shard)[0]

    def files(self, shard: int) -> Sequence[str]:
        """Return the tar file of a shard."""
        return (f"shard-{shard:06d}.tar",)

    def write(self, shard: int, samples: Iterable[Sample], placing: Placing) -> None:
        """Write a shard's files; see :class:`Sink`."""
        with placing.file(self.files(shard)[0]) as temporary:
            with tarfile.open(
                temporary, "w", format=tarfile.GNU_FORMAT, encoding="utf-8"
            ) as archive:
                for sample in samples:
                    if sample.hr is not None:
                        _add(archive, f"{sample.key}.hr.png", sample.hr)
                    _add(archive, f"{sample.key}.lr.png", sample.lr)
                    _add(archive, f"{sample.key}.json", line_of(sample.row))

    def read(self, root: Path, shard: int, rows: Sequence[Row]) -> Iterator[tuple[Row, Stored]]:
        """Read samples again; see :class:`Sink`."""
        file = str(path_inside(root, self.files(shard)[0]))
        places: dict[str, Entry] = {}
        try:
            for name, position, size in members(file):
                places[name] = Entry(name, file, position, size)
        except DataError:
            if not places:  # of a damaged file, the members before the damage
                raise
        for row in rows:
            names = [f"{row['key']}.hr.png"] if "hr_sha256" in row else []
            names.append(f"{row['key']}.lr.png")
            if all(name in places for name in names):
                found = [read_member(places[name]) for name in names]
                yield row, (found[0] if len(found) > 1 else None, found[-1])


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
