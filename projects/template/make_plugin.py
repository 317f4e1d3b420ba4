"""Copy the template under another name: ``python make_plugin.py NAME FOLDER``."""

from __future__ import annotations

import argparse
import keyword
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent
PLACEHOLDER = "camera_plugin"


def make_plugin(name: str, target: Path) -> list[Path]:
    """Write the template's files with its package renamed.

    Args:
        name: The package's name, as Python imports it.
        target: The folder to make; it must not hold anything yet.

    Returns:
        The files that were written.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name == "realdeg":
        raise SystemExit(f"'{name}' cannot be the name of a package: take letters, digits and _.")
    if target.exists() and any(target.iterdir()):
        raise SystemExit(f"{target} holds something already: name a new folder.")
    written = []
    for source in sorted(TEMPLATE.rglob("*")):
        inner = source.relative_to(TEMPLATE)
        if not source.is_file() or source == Path(__file__).resolve():
            continue
        if "__pycache__" in inner.parts or any(part.startswith(".") for part in inner.parts):
            continue
        file = target / str(inner).replace(PLACEHOLDER, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source.read_text("utf-8").replace(PLACEHOLDER, name), "utf-8")
        written.append(file)
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Copy this template under another name.")
    parser.add_argument("name", help="the package's name, as Python imports it")
    parser.add_argument("folder", type=Path, help="the folder to make")
    given = parser.parse_args()
    for path in make_plugin(given.name, given.folder):
        print(path)
