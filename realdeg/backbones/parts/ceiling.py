"""A limit on what is built from a file: not much more than the file's tensors account for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from realdeg.errors import CheckpointError

RATIO, FLOOR = 4, 2**29
"""How many times the bytes of its weights a network may allocate, and how many bytes on top."""

LARGEST_SCALE = 16
"""The largest scale that a network may have."""

_MOST_MADE = 4_000  # tensors, in addition to 16 for each one in the file


def check_scale(scale: float, what: str) -> None:
    """Raise CheckpointError for a network whose results would fill memory; ``what`` names it."""
    if not 0 < scale <= LARGEST_SCALE:
        raise CheckpointError(
            f"{what} of scale {scale}, but {LARGEST_SCALE} is the largest: it is damaged or"
            " crafted to fill memory."
        )


class Ceiling(TorchDispatchMode):
    """Refuses to create more tensors than the weights justify, before memory is allocated.

    Third-party loaders take sizes and numbers of layers from names and shapes, so a file of a few
    kilobytes can ask for a network of gigabytes, or for a million layers.

    Args:
        state: The weights.
        where: Where they come from, for the message.
    """

    def __init__(self, state: Mapping[str, Tensor], where: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        held = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
        self._bytes = RATIO * held + FLOOR
        self._tensors = 16 * len(state) + _MOST_MADE
        self._where = where

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Count operations that create tensors, and run everything."""
        kwargs = dict(kwargs or {})
        sizes = _SIZES.get(func._schema.name.removeprefix("aten::"))
        if sizes is not None:
            dtype = kwargs.get("dtype") or torch.get_default_dtype()
            on_meta = str(kwargs.get("device")) == "meta"
            self._bytes -= 0 if on_meta else sizes(args) * dtype.itemsize
            self._tensors -= 1
            if self._bytes < 0 or self._tensors < 0:
                raise CheckpointError(
                    f"{self._where} asks for a network that is many times larger than the weights"
                    " in it: it is damaged or crafted to fill memory."
                )
        return func(*args, **kwargs)


def _first(args: tuple[Any, ...]) -> int:
    return math.prod(int(side) for side in args[0])


def _second(args: tuple[Any, ...]) -> int:
    return math.prod(int(side) for side in args[1])


def _steps(args: tuple[Any, ...]) -> int:
    numbers = [float(value) for value in args[:3]]
    begin, end = (0.0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else 1.0
    return math.ceil(abs(end - begin) / abs(step)) if step else 0


_SIZES: dict[str, Callable[[tuple[Any, ...]], int]] = {
    **dict.fromkeys(("empty", "zeros", "ones", "full", "rand", "randn", "empty_strided"), _first),
    **dict.fromkeys(("new_empty", "new_zeros", "new_ones", "new_full"), _second),
    "arange": _steps,
}
