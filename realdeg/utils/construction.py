"""Build what a file describes, limited to the memory that its own tensors justify."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from realdeg.errors import CheckpointError, ConfigError, GeometryError, RealdegError, first_line

# A constructor may also need masks, windows and kernels, and draws weights that the file's replace.
_SPARE_BYTES = 1 << 28
_ROOM = 4
# The deepest networks have a few thousand modules, most of them with tensors in the file.
_SPARE_PARTS = 1000

MOST_PARTS, MOST_BYTES = 20_000, 1 << 30
"""Limits for a network built from a config; the largest has a few thousand layers and 0.5 GB."""

_building: ContextVar[str] = ContextVar("the file that is being built from", default="")


def refuse_other_files(path: str | os.PathLike[str]) -> None:
    """Refuse to read a file that another file of weights names; every reader of weights calls this.

    Raises:
        CheckpointError: While something is being built from the description in a file.
    """
    if _building.get():
        raise CheckpointError(
            f"{_building.get()} names another file ({os.fspath(path)!r:.80}): a file of weights"
            " holds all that it needs, so this one is damaged or hostile."
        )


@contextmanager
def within_budget(state: Mapping[str, Tensor], where: str, what: str) -> Iterator[None]:
    """Limit what the block builds to what the tensors of a file can fill.

    Every tensor is checked before its memory is allocated and every part when it is added to a
    network, so an argument such as 2147483648 costs nothing. An error of the constructor becomes a
    sentence about the file, and no other file is read.

    Args:
        state: The file's tensors.
        where: The file, for the message.
        what: The type that is built, for the message.

    Raises:
        CheckpointError: If more is built than the file holds, or the constructor fails.
    """
    held = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    counter = _Counter(
        _ROOM * held + _SPARE_BYTES, 6 * len(state) + _SPARE_PARTS, f"the {what} in {where}"
    )
    token = _building.set(where)
    try:
        with _counting(counter):
            yield
    except ConfigError as error:  # names the argument, but not the file
        raise CheckpointError(f"{where}: {error}") from error
    except GeometryError as error:
        raise GeometryError(f"{where}: {error}", error.fits) from error
    except RealdegError:
        raise
    except Exception as error:
        # The arguments come from the file, so it is to blame for any error.
        raise CheckpointError(
            f"the arguments of {what} in {where} make no {what} ({first_line(error)}): the file is"
            " damaged, or of another release."
        ) from error
    finally:
        _building.reset(token)


@contextmanager
def bounded_parts(what: str) -> Iterator[None]:
    """Refuse an impossibly large network while it is built from a config.

    Every tensor is checked before its memory is allocated, and every part when it is added.

    Args:
        what: The type that is built, for the message.

    Raises:
        ConfigError: If it has more parts than ``MOST_PARTS`` or more bytes than ``MOST_BYTES``.
    """
    with _counting(_Bounds(MOST_BYTES, MOST_PARTS, what)):
        yield


@contextmanager
def _counting(counter: _Counter) -> Iterator[None]:
    handles = [
        register_module_parameter_registration_hook(counter.tensor_added),
        register_module_buffer_registration_hook(counter.tensor_added),
        register_module_module_registration_hook(counter.part_added),
    ]
    try:
        with _Watch(counter):
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Counter:
    """Counts what is built and refuses too much."""

    def __init__(self, most_bytes: int, most_parts: int, what: str) -> None:
        self.most_bytes, self.most_parts, self.what = most_bytes, most_parts, what
        self.bytes = self.parts = 0

    def refuse_size(self, size: int) -> None:
        if size > self.most_bytes:
            raise CheckpointError(
                f"the arguments of {self.what} ask for {size / 1e6:.0f} MB or more, and its tensors"
                f" need {(self.most_bytes - _SPARE_BYTES) / _ROOM / 1e6:.1f} MB: the file is"
                " damaged or hostile."
            )

    def tensor_added(self, module: nn.Module, name: str, tensor: Any) -> None:
        self.part_added(module, name, tensor)
        if isinstance(tensor, Tensor):
            self.bytes += tensor.numel() * tensor.element_size()
            self.refuse_size(self.bytes)

    def part_added(self, module: nn.Module, name: str, part: Any) -> None:
        self.parts += 1  # tensors count, too: a module is registered only once it is complete
        if self.parts > self.most_parts:
            raise CheckpointError(
                f"the arguments of {self.what} ask for more than {self.most_parts} parts: the file"
                " is damaged or hostile."
            )


class _Bounds(_Counter):
    """The same for a network built from a config."""

    def refuse_size(self, size: int) -> None:
        if size > self.most_bytes:
            raise ConfigError(
                f"the arguments of {self.what} ask for {size / 1e9:.1f} GB of weights or more, and"
                f" at most {self.most_bytes / 1e9:.1f} GB are made: take fewer channels or layers."
            )

    def part_added(self, module: nn.Module, name: str, part: Any) -> None:
        self.parts += 1
        if self.parts > self.most_parts:
            raise ConfigError(
                f"the arguments of {self.what} ask for more than {self.most_parts} layers and"
                " tensors: take fewer blocks."
            )


class _Watch(TorchDispatchMode):
    """Checks the size of every result before it is computed."""

    def __init__(self, counter: _Counter) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counter = counter

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler (2 s) just to skip this class

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        schema = func._schema
        # In-place calls and views allocate nothing.
        if not schema.is_mutable and not any(result.alias_info for result in schema.returns):
            if _upper_bound(func, args, kwargs) > self.counter.most_bytes:
                self.counter.refuse_size(_result_size(func, args, kwargs))
        return func(*args, **kwargs)


def _upper_bound(func: Any, args: Any, kwargs: dict[str, Any]) -> float:
    """Return an upper bound of the bytes that a call allocates, cheaply."""
    leaves = tree_leaves((args, kwargs))
    shapes = [leaf.shape for leaf in leaves if isinstance(leaf, Tensor)]
    if shapes and torch.Tag.pointwise in func.tags:
        sides = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
        return 16 * math.prod(max(aligned) for aligned in sides)
    if func in (torch.ops.aten.cat.default, torch.ops.aten.stack.default):
        return 16 * sum(math.prod(shape) for shape in shapes)
    # At worst sizes, steps and repeats multiply; a step below 1 divides.
    numbers = [abs(leaf) for leaf in leaves if type(leaf) in (int, float) and leaf]
    return 16 * math.prod(
        [
            *(max(1, math.prod(shape)) for shape in shapes),
            *(max(number, 1 / number) for number in numbers),
        ]
    )


def _result_size(func: Any, args: Any, kwargs: dict[str, Any]) -> int:
    """Return the bytes that a call allocates, without allocating; 2 s at the first call."""
    names = [argument.name for argument in func._schema.arguments]
    if "size" in names[: len(args)] and not any(isinstance(leaf, Tensor) for leaf in args):
        dtype = kwargs.get("dtype") or torch.get_default_dtype()
        return math.prod(args[names.index("size")]) * dtype.itemsize
    try:
        shadows = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
        if "device" in names:
            shadows[1]["device"] = torch.device("meta")
        results = tree_leaves(func(*shadows[0], **shadows[1]))
    except Exception:  # the size depends on values, or the call is wrong and will raise itself
        return 0
    tensors = [leaf for leaf in results if isinstance(leaf, Tensor)]
    return sum(math.prod(leaf.shape) * leaf.element_size() for leaf in tensors)
