"""The documentation site holds every page, once, and every public name.

``make docs`` builds it; what can be checked without Sphinx is checked here.
"""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
from collections import Counter
from types import SimpleNamespace

import pytest

from tests.docs.parse import ROOT

DOCS = ROOT / "docs"
TOCTREE = re.compile(r"```\{toctree\}\n(.*?)```", re.S)
SURFACE = json.loads((ROOT / "tests" / "api_surface.json").read_text(encoding="utf-8"))
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))


def entries() -> Counter[str]:
    found: Counter[str] = Counter()
    for page in DOCS.glob("*.md"):
        for block in TOCTREE.findall(page.read_text(encoding="utf-8")):
            lines = [line.strip() for line in block.splitlines()]
            found.update(line for line in lines if line and not line.startswith(":"))
    return found


def test_every_page_stands_in_one_place_of_the_site():
    listed = entries()
    pages = {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert pages <= set(listed), f"in no toctree: {sorted(pages - set(listed))}"
    twice = [name for name in pages if listed[name] > 1]
    assert not twice
    missing = [name for name in listed if "/" not in name and name not in pages]
    assert not missing, f"toctrees name pages that are not there: {missing}"


@pytest.fixture(scope="module")
def public_names():
    pytest.importorskip("sphinx", reason="the site's own packages: pip install .[docs]")
    path = DOCS / "_ext" / "public_names.py"
    spec = importlib.util.spec_from_file_location("public_names", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_public_name(public_names, tmp_path):
    public_names.write_pages(SimpleNamespace(srcdir=tmp_path))
    for package, names in SURFACE.items():
        for name in names:
            text = (tmp_path / "reference" / f"{package}.rst").read_text(encoding="utf-8")
            assert f"{package}.{name}\n" in text, name


def test_the_reference_shows_types_without_their_checks(public_names):
    shown = public_names.without_checks
    nested = (
        "(loss: ~typing.Annotated[~typing.Annotated[dict[str, int], Ge(ge=1)] | None,"
        " Component(registry=loss, keys=('a', 'b'))] = {'type': 'L1Loss'}, x: Annotated[int, 1])"
    )
    assert shown(nested) == "(loss: dict[str, int] | None = {'type': 'L1Loss'}, x: int)"
    assert shown("(MyAnnotated[int, 1]) -> int") == "(MyAnnotated[int, 1]) -> int"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_tutorial_runs(example, monkeypatch, capsys):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    runpy.run_path(str(example))
    figures = plt.get_fignums()
    plt.close("all")
    assert figures, "a tutorial draws a picture"
