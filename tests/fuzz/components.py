"""Files of weights that describe themselves, changed in every way, with a hash that fits again."""

from __future__ import annotations

import copy
import functools
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.fuzz.harness import CANARY, Case
from tests.fuzz.values import change_somewhere, odd_value, png

# Component files are built small: the networks' examples, and these degradations.
DEGRADATIONS: tuple[dict[str, Any], ...] = (
    {"type": "DML", "width": 4, "levels": 2, "num_kernels": 3, "kernel_size": 5},
    {"type": "ScaleDML", "width": 4, "levels": 1, "num_kernels": 3, "kernel_size": 5},
    {"type": "DirectKPN", "width": 4, "levels": 2, "kernel_size": 5},
    {"type": "DirectNet", "width": 4, "levels": 2},
    {"type": "DSGAN", "width": 4, "num_blocks": 1},
    {"type": "HighToLow", "width": 4},
    {"type": "DegFlow", "width": 4, "flow_width": 4, "flow_multipliers": [1], "flow_blocks": 1}
    | {"solver": "rk4", "steps": 1},
    {"type": "PDM", "kernel_width": 4, "kernel_blocks": 1, "noise_width": 4, "noise_blocks": 1},
    {"type": "CinCGANDegradation", "width": 4, "num_blocks": 1},
    {"type": "KernelGenerator", "width": 4, "code_size": 3},
    {"type": "GlobalKernel", "kernel_size": 7},
    {"type": "LearnedNoise", "radius": 1, "knots": 3},
    {"type": "KernelPool"},
    {"type": "NoisePool"},
    {"type": "BSRGAN"},
    {"type": "BSRGANPlus"},
    {"type": "RealESRGAN"},
    {"type": "BlurDown"},
    {"type": "Bicubic"},
    {"type": "SRMD"},
    {"type": "CameraISP"},
    {"type": "SampleCamera"},
    {"type": "Mosaic"},
    {"type": "ToneMap"},
    {"type": "JPEG"},
    {"type": "AWGN"},
    {
        "type": "Compose",
        "parts": [
            {"type": "DML", "width": 4, "levels": 1, "num_kernels": 2, "kernel_size": 5},
            {"type": "AWGN", "sigma": 5},
        ],
    },
    {"type": "OneOf", "parts": [{"type": "Bicubic"}, {"type": "GlobalKernel", "kernel_size": 5}]},
    {"type": "Maybe", "part": {"type": "DirectNet", "width": 2, "levels": 1}},
    {"type": "Repeat", "part": {"type": "Compose", "parts": [{"type": "AWGN"}]}, "times": [1, 2]},
    {"type": "RandomOrder", "parts": [{"type": "AWGN"}, {"type": "Bicubic"}]},
)


def described(
    kind: str,
    type: Any,
    arguments: Any,
    state: dict[str, Tensor],
    meta: Any = None,
    **header: str | None,
) -> bytes:
    """Return a self-describing file whose hash fits, made without any of realdeg's checks.

    Args:
        kind: What the file says that it holds.
        type: The type that it names.
        arguments: Its arguments; a text is written as it is.
        state: Its tensors.
        meta: Its notes; a text is written as it is.
        **header: Entries of the header that replace these; None leaves one out.
    """
    from safetensors.torch import save

    from realdeg.utils.component import component_hash

    text = arguments if isinstance(arguments, str) else json.dumps(arguments, sort_keys=True)
    notes = meta if isinstance(meta, str) else json.dumps({} if meta is None else meta)
    try:
        digest = component_hash(type, json.loads(text), state)
    except (TypeError, ValueError, RecursionError):
        digest = "0" * 16
    entries: dict[str, str | None] = {
        "format": "realdeg-component-1",
        "kind": kind,
        "type": type,
        "arguments": text,
        "meta": notes,
        "hash": digest,
        **header,
    }
    whole = {key: value.contiguous().clone() for key, value in state.items()}
    return save(whole, metadata={key: value for key, value in entries.items() if value is not None})


