import pytest

from realdeg.datasets import (
    City100Dataset,
    HRFolderDataset,
    NTIRE19Dataset,
    PairedFolderDataset,
    RealSRDataset,
)
from realdeg.datasets.city100 import parse_ids
from realdeg.errors import ConfigError, DataError, GeometryError

BOTH = {"Canon": ["001", "003"], "Nikon": ["002"]}


@pytest.mark.parametrize(
    ("version", "name", "ratio"),
    [
        (1, "RealSR (ICCV2019)", 1),
        (2, "RealSR(V2)", 1),
        (3, "RealSR(V3)", 4),
    ],
)
def test_realsr_official_layout(realsr, version, name, ratio):
    root = realsr(name, BOTH, ratio)
    data = RealSRDataset(version, scale=4, same_size=ratio == 1, data_root=root)
    assert data.keys == ["Canon_001", "Canon_003", "Nikon_002"]
    sample = data.load(0)
    assert sample["hr"].shape == (32, 48, 3)
    assert sample["lr"].shape == (32 // ratio, 48 // ratio, 3)
    assert sample["meta"] == {"camera": "Canon", "scene": "001"}
    data.check(thorough=True)
    line = data.summary()
    assert "\n" not in line
    for part in ("3 pairs", "Canon 2", "Nikon 1", "x4", "32 x 48"):
        assert part in line


def test_realsr_folder_and_scale_and_split(realsr):
    root = realsr("elsewhere", BOTH, 2, scale=2, split="Test")
    data = RealSRDataset(3, "test", folder="elsewhere", scale=2, same_size=False, data_root=root)
    assert len(data) == 3
    again = RealSRDataset(3, "test", folder=root / "elsewhere", scale=2, same_size=False)
    assert again.keys == data.keys
    one = RealSRDataset(3, "test", ["Nikon"], root / "elsewhere", scale=2, same_size=False)
    assert one.keys == ["Nikon_002"]


def test_realsr_split_folders_of_other_letter_case(realsr):
    root = realsr("RealSR(V2)", BOTH, split="train")
    assert len(RealSRDataset(2, data_root=root)) == 3


def test_realsr_counts_what_has_no_partner(realsr):
    root = realsr("RealSR(V2)", BOTH)
    folder = root / "RealSR(V2)" / "Canon" / "Train" / "4"
    (folder / "Canon_001_LR4.png").unlink()
    (folder / "Canon_003_HR.png").unlink()
    (folder / "Canon_003_LR2.png").write_bytes(b"of another scale")
    (folder / "._Canon_009_HR.png").write_bytes(b"left by a foreign file system")
    data = RealSRDataset(2, data_root=root)
    assert data.keys == ["Nikon_002"]
    assert (data.unpaired_hr, data.unpaired_lr) == (1, 1)
    assert "1 HR without LR" in data.summary()
    assert "1 LR without HR" in data.summary()
    assert "458 of the release's 459 scenes" in data.summary()


def test_realsr_refusals(realsr, tmp_path):
    with pytest.raises(DataError, match=r"RealSR V2 was not found: looked for .*sample=True"):
        RealSRDataset(2, data_root=tmp_path)
    root = realsr("RealSR(V2)", {"Canon": ["001"]})
    with pytest.raises(DataError, match="Nikon is missing.*holds Canon.*leave it out of cameras"):
        RealSRDataset(2, data_root=root)
    with pytest.raises(GeometryError, match="Train holds no pairs of scale 3, but of 4"):
        RealSRDataset(2, cameras=["Canon"], scale=3, data_root=root)
    with pytest.raises(GeometryError, match="same_size=True.*version=3"):
        RealSRDataset(2, same_size=False, data_root=root)
    with pytest.raises(GeometryError, match="same_size=False.*dml_n8_realsrv3_x4"):
        RealSRDataset(3, same_size=True, data_root=root)
    with pytest.raises(ConfigError, match="version is 4, wanted 1, 2 or 3"):
        RealSRDataset(4, data_root=root)
    with pytest.raises(ConfigError, match="split is 'val', wanted 'train' or 'test'"):
        RealSRDataset(2, "val", data_root=root)


def test_paired_folders_with_patterns(tmp_path, picture):
    for name in ("a", "b"):
        picture(tmp_path / "gt" / f"{name}.png", 24, 32)
        picture(tmp_path / "lq" / f"{name}x2.jpg", 12, 16)
    data = PairedFolderDataset("gt", "lq", lr_pattern="{name}x{scale}", scale=2, data_root=tmp_path)
    assert data.keys == ["a", "b"]
    data.check()


def test_paired_in_one_folder_and_in_folders_of_folders(tmp_path, picture):
    for name in ("one/a", "two/a"):
        picture(tmp_path / f"{name}_HR.png", 24, 32)
        picture(tmp_path / f"{name}_LR4.png", 6, 8)
    arguments = dict(pattern="{name}_HR", lr_pattern="{name}_LR{scale}", data_root=tmp_path)
    flat = PairedFolderDataset("one", "one", **arguments)
    assert flat.keys == ["a"]
    deep = PairedFolderDataset(".", ".", recursive=True, **arguments)
    assert deep.keys == ["one/a", "two/a"]
    deep.check()
    with pytest.raises(ConfigError, match="must differ"):
        PairedFolderDataset("one", "one", data_root=tmp_path)
    with pytest.raises(ConfigError, match="lacks {name}"):
        PairedFolderDataset("one", "one", "HR", data_root=tmp_path)


def test_paired_without_partners(tmp_path, picture):
    for path in ("gt/a.png", "gt/b.png", "lq/b.png", "lq/c.png"):
        picture(tmp_path / path)
    strict = PairedFolderDataset("gt", "lq", same_size=True, data_root=tmp_path)
    with pytest.raises(DataError, match=r"2 faults(.|\n)*a.png: has no LR(.|\n)*c.png: has no HR"):
        strict.check()
    lenient = PairedFolderDataset(
        "gt", "lq", allow_unpaired=True, same_size=True, data_root=tmp_path
    )
    lenient.check()
    assert "1 HR without LR left out; 1 LR without HR" in lenient.summary()
    with pytest.raises(DataError, match="no pairs; 2 HR .* 0 LR"):
        PairedFolderDataset("gt", "lq", lr_pattern="{name}_small", data_root=tmp_path)
    with pytest.raises(DataError, match="folder of lr_dir was not found.*sample=True"):
        PairedFolderDataset("gt", "nowhere", data_root=tmp_path)


def test_city100(tmp_path, picture):
    folder = tmp_path / "City100" / "City100_NikonD5500"
    for number in (1, 2, 3, 16):
        for side in "HL":
            picture(folder / f"{number:03d}{side}.PNG")
    train = City100Dataset("NikonD5500", data_root=tmp_path)
    assert train.keys == ["002", "003"]
    assert City100Dataset("NikonD5500", "test", data_root=tmp_path).keys == ["001", "016"]
    assert City100Dataset(ids="3,1-2", folder=folder).keys == ["003", "001", "002"]
    train.check()
    missing = City100Dataset(ids=[1, "2-4"], folder=folder)
    with pytest.raises(DataError, match=r"004H.PNG: is missing(.|\n)*004L.PNG"):
        missing.check()
    with pytest.raises(GeometryError, match="same_size=True"):
        City100Dataset(folder=folder, same_size=False)
    with pytest.raises(DataError, match="City100 of the iPhoneX was not found"):
        City100Dataset(data_root=tmp_path)


def test_ids():
    assert parse_ids("1-3, 7") == [1, 2, 3, 7]
    assert parse_ids([5, "1-2", 2]) == [5, 1, 2]
    for wrong in ("a", "3-1", [1.5], ""):
        with pytest.raises(ConfigError, match="numbers and ranges"):
            parse_ids(wrong)


def test_ntire19(tmp_path, picture):
    for name in ("cam1_01", "cam1_010", "cam2_01"):
        for side in ("HR", "LR"):
            picture(tmp_path / "NTIRE19-RealSR" / "test" / side / f"{name}.png")
    data = NTIRE19Dataset("test", data_root=tmp_path)
    assert data.keys == ["cam1_01", "cam1_010", "cam2_01"]
    assert "cam1 2, cam2 1" in data.summary()
    data.check()
    with pytest.raises(DataError, match="train/HR"):
        NTIRE19Dataset("train", data_root=tmp_path)
    with pytest.raises(GeometryError, match="same_size=True"):
        NTIRE19Dataset("test", data_root=tmp_path, same_size=False)


def test_relative_data_root(tmp_path, picture, monkeypatch):
    for side in ("HR", "LR"):
        picture(tmp_path / "data" / "NTIRE19-RealSR" / "test" / side / "cam1_01.png")
    monkeypatch.chdir(tmp_path)
    assert len(NTIRE19Dataset("test", data_root="data")) == 1
    assert len(NTIRE19Dataset("test")) == 1


def test_hr_folder(tmp_path, picture):
    picture(tmp_path / "large" / "a.png", 64, 48)
    picture(tmp_path / "large" / "deep" / "b.jpg", 48, 48)
    picture(tmp_path / "small" / "a.png", 40, 64)
    crop = [dict(type="PairedCrop", patch_size=48), dict(type="PackSample")]
    flat = HRFolderDataset("large", data_root=tmp_path, transforms=crop)
    assert flat.keys == ["a"]
    assert "1 HR image," in flat.summary()
    everything = HRFolderDataset(
        ["large", "small"], recursive=True, data_root=tmp_path, transforms=crop
    )
    assert everything.keys == ["0-large/a", "0-large/deep/b", "1-small/a"]
    with pytest.raises(DataError, match=r"small/a.png: is 40 x 64 pixels, smaller than the 48"):
        everything.check()
    with pytest.raises(DataError, match="PairedCrop: the image '1-small/a' is 40 x 64"):
        everything[(0, 2)]
    skipping = HRFolderDataset(
        ["large", "small"],
        recursive=True,
        too_small="skip",
        data_root=tmp_path,
        transforms=crop,
    )
    assert len(skipping) == 2
    assert "1 skipped, smaller than 48 pixels" in skipping.summary()
    skipping.check()
    with pytest.raises(DataError, match="all 1 images .* smaller than 100"):
        HRFolderDataset("large", min_size=100, too_small="skip", data_root=tmp_path)
    with pytest.raises(ConfigError, match="'refuse' or 'skip'"):
        HRFolderDataset("large", too_small="pad", data_root=tmp_path)
    with pytest.raises(DataError, match="no images"):
        HRFolderDataset(tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path, picture):
    picture(tmp_path / "a.png")
    picture(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="a.jpg and a.png, two images of one name"):
        HRFolderDataset(tmp_path)
