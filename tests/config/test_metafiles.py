"""Every method's folder says what it holds, as text and as data, and both are true."""

import re
from pathlib import Path

import pytest

from realdeg.backbones.pretrained import CATALOGUE
from realdeg.config import config_root, list_configs, load_config
from realdeg.registry import BACKBONES, DEGRADATIONS, ESTIMATORS
from realdeg.utils.data_file import read_data
from tests.docs.blocks import blocks_of, inline_of
from tests.docs.parse import ROOT, parse_command
from tests.docs.test_docs import each_of

RECIPES: dict[str, list[str]] = {}
for _name in list_configs():
    RECIPES.setdefault(_name.partition("/")[0], []).append(_name)
# Methods that train a network of another folder.
BORROWED = {"bsrgan", "esrgan_fs", "ldl", "real_esrgan"}
KINDS = {"backbone": BACKBONES, "degradation": DEGRADATIONS, "estimator": ESTIMATORS}
KEYS = {"name", "paper", "component", "recipes", "weights", "results"}


def metafile(folder):
    return read_data(config_root() / folder / "metafile.yml")


def rows_of(page: Path) -> list[tuple[list[str], list[str]]]:
    """Return the rows of a page's tables, each with the heads of its columns."""
    rows, heads = [], []
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = cells
        else:
            rows.append((heads, cells))
    return rows


def same(found: str, stated: object) -> bool:
    return found == stated or (isinstance(stated, float) and float(found or "nan") == stated)


@pytest.mark.parametrize("folder", RECIPES)
def test_metafile(folder):
    meta = metafile(folder)
    assert set(meta) <= KEYS and meta["recipes"] == RECIPES[folder]
    ((slot, kind),) = meta["component"].items()
    assert kind in KINDS[slot].all_names()
    recipe = load_config(meta["recipes"][-1], check=False)
    assert (recipe.get(slot) or recipe["model"][slot])["type"] == kind
    if "paper" in meta:
        assert set(meta["paper"]) == {"title", "authors", "venue", "year"}
    published = {entry.name for entry in CATALOGUE if entry.type == kind}
    stated = set(meta.get("weights", ()))
    # The folder of the network names all, that of another method with it those of the method.
    assert stated == published if folder not in BORROWED else stated < published
    for result in meta.get("results", ()):
        rows = [(heads, row) for heads, row in rows_of(ROOT / result["page"])]
        assert any(
            row[0] == result["row"]
            and set(result["values"]) <= set(heads)
            and all(same(row[heads.index(key)], value) for key, value in result["values"].items())
            for heads, row in rows
        ), f"{result['page']} has no row '{result['row']}' with {result['values']}"


@pytest.mark.parametrize("folder", RECIPES)
def test_readme(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page, meta = config_root() / folder / "README.md", metafile(folder)
    text = page.read_text(encoding="utf-8")
    named = {name for inline in inline_of(page) for name in each_of(inline)}
    assert set(meta["recipes"]) <= named
    words = " ".join(text.split())
    assert meta.get("paper", {}).get("title", "") in words
    for result in meta.get("results", ()):
        assert result["row"] in text and f"../../{result['page']}" in text
    commands = [command for block in blocks_of(page, str(page)) for command in block.commands()]
    # A method of two stages trains both, and a page may show several methods. What trains on the
    # image itself is only tested, what trains on kernels alone only trained.
    kind = BACKBONES.get(meta["component"].get("backbone", ""))
    wanted = "(test )+" if getattr(kind, "zero_shot", False) else "((train )+test )+"
    model = load_config(meta["recipes"][0], check=False).get("model") or {}
    wanted = "(train )+" if model.get("type") == "KernelLikelihood" else wanted
    assert re.fullmatch(wanted, "".join(f"{command[1]} " for command in commands))
    for command in commands:
        parse_command(command)
