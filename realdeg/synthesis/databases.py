"""Images in LMDB databases, those of BasicSR among them."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from realdeg.errors import DataError
from realdeg.synthesis.entries import Entry, check_size, in_order
from realdeg.utils.extras import needed

DATA = "data.mdb"
"""The file of a database in its folder."""

_WHAT = "a data set in LMDB"
# Each open one takes a file handle and address space.
_MOST_OPEN = 64


class LmdbSource:
    """The images in LMDB databases, whose keys are their names.

    Args:
        places: Folders with a ``data.mdb``, or paths of such files.

    Raises:
        ConfigError: If lmdb is not installed.
        DataError: If a database cannot be read or is empty, or two have the same key.
    """

    ignored: Sequence[str] = ()

    def __init__(self, places: Sequence[str]) -> None:
        self.refused: dict[str, str] = {}
        found: list[Entry] = []
        for place in places:
            with database(place) as view:
                for key, value in view.cursor():
                    found.append(Entry(_text(bytes(key), place), place, size=len(value)))
        self.entries = in_order(found)
        if not found:
            raise DataError(f"{places[0] if places else 'an empty list'} holds no images.")

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of an image's file; see :class:`Source`."""
        with database(entry.place) as view:
            value = view.get(entry.name.encode())
            if value is None:
                raise DataError(f"{entry.place} has no {entry.name:.120} any more.")
            check_size(entry.name, entry.place, len(value))
            return bytes(value)


@contextmanager
def database(place: str | os.PathLike[str]) -> Iterator[Any]:
    """Look into a database by path.

    It stays open in this process, because LMDB opens one only once, and opening takes longer than
    reading. A process that was forked opens its own.

    Args:
        place: A folder with a ``data.mdb``, or such a file.

    Yields:
        A transaction of lmdb for reading, whose values are views that are valid in the block.

    Raises:
        ConfigError: If lmdb is not installed.
        DataError: If the database cannot be read, in the block as well.
    """
    lmdb = needed("lmdb", "lmdb", _WHAT)
    path = os.fspath(place)
    file = path if os.path.basename(path) == DATA else os.path.join(path, DATA)
    try:
        with _Opened.of_this_process().using(lmdb, file) as base, base.begin(buffers=True) as view:
            yield view
    except lmdb.Error as error:
        raise DataError(f"cannot read the database {file}: {error}.") from error
    except OSError as error:
        raise DataError(f"cannot read the database {file}: {error.strerror or error}.") from error


class _Opened:
    """The databases that a process has open, the last used ones."""

    def __init__(self) -> None:
        self._process = os.getpid()
        # Held while one is read, so that no thread closes it meanwhile.
        self._lock = threading.RLock()
        self._bases: OrderedDict[str, tuple[tuple[int, int, int], Any]] = OrderedDict()

    def close(self) -> None:
        while self._bases:
            self._bases.popitem()[1][1].close()

    @classmethod
    def of_this_process(cls) -> _Opened:
        global _opened  # noqa: PLW0603 -- what a process has open is global
        if _opened._process != os.getpid():
            # LMDB forbids to use those of the parent, and they count as open until they are closed,
            # which unmaps them here alone. The lock may be held by a thread that is not here.
            inherited, _opened = _opened, cls()
            inherited.close()
        return _opened

    @contextmanager
    def using(self, lmdb: Any, file: str) -> Iterator[Any]:
        with self._lock:
            facts = os.stat(file)
            name, state = _real(file), (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            known = self._bases.get(name)
            if known is None or known[0] != state:
                if known is not None:  # a file that was replaced
                    self._bases.pop(name)[1].close()
                while len(self._bases) >= _MOST_OPEN:
                    self._bases.popitem(last=False)[1][1].close()
                self._bases[name] = known = (state, _open(lmdb, file, facts.st_size))
            self._bases.move_to_end(name)
            yield known[1]


_opened = _Opened()


# Asked for at every read, and slower than the read.
_real = lru_cache(maxsize=1 << 12)(os.path.realpath)


def _open(lmdb: Any, file: str, size: int) -> Any:
    if not size:
        raise DataError(f"the database {file} is empty (0 bytes).")
    base = lmdb.open(file, subdir=False, readonly=True, lock=False, readahead=False)
    # Reading behind the end of a mapped file would kill the process.
    if (base.info()["last_pgno"] + 1) * base.stat()["psize"] > size:
        base.close()
        raise DataError(f"the database {file} is truncated: fetch or write it again.")
    return base


def _text(key: bytes, place: str) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{place} has the key {key[:60]!r}, which is not valid text.") from error
