"""The configs of benchmarks/experiments stay complete, and their runs have names of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from realdeg.config import inject, load_config
from realdeg.registry import TASKS

EXPERIMENTS = Path(__file__).resolve().parents[2] / "benchmarks" / "experiments"
CONFIGS = sorted(EXPERIMENTS.glob("configs/*.py"))


@pytest.fixture
def modules(monkeypatch):
    """Import the programs next to the configs."""
    names = ("runs", "supervised", "adversarial")
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    yield lambda name: __import__(name)
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_is_read(path):
    cfg = inject(load_config(str(path)))
    model = dict(cfg.model)
    TASKS.get(model.pop("type"))
    assert cfg.scale in (2, 4) and cfg.train_cfg.max_iters


def test_fine_tunings_share_budget_patches_and_rate(modules):
    runs = modules("adversarial").fine_tunings([0])
    found = set()
    for run in runs:
        (stage,) = run.stages
        cfg = load_config(str(EXPERIMENTS / "configs" / stage.config))
        wrapper = cfg.optim_wrapper.get("backbone_step", cfg.optim_wrapper)
        found.add((stage.iterations, cfg.patch_size, cfg.batch_size, wrapper["optimizer"]["lr"]))
    assert len(found) == 1 and len({run.folder for run in runs}) == len(runs)


def test_a_number_is_measured_once_and_others_are_kept(modules, tmp_path):
    book_of, path = modules("runs").Book, tmp_path / "experiment.json"
    first, second = book_of(path), book_of(path)
    assert first.once("runs", "a", lambda: 1) == 1
    assert second.once("runs", "b", lambda: 2) == 2  # begun before the first was written
    assert first.once("runs", "a", lambda: pytest.fail("measured twice")) == 1
    assert json.loads(path.read_text())["runs"] == {"a": 1, "b": 2}
