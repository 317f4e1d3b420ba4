"""The exported names of realdeg and its packages are those listed in api_surface.json.

A name that comes or goes is a decision. After deciding, write the list anew:

    python tests/test_api_surface.py --update
"""

import importlib
import json
import sys
from pathlib import Path

LISTED = Path(__file__).with_name("api_surface.json")
PACKAGE = Path(__file__).resolve().parents[1] / "realdeg"


def packages() -> list[str]:
    inner = sorted(file.parent.name for file in PACKAGE.glob("*/__init__.py"))
    return ["realdeg", *(f"realdeg.{name}" for name in inner)]


def exported() -> dict[str, list[str]]:
    return {
        name: sorted(getattr(importlib.import_module(name), "__all__", [])) for name in packages()
    }


def test_exported_names_are_the_listed_ones():
    listed = json.loads(LISTED.read_text(encoding="utf-8"))
    found = exported()
    assert set(found) == set(listed), "a package came or went: see the top of this file"
    for name in found:
        came = set(found[name]) - set(listed[name])
        went = set(listed[name]) - set(found[name])
        assert not came and not went, f"{name}: came {came}, went {went}; see the top of this file"


def test_exported_names_exist():
    for package, names in exported().items():
        module = importlib.import_module(package)
        missing = [name for name in names if not hasattr(module, name)]
        assert not missing, f"{package} exports {missing} and has no such thing"


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python tests/test_api_surface.py --update")
    LISTED.write_text(json.dumps(exported(), indent=2) + "\n", encoding="utf-8")
