"""Parquet shards whose images ``datasets`` shows as images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from realdeg.synthesis.placing import Placing
from realdeg.synthesis.samples import Row, Sample, line_of
from realdeg.synthesis.sinks.base import Sink, Stored
from realdeg.synthesis.tables import parquet_file
from realdeg.utils.extras import needed
from realdeg.utils.files import path_inside

# A row group is read at once, so it stays small; by bytes of images and by rows.
_GROUP_BYTES, _GROUP_ROWS = 1 << 25, 1000
_WHAT = "a data set in Parquet"


class ParquetSink(Sink):
    """One Parquet file per shard with the columns ``key``, ``hr``, ``lr`` and ``json``.

    Images are ``{bytes, path}``, and the schema names them as images of ``datasets``.

    Raises:
        ConfigError: If pyarrow is not installed.
    """

    name = "parquet"

    def __init__(self) -> None:
        needed("pyarrow", "parquet", _WHAT)

    def versions(self) -> dict[str, str]:
        """Return the version of pyarrow, which is stored in the files."""
        return {"pyarrow": str(needed("pyarrow", "parquet", _WHAT).__version__)}

    def output(self, shard: int, sample: Sample) -> str:
        """Return the file that a sample goes to; see :class:`Sink`."""
        return self.files(shard)[0]

    def files(self, shard: int) -> Sequence[str]:
        """Return the Parquet file of a shard."""
        return (f"shard-{shard:06d}.parquet",)

    def write(self, shard: int, samples: Iterable[Sample], placing: Placing) -> None:
        """Write a shard's files; see :class:`Sink`."""
        arrow = needed("pyarrow", "parquet", _WHAT)
        parquet = needed("pyarrow.parquet", "parquet", _WHAT)
        writer: Any = None
        waiting: list[dict[str, Any]] = []
        size = 0
        with placing.file(self.files(shard)[0]) as temporary:
            try:
                for sample in samples:
                    schema = _schema(arrow, sample.hr is not None)
                    writer = writer or _writer(parquet, temporary, schema)
                    waiting.append(_cells(sample))
                    size += len(sample.lr) + len(sample.hr or b"")
                    if size >= _GROUP_BYTES or len(waiting) >= _GROUP_ROWS:
                        writer.write_table(arrow.Table.from_pylist(waiting, schema))
                        waiting, size = [], 0
                if writer is None:  # a shard whose images all failed
                    schema = _schema(arrow, True)
                    writer = _writer(parquet, temporary, schema)
                if waiting:
                    writer.write_table(arrow.Table.from_pylist(waiting, schema))
            finally:
                if writer is not None:
                    writer.close()

    def read(self, root: Path, shard: int, rows: Sequence[Row]) -> Iterator[tuple[Row, Stored]]:
        """Read samples again; see :class:`Sink`."""
        wanted = {row["key"]: row for row in rows}
        with parquet_file(str(path_inside(root, self.files(shard)[0]))) as file:
            columns = [name for name in ("key", "hr", "lr") if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=16, columns=columns):
                for cells in batch.to_pylist():
                    row = wanted.get(cells["key"])
                    if row is not None:
                        hr = cells.get("hr")
                        yield row, (None if hr is None else hr["bytes"], cells["lr"]["bytes"])


def _schema(arrow: Any, with_hr: bool) -> Any:
    image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    names = ["hr", "lr"] if with_hr else ["lr"]
    features: dict[str, Any] = {name: {"_type": "Image"} for name in names}
    for name in ("key", "json"):
        features[name] = {"dtype": "string", "_type": "Value"}
    fields = [("key", arrow.string()), *((name, image) for name in names)]
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    return arrow.schema([*fields, ("json", arrow.string())], metadata=told)


def _writer(parquet: Any, file: Path, schema: Any) -> Any:
    # Images are compressed already.
    return parquet.ParquetWriter(file, schema, compression={"key": "zstd", "json": "zstd"})


def _cells(sample: Sample) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "key": sample.key,
        "lr": {"bytes": sample.lr, "path": f"{sample.key}.lr.png"},
        "json": line_of(sample.row).decode(),
    }
    if sample.hr is not None:
        cells["hr"] = {"bytes": sample.hr, "path": f"{sample.key}.hr.png"}
    return cells
