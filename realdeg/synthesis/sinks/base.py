"""What a format of data sets does: write a shard, and read it again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from realdeg.synthesis.placing import Placing
from realdeg.synthesis.samples import Row, Sample

Stored = tuple[bytes | None, bytes]
"""The bytes of an HR image, or None, and those of its LR image."""


class Sink(ABC):
    """Writes the samples of a shard into files.

    The files depend on the samples alone, and end whole or not at all.
    """

    name: ClassVar[str]
    recorded: ClassVar[bool] = True
    """Whether a shard's record lists files of many samples; or else each row is a file."""

    def versions(self) -> dict[str, str]:
        """Return the versions of packages that the files' bytes depend on."""
        return {}

    @abstractmethod
    def output(self, shard: int, sample: Sample) -> str:
        """Return the file that a sample goes to, relative to the data set."""

    @abstractmethod
    def write(self, shard: int, samples: Iterable[Sample], placing: Placing) -> None:
        """Write a shard's files.

        Args:
            shard: Its number.
            samples: Its samples in order, with ``output`` in their rows.
            placing: Where files go.

        Raises:
            DataError: If another file is in the place of one.
            OutputError: If a file cannot be written.
        """

    @abstractmethod
    def files(self, shard: int) -> Sequence[str]:
        """Return the names of a shard's files, for sinks that are ``recorded``."""

    @abstractmethod
    def read(self, root: Path, shard: int, rows: Sequence[Row]) -> Iterator[tuple[Row, Stored]]:
        """Read samples again.

        Args:
            root: The folder of the data set.
            shard: The shard's number.
            rows: Rows of its record, in its order.

        Yields:
            Each row with its images; a sample that is not there any more is left out.

        Raises:
            DataError: If a file cannot be read.
        """
