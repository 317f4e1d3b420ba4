"""Checkpoint files are whole or absent, hold no code, and say what is wrong with them."""

from __future__ import annotations

import errno
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer, MessageHub

from realdeg.engine import newest_readable, read_checkpoint, write_checkpoint
from realdeg.engine.checkpoint import find_checkpoints, to_plain
from realdeg.engine.state import HISTORY, pack_message_hub, unpack_message_hub
from realdeg.errors import CheckpointError, OutputError
from realdeg.utils.component import read_component
from tests.engine.tiny import differences, tiny_config, train
from tests.engine.tiny import run as run_apart


class Evil:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def test_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"meta": Evil(), "state_dict": {}}, "iter_1.pth")
    with pytest.raises(CheckpointError, match="pickled code"):
        read_checkpoint(Path("iter_1.pth"))
    Path("bare.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError):
        read_checkpoint(Path("bare.pth"))
    assert not Path("harmed").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named(tmp_path, share):
    file = tmp_path / "iter_3.pth"
    write_checkpoint(file, {"meta": {}, "state_dict": {"w": torch.ones(100)}})
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"iter_3\.pth.*truncated"):
        read_checkpoint(file)
    with pytest.raises(CheckpointError, match="none of the 1 checkpoints"):
        newest_readable(tmp_path)


def test_other_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        read_checkpoint(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(CheckpointError, match="truncated or no checkpoint"):
        read_checkpoint(tmp_path / "text.pth")
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds a list"):
        read_checkpoint(tmp_path / "list.pth")


def test_the_newest_is_by_number_not_by_name(tmp_path):
    for number in (9, 10, 100):
        write_checkpoint(tmp_path / f"iter_{number}.pth", {"meta": {}, "state_dict": {}})
    (tmp_path / "iter_x.pth").touch()
    assert [file.name for file in find_checkpoints(tmp_path)] == [
        "iter_100.pth",
        "iter_10.pth",
        "iter_9.pth",
    ]
    assert newest_readable(tmp_path)[0].name == "iter_100.pth"
    assert newest_readable(tmp_path / "absent") is None


def fail_with(number):
    def failing(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return failing


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch, place):
    file = tmp_path / "iter_1.pth"
    write_checkpoint(file, {"value": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, place, fail_with(errno.ENOSPC))
        with pytest.raises(OutputError, match="No space left"):
            write_checkpoint(file, {"value": 2})
    assert read_checkpoint(file) == {"value": 1}
    assert os.listdir(tmp_path) == ["iter_1.pth"]


def test_a_full_disk_in_a_run_ends_it_and_keeps_the_last(tmp_path, monkeypatch, capfd):
    folder = tmp_path / "run"
    train(folder, iterations=8)
    before = sorted(file.name for file in folder.glob("iter_*"))
    monkeypatch.setattr("realdeg.engine.runner.write_checkpoint", _full)
    assert run_apart(folder, iterations=16, resume=True) == 2
    assert "cannot write" in capfd.readouterr().out
    assert sorted(file.name for file in folder.glob("iter_*")) == before
    assert newest_readable(folder)[1]["meta"]["iter"] == 8


def _full(path, checkpoint):
    from realdeg.utils.files import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_bytes(b"a part")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_work_dir_is_refused_at_once(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        train(tmp_path / "run")


def test_a_work_dir_that_is_a_file_is_refused_at_once(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(OutputError, match="run"):
        train(tmp_path / "run")


def test_plain_data_keeps_its_types():
    value = OrderedDict(
        a=np.float64(0.5),
        b=np.int32(2),
        c=(1, [True, None]),
        d=ConfigDict(e="x"),
        f=np.arange(3),
        g=torch.ones(8)[:2],
        h=np.bool_(True),
    )
    plain = to_plain(value)
    assert type(plain) is dict and type(plain["d"]) is dict
    assert plain["a"] == 0.5 and type(plain["a"]) is float and type(plain["b"]) is int
    assert plain["c"] == (1, [True, None]) and plain["h"] is True
    assert torch.equal(plain["f"], torch.arange(3))
    assert plain["g"].untyped_storage().nbytes() == 8
    with pytest.raises(TypeError, match=r"checkpoint\.x\.0 is a object"):
        to_plain({"x": [object()]})


def test_the_message_hub_comes_back_short(tmp_path):
    hub = MessageHub("one")
    for value in range(HISTORY + 5):
        hub.update_scalar("train/loss", float(value))
    hub.update_info("best", {"score": 1.5})
    hub.update_info("iter", 7)
    hub.update_info("thing", object())
    write_checkpoint(tmp_path / "hub.pth", pack_message_hub(hub))
    state = read_checkpoint(tmp_path / "hub.pth")
    other = MessageHub("two")
    unpack_message_hub(other, state)
    buffer = other.get_scalar("train/loss")
    assert isinstance(buffer, HistoryBuffer) and len(buffer.data[0]) == HISTORY
    assert buffer.current() == HISTORY + 4 and buffer.mean(2) == HISTORY + 3.5
    assert other.get_info("best") == {"score": 1.5}
    assert other.get_info("iter") is None and other.get_info("thing") is None
    assert differences(pack_message_hub(other), state) == []


def test_another_architecture_is_told_key_by_key(work_dir):
    train(work_dir, iterations=4)
    with pytest.raises(CheckpointError, match=r"backbone\.layer\.weight is \(4, 4\), wanted"):
        train(work_dir, iterations=8, resume=True, model=dict(width=5))


def test_weights_alone_begin_a_run_and_do_not_resume(work_dir, tmp_path):
    first = train(work_dir, iterations=4)
    weight = first.model.backbone.layer.weight.detach().clone()
    for name in ("iter_4.pth", "backbone.safetensors"):
        runner = train(tmp_path / name, iterations=1, load_from=str(work_dir / name))
        assert runner.loaded_from.endswith(name)
    bare = tmp_path / "bare.pth"
    torch.save(first.model.state_dict(), bare)
    from realdeg.engine import RealdegRunner

    runner = RealdegRunner.from_cfg(tiny_config(tmp_path / "test", load_from=str(bare)))
    assert runner.test()["tiny/count"] == 7
    assert torch.equal(runner.model.backbone.layer.weight, weight)
    write_checkpoint(work_dir / "iter_9.pth", {"meta": {"iter": 9}, "state_dict": {}})
    with pytest.raises(CheckpointError):
        train(work_dir, iterations=12, resume=True)


def test_a_checkpoint_says_where_it_comes_from(work_dir):
    train(work_dir, iterations=4, sample=True)
    meta = read_checkpoint(work_dir / "iter_4.pth")["meta"]
    assert meta["iter"] == 4 and meta["seed"] == 5 and meta["sample"] is True
    assert meta["component"] == {
        "kind": "backbone",
        "type": "Line",
        "arguments": {"start": 0.0, "width": 4},
    }
    assert "TinyTask" in meta["config"] and meta["realdeg_version"]
    component = read_component(work_dir / "backbone.safetensors")
    assert component.meta["iter"] == 4 and component.meta["sample"] is True
