"""PyTorch files: their tensors, without running their code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg.errors import CheckpointError, first_line
from realdeg.utils.budget import Budget, LimitError
from realdeg.utils.pickles import Inert
from realdeg.utils.torch_file import DEEPEST, FAULTS, check_shared, open_torch_file
from realdeg.utils.torch_pickle import StorageRef
from realdeg.utils.torch_state import reference_in, tensor_of

_LONGEST_NAME, _MOST_NAMES = 512, 20_000
_GROUPS = ("_parameters", "_buffers", "_modules")

Read = Callable[[StorageRef], Tensor]
Named = list[tuple[str, Tensor]]


def read_pickled(path: str | os.PathLike[str]) -> Any:
    """Read a file of ``torch.save``, which may hold more than tensors.

    A pickle names classes and functions, which Python's own reader imports and calls. Here each
    is replaced by a stand-in that does nothing, and only the parameters and buffers of a network
    remain. Steps, nesting, names and bytes are limited.

    Args:
        path: A file of any PyTorch from 0.1.10, written under Python 2 or 3.

    Returns:
        The file's data: dicts and lists of tensors, numbers and strings. Networks are dicts of
        tensors, like their ``state_dict()``; other objects are None.

    Raises:
        CheckpointError: If the file is damaged, made to fill memory, or of another format.
    """
    file = Path(path)
    try:
        with open_torch_file(file) as opened:
            return _Harvest(opened.numbers, opened.budget, opened.size).value(opened.tree)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read ({error.strerror or error}).") from error
    except LimitError as error:
        raise CheckpointError(f"{file} is not read: {error}.") from error
    except FAULTS as error:
        raise CheckpointError(
            f"{file} cannot be read as a PyTorch file ({first_line(error)}): truncated, damaged, or"
            " without a network. Where it was written, save model.state_dict() and load that."
        ) from error


class _Harvest:
    """Turns what the unpickler built into plain data.

    Args:
        read: Returns the values of a storage.
        budget: The steps that are left.
        size: The file's length in bytes.
    """

    def __init__(self, read: Read, budget: Budget, size: int) -> None:
        self._read, self._budget, self._size = read, budget, size
        self._bytes = 0
        self._storages: dict[tuple[str, torch.dtype], Tensor] = {}
        # The tree is kept, so ids stay unique.
        self._done: dict[int, Any] = {}
        self._modules: dict[int, Named] = {}

    def value(self, item: Any, depth: int = 0) -> Any:
        """Return the plain form of an object, None if it has none."""
        if depth > DEEPEST:
            raise ValueError("objects are nested too deeply")
        self._budget.spend()
        if item is None or isinstance(item, bool | int | float | str):
            return item
        # Otherwise nested lists that hold the same list twice would grow exponentially.
        if id(item) not in self._done:
            self._done[id(item)] = self._plain(item, depth)
        return self._done[id(item)]

    def _plain(self, item: Any, depth: int) -> Any:
        tensor = self._tensor(item)
        if tensor is not None:
            return tensor
        if isinstance(item, Inert):
            return dict(self._state(item, depth)) if _is_module(item) else None
        if isinstance(item, Mapping):
            return {str(k): self.value(v, depth + 1) for k, v in item.items() if _is_name(k)}
        if isinstance(item, list | tuple):
            return [self.value(entry, depth + 1) for entry in item]
        return None

    def _state(self, module: Inert, depth: int) -> Named:
        """Return a network's parameters and buffers as ``state_dict`` names them.

        A module that occurs several times is read once, but its tensors have a name for each
        occurrence. Only their number limits the growth of modules that share modules.
        """
        if depth > DEEPEST:
            raise ValueError("modules are nested too deeply")
        if id(module) in self._modules:
            return self._modules[id(module)]
        fields, named = module.state, []
        passing = fields.get("_non_persistent_buffers_set") or ()
        for group in _GROUPS[:2]:
            for name, value in _items(fields.get(group)):
                tensor = self._tensor(value)
                if tensor is not None and not (group == "_buffers" and name in passing):
                    named.append((name, tensor))
        for name, child in _items(fields.get("_modules")):
            if not (isinstance(child, Inert) and _is_module(child)):
                continue
            inner = self._state(child, depth + 1)
            self._count(tensor for _, tensor in inner)
            if len(named) + len(inner) > _MOST_NAMES:
                raise LimitError(f"its modules share modules until {_MOST_NAMES:,} names exist")
            named += [(f"{name}.{below}", tensor) for below, tensor in inner]
            if any(len(each) > _LONGEST_NAME for each, _ in named[-len(inner) :]):
                raise ValueError("a tensor's name is longer than any network's")
        self._modules[id(module)] = named
        return named

    def _count(self, tensors: Iterable[Tensor]) -> None:
        """Count the bytes of tensors once more for each of their names."""
        for tensor in tensors:
            self._budget.spend()
            self._bytes += tensor.numel() * tensor.element_size()
        check_shared(self._bytes, self._size)

    def _tensor(self, item: Any) -> Tensor | None:
        self._budget.spend()
        reference = None if isinstance(item, Inert) and _is_module(item) else reference_in(item)
        if reference is None:
            return None
        storage = reference.storage
        key = (storage.key, storage.dtype)
        if key not in self._storages:
            self._storages[key] = self._read(storage)
        tensor = tensor_of(reference, self._storages[key])
        if tensor.numel():
            self._count([tensor])
        return tensor


def _items(group: Any) -> list[tuple[str, Any]]:
    """Return the named entries of a module's group, empty if it is not a dict."""
    if not isinstance(group, Mapping):
        return []
    entries = [(str(name), value) for name, value in group.items() if _is_name(name)]
    if any(len(name) > _LONGEST_NAME for name, _ in entries):
        raise ValueError("a tensor's name is longer than any network's")
    return entries


def _is_name(key: Any) -> bool:
    return isinstance(key, str | int)


def _is_module(item: Inert) -> bool:
    fields = item.state
    return isinstance(fields, dict) and all(
        isinstance(fields.get(group, {}), Mapping | None)
        and (group in fields or group == "_buffers")
        for group in _GROUPS
    )
