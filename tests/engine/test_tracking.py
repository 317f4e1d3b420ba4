"""``log_to``: what trackers are given, by stand-ins for their packages."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pytest
import torch

import realdeg
from realdeg.config import load_config
from realdeg.config.check import validate
from realdeg.errors import ConfigError
from realdeg.utils.image import write_image

CONFIG = """
_base_ = "realdeg::srvgg_compact/srvgg_compact_t91_x4_cpu.py"
__steps = [dict(type="PairedCrop", patch_size=32), dict(type="PackSample")]
seed = 1
backbone = dict(num_features=4, num_convs=1)
data_root = "."
train_dataloader = dict(
    num_workers=0,
    batch_size=2,
    dataset=dict(type="HRFolderDataset", folder="hr", transforms=__steps),
)
val_dataloader = dict(
    num_workers=0,
    dataset=dict(type="HRFolderDataset", folder="hr", transforms=[dict(type="PackSample")]),
)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=4, val_interval=2)
default_hooks = dict(logger=dict(interval=2))
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    write_image(tmp_path / "hr" / "a.png", pixels)
    (tmp_path / "net.py").write_text(CONFIG)
    return "net.py"


class Tracker(ModuleType):
    """Keeps every call."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []
        self.__spec__ = type(sys.__spec__)(name, None)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *words, **settings: self.calls.append((name, words, settings))

    def called(self, name):
        return [(words, settings) for one, words, settings in self.calls if one == name]


@pytest.fixture
def stand_in(monkeypatch):
    def put(name):
        tracker = Tracker(name)
        monkeypatch.setitem(sys.modules, name, tracker)
        return tracker

    return put


def train(config, log_to, **settings):
    return realdeg.train(
        config, options={"log_to": log_to}, work_dir="work_dirs/net", device="cpu", **settings
    )


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_runs_with_config_and_steps(config, stand_in, name):
    tracker = stand_in(name)
    train(config, name)
    ((_, started),) = tracker.called("init")
    assert started["project"] == "realdeg" and started["name"].startswith("net-")
    assert started["config"]["seed"] == 1 and started["config"]["log_to"] == name
    logged = [(words[0], settings["step"]) for words, settings in tracker.called("log")]
    steps = [step for _, step in logged]
    assert steps == sorted(steps) and {1, 2, 4} <= set(steps)
    assert any("train/loss" in numbers for numbers, _ in logged)
    assert any(key.startswith("val/psnr[benchmark-y]") for numbers, _ in logged for key in numbers)
    assert all(type(value) is float for numbers, _ in logged for value in numbers.values())
    assert tracker.calls[-1][0] == "finish" and len(tracker.called("finish")) == 1


def test_mlflow(config, stand_in, monkeypatch):
    tracker = stand_in("mlflow")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "cameras")
    train(config, "mlflow")
    assert tracker.called("set_experiment") == [(("cameras",), {})]
    params = {
        key: value for words, _ in tracker.called("log_params") for key, value in words[0].items()
    }
    assert params["backbone.type"] == "SRVGGNetCompact"
    assert all(len(value) <= 250 for value in params.values())
    assert all(len(words[0]) <= 100 for words, _ in tracker.called("log_params"))
    names = {key for words, _ in tracker.called("log_metrics") for key in words[0]}
    assert {"train/loss", "val/psnr.benchmark-y"} <= names
    assert not any(set(name) & set("[](),=") for name in (*names, *params))
    assert tracker.calls[-1][0] == "end_run"


def test_several_and_what_is_trained_stays_the_same(config, stand_in):
    plain = train(config, None)
    trackers = [stand_in(name) for name in ("wandb", "trackio")]
    again = realdeg.train(
        config, options={"log_to": ["wandb", "trackio"]}, work_dir="work_dirs/two", device="cpu"
    )
    assert [len(tracker.called("finish")) for tracker in trackers] == [1, 1]
    states = [realdeg.create_backbone(run.weights[0]).state_dict() for run in (plain, again)]
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())


def test_a_tracker_that_cannot_start_is_one_sentence(config, stand_in):
    tracker = stand_in("wandb")

    def init(**settings):
        raise RuntimeError("api_key not configured\n(no-tty)")

    tracker.init = init
    with pytest.raises(ConfigError, match="cannot start a run: api_key not configured"):
        train(config, "wandb")


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow", "trackio"])
def test_a_missing_package_is_named_with_its_extra(config, name, monkeypatch):
    monkeypatch.setattr("realdeg.utils.trackers.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"pip install 'realdeg\[{name}\]'"):
        train(config, name)


def test_mistakes(config, stand_in):
    stand_in("trackio")
    with pytest.raises(ConfigError, match="log_to"):
        validate(load_config(config, {"log_to": "tensorbord"}))
    own = {"visualizer": {"vis_backends": [{"type": "LocalVisBackend"}]}, "log_to": "trackio"}
    with pytest.raises(ConfigError, match="visualizer has backends of its own"):
        realdeg.train(config, options=own, work_dir="w", device="cpu")


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="TensorBoard is not installed")
def test_tensorboard(config, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(config, "tensorboard")
    (folder,) = {file.parent for file in tmp_path.rglob("events.out.tfevents.*")}
    assert (folder / "scalars.json").is_file()  # the curves of realdeg itself
    events = EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 4]
