"""Configs that somebody changed without knowing how: wrong types, wrong names, code in data.

Each case takes a small valid config, changes one to four places, writes it as Python, YAML or JSON
and runs a command on it. It may train or be refused in one sentence; nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from pprint import pformat
from random import Random
from typing import Any

import numpy as np
import yaml
from PIL import Image

from tests.fuzz.config_bases import bases
from tests.fuzz.harness import CANARY, Case


class Source(str):
    """A value that only a program can write, by its source."""

    def __repr__(self) -> str:
        return str(self)


_NAMES = (
    f"{CANARY}.boom",
    CANARY,
    "os.system",
    "subprocess.getoutput",
    "builtins.eval",
    "torch.optim.Adam",
    "mmdet.Adam",
    "realdeg.registry.DEGRADATIONS",
    "../../etc",
    "Adam",
    "DML",
    "Bicubic",
    "L1Loss",
    "PairedCrop",
    "CheckpointHook",
    "RGB",
    "y",
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 0.5, -0.5, 1e-300, 1e308, 10**9, 2**31, 2**63, 10**30),
    *("", "a" * 300, "a" * 20_000, "\0", "\ud800", "hr", "/etc", "../outside", "none.pth"),
    *({}, [], [[]], {"a": 1}, {"type": "os.getcwd"}, {"type": None}, [None], ["RGB"], [1, 2, 3]),
    *(Source("float('nan')"), Source("float('inf')"), Source("-float('inf')"), Source("10**5000")),
    *(Source("lambda *a, **k: None"), Source("b'bytes'"), Source("{1, 2}"), Source("1j")),
    *(Source("print"), Source("int"), Source("object()"), Source("range(3)"), Source("...")),
)
_TAGS = (
    "!!python/object/apply:os.system ['touch ran']",
    f"!!python/name:{CANARY}.boom",
    f"!!python/module:{CANARY}",
    f"!!python/object/new:{CANARY}.boom []",
    "!!binary aGVsbG8=",
    "!!set {a, b}",
    "!!timestamp 2020-01-01",
    ".nan",
    "-.inf",
    "!!float x",
    "&a [*a]",
)
_BASES = (
    "none.yaml",
    "program.py",
    "../outside/sentinel",
    "realdeg::../../setup",
    "realdeg::dml/dml_n8_realsrv3_x4",
    "mmdet::x.py",
    "c.yaml",
    "c.json",
)
_COMMANDS: tuple[tuple[str, ...], ...] = (
    *[("train", "{file}", "--work-dir", "w", "--device", "cpu")] * 12,
    ("test", "{file}", "--work-dir", "w", "--device", "cpu"),
    ("browse", "{file}", "-n", "2"),
    ("degrade", "{file}", "hr", "out"),
    ("preview", "{file}", "hr/0.png", "-n", "1"),
    ("train", "w", "--device", "cpu"),
    ("test", "w", "--device", "cpu"),
)


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield changed configs.

    Args:
        seed: Another seed, other cases.
        count: How many.
    """
    known = bases()
    for number in range(count):
        rng = Random(f"configs/{seed}/{number}")
        name = rng.choice(sorted(known))
        form = rng.choice(("py", "py", "py", "yaml", "json"))
        cfg, said = deepcopy(known[name]), []
        gentle = rng.random() < 0.5
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
            said.append(nudge(cfg, rng) if gentle else change(cfg, rng))
        if form != "py" and not gentle and rng.random() < 0.5:
            said.append(ask_for_code(cfg, rng))
        _end_soon(cfg)
        words = rng.choice(_COMMANDS)
        file = f"c.{form}"
        if words[1] == "w":
            file = f"w/{'config.yaml' if form != 'py' else 'c.py'}"
        words = tuple(word.replace("{file}", file) for word in words)
        if rng.random() < 0.15:
            words += ("--cfg-options", option(cfg, rng))
        text = write(cfg, file, rng)
        label = f"{number} {name}.{form} {words[0]} {'; '.join(said)}"
        yield Case(label[:400], words, prepare=partial(prepare, file=file, text=text))


def change(cfg: dict[str, Any], rng: Random) -> str:
    """Change one place of a config, and say what was done."""
    places = list(_places(cfg))
    place = rng.choice(places)
    *above, last = place
    holder: Any = cfg
    for key in above:
        holder = holder[key]
    kind = rng.choice(
        ("near",) * 8 + ("set", "set", "set", "name", "del", "ren", "copy", "deep", "add", "type")
    )
    shown = ".".join(map(str, place))
    if kind == "del":
        del holder[last]
    elif kind == "ren" and isinstance(holder, dict):
        holder[rng.choice((f"{last}s", str(last)[:-1] or "x", "type", "_scope_"))] = holder.pop(
            last
        )
    elif kind == "copy":
        found = deepcopy(_at(cfg, rng.choice(places)))
        holder[last] = found
    elif kind == "deep":
        for _ in range(rng.choice((1, 1, 5, 40, 200))):
            holder[last] = [holder[last]]
    elif kind == "add" and isinstance(holder[last], dict):
        holder[last][
            rng.choice(("type", "extra", "_scope_", "_delete_", "checkpoint", "scale"))
        ] = rng.choice((*_VALUES, *_NAMES))
    elif kind == "name":
        holder[last] = rng.choice(_NAMES)
    elif kind == "type" and isinstance(holder[last], dict):
        holder[last]["type"] = rng.choice(_NAMES)
    else:
        holder[last] = deepcopy(rng.choice(_VALUES))
        shown += f"={holder[last]!r:.40}"
    return f"{kind} {shown}"


