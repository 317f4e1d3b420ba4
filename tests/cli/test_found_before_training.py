"""What is found before the first iteration, and said once."""

import logging
import sys

import cv2
import numpy as np
import pytest

from realdeg.cli.main import main
from realdeg.config import inject, load_config
from realdeg.datasets import HRFolderDataset
from realdeg.errors import ConfigError
from realdeg.utils.image import to_tensor

OWN = """
_base_ = "realdeg::srvgg_compact/srvgg_compact_t91_x4_cpu.py"
__steps = [dict(type="PairedCrop", patch_size=32), dict(type="PackSample")]
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
train_cfg = dict(max_iters=1)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hr").mkdir()
    rng = np.random.default_rng(0)
    for name, side in (("a", 40), ("b", 41)):
        pixels = rng.integers(0, 256, (side, side, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "hr" / f"{name}.png"), pixels)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def run(*options):
    words = ("train", "own.py", "--device", "cpu", "--work-dir", "w")
    return main([*words, "--cfg-options", "seed=1", *options])


def test_hr_that_does_not_divide_is_named_and_mod_crop_offered(here, capsys):
    assert run() == 2
    said = capsys.readouterr().err
    assert "b.png: is 41 x 41 pixels, which do not divide by 4" in said and "ModCrop" in said
    assert "a.png" not in said and not list((here / "w").glob("*.pth"))
    steps = "val_dataloader.dataset.transforms=[dict(type='ModCrop'),dict(type='PackSample')]"
    assert run(steps) == 0 and (here / "w" / "iter_1.pth").is_file()


def test_only_steps_that_keep_the_size_are_judged(here):
    def found(*steps, **settings):
        chain = [*steps, dict(type="PackSample")]
        dataset = HRFolderDataset("hr", data_root=here, transforms=chain, **settings)
        return [fault.path.name for fault in dataset.remainders()]

    assert found() == ["b.png"] and found(dict(type="Flip")) == ["b.png"]
    assert not found(dict(type="ModCrop")) and not found(dict(type="PairedCrop", patch_size=8))
    assert not found(lambda results: results)  # it may cut
    assert not found(scale=1) and not found(same_size=True)


def test_what_a_loader_is_for_is_said_of_its_data(here):
    cfg = inject(load_config("own.py"))
    splits = {key: cfg[f"{key}_dataloader"].dataset.split for key in ("val", "test")}
    assert splits == {"val": "val", "test": "test"}
    given = inject(load_config("own.py", {"val_dataloader.dataset.split": "evening"}))
    assert given.val_dataloader.dataset.split == "evening"


def test_dropped_keys_are_listed_once_and_only_those_that_matter(here, caplog):
    caplog.set_level(logging.INFO, "realdeg")
    load_config("own.py")
    lines = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    # Folders and patterns of the former data set mean nothing to this one.
    assert len(lines) == 1 and lines[0].startswith(
        "val_dataloader.dataset, test_dataloader.dataset:"
    )
    assert "hr_dir" not in lines[0] and "pattern" in lines[0]


def test_nothing_stands_behind_packing(here):
    steps = [dict(type="PackSample"), dict(type="PackSample")]
    with pytest.raises(ConfigError, match=r"transforms.1 \(PackSample\) comes after PackSample"):
        HRFolderDataset("hr", data_root=here, transforms=steps)
    with pytest.raises(ConfigError, match="transforms.0 is b'bytes'"):
        HRFolderDataset("hr", data_root=here, transforms=[b"bytes"])


def test_a_flip_of_one_row_becomes_a_tensor():
    one = np.full((1, 1, 3), 255, np.uint8)
    assert to_tensor(one[::-1, ::-1]).tolist() == [[[1.0]], [[1.0]], [[1.0]]]


def test_tensorboard_that_is_not_installed(monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["realdeg.config.check"], "find_spec", lambda name: None)
    assert run("vis_backends=[dict(type='TensorboardVisBackend')]") == 2
    said = capsys.readouterr().err
    assert "pip install 'realdeg[tensorboard]'" in said and "Traceback" not in said


def test_a_loader_that_names_no_collating_function_has_its_data_sets(here):
    cfg = load_config("own.py")
    for key in ("train", "val"):
        cfg[f"{key}_dataloader"].pop("collate_fn", None)
    ready = inject(cfg)
    assert ready.train_dataloader.collate_fn == ready.val_dataloader.collate_fn
    assert ready.val_dataloader.collate_fn == dict(type="collate_batch")
