"""Tables of the papers: planned, run in order, continued, and filled beside published values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import realdeg
from realdeg.apis import reproducing
from realdeg.apis.reproduce_rows import FIDELITY, PLANS, Cell, Plan, Run, Weights, noisy
from realdeg.apis.sweeping import SweepResult, SweptRun
from realdeg.cli.main import main
from realdeg.config import list_configs
from realdeg.errors import ConfigError
from tests.cli.recipe_runs import pair, picture
from tests.runs.written import write_run, write_test

LEARNED = Run("learned", "dml/dml_n8_realsrv3crops_x4_cpu", {"degradation.width": 4})
NETWORK = Run(
    "network",
    "vdsr/vdsr_realsrv3crops_syn_dml_x4_cpu",
    {"backbone.depth": 3, "backbone.width": 4, "degradation": {"_delete_": True, **noisy(LEARNED)}},
)
TINY = Plan(
    "Tiny",
    (
        Cell("DML", "LR", LEARNED, FIDELITY, ("35.75", ".9842")),
        Cell("DML", "SR", NETWORK, ("psnr[realsr-official]", "lpips[realsr-official]"), ("28.60",)),
    ),
)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(PLANS, "table1", lambda budget: TINY)


@pytest.fixture
def swept(monkeypatch, tiny):
    """Stands in for sweeps: writes runs with a score, or fails; records what it was asked for."""
    asked = []

    def sweep(recipe, *, seeds, options, out, device, test):
        (seed,) = seeds
        folder = Path(out) / f"seed={seed}"
        asked.append((folder.parent.name, seed, options, test))
        if folder.parent.name in sweep.fails:
            run = SweptRun(folder, {}, "failed", "the disk is full")
            return SweepResult(recipe, Path(out), [run])
        if not folder.exists():
            write_run(folder, seed)
            write_test(folder, {"a": 30.0 + seed}, "dml-paper" if "learned" in str(out) else "rgb")
        return SweepResult(recipe, Path(out), [SweptRun(folder, {}, "finished")])

    sweep.fails = set()
    sweep.asked = asked
    monkeypatch.setattr(reproducing, "sweep", sweep)
    return sweep


def test_every_run_comes_after_what_it_needs(swept, tmp_path):
    result = realdeg.reproduce("table1", out=tmp_path, options={"batch_size": 2}, seeds=(0, 1))
    names = [(name, seed) for name, seed, _, _ in swept.asked]
    assert names == [("learned", 0), ("learned", 1), ("network", 0), ("network", 1)]
    options = swept.asked[3][2]
    assert options["data_root"] == "data" and options["batch_size"] == 2
    file = options["degradation"]["parts"][0]["checkpoint"]
    assert file == str(tmp_path / "small" / "learned" / "seed=1" / "degradation.safetensors")

    (cell, other) = result.cells
    found = cell["found"]["psnr[dml-paper]"]
    assert found["mean"] == 30.5 and found["spread"] == pytest.approx(0.5**0.5)
    assert cell["published"] == ["35.75", ".9842"] and not other["found"]
    text = (tmp_path / "small" / "table1.md").read_text()
    assert "| 30.50 ± 0.71 / n/a | 35.75 / .9842 | missing | 28.60 |" in text
    data = json.loads((tmp_path / "small" / "table1.json").read_text())
    assert data["format"] == "realdeg-reproduce-1" and len(data["runs"]) == 4
    assert not result.failed and not result.missing


def test_a_failure_leaves_its_cells_empty_and_says_why(swept, tmp_path):
    swept.fails = {"learned"}
    result = realdeg.reproduce("table1", out=tmp_path, seeds=(3,))
    assert [run.name for run in result.failed] == ["learned"]
    assert result.missing == [
        "learned (seed 3): the disk is full",
        "network (seed 3): it needs learned, which is not there",
    ]
    assert "- learned (seed 3): the disk is full" in result.to_markdown()

    swept.fails = set()
    again = realdeg.reproduce("table1", out=tmp_path, seeds=(3,))
    assert not again.failed and [run.state for run in again.runs] == ["done", "done"]


def test_a_plan_runs_nothing(swept, tmp_path, capsys):
    write_run(tmp_path / "small" / "learned" / "seed=0")
    write_run(tmp_path / "small" / "learned" / "seed=1", done=4)
    assert main(["reproduce", "table1", "--plan", "-o", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not swept.asked and "4 runs" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ["done", "interrupted", "to", "to"]


def test_what_is_not_registered_is_missing(monkeypatch, tmp_path):
    cells = tuple(
        Cell(name, "LR", Run(name, recipe), FIDELITY, requires=needed)
        for name, recipe, needed in (
            ("one", "dml/dml_n8_realsrv3crops_x4_cpu", ("NoSuchNoise",)),
            ("two", "nothing/nothing_x4", ()),
        )
    )
    after = Run("after", LEARNED.recipe, {"a": [Weights(cells[1].run)]})
    plan = Plan("Missing", (*cells, Cell("three", "LR", after, FIDELITY)))
    monkeypatch.setitem(PLANS, "noise", lambda budget: plan)
    result = realdeg.reproduce("noise", out=tmp_path, seeds=(0,))
    assert [run.reason for run in result.runs] == [
        "NoSuchNoise is not registered",
        "there is no recipe nothing/nothing_x4",
        "it needs two: there is no recipe nothing/nothing_x4",
    ]
    assert not result.failed and all(not cell["found"] for cell in result.cells)


@pytest.mark.parametrize("budget", ["small", "paper"])
@pytest.mark.parametrize("table", sorted(PLANS))
def test_the_shipped_tables_are_whole(table, budget):
    plan = PLANS[table](budget)
    runs = {}
    for run in plan.runs:
        assert runs.setdefault(run.name, run) == run
        assert all(needed.name in runs for needed in run.needs)
        # Every option fits its recipe; files are looked for when a run starts.
        if run.recipe in list_configs():
            realdeg.load_config(run.recipe, reproducing.filled(run.options, 0, Path("runs")))
    for cell in plan.cells:
        assert len(cell.published) == len(cell.scores)
    result = realdeg.reproduce(table, budget=budget, plan=True, seeds=(0,))
    # HAT and MetaSR have no form for RealSR V2.
    if (table, budget) == ("scales", "paper"):
        assert all("there is no recipe" in text for text in result.missing)
    else:
        assert not result.missing


def test_one_name_is_one_run_in_all_tables():
    for budget in ("small", "paper"):
        runs = {}
        for table in PLANS:
            for run in PLANS[table](budget).runs:
                assert runs.setdefault(run.name, run) == run, f"{run.name} of {table}"


def test_arguments_that_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no table 'table3'.*Did you mean"):
        realdeg.reproduce("table3")
    with pytest.raises(ConfigError, match="'small' or 'paper'"):
        realdeg.reproduce("table1", budget="large")
    for seeds in ((), (1, 1)):
        with pytest.raises(ConfigError, match="seeds are different"):
            realdeg.reproduce("table1", seeds=seeds)


def test_a_degradation_and_a_network_on_it(tiny, tmp_path):
    """The real thing on tiny pairs: learned, used by the next run, tested; then nothing to do."""
    for part in ("Train", "Test"):
        for camera in ("Canon", "Nikon"):
            folder = tmp_path / "data" / "RealSR-V3-crops" / camera / part / "4"
            hr, lr = (folder / f"{camera}_001_{end}.png" for end in ("HR", "LR4"))
            pair(hr, lr, 144, 4, 1)
    picture(tmp_path / "data" / "T91" / "a.png", 144, 2)
    options = {
        "train_cfg.max_iters": 2,
        "train_cfg.val_interval": 2,
        "patch_size": 48,
        "batch_size": 2,
        "train_dataloader.num_workers": 0,
        "train_dataloader.persistent_workers": False,
        "default_hooks.alignment": None,
    }
    given = dict(data=tmp_path / "data", out=tmp_path / "out", seeds=(0,), device="cpu")
    result = realdeg.reproduce("table1", options=options, **given)
    assert not result.missing and [run.state for run in result.runs] == ["done", "done"]
    first, second = result.cells
    assert set(first["found"]) == set(FIDELITY)
    assert "psnr[realsr-official]" in second["found"]
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.safetensors")}
    again = realdeg.reproduce("table1", options=options, **given)
    assert again.cells == result.cells
    assert {file: file.stat().st_mtime_ns for file in times} == times
