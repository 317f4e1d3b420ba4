"""The pickles of ``torch.save``, with references in place of tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from realdeg.utils.budget import Budget
from realdeg.utils.pickles import ForeignName, Inert, Maker, PickleReader

_LARGEST = 2**48
_MOST_AXES = 16

DTYPES: dict[str, torch.dtype] = {
    "float": torch.float32,
    "double": torch.float64,
    "half": torch.float16,
    "bfloat16": torch.bfloat16,
    "long": torch.int64,
    "int": torch.int32,
    "short": torch.int16,
    "char": torch.int8,
    "byte": torch.uint8,
    "bool": torch.bool,
    "complexfloat": torch.complex64,
    "complexdouble": torch.complex128,
}
# Types without a storage class are stored as bytes, with the type beside them.
_NAMED = ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "float32", "float16")


class CodeError(ValueError):
    """A pickle names a class or function that plain data and tensors do not need."""


@dataclass(frozen=True)
class StorageRef:
    """A storage of the file.

    Attributes:
        key: Its key in the file.
        dtype: The type of its numbers.
        length: How many numbers the pickle claims.
        first: Index of the first number, for a view.
    """

    key: str
    dtype: torch.dtype
    length: int
    first: int = 0


@dataclass(frozen=True)
class TensorRef:
    """A tensor that is yet to be read.

    Attributes:
        storage: Where its numbers are.
        offset: Index of its first number in the storage.
        shape: Its sizes.
        stride: Its strides, in numbers.
        dtype: Its type if the storage holds bytes, else None.
    """

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype | None = None

    def span(self) -> tuple[int, int]:
        """Return how many numbers it has, and the index of its last one in the storage."""
        steps = zip(self.shape, self.stride, strict=True)
        last = self.storage.first + self.offset + sum((size - 1) * step for size, step in steps)
        return math.prod(self.shape), last

    def check(self, length: int) -> None:
        """Raise ValueError unless it lies within a storage of ``length`` numbers of its type."""
        count, last = self.span()
        # Repeated numbers (stride 0) could make a tensor of any size.
        if count and (last >= length or count > length):
            raise ValueError("a tensor reaches beyond its storage")


@dataclass(frozen=True)
class _StorageType:
    dtype: torch.dtype


@dataclass(frozen=True)
class _Type:
    dtype: torch.dtype


def reader(budget: Budget, strict: bool = False) -> PickleReader:
    """Return a reader of the pickles in files of ``torch.save``.

    Plain data stay as they are, tensors become :class:`TensorRef`, and a stand-in replaces every
    other class or function.

    Args:
        budget: The steps for all pickles together.
        strict: Refuse classes and functions that plain data and tensors do not need.
    """
    return PickleReader(_find_strictly if strict else _find, _refer, budget, strict)


def _find(module: str, name: str) -> Any:
    """Return our stand-in for a global of the pickle."""
    if (module, name) in _FUNCTIONS:
        return _FUNCTIONS[module, name]
    if module == "torch._utils" and name.startswith("_rebuild_parameter"):
        return Maker(_first)
    if module in ("torch", "torch.cuda") and name.endswith("Storage"):
        kind = name.removesuffix("Storage").lower()
        if kind in DTYPES:
            return _StorageType(DTYPES[kind])
    if name == "UntypedStorage" and module in ("torch", "torch.storage"):
        return _StorageType(torch.uint8)
    if module == "torch" and name in _NAMED:
        dtype = getattr(torch, name, None)
        return _Type(dtype) if isinstance(dtype, torch.dtype) else ForeignName(f"torch.{name}")
    return ForeignName(f"{module}.{name}")


def _find_strictly(module: str, name: str) -> Any:
    found = _find(module, name)
    if isinstance(found, ForeignName):
        raise CodeError(f"it names {module}.{name}"[:160])
    return found


def _refer(pid: Any) -> Any:
    """Return a reference to a storage, or a module's class without its source code."""
    if not isinstance(pid, tuple) or not pid:
        raise ValueError("an unknown kind of reference")
    if pid[0] == "module" and len(pid) == 4:
        return pid[1]
    if pid[0] != "storage" or len(pid) < 5 or not isinstance(pid[1], _StorageType):
        raise ValueError("a reference to something other than a known storage")
    key, length, view = pid[2], pid[4], pid[5] if len(pid) > 5 else None
    if not isinstance(key, str | int):
        raise ValueError("a storage without a name")
    first = 0
    if view is not None:  # a storage that is a part of another one
        if not (isinstance(view, tuple) and len(view) == 3):
            raise ValueError("a damaged reference to a storage")
        first = view[1]
    if not (_is_length(length) and _is_length(first)):
        raise ValueError("a storage of impossible size")
    return StorageRef(str(key), pid[1].dtype, length, first)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> TensorRef:
    if not (isinstance(size, tuple | list) and isinstance(stride, tuple | list)):
        raise ValueError("a tensor of impossible shape")
    if not isinstance(storage, StorageRef) or len(size) != len(stride) or len(size) > _MOST_AXES:
        raise ValueError("a tensor without a storage, or of impossible shape")
    if not all(_is_length(number) for number in (offset, *size, *stride)):
        raise ValueError("a tensor of impossible shape")
    # An empty tensor needs no memory whatever its sizes; a network built for these sizes does.
    if 0 in size and max(size) > 2**20:
        raise ValueError("an empty tensor of impossible shape")
    return TensorRef(storage, offset, tuple(size), tuple(stride))


