"""Plain data sets for other trainers: geometry, determinism, workers, shards, no mmengine."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import realdeg
from realdeg.data import DegradedDataset, EpochSampler, PairedDataset, ShardedPairs
from realdeg.errors import ConfigError, DataError, RealdegError
from realdeg.utils.image import encode_image, read_image, to_tensor, write_image

SCALE, COUNT = 2, 6


def picture(number, height=24, width=32):
    """HR in which every pixel tells its image and its place."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 7, columns * 7, np.full_like(rows, number * 20)], -1).astype(np.uint8)


@pytest.fixture
def folders(tmp_path):
    for number in range(COUNT):
        hr = picture(number)
        write_image(tmp_path / "hr" / f"{number}.png", hr)
        write_image(tmp_path / "lr" / f"{number}x2.png", np.ascontiguousarray(hr[::SCALE, ::SCALE]))
    return tmp_path / "hr", tmp_path / "lr"


@pytest.fixture
def shards(tmp_path):
    """Three shards of two pairs, as ``realdeg degrade --to tar`` lays them out."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in range(3):
        with tarfile.open(folder / f"shard-{shard:06d}.tar", "w") as archive:
            for number in (2 * shard, 2 * shard + 1):
                hr = picture(number)
                add(archive, f"p{number}.hr.png", png(hr))
                add(archive, f"p{number}.lr.png", png(hr[::SCALE, ::SCALE]))
                add(archive, f"p{number}.json", json.dumps({"seed": number}).encode())
    return folder


def png(pixels):
    return encode_image("a.png", np.ascontiguousarray(pixels))


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def same(first, second):
    return all(torch.equal(x, y) for x, y in zip(first, second, strict=True))


def test_whole_pairs_are_the_files(folders):
    data = PairedDataset(*folders)
    assert len(data) == COUNT
    hr, lr = data[3]
    assert torch.equal(hr, to_tensor(picture(3))) and hr.dtype == torch.float32
    assert torch.equal(lr, hr[:, ::SCALE, ::SCALE])
    assert len(list(data)) == COUNT and same(data[-1], data[COUNT - 1])


@pytest.mark.parametrize("turned", [dict(), dict(flip=True), dict(rotate=True, flip=True)])
def test_crops_of_hr_and_lr_are_one_place(folders, turned):
    data = PairedDataset(*folders, crop=8, **turned)
    shapes, places = set(), set()
    for epoch in range(12):
        data.set_epoch(epoch)
        for index in range(COUNT):
            hr, lr = data[index]
            assert hr.shape == (3, 8, 8) and lr.shape == (3, 4, 4)
            numbers = (hr * 255).round()
            assert (numbers[2] == index * 20).all()
            # The LR pixel is the even row and column of the same place, turned or not.
            even = (numbers[0] / 7 % 2 == 0) & (numbers[1] / 7 % 2 == 0)
            found = sorted(map(tuple, hr.permute(1, 2, 0)[even].tolist()))
            assert found == sorted(map(tuple, lr.permute(1, 2, 0).reshape(-1, 3).tolist()))
            places.add(tuple(numbers[:2].amin((1, 2)).tolist()))
            step = (numbers[:2, 1, 1] - numbers[:2, 0, 0]).sign().tolist()
            shapes.add((*step, bool(numbers[0, 0, 0] == numbers[0, 0, 1])))
    # 9 x 13 positions on the LR grid, and the orientations asked for, all reached or nearly so.
    assert len(places) > 40
    assert len(shapes) == {0: 1, 1: 2, 2: 8}[len(turned)]


def test_an_item_depends_on_seed_epoch_and_index_alone(folders):
    first = PairedDataset(*folders, crop=8, flip=True, seed=1)
    again = PairedDataset(*folders, crop=8, flip=True, seed=1)
    order = [3, 0, 5, 3]
    ahead = {index: again[index] for index in range(COUNT)}
    assert all(same(first[index], ahead[index]) for index in order)
    first.set_epoch(1)
    assert not all(same(first[index], ahead[index]) for index in range(COUNT))
    other = PairedDataset(*folders, crop=8, flip=True, seed=2)
    assert not all(same(other[index], ahead[index]) for index in range(COUNT))


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_that_outlive_an_epoch_see_the_next_one(folders, method):
    data = PairedDataset(*folders, crop=8, seed=3)
    settings = dict(num_workers=2, persistent_workers=True, multiprocessing_context=method)
    loader = DataLoader(data, batch_size=1, sampler=EpochSampler(data), **settings)
    alone = PairedDataset(*folders, crop=8, seed=3)
    for epoch in range(2):
        wanted = [alone[index] for index in EpochSampler(alone)] if epoch == 0 else None
        if wanted is None:
            sampler = EpochSampler(alone)
            sampler.set_epoch(epoch)
            wanted = [alone[index] for index in sampler]
        found = [(hr[0], lr[0]) for hr, lr in loader]
        assert all(same(*both) for both in zip(found, wanted, strict=True))


def test_the_same_crops_in_every_epoch_are_warned_about(folders, caplog):
    data = PairedDataset(*folders, crop=8)
    with caplog.at_level(logging.WARNING):
        list(data)
        data.set_epoch(1)
        list(data)
        assert not caplog.records
        data[0]
        data[1]
    (record,) = caplog.records
    assert "set_epoch" in record.getMessage()
    whole = PairedDataset(*folders)
    list(whole), list(whole)
    assert len(caplog.records) == 1


def test_fields(folders):
    names = {"gt": "hr", "lq": "lr", "conditioning_image": "lr_enlarged", "name": "key"}
    data = PairedDataset(*folders, crop=8, fields=names, signed=["gt"])
    item = data[2]
    assert list(item) == list(names) and item["name"] == "2"
    assert item["gt"].min() < 0 <= item["lq"].min()
    assert item["conditioning_image"].shape == item["gt"].shape == (3, 8, 8)
    batch = next(iter(DataLoader(data, batch_size=3)))
    assert batch["lq"].shape == (3, 3, 4, 4) and batch["name"] == ["0", "1", "2"]
    plain = PairedDataset(*folders, crop=8, signed=["hr"], transform=lambda pair: pair[0])
    assert torch.equal(plain[2], item["gt"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(fields={"gt": "high"}), "'gt' stands for 'high'.*Did you mean|'gt' stands for"),
        (dict(signed=["lq"]), "'signed' names 'lq', but the images are hr, lr"),
        (dict(crop=0), "crop is a number of HR pixels"),
        (dict(pattern="none"), r"\{name\} once"),
    ],
)
def test_wrong_arguments(folders, arguments, message):
    with pytest.raises(ConfigError, match=message):
        PairedDataset(*folders, **arguments)


def test_pairs_that_do_not_fit(folders):
    with pytest.raises(ConfigError, match="crop=7 HR pixels is not divisible by the scale 2 of 0"):
        PairedDataset(*folders, crop=7)[0]
    with pytest.raises(DataError, match="0 is 24 x 32 pixels, smaller than the crop of 26"):
        PairedDataset(*folders, crop=26)[0]
    write_image(folders[1] / "1x2.png", picture(1, 12, 15))
    with pytest.raises(DataError, match="1: HR is 24 x 32 and LR 12 x 15"):
        PairedDataset(*folders)[1]
    (folders[1] / "2x2.png").unlink()
    with pytest.raises(DataError, match="2.png has no partner"):
        PairedDataset(*folders)


def test_degraded_items_are_those_of_the_degradation(folders):
    names = {"hr": "hr", "lr": "lr", "trace": "record", "key": "key"}
    data = DegradedDataset(folders[0], "BSRGAN", scale=2, crop=16, flip=True, seed=4, fields=names)
    data.set_epoch(5)
    item = data[1]
    degradation = realdeg.create_degradation("BSRGAN", 2, False)
    trace = realdeg.Trace.from_json(item["trace"])
    again = degradation.replay(item["hr"][None], [trace])[0]
    assert torch.equal((again * 255 + 0.5).floor().clamp(0, 255) / 255, item["lr"])
    assert item["lr"].shape == (3, 8, 8)
    first = {data[index]["trace"] for index in range(COUNT)}
    data.set_epoch(6)
    assert not first & {data[index]["trace"] for index in range(COUNT)}


def test_degraded_items_do_not_depend_on_workers(folders):
    def items(workers):
        data = DegradedDataset(folders[0], dict(type="AWGN", sigma=5), scale=2, crop=8, seed=4)
        loader = DataLoader(data, batch_size=2, sampler=EpochSampler(data), num_workers=workers)
        return [*loader, *loader]

    alone, shared = items(0), items(2)
    assert all(same(*both) for both in zip(alone, shared, strict=True))
    half = len(alone) // 2
    assert not same(alone[0], alone[half])


def test_wrong_degradations(folders, tmp_path):
    with pytest.raises(ConfigError, match="crop=7"):
        DegradedDataset(folders[0], "Bicubic", scale=2, crop=7)
    with pytest.raises(RealdegError, match="train"):
        DegradedDataset(folders[0], "DML", scale=2)
    with pytest.raises(DataError, match="no folder of HR images"):
        DegradedDataset(tmp_path / "none", "Bicubic", scale=2)


def test_shards_give_every_pair_once(shards):
    fields = {"hr": "hr", "lr": "lr", "key": "key", "said": "record"}
    plain = list(ShardedPairs(shards, shuffle=0, fields=fields))
    assert [item["key"] for item in plain] == [f"p{n}" for n in range(COUNT)]
    for number, item in enumerate(plain):
        assert torch.equal(item["hr"], to_tensor(picture(number)))
        assert torch.equal(item["lr"], item["hr"][:, ::SCALE, ::SCALE])
        assert item["said"] == {"seed": number}
    data = ShardedPairs(str(shards / "shard-*.tar"), shuffle=4, fields={"key": "key"}, seed=1)
    orders = []
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        orders.append([item["key"] for item in data])
        assert sorted(orders[-1]) == [f"p{n}" for n in range(COUNT)]
    assert orders[0] == orders[2] != orders[1]


@pytest.mark.parametrize("workers", [0, 2, 5])
def test_workers_and_processes_share_the_shards(shards, workers):
    found = []
    for rank in range(2):
        data = ShardedPairs(
            shards, crop=8, fields={"key": "key", "lq": "lr"}, rank=rank, world_size=2
        )
        loader = DataLoader(data, batch_size=None, num_workers=workers)
        found += [(item["key"], item["lq"].numpy().tobytes()) for item in loader]
    assert sorted(key for key, _ in found) == [f"p{n}" for n in range(COUNT)]
    # The crop follows from the name, so neither workers nor processes change a pair.
    alone = {
        item["key"]: item["lq"]
        for item in ShardedPairs(shards, crop=8, fields={"key": "key", "lq": "lr"})
    }
    assert dict(found) == {key: lr.numpy().tobytes() for key, lr in alone.items()}


def test_shards_that_cannot_be_used(shards, tmp_path):
    with pytest.raises(ConfigError, match="3 shards cannot be shared by 4 processes"):
        ShardedPairs(shards, rank=0, world_size=4)
    with pytest.raises(ConfigError, match="given together"):
        ShardedPairs(shards, rank=0)
    with pytest.raises(DataError, match="nothing matches"):
        ShardedPairs(tmp_path / "*.tar")
    with pytest.raises(ConfigError, match="shuffle"):
        ShardedPairs(shards, shuffle=-1)
    with tarfile.open(tmp_path / "half.tar", "w") as archive:
        add(archive, "a.hr.png", png(picture(0)))
    with pytest.raises(DataError, match=r"sample a has no a.lr.png, but hr.png"):
        list(ShardedPairs([tmp_path / "half.tar"]))
    content = (shards / "shard-000000.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="truncated"):
        list(ShardedPairs([tmp_path / "cut.tar"]))


def test_shards_of_the_command(folders, tmp_path):
    """What ``realdeg degrade --to tar`` writes is what is read."""
    realdeg.degrade_dataset("Bicubic", folders[0], tmp_path / "made", to="tar", scale=2)
    names = {"key": "key", "gt": "hr", "lq": "lr", "said": "record"}
    found = {item["key"]: item for item in ShardedPairs(tmp_path / "made", fields=names)}
    assert sorted(found) == [str(number) for number in range(COUNT)]
    assert torch.equal(found["4"]["gt"], to_tensor(read_image(folders[0] / "4.png")))
    assert found["4"]["lq"].shape == (3, 12, 16) and found["4"]["said"]["trace"]


def test_the_sampler_shares_one_order():
    data = list(range(10))
    samplers = [EpochSampler(data, seed=2, rank=rank, world_size=4) for rank in range(4)]
    epochs = [[list(sampler) for sampler in samplers] for _ in range(2)]
    for parts in epochs:
        assert [len(part) for part in parts] == [3, 3, 3, 3] == [len(s) for s in samplers]
        assert set().union(*parts) == set(data)
    assert epochs[0] != epochs[1]
    one = EpochSampler(data, shuffle=False)
    assert list(one) == data and one.epoch == 1
    with pytest.raises(ConfigError, match="rank is 4"):
        EpochSampler(data, rank=4, world_size=4)


def test_no_mmengine_in_sight(folders, shards):
    """Reading pairs and shards works where mmengine and mmcv cannot be imported at all."""
    code = f"""
import sys
for name in ("mmengine", "mmcv", "addict"):
    sys.modules[name] = None
from realdeg.data import DegradedDataset, EpochSampler, PairedDataset, ShardedPairs
pairs = PairedDataset({str(folders[0])!r}, {str(folders[1])!r}, crop=8, flip=True)
assert [pairs[index][0].shape for index in EpochSampler(pairs)] == [(3, 8, 8)] * {COUNT}
assert len(list(ShardedPairs({str(shards)!r}, crop=8))) == {COUNT}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
