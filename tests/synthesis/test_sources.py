"""Where images come from: files, stores, tar and Parquet, all with the same pairs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from realdeg.apis import Degrader, ImageWork, dataset_inputs
from realdeg.apis.dataset_checking import verify_dataset
from realdeg.apis.inputs import find_inputs
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError
from realdeg.synthesis.crops import CropGrid
from realdeg.synthesis.entries import key_of
from realdeg.utils.image import Reading, encode_image
from realdeg.utils.place import Place
from tests.synthesis.conftest import CAMERA, make, picture, tree
from tests.synthesis.test_faults import tar


def parquet(path, rows):
    writer = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write_table(arrow.Table.from_pylist(rows), path, row_group_size=3)
    return path


@pytest.fixture
def files(hr):
    return {
        file.relative_to(hr).as_posix(): file.read_bytes()
        for file in sorted(hr.rglob("*"))
        if file.is_file()
    }


def test_every_source_gives_the_same_pairs(hr, files, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    make(hr, tmp_path / "out", to="tar")
    store = fsspec.filesystem("memory")
    names = list(files)
    for name, content in files.items():
        store.pipe(f"/photos/{name}", content)
    store.pipe("/photos/.hidden.png", b"")
    store.pipe("/photos/notes.txt", b"text")
    (tmp_path / "tars").mkdir()
    tar(tmp_path / "tars" / "1.tar", {name: files[name] for name in names[4:]})
    tar(tmp_path / "tars" / "0.tar", {name: files[name] for name in names[:4]})
    store.pipe("/tars/1.tar", (tmp_path / "tars" / "1.tar").read_bytes())
    store.pipe("/tars/0.tar", (tmp_path / "tars" / "0.tar").read_bytes())
    sources = [
        find_inputs(hr),
        f"file://{hr}",
        "memory://photos",
        [f"{tmp_path}/tars/0.tar", tmp_path / "tars" / "1.tar"],
        tmp_path / "tars",
        str(tmp_path / "tars" / "*.tar"),
        "memory://tars",
        "memory://tars/*.tar",
    ]
    check_sources(sources, tmp_path)


def test_parquet_gives_the_same_pairs(hr, files, tmp_path):
    names = list(files)
    make(hr, tmp_path / "out", to="tar")
    rows = [{"key": name, "image": files[name]} for name in reversed(names)]
    parquet(tmp_path / "plain.parquet", rows)
    rows = [{"label": 1, "image": {"bytes": files[name], "path": name}} for name in names]
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "README.md").write_text("a data set")
    parquet(tmp_path / "set" / "data" / "train-0.parquet", rows[:4])
    parquet(tmp_path / "set" / "data" / "train-1.parquet", rows[4:])
    check_sources([tmp_path / "plain.parquet", tmp_path / "set"], tmp_path)


def check_sources(sources, tmp_path):
    expected = tree(tmp_path / "out")
    for number, source in enumerate(sources):
        made = make(source, tmp_path / f"out{number}", to="tar", jobs=1 + number % 2)
        assert made.ok and tree(tmp_path / f"out{number}") == expected, source


def test_columns_and_names_of_parquet(files, tmp_path):
    rows = [{"image": content, "mask": content, "title": name} for name, content in files.items()]
    file = parquet(tmp_path / "a.parquet", rows)
    with pytest.raises(DataError, match=r"2 columns of bytes \(image, mask\)"):
        dataset_inputs.open_source(file)
    with pytest.raises(DataError, match="no column of bytes 'picture'"):
        dataset_inputs.open_source(file, field="picture")
    with pytest.raises(DataError, match="no column 'who' of names"):
        dataset_inputs.open_source(file, field="image", key="who")
    with pytest.raises(DataError, match="something else than texts"):
        dataset_inputs.open_source(file, field="image", key="mask")
    found = dataset_inputs.open_source(file, field="image", key="title")
    assert [found.read(entry) for entry in found.entries] == list(files.values())
    found = dataset_inputs.open_source(file, field="image")
    assert [entry.name for entry in found.entries][:2] == ["a/000000000", "a/000000001"]
    (tmp_path / "b.parquet").write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot read the Parquet file"):
        dataset_inputs.open_source(tmp_path / "b.parquet")
    empty = parquet(
        tmp_path / "c.parquet", [{"key": "a", "image": None}, {"key": "b", "image": b""}]
    )
    made = make(empty, tmp_path / "out", to="tar")
    assert [one.name for one in made.failed] == ["a", "b"]


def test_a_folder_of_arrow_files(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "data-00000-of-00001.arrow").write_bytes(b"")
    with pytest.raises(DataError, match="to_parquet"):
        dataset_inputs.open_source(tmp_path / "saved")


def test_a_missing_package_is_named(hr, tmp_path, monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

    monkeypatch.setattr("realdeg.utils.extras.import_module", absent)
    for to, extra in (("parquet", "parquet"), ("lmdb", "lmdb")):
        with pytest.raises(ConfigError, match=rf"pip install 'realdeg\[{extra}\]'"):
            make(hr, tmp_path / "out", to=to)
    assert not (tmp_path / "out").exists()


def test_keys():
    names = ["a.png", "x.y/a.b.jpg", "0001", "img.v1", "A.PNG"]
    assert [key_of(name) for name in names] == ["a", "x.y/a_b", "0001", "img_v1", "A"]


@pytest.mark.parametrize("to", ["folder", "tar", "parquet", "lmdb"])
def test_verifying_finds_what_was_changed(hr, tmp_path, to):
    if to in ("parquet", "lmdb"):
        pytest.importorskip("pyarrow" if to == "parquet" else "lmdb")
    root = tmp_path / "out"
    make(hr, root, to=to, hr=True)
    good = verify_dataset(root, progress=False, replay=3)
    assert good.ok and good.samples == 7 and good.replayed == 3
    whole = tree(root)
    for name in whole:
        if name.startswith(("manifest", "dataset")):
            continue
        file = root / name
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] + b"x" + content[len(content) // 2 + 1 :])
        found = verify_dataset(root, progress=False, replay=0)
        assert found.differing, name
        file.unlink()
        assert verify_dataset(root, progress=False, replay=0).differing, name
        file.write_bytes(content)
    (root / "manifest.jsonl").write_bytes((root / "manifest.jsonl").read_bytes()[:-3])
    (found,) = verify_dataset(root, progress=False, replay=0).differing
    assert found.name == "manifest.jsonl" and "line 8" in found.reason
    (root / "manifest" / "000000.jsonl").unlink()
    assert verify_dataset(root, progress=False, replay=0).differing[0].name == "shard 0"


def test_verifying_names_the_key_and_replays(hr, tmp_path):
    root = tmp_path / "out"
    made = make(hr, root, to="tar")
    assert made.ok
    file = root / "shard-000000.tar"
    content = bytearray(file.read_bytes())
    at = content.index(b"b_v2.lr.png") + 512 + 60
    content[at] ^= 255
    file.write_bytes(content)
    found = verify_dataset(root, progress=False)
    assert [one.name for one in found.differing] == ["b_v2"] and found.replayed == 6
    # A trace that was made up, with hashes that fit.
    plain = tmp_path / "plain"
    make(hr, plain)
    record = plain / "manifest" / "000000.jsonl"
    head, first, *rest = record.read_text().splitlines()
    row = json.loads(first)
    row["trace"]["parts"][1]["params"]["sigma"] = 9.0
    record.write_text("\n".join([head, json.dumps(row), *rest]) + "\n")
    (plain / "manifest.jsonl").unlink()
    found = verify_dataset(plain, None, hr, progress=False)
    assert [one.name for one in found.differing] == ["a.png"]
    assert "gives another LR image" in found.differing[0].reason
    assert "no HR images" in verify_dataset(plain, progress=False).note
    with pytest.raises(ConfigError, match="made with another degradation"):
        verify_dataset(plain, dict(type="AWGN", sigma=5), hr, progress=False)
    assert CAMERA["parts"][1]["sigma"] == 5


def test_a_patch_has_its_place_in_the_photo(hr):
    camera = Degrader(dict(type="SampleCamera", radial=1.0, noise=False), scale=2)
    work = ImageWork(camera, crop=CropGrid(8, 8, 0.0))
    image = picture(16, 24, seed=1)
    content = encode_image("a.png", image)
    places = []
    for sample in work("a.png", content).samples:
        top, left, height, width = sample.row["crop"]
        place = Place.whole(16, 24).cropped(top, left, height, width)
        patch = image[top : top + height, left : left + width]
        lr, trace = camera.degrade(patch, sample.row["seed"], place=place)
        np.testing.assert_array_equal(Reading().decode(sample.lr, "a").pixels, lr)
        assert Trace.from_dict(sample.row["trace"]) == trace
        places.append(place)
    assert len(set(places)) == 6
    # Elsewhere in the photo the same patch is blurred in another way.
    other, _ = camera.degrade(patch, sample.row["seed"], place=places[0])
    assert not np.array_equal(other, lr)
