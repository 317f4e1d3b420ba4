"""Weights of six formats: damaged ones, hostile ones, and what no program would write.

``.pth`` as archives and as before PyTorch 1.6, safetensors of others and of our own, MatConvNet's
``.mat``, Caffe's ``.caffemodel`` and ncnn's ``.param`` with its ``.bin``.
"""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import random
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as save_safetensors
from scipy.io import savemat

from realdeg.backbones import VDSR
from realdeg.utils.component import save_component
from tests.fuzz.harness import CANARY, Case
from tests.utils import hostile
from tests.utils.foreign import (
    array,
    blob,
    cell,
    element,
    filters,
    layer,
    mat,
    message,
    ncnn_conv,
    ncnn_file,
    ncnn_layer,
    nested,
    packed,
    varint,
)

SMALL = {"depth": 3, "width": 4}
_ARGUMENTS = [f"{key}={value}" for key, value in SMALL.items()]
_BIN = b"\n=== the .bin ===\n"  # ends the .param of ncnn's two files
Make = Callable[[random.Random], bytes]


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield cases, each from a random stream of its own.

    Args:
        seed: Another one, other cases.
        count: How many.
    """
    formats = list(FORMATS)
    for number in range(count):
        noise = random.Random(f"weights {seed} {number}")
        suffix = formats[number % len(formats)]
        makers = FORMATS[suffix]
        make = makers[noise.randrange(len(makers))]
        content = make(noise)
        if noise.random() < 0.15:
            content = damaged(content, noise)
        name = f"{seed}-{number} {suffix} {make.__name__.lstrip('_')}"
        yield _case(name, f"w{suffix.removeprefix('old')}", content, noise)


def _case(name: str, file: str, content: bytes, noise: random.Random) -> Case:
    def prepare(folder: Path) -> None:
        text, _, numbers = content.partition(_BIN)
        (folder / file).write_bytes(text if file.endswith(".param") else content)
        if file.endswith(".param"):
            (folder / file).with_suffix(".bin").write_bytes(numbers)
        pixels = np.random.default_rng(0).integers(0, 255, (12, 14, 3), np.uint8)
        from realdeg.utils.image import write_image

        write_image(folder / "lr.png", pixels)

    way = noise.random()
    if way < 0.5:
        return Case(f"{name}, listed", ("convert_weights", file), prepare=prepare)
    if way < 0.75:
        words = ("convert_weights", file, "out.safetensors", "--backbone", "VDSR", "--arguments")
        partial = ("--partial",) if noise.random() < 0.5 else ()
        return Case(f"{name}, converted", (*words, *_ARGUMENTS, *partial), prepare=prepare)
    if way < 0.85:
        options = [f"backbone.{each}" for each in (f"checkpoint={file}", *_ARGUMENTS)]
        words = ("infer", "VDSR", "lr.png", "out.png", "--scale", "2", "--cfg-options", *options)
        return Case(f"{name}, used", words, prepare=prepare)
    if way < 0.9 and file.endswith(".safetensors"):
        return Case(f"{name}, alone", ("infer", file, "lr.png", "out.png"), prepare=prepare)
    if file.endswith(".pth"):
        return Case(
            f"{name}, taken up", call=lambda folder: _take_up(folder / file), prepare=prepare
        )
    words = ("export", "VDSR", "out/x.safetensors", "--to", "safetensors", "--scale", "2")
    options = [f"backbone.{each}" for each in (f"checkpoint={file}", *_ARGUMENTS)]
    return Case(f"{name}, exported", (*words, "--cfg-options", *options), prepare=prepare)


def _take_up(file: Path) -> None:
    """Read a file as training does, and show that naive code can go through what comes."""
    from realdeg.engine.checkpoint import read_checkpoint

    def through(value: object) -> None:
        if isinstance(value, dict):
            for each in value.values():
                through(each)
        elif isinstance(value, list | tuple):
            for each in value:
                through(each)

    through(read_checkpoint(file))


def damaged(content: bytes, noise: random.Random) -> bytes:
    """Flip bits, cut, repeat or fill some of a file."""
    data = bytearray(content)
    if not data:
        return content
    way = noise.randrange(6)
    at = noise.randrange(len(data))
    if way == 0:
        for _ in range(noise.randint(1, 8)):
            data[noise.randrange(len(data))] ^= 1 << noise.randrange(8)
    elif way == 1:
        del data[at:]
    elif way == 2:
        data[at : at + noise.randint(1, 64)] = noise.randbytes(noise.randint(0, 64))
    elif way == 3:
        data[at:at] = data[at : at + noise.randint(1, 256)]
    elif way == 4:
        data[at : at + 8] = noise.choice((b"\xff" * 8, bytes(8), b"\x00\x00\x00\x80" * 2))
    else:
        data += noise.randbytes(noise.randint(1, 200))
    return bytes(data)


def _networks() -> VDSR:
    torch.manual_seed(0)
    return VDSR(**SMALL)


@functools.cache
def _torch_files() -> dict[bool, list[bytes]]:
    """Whole files of both forms: a state dict, wrapped, a network, a training's state."""
    found: dict[bool, list[bytes]] = {True: [], False: []}
    network = _networks()
    state = network.state_dict()
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.rand(1, 1, 8, 8)).sum().backward()
    optimiser.step()
    training = {
        "meta": {"iter": 3, "seed": 0},
        "state_dict": state,
        "optimizer": optimiser.state_dict(),
    }
    basicsr = {"epoch": 1, "iter": 5, "optimizers": [optimiser.state_dict()], "schedulers": [{}]}
    halves = {"params": state, "params_ema": {key: each.half() for key, each in state.items()}}
    for new in found:
        for content in (state, halves, network, training, basicsr, {"net": network, "epoch": 9}):
            stream = io.BytesIO()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.save(content, stream, _use_new_zipfile_serialization=new)
            found[new].append(stream.getvalue())
    return found


