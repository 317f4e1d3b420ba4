"""Every kind of file that is read, with names of code wherever names stand.

For each there is an innocent file as well, which has to be taken: a file that is refused unread
would prove nothing.
"""

from __future__ import annotations

import copy
import functools
import importlib
import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from tests.fuzz.components import described, originals
from tests.fuzz.harness import CANARY, Case
from tests.fuzz.values import png

INNOCENT = "innocent"
_NAMES = (f"{CANARY}.boom", CANARY, "subprocess.getoutput", "os.system", f"realdeg.{CANARY}.boom")
_FOLDERS = ("images", "out", "--device", "cpu", "--quiet")


class _Reduced:
    """What a pickle calls when it is read by pickle itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module("os").system, ("true",)


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield the innocent files, then the others in an order that the seed draws.

    Args:
        seed: Another seed, another order.
        count: The most.
    """
    made = [*_components(), *_pickles(), *_traces(), *_configs(), *_cards(), *_pools()]
    random.Random(seed).shuffle(made)
    made.sort(key=lambda case: not case.name.startswith(INNOCENT))
    yield from made[:count]


def _case(
    name: str,
    files: dict[str, bytes],
    words: tuple[str, ...] = (),
    call: Callable[[Path], object] | None = None,
) -> Case:
    return Case(name, words, call, functools.partial(_write, files))


