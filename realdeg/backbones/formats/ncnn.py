"""ncnn networks: the layers in a text file (``.param``), their numbers beside it (``.bin``)."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from realdeg.errors import CheckpointError
from realdeg.utils.budget import Budget, LimitError

_MAGIC = "7767517"
_BINARY_MAGIC = struct.pack("<I", int(_MAGIC))
_LONGEST_PARAM = 16 * 2**20  # bytes; the 999 layers of Real-ESRGAN take 116 kB
_LARGEST = 2**31 - 1
_DIGITS = len(str(_LARGEST))

# The four bytes before the numbers of a tagged array.
_FLOAT32, _FLOAT16, _INT8 = 0, 0x01306B47, 0x000D4B38
_PARAM, _BIN = ".param", ".bin"

Numbers = Mapping[int, str]
Shape = tuple[int, ...]


class MalformedError(ValueError):
    """The two files are not a network of this format."""


class _UnreadableError(ValueError):
    """They are one, of a kind that is not read."""


@dataclass(frozen=True)
class _Array:
    """One array of a layer: its name, its shape as stored, whether a tag precedes it."""

    name: str
    shape: Shape
    tagged: bool = False


def is_ncnn(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names an ncnn network: a ``.param``, or a ``.bin`` beside one."""
    file = Path(path)
    suffix = file.suffix.lower()
    return suffix == _PARAM or (suffix == _BIN and file.with_suffix(_PARAM).is_file())


