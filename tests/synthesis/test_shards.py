"""Shards depend on the seed and the inputs, never on how the work was split."""

from __future__ import annotations

import io
import json
import multiprocessing
import pickle
import signal
import tarfile
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import realdeg
from realdeg.apis import ImageWork, dataset_shards, read_manifest
from realdeg.apis.trace_files import read_traces
from realdeg.degradations.trace import Trace
from realdeg.synthesis.crops import CropGrid, detail
from realdeg.utils.image import Reading, read_image, write_image
from realdeg.utils.streams import stream_seed
from tests.synthesis.conftest import degrader, make, picture, tree

FORMATS = ("folder", "tar", "parquet", "lmdb")


def need(to):
    if to in ("parquet", "lmdb"):
        pytest.importorskip("pyarrow" if to == "parquet" else "lmdb", reason=f"for {to}")


def test_a_plain_folder_is_what_degrade_makes(hr, tmp_path):
    settings_ = {"scale": 2, "seed": 7, "progress": False}
    realdeg.degrade(dict(type="AWGN", sigma=5), hr, tmp_path / "lr", **settings_)
    for shard in ((1, 2), (0, 2)):
        made = realdeg.degrade_dataset(
            dict(type="AWGN", sigma=5),
            hr,
            tmp_path / "jobs",
            shard=shard,
            shard_size=2,
            **settings_,
        )
        assert made.ok and made.missing == (2 if shard[0] else 0)
    plain, jobs = tree(tmp_path / "lr"), tree(tmp_path / "jobs")
    assert {name: jobs[name] for name in plain} == plain
    assert {name.partition("/")[0] for name in jobs.keys() - plain} == {"dataset.json", "manifest"}
    assert list(read_manifest(tmp_path / "jobs")[1]) == sorted(tree(hr))


@pytest.mark.parametrize("to", FORMATS)
def test_jobs_and_workers_give_the_same_bytes(hr, tmp_path, to):
    need(to)
    for name, cut in (("whole", {}), ("cut", dict(crop=16, stride=3, variants=2, flat=0))):
        one = make(hr, tmp_path / name, to=to, **cut)
        assert one.ok and one.missing == 0 and one.manifest is not None
        for job in (2, 0, 1):
            made = make(hr, tmp_path / f"{name}3", to=to, shard=(job, 3), jobs=1 + job, **cut)
            assert made.ok
        assert tree(tmp_path / f"{name}3") == tree(tmp_path / name)
        again = make(hr, tmp_path / name, to=to, jobs=2, **cut)
        assert again.made == () and len(again.kept) == 7 and again.samples == one.samples


@given(jobs=st.integers(1, 9), size=st.integers(1, 9), order=st.randoms())
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_split_gives_the_same_pairs(hr, tmp_path_factory, jobs, size, order):
    root = tmp_path_factory.mktemp("split")
    make(hr, root / "one", to="tar", shard_size=size)
    numbers = list(range(jobs))
    order.shuffle(numbers)
    for number in numbers:
        make(hr, root / "many", to="tar", shard_size=size, shard=(number, jobs))
    assert tree(root / "many") == tree(root / "one")
    # The pairs do not depend on the shards' size either.
    make(hr, root / "other", to="tar", shard_size=100)
    assert members(root / "other", ".png") == members(root / "one", ".png")


def members(folder, end):
    found = {}
    for file in sorted(folder.glob("*.tar")):
        with tarfile.open(file) as archive:
            for member in archive:
                assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
                if member.name.endswith(end):
                    found[member.name] = archive.extractfile(member).read()
    return found


def test_pixels_of_all_formats_are_equal_and_replay(hr, tmp_path):
    make(hr, tmp_path / "plain")
    make(hr, tmp_path / "tar", to="tar")
    _, records = read_manifest(tmp_path / "plain")
    tars = members(tmp_path / "tar", "")
    assert len(tars) == 21
    for name, record in records.items():
        key = name.rpartition(".")[0].replace("b.v2", "b_v2")
        lr = read_image(tmp_path / "plain" / record["output"])
        assert record["seed"] == stream_seed(7, name)
        stored = Reading().decode(tars[f"{key}.lr.png"], key).pixels
        np.testing.assert_array_equal(stored, lr)
        row = json.loads(tars[f"{key}.json"])
        assert row["key"] == key and row["trace"] == record["trace"]
        pair = Reading().decode(tars[f"{key}.hr.png"], key).pixels
        np.testing.assert_array_equal(
            pair, read_image(hr / name)[: lr.shape[0] * 2, : lr.shape[1] * 2]
        )
        again = degrader().replay(pair, Trace.from_dict(row["trace"]))
        np.testing.assert_array_equal(again, lr)
    assert tars["a.hr.png"] == (hr / "a.png").read_bytes()  # as it is


