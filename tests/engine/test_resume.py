"""A run that is cut in two, or killed, ends where an unbroken one ends."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time

import pytest

from realdeg.utils.component import read_component
from tests.engine.tiny import differences, final_state, run, start, train

EMA = [dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=0.1)]
OURS = [dict(type="ComponentEMAHook", momentum=0.1)]


@pytest.mark.parametrize("workers", [0, 2])
def test_sixteen_iterations_equal_eight_and_eight(tmp_path, workers):
    hooks = OURS if workers else []
    assert run(tmp_path / "whole", workers=workers, custom_hooks=hooks) == 0
    parts = tmp_path / "parts"
    assert run(parts, workers=workers, iterations=8, custom_hooks=hooks) == 0
    moved = shutil.move(parts, tmp_path / "elsewhere")
    assert (moved / "last_checkpoint").read_text().strip() == "iter_8.pth"
    assert run(moved, workers=workers, resume=True, custom_hooks=hooks) == 0
    assert differences(final_state(tmp_path / "whole"), final_state(moved)) == []
    assert ("ema_state_dict" in final_state(moved)) == bool(hooks)


def test_a_run_that_averaged_the_whole_task_goes_on_with_the_component_s_average(tmp_path):
    """The checkpoints of both hooks are read by either: TinyTask is its component alone."""
    train(tmp_path / "whole", custom_hooks=EMA)
    train(tmp_path / "parts", custom_hooks=EMA, iterations=8)
    train(tmp_path / "parts", custom_hooks=OURS, resume=True, iterations=12)
    train(tmp_path / "parts", custom_hooks=EMA, resume=True)
    whole, parts = final_state(tmp_path / "whole"), final_state(tmp_path / "parts")
    assert differences(whole["ema_state_dict"], parts["ema_state_dict"]) == []
    assert differences(whole["state_dict"], parts["state_dict"]) == []


def test_workers_change_nothing(tmp_path):
    train(tmp_path / "none")
    assert run(tmp_path / "two", workers=2) == 0
    assert differences(final_state(tmp_path / "none"), final_state(tmp_path / "two")) == []


def test_a_run_killed_right_after_its_last_checkpoint_is_finished(tmp_path):
    folder = tmp_path / "run"
    train(folder)
    exported = (folder / "backbone.safetensors").read_bytes()
    for name in ("backbone.safetensors", "last_checkpoint"):
        (folder / name).unlink()
    (folder / ".realdeg-a1b2c3d4.tmp").touch()
    train(folder, resume=True)
    ours, theirs = tmp_path / "ours.safetensors", folder / "backbone.safetensors"
    ours.write_bytes(exported)
    assert read_component(ours).hash == read_component(theirs).hash
    assert (folder / "last_checkpoint").read_text() == "iter_16.pth\n"
    assert not list(folder.glob(".*tmp*"))


def kill_and_resume(tmp_path, kills: int, last: int) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    save = dict(interval=2)
    assert run(whole, iterations=last, save=save) == 0
    drawn = random.Random(7)
    for _ in range(kills):
        before = newest(killed)
        process = start(killed, iterations=last, save=save, resume=True)
        # Count from the first sign of life, so that the kill falls into the training.
        deadline = time.monotonic() + 30
        while newest(killed) <= before and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(drawn.uniform(0, 0.05))
        process.kill()  # SIGKILL; nothing happens to one that is done
        process.join()
        # At least one checkpoint more than before, and none of them broken.
        assert newest(killed) > before or before == last
    assert run(killed, iterations=last, save=save, resume=True) == 0
    assert differences(final_state(whole, last), final_state(killed, last)) == []
    assert len(list(killed.glob("iter_*.pth"))) == 2
    assert not list(killed.glob(".*tmp*"))


def newest(folder) -> int:
    from realdeg.engine.checkpoint import find_checkpoints, iteration_of, read_checkpoint

    files = find_checkpoints(folder) if folder.is_dir() else []
    for file in files[:1]:
        try:
            read_checkpoint(file)
        except Exception:
            if file.is_file():  # dropped between listing and reading
                raise
            return newest(folder)
    return iteration_of(files[0]) if files else 0


def test_a_kill_loses_at_most_one_interval(tmp_path):
    kill_and_resume(tmp_path, kills=3, last=24)


@pytest.mark.slow
def test_many_kills_lose_at_most_one_interval_each(tmp_path):
    kill_and_resume(tmp_path, kills=20, last=400)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_iteration_and_saves(tmp_path, number, capfd):
    folder = tmp_path / "run"
    process = start(folder, iterations=100_000, workers=2, save=dict(interval=50_000))
    scalars = "*/vis_data/scalars.json"
    deadline = time.monotonic() + 90
    while not list(folder.glob(scalars)) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.join(90)
    assert process.exitcode == 128 + number
    done = newest(folder)
    assert 0 < done < 100_000
    assert "resume=True" in capfd.readouterr().out
    # What was saved goes on.
    code = run(folder, iterations=done + 2, save=dict(interval=50_000), resume=True)
    assert code == 0 and newest(folder) == done + 2


def test_a_truncated_checkpoint_is_skipped_by_name(work_dir, capsys):
    train(work_dir, iterations=8)
    newest_file = work_dir / "iter_8.pth"
    whole = newest_file.read_bytes()
    newest_file.write_bytes(whole[: len(whole) // 2])
    runner = train(work_dir, iterations=12, resume=True)
    assert runner.loaded_from.endswith("iter_4.pth")
    said = capsys.readouterr().out
    assert "iter_8.pth" in said and "truncated" in said
    assert sorted(f.name for f in work_dir.glob("iter_*.pth")) == ["iter_12.pth", "iter_8.pth"]


def test_a_new_run_sets_the_old_ones_files_aside(work_dir):
    train(work_dir, iterations=8)
    train(work_dir, iterations=4)
    assert [f.name for f in work_dir.glob("iter_*.pth")] == ["iter_4.pth"]
    assert (work_dir / "iter_8.pth.superseded").is_file()
    assert train(work_dir, iterations=4, resume=True).iter == 4


def test_an_unfinished_validation_is_made_up_for(work_dir):
    from realdeg.engine.checkpoint import read_checkpoint, write_checkpoint

    train(work_dir, iterations=8)
    whole = final_state(work_dir, 8)
    # As if killed between the checkpoint and the end of its validation.
    state = read_checkpoint(work_dir / "iter_8.pth")
    hub = state["message_hub"]
    hub["info"].update(validated_iteration=4)
    for name in list(hub["scalars"]):
        if name.startswith("val/"):
            values = hub["scalars"][name]
            hub["scalars"][name] = {key: value[:-1] for key, value in values.items()}
    write_checkpoint(work_dir / "iter_8.pth", state)
    train(work_dir, iterations=8, resume=True)
    assert differences(whole, final_state(work_dir, 8)) == []


def test_nothing_to_resume_begins_at_zero(work_dir, capsys):
    assert train(work_dir, iterations=2, resume=True).iter == 2
    assert "nothing to resume" in capsys.readouterr().out
