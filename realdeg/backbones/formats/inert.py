"""An unpickler that builds nothing but plain data, and stand-ins for everything else."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import torch


@dataclass(frozen=True)
class StorageRef:
    """Where a tensor's numbers lie: a storage of the file, by its key."""

    key: str
    dtype: torch.dtype
    length: int
    first: int = 0


@dataclass(frozen=True)
class TensorRef:
    """A tensor that is yet to be read."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Inert:
    """Stands for an object of any class: keeps what it was made from, and does nothing."""

    name = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.state: Any = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Inert:
        """Make one even where ``__init__`` is never called."""
        made = super().__new__(cls)
        made.args, made.state = args, None
        return made

    def __setstate__(self, state: Any) -> None:
        # Where a class has slots, the dict comes first.
        self.state = state[0] if isinstance(state, tuple) and len(state) == 2 else state
        if self.state is None or not isinstance(self.state, dict):
            self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Drop an item of a dict's subclass."""

    def append(self, value: Any) -> None:
        """Drop an item of a list's subclass."""


class _Maker:
    """A function that a pickle may call. It has no attributes that a pickle could set."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("a function is given a state")


@dataclass(frozen=True)
class _StorageType:
    dtype: torch.dtype


_STORAGES: dict[str, torch.dtype] = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# Types of the language itself: nothing can be set on them, and making one runs nothing foreign.
_PLAIN: dict[str, type] = {"set": set, "frozenset": frozenset, "dict": dict, "list": list}


class InertUnpickler(pickle.Unpickler):
    """Reads a pickle without importing a module or calling a function of anyone else's.

    Plain data stay what they are, PyTorch's tensors become :class:`TensorRef`, and every other
    class or function is replaced by an :class:`Inert` one of our own.
    """

    def find_class(self, module: str, name: str, /) -> Any:
        """Return our stand-in for a global of the pickle."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module in ("builtins", "__builtin__") and name in _PLAIN:
            return _PLAIN[name]
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return _Maker(_tensor)
        if module == "torch._utils" and name.startswith("_rebuild_parameter"):
            return _Maker(_first)
        if module == "torch" and name == "Size":
            return _Maker(tuple)
        if module in ("torch", "torch.cuda") and name in _STORAGES:
            return _StorageType(_STORAGES[name])
        if module in ("copy_reg", "copyreg") and name == "_reconstructor":
            return _Maker(_reconstructed)
        return type("Stranger", (Inert,), {"name": f"{module}.{name}"})

    def persistent_load(self, pid: Any, /) -> Any:
        """Return a reference to a storage, or a module's class without its source code."""
        if not isinstance(pid, tuple) or not pid:
            raise pickle.UnpicklingError("an unknown kind of reference")
        if pid[0] == "module" and len(pid) == 4:
            return pid[1]
        if pid[0] != "storage" or len(pid) < 5 or not isinstance(pid[1], _StorageType):
            raise pickle.UnpicklingError("a reference to something else than a known storage")
        key, length, view = str(pid[2]), pid[4], pid[5] if len(pid) > 5 else None
        first = 0
        if view is not None:  # a storage that is a part of another one
            if not (isinstance(view, tuple) and len(view) == 3):
                raise pickle.UnpicklingError("a damaged reference to a storage")
            first = view[1]
        if not (_is_length(length) and _is_length(first)):
            raise pickle.UnpicklingError("a storage of impossible size")
        return StorageRef(key, pid[1].dtype, length, first)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> TensorRef:
    sizes, strides = tuple(size), tuple(stride)
    numbers = (offset, *sizes, *strides)
    if not isinstance(storage, StorageRef) or len(sizes) != len(strides) or len(sizes) > 16:
        raise pickle.UnpicklingError("a tensor without a storage, or of impossible shape")
    if not all(_is_length(number) for number in numbers):
        raise pickle.UnpicklingError("a tensor of impossible shape")
    return TensorRef(storage, offset, sizes, strides)


def _first(*args: Any) -> Any:
    """Return a parameter's tensor."""
    return args[0] if args else None


def _reconstructed(*args: Any) -> Any:
    """Return an object of a class with Python 2's protocol 0 or 1."""
    cls = args[0] if args else None
    if not (isinstance(cls, type) and issubclass(cls, Inert)):
        raise pickle.UnpicklingError("an object of no known class")
    return cls()


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48