def _archive(pickled: bytes, noise: random.Random, storages: dict[str, bytes]) -> bytes:
    """Write a file of ``torch.save`` as whole as a hostile program would."""
    stream = io.BytesIO()
    packing = noise.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", packing) as out:
        warnings.simplefilter("ignore")
        out.writestr("archive/data.pkl", pickled)
        for key, content in storages.items():
            out.writestr(f"archive/data/{key}", content)
        if noise.random() < 0.2:
            out.writestr(noise.choice(("../../x", "/etc/x", "archive/data.pkl", "a\\b")), b"x")
    return stream.getvalue()


def _flipped_archive(noise: random.Random) -> bytes:
    """Damage as a bad disk does."""
    return damaged(noise.choice(_torch_files()[True]), noise)


def _changed_pickle(noise: random.Random) -> bytes:
    """Change the pickle and mend the checksum, so that the change is read."""
    with zipfile.ZipFile(io.BytesIO(noise.choice(_torch_files()[True]))) as opened:
        parts = {each: opened.read(each) for each in opened.namelist()}
    key = next(each for each in parts if each.endswith("data.pkl"))
    for _ in range(noise.randint(1, 3)):
        parts[key] = damaged(parts[key], noise)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        for each, content in parts.items():
            out.writestr(each, content)
    return stream.getvalue()


def _changed_tensors(noise: random.Random) -> bytes:
    """Change keys, shapes, strides and lengths."""
    sizes = (0, 1, 2, 3, 4, 64, 2**20, 2**31, 2**40, 2**47, 2**62, -1)
    values = {}
    for name in _networks().state_dict():
        shape = tuple(noise.choice(sizes) for _ in range(noise.randint(0, 5)))
        stride = tuple(noise.choice(sizes) for _ in shape)
        if noise.random() < 0.5:
            shape, stride = (4, 4, 3, 3), (36, 9, 3, 1)
        new = noise.choice((name, name, name[: noise.randint(0, 9)], name * 300, "\x1b[2J" + name))
        values[new] = hostile.tensor("0", noise.choice(sizes), shape, stride)
    content = noise.choice((bytes(576), bytes(16), noise.randbytes(576), b"\xff" * 576))
    return _archive(hostile.state(**values), noise, {"0": content})


