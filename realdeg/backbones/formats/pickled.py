"""PyTorch files with pickled networks: their tensors, without running their code."""

from __future__ import annotations

import math
import os
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from realdeg.backbones.formats.inert import Inert, InertUnpickler, StorageRef, TensorRef
from realdeg.errors import CheckpointError, first_line

_MAGIC = 0x1950A86A20F9469CFC6C  # what files before PyTorch 1.6 begin with
_DEEPEST = 100

Read = Callable[[StorageRef], Tensor]


def read_pickled(path: str | os.PathLike[str]) -> Any:
    """Read a file of ``torch.save`` that holds more than tensors.

    A pickle names classes and functions, and Python's own reader imports and calls them. Here each
    is replaced by a stand-in that does nothing, and what remains of a network are its parameters
    and buffers.

    Args:
        path: A file of any PyTorch from 0.1.10, written under Python 2 or 3.

    Returns:
        The file's data: dicts and lists of tensors, numbers and texts. Networks are dicts of
        tensors, as ``state_dict()`` would give; other objects are None.

    Raises:
        CheckpointError: If the file is damaged or of another format.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            if zipfile.is_zipfile(stream):
                stream.seek(0)
                return _from_zip(stream)
            stream.seek(0)
            return _from_stream(stream)
    except MemoryError:
        raise
    # Damaged pickles raise almost anything; none of it comes from code of the file.
    except Exception as error:
        reason = first_line(error)
        raise CheckpointError(
            f"the pickled objects in {file} cannot be taken apart ({reason}): damaged, or of a form"
            " that holds no network. Where it was made, save model.state_dict() and load that."
        ) from error


def _from_zip(stream: BinaryIO) -> Any:
    """Read the form of PyTorch 1.6 and later: an archive with a file for each storage."""
    with zipfile.ZipFile(stream) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise ValueError("no file of torch.save")
        root = names[0].removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist():
            _check_order(archive.read(f"{root}byteorder") == b"little")
        with archive.open(names[0]) as opened:
            tree = InertUnpickler(opened, encoding="latin1").load()

        def read(storage: StorageRef) -> Tensor:
            entry = archive.getinfo(f"{root}data/{storage.key}")
            # Compressed entries could grow without bound; PyTorch writes none.
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError("a storage is compressed")
            return _numbers(archive.read(entry), storage)

        return _Harvest(read).value(tree)


def _from_stream(stream: BinaryIO) -> Any:
    """Read the form before PyTorch 1.6: pickles and storages one after the other."""

    def load() -> Any:
        return InertUnpickler(stream, encoding="latin1").load()

    if load() != _MAGIC:
        raise ValueError("no file of torch.save")
    load()  # the format's version
    system = load()
    _check_order(not isinstance(system, Mapping) or bool(system.get("little_endian", True)))
    tree = load()
    order = [str(key) for key in load()]
    kinds = {storage.key: storage for storage in _storages(tree)}
    found: dict[str, Tensor] = {}
    for key in order:
        length = int.from_bytes(stream.read(8), "little")
        if key not in kinds:
            raise ValueError(f"storage {key} belongs to no tensor")
        size = length * kinds[key].dtype.itemsize
        content = stream.read(size) if length < 2**48 else b""
        if len(content) < size:
            raise ValueError("the file ends in the middle of a storage")
        found[key] = _numbers(content, kinds[key])

    def read(storage: StorageRef) -> Tensor:
        if found[storage.key].dtype != storage.dtype:
            raise ValueError("a storage is of two types")
        return found[storage.key]

    return _Harvest(read).value(tree)


def _check_order(little: bool) -> None:
    if not little or sys.byteorder != "little":
        raise ValueError("numbers are stored in big-endian order")


def _numbers(content: bytes, storage: StorageRef) -> Tensor:
    if len(content) % storage.dtype.itemsize:
        raise ValueError("a storage ends in the middle of a number")
    if not content:
        return torch.zeros(0, dtype=storage.dtype)
    return torch.frombuffer(bytearray(content), dtype=storage.dtype)


def _storages(tree: Any) -> Iterator[StorageRef]:
    """Go through the storages that a tree names, each object once."""
    waiting, seen = [tree], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, TensorRef):
            yield item.storage
        elif isinstance(item, StorageRef):
            yield item
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
        elif isinstance(item, Inert):
            waiting += [item.args, item.state]


class _Harvest:
    """Turns what the unpickler built into plain data.

    Args:
        read: Returns the numbers of a storage.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._storages: dict[tuple[str, torch.dtype], Tensor] = {}
        self._done: dict[int, Any] = {}  # the tree is held, so an id stays one object's

    def value(self, item: Any, depth: int = 0) -> Any:
        """Return the plain form of anything; None for what has none."""
        if depth > _DEEPEST:
            raise ValueError("objects are nested too deeply")
        if item is None or isinstance(item, bool | int | float | str):
            return item
        # Lists of one list twice, of which each is one of one list twice, would grow for ever.
        if id(item) not in self._done:
            self._done[id(item)] = self._plain(item, depth)
        return self._done[id(item)]

    def _plain(self, item: Any, depth: int) -> Any:
        tensor = self._tensor(item)
        if tensor is not None:
            return tensor
        if isinstance(item, Inert):
            return dict(self._state(item, "", depth)) if _is_module(item) else None
        if isinstance(item, Mapping):
            return {str(k): self.value(v, depth + 1) for k, v in item.items() if _is_name(k)}
        if isinstance(item, list | tuple):
            return [self.value(entry, depth + 1) for entry in item]
        return None

    def _state(self, module: Inert, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
        """Go through a network's parameters and buffers as ``state_dict`` does."""
        if depth > _DEEPEST:
            raise ValueError("modules are nested too deeply")
        fields = module.state
        passing = fields.get("_non_persistent_buffers_set") or ()
        for group in ("_parameters", "_buffers"):
            for name, value in (fields.get(group) or {}).items():
                tensor = self._tensor(value)
                if tensor is not None and not (group == "_buffers" and name in passing):
                    yield f"{prefix}{name}", tensor
        for name, child in (fields.get("_modules") or {}).items():
            if isinstance(child, Inert) and _is_module(child):
                yield from self._state(child, f"{prefix}{name}.", depth + 1)

    def _tensor(self, item: Any) -> Tensor | None:
        if isinstance(item, Inert) and item.name.startswith("torch.") and not _is_module(item):
            # A parameter of PyTorch before 0.4, or a subclass of Tensor: the tensor is inside.
            parts = [*item.args, *(item.state if isinstance(item.state, list | tuple) else ())]
            item = next((part for part in parts if isinstance(part, TensorRef)), None)
        if not isinstance(item, TensorRef):
            return None
        storage = item.storage
        key = (storage.key, storage.dtype)
        if key not in self._storages:
            self._storages[key] = self._read(storage)
        numbers = self._storages[key]
        start = storage.first + item.offset
        count = math.prod(item.shape)
        steps = zip(item.shape, item.stride, strict=True)
        last = start + sum((size - 1) * step for size, step in steps)
        # Repeated numbers (stride 0) could stand for a tensor of any size.
        if count and (last >= len(numbers) or count > len(numbers)):
            raise ValueError("a tensor reaches beyond its storage")
        if not count:
            return torch.zeros(item.shape, dtype=storage.dtype)
        return numbers.as_strided(item.shape, item.stride, start)


def _is_name(key: Any) -> bool:
    return isinstance(key, str | int)


def _is_module(item: Inert) -> bool:
    fields = item.state
    return isinstance(fields, dict) and all(
        isinstance(fields.get(group, {}), Mapping | None)
        and (group in fields or group == "_buffers")
        for group in ("_parameters", "_buffers", "_modules")
    )
