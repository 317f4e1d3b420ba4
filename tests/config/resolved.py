"""Write every recipe as the runner gets it, and compare that with what an earlier commit wrote.

``python -m tests.config.resolved write FOLDER`` writes one JSON file per recipe;
``python -m tests.config.resolved compare FOLDER`` says what differs from it, and whether a name
is missing. ``realdeg`` is whatever the interpreter imports, so the earlier commit's files come
from running the first command with that commit on ``PYTHONPATH``.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from realdeg.config import inject, list_configs, load_config
from realdeg.errors import CheckpointError

# Said once at the top and handed out: they may differ where the places they go to are equal.
FIELDS = ("patch_size", "flip", "batch_size", "hr_folders", "per_scale")


def resolved(name: str, sample: bool = False) -> dict[str, Any]:
    """Return a recipe after its bases are merged and its fields handed out, as plain data.

    Args:
        name: The recipe.
        sample: On the built-in sample.

    Returns:
        The config without the fields that it was handed out from.
    """
    made: list[Path] = []
    cfg = load_config(name, sample=sample)
    while True:  # weights that the recipe names need only be there
        try:
            ready = inject(cfg)
            break
        except CheckpointError as error:
            found = re.search(r"there is no (\S+?)\.(?:\s|$)", str(error))
            if found is None or Path(found[1]) in made:
                raise
            made.append(Path(found[1]))
            made[-1].parent.mkdir(parents=True, exist_ok=True)
            made[-1].touch()
    plain: dict[str, Any] = json.loads(json.dumps(ready.to_dict(), default=repr))
    return {key: value for key, value in plain.items() if key not in FIELDS}


def _spell_out(value: Any) -> None:
    """Write out what a flip does where it is left to the defaults."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _spell_out(item)
    if isinstance(value, dict) and value.get("type") == "Flip":
        value |= {"horizontal": True, "vertical": True, "transpose": False} | value


def differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Yield every place where two configs differ, with both values.

    Args:
        before: One config.
        after: The other one.
        place: Where both stand.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            where = f"{place}.{key}" if place else str(key)
            yield from differences(before.get(key, "absent"), after.get(key, "absent"), where)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{place}.{index}")
    elif before != after:
        yield f"{place}: {before!r:.200} -> {after!r:.200}"


def main(action: str, folder: str, *prefixes: str) -> int:
    """Write or compare the recipes whose names begin with one of the prefixes, or all."""
    logging.disable()
    kept, wrong = Path(folder).resolve(), 0
    kept.mkdir(parents=True, exist_ok=True)
    stored = {file.stem.replace("@@", "/"): file for file in kept.glob("*.json")}
    names = list_configs() if action == "write" else sorted(stored)
    os.chdir(tempfile.mkdtemp())
    for name in names:
        if prefixes and not name.startswith(prefixes):
            continue
        try:
            found = {"whole": resolved(name), "sample": resolved(name, sample=True)}
        except Exception as error:
            wrong += 1
            print(f"{name}: {type(error).__name__}: {error}")
            continue
        if action == "write":
            (kept / f"{name.replace('/', '@@')}.json").write_text(json.dumps(found, indent=1))
            continue
        before = json.loads(stored[name].read_text())
        _spell_out(before)
        _spell_out(found)
        for line in differences(before, found):
            wrong += 1
            print(f"{name}: {line}")
    print(f"{len(names)} names, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
