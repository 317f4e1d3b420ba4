"""Two processes on CPUs: train, resume, evaluate exactly."""

from __future__ import annotations

import socket

import pytest

from realdeg.engine import newest_readable
from realdeg.errors import ConfigError
from tests.engine.tiny import differences, final_state, start, tiny_config, train


def two_processes(work_dir, function=None, **changes) -> list[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = dict(WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    processes = [
        start(
            work_dir,
            env=dict(common, RANK=str(rank), LOCAL_RANK=str(rank)),
            function=function,
            launcher="pytorch",
            **changes,
        )
        for rank in range(2)
    ]
    for process in processes:
        process.join(60)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]


def evaluate(work_dir, **changes):
    from torch import distributed

    from realdeg.engine import RealdegRunner

    runner = RealdegRunner.from_cfg(tiny_config(work_dir, **changes))
    metrics = runner.test()
    assert metrics["tiny/count"] == 7
    (work_dir / f"rank{runner.rank}.txt").write_text(repr(metrics["tiny/error"]))
    runner.close()
    assert not distributed.is_initialized()


def test_two_processes_train_resume_and_evaluate_exactly(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    whole, parts, alone = tmp_path / "whole", tmp_path / "parts", tmp_path / "alone"
    alone_runner = train(alone)
    assert two_processes(whole) == [0, 0]
    assert two_processes(parts, iterations=8) == [0, 0]
    assert two_processes(parts, resume=True) == [0, 0]
    assert differences(final_state(whole), final_state(parts)) == []
    # The total batch and its samples are those of one process, also when the number of processes
    # changes in the middle: only rounding differs.
    mixed = tmp_path / "mixed"
    train(mixed, iterations=8)
    assert two_processes(mixed, resume=True) == [0, 0]
    theirs = final_state(alone)["state_dict"]["backbone.layer.weight"]
    for folder in (whole, mixed):
        ours = final_state(folder)["state_dict"]["backbone.layer.weight"]
        assert (ours - theirs).abs().max() < 1e-5
    # Seven items over two processes.
    checkpoint = str(alone / "iter_16.pth")
    assert two_processes(whole, function=evaluate, load_from=checkpoint) == [0, 0]
    last = alone_runner.message_hub.get_scalar("val/tiny/error").current()
    for rank in range(2):
        assert float((whole / f"rank{rank}.txt").read_text()) == pytest.approx(last, rel=1e-6)
    assert not (tmp_path / ".dist_test").exists()


def test_a_loss_that_breaks_in_one_process_stops_both(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    assert two_processes(tmp_path / "run", function=break_on_the_second) == [2, 2]
    assert [f.name for f in (tmp_path / "run").glob("iter_*")] == ["iter_4.pth"]


def break_on_the_second(work_dir, **changes):
    import os

    train(work_dir, model=dict(break_at=6 if os.environ["RANK"] == "1" else -1), **changes)


def test_a_signal_to_one_process_stops_both_and_saves(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    folder = tmp_path / "run"
    codes = two_processes(folder, function=signal_the_second, iterations=100_000)
    assert codes == [143, 143]
    assert newest_readable(folder)[1]["meta"]["iter"] == 6


def signal_the_second(work_dir, **changes):
    import os
    import signal

    from mmengine.hooks import Hook

    class Send(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 5 and runner.rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    train(work_dir, custom_hooks=[Send()], **changes)


def test_a_launcher_without_its_variables_is_explained(work_dir, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="torchrun"):
        train(work_dir, launcher="pytorch")


def test_logged_losses_are_means_over_processes(tmp_path, monkeypatch):
    """The log once had the loss of the first process alone."""
    import json

    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    alone, both = tmp_path / "alone", tmp_path / "both"
    train(alone, iterations=4)
    assert two_processes(both, iterations=4) == [0, 0]
    told = []
    for folder in (alone, both):
        (file,) = folder.glob("*/vis_data/scalars.json")
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        told.append([line["train/loss_square"] for line in lines if "train/loss_square" in line])
    assert len(told[0]) == 2
    # One process has the whole batch: its loss is the mean of both halves.
    assert told[1] == pytest.approx(told[0], rel=1e-5)
