"""Files of ``torch.save``, opened with every size checked before memory is allocated."""

from __future__ import annotations

import io
import lzma
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from torch import Tensor

from realdeg.errors import CheckpointError, first_line
from realdeg.utils.budget import Budget, LimitError, check_unpacked
from realdeg.utils.pickles import Inert
from realdeg.utils.torch_pickle import CodeError, StorageRef, TensorRef, reader

DEEPEST = 100
"""How deeply containers and modules may be nested."""

SHARED_RATIO, SHARED_FLOOR = 64, 2**28
"""Tensors that share storage may add up to this many times the file's size, or this many bytes."""

_MAGIC = 0x1950A86A20F9469CFC6C  # the start of a file before PyTorch 1.6
_LARGEST_DIRECTORY = 2**24  # bytes of an archive's directory: 160,000 storages
_LARGEST_TREE = 2_000_000
_BLOCK = 2**22
_ENCRYPTED = 1


@dataclass(frozen=True)
class TorchFile:
    """An open file of ``torch.save``.

    Attributes:
        tree: What was saved, with references in place of tensors.
        numbers: Reads a storage.
        size: The file's length in bytes.
        budget: The steps that are left.
    """

    tree: Any
    numbers: Callable[[StorageRef], Tensor]
    size: int
    budget: Budget


@contextmanager
def open_torch_file(path: Path, strict: bool = False) -> Iterator[TorchFile]:
    """Open a file of any PyTorch from 0.1.10, written under Python 2 or 3.

    Args:
        path: The ``.pth`` file, zipped or not.
        strict: Refuse anything but plain data and tensors, and damage anywhere in the file.

    Yields:
        Its contents; a storage is read, and its checksum compared, when it is asked for.

    Raises:
        ValueError: If it is damaged, hostile or in another format.
    """
    size, budget = path.stat().st_size, Budget()
    with open(path, "rb") as stream:
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(cast(IO[bytes], _Cautious(path))) as archive:
                yield _from_zip(archive, size, budget, strict)
        else:
            stream.seek(0)
            yield _from_stream(stream, size, budget, strict)


def check_archive(path: Path) -> None:
    """Refuse a file of ``torch.save`` that is damaged, or built to exhaust memory or time.

    Call it before ``torch.load(weights_only=True)``, which runs no code from a file but trusts its
    sizes. All checksums are compared, every tensor must lie within its storage, and the contents
    may be no larger and no deeper than a state dict, however often parts are shared.

    Raises:
        CheckpointError: With one sentence.
    """
    try:
        with open_torch_file(path, strict=True) as opened:
            _measure(opened.tree, {}, 0)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error}).") from error
    except CodeError as error:
        raise CheckpointError(
            f"{path} holds pickled code, not only tensors and plain data, and was not loaded: it"
            f" could run anything on this machine ({error}). Ask for a state dict or a safetensors"
            " file instead."
        ) from error
    except LimitError as error:
        raise CheckpointError(f"{path} is not read: {error}.") from error
    except FAULTS as error:
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) is truncated, damaged or not a checkpoint"
            f" ({first_line(error)}): use another file."
        ) from error


