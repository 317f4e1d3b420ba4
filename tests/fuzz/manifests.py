"""Folders whose ``manifest.jsonl`` is damaged, hostile or lies, and the traces that it holds."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.fuzz.harness import CANARY, Case

_ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2,
    100000,
    10**30,
    -(10**30),
    0.5,
    -0.0,
    1e308,
    5e-324,
    "",
    " ",
    "x",
    "x" * 5000,
    "\0",
    "\ud800",
    "\x1b[2J",
    "../../outside/sentinel",
    "/etc/passwd",
    "~",
    "os.system",
    f"{CANARY}.boom",
    "Bicubic",
    [],
    {},
    [[]],
    [1, 2, 3],
    {"type": f"{CANARY}.boom"},
    {"array": "float64", "shape": [2**20, 2**20], "base64": ""},
    {"array": "float32", "shape": [1], "base64": "AADAfw=="},
    {"array": "object", "shape": [1], "base64": "gA=="},
)
_NAMES = (
    "../outside/sentinel",
    "../../outside/sentinel",
    "/etc/hostname",
    "manifest.jsonl",
    ".realdeg.lock",
    "a.png/../../../outside/sentinel",
    "sub/../../outside/sentinel",
    "./a.png",
    "a.png/",
    "//a.png",
    "sub",
    ".",
    "..",
    "n" * 300 + ".png",
    "d/" * 2000 + "a.png",
    "a\0.png",
    "\udcff.png",
    "C:\\a.png",
    "b.png",
)
_TYPES = ("BSRGAN", "Bicubic", "RealESRGAN")

Change = Callable[[random.Random, Path], None]


@cache
def _made(kind: str) -> tuple[tuple[str, bytes], ...]:
    """The files of a whole run: made once, before anything is damaged."""
    from realdeg.apis import Degrader
    from realdeg.utils.image import write_image

    drawn = np.random.default_rng(0)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("a.png", "b.png", "sub/c.png"):
            write_image(folder / "in" / name, drawn.integers(0, 256, (24, 24, 3), dtype=np.uint8))
        Degrader(kind, scale=2).degrade_folder(
            folder / "in", folder / "out", seed=0, progress=False
        )
        files = (file for file in sorted(folder.rglob("*")) if file.is_file())
        return tuple((file.relative_to(folder).as_posix(), file.read_bytes()) for file in files)


def _lines(folder: Path) -> list[bytes]:
    return (folder / "out" / "manifest.jsonl").read_bytes().splitlines(keepends=True)


def _keep(folder: Path, lines: list[bytes]) -> None:
    (folder / "out" / "manifest.jsonl").write_bytes(b"".join(lines))


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*place, key)
        yield from _places(item, (*place, key))


def _at(record: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        record = record[key]
    return record


def change_values(drawn: random.Random, record: Any) -> None:
    """Put another number, type or text at some place of plain data, or take a field away.

    Args:
        drawn: Decides.
        record: A dict, changed in place.
    """
    places = list(_places(record))
    if not places:
        return
    place = drawn.choice(places)
    holder = _at(record, place[:-1])
    action = drawn.randrange(4)
    if action == 0 and isinstance(holder, dict):
        del holder[place[-1]]
    elif action == 1 and isinstance(holder, dict):
        holder[drawn.choice(("type", "extra", "op", "threads"))] = drawn.choice(_ODD)
    elif action == 2 and isinstance(holder[place[-1]], int | float):
        holder[place[-1]] = holder[place[-1]] * drawn.choice((-1, 0, 1000, 10**9)) + 1
    else:
        holder[place[-1]] = drawn.choice(_ODD)


def _values(drawn: random.Random, folder: Path, within: str | None = None) -> None:
    """Other numbers, types and texts at some places."""
    lines = _lines(folder)
    for _ in range(drawn.randint(1, 3)):
        number = drawn.randrange(1 if within else 0, len(lines))
        record = json.loads(lines[number])
        inner = record.get(within) if within else record
        if isinstance(inner, dict):
            change_values(drawn, inner)
        lines[number] = json.dumps(record).encode() + b"\n"
    _keep(folder, lines)


def _traces(drawn: random.Random, folder: Path) -> None:
    _values(drawn, folder, "trace")


def _bytes(drawn: random.Random, folder: Path) -> None:
    """Flipped, cut, doubled and foreign bytes."""
    content = bytearray((folder / "out" / "manifest.jsonl").read_bytes())
    for _ in range(drawn.randint(1, 4)):
        place = drawn.randrange(len(content))
        action = drawn.randrange(5)
        if action == 0:
            content[place] ^= 1 << drawn.randrange(8)
        elif action == 1:
            del content[place : place + drawn.randint(1, 200)]
        elif action == 2:
            content[place:place] = drawn.choice(
                (b"\xff\xfe", b"\0" * 99, b"\n", b'"', b"{[", b"NaN")
            )
        elif action == 3:
            content = content[: max(1, place)]
        else:
            content += content[place:]
    (folder / "out" / "manifest.jsonl").write_bytes(bytes(content))


def _whole_lines(drawn: random.Random, folder: Path) -> None:
    """Lines that are missing, doubled, in another order, or something else."""
    lines = _lines(folder)
    foreign = (
        b"[" * 200000 + b"\n",
        b'{"record":' * 5000 + b"\n",
        b"1" * 100000 + b"\n",
        b'{"record": "header", "format": 1}\n',
        b'{"record": "image"}\n',
        b"x" * drawn.choice((10, 1 << 20, 1 << 24)),
        b"\n",
        b"null\n",
        b'{"record": "header", "format": 1, "threads": 1e400}\n',
    )
    for _ in range(drawn.randint(1, 3)):
        place = drawn.randrange(len(lines))
        action = drawn.randrange(4)
        if action == 0:
            lines[place] = drawn.choice(foreign)
        elif action == 1:
            lines.insert(place, drawn.choice((*foreign, *lines)))
        elif action == 2 and len(lines) > 1:
            del lines[place]
        else:
            drawn.shuffle(lines)
    _keep(folder, lines)


def _names(drawn: random.Random, folder: Path) -> None:
    """Names that lead elsewhere, with the hash of what is there."""
    from realdeg.utils.files import sha256_file

    lines = _lines(folder)
    number = drawn.randrange(1, len(lines))
    record = json.loads(lines[number])
    name = drawn.choice(_NAMES)
    record["output"] = name
    if drawn.random() < 0.4:
        record["name"] = name
    if drawn.random() < 0.7:
        record["output_sha256"] = sha256_file(folder.parent / "outside" / "sentinel")
    lines[number] = json.dumps(record).encode() + b"\n"
    _keep(folder, lines)


def _links(drawn: random.Random, folder: Path) -> None:
    """Links, pipes and folders in the place of files of the folder."""
    out, outside = folder / "out", folder.parent / "outside"
    name = drawn.choice(("manifest.jsonl", ".realdeg.lock", "a.png", "sub", "sub/c.png"))
    path = out / name
    if path.is_dir():
        (path / "c.png").unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    action = drawn.randrange(5)
    if action == 0:
        path.symlink_to(outside if name == "sub" else outside / "sentinel")
    elif action == 1:
        path.symlink_to(outside / "made")
    elif action == 2:
        os.mkfifo(path)
    elif action == 3:
        path.mkdir()
    elif name != "sub":
        os.link(outside / "sentinel", path)


def _sizes(drawn: random.Random, folder: Path) -> None:
    """Files of an impossible size, all of it a hole."""
    with open(folder / "out" / "manifest.jsonl", "ab") as stream:
        stream.truncate(drawn.choice((1 << 27, 1 << 33, 1 << 42)))


CHANGES: tuple[Change, ...] = (
    _values,
    _values,
    _traces,
    _traces,
    _bytes,
    _whole_lines,
    _names,
    _links,
    _sizes,
)


def _replay(kind: str) -> Callable[[Path], None]:
    """Make every image again from the record of its manifest."""

    def call(folder: Path) -> None:
        from realdeg.apis import Degrader, read_manifest
        from realdeg.degradations import Trace
        from realdeg.errors import RealdegError
        from realdeg.utils.image import read_image

        faults: list[RealdegError] = []
        degrader = Degrader(kind, scale=2)
        _, records = read_manifest(folder / "out")
        for record in records.values():
            try:
                trace = Trace.from_dict(record.get("trace"))
                degrader.replay(read_image(folder / "in" / "a.png"), trace)
            except RealdegError as error:
                faults.append(error)
        if faults:
            raise faults[0]

    return call


def cases(seed: int, count: int) -> Iterator[Case]:
    """Make cases.

    Args:
        seed: Another seed, other cases.
        count: How many.
    """
    for number in range(count):
        drawn = random.Random(f"manifests {seed} {number}")
        kind, change = drawn.choice(_TYPES), drawn.choice(CHANGES)
        order = drawn.getrandbits(64)

        def prepare(
            folder: Path, kind: str = kind, change: Change = change, order: int = order
        ) -> None:
            for name, content in _made(kind):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            change(random.Random(order), folder)

        name = f"{number}: {kind} {change.__name__.strip('_')}"
        replayed = change is _traces or drawn.random() < 0.2
        if replayed:
            yield Case(f"{name}, replayed", call=_replay(kind), prepare=prepare)
        else:
            words = ["degrade", kind, "in", "out", "--scale", "2", "--quiet"]
            words += ["--jobs", drawn.choice("12")]
            words += ["--overwrite"] * (drawn.random() < 0.4)
            yield Case(f"{name}, {' '.join(words[7:])}", tuple(words), prepare=prepare)
