"""DRealSR in its layouts: the release, archives unpacked as they are, and the cropped test set."""

import pytest

from realdeg.config import load_config
from realdeg.datasets import DRealSRDataset
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.testing.datasets import write_picture

NAMES = ("Canon_10", "DSC_0988", "IMG_107", "P1140090", "panasonic_103", "sony_61")


def pairs(place, split="train", names=NAMES, hr_end="_x4", lr_end="_x1", ratio=4):
    for seed, name in enumerate(names):
        write_picture(place / f"{split}_HR" / f"{name}{hr_end}.png", 32, 48, seed=seed)
        size = (32 // ratio, 48 // ratio)
        write_picture(place / f"{split}_LR" / f"{name}{lr_end}.png", *size, seed=seed + 9)


@pytest.mark.parametrize(
    "below",
    ["", "Train_x4", "x4/Train_x4", "x4/Train_x4/Train_x4", "DRealSR/x4/Train_x4", "train_X4"],
)
def test_the_release(tmp_path, below):
    pairs(tmp_path / "DRealSR" / below)
    data = DRealSRDataset(data_root=tmp_path)
    assert data.keys == sorted(NAMES)
    assert [record.meta["camera"] for record in data.records] == [
        *("Canon", "DSC", "IMG", "P", "panasonic", "sony"),
    ]
    assert data.load(3)["meta"] == {"camera": "P", "scene": "1140090"}
    data.check(thorough=True)
    assert "31964 of the release's 31970 pairs" in data.summary()
    assert "DRealSR train: 6 pairs" in data.summary()


def test_scales_and_splits_are_not_mixed(tmp_path):
    root = tmp_path / "DRealSR"
    pairs(root / "x4" / "Test_x4", "test", names=["Canon_1"])
    pairs(root / "x2" / "Test_x2", "test", names=["Canon_2", "Canon_3"], hr_end="_x2", ratio=2)
    assert DRealSRDataset("test", data_root=tmp_path).keys == ["Canon_1"]
    two = DRealSRDataset("test", scale=2, data_root=tmp_path)
    assert two.keys == ["Canon_2", "Canon_3"]
    two.check()
    with pytest.raises(DataError, match="no folder train_HR.*x4/train_x4"):
        DRealSRDataset(data_root=tmp_path)
    with pytest.raises(DataError, match="no folder test_HR.*it holds x2, x4"):
        DRealSRDataset("test", scale=3, data_root=tmp_path)


def test_the_crops_have_one_name_on_both_sides(tmp_path):
    pairs(tmp_path / "DrealSRVal_crop128", "test", hr_end="_x1")
    data = DRealSRDataset("test", crops=True, data_root=tmp_path)
    assert data.keys == sorted(NAMES)
    assert data.protocol == "stablesr-testsets"
    assert "87 of the release's 93 pairs" in data.summary()
    named = DRealSRDataset("test", folder=tmp_path / "DrealSRVal_crop128")
    assert named.keys == data.keys


def test_refusals(tmp_path):
    with pytest.raises(DataError, match="DRealSR was not found.*holds train_HR and train_LR"):
        DRealSRDataset(data_root=tmp_path)
    with pytest.raises(DataError, match="DRealSR's crops was not found"):
        DRealSRDataset("test", crops=True, data_root=tmp_path)
    with pytest.raises(ConfigError, match="val"):
        DRealSRDataset("val", data_root=tmp_path)
    place = tmp_path / "DRealSR" / "Train_x4"
    pairs(place)
    with pytest.raises(GeometryError, match="same_size"):
        DRealSRDataset(same_size=True, data_root=tmp_path)
    (place / "train_LR" / "Canon_10_x1.png").unlink()
    with pytest.raises(DataError, match="has no LR"):
        DRealSRDataset(data_root=tmp_path).check()
    write_picture(place / "train_HR" / "sony_61_x2.png", 16, 24)
    with pytest.raises(DataError, match="sony_61_x2.png and sony_61_x4.png, one image at two"):
        DRealSRDataset(data_root=tmp_path)


@pytest.mark.parametrize("name", ["dml/dml_n8_drealsr_x4", "rcan/rcan_drealsr_x2"])
def test_the_recipes_read_it(name):
    cfg = load_config(name)
    assert cfg.same_size is False
    sides = {key: cfg[f"{key}_dataloader"].dataset for key in ("train", "val", "test")}
    assert {part.type for part in sides.values()} == {"DRealSRDataset"}
    assert [part.split for part in sides.values()] == ["train", "test", "test"]
    assert "version" not in sides["train"]
