"""Files of MATLAB, Caffe and ncnn, written byte by byte."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import torch


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(values: torch.Tensor, legacy: bool, packed: bool = True) -> bytes:
    if legacy:
        sizes = (1,) * (4 - values.ndim) + tuple(values.shape)
        shape = b"".join(varint(n << 3) + varint(size) for n, size in enumerate(sizes, 1))
    else:
        shape = message(7, message(1, b"".join(varint(size) for size in values.shape)))
    numbers = [struct.pack("<f", float(value)) for value in values.reshape(-1)]
    if packed:
        return shape + message(5, b"".join(numbers))
    return shape + b"".join(varint(5 << 3 | 5) + number for number in numbers)


def layer(name: str, kind: str, blobs: list[bytes], v1: bool) -> bytes:
    if v1:
        text = message(4, name.encode()) + varint(5 << 3) + varint(4)
        return message(2, text + b"".join(message(6, b) for b in blobs))
    text = message(1, name.encode()) + message(2, kind.encode())
    return message(100, text + b"".join(message(7, b) for b in blobs))


def cell(items: list) -> np.ndarray:
    out = np.empty((1, len(items)), dtype=object)
    for index, item in enumerate(items):
        out[0, index] = item
    return out


def filters(weight: torch.Tensor) -> np.ndarray:
    """Store as MATLAB does: height x width x in x out, without trailing ones."""
    array = weight.permute(2, 3, 1, 0).numpy()
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    return array


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<2I", kind, len(content)) + content + bytes(-len(content) % 8)


def array(form: int, sizes: tuple[int, ...], *parts: bytes, name: str = "") -> bytes:
    """An array of a ``.mat`` file, as its bytes say."""
    flags, shape = struct.pack("<2I", form, 0), struct.pack(f"<{len(sizes)}i", *sizes)
    head = element(6, flags) + element(5, shape) + element(1, name.encode())
    return element(14, head + b"".join(parts))


def mat(*variables: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(variables)


def packed(variable: bytes) -> bytes:
    content = zlib.compress(variable, 9)
    return struct.pack("<2I", 15, len(content)) + content


def nested(depth: int) -> bytes:
    inner = array(6, (1, 1), element(9, bytes(8)))
    for _ in range(depth):
        inner = array(1, (1, 1), inner)
    return inner


def ncnn_layer(kind: str, name: str, settings: dict[int, object], content: bytes = b"") -> tuple:
    """A line of an ncnn ``.param``, and what the layer stores in the ``.bin``."""
    words = " ".join(f"{key}={value}" for key, value in settings.items())
    return f"{kind:<24} {name:<24} 1 1 in {name} {words}", content


def ncnn_array(values: torch.Tensor, tagged: bool = False, half: bool = False) -> bytes:
    """Numbers as ncnn stores them: with a tag if the layer says so, in half precision padded."""
    content = values.detach().numpy().astype("<f2" if half else "<f4").tobytes()
    tag = struct.pack("<I", 0x01306B47 if half else 0) if tagged else b""
    return tag + content + bytes(-len(content) % 4)


def ncnn_conv(name: str, weight: torch.Tensor, bias: torch.Tensor | None, half: bool = False):
    out, _, height, width = weight.shape
    settings = {0: out, 1: width, 11: height, 4: 1, 5: int(bias is not None), 6: weight.numel()}
    content = ncnn_array(weight, True, half) + (b"" if bias is None else ncnn_array(bias))
    return ncnn_layer("Convolution", name, settings, content)


def ncnn_file(*layers: tuple) -> tuple[bytes, bytes]:
    """The content of a ``.param`` and of its ``.bin``."""
    lines = ["7767517", f"{len(layers) + 1} {len(layers) + 1}", "Input input 0 1 in"]
    text = "\n".join([*lines, *(line for line, _ in layers)]) + "\n"
    return text.encode(), b"".join(content for _, content in layers)
