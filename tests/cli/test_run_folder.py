"""A run's folder stands for its config: train, test and browse take it alone."""

import json

import pytest
import torch

from realdeg.cli.main import main
from realdeg.config import inject, load_config
from realdeg.degradations import DML
from realdeg.engine import read_checkpoint
from realdeg.utils.component import read_component

NAME = "dml/dml_n8_realsr_x2"
TINY = (
    "degradation.width=4",
    "degradation.levels=1",
    "degradation.num_kernels=2",
    "degradation.kernel_size=5",
    "train_cfg.max_iters=2",
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of a run of two iterations."""
    folder = tmp_path_factory.mktemp("ran") / "my_run"
    words = ("train", NAME, "--sample", "--device", "cpu", "--work-dir", str(folder))
    assert main([*words, "--cfg-options", *TINY, "train_dataloader.batch_size=2"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command, *words):
    return main([command, *map(str, words), "--device", "cpu"])


def test_the_same_run_again(ran, here, capsys):
    assert run("train", ran, "--work-dir", here / "again") == 0
    assert "SAMPLE RUN" in capsys.readouterr().err
    states = [read_checkpoint(folder / "iter_2.pth") for folder in (ran, here / "again")]
    for part in ("state_dict", "optimizer", "param_schedulers", "message_hub"):
        one, two = (state.get(part) for state in states)
        drop = ("time", "data_time") if part == "message_hub" else ()
        assert_equal(one, two, drop)
    saved = [(folder / "config.yaml").read_text() for folder in (ran, here / "again")]
    assert saved[0] == saved[1]


def assert_equal(one, two, drop=()):
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            if not str(key).endswith(drop) or not drop:
                assert_equal(one[key], two[key], drop)
    elif isinstance(one, list | tuple):
        assert len(one) == len(two)
        for first, second in zip(one, two, strict=True):
            assert_equal(first, second, drop)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, two)
    else:
        assert one == two


def test_the_folder_may_be_moved_and_goes_on_where_it_is(ran, here):
    moved = here / "moved"
    moved.mkdir()
    for file in ran.iterdir():
        if file.is_file():
            (moved / file.name).write_bytes(file.read_bytes())
    assert run("train", moved, "--resume", "--cfg-options", "train_cfg.max_iters=3") == 0
    assert (moved / "iter_3.pth").is_file()


def test_test_and_browse_take_the_folder_alone(ran, here, capsys):
    assert run("test", ran, "--no-pictures", "--work-dir", here / "out") == 0
    said = capsys.readouterr()
    assert f"weights: {ran / 'degradation.safetensors'}" in said.err
    report = json.loads((here / "out/test/report.json").read_text())
    assert report["checkpoint_hash"] == read_component(ran / "degradation.safetensors").hash
    assert main(["browse", str(ran), "-n", "1"]) == 0
    assert (here / "sheet.png").is_file()


def test_weights_bring_their_own_arguments(ran, here, capsys):
    for weights in ("degradation.safetensors", "iter_2.pth"):
        words = (NAME, ran / weights, "--sample", "--no-pictures", "--work-dir", here / "out")
        assert run("test", *words) == 0
        said = capsys.readouterr().err
        assert "num_kernels=2 (the config: 8)" in said and "width=4 (the config: 64)" in said
    other = ("degradation.type=DirectNet", "degradation.width=8")
    assert run("test", *words, "--cfg-options", *other) == 0
    assert "a DML, where the config has DirectNet" in capsys.readouterr().err


def test_weights_of_another_geometry_are_still_refused(here, capsys):
    dml = DML(4, True, num_kernels=2, kernel_size=5, width=4, levels=1)
    dml.mark_trained()
    dml.save(here / "x4.safetensors")
    assert run("test", NAME, here / "x4.safetensors", "--sample", "--no-pictures") == 2
    assert "scale" in capsys.readouterr().err


def test_other_commands_take_the_weights_of_the_folder(ran, here):
    from realdeg import create_degradation

    assert create_degradation(ran, trained=True).arguments["num_kernels"] == 2
    assert main(["preview", str(ran), "sample/coffee", "-n", "1"]) == 0


def test_folders_of_former_versions_are_read_and_not_run(ran, here, capsys):
    old = here / "old"
    old.mkdir()
    cfg = inject(load_config(ran))
    cfg.work_dir, cfg.launcher, cfg.device = "elsewhere", "none", "cpu"
    from realdeg.engine.plain_config import config_text

    text = config_text(cfg.to_dict())  # with copies in model and data, as it was saved
    (old / "dml_n8_realsr_x2.py").write_text(text)
    (old / "iter_2.pth").write_bytes((ran / "iter_2.pth").read_bytes())
    assert run("test", old, "--no-pictures") == 0
    assert (old / "test" / "report.json").is_file()
    (old / "dml_n8_realsr_x2.py").write_text("import os\nos.mkdir('ran')\n" + text)
    assert run("test", old, "--no-pictures") == 2
    assert "is more than data" in capsys.readouterr().err and not (here / "ran").exists()
    (old / "second.py").write_text(text)
    assert run("test", old) == 2
    assert "several (dml_n8_realsr_x2.py, second.py)" in capsys.readouterr().err


def test_a_folder_that_is_no_runs(here, capsys):
    (here / "empty").mkdir()
    assert run("train", here / "empty") == 2
    assert "not a run's folder" in capsys.readouterr().err


def test_a_command_that_nobody_has(capsys):
    assert main(["trian", "x"]) == 2
    assert "Did you mean 'train'?" in capsys.readouterr().err