def _tensor_of_bytes(
    storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, kind: Any, *rest: Any
) -> TensorRef:
    """Return a tensor whose storage is of bytes."""
    found = _tensor(storage, offset, size, stride)
    if not isinstance(kind, _Type) or found.storage.dtype != torch.uint8:
        raise ValueError("a tensor of unknown type")
    return TensorRef(found.storage, found.offset, found.shape, found.stride, kind.dtype)


def _typed(function: Any, kind: Any, args: Any, state: Any = None) -> Any:
    """Return the tensor inside a tensor subclass or one with attributes."""
    if not isinstance(args, tuple) or function not in (_TENSOR, _TENSOR_OF_BYTES):
        raise ValueError("a tensor that is made in an unknown way")
    return function.function(*args)


def _first(*args: Any) -> Any:
    return args[0] if args else None


def _same(*args: Any) -> Any:
    """Return a container as it is, or an empty one."""
    return args[0] if args and isinstance(args[0], list | tuple | set | dict) else ()


def _ordered(*args: Any) -> dict[Any, Any]:
    """Return a dict of pairs, as Python 2 stores an OrderedDict."""
    found: dict[Any, Any] = {}
    for pair in args[0] if args and isinstance(args[0], list | tuple) else ():
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ValueError("a damaged OrderedDict")
        found[pair[0]] = pair[1]
    return found


def _bytes(*args: Any) -> Any:
    """Return strings or bytes as they are; a number would be a length without bytes."""
    if not (args and isinstance(args[0], str | bytes | bytearray)):
        raise ValueError("a byte array without bytes")
    return args[0]


def _nothing(*args: Any) -> None:
    """Ignore what is not needed: a device, a complex number."""


def _reconstructed(*args: Any) -> Any:
    """Return an object that was stored with protocol 0 or 1."""
    if not (args and isinstance(args[0], ForeignName)):
        raise ValueError("an object of no known class")
    return Inert(args[0].name, ())


_TENSOR, _TENSOR_OF_BYTES = Maker(_tensor), Maker(_tensor_of_bytes)
_FUNCTIONS: Mapping[tuple[str, str], Maker] = {
    ("collections", "OrderedDict"): Maker(_ordered),
    ("torch._utils", "_rebuild_tensor"): _TENSOR,
    ("torch._utils", "_rebuild_tensor_v2"): _TENSOR,
    ("torch._utils", "_rebuild_tensor_v3"): _TENSOR_OF_BYTES,
    ("torch._tensor", "_rebuild_from_type_v2"): Maker(_typed),
    ("torch", "Size"): Maker(_same),
    ("torch", "device"): Maker(_nothing),
    ("collections", "Counter"): Maker(_same),
    ("_codecs", "encode"): Maker(_bytes),
    ("copy_reg", "_reconstructor"): Maker(_reconstructed),
    ("copyreg", "_reconstructor"): Maker(_reconstructed),
    **{
        (module, name): Maker(_same)
        for module in ("builtins", "__builtin__")
        for name in ("set", "frozenset", "list", "dict")
    },
    ("builtins", "bytearray"): Maker(_bytes),
    ("builtins", "complex"): Maker(_nothing),
}


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST
