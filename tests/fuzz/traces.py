"""Traces that a degradation never drew, replayed by it."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.components import described, originals
from tests.fuzz.harness import Case
from tests.fuzz.values import change_somewhere, png

_HEIGHT, _WIDTH = 32, 48


@functools.cache
def drawn() -> tuple[tuple[str, bytes, dict[str, Any]], ...]:
    """Return (type, file, trace) of every small degradation, three traces of each."""
    from realdeg import create_degradation
    from realdeg.registry import DEGRADATIONS
    from realdeg.utils.component import load_state

    found = []
    for kind, type_, arguments, state in originals():
        if kind == "degradation":
            degradation = create_degradation(DEGRADATIONS.build({"type": type_, **arguments}))
            load_state(degradation, state, type_)
            degradation.eval().requires_grad_(False).mark_trained()
            for seed in range(3):
                trace = degradation.sample_one((3, _HEIGHT, _WIDTH), seed).to_dict()
                content = described(kind, type_, arguments, state)
                found.append((type_, content, json.loads(json.dumps(trace))))
    return tuple(found)


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield the cases; each is made again by its number.

    Args:
        seed: Another seed gives other cases.
        count: How many.
    """
    for number in range(count):
        rng = random.Random(f"traces {seed} {number}")
        type_, component, trace = rng.choice(drawn())
        text, what = _changed(rng, trace)
        words: tuple[str, ...] = ()
        call: Callable[[Path], object] | None = None
        if rng.random() < 0.5:
            words = (
                *("preview", "x.safetensors", "images/a.png", "--trace", "t.jsonl"),
                *("--out", "p.png", "--save-images", "lr", "--save-traces", "again.jsonl"),
            )
        else:
            call = _replay
        yield Case(
            f"traces {seed} {number}: {type_}, {what}, {words[0] if words else 'interface'}",
            words,
            call,
            functools.partial(_write, component, text),
        )


def _replay(folder: Path) -> None:
    import numpy as np

    from realdeg import Degrader
    from realdeg.apis.trace_files import read_traces

    image = np.zeros((_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    degrader = Degrader(folder / "x.safetensors", device="cpu")
    for record in read_traces(folder / "t.jsonl"):
        record.trace.in_words()
        degrader.replay(image, record.trace)


def _write(component: bytes, text: str, folder: Path) -> None:
    (folder / "x.safetensors").write_bytes(component)
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(png(_HEIGHT, _WIDTH, seed=1))
    (folder / "t.jsonl").write_text(text, encoding="utf-8", errors="surrogatepass")


def _changed(rng: random.Random, trace: dict[str, Any]) -> tuple[str, str]:
    way = rng.choice(("value",) * 12 + ("several",) * 3 + ("record", "text", "nothing", "deep"))
    what = ""
    if way == "value":
        # Decisions are what a reader may overlook; the other fields are few.
        if rng.random() < 0.8 and trace["params"]:
            params, what = change_somewhere(rng, trace["params"])
            trace = {**trace, "params": params}
        else:
            trace, what = change_somewhere(rng, trace)
    elif way == "several":
        for _ in range(rng.randint(2, 5)):
            trace, what = change_somewhere(rng, trace)
    elif way == "deep":
        for _ in range(rng.choice((5, 40, 150))):
            trace = {**trace, "parts": [trace], "params": {}}
    text = json.dumps(trace)
    if way == "record":
        record = {"image": "a.png", "crop": [0, 0, _HEIGHT, _WIDTH], "seed": 3, "trace": trace}
        record, what = change_somewhere(rng, record)
        header = {"record": "header", "format": "realdeg-manifest-1"}
        text = json.dumps(header) + "\n" + json.dumps(record) + "\n"
    elif way == "text":
        place, other = rng.randrange(len(text)), rng.choice('{}[]",:0-\x00ü\ud800')
        text, what = rng.choice(
            [
                (text[:place], "cut"),
                (text[:place] + other + text[place + 1 :], "character"),
                ("[" * 100_000, "deep"),
                ("", "empty"),
                (text + "\n" + text[place:], "more"),
            ]
        )
    return text, f"{way} {what}"