def _callable(noise: random.Random) -> tuple[bytes, bytes]:
    """A function that must never be called, and its arguments."""
    module, name, words = noise.choice(
        (
            ("os", "system", ("touch ran",)),
            ("posix", "system", ("touch ran",)),
            ("subprocess", "getoutput", ("touch ran",)),
            (CANARY, "boom", ()),
            ("builtins", "exec", (f"import {CANARY}",)),
            ("builtins", "eval", (f"__import__('{CANARY}')",)),
            ("builtins", "__import__", (CANARY,)),
            ("importlib", "import_module", (CANARY,)),
            ("torch", "load", ("w.pth",)),
            ("torch.hub", "load", ("x", "y")),
            ("torch.serialization", "load", ("w.pth",)),
            ("pathlib", "Path.touch", ("ran",)),
            ("mmengine.config", "Config.fromfile", (f"{CANARY}.py",)),
            ("builtins", "getattr", ("a", "b")),
            ("builtins", "bytearray", ()),
            ("torch", "zeros", ()),
            ("torch._utils", "_rebuild_meta_tensor_no_storage", ()),
        )
    )
    args = b"(" + b"".join(hostile.text(word) for word in words)
    if not words and noise.random() < 0.5:
        args += hostile.whole(2**40)
    return f"{module} {name}".encode(), args + b"t"


