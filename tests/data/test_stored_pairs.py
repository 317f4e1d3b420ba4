"""A loop outside realdeg learns the same from shards as from files."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import realdeg
from realdeg.data import EpochSampler, PairedDataset, StoredPairs
from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import write_image

FORMATS = ("tar", "parquet", "lmdb", "folder", "memory")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    for seed in range(9):
        pixels = np.random.default_rng(seed).integers(0, 256, (32, 40, 3), np.uint8)
        write_image(root / "photos" / f"{seed}.png", pixels)
    for kind in ("folder", "tar", "parquet", "lmdb"):
        settings = dict(scale=2, shard_size=2, hr=True, jobs=1, progress=False)
        realdeg.degrade_dataset("BSRGAN", root / "photos", root / kind, to=kind, **settings)
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    for file in (made := root / "tar").glob("*.tar"):
        store.pipe(f"/shards/{file.relative_to(made)}", file.read_bytes())
    yield {kind: str(root / kind) for kind in FORMATS} | {"memory": "memory://shards"}
    store.rm("/shards", recursive=True)


def losses(data, workers=0, count=10):
    """The first losses of an ordinary loop of torch."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    loader = DataLoader(data, batch_size=2, sampler=EpochSampler(data), num_workers=workers)
    found = []
    while len(found) < count:
        for hr, lr in loader:
            loss = nn.functional.l1_loss(network(lr), hr)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            found.append(loss.item())
    return found[:count]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_first_ten_losses_are_those_from_files(made, kind):
    view = dict(crop=16, flip=True, rotate=True, seed=7)
    wanted = losses(PairedDataset(f"{made['folder']}/HR", f"{made['folder']}/LR", **view))
    assert len(set(wanted)) == 10
    assert losses(StoredPairs(made[kind], **view), workers=2) == wanted


def test_fields_and_wrong_arguments(made):
    data = StoredPairs(made["tar"], fields={"gt": "hr", "name": "key"}, crop=8)
    assert data[2]["name"] == "2" and data[2]["gt"].shape == (3, 8, 8) and len(data) == 9
    with pytest.raises(ConfigError, match="crop is a number"):
        StoredPairs(made["tar"], crop=0)
    with pytest.raises(DataError, match="no data set|no file"):
        StoredPairs(made["tar"] + "/nothing")
    with pytest.raises(DataError, match=r"0\.lr\.png has no partner called 'gt'"):
        StoredPairs(made["tar"], hr="gt")


def test_no_mmengine_in_sight(made):
    code = f"""
import sys
for name in ("mmengine", "mmcv", "addict"):
    sys.modules[name] = None
from realdeg.data import StoredPairs
for root in {[made["tar"], made["lmdb"], made["parquet"], made["folder"]]}:
    assert StoredPairs(root, crop=8)[0][0].shape == (3, 8, 8)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
