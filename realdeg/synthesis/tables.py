"""Images in Parquet files, those of Hugging Face ``datasets`` among them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from realdeg.errors import DataError, RealdegError, as_given, first_line
from realdeg.synthesis.entries import Entry, in_order
from realdeg.synthesis.stores import opened
from realdeg.utils.extras import needed
from realdeg.utils.image import largest_image_file
from realdeg.utils.memory import is_out_of_memory

_KEYS = ("key", "__key__", "name", "file_name", "id")
# All images of a row group are read at once; without threads, since a loader forks afterwards.
_LARGEST_GROUP = 1 << 32


class ParquetSource:
    """The images in Parquet files.

    A column of images holds bytes, or ``{bytes, path}`` as ``datasets`` writes it. Names are those
    of the key column, or else the paths, or else the file's name and the number of the row.

    Args:
        places: Paths or addresses of the files.
        field: The column of images; None: the only one there is.
        key: The column of names; None: ``key``, ``__key__``, ``name``, ``file_name`` or ``id`` if
            there is one.

    Raises:
        ConfigError: If pyarrow is not installed.
        DataError: If a file cannot be read, or the columns cannot be told.
    """

    ignored: Sequence[str] = ()

    def __init__(
        self, places: Sequence[str], field: str | None = None, key: str | None = None
    ) -> None:
        needed("pyarrow", "parquet", "a Parquet file")
        self.refused: dict[str, str] = {}
        self._columns: dict[str, tuple[str, bool]] = {}
        self._kept: tuple[str, int, Any] | None = None
        found: list[Entry] = []
        for place in places:
            with parquet_file(place) as file:
                schema = file.schema_arrow
                column, nested = _image_column(schema, field, place)
                self._columns[place] = (column, nested)
                names = _names(file, schema, column, nested, key, place)
            found += [Entry(name, place, row) for row, name in enumerate(names)]
        self.entries = in_order(found)
        if not found:
            raise DataError(f"{places[0] if places else 'an empty list'} holds no rows.")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the row group that is kept."""
        return {**self.__dict__, "_kept": None}

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of an image's file; see :class:`Source`."""
        content = self._cell(entry)
        if content is None:
            raise DataError(f"row {entry.position} of {entry.place} holds no bytes of an image.")
        size = content.as_buffer().size
        if size > largest_image_file():
            raise DataError(
                f"row {entry.position} of {entry.place} has {size} bytes, more than any image"
                " within the limit of pixels."
            )
        return bytes(content.as_py())

    def _cell(self, entry: Entry) -> Any:
        column, nested = self._columns[entry.place]
        kept = self._kept
        if (
            kept is None
            or kept[0] != entry.place
            or not 0 <= entry.position - kept[1] < len(kept[2])
        ):
            self._kept = None  # not two row groups in memory
            with parquet_file(entry.place) as file:
                kept = self._kept = (entry.place, *_group(file, entry, column))
        cell = kept[2][entry.position - kept[1]]
        if nested:
            cell = cell["bytes"] if cell.is_valid else cell
        return cell if cell.is_valid else None


def _group(file: Any, entry: Entry, column: str) -> tuple[int, Any]:
    """Return the first row and the images of the row group that an entry lies in."""
    first = 0
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        if entry.position < first + group.num_rows:
            parts = [group.column(n) for n in range(group.num_columns)]
            size = sum(
                part.total_uncompressed_size
                for part in parts
                if part.path_in_schema.partition(".")[0] == column
            )
            if size > _LARGEST_GROUP:
                raise _large_group(number, entry.place, size)
            return first, _images(file, number, column, entry.place)
        first += group.num_rows
    raise DataError(f"{entry.place} has no row {entry.position} any more.")


