"""Real pairs, where they are at hand."""

import pytest

from realdeg.datasets import City100Dataset, HRFolderDataset, NTIRE19Dataset, RealSRDataset

CROP = [
    dict(type="PairedCrop", patch_size=96),
    dict(type="Flip"),
    dict(type="PackSample"),
]


def need(real_data, name):
    if not (real_data / name).is_dir():
        pytest.skip(f"{name} is not among the real data")
    return real_data


@pytest.mark.parametrize(
    ("make", "name", "count", "lr"),
    [
        (
            lambda root: RealSRDataset(
                3, folder="RealSR-V3-crops", same_size=False, data_root=root, transforms=CROP
            ),
            "RealSR-V3-crops",
            40,
            (3, 24, 24),
        ),
        (
            lambda root: NTIRE19Dataset("test", data_root=root, transforms=CROP),
            "NTIRE19-RealSR",
            3,
            (3, 96, 96),
        ),
        (
            lambda root: City100Dataset(ids="1-24", data_root=root, transforms=CROP),
            "City100-iPhoneX",
            24,
            (3, 96, 96),
        ),
    ],
    ids=["RealSR V3", "NTIRE19", "City100"],
)
def test_real_pairs(real_data, make, name, count, lr):
    data = make(need(real_data, name))
    assert len(data) == count
    data.check()
    item = data[(0, 0)]
    assert item["hr"].shape == (3, 96, 96) and item["lr"].shape == lr
    # A pair shows one scene: its mean colours are alike.
    assert (item["hr"].mean((1, 2)) - item["lr"].mean((1, 2))).abs().max() < 0.1


def test_hr_images(real_data):
    data = HRFolderDataset("T91", data_root=need(real_data, "T91"), too_small="skip", min_size=96)
    assert 0 < len(data) < 91
    data.check()
