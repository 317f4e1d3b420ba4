"""Values that nobody expects, and where to put them into plain data."""

from __future__ import annotations

import copy
import functools
import random
from typing import Any

from tests.fuzz.harness import CANARY

NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 7, 16, 17, 255, 1000, 65_536, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**64),
    *(10**9, -(10**9), 10**30, 10**400),
    *(0.0, -0.0, 0.5, -0.5, 1e-9, 1e-300, 1e9, 1e30, 1e300, -1e300, 2.0000001),
    *(float("nan"), float("inf"), float("-inf")),
)
TEXTS: tuple[str, ...] = (
    *("", " ", "x", "4", "True", "none", "reflect", "\x00", "ü" * 40, "x" * 5000, "a\nb"),
    *("../../etc/passwd", "/etc/passwd", "x.safetensors", "./x.py", "http://localhost:1/x"),
    *(f"{CANARY}.boom", CANARY, "subprocess.getoutput", "os.system", "DML", "Bicubic", "FSRCNN"),
    *("{}", "__class__", "%s%n", "${HOME}"),
)


def odd_value(rng: random.Random, depth: int = 0) -> Any:
    """Return a value that a reader has to judge.

    Args:
        rng: Where it is drawn from.
        depth: How deep in others it lies.
    """
    way = rng.randrange(12)
    if way < 5:
        return rng.choice(NUMBERS)
    if way < 7:
        return rng.choice(TEXTS)
    if way == 7:
        return rng.choice((None, True, False))
    if depth > 2:
        return []
    if way == 8:
        return [odd_value(rng, depth + 1) for _ in range(rng.choice((0, 1, 2, 3, 4, 200)))]
    if way == 9:
        keys = ("type", "checkpoint", "shape", "size", "op", "array", "x", "")
        return {key: odd_value(rng, depth + 1) for key in rng.sample(keys, rng.randrange(4))}
    if way == 10:
        value: Any = rng.choice((1, [], {}))
        for _ in range(rng.choice((5, 70, 300))):
            value = [value] if rng.random() < 0.7 else {"parts": value}
        return value
    return rng.choice(
        (
            {"type": f"{CANARY}.boom"},
            {"type": "Compose", "parts": []},
            {"type": "AWGN", "sigma": 1e9},
            {"checkpoint": "x.safetensors"},
            {"checkpoint": "/etc/passwd"},
            {"type": "KernelPool", "pool": "/etc/passwd"},
        )
    )


def change_somewhere(rng: random.Random, value: Any) -> tuple[Any, str]:
    """Change plain data at one place.

    Args:
        rng: Where the place and the change are drawn from.
        value: The data, left as they are.

    Returns:
        The changed data, and what was changed.
    """
    places = [place for place in _places(value) if place] or [()]
    place, way = rng.choice(places), rng.randrange(10)
    if not place:
        return odd_value(rng), "all"
    changed = copy.deepcopy(value)
    holder = functools.reduce(lambda inner, key: inner[key], place[:-1], changed)
    last, name = place[-1], ".".join(map(str, place))
    if way == 0:
        del holder[last]
        return changed, f"{name} left out"
    if way == 1 and isinstance(holder, dict):
        holder[rng.choice((f"{last}_", str(last).upper(), "", "self", "type", "__init__"))] = (
            holder.pop(last)
        )
        return changed, f"{name} renamed"
    if way == 2:
        if isinstance(holder, dict):
            holder[rng.choice(("checkpoint", "type", "surplus", "parts", "scale"))] = odd_value(rng)
        else:
            holder.extend([holder[last]] * rng.choice((1, 3, 500)))
        return changed, f"{name} and more"
    if way == 3 and type(holder[last]) in (int, float):
        near = (-1, 0, 1, 2, 0.5, 10, 1000)
        holder[last] = type(holder[last])(holder[last] * rng.choice(near) + rng.choice((-1, 0, 1)))
    else:
        holder[last] = odd_value(rng)
    return changed, f"{name} = {holder[last]!r:.40}" if _short(holder[last]) else f"{name} = much"


def _short(value: Any) -> bool:
    return not isinstance(value, int) or abs(value) < 10**40


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [place]
    if isinstance(value, dict):
        for key, item in value.items():
            found += _places(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _places(item, (*place, index))
    return found


@functools.cache
def png(height: int, width: int, seed: int) -> bytes:
    """Return a PNG file of a small coloured picture.

    Args:
        height: Its rows.
        width: Its columns.
        seed: Another seed, another picture.
    """
    import cv2
    import numpy as np

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".png", picture)[1].tobytes()