def _write(files: dict[str, bytes], folder: Path) -> None:
    for name, content in {"images/a.png": png(32, 48, 1), **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _original(type_: str) -> tuple[str, str, dict[str, Any], dict[str, torch.Tensor]]:
    return next(found for found in originals() if found[1] == type_)


def _texts(value: Any, name: str) -> Iterator[Any]:
    """Yield plain data with one text or ``type`` after another replaced by a name."""
    for place in _places(value):
        changed = copy.deepcopy(value)
        holder = functools.reduce(lambda inner, key: inner[key], place[:-1], changed)
        holder[place[-1]] = name
        yield changed


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from _places(item, (*place, key))
        elif isinstance(item, str):
            yield (*place, key)


def _components() -> Iterator[Case]:
    commands = {
        "degradation": (
            ("degrade", "x.safetensors", *_FOLDERS),
            ("preview", "x.safetensors", "images/a.png", "-n", "1", "--out", "p.png"),
            ("degrade", "cam.py", *_FOLDERS),
        ),
        "backbone": (
            ("infer", "x.safetensors", *_FOLDERS),
            ("export", "x.safetensors", "y.safetensors", "--to", "safetensors"),
            ("infer", "net.py", *_FOLDERS),
        ),
    }
    configs = {
        "cam.py": b"degradation = dict(checkpoint='x.safetensors')\n",
        "net.py": b"backbone = dict(checkpoint='x.safetensors')\n",
    }
    for type_ in ("Compose", "FSRCNN"):
        kind, _, arguments, state = _original(type_)
        plain = described(kind, type_, arguments, state)
        for words in commands[kind]:
            title = f"component, {' '.join(words[:2])}"
            yield _case(f"{INNOCENT} {title}", {"x.safetensors": plain, **configs}, words)
            for name in _NAMES:
                for number, content in enumerate(_hostile(kind, type_, arguments, state, name)):
                    files = {"x.safetensors": content, **configs}
                    yield _case(f"{title}, {name}, {number}", files, words)
    for name in _NAMES:
        kind, type_, arguments, state = _original("FSRCNN")
        content = described(kind, name, {"cmd": "true", **arguments}, state)
        yield _case(f"component, interface, {name}", {"x.safetensors": content}, (), _create)


def _hostile(
    kind: str, type_: str, arguments: dict[str, Any], state: dict[str, torch.Tensor], name: str
) -> Iterator[bytes]:
    yield described(kind, name, {"cmd": "true", "command": "true", "args": "true"}, state)
    yield described(name, type_, arguments, state)
    yield described(kind, type_, arguments, state, {"config": f"import {CANARY}", "type": name})
    for changed in _texts(arguments, name):
        yield described(kind, type_, changed, state)
    yield described(kind, type_, {**arguments, "parts": [{"type": name, "cmd": "true"}]}, state)


def _create(folder: Path) -> None:
    from realdeg import create_backbone

    create_backbone("FSRCNN", weights=folder / "x.safetensors")


def _pickles() -> Iterator[Case]:
    _, type_, arguments, state = _original("FSRCNN")
    given = [f"{key}={value}" for key, value in arguments.items() if value is not None]
    convert = ("convert_weights", "x.pth", "y.safetensors", "--backbone", type_)
    words = (*convert, "--arguments", *given) if given else convert
    files = {"x.pth": _saved({"params": state})}
    yield _case(f"{INNOCENT} checkpoint, convert_weights", files, words)
    hostile = {
        "torch.save": _saved({"params": state, "meta": _Reduced()}),
        "whole": _saved(_Reduced()),
        "pickle": pickle.dumps({"state_dict": _Reduced()}, protocol=2),
        "zip": _zipped(pickle.dumps(_Reduced(), protocol=2)),
        "canary": b"\x80\x02c" + CANARY.encode() + b"\nboom\n(tR.",
    }
    for name, content in hostile.items():
        for file in ("x.pth", "x.ckpt", "x.mat", "x.caffemodel", "x.safetensors"):
            changed = tuple(file if word == "x.pth" else word for word in words)
            yield _case(f"checkpoint {file}, convert_weights, {name}", {file: content}, changed)
        config = f"backbone = dict(type='{type_}', checkpoint='x.pth')\nscale = 2\n".encode()
        made = {"x.pth": content, "net.py": config}
        yield _case(f"checkpoint, infer, {name}", made, ("infer", "net.py", *_FOLDERS))
        yield _case(f"checkpoint, infer itself, {name}", made, ("infer", "x.pth", *_FOLDERS))


def _saved(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def _zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
    return stream.getvalue()


def _traces() -> Iterator[Case]:
    from tests.fuzz.traces import drawn

    words = ("preview", "x.safetensors", "images/a.png", "--trace", "t.jsonl", "--out", "p.png")
    for type_ in ("Compose", "BSRGAN", "RealESRGAN"):
        component, trace = next((c, t) for found, c, t in drawn() if found == type_)
        plain = {"x.safetensors": component, "t.jsonl": json.dumps(trace).encode()}
        yield _case(f"{INNOCENT} trace of {type_}", plain, words)
        for number, changed in enumerate(_texts(trace, _NAMES[0])):
            files = {**plain, "t.jsonl": json.dumps(changed).encode()}
            yield _case(f"trace of {type_}, {number}", files, words)
        header = {"record": "header", "format": _NAMES[0], "degradation": {"type": _NAMES[0]}}
        record = {"record": "image", "name": _NAMES[0], "output": _NAMES[0], "trace": trace}
        lines = f"{json.dumps(header)}\n{json.dumps(record)}\n".encode()
        degrade = ("degrade", "x.safetensors", *_FOLDERS)
        files = {"x.safetensors": component, "t.jsonl": lines, "out/manifest.jsonl": lines}
        yield _case(f"manifest of {type_}, preview", files, words)
        yield _case(f"manifest of {type_}, degrade", files, degrade)


def _configs() -> Iterator[Case]:
    plain = {"degradation": {"type": "AWGN", "sigma": 5}, "scale": 2, "same_size": False}
    for suffix in ("json", "yaml"):
        degrade = ("degrade", f"c.{suffix}", *_FOLDERS)
        content = json.dumps(plain).encode()  # which is YAML, too
        yield _case(f"{INNOCENT} config {suffix}", {f"c.{suffix}": content}, degrade)
        for name in _NAMES:
            for key in ("degradation", "backbone", "model", "visualizer", "log_processor"):
                changed = {**plain, key: {"type": name, "cmd": "true"}}
                files = {f"c.{suffix}": json.dumps(changed).encode()}
                for command in (degrade, ("train", f"c.{suffix}"), ("test", f"c.{suffix}")):
                    yield _case(f"config {suffix}, {command[0]}, {key}, {name}", files, command)
            for key in ("custom_imports", "_base_", "runner_type", "default_scope"):
                value = {"imports": [CANARY]} if key == "custom_imports" else name
                files = {f"c.{suffix}": json.dumps({**plain, key: value}).encode()}
                yield _case(f"config {suffix}, {key}, {name}", files, degrade)
    tags = (f"!!python/object/apply:{CANARY}.boom []", f"!!python/name:{CANARY}.boom ''")
    for tag in tags:
        content = f"scale: 2\ndegradation: {tag}\n".encode()
        for words in (("degrade", "c.yaml", *_FOLDERS), ("test", "run"), ("train", "c.yaml")):
            files = {"c.yaml": content, "run/config.yaml": content}
            yield _case(f"config yaml, {words[0]}, {tag[:20]}", files, words)
    for name in _NAMES:
        saved = json.dumps({"model": {"type": name}, "custom_imports": {"imports": [CANARY]}})
        for words in (("test", "run"), ("train", "run"), ("browse", "run")):
            files = {"run/config.yaml": saved.encode()}
            yield _case(f"run's config, {words[0]}, {name}", files, words)
    for option in (
        "train_dataloader.collate_fn.type",
        "degradation.type",
        "model_wrapper_cfg.type",
    ):
        words = ("train", "vdsr/vdsr_t91_x4_cpu", "--cfg-options", f"{option}={_NAMES[0]}")
        yield _case(f"option {option}", {}, words)


def _cards() -> Iterator[Case]:
    kind, type_, arguments, state = _original("FSRCNN")
    component = described(kind, type_, arguments, state)
    words = ("export", "x.safetensors", "y.safetensors", "--to", "safetensors", "--overwrite")
    files = {"x.safetensors": component}
    yield _case(f"{INNOCENT} card", files, words)
    for name in _NAMES:
        card = {"format": name, "network": {"hash": name, "type": name}, "files": [{"name": name}]}
        report = {"format": name, "mean": {name: 1}, "protocols": {name: name}}
        made = {**files, "y.json": json.dumps(card).encode(), "r.json": json.dumps(report).encode()}
        yield _case(f"card, {name}", made, words)
        yield _case(f"report, {name}", made, (*words, "--report", "r.json"))


def _pools() -> Iterator[Case]:
    from safetensors.torch import save

    from realdeg.degradations.pool import items_hash

    items = torch.zeros(2, 5, 5)
    items[:, 2, 2] = 1

    def pool(meta: Any, kind: str = "kernels", form: str = "realdeg-pool-1") -> bytes:
        header = {"format": form, "kind": kind, "scale": "2", "same_size": "false"}
        header |= {"meta": json.dumps(meta), "records": "[]"}
        return save(
            {"items": items}, metadata={**header, "hash": items_hash("kernels", items, 2, False)}
        )

    config = b"degradation = dict(type='KernelPool', pool='p.safetensors')\nscale = 2\n"
    degrade = ("degrade", "cam.py", *_FOLDERS)
    show = ("extract_pools", "show", "p.safetensors")
    for words in (degrade, show):
        title = f"pool, {words[0]}"
        files = {"cam.py": config, "p.safetensors": pool({"source": "photos"})}
        yield _case(f"{INNOCENT} {title}", files, words)
        for name in _NAMES:
            for content in (
                pool({"source": name, "type": name}),
                pool({}, name),
                pool({}, form=name),
            ):
                made = {"cam.py": config, "p.safetensors": content}
                yield _case(f"{title}, {name}", made, words)
