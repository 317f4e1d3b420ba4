"""The examples of docs/other_trainers.md run where their packages are, and their files are read."""

from __future__ import annotations

import re
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
import yaml
from torch.utils.data import DataLoader

from realdeg.cli.main import main
from realdeg.data import EpochSampler, PairedDataset
from tests.docs.parse import ROOT
from tests.docs.stage import set_up

PAGE = (ROOT / "docs/other_trainers.md").read_text(encoding="utf-8")


def example(name):
    (found,) = re.findall(
        rf"^<!-- trainer: {name} -->\n(?:<!-- docs[^\n]*\n)?```\w+\n(.*?)^```$",
        PAGE,
        re.MULTILINE | re.DOTALL,
    )
    return found


@pytest.fixture
def stage(tmp_path, monkeypatch):
    set_up(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def requires(package):
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


@pytest.mark.parametrize("name", ["basicsr", "trainner-redux"])
def test_the_folders_pair_by_the_trainers_rule(stage, name):
    """Equal names with endings in folders of equal length: data_util.paired_paths_from_folder."""
    command = "degrade RealESRGAN hr basicsr_pairs --scale 4 --to folder --hr --crop 64 --stride 64"
    assert f"realdeg {command}" in PAGE
    assert main(command.split()) == 0
    said = yaml.safe_load(example(name))
    train = said["datasets"]["train"]
    roots = [train["dataroot_gt"], train["dataroot_lq"]]
    gt, lq = (
        sorted(file.name for file in (stage / root).iterdir())
        for root in (item if isinstance(item, str) else item[0] for item in roots)
    )
    assert gt and gt == lq
    side = train.get("gt_size") or train["lq_size"] * said["scale"]
    hr, lr = PairedDataset(stage / "basicsr_pairs/HR", stage / "basicsr_pairs/LR", crop=side)[0]
    assert hr.shape == (3, side, side) and lr.shape[-1] * said["scale"] == side


@requires("accelerate")
def test_accelerate(stage):
    names: dict = {}
    exec(compile(example("accelerate"), "accelerate", "exec"), names)
    # It told the data set its epoch, so the second one had other crops and degradations.
    assert names["data"]._epoch.get() == 1
    assert torch.isfinite(names["loss"])


@requires("lightning")
def test_lightning(stage):
    names: dict = {}
    exec(compile(example("lightning"), "lightning", "exec"), names)
    assert names["data"]._epoch.get() == 1 and names["trainer"].global_step == 4


def test_diffusers(stage):
    """Keys, ranges and sizes are those that the script's collate function and loop take."""
    names: dict = {}
    exec(compile(example("diffusers"), "diffusers", "exec"), names)

    def tokenizer(text, max_length, padding, return_tensors):
        return SimpleNamespace(input_ids=torch.zeros(1, max_length, dtype=torch.long))

    tokenizer.model_max_length = 77
    data = names["make_train_dataset"](
        SimpleNamespace(train_data_dir="hr", resolution=64), tokenizer, None
    )
    batch = next(iter(DataLoader(data, batch_size=2, sampler=EpochSampler(data))))
    assert batch["pixel_values"].shape == batch["conditioning_pixel_values"].shape == (2, 3, 64, 64)
    assert batch["pixel_values"].min() < 0 <= batch["conditioning_pixel_values"].min()
    assert batch["input_ids"].shape == (2, 77)
