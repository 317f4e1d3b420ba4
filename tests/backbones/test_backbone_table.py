from __future__ import annotations

import pytest
import torch

from realdeg.backbones import (
    CSNLN,
    EDSR,
    IPT,
    SAN,
    PixelRecursiveSR,
    SwinIR,
)
from realdeg.backbones import table as backbone_table
from realdeg.backbones.numbers import OURS, PUBLISHED, VARIANTS
from realdeg.backbones.parts import attention, tiles
from realdeg.backbones.table import (
    Row,
    _count,
    _in_one_piece,
    _join,
    _per_pixel,
    describe,
    names,
)
from realdeg.cli.main import main
from realdeg.ops import kernel_apply, pixel_kernel_apply
from realdeg.registry import BACKBONES


def test_the_page_in_docs_is_up_to_date(repository):
    """Parameters and whatever else is counted fast; `realdeg list backbones --table` does all."""
    text = (repository / "docs" / "backbones_table.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    cells = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    ours = [name for name in names() if name in VARIANTS or _is_ours(name)]
    assert list(cells) == ours
    for name in ours:
        wanted = describe(name, multiply_adds=False).cells()
        found = cells[name].removeprefix("| ").removesuffix(" |").split(" | ")
        assert [c for i, c in enumerate(found) if i != 2] == [
            c for i, c in enumerate(wanted) if i != 2
        ], name


@pytest.mark.parametrize("name", ["CARN", "EDSR, full", "IRCNN", "KPN", "RDN A", "SPAN, fused"])
def test_the_page_s_multiply_adds_are_up_to_date(name, repository):
    text = (repository / "docs" / "backbones_table.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith(f"| {name} | "))
    assert line.split(" | ")[2] == describe(name).cells()[2]


def test_only_the_head_of_the_page_is_written_by_hand(repository):
    text = (repository / "docs" / "backbones_table.md").read_text(encoding="utf-8")
    assert text.startswith(backbone_table.HEAD + "\n| network |")


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


def work_of(network, height, width):
    picture = torch.zeros(1, network.channels, height, width)
    return _count(network.eval().requires_grad_(False), picture)


def test_attention_is_counted(monkeypatch):
    work = sum(work_of(SwinIR.example(), 8, 8).values())
    block = 64 * (8 * 24 + 8 * 8 + 2 * 8 * 16) + 4 * 2 * 2 * 16 * 16 * 4
    convs = 64 * 9 * (3 * 8 + 8 * 8 + 8 * 8 + 8 * 8 + 8 * 32) + 256 * 9 * 8 * 3
    assert work == 2 * block + convs
    # HAT's paper: x4 on 64 x 64 pixels.
    monkeypatch.setattr(backbone_table, "HEIGHT", 256)
    monkeypatch.setattr(backbone_table, "WIDTH", 256)
    with torch.device("meta"):
        network = SwinIR()
    assert round(backbone_table._multiply_adds(SwinIR, network, {}), 1) == 53.6


@pytest.mark.parametrize(("cls", "height", "width"), [(CSNLN, 8, 12), (IPT, 20, 27), (SAN, 9, 10)])
def test_slices_and_tiles_do_the_same_work(monkeypatch, cls, height, width):
    network = cls.example()
    with _in_one_piece():
        whole = work_of(network, height, width)
    monkeypatch.setattr(attention, "SLICE", 100)
    monkeypatch.setattr(tiles, "AT_ONCE", 1)
    assert sum(work_of(network, height, width).values()) == sum(whole.values())
    assert attention.SLICE == 100


def test_small_pictures_give_what_the_whole_one_does():
    network = EDSR.example()
    assert _per_pixel(network.eval()) * 7 * 9 == sum(work_of(network, 7, 9).values())


def test_resampling_by_matrices_is_left_out():
    class Resampling(torch.nn.Module):
        channels = 1

        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 2, 3, padding=1)

        def forward(self, image):
            return self.conv(image) @ torch.eye(image.shape[3])

    assert _per_pixel(Resampling()) == 18


def test_kernels_of_each_pixel_are_counted():
    class Kernels(torch.nn.Module):
        def forward(self, image):
            mixed = kernel_apply(image, torch.zeros(1, 4, 6, 8), torch.zeros(4, 5, 5))
            return pixel_kernel_apply(mixed, torch.zeros(1, 9, 6, 8))

    work = sum(_count(Kernels(), torch.zeros(1, 3, 6, 8)).values())
    assert work == 3 * 6 * 8 * (4 * 25 + 4 + 9)


def test_networks_that_run_on_numbers_only_are_counted():
    network = PixelRecursiveSR.example()
    assert _per_pixel(network.eval()) * 2 * 3 == sum(work_of(network, 2, 3).values())
    assert describe("LapSRN").multiply_adds[1] == pytest.approx(117.5 * 427 * 240 / 320 / 180, 1e-3)
