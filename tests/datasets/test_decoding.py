import pickle

import numpy as np
import pytest
import torch

from realdeg.datasets import HRFolderDataset, PairedFolderDataset


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.filterwarnings("error")
def test_every_depth_and_channel_count_becomes_rgb(tmp_path, picture, channels, dtype):
    written = picture(tmp_path / "a.png", channels=channels, dtype=dtype)
    data = HRFolderDataset(tmp_path)
    raw = data.load(0)["hr"]
    assert raw.shape == (24, 32, 3) and raw.dtype == dtype
    packed = data[0]["hr"]
    expected = np.repeat(written, 3, axis=2) if channels == 1 else written[..., :3]
    values = expected.astype(np.float64) / np.iinfo(dtype).max
    assert packed.dtype == torch.float32 and packed.shape == (3, 24, 32)
    np.testing.assert_allclose(packed.numpy(), values.transpose(2, 0, 1), atol=1e-7)


def test_item_of_evaluation(aligned_pairs):
    data = PairedFolderDataset("HR", "LR", scale=2, seed=3, data_root=aligned_pairs)
    item = data[2]
    assert set(item) == {"hr", "lr", "key", "meta", "seed"}
    assert item["key"] == "scene2"
    assert item["seed"] == data[2]["seed"]
    assert item["seed"] != data[(2, 2)]["seed"]
    assert len({data[i]["seed"] for i in range(5)}) == 5
    assert len(list(data)) == 5
    with pytest.raises(IndexError):
        data[5]


def test_cache_is_bounded_and_kept_from_harm(tmp_path, picture):
    for name in "abc":
        picture(tmp_path / f"{name}.png", 512, 512)  # 0.75 MiB decoded
    data = HRFolderDataset(tmp_path, cache_mb=1.6)
    for _ in range(2):
        for index in range(3):
            data.load(index)
    assert len(data._cache) == 2
    assert data.load(0)["hr"] is data.load(0)["hr"]
    assert data.load(2)["hr"] is not data.load(2)["hr"]
    with pytest.raises(ValueError, match="read-only"):
        data.load(0)["hr"][0] = 0
    data.load(0)["meta"]["written"] = True
    assert not data.load(0)["meta"]
    assert not pickle.loads(pickle.dumps(data))._cache
    assert not HRFolderDataset(tmp_path, cache_mb=0)._cache


def test_transforms_may_be_callables(aligned_pairs):
    data = HRFolderDataset(aligned_pairs / "HR", transforms=[lambda results: results["key"]])
    assert data[1] == "scene1"