def _hostile_call(noise: random.Random) -> bytes:
    """Name and call a function in every way that pickles know."""
    path, args = _callable(noise)
    module, name = path.decode().split(" ")
    named = f"c{module}\n{name}\n".encode()
    calls = [
        named + args + b"R",
        hostile.text(module) + hostile.text(name) + b"\x93" + args + b"R",
        b"(" + args[1:-1] + f"i{module}\n{name}\n".encode(),
        b"(" + named + args[1:-1] + b"o",
        named + args + b"\x81",
        named + args + b"}\x92",
        named + args + b"R}(" + hostile.text("__dict__") + named + b"ub",
        b"ctorch._utils\n_rebuild_tensor_v2\n}(" + hostile.text("__call__") + named + b"ub",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(" + named + b"N" + args + b"NtR",
        b"ccollections\nOrderedDict\n(" + named + b"tR",
        named + b"Q",
        b"(" + hostile.text("storage") + named + hostile.text("0") + b"NK\x01tQ",
        b"ccopy_reg\n_reconstructor\n(" + named + b"cbuiltins\nobject\nNtR",
        b"\x82\x01",
    ]
    call = noise.choice(calls)
    whole = hostile.tensor("0", 4, (4,), (1,))
    content = hostile.state(**{"input.weight": whole, "x": call})
    return _archive(content, noise, {"0": bytes(16)})


def _pickle_bomb(noise: random.Random) -> bytes:
    """A few bytes that stand for gigabytes, or for ever."""
    deep = noise.choice((150, 5_000, 300_000))
    many = noise.choice((10_000, 500_000, 3_000_000))
    bombs = [
        hostile.nested_modules(noise.choice((10, 30, 60)), noise.random() < 0.5),
        b"\x80\x02" + hostile.shared_lists(60) + b".",
        b"\x80\x02}" + hostile.shared_lists(60, b")") + b"K\x01s.",
        b"\x80\x02" + b"]" * deep + b"a" * (deep - 1) + b".",
        b"\x80\x02" + b"(" * deep + b"t" * deep + b".",
        b"\x80\x02" + b"]" * many + b".",
        b"\x80\x04" + b"\x8f\x94" * many + b".",
        b"\x80\x02(" + b"N" * many + b"t.",
        b"\x80\x02(" + b"".join(b"ca%d\nb\n" % n for n in range(many // 10)) + b"t.",
        b"\x80\x02r" + struct.pack("<I", noise.choice((2**31 - 1, 2**32 - 1))) + b".",
        b"\x80\x02Nr" + struct.pack("<I", noise.choice((2**31 - 1, 2**32 - 1))) + b".",
        b"\x80\x03B\xff\xff\xff\xffab.",
        b"\x80\x04\x8e" + struct.pack("<Q", noise.choice((2**36, 2**63))) + b"ab.",
        b"\x80\x05\x96" + struct.pack("<Q", 2**36) + b"ab.",
        b"\x80\x02\x8b" + struct.pack("<I", 2**31 - 1) + b"ab.",
        b"\x80\x02\x8b" + struct.pack("<i", 2**20) + b"\x7f" * 2**20 + b".",
        b"\x80\x02I" + b"9" * 10**5 + b"\n.",
        b"\x80\x02cbuiltins\nbytearray\n" + hostile.whole(2**36) + b"\x85R.",
        b"\x80\x02](" + b"N" * 10**5 + b"eq\x000" + b"cbuiltins\nset\nh\x00\x85R0" * 10**4 + b"N.",
        b"\x80\x02}(" + b"".join(hostile.whole(n << 40) + b"N" for n in range(50_000)) + b"u.",
        b"\x80\x02}q\x00" + hostile.text("a") + b"h\x00s.",
    ]
    return _archive(noise.choice(bombs), noise, {"0": bytes(16)})


def _zip_bomb(noise: random.Random) -> bytes:
    """An archive that unpacks to far more, or says that it has far more in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("archive/data.pkl", hostile.state(a=hostile.tensor("0", 4, (4,), (1,))))
        out.writestr("archive/data/0", bytes(noise.choice((16, 2**20, 2**28))))
        if noise.random() < 0.3:
            for number in range(20_000):
                out.writestr(f"archive/data/{number + 1}", b"")
    content = bytearray(stream.getvalue())
    end = content.rfind(b"PK\x05\x06")
    directory = int.from_bytes(content[end + 16 : end + 20], "little")
    for _ in range(noise.randint(0, 3)):
        at = noise.choice((end + 8, end + 10, end + 12, end + 16, directory + 20, directory + 24))
        content[at : at + 4] = noise.choice((b"\xff" * 4, b"\xff\xff\xff\x7f", bytes(4)))
    return bytes(content)


def _flipped_old(noise: random.Random) -> bytes:
    """Damage as a bad disk does."""
    return damaged(noise.choice(_torch_files()[False]), noise)


def _changed_old_begin(noise: random.Random) -> bytes:
    """Change the pickles, which stand at the beginning."""
    content = noise.choice(_torch_files()[False])
    middle = len(content) // 2
    return damaged(damaged(content[:middle], noise), noise) + content[middle:]


def _hostile_old(noise: random.Random) -> bytes:
    """A hostile pickle in the place of each part of an old file."""
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)]
    parts += [pickle.dumps({"little_endian": noise.random() < 0.9}, 2)]
    parts += [hostile.state(a=hostile.tensor("0", 4, (4,), (1,))), pickle.dumps(["0"], 2)]
    make = noise.choice((_hostile_call, _pickle_bomb, _changed_tensors))
    with zipfile.ZipFile(io.BytesIO(make(noise))) as opened:
        parts[noise.choice((0, 1, 2, 3, 3, 3, 4))] = opened.read("archive/data.pkl")
    length = noise.choice((4, 4, 4, 2**40, 2**63, 0))
    tail = struct.pack("<Q", length) + bytes(16)
    if noise.random() < 0.1:
        return bytes(257) + b"ustar" + b"".join(parts)
    return b"".join(parts) + tail


@functools.cache
def _own() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        save_component(path, _networks(), kind="backbone", type="VDSR", arguments=SMALL)
        return path.read_bytes()


def _flipped_safetensors(noise: random.Random) -> bytes:
    """Damage as a bad disk does."""
    state = {name: each.clone() for name, each in _networks().state_dict().items()}
    return damaged(noise.choice((save_safetensors(state), _own())), noise)


def _lying_header(noise: random.Random) -> bytes:
    """A header that says what does not hold."""
    sizes = (0, 1, 4, 576, 2**31, 2**40, 2**62, 2**64, -1, 1.5, "a", None)
    header: dict[str, object] = {}
    for name in ("input.weight", "input.bias", "a" * noise.choice((3, 10_000)), "\x1b]0;x\x07"):
        header[name] = {
            "dtype": noise.choice(
                ("F32", "F16", "BF16", "F64", "I8", "BOOL", "F8_E4M3", "F4", "X")
            ),
            "shape": [noise.choice(sizes) for _ in range(noise.randint(0, 4))],
            "data_offsets": [noise.choice(sizes), noise.choice(sizes)],
        }
        if noise.random() < 0.4:
            header[name] = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    for name in list(header)[noise.randint(0, 4) :]:
        del header[name]
    if noise.random() < 0.4:
        header["__metadata__"] = _notes(noise)
    text = json.dumps(header).encode()
    if noise.random() < 0.1:
        text = b'{"a":' * 100_000
    if noise.random() < 0.1:
        text = text.replace(b"input", b"inp\xff\xfe")
    length = noise.choice((len(text), len(text), len(text), 2**63, 2**30, 0, len(text) * 2))
    return struct.pack("<Q", length) + text + noise.randbytes(noise.choice((0, 16, 576)))


def _notes(noise: random.Random) -> object:
    """What a component says of itself, or not quite."""
    nested_text = "[" * 100_000
    values = ("realdeg-component-1", "backbone", "VDSR", f"{CANARY}.boom", "{}", "[]", "1e999")
    values += (nested_text, '{"depth": 100000000}', '{"width": 1e18}', "null", "\x1b[2J", "NaN")
    names = ("format", "kind", "type", "arguments", "meta", "hash", "file_hash")
    notes = {name: noise.choice(values) for name in names if noise.random() < 0.9}
    if noise.random() < 0.7:
        notes["format"] = "realdeg-component-1"
    return noise.choice((notes, notes, notes, [], "x", {"a": 1}))


def _odd_tensors(noise: random.Random) -> bytes:
    """Whole files whose tensors are of no network."""
    kinds = (torch.float64, torch.float16, torch.bool, torch.int64, torch.float8_e4m3fn)
    kinds += (torch.bfloat16, torch.uint8, torch.complex64)
    state: dict[str, torch.Tensor] = {}
    for name, each in _networks().state_dict().items():
        value = each.clone()
        way = noise.randrange(6)
        if way == 0:
            value = value.to(noise.choice(kinds))
        elif way == 1:
            value.view(-1)[0] = noise.choice((float("nan"), float("inf")))
        elif way == 2:
            value = torch.zeros(noise.choice(((0,), (), (10**6, 0), (1,) * 7, (4, 4, 3, 3))))
        state[noise.choice((name, name, f"module.{name}", f"body.{10**9}.{name}"))] = value
    return save_safetensors(state)


@functools.cache
def _mats() -> list[bytes]:
    network = _networks()
    layers = [network.input, network.residual_layer[0].conv, network.output]
    pairs = [(filters(each.weight.detach()), each.bias.detach().numpy()) for each in layers]
    chain = cell([{"type": "conv", "name": "c", "weights": cell(list(pair))} for pair in pairs[:1]])
    params = np.zeros((1, 2), dtype=[("name", object), ("value", object)])
    params[0, 0], params[0, 1] = ("conv1_f", pairs[0][0]), ("conv1_b", pairs[0][1])
    model = {"weight": cell([w for w, _ in pairs]), "bias": cell([b for _, b in pairs])}
    found = []
    for content in ({"model": model}, {"net": {"layers": chain}}, {"net": {"params": params}}):
        for packing in (False, True):
            stream = io.BytesIO()
            savemat(stream, content, do_compression=packing)
            found.append(stream.getvalue())
    return found


def _flipped_mat(noise: random.Random) -> bytes:
    """Damage as a bad disk does; packed variables are damaged inside."""
    whole = noise.choice(_mats())
    if noise.random() < 0.5:
        return damaged(whole, noise)
    from realdeg.backbones.formats.matlab import unpacked

    handle, name = tempfile.mkstemp(suffix=".mat")
    with os.fdopen(handle, "wb") as stream:
        stream.write(whole)
    content = unpacked(Path(name))
    os.unlink(name)
    return mat(packed(damaged(content[128:], noise)))


def _strange_mat(noise: random.Random) -> bytes:
    """Arrays of any class, size and content."""

    def part(depth: int) -> bytes:
        form = noise.choice((1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 17, 255))
        sizes = tuple(
            noise.choice((0, 1, 1, 1, 2, 3, 2**16, 2**31 - 1, -1))
            for _ in range(noise.randint(1, 4))
        )
        inner = [part(depth + 1) for _ in range(noise.randint(0, 2))] if depth < 5 else []
        numbers = element(noise.choice((1, 2, 5, 7, 9, 14, 16, 99)), noise.randbytes(8))
        names = element(5, struct.pack("<I", noise.choice((0, 1, 8, 32)))) + element(
            1, b"layers\0\0"
        )
        content = noise.choice(([numbers], inner, [names, *inner], [names, names], []))
        return array(form, sizes, *content, name=noise.choice(("net", "", "model", "\xe9" * 40)))

    variables = [part(0) for _ in range(noise.randint(1, 3))]
    return mat(*(packed(each) if noise.random() < 0.5 else each for each in variables))


def _mat_bomb(noise: random.Random) -> bytes:
    """A few kilobytes that unpack or nest far beyond any network."""
    size = noise.choice((2**20, 2**27))
    bombs = (
        lambda: mat(packed(array(6, (size, 1), element(2, bytes(size)), name="a"))),
        lambda: mat(packed(nested(noise.choice((20, 200, 20_000))))),
        lambda: mat(packed(array(1, (2**22, 1), bytes(2**25), name="net"))),
        lambda: mat(packed(array(1, (2**20, 1), element(14, b"") * 2**20, name="net"))),
        lambda: mat(*[array(6, (0, 0), element(9, b""), name="a")] * 100_000),
        lambda: b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400),
        lambda: bytes(4) + noise.randbytes(200),
        lambda: mat(array(4, (1, 2**30), element(16, b""), name="a")),
    )
    return noise.choice(bombs)()


@functools.cache
def _caffes() -> list[bytes]:
    network, found = _networks(), []
    layers = [network.input, network.residual_layer[0].conv, network.output]
    for v1 in (False, True):
        content = message(1, b"VDSR")
        for number, each in enumerate(layers, 1):
            blobs = [blob(each.weight.detach(), v1), blob(each.bias.detach(), v1, packed=False)]
            content += layer(f"conv{number}", "Convolution", blobs, v1)
        found.append(content)
    return found


def _flipped_caffe(noise: random.Random) -> bytes:
    """Damage as a bad disk does."""
    return damaged(noise.choice(_caffes()), noise)


def _strange_caffe(noise: random.Random) -> bytes:
    """Fields of any number, type and length."""

    def part(depth: int) -> bytes:
        number = noise.choice((1, 2, 3, 4, 5, 6, 7, 8, 100, 2**28, 0))
        wire = noise.choice((0, 1, 2, 2, 2, 3, 4, 5, 6))
        key = varint(number << 3 | wire)
        if wire == 0:
            return key + noise.choice(
                (varint(5), varint(2**63), b"\xff" * 9 + b"\x01", b"\xff" * 11)
            )
        if wire == 2:
            inner = (
                b"".join(part(depth + 1) for _ in range(noise.randint(0, 4))) if depth < 6 else b""
            )
            inner = noise.choice((inner, inner, noise.randbytes(12), b"conv1"))
            length = noise.choice((len(inner), len(inner), len(inner), 2**40, 2**63))
            return key + varint(length) + inner
        return key + noise.randbytes({1: 8, 5: 4}.get(wire, 0))

    content = b"".join(part(0) for _ in range(noise.randint(1, 8)))
    sizes = [
        noise.choice((0, 1, 4, 2**20, 2**31, 2**40, 2**62)) for _ in range(noise.randint(0, 9))
    ]
    shape = message(7, message(1, b"".join(map(varint, sizes))))
    numbers = message(5, bytes(noise.choice((0, 4, 16, 18))))
    return content * noise.randint(0, 1) + layer("conv1", "Convolution", [shape + numbers], False)


def _caffe_bomb(noise: random.Random) -> bytes:
    """Millions of fields, names and numbers."""
    many = noise.choice((10_000, 3_000_000))
    one = varint(5 << 3 | 5) + bytes(4)
    bombs = (
        lambda: layer("a", "Convolution", [one * many], False),
        lambda: b"\x38\x00" * many,
        lambda: message(100, b"") * many,
        lambda: message(100, message(7, b"")) * many,
        lambda: layer("a" * many, "Convolution", [one], False),
        lambda: layer("a", "Convolution", [message(7, message(1, b"\x01" * many))], False),
        lambda: functools.reduce(lambda inner, _: message(100, inner), range(2000), b""),
    )
    return noise.choice(bombs)()


def _ncnn() -> tuple[bytes, bytes]:
    network = _networks()
    layers = [network.input, network.residual_layer[0].conv, network.output]
    halves = (False, True, False)
    return ncnn_file(
        *(
            ncnn_conv(f"Conv_{n}", each.weight, each.bias, half)
            for n, (each, half) in enumerate(zip(layers, halves, strict=True))
        ),
        ncnn_layer("PReLU", "PRelu_3", {0: 4}, bytes(16)),
        ncnn_layer("MemoryData", "m", {0: 3, 1: 1, 2: 2}, bytes(24)),
    )


def _flipped_ncnn(noise: random.Random) -> bytes:
    """Damage one of the two files as a bad disk does."""
    text, numbers = _ncnn()
    if noise.random() < 0.5:
        return damaged(text, noise) + _BIN + numbers
    return text + _BIN + damaged(numbers, noise)


def _strange_ncnn(noise: random.Random) -> bytes:
    """Layers of any type with sizes that the file cannot fill."""
    kinds = ("Convolution", "Deconvolution", "ConvolutionDepthWise", "InnerProduct", "PReLU")
    kinds += ("BatchNorm", "Scale", "MemoryData", "LSTM", "os.system", "\x1b[2J", "Input")
    sizes = ("0", "1", "3", "4", "36", "2147483647", "9" * 30, "-1", "-233", "1e9", "nan", "", "x")
    keys = (*range(9), 11, 19, 21, 28, -23310, 10**30)
    lines = []
    for number in range(noise.randint(0, 6)):
        settings = [
            f"{noise.choice(keys)}={noise.choice(sizes)}" for _ in range(noise.randint(0, 6))
        ]
        counts = noise.choice(("0 0", "1 1 a b", "0 1", "99999999999 1 a", "-1 0"))
        name = noise.choice((f"l{number}", "l", "\x1b]0;x\x07", "a" * 5000, "../../x"))
        lines.append(" ".join([noise.choice(kinds), name, counts, *settings]))
    stated = noise.choice((len(lines), len(lines), len(lines), 0, 10**9))
    text = "\n".join(["7767517", f"{stated} 1", *lines])
    tag = noise.choice((bytes(4), struct.pack("<I", 0x01306B47), struct.pack("<I", 0x000D4B38)))
    return text.encode() + _BIN + tag + bytes(noise.choice((0, 16, 576)))


def _ncnn_bomb(noise: random.Random) -> bytes:
    """Millions of layers, settings, names and digits."""
    many = noise.choice((10_000, 1_000_000))
    lines = noise.choice(
        (
            ["ReLU r 0 0"] * many,
            ["PReLU p 0 0 0=2147483647"] * 1000,
            ["ReLU r 0 0 " + "0=1 " * many],
            [f"ReLU {'r' * many} 0 0"],
            [f"PReLU p 0 0 0={'9' * many}"],
            [f"ReLU r {'9' * many} 0"],
            ["BatchNorm b 0 0 0=0"] * many,
        )
    )
    return "\n".join(["7767517", f"{len(lines)} 1", *lines]).encode() + _BIN + bytes(64)


FORMATS: dict[str, list[Make]] = {
    ".pth": [
        *(_flipped_archive, _changed_pickle, _changed_pickle, _changed_tensors),
        *(_hostile_call, _hostile_call, _pickle_bomb, _zip_bomb),
    ],
    "old.pth": [_flipped_old, _changed_old_begin, _hostile_old, _hostile_old],
    ".safetensors": [_flipped_safetensors, _lying_header, _odd_tensors],
    ".mat": [_flipped_mat, _flipped_mat, _strange_mat, _mat_bomb],
    ".caffemodel": [_flipped_caffe, _strange_caffe, _caffe_bomb],
    ".param": [_flipped_ncnn, _flipped_ncnn, _strange_ncnn, _ncnn_bomb],
}
