"""Training from tar, LMDB, Parquet and stores gives what the same images as files give."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import tarfile
from functools import partial

import numpy as np
import pytest
import torch

import realdeg
from realdeg.datasets import HRFolderDataset, HRShardDataset, PairedFolderDataset
from realdeg.datasets import PairedShardDataset as Shards
from realdeg.diagnosis.running import diagnose
from realdeg.diagnosis.sets import image_sets
from realdeg.engine import read_checkpoint
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.synthesis import databases
from realdeg.synthesis.stored import SourceImage
from realdeg.utils.image import write_image

FORMATS = ("tar", "parquet", "lmdb", "folder", "memory")
STEPS = [dict(type="PairedCrop", patch_size=16), dict(type="Flip"), dict(type="PackSample")]
# Sorted as texts, "a" is before "a-b"; sorted as files, "a-b.png" is before "a.png".
NAMES = ("a", "a-b", "b", "c d", "deep/a", "deep/z", "deeper", "e")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The same pairs in every format, in shards of three."""
    root = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(NAMES):
        pixels = np.random.default_rng(seed).integers(0, 256, (32, 40, 3), np.uint8)
        write_image(root / "photos" / f"{name}.png", pixels)
    for kind in ("folder", "tar", "parquet", "lmdb"):
        realdeg.degrade_dataset(
            {"type": "AWGN", "sigma": 9},
            root / "photos",
            root / kind,
            to=kind,
            scale=2,
            hr=True,
            shard_size=3,
            jobs=1,
            progress=False,
        )
    return root


@pytest.fixture
def roots(made):
    """The root of each format; that in memory is a store that forked workers see."""
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    for file in (made / "folder").rglob("*.png"):
        store.pipe(f"/pairs/{file.relative_to(made / 'folder').as_posix()}", file.read_bytes())
    yield {kind: str(made / kind) for kind in FORMATS} | {"memory": "memory://pairs"}
    store.rm("/pairs", recursive=True)


def files(made, **settings):
    place = made / "folder"
    return PairedFolderDataset(
        place / "HR", place / "LR", recursive=True, scale=2, transforms=STEPS, **settings
    )


