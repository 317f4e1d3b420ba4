"""A data set of image files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from realdeg.synthesis.placing import Placing
from realdeg.synthesis.samples import Row, Sample
from realdeg.synthesis.sinks.base import Sink, Stored
from realdeg.synthesis.stores import read_whole
from realdeg.utils.files import path_inside
from realdeg.utils.image import largest_image_file


class FolderSink(Sink):
    """Image files: ``LR/key.png`` and ``HR/key.png``, or LR alone, named as ``degrade`` does.

    Args:
        outputs: The LR file by the name of the image, where there is nothing but LR images; None:
            two folders.
    """

    name = "folder"
    recorded = False

    def __init__(self, outputs: Mapping[str, str] | None = None) -> None:
        self._outputs = outputs

    def output(self, shard: int, sample: Sample) -> str:
        """Return the file that a sample goes to; see :class:`Sink`."""
        if self._outputs is not None:
            return self._outputs[sample.row["name"]]
        return f"LR/{sample.key}.png"

    def write(self, shard: int, samples: Iterable[Sample], placing: Placing) -> None:
        """Write a shard's files; see :class:`Sink`."""
        for sample in samples:
            if sample.hr is not None:
                placing.content(f"HR/{sample.key}.png", sample.hr)
            placing.content(sample.row["output"], sample.lr)

    def files(self, shard: int) -> Sequence[str]:
        """Return nothing: each row names its own files."""
        return ()

    def read(self, root: Path, shard: int, rows: Sequence[Row]) -> Iterator[tuple[Row, Stored]]:
        """Read samples again; see :class:`Sink`."""
        for row in rows:
            lr = path_inside(root, row["output"])
            hr = path_inside(root, f"HR/{row['key']}.png") if "hr_sha256" in row else None
            if lr.is_file() and (hr is None or hr.is_file()):
                yield row, (None if hr is None else _bytes(hr), _bytes(lr))


def _bytes(file: Path) -> bytes:
    return read_whole(str(file), largest_image_file())
