"""HR images beside real LR images of other scenes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from realdeg.datasets import HRFolderDataset, MixtureDataset, PairedFolderDataset
from realdeg.datasets.unpaired import UnpairedDataset, collate_unpaired
from realdeg.errors import ConfigError, DataError

CROP = [dict(type="PairedCrop", patch_size=16), dict(type="Flip"), dict(type="PackSample")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five pairs and three photos; every value of an image tells which one it is."""
    folder = tmp_path_factory.mktemp("unpaired")
    rng = np.random.default_rng(0)
    for name, count, size in (("hr", 5, 48), ("lr", 5, 24), ("photos", 3, 40)):
        (folder / name).mkdir()
        for number in range(count):
            image = rng.integers(0, 256, (size, size, 3), np.uint8)
            stem = f"photo{number}" if name == "photos" else number
            cv2.imwrite(str(folder / name / f"{stem}.png"), image)
    return folder


def pairs(root, **more):
    return dict(type="PairedFolderDataset", hr_dir="hr", lr_dir="lr", transforms=CROP, **more)


def photos(root, size=8):
    steps = [dict(type="PairedCrop", patch_size=size), dict(type="PackSample")]
    return dict(type="HRFolderDataset", folder="photos", transforms=steps)


def build(root, *datasets, real="lr", seed=3):
    return UnpairedDataset(list(datasets), real, scale=2, data_root=root, seed=seed)


def test_samples_and_batches(root):
    data = build(root, pairs(root), pairs(root))
    assert len(data) == 5 and data.keys == [str(n) for n in range(5)]
    samples = [data[(position, position % 5)] for position in range(3)]
    assert all("lr" not in sample for sample in samples)
    batch = collate_unpaired(samples)
    assert batch["hr"].shape == (3, 3, 16, 16) and batch["real_lr"].shape == (3, 3, 8, 8)
    assert batch["lr"] is None and not batch["paired"].any()
    assert torch.equal(batch["real_lr"][1], samples[1]["real_lr"])
    assert "unpaired" in data.summary() and data.load(0)["hr"].shape == (48, 48, 3)
    data.check()


def test_the_choice_is_a_function_of_seed_and_position(root):
    data, again = (build(root, pairs(root), pairs(root)) for _ in range(2))
    order = [again[(position, 2)]["meta"] for position in reversed(range(40))][::-1]
    assert order == [data[(position, 2)]["meta"] for position in range(40)]
    other = build(root, pairs(root), pairs(root), seed=4)
    assert order != [other[(position, 2)]["meta"] for position in range(40)]


def test_every_pass_shows_every_real_image_once(root):
    data = build(root, photos(root, 16), pairs(root))
    drawn = [data[(position, 0)]["meta"]["real_key"] for position in range(20)]
    for start in range(0, 20, 5):
        assert sorted(drawn[start : start + 5]) == [str(n) for n in range(5)]
    assert len({tuple(drawn[start : start + 5]) for start in range(0, 20, 5)}) > 1


def test_a_scene_never_lies_beside_itself(root):
    data = build(root, pairs(root), pairs(root))
    for position in range(100):
        sample = data[(position, position % 5)]
        assert sample["key"] != sample["meta"]["real_key"]


def test_both_sides_have_streams_of_their_own(root):
    data = build(root, pairs(root), pairs(root))
    metas = [data[(position, position % 5)]["meta"] for position in range(200)]
    places = np.array([(m["crop"][0], m["real"]["crop"][0]) for m in metas], float)
    # Uniform draws of 200: a correlation above 0.25 has a chance below 1 in 2000.
    assert abs(np.corrcoef(places.T)[0, 1]) < 0.25
    assert any(m["flip"] != m["real"]["flip"] for m in metas)


def test_photos_and_mixtures_may_be_the_real_side(root):
    data = build(root, pairs(root), photos(root), real="hr")
    assert data[(0, 0)]["real_lr"].shape == (3, 8, 8)
    mixed = dict(type="MixtureDataset", datasets=[pairs(root), pairs(root)], ratios=[1, 3])
    data = build(root, photos(root, 16), mixed)
    assert isinstance(data.real, MixtureDataset) and isinstance(data.hr, HRFolderDataset)
    shapes = {tuple(data[(position, 0)]["real_lr"].shape) for position in range(8)}
    assert shapes == {(3, 8, 8)}


def test_a_larger_real_patch_is_cut(root):
    data = build(root, pairs(root), photos(root, 20), real="hr")
    assert data[(0, 0)]["real_lr"].shape == (3, 8, 8)


def test_refusals(root):
    with pytest.raises(ConfigError, match="wanted a list of datasets with 2 items"):
        build(root, pairs(root))
    with pytest.raises(ConfigError, match="real is"):
        build(root, pairs(root), pairs(root), real="both")
    with pytest.raises(DataError, match="has no LR"):
        build(root, pairs(root), photos(root))[(0, 0)]
    with pytest.raises(DataError, match="UnpairedDataset"):
        collate_unpaired([build(root, pairs(root), pairs(root)).hr[0]])
    small = build(root, pairs(root), photos(root, 6), real="hr")
    # Sizes that differ from sample to sample are named by the real image's key.
    samples = [small[(0, 0)], build(root, pairs(root), photos(root), real="hr")[(1, 0)]]
    with pytest.raises(DataError, match="crop all to one size"):
        collate_unpaired(samples)


def test_built_from_objects(root):
    inner = PairedFolderDataset("hr", "lr", scale=2, data_root=root, transforms=CROP)
    data = UnpairedDataset([inner, inner], scale=2)
    assert data[0]["real_lr"].shape == (3, 8, 8)
