"""Which file a run goes on from, and weights of other projects."""

from __future__ import annotations

import os
import shutil

import pytest
import torch

from realdeg import create_backbone
from realdeg.engine import RealdegRunner, read_checkpoint
from realdeg.engine.loading import read_weights_of
from realdeg.errors import CheckpointError
from tests.engine.tiny import TinyTask, differences, final_state, tiny_config, train


def test_a_resume_takes_its_own_newest_whatever_the_run_began_with(tmp_path, capsys):
    train(tmp_path / "before", iterations=4)
    start = dict(load_from=str(tmp_path / "before" / "iter_4.pth"), save=dict(interval=4, keep=9))
    train(tmp_path / "run", iterations=8, **start)
    runner = train(tmp_path / "run", iterations=12, resume=True, **start)
    assert runner.loaded_from == str(tmp_path / "run" / "iter_8.pth")
    assert not list((tmp_path / "run").glob("*.superseded"))
    assert "resumed from" in capsys.readouterr().out
    train(tmp_path / "whole", iterations=12, **start)
    assert differences(final_state(tmp_path / "run", 12), final_state(tmp_path / "whole", 12)) == []


def test_a_checkpoint_that_is_named_is_the_one(tmp_path):
    keep = dict(save=dict(interval=4, keep=9))
    train(tmp_path / "run", iterations=8, **keep)
    train(tmp_path / "other", iterations=4, **keep)
    # One of its own, to go back on purpose.
    own = str(tmp_path / "run" / "iter_4.pth")
    back = train(tmp_path / "run", iterations=5, resume=True, load_from=own, **keep)
    assert back.loaded_from == own and (tmp_path / "run" / "iter_8.pth.superseded").is_file()
    # Another run's, named beside --resume.
    runner = RealdegRunner.from_cfg(tiny_config(tmp_path / "run", iterations=6, **keep))
    runner.resume_from(str(tmp_path / "other" / "iter_4.pth"))
    runner.train()
    runner.close()
    assert runner.loaded_from == str(tmp_path / "other" / "iter_4.pth")


class Networks(TinyTask):
    """A task whose component is a network of ours."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = create_backbone("SRVGGNetCompact", 4, num_features=4, num_convs=1)


@pytest.fixture
def published():
    torch.manual_seed(1)
    return create_backbone("SRVGGNetCompact", 4, num_features=4, num_convs=1).state_dict()


@pytest.mark.parametrize("wrapper", ["params", "params_ema", "state_dict", "model", None])
def test_a_published_file_fills_the_network_of_a_task(tmp_path, published, wrapper):
    file = tmp_path / "published.pth"
    both = {"params": {k: v * 0 for k, v in published.items()}, "params_ema": published}
    held = published if wrapper is None else {wrapper: published}
    torch.save(both if wrapper == "params_ema" else held, file)
    task = Networks()
    before = {name: value.clone() for name, value in task.state_dict().items()}
    found = read_weights_of(task, file)["state_dict"]
    assert differences(before, dict(task.state_dict())) == []  # the runner loads, after its checks
    wanted = {f"backbone.{name}": value for name, value in published.items()}
    assert differences({name: found[name] for name in wanted}, wanted) == []
    task.load_state_dict(found)


def test_files_without_weights_for_a_task_are_told_in_one_sentence(tmp_path, published):
    state = {"epoch": 3, "iter": 9, "optimizers": [{"state": {}, "param_groups": []}]}
    torch.save(state, tmp_path / "9.state")
    torch.save({"params": {"x": torch.ones(3)}}, tmp_path / "other.pth")
    torch.save({**published, "body.0.weight": 1}, tmp_path / "odd.pth")
    for name in ("9.state", "other.pth", "odd.pth"):
        with pytest.raises(CheckpointError) as caught:
            read_weights_of(Networks(), tmp_path / name)
        message = str(caught.value)
        assert name in message and "realdeg convert_weights" in message
        assert "backbone.checkpoint=" in message
        with pytest.raises(CheckpointError, match=name):
            train(tmp_path / "run", load_from=str(tmp_path / name), iterations=2)
        with pytest.raises(CheckpointError, match="resume from an iter_N"):
            train(tmp_path / "run", load_from=str(tmp_path / name), iterations=2, resume=True)


def test_the_command_goes_on_from_the_runs_own_newest(tmp_path, monkeypatch, capsys):
    """The documented advice, for a run that began with a .pth: the same command with --resume."""
    import cv2
    import numpy as np

    from realdeg.cli.main import main

    monkeypatch.chdir(tmp_path)
    os.makedirs("hr")
    rng = np.random.default_rng(0)
    for number in range(2):
        cv2.imwrite(f"hr/{number}.png", rng.integers(0, 256, (64, 64, 3), np.uint8))
    (tmp_path / "small.py").write_text(
        '_base_ = ["realdeg::srvgg_compact/srvgg_compact_t91_x4_cpu.py"]\n'
        '__crop = [dict(type="PairedCrop", patch_size=32), dict(type="PackSample")]\n'
        "backbone = dict(num_features=4, num_convs=1)\n"
        "train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False,\n"
        '    dataset=dict(_delete_=True, type="HRFolderDataset", folder="hr", transforms=__crop))\n'
        "val_cfg = val_dataloader = val_evaluator = None\n"
        "train_cfg = dict(max_iters=8)\n"
        "default_hooks = dict(checkpoint=dict(interval=4, keep=9), logger=dict(interval=4))\n"
    )

    def command(work_dir: str, *options: str) -> str:
        arguments = ["train", "small.py", "--device", "cpu", "--work-dir", work_dir]
        assert main([*arguments, *options]) == 0
        return capsys.readouterr().out

    command("before", "--cfg-options", "train_cfg.max_iters=4")
    # Given from the first start on, as job scripts do: there is nothing to go on from yet.
    start = "load_from=before/iter_4.pth"
    said = command("run", "--resume", "--cfg-options", start)
    assert "loaded before/iter_4.pth" in said and "resumed" not in said
    said = command("run", "--resume", "--cfg-options", start, "train_cfg.max_iters=12")
    assert "run/iter_8.pth at iteration 8" in said and "resumed" in said
    assert not list((tmp_path / "run").glob("*.superseded"))
    said = command("run", "--resume", "before/iter_4.pth", "--cfg-options", start)
    assert "before/iter_4.pth at iteration 4" in said and "resumed" in said
    assert read_checkpoint(tmp_path / "run" / "iter_8.pth")["meta"]["iter"] == 8
    shutil.rmtree("run")
