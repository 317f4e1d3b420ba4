"""Several processes on CPUs: train, resume, evaluate exactly, and end together."""

from __future__ import annotations

import json
import socket

import pytest

from realdeg.engine import newest_readable
from realdeg.errors import ConfigError
from tests.engine import test_accumulation  # noqa: F401  (registers TinyDoubles)
from tests.engine.tiny import differences, final_state, start, tiny_config, train


def processes(work_dir, count: int, function=None, **changes) -> list[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = dict(WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    started = [
        start(
            work_dir,
            env=dict(common, RANK=str(rank), LOCAL_RANK=str(rank)),
            function=function,
            launcher="pytorch",
            **changes,
        )
        for rank in range(count)
    ]
    for process in started:
        process.join(60)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in started]


def two_processes(work_dir, function=None, **changes) -> list[int]:
    return processes(work_dir, 2, function, **changes)


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


def logged(folder) -> dict[int, float]:
    """The losses in a run's log by iteration; those of the parts of a resumed run together."""
    lines = [
        json.loads(line)
        for file in sorted(folder.glob("*/vis_data/scalars.json"))
        for line in file.read_text().splitlines()
    ]
    name = "train/loss_square"
    return {line["step"]: line[name] for line in lines if name in line}


def test_logged_losses_are_means_over_processes(tmp_path, monkeypatch):
    """The log once had the loss of the first process alone."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    alone, both = tmp_path / "alone", tmp_path / "both"
    train(alone, iterations=4)
    assert two_processes(both, iterations=4) == [0, 0]
    # One process has the whole batch: its loss is the mean of both halves.
    assert len(logged(alone)) == 2
    assert logged(both) == pytest.approx(logged(alone), rel=1e-5)


def shares(count: int, passes: int) -> dict:
    """Eight samples in an iteration, split over processes and backward passes."""
    loader = tiny_config("")["train_dataloader"]
    adam = dict(type="Adam", lr=0.05)
    return dict(
        model=dict(type="TinyDoubles"),
        train_dataloader={
            **loader,
            "batch_size": 8 // count // passes,
            "sampler": dict(type="TinyPositions", batch_size=8),
        },
        optim_wrapper=dict(type="OptimWrapper", optimizer=adam, accumulative_counts=passes),
    )


def test_processes_passes_and_a_whole_batch_take_the_same_steps(tmp_path, monkeypatch):
    """Also where their number changes in the middle; in float64, so rounding hides nothing."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    every = dict(
        default_hooks=dict(
            logger=dict(type="ProgressHook", interval=1),
            checkpoint=dict(type="SaveCheckpointHook", interval=4),
        )
    )
    train(tmp_path / "alone", iterations=8, **every, **shares(1, 1))
    assert processes(tmp_path / "four", 4, train, iterations=8, **every, **shares(4, 2)) == [0] * 4
    folder = tmp_path / "changing"
    train(folder, iterations=2, **every, **shares(1, 4))
    for count, passes, end in ((4, 1, 5), (2, 2, 8)):
        given = dict(iterations=end, resume=True, **every, **shares(count, passes))
        assert processes(folder, count, train, **given) == [0] * count
    theirs = final_state(tmp_path / "alone", 8)["state_dict"]
    for folder in (tmp_path / "four", tmp_path / "changing"):
        ours = final_state(folder, 8)["state_dict"]
        for name in ("backbone.layer.weight", "backbone.layer.bias"):
            assert (ours[name] - theirs[name]).abs().max() < 1e-6
        assert list(logged(folder)) == list(range(1, 9))
        assert logged(folder) == pytest.approx(logged(tmp_path / "alone"), rel=1e-6)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_fails_ends_the_other_with_its_message(tmp_path, monkeypatch, capfd, rank):
    """The other one once ended with a traceback of its network connection."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    # Iteration 5 has the positions 20 to 23, two for each process.
    position = 21 if rank == 0 else 23
    assert two_processes(tmp_path / "run", data=dict(fail_at=position)) == [2, 2]
    said = capfd.readouterr()
    assert "Traceback" not in said.err
    assert said.out.count("error: photo.png cannot be read: it is cut off.") == 1
    # Without torchrun the first process keeps the store, and takes what it noted with it.
    what = "ended or cannot be reached" if rank == 0 else "failed: process 1 on "
    assert f"error: another process of this run {what}" in said.out
    assert newest_readable(tmp_path / "run")[1]["meta"]["iter"] == 5
