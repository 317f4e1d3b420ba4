from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from realdeg.backbones import Backbone
from realdeg.testing import network_outputs


@pytest.fixture
def reach() -> Callable[[Backbone], int]:
    """A function that measures how far a network sees."""
    return network_outputs.reach


@pytest.fixture
def packages(monkeypatch) -> Callable[[str], Path]:
    """A function that finds a file of an installed package, or skips the test.

    ``REALDEG_TEST_PACKAGES`` may name a folder of ``pip install --target``; a file without a
    folder lies in it.
    """
    stated = os.environ.get("REALDEG_TEST_PACKAGES")
    if stated:
        monkeypatch.setattr(sys, "path", [*sys.path, stated])

    def find(file: str) -> Path:
        if "/" not in file:
            path = Path(stated or ".") / file
            if not stated or not path.is_file():
                pytest.skip(f"put {file} into the folder that REALDEG_TEST_PACKAGES names")
            return path
        name = file.split("/", maxsplit=1)[0]
        found = importlib.util.find_spec(name)
        places = list(found.submodule_search_locations or ()) if found else []
        path = next((Path(place).parent / file for place in places), None)
        if path is None or not path.is_file():
            pytest.skip(
                f"pip install {name.replace('_', '-')} has {Path(file).name}; or set"
                " REALDEG_TEST_PACKAGES"
            )
        return path

    return find
