"""Packages that import their public names on first use."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from importlib import import_module

from realdeg.utils.deprecation import renamed_attributes

_LISTED = re.compile(r"^from (\S+) import (\w+) as \2$", re.MULTILINE)


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
        places = {name: place for place, name in _LISTED.findall(stub.read())}
    names = sorted(places)
    lookup_former = renamed_attributes(package, former or {})

    def look_up(name: str) -> object:
        if name not in places:
            return lookup_former(name)
        found = getattr(import_module(places[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return names, look_up, lambda: names
