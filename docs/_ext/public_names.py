"""Write one reference page for each public package, with every name that it exports.

The list is ``tests/api_surface.json``, which a test compares with the code, so no public name can
remain undocumented.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

SURFACE: dict[str, list[str]] = json.loads(
    (Path(__file__).resolve().parents[2] / "tests" / "api_surface.json").read_text(encoding="utf-8")
)
DOOR = set(SURFACE["realdeg"])
_ANNOTATED = re.compile(r"~?(?:\btyping(?:_extensions)?\.)?\bAnnotated\[")


def write_pages(app: Sphinx) -> None:
    """Write the pages below ``reference/``, those that changed only."""
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    pages = {f"{package}.rst": page(package, names) for package, names in SURFACE.items() if names}
    for name, text in pages.items():
        file = folder / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    for file in folder.glob("realdeg*.rst"):
        if file.name not in pages:
            file.unlink()


def page(package: str, names: list[str]) -> str:
    """Return one page: a table of the names, then each in full."""
    module = importlib.import_module(package)
    summary = (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")
    lines = [f"``{package}``", "=" * (len(package) + 4), "", summary, ""]
    lines += [f".. currentmodule:: {package}", ""]
    for name in sorted(names, key=str.lower):
        found = getattr(module, name)
        lines += [*_entry(package, name, found), ""]
    return "\n".join(lines)


def _entry(package: str, name: str, found: Any) -> list[str]:
    # A name of the top level is indexed there, and documented again in its own package.
    again = ["   :no-index:"] if package != "realdeg" and name in DOOR else []
    if inspect.isclass(found):
        kind = "autoexception" if issubclass(found, BaseException) else "autoclass"
        bare = ["   :no-members:"] if _is_module(found) else []
        if hasattr(found, "_fields"):  # its docstring says more than "Alias for field number 0"
            bare.append(f"   :exclude-members: {', '.join(found._fields)}")
        return [f".. {kind}:: {package}.{name}", *bare, *again]
    if callable(found):
        return [f".. autofunction:: {package}.{name}", *again]
    held = f"Holds {', '.join(f'``{key}``' for key in found)}." if isinstance(found, dict) else ""
    return [f".. py:data:: {package}.{name}", *again, "", f"   {held or repr(found)}"]


def _is_module(found: type) -> bool:
    """Return whether a class is a network; its base class documents the methods."""
    return any(base.__name__ in ("Backbone", "Discriminator") for base in found.__mro__[1:])


def without_checks(signature: str) -> str:
    """Return a signature with ``Annotated[T, ...]`` written as ``T``.

    The docstrings state ranges and choices in words, and Sphinx takes strings among the checks for
    names that it should link.

    Args:
        signature: As autodoc writes it.
    """
    while found := _ANNOTATED.search(signature):
        depth, kept = 1, None
        for end in range(found.end(), len(signature)):
            depth += {"[": 1, "(": 1, "{": 1, "]": -1, ")": -1, "}": -1}.get(signature[end], 0)
            if signature[end] == "," and depth == 1 and kept is None:
                kept = signature[found.end() : end]
            if depth == 0:
                break
        signature = signature[: found.start()] + (kept or "") + signature[end + 1 :]
    return signature


def _shorten(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, args: str | None, result: str | None
) -> tuple[str | None, str | None]:
    return (args and without_checks(args), result and without_checks(result))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-signature", _shorten)
    return {"parallel_read_safe": True}
