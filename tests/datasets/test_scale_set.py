"""Scenes with LR at several scales on one grid."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest
import torch

from realdeg.datasets import PairedFolderDataset
from realdeg.datasets.scale_set import ScaleSetDataset, collate_scales
from realdeg.errors import ConfigError, DataError, GeometryError

CROP = [
    dict(type="PairedCrop", patch_size=16),
    dict(type="Flip", transpose=True),
    dict(type="PackSample"),
]


@pytest.fixture
def root(tmp_path):
    """Four scenes; LR differs from HR by 20 levels at x2 and by 40 at x4."""
    rng = np.random.default_rng(0)
    for folder in ("hr", "lr"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        hr = rng.integers(50, 200, (32, 40, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "hr" / f"{number}.png"), hr)
        for scale in (2, 4):
            cv2.imwrite(str(tmp_path / "lr" / f"{number}_x{scale}.png"), hr + 10 * scale)
    return tmp_path


def pairs(**more):
    named = dict(hr_dir="hr", lr_dir="lr", lr_pattern="{name}_x{scale}", transforms=CROP)
    return dict(type="PairedFolderDataset", **(named | more))


def test_every_scale_comes_from_the_same_patch(root):
    data = ScaleSetDataset(pairs(), data_root=root, seed=3)
    assert len(data) == 4 and data.keys == ["0", "1", "2", "3"] and data.has_lr
    samples = [data[(position, position % 4)] for position in range(6)]
    for sample in samples:
        assert sample["lr_scales"].shape == (2, 3, 16, 16) and sample["scales"] == (2, 4)
        for lr, scale in zip(sample["lr_scales"], (2, 4), strict=True):
            torch.testing.assert_close(lr, sample["hr"] + 10 * scale / 255)
        assert torch.equal(sample["lr"], sample["lr_scales"][1])
    assert len({sample["meta"]["crop"] for sample in samples}) > 3
    batch = collate_scales(samples)
    assert batch["lr_scales"].shape == (6, 2, 3, 16, 16) and batch["scales"] == (2, 4)
    assert torch.equal(batch["lr"], batch["lr_scales"][:, 1]) and batch["position"] == 0
    again = pickle.loads(pickle.dumps(data))[(5, 1)]
    assert torch.equal(again["lr_scales"], samples[5]["lr_scales"])
    data.check()
    assert "4 scenes at x2, x4" in data.summary() and data.missing == []


def test_lr_is_that_of_the_runs_scale(root):
    for scale, place in ((2, 0), (4, 1), (3, 1)):
        data = ScaleSetDataset(pairs(), scale=scale, data_root=root)
        assert torch.equal(data[1]["lr"], data[1]["lr_scales"][place])
        assert data.load(0)["hr"].shape == (32, 40, 3)


def test_lr_is_that_of_the_scale_drawn_for_the_batch(root):
    data = ScaleSetDataset(pairs(), data_root=root)
    for scale, place in ((2, 0), (4, 1)):
        sample = data[(7, 1, scale)]
        assert sample["scale"] == scale
        assert torch.equal(sample["lr"], data[(7, 1)]["lr_scales"][place])
        assert collate_scales([sample])["scale"] == scale
    with pytest.raises(GeometryError, match=r"LR at x2, x4, and model.scales drew x3"):
        data[(7, 1, 3)]


def test_scenes_without_a_scale_are_left_out(root):
    (root / "lr" / "2_x4.png").unlink()
    data = ScaleSetDataset(pairs(allow_unpaired=True), data_root=root)
    assert data.keys == ["0", "1", "3"]
    assert data.missing[-1] == "1 scenes without all scales left out"
    assert torch.equal(data[2]["lr_scales"][0], data.parts[0][3]["lr"])


def test_bad_input_is_named(root):
    with pytest.raises(GeometryError, match="same_size=True"):
        ScaleSetDataset(pairs(), same_size=False, data_root=root)
    for scales in ((4, 2), (2, 2)):
        with pytest.raises(ConfigError, match="wanted ascending"):
            ScaleSetDataset(pairs(), scales, data_root=root)
    built = PairedFolderDataset("hr", "lr", lr_pattern="{name}_x4", same_size=True, data_root=root)
    with pytest.raises(ConfigError, match="the config of a data set"):
        ScaleSetDataset(built, data_root=root)
    with pytest.raises(DataError, match="has no LR of several scales"):
        collate_scales([{"key": "a", "lr_scales": None}])
    other = cv2.imread(str(root / "hr" / "1.png"))
    (root / "hr2").mkdir()
    for file in (root / "hr").iterdir():
        cv2.imwrite(str(root / "hr2" / f"{file.stem}_x2.png"), other)
        cv2.imwrite(str(root / "hr2" / f"{file.stem}_x4.png"), cv2.imread(str(file)))
    data = ScaleSetDataset(pairs(hr_dir="hr2", pattern="{name}_x{scale}"), data_root=root)
    with pytest.raises(DataError, match="HR of '0' at scale 4 is another image than at scale 2"):
        data[0]
    for file in [*(root / "lr").glob("*_x4.png"), *(root / "hr2").glob("*_x4.png")]:
        file.rename(file.with_name(f"other{file.name}"))
    named = pairs(hr_dir="hr2", pattern="{name}_x{scale}")
    with pytest.raises(DataError, match=r"no scene has LR at every scale \(4 at x2, 4 at x4"):
        ScaleSetDataset(named, data_root=root)