FAULTS = (
    *(ValueError, LookupError, EOFError, RecursionError, OverflowError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""What reading a damaged file raises; none of it comes from code in the file."""


class _Cautious(io.FileIO):
    """A file that refuses a read longer than any archive's directory or block."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > _LARGEST_DIRECTORY:
            raise ValueError("an archive with a directory of impossible length")
        return super().read(size) or b""


def _from_zip(archive: zipfile.ZipFile, size: int, budget: Budget, strict: bool) -> TorchFile:
    """Read the format of PyTorch 1.6 and later: an archive with one file per storage."""
    entries = _entries(archive, size)
    names = [name for name in entries if name.endswith("/data.pkl")]
    if len(names) != 1:
        raise ValueError("no file of torch.save")
    root = names[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in entries:
        raise ValueError("a program of TorchScript, of which only the program itself is made")
    order = (
        _content(archive, entries[f"{root}byteorder"])
        if f"{root}byteorder" in entries
        else b"little"
    )
    swapped = bytes(order) != sys.byteorder.encode()
    pickled = io.BytesIO(_content(archive, entries[names[0]]))
    tree = reader(budget, strict).read(pickled)

    def numbers(storage: StorageRef) -> Tensor:
        entry = entries.get(f"{root}data/{storage.key}")
        if entry is None:
            raise ValueError(f"storage {storage.key[:80]!r} is missing")
        return _numbers(_content(archive, entry), storage, swapped)

    if strict:
        lengths = {name: entry.file_size for name, entry in entries.items()}
        _check_tensors(tree, lambda key: lengths.get(f"{root}data/{key}", 0), size)
        for entry in entries.values():
            _content(archive, entry, keep=False)
    return TorchFile(tree, numbers, size, budget)


def _entries(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return an archive's files by name, after refusing hostile entries."""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename
        if name in found:
            raise ValueError(f"an archive with two files called {name[:80]!r}")
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            raise ValueError(f"an archive with a file outside of it, {name[:80]!r}")
        if entry.flag_bits & _ENCRYPTED:
            raise ValueError("an encrypted archive")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("an archive packed in a way that PyTorch does not know")
        stored = entry.compress_type == zipfile.ZIP_STORED
        if entry.compress_size > size or (stored and entry.file_size != entry.compress_size):
            raise ValueError(f"the length of {name[:80]!r} is impossible")
        if not entry.CRC and entry.file_size:
            entry.CRC = cast(int, None)  # torch.serialization.set_crc32_options(False)
        found[name] = entry
    check_unpacked(sum(entry.file_size for entry in found.values()), size)
    return found


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, keep: bool = True) -> bytearray:
    """Read a file of an archive; zipfile compares its checksum."""
    found = bytearray(entry.file_size if keep else 0)
    at = 0
    with archive.open(entry) as opened:
        while block := opened.read(_BLOCK):
            if keep:
                found[at : at + len(block)] = block
            at += len(block)
    if at != entry.file_size:
        raise ValueError(f"{entry.filename[:80]!r} is truncated")
    return found


class _Bounded:
    """A stream that reserves no more memory than there are bytes to read."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._size = stream, size

    def read(self, count: int) -> bytes:
        return self._stream.read(max(0, min(count, self._size - self._stream.tell())))

    def readline(self) -> bytes:
        return self._stream.readline()

    def tell(self) -> int:
        return self._stream.tell()


def _from_stream(stream: IO[bytes], size: int, budget: Budget, strict: bool) -> TorchFile:
    """Read the format before PyTorch 1.6: pickles and storages one after another."""
    head = stream.read(262)
    if head[257:] == b"ustar":
        raise ValueError("a file of PyTorch before 0.1.10, which is a tar archive")
    stream.seek(0)
    bounded, unpickler = cast(IO[bytes], _Bounded(stream, size)), reader(budget, strict)
    if not head.startswith(b"\x80") or unpickler.read(bounded) != _MAGIC:
        raise ValueError("no file of torch.save")
    unpickler.read(bounded)  # the format's version
    system = unpickler.read(bounded)
    little = not isinstance(system, Mapping) or bool(system.get("little_endian", True))
    tree = unpickler.read(bounded)
    order = unpickler.read(bounded)
    if not isinstance(order, list | tuple):
        raise ValueError("a file without a list of its storages")
    kinds = {each.storage.key: each.storage for each in tensors_of(tree)}
    places: dict[str, tuple[int, int]] = {}
    for key in map(str, order):
        budget.spend()
        if key not in kinds:
            raise ValueError(f"storage {key[:80]!r} belongs to no tensor")
        length = int.from_bytes(stream.read(8), "little")
        places[key] = (stream.tell(), length * kinds[key].dtype.itemsize)
        if sum(places[key]) > size:
            raise ValueError("the file ends in the middle of a storage")
        stream.seek(sum(places[key]))

    def numbers(storage: StorageRef) -> Tensor:
        if storage.key not in places:
            raise ValueError(f"storage {storage.key[:80]!r} is missing")
        if kinds[storage.key].dtype != storage.dtype:
            raise ValueError("a storage is of two types")
        begin, length = places[storage.key]
        stream.seek(begin)
        return _numbers(
            bytearray(stream.read(length)), storage, little != (sys.byteorder == "little")
        )

    if strict:
        _check_tensors(tree, lambda key: places.get(key, (0, 0))[1], size)
    return TorchFile(tree, numbers, size, budget)


def _numbers(content: bytearray, storage: StorageRef, swapped: bool) -> Tensor:
    width = storage.dtype.itemsize
    if len(content) % width:
        raise ValueError("a storage ends in the middle of a number")
    if not content:
        return torch.zeros(0, dtype=storage.dtype)
    if swapped:
        width //= 2 if storage.dtype.is_complex else 1
        rows = np.frombuffer(content, np.uint8).reshape(-1, width)
        content = bytearray(rows[:, ::-1].tobytes())
    return torch.frombuffer(content, dtype=storage.dtype)


def tensors_of(tree: Any) -> Iterator[TensorRef]:
    """Iterate over the tensors in an unpickled tree, visiting each object once."""
    waiting, seen = [tree], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, TensorRef):
            yield item
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
        elif isinstance(item, Inert):
            waiting += [item.args, item.state]


def _check_tensors(tree: Any, length: Callable[[str], int], size: int) -> None:
    total = 0
    for each in tensors_of(tree):
        width = (each.dtype or each.storage.dtype).itemsize
        each.check(length(each.storage.key) // width)
        total += width * each.span()[0]
    check_shared(total, size)


def check_shared(total: int, size: int) -> None:
    """Refuse tensors that share storage so often that together no network is as large.

    Args:
        total: The bytes of all tensors if nothing were shared.
        size: The file's length in bytes.

    Raises:
        LimitError: If there are too many; recursive networks share each tensor 25 times.
    """
    if total > max(SHARED_FLOOR, SHARED_RATIO * size):
        raise LimitError(f"its {size:,} bytes are shared by tensors of {total:,} bytes")


def _measure(item: Any, known: dict[int, tuple[int, int]], depth: int) -> tuple[int, int]:
    """Return how many parts a tree has if nothing were shared, and its depth."""
    if not isinstance(item, Mapping | list | tuple):
        return 1, 0
    if id(item) in known:
        return known[id(item)]
    if depth > DEEPEST:
        raise ValueError("data are nested too deeply, or hold themselves")
    parts = item.values() if isinstance(item, Mapping) else item
    size, height = 1, 0
    for part in parts:
        found = _measure(part, known, depth + 1)
        size, height = size + found[0], max(height, found[1] + 1)
        if size > _LARGEST_TREE or height > DEEPEST:
            raise ValueError("data are shared and nested until they are larger than any state")
    known[id(item)] = (size, height)
    return size, height