def test_patches_variants_and_their_seeds(tmp_path):
    image = picture(20, 26, seed=1)
    image[:8, :8] = 90
    write_image(tmp_path / "hr" / "a.png", image)
    write_image(tmp_path / "hr" / "small.png", picture(6, 30))
    made = make(tmp_path / "hr", tmp_path / "out", to="tar", crop=8, stride=6, variants=2)
    assert made.ok and made.dropped == 2 and made.samples == 2 * (3 * 4 - 1)
    rows = members(tmp_path / "out", ".json")
    rows = {name: json.loads(text) for name, text in rows.items()}
    row = rows["a_s012_v1.json"]
    assert row["crop"] == [12, 18, 8, 8] and row["variant"] == 1
    assert row["seed"] == stream_seed(7, "a.png", "crop", 12, 18, 8, 8, "variant", 1)
    assert len({one["seed"] for one in rows.values()}) == len(rows) == 22
    assert "a_s001_v0.json" not in rows
    patch = Reading().decode(members(tmp_path / "out", ".hr.png")["a_s012_v1.hr.png"], "a").pixels
    np.testing.assert_array_equal(patch, image[12:20, 18:26])
    traces = read_traces(tmp_path / "out" / "manifest.jsonl")
    assert [one.seed for one in traces] == [one["seed"] for one in sorted_by_key(rows)]
    assert traces[-1].crop == (12, 18, 8, 8)
    everything = make(tmp_path / "hr", tmp_path / "all", to="tar", crop=8, stride=6, flat=0)
    assert everything.samples == 12


def sorted_by_key(rows):
    return sorted(rows.values(), key=lambda row: row["key"])


def test_detail_of_known_patches():
    ramp = np.repeat(np.arange(0, 64, dtype=np.uint8)[None], 16, 0)[..., None]
    assert detail(np.full((8, 8, 3), 77, np.uint8)) == 0
    assert detail(ramp[:, 8:40]) == pytest.approx(30 / 32, abs=1e-3)  # borders are reflected
    assert detail(ramp.astype(np.uint16) * 257) == pytest.approx(detail(ramp), rel=1e-5)
    noise = np.random.default_rng(0).normal(128, 2, (256, 256, 1)).round().astype(np.uint8)
    assert detail(noise) == pytest.approx(1.1, abs=0.05)
    assert CropGrid(4, 3).corners(3, 9) == []


def test_work_can_be_pickled_and_has_no_state(hr):
    work = ImageWork(degrader(), seed=7, variants=2, crop=CropGrid(8, 8, 0.0))
    other = pickle.loads(pickle.dumps(work))
    content = (hr / "c.png").read_bytes()
    expected = work("c.png", content)
    work("a.png", (hr / "a.png").read_bytes())
    assert work("c.png", content) == expected == other("c.png", content)


class Killed(BaseException):
    """Stands in for SIGKILL: nothing in the library may catch it."""


@pytest.mark.parametrize("point", (0, 3, 6, 8))
@pytest.mark.parametrize("to", ["folder", "tar"])
def test_killed_anywhere_and_run_again_equals_one_run(hr, tmp_path, monkeypatch, to, point):
    make(hr, tmp_path / "whole", to=to, hr=True)
    calls = 0

    def maybe_kill(function):
        def killed(*words):
            nonlocal calls
            calls += 1
            if calls == point + 1:
                raise Killed
            return function(*words)

        return killed

    with monkeypatch.context() as patch:
        # Between an image and its file, and between the file and the record.
        patch.setattr(ImageWork, "__call__", maybe_kill(ImageWork.__call__))
        written = maybe_kill(dataset_shards.write_record_of)
        patch.setattr(dataset_shards, "write_record_of", written)
        with pytest.raises(Killed):
            make(hr, tmp_path / "killed", to=to, hr=True)
    assert make(hr, tmp_path / "killed", to=to, hr=True, jobs=2).ok
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_sigkill_and_run_again_equals_one_run(hr, tmp_path):
    cut = dict(to="tar", crop=12, stride=4, shard_size=1)
    make(hr, tmp_path / "whole", **cut)
    process = multiprocessing.get_context("fork").Process(
        target=make, args=(hr, tmp_path / "out"), kwargs={**cut, "jobs": 2}
    )
    process.start()
    while not list(tmp_path.glob("out/*.tar")) and process.is_alive():
        time.sleep(0.002)
    process.kill()
    process.join()
    assert process.exitcode in (-signal.SIGKILL, 0)
    assert make(hr, tmp_path / "out", jobs=2, **cut).ok
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_parquet_and_lmdb_read_as_their_users_read_them(hr, tmp_path):
    lmdb = pytest.importorskip("lmdb")
    parquet = pytest.importorskip("pyarrow.parquet")
    make(hr, tmp_path / "p", to="parquet", shard_size=10)
    table = parquet.read_table(tmp_path / "p" / "shard-000000.parquet")
    rows = {row["key"]: row for row in table.to_pylist()}
    make(hr, tmp_path / "l.lmdb", shard_size=10)  # the name says what it is
    folder = tmp_path / "l.lmdb" / "shard-000000_LR.lmdb"
    with lmdb.open(str(folder), readonly=True, lock=False) as base, base.begin() as view:
        found = {key.decode(): bytes(value) for key, value in view.cursor()}
    assert found == {key: row["lr"]["bytes"] for key, row in rows.items()} and len(found) == 7
    lines = (folder / "meta_info.txt").read_text().splitlines()
    assert "b_v2.png (8,10,3) 1" in lines and "sub/grey.png (8,10,1) 1" in lines
    told = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert told["hr"] == told["lr"] == {"_type": "Image"}
    assert write_bytes(rows["a"]["hr"]["bytes"]).shape == (16, 20, 3)


def write_bytes(content):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)))
