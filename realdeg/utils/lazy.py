"""Packages whose names are imported when they are first used."""

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
    """Make a package's names of the stub that lies beside its ``__init__.py``.

    So the names are listed once: checkers and editors read the stub, and so does the package.

    Args:
        package: The package's ``__name__``.
        file: Its ``__file__``. Each line ``from MODULE import NAME as NAME`` of ``__init__.pyi``
            lists a name.
        former: Names that the package had before, as in :func:`renamed_attributes`.

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
