"""Packages that import their public names on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_package(
    package: str, file: str, former: Mapping[str, str] | None = None
) -> tuple[list[str], Callable[[str], object], Callable[[], list[str]]]:
    """Take a package's public names from the stub beside its ``__init__.py``.

    Type checkers and editors read the same stub, so the names are listed once.

    Args:
        package: The package's ``__name__``.
        file: Its ``__file__``. Each line ``from MODULE import NAME as NAME`` of ``__init__.pyi``
            lists a name.
        former: Former names, as in :func:`renamed_attributes`.

    Returns:
        What to assign to ``__all__``, ``__getattr__`` and ``__dir__``.
    """
    with open(file.removesuffix("c") + "i", encoding="utf-8") as stub:
        listed = [line.split() for line in stub if line.startswith("from ") and " as " in line]
    # Neither `re` nor `typing`: either alone would double the time of `import realdeg`.
    places = {name: place for _, place, _, name, *_ in listed}
    names = sorted(places)

    def look_up(name: str) -> object:
        if name not in places:
            from realdeg.utils.deprecation import renamed_attributes

            return renamed_attributes(package, former or {})(name)
        found = getattr(import_module(places[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return names, look_up, lambda: names