def same(first, second):
    return (
        first["key"] == second["key"]
        and first["seed"] == second["seed"]
        and torch.equal(first["hr"], second["hr"])
        and torch.equal(first["lr"], second["lr"])
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_keys_order_and_pixels_are_those_of_the_files(made, roots, kind):
    wanted, found = files(made, seed=3), Shards(roots[kind], scale=2, transforms=STEPS, seed=3)
    assert found.keys == wanted.keys and set(wanted.keys) == set(NAMES)
    found.check()
    found.check(thorough=True)
    assert found.summary().split(": ")[1] == wanted.summary().split(": ")[1]
    worker = pickle.loads(pickle.dumps(found))
    for position in (5, 0, 11, 3, 7):
        item = (position, position % len(NAMES))
        assert same(found[item], wanted[item]) and same(worker[item], wanted[item])


CONFIG = """
_base_ = "realdeg::srvgg_compact/srvgg_compact_df2k_x4.py"
scale = 2
batch_size = 4
degradation = None
backbone = dict(type="SRVGGNetCompact", num_features=4, num_convs=1)
train_cfg = dict(max_iters=6, val_interval=100)
default_hooks = dict(
    checkpoint=dict(interval=3, keep=9), logger=dict(type="ProgressHook", interval=1)
)
model = dict(degrade_in="workers")
train_dataloader = dict(
    num_workers={workers}, persistent_workers={persistent},
    dataset=dict(_delete_=True, {dataset}, transforms={steps}),
)
val_dataloader = None
val_evaluator = None
val_cfg = None
"""


def train(folder, dataset, iterations, workers=2, **words):
    """Train in the current way, and return the losses by iteration."""
    config = folder.parent / f"{folder.name}.py"
    text = CONFIG.replace("{dataset}", dataset).replace("{steps}", repr(STEPS))
    config.write_text(
        text.replace("{workers}", str(workers)).replace("{persistent}", str(workers > 0))
    )
    realdeg.train(
        config,
        work_dir=folder,
        device="cpu",
        seed=5,
        options={"train_cfg.max_iters": iterations},
        **words,
    )
    losses = {}
    for file in sorted(folder.rglob("scalars.json")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            if "train/loss" in row:
                losses[row["step"]] = row["train/loss"]
    return losses


@pytest.fixture(scope="module")
def losses_from_files(made, tmp_path_factory):
    place = made / "folder"
    data = f"type='PairedFolderDataset', hr_dir='{place}/HR', lr_dir='{place}/LR', recursive=True"
    return train(tmp_path_factory.mktemp("files") / "run", data, 6)


@pytest.mark.parametrize("kind", FORMATS)
def test_losses_are_those_from_files_with_workers_and_a_resume(
    roots, tmp_path, losses_from_files, kind
):
    data = f"type='PairedShardDataset', root='{roots[kind]}'"
    train(tmp_path / "run", data, 3)
    found = train(tmp_path / "run", data, 6, workers=0 if kind == "folder" else 2, resume=True)
    assert found == losses_from_files and len(found) == 6
    assert len(set(found.values())) == 6


@pytest.mark.parametrize("kind", ["tar", "lmdb", "parquet"])
def test_the_list_of_files_says_what_changed(made, roots, tmp_path, capsys, kind):
    root = tmp_path / "pairs"
    shutil.copytree(made / kind, root)
    data = f"type='PairedShardDataset', root='{root}'"
    train(tmp_path / "run", data, 3, workers=0)
    before = read_checkpoint(tmp_path / "run" / "iter_3.pth")["data_list"]
    assert before["files"] == 2 * len(NAMES)
    lines = (tmp_path / "run" / "data_list.tsv").read_text().splitlines()
    sizes = [int(line.split("\t")[1]) for line in lines]
    assert all(sizes) == (kind != "parquet") and sum(sizes) == before["bytes"]
    names = sorted(root.glob("shard-*.[tp]a*")) or sorted(root.glob("shard-*.lmdb/data.mdb"))
    os.utime(names[-1], ns=(1, 1))
    capsys.readouterr()
    train(tmp_path / "run", data, 4, workers=0, resume=True)
    text = " ".join(capsys.readouterr().out.split())
    # The last shard has two of the eight pairs; one database of it their LR.
    count = 2 if kind == "lmdb" else 4
    assert f"the training data changed since: {count} files with another time" in text
    assert read_checkpoint(tmp_path / "run" / "iter_4.pth")["data_list"] != before


def brightness(data, index):
    return data.load(index)["hr"].sum()


def test_databases_are_open_once_and_in_each_process_anew(made, roots):
    """LMDB forbids to open one twice, and to use it after a fork; the numbers stay small."""
    first, second = (Shards(roots["lmdb"], scale=2, cache_mb=0) for _ in range(2))
    wanted = [brightness(first, index) for index in range(len(NAMES))]
    assert [brightness(second, index) for index in range(len(NAMES))] == wanted
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        found = pool.map(partial(brightness, first), range(len(NAMES)))
    assert found == wanted
    assert [brightness(first, index) for index in range(len(NAMES))] == wanted


def test_few_databases_stay_open(made, roots, monkeypatch):
    databases._opened.close()
    monkeypatch.setattr(databases, "_MOST_OPEN", 2)
    data = Shards(roots["lmdb"], scale=2, cache_mb=0)
    for index in (0, 7, 3, 0):
        assert data.load(index)["key"] == data.keys[index]
    assert len(databases._opened._bases) <= 2


def copied(made, tmp_path, kind):
    root = tmp_path / kind
    shutil.copytree(made / kind, root)
    return root


@pytest.mark.parametrize("kind", ["tar", "parquet", "lmdb"])
def test_a_truncated_file_is_named(made, tmp_path, kind):
    root = copied(made, tmp_path, kind)
    names = {"tar": "shard-000001.tar", "parquet": "shard-000001.parquet"}
    file = root / names.get(kind, "shard-000001_LR.lmdb/data.mdb")
    content = file.read_bytes()
    for end in (len(content) // 2, 5000, 0):
        file.write_bytes(content[:end])
        with pytest.raises(DataError, match=r"shard-000001") as caught:
            Shards(root, scale=2)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("kind", ["tar", "parquet", "lmdb", "folder"])
def test_a_damaged_image_is_named(made, tmp_path, kind):
    root = copied(made, tmp_path, kind)
    sample = Shards(root, scale=2).records[NAMES.index("b")].lr.content()
    for file in root.rglob("*"):
        if file.is_file() and sample in file.read_bytes():
            place = file.read_bytes().index(sample) + len(sample) // 2
            content = bytearray(file.read_bytes())
            content[place] ^= 0xFF
            file.write_bytes(content)
            break
    data = Shards(root, scale=2)
    with pytest.raises(DataError, match=r"1 fault.*\n.*b(\.lr)?(\.png)?: cannot be decoded"):
        data.check(thorough=True)
    with pytest.raises(DataError, match="cannot be decoded"):
        for index in range(len(data)):
            data.load(index)


def tar(file, **members):
    """Write members whose names have two underscores for dots."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for name, side in members.items():
            path = file.parent / "image.png"
            write_image(path, np.full((side, side, 3), side, np.uint8))
            archive.add(path, name.replace("__", "."))
            path.unlink()
    return file


def test_a_missing_partner_is_named(tmp_path):
    tar(tmp_path / "x" / "one.tar", a__hr__png=16, a__lr__png=8, b__hr__png=16, c__lr__png=8)
    data = Shards(tmp_path / "x", scale=2)
    assert data.keys == ["a"]
    with pytest.raises(DataError, match=r"2 faults.*\n.*one.tar/b.hr.png: has no LR in .*\n.*c.lr"):
        data.check()
    tar(tmp_path / "y" / "one.tar", b__lr__png=8)
    with pytest.raises(DataError, match=r"no pairs; .*y has 0 .* 1 called 'lr'.*--no-hr"):
        Shards(tmp_path / "y")


def test_names_that_cannot_be_told_are_refused(made, roots, tmp_path):
    tar(tmp_path / "one.tar", a__hr__png=16, a__lr__png=8)
    tar(tmp_path / "two.tar", a__hr__png=16, a__lr__png=8)
    with pytest.raises(
        DataError, match=r"one.tar/a.hr.png and .*two.tar/a.hr.png have one key, 'a'"
    ):
        Shards(tmp_path, scale=2)
    assert Shards(tmp_path / "*e.tar", scale=2).keys == ["a"]
    assert Shards(tmp_path / "two.tar", scale=2).keys == ["a"]
    (tmp_path / "two.tar").unlink()
    shutil.copy(made / "parquet" / "shard-000000.parquet", tmp_path)
    with pytest.raises(DataError, match=r"holds tar files and Parquet files: name one of them"):
        Shards(tmp_path, scale=2)
    tar(tmp_path / "bad" / "one.tar", **{"../a__hr__png": 16, "../a__lr__png": 8})
    with pytest.raises(DataError, match=r"would leave the folder"):
        Shards(tmp_path / "bad", scale=2)
    with pytest.raises(DataError, match=r"holds no data set"):
        Shards(made / "photos", scale=2)
    with pytest.raises(DataError, match=r"looked for .*nowhere\. Set data_root or root"):
        Shards(tmp_path / "nowhere", scale=2)
    with pytest.raises(ConfigError, match=r"hr and lr have to differ"):
        Shards(roots["tar"], hr="LR")
    with pytest.raises(DataError, match=r"holds no images called gt or lq"):
        Shards(roots["tar"], hr="gt", lr="lq")
    with pytest.raises(DataError, match=r"has no image zzz, which 'names' lists"):
        Shards(roots["tar"], names=["a", "zzz"])
    assert Shards(roots["tar"], names=["e", "a"]).keys == ["a", "e"]


def test_the_other_geometry_is_named(roots):
    with pytest.raises(GeometryError, match="same_size=False"):
        Shards(roots["lmdb"], scale=2, same_size=True).check()


def test_other_names_of_the_sides(made, tmp_path):
    tar(tmp_path / "web" / "one.tar", a__gt__png=16, a__lq__png=8, a__mask__png=8)
    data = Shards(tmp_path / "web", hr="gt", lr="lq.png", scale=2)
    assert data.load(0)["hr"].shape == (16, 16, 3) and str(data.records[0].lr).endswith("a.lq.png")
    tar(tmp_path / "case" / "one.tar", a__GT__PNG=16, a__lq__png=8)
    assert Shards(tmp_path / "case", hr="GT", lr="LQ", scale=2).keys == ["a"]
    basic = tmp_path / "basic"
    shutil.copytree(made / "lmdb" / "shard-000000_HR.lmdb", basic / "DIV2K_HR_sub.lmdb")
    shutil.copytree(made / "lmdb" / "shard-000000_LR.lmdb", basic / "DIV2K_LR_X2_sub.lmdb")
    with pytest.raises(DataError, match=r"no LMDB folder ends in _HR.lmdb; there is DIV2K_HR_sub"):
        Shards(basic, scale=2)
    data = Shards(basic, hr="DIV2K_HR_sub.lmdb", lr="DIV2K_LR_X2_sub", scale=2)
    data.check()
    assert len(data) == 3
    with pytest.raises(DataError, match=r"no column of bytes 'gt'; columns of bytes: hr, lr"):
        Shards(made / "parquet", hr="gt")


def test_an_unfinished_data_set_says_so(made, tmp_path):
    root = copied(made, tmp_path, "tar")
    (root / "manifest.jsonl").unlink()
    assert "its manifest.jsonl" in Shards(root, scale=2).summary()


@pytest.mark.parametrize(("kind", "package"), [("lmdb", "lmdb"), ("parquet", "pyarrow")])
def test_a_missing_package_is_named(roots, monkeypatch, kind, package):
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.parquet", None)
    with pytest.raises((ConfigError, ModuleNotFoundError), match=rf"realdeg\[{kind}\]"):
        Shards(roots[kind], scale=2)


def test_an_image_above_the_limit_is_refused_before_it_is_read(roots, monkeypatch):
    for kind in FORMATS:
        data = Shards(roots[kind], scale=2)
        monkeypatch.setattr("realdeg.synthesis.entries.largest_image_file", lambda: 100)
        monkeypatch.setattr("realdeg.synthesis.tables.largest_image_file", lambda: 100)
        with pytest.raises(DataError, match="more than any image within the limit"):
            data.load(0)
        monkeypatch.undo()


@pytest.mark.parametrize("kind", ["tar", "parquet", "lmdb", "memory"])
def test_hr_alone(made, roots, kind):
    wanted = HRFolderDataset(
        made / "folder" / "HR", recursive=True, scale=2, transforms=[STEPS[0], STEPS[2]]
    )
    found = HRShardDataset(roots[kind], "hr", scale=2, transforms=[STEPS[0], STEPS[2]])
    found.check()
    assert found.keys == wanted.keys
    for item in ((0, 3), (9, 1)):
        assert torch.equal(found[item]["hr"], wanted[item]["hr"])


def test_hr_alone_without_a_name(made, roots, tmp_path):
    assert HRShardDataset("memory://pairs/HR").keys == HRShardDataset(roots["tar"], "hr").keys
    tar(tmp_path / "one.tar", a__png=16, b__png=16)
    assert HRShardDataset(tmp_path).keys == ["a", "b"]
    only = tmp_path / "only"
    shutil.copytree(made / "lmdb" / "shard-000000_HR.lmdb", only / "x.lmdb")
    assert len(HRShardDataset(only)) == len(HRShardDataset(only / "x.lmdb")) == 3
    with pytest.raises(DataError, match="holds pairs, in HR and LR: say which"):
        HRShardDataset("memory://pairs")
    with pytest.raises(DataError, match="has 2 images"):
        HRShardDataset(roots["tar"])
    with pytest.raises(DataError, match="2 columns of bytes"):
        HRShardDataset(roots["parquet"])


def test_a_store_is_inspected_by_sample(roots, monkeypatch):
    monkeypatch.setattr("realdeg.datasets.checking._COSTLY_INSPECTED", 3)
    data, read = Shards(roots["memory"], scale=2), []
    content = SourceImage.content
    monkeypatch.setattr(
        SourceImage, "content", lambda self: (read.append(str(self)), content(self))[1]
    )
    data.check()
    assert len(read) == 6
    data.check(thorough=True)
    assert len(read) == 6 + 2 * len(NAMES)


@pytest.mark.parametrize("kind", ["tar", "parquet", "lmdb"])
def test_the_doctor_finds_what_it_finds_in_files(made, roots, kind):
    def findings(data):
        _, found = diagnose(list(image_sets(data, "train")), None, 0)
        return sorted((one.check, one.severity, len(one.files)) for one in found)

    place = made / "folder"
    wanted = findings(PairedFolderDataset(place / "HR", place / "LR", recursive=True, scale=4))
    assert findings(Shards(roots[kind], scale=4)) == wanted and wanted


def test_an_address_where_a_folder_is_needed():
    with pytest.raises(ConfigError, match="s3://b/hr is an address.*PairedShardDataset"):
        PairedFolderDataset("s3://b/hr", "s3://b/lr")
