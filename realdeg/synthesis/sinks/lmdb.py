"""LMDB shards as BasicSR reads them: one for HR and one for LR."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from realdeg.errors import DataError, OutputError, first_line
from realdeg.synthesis.databases import DATA, database
from realdeg.synthesis.placing import Placing
from realdeg.synthesis.samples import Row, Sample
from realdeg.synthesis.sinks.base import Sink, Stored
from realdeg.utils.extras import needed
from realdeg.utils.files import path_inside
from realdeg.utils.memory import is_out_of_memory

_WHAT = "a data set in LMDB"
# Address space, not memory: the file grows as needed. It is stored in the file, so it is fixed.
_MAP_SIZE = 1 << 40
_LONGEST_KEY = 511
_COMMIT = 200
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}


class LmdbSink(Sink):
    """Two databases per shard, ``shard-000000_HR.lmdb`` and ``shard-000000_LR.lmdb``.

    Values are the bytes of PNG files by key. ``meta_info.txt`` lists ``key.png (h,w,c) 1``.

    Raises:
        ConfigError: If lmdb is not installed.
    """

    name = "lmdb"

    def __init__(self, hr: bool = True) -> None:
        needed("lmdb", "lmdb", _WHAT)
        self._parts = ("HR", "LR") if hr else ("LR",)

    def versions(self) -> dict[str, str]:
        """Return the version of LMDB."""
        return {"lmdb": ".".join(map(str, needed("lmdb", "lmdb", _WHAT).version()))}

    def output(self, shard: int, sample: Sample) -> str:
        """Return the file that a sample goes to; see :class:`Sink`."""
        return f"shard-{shard:06d}_LR.lmdb/data.mdb"

    def files(self, shard: int) -> Sequence[str]:
        """Return the databases of a shard and their lists."""
        folders = [f"shard-{shard:06d}_{part}.lmdb" for part in self._parts]
        return [f"{one}/{file}" for one in folders for file in ("data.mdb", "meta_info.txt")]

    def write(self, shard: int, samples: Iterable[Sample], placing: Placing) -> None:
        """Write a shard's files; see :class:`Sink`."""
        lists: dict[str, list[str]] = {part: [] for part in self._parts}
        with _writing(placing.root), ExitStack() as stack:
            bases = {}
            for part in self._parts:
                name = f"shard-{shard:06d}_{part}.lmdb/data.mdb"
                temporary = stack.enter_context(placing.file(name))
                # The order of closing: the database first, then its file.
                bases[part] = stack.enter_context(_Base(temporary))
            for sample in samples:
                for part, content in (("HR", sample.hr), ("LR", sample.lr)):
                    if content is not None:
                        bases[part].put(sample.key, content)
                        lists[part].append(_listed(sample.key, content))
        for part, lines in lists.items():
            text = "".join(f"{line}\n" for line in lines)
            placing.content(f"shard-{shard:06d}_{part}.lmdb/meta_info.txt", text.encode())

    def read(self, root: Path, shard: int, rows: Sequence[Row]) -> Iterator[tuple[Row, Stored]]:
        """Read samples again; see :class:`Sink`."""
        files = [path_inside(root, f"shard-{shard:06d}_{part}.lmdb/{DATA}") for part in self._parts]
        with ExitStack() as stack:
            views = [stack.enter_context(database(file)) for file in files]
            for row in rows:
                found = [view.get(row["key"].encode()) for view in views]
                if None not in found:
                    contents = [bytes(value) for value in found]
                    yield row, (contents[0] if len(contents) > 1 else None, contents[-1])


class _Base:
    """A database that is being written."""

    def __init__(self, file: Path) -> None:
        # LMDB takes the empty file for a new database.
        self._base: Any = needed("lmdb", "lmdb", _WHAT).open(
            str(file), subdir=False, map_size=_MAP_SIZE, lock=False, sync=False
        )
        self._pending: Any = None
        self._count = 0

    def __enter__(self) -> _Base:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._commit()
        finally:
            self._base.close()

    def put(self, key: str, content: bytes) -> None:
        """Store a value; written to disk every now and then, so that memory stays free."""
        name = key.encode()
        if "\n" in key:
            raise DataError(
                f"the key {key!r:.80} has a line break, which meta_info.txt cannot hold: rename its"
                " image."
            )
        if len(name) > _LONGEST_KEY:
            raise DataError(
                f"the key {key:.80} has {len(name)} bytes, and LMDB holds at most {_LONGEST_KEY}:"
                " shorten the name of its image."
            )
        if self._pending is None:
            self._pending = self._base.begin(write=True)
        self._pending.put(name, content)
        self._count += 1
        if self._count % _COMMIT == 0:
            self._commit()

    def _commit(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.commit()


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turn what LMDB raises, of a full disk for instance, into one sentence."""
    try:
        yield
    except needed("lmdb", "lmdb", _WHAT).Error as error:
        if is_out_of_memory(error):
            raise
        raise OutputError(
            f"cannot write an LMDB database in {root}: {first_line(error)}. Free some space or"
            " choose another place."
        ) from error


def _listed(key: str, content: bytes) -> str:
    """Return the line of a PNG in ``meta_info.txt``."""
    width, height, _, colour = struct.unpack(">IIBB", content[16:26])
    return f"{key}.png ({height},{width},{_CHANNELS[colour]}) 1"
