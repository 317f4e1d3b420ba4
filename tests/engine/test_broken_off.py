"""What ends a run from outside costs no iteration, and is told in one sentence."""

from __future__ import annotations

import os
import pty
import signal
import time
from pathlib import Path

import pytest
import torch
from mmengine.registry import FUNCTIONS
from torch.utils.data import default_collate

from realdeg.engine import RealdegRunner
from realdeg.errors import DataError, OutputError, TrainingError
from realdeg.registry import TASKS
from realdeg.utils.locks import exclusive
from tests.engine.test_resume import newest
from tests.engine.tiny import TinyTask, differences, final_state, run, start, tiny_config, train


class Unsendable:
    def __reduce__(self):
        raise RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on"
            " device (28)"
        )


@FUNCTIONS.register_module(force=True)
def unsendable_batch(items):
    """A batch that cannot be handed over: the worker's sending thread fails."""
    return {**default_collate(items), "unsendable": Unsendable()}


@FUNCTIONS.register_module(force=True)
def batch_of_a_killed_worker(items, seen=[]):  # noqa: B006
    """What a machine short of memory does to a worker, at its third batch."""
    seen.append(1)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return default_collate(items)


QUIET: dict[str, None] = dict(val_dataloader=None, val_cfg=None, val_evaluator=None)


def failing(folder: Path, error: type[BaseException], **changes) -> None:
    runner = RealdegRunner.from_cfg(tiny_config(folder, save=dict(interval=100), **changes))
    try:
        runner.train()
    except error:
        return
    finally:
        runner.close()
    pytest.fail("the run did not break off")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_costs_no_iteration(tmp_path, workers, capfd):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    settings = dict(workers=workers, save=dict(interval=100))
    # Position 41 is in the eleventh batch.
    assert run(broken, data=dict(fail_at=41), **settings) == 2
    said = capfd.readouterr().out
    assert "photo.png cannot be read" in said and "stopped by an error after iteration 10" in said
    assert newest(broken) == 10
    assert run(broken, resume=True, **settings) == 0
    assert run(whole, **settings) == 0
    assert differences(final_state(whole), final_state(broken)) == []


def test_an_error_in_the_forward_pass_costs_no_iteration(tmp_path, monkeypatch):
    class Stumbles(TinyTask):
        def forward(self, x, y, key=None, mode="tensor"):
            if mode == "loss" and self.steps == 5:
                raise ZeroDivisionError("in the forward pass")
            return super().forward(x, y, key, mode)

    monkeypatch.setitem(TASKS.module_dict, "TinyTask", Stumbles)
    failing(tmp_path / "broken", ZeroDivisionError)
    assert newest(tmp_path / "broken") == 5
    monkeypatch.undo()
    save = dict(interval=100)
    train(tmp_path / "broken", save=save, resume=True)
    train(tmp_path / "whole", save=save)
    parts = final_state(tmp_path / "whole"), final_state(tmp_path / "broken")
    assert differences(*parts) == []


def test_a_step_that_had_begun_is_not_saved(tmp_path, monkeypatch, capsys):
    def stumble(*args, **kwargs):
        raise ZeroDivisionError("after the step")

    monkeypatch.setattr("realdeg.engine.hooks.progress.ProgressHook.after_train_iter", stumble)
    failing(tmp_path / "run", ZeroDivisionError)
    assert newest(tmp_path / "run") == 0
    assert "step had started, so it was not saved" in capsys.readouterr().out


def test_a_loss_that_is_not_finite_saves_nothing(tmp_path):
    failing(tmp_path / "run", TrainingError, model=dict(break_at=6))
    assert newest(tmp_path / "run") == 0


def test_a_full_disk_is_the_error_that_is_told(tmp_path, monkeypatch, capsys):
    def full(path, checkpoint):
        raise OutputError("cannot write: the disk is full")

    monkeypatch.setattr("realdeg.engine.runner.write_checkpoint", full)
    failing(tmp_path / "run", DataError, data=dict(fail_at=41), **QUIET)
    assert "nothing could be saved: cannot write" in capsys.readouterr().out


def test_a_lost_terminal_costs_no_iteration(tmp_path):
    """As when an SSH connection breaks: SIGHUP, and nobody reads what is printed."""
    folder = tmp_path / "run"
    pid, terminal = pty.fork()
    if not pid:
        torch.set_num_threads(1)
        try:
            train(folder, iterations=100_000, save=dict(interval=50_000), workers=2)
        except SystemExit as left:
            os._exit(int(left.code or 0))
        os._exit(99)
    deadline = time.monotonic() + 30
    while not list(folder.glob("*/vis_data/scalars.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.close(terminal)  # the kernel sends SIGHUP
    while (done := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < deadline + 30:
        time.sleep(0.01)
    if not done[0]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(done[1]) == 128 + signal.SIGHUP
    assert 0 < newest(folder) < 100_000


def test_what_nohup_ignores_does_not_end_a_run(tmp_path):
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(tmp_path / "run", iterations=40)
    finally:
        signal.signal(signal.SIGHUP, former)
    while process.is_alive():
        os.kill(process.pid, signal.SIGHUP)
        time.sleep(0.02)
    process.join()
    assert process.exitcode == 0


def loader(folder: Path, collate: str) -> dict:
    return {**tiny_config(folder, workers=2)["train_dataloader"], "collate_fn": dict(type=collate)}


def test_a_batch_that_cannot_be_handed_over_ends_the_run(tmp_path, capfd):
    folder = tmp_path / "run"
    began = time.monotonic()
    assert run(folder, train_dataloader=loader(folder, "unsendable_batch")) == 2
    assert time.monotonic() - began < 30
    said = capfd.readouterr().out
    assert "could not send a batch (RuntimeError: unable to allocate shared memory" in said
    assert "num_workers" in said and "Traceback" not in said


def test_a_killed_worker_is_told_in_a_sentence_and_costs_no_iteration(tmp_path, capfd):
    folder = tmp_path / "run"
    changes = dict(
        train_dataloader=loader(folder, "batch_of_a_killed_worker"), save=dict(interval=100)
    )
    assert run(folder, **QUIET, **changes) == 2
    said = capfd.readouterr().out
    assert "worker" in said and "num_workers" in said and "Traceback" not in said
    assert newest(folder) > 0 or "step had started" in said
    assert run(folder, resume=True, save=dict(interval=100)) == 0


def test_a_second_run_in_a_work_dir_is_refused_before_it_writes(tmp_path, capsys):
    from realdeg.cli.main import main

    folder = tmp_path / "run"
    process = start(folder, iterations=100_000)
    try:
        deadline = time.monotonic() + 30
        while not newest(folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        before = sorted(folder.iterdir())
        command = ["train", "srvgg_compact/srvgg_compact_t91_x4_cpu", "--sample", "--device", "cpu"]
        assert main([*command, "--work-dir", str(folder)]) == 2
        said = capsys.readouterr().err
        assert f"in use by another training run (process {process.pid} on" in said
        known = {file.name for file in before}
        new = {file.name for file in folder.iterdir()} - known
        # The first run goes on writing its own.
        own = ("iter_", ".realdeg", "backbone", "best", "last_checkpoint")
        assert all(name.startswith(own) for name in new)
        with pytest.raises(OutputError, match="in use by another training run"):
            train(folder, iterations=2)
    finally:
        process.kill()
        process.join()
    train(folder, iterations=newest(folder) + 1, resume=True)
    assert not (folder / ".realdeg.lock").exists()
    with exclusive(folder):
        pass
