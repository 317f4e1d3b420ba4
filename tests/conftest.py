"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    """A cache of the test session's own, and not the user's; processes inherit it."""
    stated = os.environ.get("REALDEG_HOME")
    os.environ["REALDEG_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if stated is None:
        os.environ.pop("REALDEG_HOME", None)
    else:
        os.environ["REALDEG_HOME"] = stated


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder of real photos, for checks that cannot be made on generated ones."""
    stated = os.environ.get("REALDEG_TEST_DATA")
    if not stated:
        pytest.skip("real photos are not shipped: set REALDEG_TEST_DATA to their folder")
    folder = Path(stated)
    assert folder.is_dir(), f"REALDEG_TEST_DATA is {stated}, which is no folder"
    return folder
