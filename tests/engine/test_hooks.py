"""Saving, stopping and telling."""

from __future__ import annotations

import json
import logging

import pytest
import torch

from realdeg.engine import (
    FiniteLossHook,
    ProgressHook,
    RealdegRunner,
    SaveCheckpointHook,
    read_checkpoint,
)
from realdeg.errors import ConfigError, TrainingError
from realdeg.utils.component import read_component
from tests.engine.tiny import tiny_config, train

EMA = [dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=0.1)]


def test_two_are_kept_and_the_last_is_named(work_dir):
    train(work_dir)
    names = sorted(file.name for file in work_dir.glob("iter_*"))
    assert names == ["iter_12.pth", "iter_16.pth"]
    assert (work_dir / "last_checkpoint").read_text().strip() == "iter_16.pth"
    assert read_component(work_dir / "backbone.safetensors").meta["iter"] == 16
    assert not list(work_dir.glob(".*tmp*"))


def test_the_last_iteration_is_saved_in_any_case(work_dir):
    train(work_dir, iterations=5, save=dict(interval=100))
    assert [file.name for file in work_dir.glob("iter_*")] == ["iter_5.pth"]


@pytest.mark.parametrize("metric", ["psnr", "tiny/error"])
def test_the_best_is_kept(work_dir, metric):
    runner = train(work_dir, save=dict(save_best=metric))
    scores = runner.message_hub.get_scalar("val/tiny/error").data[0]
    best = 4 * (1 + int(scores.argmin()))
    state = read_checkpoint(work_dir / "best.pth")
    assert state["meta"]["iter"] == best and "optimizer" not in state
    assert read_component(work_dir / "best_backbone.safetensors").meta["iter"] == best


@pytest.mark.parametrize(
    ("name", "better"),
    [("psnr[realsr-official]", 2.0), ("realsr/psnr", 2.0), ("lpips[rgb-full]", 0.5)],
)
def test_a_metric_is_found_without_its_protocol(work_dir, name, better):
    hook = SaveCheckpointHook(save_best=name.split("[")[0].split("/")[-1], export=False)
    runner = RealdegRunner.from_cfg(tiny_config(work_dir))
    _ = runner.train_loop
    hook.before_train(runner)
    for score in (1.0, better, 1.0):
        hook.after_val_epoch(runner, {name: score, "count": 3})
    assert runner.message_hub.get_info("best")["score"] == better


def test_an_unknown_metric_is_named(work_dir):
    with pytest.raises(ConfigError, match="tiny/psnr"):
        train(work_dir, save=dict(save_best="sharpness"))


@pytest.mark.parametrize("hooks", [EMA, [dict(type="ComponentEMAHook", momentum=0.1)]])
def test_averaged_weights_are_what_is_exported(work_dir, hooks):
    runner = train(work_dir, custom_hooks=hooks)
    state = read_checkpoint(work_dir / "iter_16.pth")
    averaged = state["state_dict"]["backbone.layer.weight"]
    raw = state["ema_state_dict"]["module.backbone.layer.weight"]
    assert not torch.equal(averaged, raw)
    assert torch.equal(runner.model.backbone.layer.weight, raw)
    exported = read_component(work_dir / "backbone.safetensors").state
    assert torch.equal(exported["layer.weight"], averaged)
    test = RealdegRunner.from_cfg(
        tiny_config(work_dir.parent / "test", load_from=str(work_dir / "iter_16.pth"))
    )
    last = runner.message_hub.get_scalar("val/tiny/error").current()
    assert test.test()["tiny/error"] == pytest.approx(last, rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run(work_dir):
    with pytest.raises(TrainingError, match=r"iteration 7.*'loss_small' is nan") as caught:
        train(work_dir, model=dict(break_at=7))
    assert "loss_square" not in str(caught.value)
    # The step was not taken, and the checkpoint before is whole.
    assert [file.name for file in work_dir.glob("iter_*")] == ["iter_4.pth"]
    assert train(work_dir, resume=True).iter == 16


def test_weights_that_are_not_finite_are_not_saved(work_dir):
    class Spoil(FiniteLossHook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 7:
                with torch.no_grad():
                    runner.model.backbone.layer.bias[1] = torch.inf

    with pytest.raises(TrainingError, match=r"backbone\.layer\.bias"):
        train(work_dir, custom_hooks=[Spoil()])
    assert [file.name for file in work_dir.glob("iter_*")] == ["iter_4.pth"]


def test_the_console_is_short_and_the_file_is_not(work_dir, capsys):
    runner = train(work_dir, iterations=8)
    lines = capsys.readouterr().out.splitlines()
    first = next(i for i, line in enumerate(lines) if "iteration 1/8" in line)
    assert first < 25
    told = "\n".join(lines)
    for part in ("a line", "7 pairs", "cpu", "parameters 20", "batch      4", str(work_dir)):
        assert part in told, part
    assert "data" in lines[first] and "loss_square" in lines[first] and "left" not in lines[first]
    assert "val at 4: tiny/error" in told and "mmengine" not in told
    log = open(runner.logger.log_file).read()
    assert "Environment:" in log and "TinyTask" in log and "torch build" in log


def test_scalars_are_written_for_curves(work_dir):
    train(work_dir, iterations=8)
    (file,) = work_dir.glob("*/vis_data/scalars.json")
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert [e["step"] for e in entries if "train/loss" in e] == [1, 4, 8]
    assert [e["step"] for e in entries if "val/tiny/psnr" in e] == [4, 8]
    # Each line is the mean since the line before.
    assert {"train/lr", "train/time", "train/data_time"} <= set(entries[0])


def test_histories_stay_short(work_dir):
    runner = train(work_dir, iterations=8)
    assert all(
        b.max_length <= 1000 for n, b in runner.message_hub.log_scalars.items() if "val" not in n
    )


@pytest.mark.parametrize(
    ("hook", "options"),
    [
        (SaveCheckpointHook, dict(keep=1)),
        (SaveCheckpointHook, dict(interval=0)),
        (SaveCheckpointHook, dict(rule="best")),
        (ProgressHook, dict(interval=-1)),
    ],
)
def test_senseless_options_are_refused(hook, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        hook(**options)


def test_warnings_reach_the_console(work_dir, capsys):
    runner = RealdegRunner.from_cfg(tiny_config(work_dir))
    runner.logger.info("detail")
    runner.logger.log(logging.WARNING, "beware")
    runner.say("hello %s", "you")
    told = capsys.readouterr().out
    assert "detail" not in told and "warning: beware" in told and "hello you" in told


def test_the_same_warning_about_another_thing_is_heard(work_dir, capsys):
    """mmengine's filter goes by the format and drops the second one."""
    runner = RealdegRunner.from_cfg(tiny_config(work_dir))
    for name in ("one", "two", "two"):
        runner.logger.warning("the file %s is odd", name)
    with open(runner.logger.log_file, encoding="utf-8") as file:
        log = file.read()
    for text in (log, "".join(capsys.readouterr())):
        assert text.count("the file one is odd") == 1 and text.count("the file two is odd") == 1
