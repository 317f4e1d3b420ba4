"""The configs of benchmarks/experiments stay complete, and their runs have names of their own."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from realdeg.config import inject, load_config
from realdeg.registry import TASKS
from realdeg.utils.image import read_image

EXPERIMENTS = Path(__file__).resolve().parents[2] / "benchmarks" / "experiments"
CONFIGS = sorted(EXPERIMENTS.glob("configs/*.py"))


@pytest.fixture
def modules(monkeypatch):
    """Import the programs next to the configs."""
    names = ("runs", "supervised", "adversarial", "mismatch", "pictures", "unpaired")
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    yield lambda name: __import__(name)
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_is_read(path):
    cfg = inject(load_config(str(path)))
    model = dict(cfg.model)
    TASKS.get(model.pop("type"))
    assert cfg.scale in (2, 4)
    # One kernel is solved in one pass.
    assert cfg.train_cfg.type == "ClosedFormLoop" or cfg.train_cfg.max_iters


def test_fine_tunings_share_budget_patches_and_rate(modules):
    runs = modules("adversarial").fine_tunings([0])
    found = set()
    for run in runs:
        (stage,) = run.stages
        cfg = load_config(str(EXPERIMENTS / "configs" / stage.config))
        wrapper = cfg.optim_wrapper.get("backbone_step", cfg.optim_wrapper)
        found.add((stage.iterations, cfg.patch_size, cfg.batch_size, wrapper["optimizer"]["lr"]))
    assert len(found) == 1 and len({run.folder for run in runs}) == len(runs)


def test_methods_without_pairs_share_network_patches_and_budget(modules):
    unpaired = modules("unpaired")
    runs = unpaired.unpaired_runs([0, 1])
    assert len({run.folder for run in runs}) == len(runs)
    assert {run.label for run in runs} <= set(unpaired.ORDER)
    for run in runs[1:]:
        stage = run.stages[-1]
        own = EXPERIMENTS / "configs" / stage.config
        cfg = load_config(str(own) if own.is_file() else stage.config)
        network = cfg.backbone.get("enlarger", cfg.backbone)
        assert (network.num_blocks, network.num_features) == (4, 32)
        assert (stage.iterations, cfg.patch_size, cfg.batch_size) == (600, 128, 8)
        # What an option refers to is a stage before.
        known = {f"{{{before.name}}}" for before in run.stages[:-1]}
        assert set(stage.options.values()) <= known


def test_a_number_is_measured_once_and_others_are_kept(modules, tmp_path):
    book_of, path = modules("runs").Book, tmp_path / "experiment.json"
    first, second = book_of(path), book_of(path)
    assert first.once("runs", "a", lambda: 1) == 1
    assert second.once("runs", "b", lambda: 2) == 2  # begun before the first was written
    assert first.once("runs", "a", lambda: pytest.fail("measured twice")) == 1
    assert json.loads(path.read_text())["runs"] == {"a": 1, "b": 2}


def test_a_network_meets_every_lr_once_and_needs_the_weights_of_its_own_training(modules):
    mismatch = modules("mismatch")
    runs = mismatch.mismatch_runs([0, 1])
    trained = {run.folder for run in runs if run.stages[0].iterations}
    assert len({run.key for run in runs}) == len({run.folder for run in runs}) == len(runs)
    assert len(trained) == 2 * 6  # three widths, bicubic, noise, JPEG
    for run in runs:
        (stage,) = run.stages
        weights = stage.options.get("backbone.checkpoint", "{}")[1:-1]
        name = run.label.partition(" on ")[0]
        assert weights in ({""} if stage.iterations or "interpolation" in name else trained)
        if weights:
            assert weights.startswith(name.replace(" ", "_").replace(".", "_").lower())
    for columns, rows in mismatch.grids():
        for row in [*rows, mismatch.INTERPOLATION]:
            for column in columns:
                key = f"{mismatch.cell(row, column)}, seed 0"
                assert sum(run.key == key for run in runs) == 1


def test_a_grid_is_the_mean_over_seeds_and_its_picture_shows_the_loss(modules, tmp_path):
    mismatch, book = modules("mismatch"), modules("runs").Book(tmp_path / "mismatch.json")
    columns, rows = mismatch.grids()[0]
    for seed, more in ((0, 0.0), (1, 2.0)):
        for number, column in enumerate(columns):
            values = {mismatch.PSNR: 30.0 + number + more}
            key = f"{mismatch.cell(rows[0], column)}, seed {seed}"
            book.once("runs", key, lambda values=values: {"values": values})
    grid = mismatch.grid_of(book, list(columns), rows)
    assert grid[rows[0]] == [31.0, 32.0, 33.0, 34.0] and math.isnan(grid[rows[1]][0])
    drawn = mismatch.draw({row: grid[rows[0]] for row in rows}, list(columns), tmp_path / "a.png")
    assert read_image(drawn).std() > 10
