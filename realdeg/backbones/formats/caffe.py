"""Caffe weights (``.caffemodel``), read from the few protobuf messages that hold them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from realdeg.errors import CheckpointError
from realdeg.utils.budget import Budget, LimitError

# Numbers of the fields in caffe.proto.
_LAYERS_V1, _LAYERS = 2, 100  # of NetParameter; V1 was used until 2014
_NAME, _TYPE, _BLOBS = 1, 2, 7  # of LayerParameter
_NAME_V1, _TYPE_V1, _BLOBS_V1 = 4, 5, 6  # of V1LayerParameter
_LEGACY_SHAPE, _DATA, _SHAPE, _DOUBLES = (1, 2, 3, 4), 5, 7, 8  # of BlobProto
_DIMENSION = 1  # of BlobShape

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
_MOST_AXES = 8
_LARGEST_EMPTY = 2**20
_LARGEST = 2**31 - 1  # bytes of a message, and numbers along an axis

Value = int | memoryview


class MalformedError(ValueError):
    """The bytes are not a protobuf message of this kind."""


def read_caffe(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the blobs of a binary Caffe network.

    Convolutions and transposed convolutions have the same layout in Caffe and PyTorch. They
    become ``<layer>.weight`` and ``<layer>.bias``, as do inner products, ``Scale`` and ``PReLU``.
    ``BatchNorm`` becomes ``running_mean`` and ``running_var``, divided by its stored factor.
    Blobs of layers with more than two are named by index (``<layer>.0``).

    Args:
        path: The ``.caffemodel`` file.

    Returns:
        The tensors, float32 on the CPU, in the file's order.

    Raises:
        CheckpointError: If the file is damaged, not a Caffe network, or holds no weights.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _LARGEST:
            raise MalformedError("longer than any protobuf message")
        tensors = _Reader(Budget()).network(memoryview(file.read_bytes()))
    except LimitError as error:
        raise CheckpointError(f"{file} is not read: {error}.") from error
    except (MalformedError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{file} cannot be read as a Caffe network ({error}): damaged or of another format."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read ({error.strerror or error}).") from error
    if not tensors:
        raise CheckpointError(
            f"{file} holds no weights; expected a Caffe network with blobs, not a solver state or"
            " a prototxt."
        )
    return tensors


class _Reader:
    """Reads the messages of one file, each field of which costs one step."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def network(self, message: memoryview) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for number, value in self._fields(message):
            if number in (_LAYERS, _LAYERS_V1):
                new = number == _LAYERS
                for name, tensor in self._layer(_bytes(value), new).items():
                    if name in tensors:
                        raise MalformedError(f"two layers are called {name.rpartition('.')[0]}")
                    tensors[name] = tensor
        return tensors

    def _layer(self, message: memoryview, new: bool) -> dict[str, Tensor]:
        """Return the named blobs of a layer."""
        numbers = (_NAME, _TYPE, _BLOBS) if new else (_NAME_V1, _TYPE_V1, _BLOBS_V1)
        name, kind, blobs = "", "", []
        for number, value in self._fields(message):
            if number == numbers[0]:
                name = str(_bytes(value), "utf-8")
            elif number == numbers[1] and new:
                kind = str(_bytes(value), "utf-8")
            elif number == numbers[2]:
                blobs.append(self._blob(_bytes(value)))
        if kind == "BatchNorm" and len(blobs) == 3:
            # Caffe stores sums; the third blob is their divisor.
            factor = float(blobs[2].reshape(-1)[0]) if blobs[2].numel() else 0.0
            mean, variance = (
                blob.reshape(-1) * (1 / factor if factor else 0.0) for blob in blobs[:2]
            )
            return {f"{name}.running_mean": mean, f"{name}.running_var": variance}
        if len(blobs) > 2:
            return {f"{name}.{index}": blob for index, blob in enumerate(blobs)}
        # Old files store biases in four dimensions.
        named = zip(("weight", "bias"), blobs, strict=False)
        return {f"{name}.{key}": b if key == "weight" else b.reshape(-1) for key, b in named}

    def _blob(self, message: memoryview) -> Tensor:
        legacy = dict.fromkeys(_LEGACY_SHAPE, 1)
        shape: list[int] | None = None
        is_legacy = False
        stored = {_DATA: bytearray(), _DOUBLES: bytearray()}
        for number, value in self._fields(message):
            if number in legacy:
                legacy[number], is_legacy = _integer(value), True
            elif number == _SHAPE:
                shape = [] if shape is None else shape
                for inner, dimension in self._fields(_bytes(value)):
                    if inner == _DIMENSION:
                        shape += _integers(dimension)
            elif number in stored:
                content = _bytes(value)
                if len(content) % (4 if number == _DATA else 8):
                    raise MalformedError("a list of numbers ends inside a number")
                stored[number] += content
        if shape is None and is_legacy:
            shape = list(legacy.values())
        kind = "<f8" if stored[_DOUBLES] else "<f4"
        if all(stored.values()):
            raise MalformedError("a blob has numbers of two types")
        values = np.frombuffer(stored[_DOUBLES] or stored[_DATA], kind)
        shape = [len(values)] if shape is None else shape
        # An empty blob takes no memory, so only this limits its sizes.
        empty = 0 in shape and max(shape) > _LARGEST_EMPTY
        if len(shape) > _MOST_AXES or any(size > _LARGEST for size in shape) or empty:
            raise MalformedError("a blob has an impossible shape")
        if math.prod(shape) != len(values):
            raise MalformedError(f"a blob of shape {tuple(shape)} has {len(values)} numbers")
        return torch.from_numpy(values.astype(np.float32)).reshape(shape)

    def _fields(self, message: memoryview) -> Iterator[tuple[int, Value]]:
        """Yield the fields of one message; nested messages stay bytes."""
        at, end = 0, len(message)
        while at < end:
            key, at = _varint(message, at)
            number, wire = key >> 3, key & 7
            self._budget.spend()
            if number == 0:
                raise MalformedError("a field has number 0")
            if wire == _VARINT:
                value, at = _varint(message, at)
                yield number, value
                continue
            if wire == _BYTES:
                length, at = _varint(message, at)
            elif wire in _WIDTHS:
                length = _WIDTHS[wire]
            else:
                raise MalformedError(f"wire type {wire} at byte {at}")
            if length > end - at:
                raise MalformedError("it ends inside a field")
            yield number, message[at : at + length]
            at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index in range(10):  # 64 bits, seven to a byte
        if at + index >= len(message):
            raise MalformedError("it ends inside a number")
        byte = message[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise MalformedError("a number has more than ten bytes")


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise MalformedError("found a number instead of text or a message")
    return value


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise MalformedError("found bytes instead of a number")
    return value


def _integers(value: Value) -> list[int]:
    """Return repeated integers, stored singly or as a packed list."""
    if isinstance(value, int):
        return [value]
    numbers: list[int] = []
    at = 0
    while at < len(value) and len(numbers) <= _MOST_AXES:
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers
