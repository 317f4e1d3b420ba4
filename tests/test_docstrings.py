"""The examples in docstrings run, and give what they say."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "realdeg"
# A module whose examples all need an optional package, or hours, has none to run.
RUNS = re.compile(r"^ *>>> (?!.*# doctest: \+SKIP)", re.MULTILINE)
WITH_EXAMPLES = sorted(
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for file in PACKAGE.rglob("*.py")
    if RUNS.search(file.read_text(encoding="utf-8"))
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name):
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted and not done.failed
