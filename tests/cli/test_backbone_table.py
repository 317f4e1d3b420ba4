from __future__ import annotations

import pytest

from realdeg.cli.backbone_numbers import OURS, PUBLISHED, VARIANTS
from realdeg.cli.backbone_table import Row, _join, describe, names
from realdeg.cli.main import main
from realdeg.registry import BACKBONES


def test_the_page_in_docs_is_up_to_date(repository):
    """Parameters and whatever else is counted fast; `realdeg list backbones --table` does all."""
    text = (repository / "docs" / "backbones_table.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    cells = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    ours = [name for name in names() if name in VARIANTS or _is_ours(name)]
    assert list(cells) == ours
    for name in ours:
        wanted = describe(name, multiply_adds=False).cells()
        found = cells[name].removeprefix("| ").removesuffix(" |").split(" | ")
        assert [c for i, c in enumerate(found) if i != 2] == [
            c for i, c in enumerate(wanted) if i != 2
        ], name


def _is_ours(name: str) -> bool:
    return BACKBONES.require(name).__module__.startswith("realdeg.")


def test_counts_are_the_literature_s():
    row = describe("CARN")
    assert row.parameters == (1591939.0,) * 3
    assert [round(value, 1) for value in row.multiply_adds] == [222.8, 118.9, 90.9]
    vdsr = describe("VDSR")
    assert round(vdsr.multiply_adds[0], 1) == 612.6 and vdsr.field == "41"


def test_names_of_the_numbers_exist():
    assert {*PUBLISHED, *OURS} <= set(names())


def test_cells():
    row = Row("X", (1000.0, None, 1000.0), (None,) * 3, "9", "y", "2, 4", "post")
    assert row.cells()[1:4] == ["1,000", "–", "9"]
    assert _join((1.0, 2.0, None), "{:.0f}") == "1 / 2 / –"
    assert _join((None, None, 2.0), "{:.0f}", keep=True) == "– / – / 2"


def test_the_command(capsys):
    assert main(["list", "backbones", "espcn", "--table"]) == 0
    out = capsys.readouterr().out
    assert "| ESPCN | 21,284 / 22,729 / 24,752 | 4.9 / 2.3 / 1.4 | 9 | Y |" in out
    assert "VDSR |" not in out


@pytest.mark.parametrize("what", ["configs", "losses"])
def test_a_table_is_of_backbones(what, capsys):
    assert main(["list", what, "--table"]) == 2
    assert "realdeg list backbones" in capsys.readouterr().err
