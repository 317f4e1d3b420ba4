"""docs/losses.md is the page that lists all losses."""

from __future__ import annotations

from pathlib import Path

import pytest

from realdeg.registry import LOSSES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "losses.md"


@pytest.mark.parametrize("name", LOSSES.names())
def test_every_loss_is_on_the_page(name):
    if LOSSES.require(name).__module__.startswith("realdeg."):
        assert f"`{name}`" in PAGE.read_text(encoding="utf-8")
