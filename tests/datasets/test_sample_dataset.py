import pickle

import numpy as np
import pytest
import torch

import realdeg.degradations.sample_camera  # noqa: F401  (registers the camera)
from realdeg.datasets.sample import SampleDataset
from realdeg.errors import ConfigError, GeometryError
from realdeg.utils.image import to_tensor


@pytest.mark.parametrize(("scale", "same_size"), [(1, False), (2, True), (3, False), (4, False)])
def test_pairs_of_both_geometries(scale, same_size):
    data = SampleDataset(split="test", scale=scale, same_size=same_size)
    data.check(thorough=True)
    assert data.keys == ["sample/camera", "sample/coffee", "sample/mosaic"]
    sample = data.load(2)
    stride = 1 if same_size else scale
    assert sample["hr"].shape == (240, 240, 3)
    assert sample["lr"].shape == (240 // stride, 240 // stride, 3)
    assert sample["lr"].dtype == np.uint8
    # Kernels of sum 1 keep brightness, but for the light that spreads at edges.
    assert abs(sample["lr"].mean() - sample["hr"].mean()) < 5


def test_pairs_are_the_same_in_every_run():
    first = SampleDataset(scale=4, seed=1)
    second = pickle.loads(pickle.dumps(SampleDataset(scale=4, seed=2)))
    assert np.array_equal(second.load(3)["lr"], first.load(3)["lr"])
    assert first.load(3)["lr"] is first.load(3)["lr"]


def test_photographs_are_made_once_and_held_to_their_hash(tmp_path, monkeypatch):
    monkeypatch.setenv("REALDEG_HOME", str(tmp_path))
    exposed = []
    camera = type(SampleDataset(split="test").camera)
    plain = camera.degrade
    monkeypatch.setattr(camera, "degrade", lambda *a: exposed.append(1) or plain(*a))

    def photograph(index=0, **options):
        return SampleDataset(split="test", scale=4, same_size=False, **options).load(index)["lr"]

    first = photograph()
    assert np.array_equal(photograph(), first) and len(exposed) == 1
    assert not photograph().flags.writeable
    # Another camera, picture, grid: others.
    photograph(camera=dict(noise=False))
    photograph(1)
    assert len(exposed) == 3 and len(list((tmp_path / "sample").iterdir())) == 3
    for file in (tmp_path / "sample").iterdir():
        content = bytearray(file.read_bytes())
        content[100] ^= 1
        file.write_bytes(content)
    assert np.array_equal(photograph(), first) and len(exposed) == 4
    for file in (tmp_path / "sample").iterdir():
        file.write_bytes(b"")
    assert np.array_equal(photograph(), first) and len(exposed) == 5
    assert np.array_equal(photograph(), first) and len(exposed) == 5
    # Where nothing can be kept, it is made.
    monkeypatch.setenv("REALDEG_HOME", str(next((tmp_path / "sample").iterdir())))
    assert np.array_equal(photograph(), first) and len(exposed) == 6


def test_the_camera_tells_the_truth_behind_the_pairs():
    data = SampleDataset(camera=dict(noise=False), split="test", scale=4)
    sample = data.load(1)
    hr = to_tensor(sample["hr"])[None]
    kernel = data.camera.kernels_at(hr, [(20, 30)])[0]
    top, left = 4 * 20 - 6, 4 * 30 - 6  # floor((4 - 15) / 2)
    expected = (hr[0, :, top : top + 15, left : left + 15] * kernel).sum((1, 2)) * 255
    found = torch.from_numpy(sample["lr"][20, 30].astype(np.float32))
    assert (found - expected).abs().max() <= 0.5 + 1e-3


def test_hr_mode_and_splits():
    data = SampleDataset(mode="hr")
    assert len(data) == 11 and "lr" not in data.load(0)
    assert "11 HR images" in data.summary()
    assert not set(data.keys) & set(SampleDataset(split="test").keys)
    assert set(data[(7, 2)]) == {"hr", "key", "meta", "position", "seed"}
    assert "SampleCamera" in SampleDataset().summary()


def test_refusals():
    with pytest.raises(ConfigError, match="mode"):
        SampleDataset(mode="lr")
    with pytest.raises(ConfigError, match="split"):
        SampleDataset(split="val")
    with pytest.raises(GeometryError, match="1 to 4"):
        SampleDataset(scale=8)