def _images(file: Any, number: int, column: str, place: str) -> Any:
    """Return the images of a row group, read one by one.

    One image in the file may stand for all rows, so the file does not state how large they are.
    """
    arrow = needed("pyarrow", "parquet", "a Parquet file")
    images, size = [], 0
    for batch in file.iter_batches(1, [number], [column], use_threads=False):
        images.append(batch.column(0))
        size += batch.nbytes
        if size > _LARGEST_GROUP:
            raise _large_group(number, place, f"more than {_LARGEST_GROUP}")
    return arrow.chunked_array(images)


def _large_group(number: int, place: str, size: object) -> DataError:
    return DataError(
        f"row group {number} of {place} has {size} bytes of images, at most {_LARGEST_GROUP} are"
        " read: write the file with smaller row groups."
    )


def _image_column(schema: Any, field: str | None, place: str) -> tuple[str, bool]:
    """Return the column of images, and whether it has ``bytes`` and ``path``."""
    fitting = {
        name: nested for name in schema.names if (nested := _holds(schema, name)) is not None
    }
    if field is not None and field in fitting:
        return field, fitting[field]
    listed = ", ".join(fitting) or "none"
    if field is not None:
        raise DataError(
            f"{place} has no column of bytes {field!r:.60}; columns of bytes: {listed}."
        )
    if len(fitting) != 1:
        raise DataError(
            f"{place} has {len(fitting)} columns of bytes ({listed}): say which holds the images"
            f" with {as_given(field=('NAME',))}."
        )
    return next(iter(fitting.items()))


def _holds(schema: Any, name: str) -> bool | None:
    """Return whether images lie one level deeper, or None if the column holds none."""
    types = needed("pyarrow", "parquet", "a Parquet file").types
    kind = schema.field(name).type
    if types.is_binary(kind) or types.is_large_binary(kind):
        return False
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        inner = kind.field("bytes").type
        return True if types.is_binary(inner) or types.is_large_binary(inner) else None
    return None


def _names(
    file: Any, schema: Any, column: str, nested: bool, key: str | None, place: str
) -> list[str]:
    if key is not None and key not in schema.names:
        listed = ", ".join(schema.names)
        raise DataError(f"{place} has no column {key!r:.60} of names; its columns: {listed}.")
    key = key or next((name for name in _KEYS if name in schema.names), None)
    if key is not None:
        values = file.read([key], use_threads=False).column(0).to_pylist()
        if not all(isinstance(value, str | int) for value in values):
            raise DataError(
                f"the column {key} of {place} has something else than texts and numbers: choose"
                f" another one with {as_given(key=('NAME',))}."
            )
        return [str(value) for value in values]
    count = int(file.metadata.num_rows)
    if nested and schema.field(column).type.get_field_index("path") >= 0:
        paths = file.read([f"{column}.path"], use_threads=False).column(0).combine_chunks()
        values = paths.field("path").to_pylist()
        if all(isinstance(value, str) and value for value in values) and len(set(values)) == count:
            return [value.lstrip("/") for value in values]
    stem = os.path.splitext(os.path.basename(place))[0]
    return [f"{stem}/{row:09d}" for row in range(count)]


@contextmanager
def parquet_file(place: str) -> Iterator[Any]:
    """Open a Parquet file by path or address.

    Yields:
        A ``pyarrow.parquet.ParquetFile``.

    Raises:
        ConfigError: If pyarrow is not installed.
        DataError: If it cannot be read, in the block as well.
    """
    parquet = needed("pyarrow.parquet", "parquet", "a Parquet file")
    with opened(place) as stream:
        try:
            with parquet.ParquetFile(stream) as file:
                # Rows of nothing take no bytes, so a small file may state any number of them.
                if file.metadata.num_rows > (most := stream.seek(0, os.SEEK_END)):
                    raise DataError(
                        f"{place} states {file.metadata.num_rows} rows in {most} bytes, too few for"
                        " as many images."
                    )
                yield file
        except RealdegError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise DataError(
                f"cannot read the Parquet file {place}: {first_line(error).rstrip('.')}."
            ) from error