def read_ncnn(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the weights of an ncnn network, float32 or half precision.

    Convolutions, transposed convolutions, inner products, ``PReLU``, ``Scale``, ``Bias`` and the
    normalisations become ``<layer>.weight``, ``.bias``, ``.running_mean`` and ``.running_var``;
    ``MemoryData`` becomes ``<layer>.data``. All have PyTorch's layout. Other layers have no
    weights. What the layers compute is not read.

    Args:
        path: The ``.param`` or the ``.bin`` file; the other one lies beside it, with the same stem.

    Returns:
        The tensors, float32 on the CPU, in the file's order.

    Raises:
        CheckpointError: If a file is missing or damaged, is quantised (int8, or a table of 256
            values), or the two do not belong together.

    Source:
        Tencent/ncnn, ``src/modelbin.cpp``, ``src/net.cpp`` and ``load_param`` and ``load_model``
        of each layer.
    """
    file = Path(path)
    param, numbers = file.with_suffix(_PARAM), file.with_suffix(_BIN)
    if file.suffix.lower() == _PARAM:
        param = file
    else:
        numbers = file
    for half, other in ((param, numbers), (numbers, param)):
        if not half.is_file():
            raise CheckpointError(
                f"{other} is a half of an ncnn network, and {half} is missing: put it beside it."
            )
    try:
        if param.stat().st_size > _LONGEST_PARAM:
            raise MalformedError(f"{param.name} is longer than {_LONGEST_PARAM:,} bytes")
        tensors = _read(param.read_bytes(), numbers.read_bytes())
    except LimitError as error:
        raise CheckpointError(f"{param} is not read: {error}.") from error
    except _UnreadableError as error:
        raise CheckpointError(
            f"{numbers} {error}: only float32 and half-precision weights are read."
        ) from error
    except (MalformedError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{param} and {numbers.name} cannot be read as an ncnn network ({error}): damaged, of"
            " another format, or not of the same network."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read ({error.strerror or error}).") from error
    if not tensors:
        raise CheckpointError(f"{param} holds no layers with weights.")
    return tensors


def _read(param: bytes, numbers: bytes) -> dict[str, Tensor]:
    """Read the layers one after the other, each at the place where the last one ended."""
    if param.startswith(_BINARY_MAGIC):
        raise MalformedError("the .param is of the binary form: give the text file")
    lines = str(param, "utf-8").splitlines()
    if not lines or lines[0].strip() != _MAGIC:
        raise MalformedError(f"the .param does not begin with {_MAGIC}")
    counts = lines[1].split() if len(lines) > 1 else []
    layers = [line for line in lines[2:] if line.strip()]
    if len(counts) != 2 or counts[0] != str(len(layers)):
        raise MalformedError("the .param does not state the number of its layers")
    budget, source = Budget(), _Numbers(numbers)
    tensors: dict[str, Tensor] = {}
    for line in layers:
        kind, name, settings = _layer(line, budget)
        for array in _ARRAYS[kind](settings) if kind in _ARRAYS else ():
            key = f"{name}.{array.name}"
            if key in tensors:
                raise MalformedError(f"two layers are called {name[:80]!a}")
            value = source.take(array, name)
            tensors[key] = _transposed(value, settings) if kind in _TRANSPOSED else value
    if source.left:
        raise MalformedError(f"the layers leave {source.left:,} bytes of the .bin")
    return tensors


def _layer(line: str, budget: Budget) -> tuple[str, str, Numbers]:
    """Return a layer's type, name and settings."""
    words = line.split()
    budget.spend(len(words))
    if len(words) < 4:
        raise MalformedError("a layer without type, name and counts")
    first = 4 + _whole(words[2]) + _whole(words[3])  # after the names of inputs and outputs
    if first > len(words):
        raise MalformedError(f"the layer {words[1][:80]!a} lacks inputs or outputs")
    settings: dict[int, str] = {}
    for word in words[first:]:
        key, equals, value = word.partition("=")
        if not equals or len(key) > _DIGITS or not key.removeprefix("-").isdecimal():
            raise MalformedError(f"the layer {words[1][:80]!a} has the setting {word[:80]!a}")
        settings[int(key)] = value
    return words[0], words[1], settings


class _Numbers:
    """The content of a ``.bin``, taken from its beginning to its end."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def left(self) -> int:
        """Bytes that nothing has taken."""
        return len(self._content) - self._at

    def take(self, array: _Array, layer: str) -> Tensor:
        """Return the next array, which belongs to the named layer."""
        count = math.prod(array.shape)
        if not 0 < count <= _LARGEST:
            raise MalformedError(f"the layer {layer[:80]!a} has arrays of impossible size")
        kind = self._tag(layer) if array.tagged else _FLOAT32
        dtype = np.dtype("<f2" if kind == _FLOAT16 else "<f4")
        length = count * dtype.itemsize
        length += -length % 4  # half-precision arrays are padded
        if length > self.left:
            raise MalformedError(f"the .bin ends inside the layer {layer[:80]!a}")
        values = np.frombuffer(self._content, dtype, count, self._at).astype(np.float32)
        self._at += length
        return torch.from_numpy(values).reshape(array.shape)

    def _tag(self, layer: str) -> int:
        if self.left < 4:
            raise MalformedError(f"the .bin ends inside the layer {layer[:80]!a}")
        tag = int(struct.unpack_from("<I", self._content, self._at)[0])
        self._at += 4
        if tag == _INT8:
            raise _UnreadableError(f"has int8 weights in the layer {layer[:80]!a}")
        if tag not in (_FLOAT32, _FLOAT16):
            raise _UnreadableError(
                f"has weights of the kind {tag:#010x} in the layer {layer[:80]!a} (quantised to a"
                " table, or damaged)"
            )
        return tag


def _whole(text: str) -> int:
    """Return a count that a file states."""
    if len(text) > _DIGITS or not (text.isascii() and text.isdecimal()) or int(text) > _LARGEST:
        raise MalformedError(f"found {text[:80]!a} instead of a count")
    return int(text)


def _setting(settings: Numbers, key: int, default: int = 0) -> int:
    return _whole(settings[key]) if key in settings else default


def _share(total: int, *sizes: int) -> int:
    """Return a whole quotient: the size that the others leave."""
    product = math.prod(sizes)
    if product < 1 or total < 1 or total % product:
        raise MalformedError("the number of weights is no multiple of the layer's sizes")
    return total // product


def _float_only(settings: Numbers, dynamic: int | None = None) -> None:
    if _setting(settings, 8):
        raise _UnreadableError("has layers with int8 scales")
    if dynamic is not None and _setting(settings, dynamic):
        raise _UnreadableError("has layers whose weights are inputs")


def _convolution(settings: Numbers, dynamic: int = 19) -> list[_Array]:
    _float_only(settings, dynamic)
    out, width, weights = (_setting(settings, key) for key in (0, 1, 6))
    height = _setting(settings, 11, width)
    inner = _share(weights, out, height, width)
    arrays = [_Array("weight", (out, inner, height, width), tagged=True)]
    return arrays + [_Array("bias", (out,))] * bool(_setting(settings, 5))


def _transposed_convolution(settings: Numbers) -> list[_Array]:
    return _convolution(settings, dynamic=28)


def _transposed(value: Tensor, settings: Numbers) -> Tensor:
    """Change out x in, within each group, to PyTorch's in x out."""
    if value.ndim == 1:
        return value
    groups = _setting(settings, 7, 1)
    out = _share(len(value), groups)
    parts = value.reshape(groups, out, *value.shape[1:]).transpose(1, 2)
    return parts.reshape(-1, out, *value.shape[2:])


def _inner_product(settings: Numbers) -> list[_Array]:
    _float_only(settings)
    out = _setting(settings, 0)
    arrays = [_Array("weight", (out, _share(_setting(settings, 2), out)), tagged=True)]
    return arrays + [_Array("bias", (out,))] * bool(_setting(settings, 1))


def _vectors(*names: str, size: int = 0, wanted: int | None = None) -> Callable[..., list[_Array]]:
    """Return how vectors of one length are stored, if the setting ``wanted`` is not 0."""

    def arrays(settings: Numbers) -> list[_Array]:
        if wanted is not None and not _setting(settings, wanted, 1):
            return []
        return [_Array(name, (_setting(settings, size),)) for name in names]

    return arrays


def _scale(settings: Numbers) -> list[_Array]:
    if settings.get(0) == "-233":  # the factors are an input
        return []
    size = (_setting(settings, 0),)
    return [_Array("weight", size)] + [_Array("bias", size)] * bool(_setting(settings, 1))


def _memory_data(settings: Numbers) -> list[_Array]:
    sizes = tuple(size for key in (2, 11, 1, 0) if (size := _setting(settings, key)))
    return [_Array("data", sizes or (0,), tagged=not _setting(settings, 21, 1))]


def _unread(kind: str) -> Callable[[Numbers], list[_Array]]:
    def refuse(settings: Numbers) -> list[_Array]:
        raise _UnreadableError(f"has a layer of type {kind}, whose weights are not read")

    return refuse


_TRANSPOSED = ("Deconvolution", "DeconvolutionDepthWise")
_ARRAYS: dict[str, Callable[[Numbers], list[_Array]]] = {
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    **dict.fromkeys(_TRANSPOSED, _transposed_convolution),
    "InnerProduct": _inner_product,
    "PReLU": _vectors("weight"),
    "Bias": _vectors("bias"),
    "BatchNorm": _vectors("weight", "running_mean", "running_var", "bias"),
    "InstanceNorm": _vectors("weight", "bias", wanted=2),
    "GroupNorm": _vectors("weight", "bias", size=1, wanted=3),
    "LayerNorm": _vectors("weight", "bias", wanted=2),
    "Scale": _scale,
    "MemoryData": _memory_data,
    **{
        kind: _unread(kind)
        for kind in (
            *("Convolution1D", "Convolution3D", "ConvolutionDepthWise1D", "ConvolutionDepthWise3D"),
            *("Deconvolution1D", "Deconvolution3D", "DeconvolutionDepthWise1D"),
            *("DeconvolutionDepthWise3D", "DeformableConv2D", "Embed", "Gemm", "GRU", "LSTM"),
            *("MultiHeadAttention", "Normalize", "RMSNorm", "RNN", "Quantize", "Dequantize"),
            *("Requantize", "Spectrogram", "InverseSpectrogram"),
        )
    },
}