def nudge(cfg: dict[str, Any], rng: Random) -> str:
    """Put another value of the same type at one place, and say so."""
    places = [place for place in _places(cfg) if place[-1] != "type"]
    place = rng.choice([p for p in places if not isinstance(_at(cfg, p), dict)])
    holder = _at(cfg, place[:-1])
    holder[place[-1]] = _near(holder[place[-1]], rng)
    return f"near {'.'.join(map(str, place))}={holder[place[-1]]!r:.40}"


def _end_soon(cfg: dict[str, Any]) -> None:
    """Long runs are no faults: one or two iterations show as much."""
    schedule = cfg.get("train_cfg")
    if isinstance(schedule, dict) and isinstance(schedule.get("max_iters"), int):
        if 3 < schedule["max_iters"] < 2**40:
            schedule["max_iters"] = 2
    for key in ("train_dataloader", "val_dataloader", "test_dataloader"):
        loader = cfg.get(key)
        collate = loader.get("collate_fn") if isinstance(loader, dict) else None
        if isinstance(collate, dict) and isinstance(collate.get("type"), Source):
            collate["type"] = "L1Loss"  # what a program's own function returns is its own affair
        if isinstance(loader, dict) and isinstance(loader.get("num_workers"), int):
            if 2 < loader["num_workers"] < 512:
                loader["num_workers"] = 1


def _near(value: Any, rng: Random) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((0, 1, 2, 3, 5, 7, 8, 16, -1, value + 1, 2 * value, 10**6))
    if isinstance(value, float):
        return rng.choice((0.0, -value, value * 1e-9, value * 1e9, 1.0, 0.5, 2.5))
    if isinstance(value, str):
        return rng.choice((*_NAMES, value.lower(), f"{value} ", "lr", "hr", "same", "psnr", "EDSR"))
    if isinstance(value, list | tuple) and value:
        items = list(value)
        kind = rng.randrange(4)
        if kind == 0:
            return [*items, rng.choice(items)]
        if kind == 1:
            return items[1:]
        if kind == 2:
            return items[::-1]
        return rng.sample(items, len(items))
    return rng.choice(_VALUES)


def ask_for_code(cfg: dict[str, Any], rng: Random) -> str:
    """Have a config of data ask for code."""
    kind = rng.choice(("imports", "base", "tag", "scope", "substitution"))
    if kind == "imports":
        cfg["custom_imports"] = rng.choice(
            (CANARY, {"imports": [CANARY]}, {"imports": CANARY, "allow_failed_imports": True})
        )
    elif kind == "base":
        cfg["_base_"] = rng.choice((rng.choice(_BASES), [rng.choice(_BASES), rng.choice(_BASES)]))
    elif kind == "scope":
        cfg["default_scope"] = CANARY
        cfg["model"] = {"type": "SuperResolution", "_scope_": CANARY}
    elif kind == "substitution":
        cfg["data_root"] = rng.choice(("{{ fileDirname }}", "{{$HOME:x}}", "{{_base_.scale}}"))
    else:
        places = list(_places(cfg))
        *above, last = rng.choice(places)
        _at(cfg, tuple(above))[last] = Source("@tag@")
    return kind


def option(cfg: dict[str, Any], rng: Random) -> str:
    """Return one word for ``--cfg-options``."""
    place = ".".join(map(str, rng.choice(list(_places(cfg)))))
    value = rng.choice((*_VALUES, *_NAMES, "dict(type=", "[1,", "__import__('os').getcwd()"))
    text = f"{value}"[:2000].replace("\0", "0").replace("\ud800", "?")
    return f"{place}={text}"


def write(cfg: dict[str, Any], file: str, rng: Random) -> str:
    """Write a config in the form that its file's name says."""
    if file.endswith(".py"):
        try:
            return "".join(f"{key} = {pformat(cfg[key], width=100)}\n" for key in cfg)
        except ValueError:  # a number with more digits than Python writes
            return "scale = 10**5000\n"
        except RecursionError:  # lists too deep for pprint
            return f"scale = {'[' * 150}{']' * 150}\n"
    try:
        if file.endswith(".json"):
            return json.dumps(cfg, default=str)
        text: str = yaml.dump(_plain(cfg), Dumper=yaml.SafeDumper, sort_keys=False, width=10**6)
    except RecursionError:
        return f"{'[' * 5000}{']' * 5000}"
    return text.replace("'@tag@'", rng.choice(_TAGS)).replace("@tag@", rng.choice(_TAGS))


def prepare(folder: Path, *, file: str, text: str) -> None:
    """Write the config and the pictures that it names."""
    target = folder / file
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(text.encode("utf-8", "surrogatepass"))
    (folder / "program.py").write_text(f"import {CANARY}\n{CANARY}.boom()\n")
    for name, data in _pictures().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)


@lru_cache
def _pictures() -> dict[str, bytes]:
    # Without OpenCV: its threads, once started here, would be missing in every forked child.
    rng = np.random.default_rng(0)
    made = {}
    for number in range(3):
        noise = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
        hr = noise.repeat(4, 0).repeat(4, 1)
        same = (hr.astype(int) + np.roll(hr, 1, 0) + np.roll(hr, 1, 1)) // 3
        for name, image in (
            (f"hr/{number}.png", hr),
            (f"lr/{number}x4.png", noise),
            (f"same/{number}.png", same.astype(np.uint8)),
        ):
            buffer = BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            made[name] = buffer.getvalue()
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value).replace("\ud800", "?")
    return value


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list) and len(place) < 30:
        items = list(enumerate(value))
    for key, item in items:
        yield (*place, key)
        yield from _places(item, (*place, key))


def _at(cfg: dict[str, Any], place: tuple[Any, ...]) -> Any:
    found: Any = cfg
    for key in place:
        found = found[key]
    return found
