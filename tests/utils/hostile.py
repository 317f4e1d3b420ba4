"""Pickles and archives made by hand, as no program writes them."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path


def archive(path: Path, pickled: bytes, **storages: bytes) -> Path:
    """Write a file of ``torch.save`` around a pickle."""
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("archive/data.pkl", pickled)
        for key, content in storages.items():
            out.writestr(f"archive/data/{key.lstrip('_')}", content)
    return path


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def whole(number: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", number)


def tensor(key: str, count: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A float32 tensor of a storage that says it has ``count`` numbers."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu")
    sizes = b"(" + b"".join(map(whole, shape)) + b"t(" + b"".join(map(whole, stride)) + b"t"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + whole(count)
        + b"tQK\x00"
        + sizes
        + (b"\x89ccollections\nOrderedDict\n)RtR")
    )


def state(**values: bytes) -> bytes:
    """A dict of values that are pickled already."""
    return b"\x80\x02}(" + b"".join(text(name) + v for name, v in values.items()) + b"u."


def nested_modules(depth: int, with_tensor: bool) -> bytes:
    """A module of one module twice, which is of one module twice, and so on."""
    first = tensor("0", 4, (4,), (1,)) if with_tensor else b"N"

    def module(fields: bytes) -> bytes:
        return b"ctorch.nn.modules.module\nModule\n)\x81}(" + fields + b"ub"

    parameters = text("_parameters") + b"}" + text("w") + first + b"s"
    body = module(parameters + text("_modules") + b"}") + b"q\x00"
    for number in range(1, depth + 1):
        inner = b"h" + bytes([number - 1])
        both = text("a") + inner + text("b") + inner
        fields = text("_parameters") + b"}" + text("_modules") + b"}(" + both + b"u"
        body += b"0" + module(fields) + b"q" + bytes([number])
    return b"\x80\x02" + body + b"."


def shared_lists(depth: int, last: bytes = b"]", pair: bytes = b"\x86") -> bytes:
    """A pair of one pair twice, which is of one pair twice, and so on."""
    return last + b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + pair for n in range(depth))