@functools.cache
def originals() -> tuple[tuple[str, str, dict[str, Any], dict[str, Tensor]], ...]:
    """Return (kind, type, arguments, state) of one small component of every type."""
    from realdeg import create_degradation
    from realdeg.registry import BACKBONES
    from realdeg.utils.component import plain

    found = []
    torch.manual_seed(0)
    for name in BACKBONES.names():
        cls = BACKBONES.require(name)
        # SpandrelModel needs a package that is not everywhere; cases are the same everywhere.
        if cls.__module__.startswith("realdeg.") and name != "SpandrelModel":
            network = cls.example()
            state = {key: value.detach() for key, value in network.state_dict().items()}
            found.append(("backbone", name, plain(network.arguments), state))
    for cfg in DEGRADATIONS:
        degradation = create_degradation(dict(cfg), scale=2)
        state = {key: value.detach() for key, value in degradation.state_dict().items()}
        found.append(("degradation", cfg["type"], plain(degradation.arguments), state))
    return tuple(found)


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield the cases; each is made again by its number.

    Args:
        seed: Another seed gives other cases.
        count: How many.
    """
    for number in range(count):
        rng = random.Random(f"components {seed} {number}")
        kind, type_, arguments, state = rng.choice(originals())
        content, what = _changed(rng, kind, type_, arguments, state)
        words, call = _use(rng, kind, type_)
        yield Case(
            f"components {seed} {number}: {type_}, {what}, {words[0] if words else 'interface'}",
            words,
            call,
            functools.partial(_write, content),
        )


def _write(content: bytes, folder: Path) -> None:
    (folder / "x.safetensors").write_bytes(content)
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(png(32, 48, seed=1))
    (folder / "cam.py").write_text("degradation = dict(checkpoint='x.safetensors')\n")
    (folder / "net.py").write_text("backbone = dict(checkpoint='x.safetensors')\n")


def _use(
    rng: random.Random, kind: str, type_: str
) -> tuple[tuple[str, ...], Callable[[Path], object] | None]:
    if rng.random() < 0.05:
        kind = rng.choice(("degradation", "backbone"))
    if kind == "degradation":
        words = rng.choice(
            [
                ("degrade", "x.safetensors", "images", "out", "--device", "cpu", "--quiet"),
                ("degrade", "cam.py", "images", "out", "--device", "cpu", "--quiet"),
                ("preview", "x.safetensors", "images/a.png", "-n", "1", "--out", "p.png"),
            ]
        )
        return words, None
    choice = rng.randrange(10)
    if choice == 0:
        return (), functools.partial(_create, type_)
    if choice < 4:
        return ("export", "x.safetensors", "y.safetensors", "--to", "safetensors"), None
    return (
        "infer",
        ("x.safetensors", "net.py")[choice % 2],
        "images",
        "out",
        "--device",
        "cpu",
    ), None


def _create(type_: str, folder: Path) -> None:
    from realdeg import create_backbone

    create_backbone(type_, weights=folder / "x.safetensors")


def _changed(
    rng: random.Random, kind: str, type_: str, arguments: Any, state: dict[str, Tensor]
) -> tuple[bytes, str]:
    arguments, state = copy.deepcopy(arguments), dict(state)
    way = rng.choice(
        ("argument",) * 10
        + ("tensor",) * 4
        + ("type", "kind", "meta", "text", "entry", "bytes", "bytes", "several", "nothing")
    )
    if way == "nothing":
        return described(kind, type_, arguments, state), way
    if way in ("argument", "several"):
        for _ in range(1 if way == "argument" else rng.randint(2, 4)):
            arguments, what = change_somewhere(rng, arguments)
        if way == "several":
            state, what = _changed_state(rng, state)
        return described(kind, type_, arguments, state), f"{way} {what}"
    if way == "tensor":
        state, what = _changed_state(rng, state)
        return described(kind, type_, arguments, state), f"{way} {what}"
    if way == "type":
        type_ = rng.choice(_types())
        return described(kind, type_, arguments, state), f"{way} {type_[:30]!r}"
    if way == "kind":
        kind = rng.choice(("degradation", "backbone", "", "discriminator", f"{CANARY}.boom"))
        return described(kind, type_, arguments, state), f"{way} {kind!r}"
    if way == "meta":
        meta = rng.choice([odd_value(rng), {"config": odd_value(rng), "sample": odd_value(rng)}])
        return described(kind, type_, arguments, state, meta), f"{way} {meta!r:.30}"
    if way == "text":
        text = rng.choice(
            ("{", "[]", "null", "NaN", '{"scale": NaN}', "[" * 99_999, '"\\ud800"', "")
        )
        return described(kind, type_, text, state), f"{way} {text[:10]!r}"
    if way == "entry":
        key = rng.choice(("format", "kind", "type", "arguments", "meta", "hash"))
        value = rng.choice((None, "", "realdeg-component-2", "x" * 100_000))
        header = {key: value}
        return _with_header(described(kind, type_, arguments, state), header), f"{way} {key}"
    content = described(kind, type_, arguments, state)
    return _damaged(rng, content)


def _types() -> list[str]:
    from realdeg.registry import BACKBONES, DEGRADATIONS, LOSSES, TASKS

    names = [*BACKBONES.names(), *DEGRADATIONS.names(), *LOSSES.names(), *TASKS.names()]
    hostile = [
        f"{CANARY}.boom",
        CANARY,
        "subprocess.getoutput",
        "os.system",
        "./x",
        "../../etc",
        "",
    ]
    return [*names, *hostile * 4, "realdeg.DML", "Adam", "\x00", "a" * 10_000]


def _changed_state(rng: random.Random, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    if not state:
        return {"surplus": torch.zeros(3)}, "surplus"
    name = rng.choice(sorted(state))
    tensor, way = state[name], rng.randrange(10)
    if way == 0:
        del state[name]
    elif way == 1:
        state[f"{name}.other"] = state.pop(name)
    elif way == 2:
        bad = rng.choice((math.nan, math.inf, -math.inf))
        if tensor.is_floating_point() and tensor.numel():
            tensor = tensor.contiguous().clone()
            tensor.view(-1)[rng.randrange(tensor.numel())] = bad
        state[name] = tensor
    elif way == 3:
        state[name] = tensor.to(
            rng.choice((torch.float64, torch.int64, torch.bool, torch.bfloat16, torch.uint8))
        )
    elif way == 4:
        state[name] = tensor.reshape(-1)
    elif way == 5:
        state[name] = tensor.unsqueeze(0)
    elif way == 6:
        state[name] = torch.zeros(0)
    elif way == 7:
        state[name] = torch.zeros((0, 2**31, 2))
    elif way == 8:
        state = {}
    else:
        state[name] = tensor * (1e30 if tensor.is_floating_point() else 1)
    return state, f"{name} {way}"


def _with_header(content: bytes, changed: dict[str, str | None]) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    for key, value in changed.items():
        if value is None:
            del header["__metadata__"][key]
        else:
            header["__metadata__"][key] = value
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def _damaged(rng: random.Random, content: bytes) -> tuple[bytes, str]:
    way = rng.choice(("cut", "flip", "flip header", "length", "longer", "zeros", "header"))
    length = int.from_bytes(content[:8], "little")
    if way == "cut":
        return content[: rng.randrange(len(content))], way
    if way in ("flip", "flip header"):
        last = len(content) if way == "flip" else 8 + length
        damaged = bytearray(content)
        damaged[rng.randrange(last)] ^= 1 << rng.randrange(8)
        return bytes(damaged), way
    if way == "length":
        wrong = rng.choice((0, 1, 7, 2**31, 2**63, 2**64 - 1, len(content), length + 1))
        return wrong.to_bytes(8, "little") + content[8:], f"{way} {wrong}"
    if way == "longer":
        return content + bytes(rng.randrange(1, 64)), way
    if way == "zeros":
        start = rng.randrange(len(content))
        return content[:start] + bytes(len(content) - start), way
    header = json.loads(content[8 : 8 + length])
    name = rng.choice(sorted(header))
    header[name], what = change_somewhere(rng, header[name])
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :], f"{way} {what}"
