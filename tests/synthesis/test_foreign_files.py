"""Archives, tables and records of somebody else: one sentence, and little memory."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import tarfile

import numpy as np
import pytest

from realdeg.apis import dataset_inputs
from realdeg.apis.dataset_checking import verify_dataset
from realdeg.errors import DataError
from realdeg.synthesis.archives import members
from realdeg.utils.image import encode_image, write_image
from tests.synthesis.conftest import make, picture
from tests.synthesis.test_faults import tar

SHORT = {tarfile.XHDTYPE: b"11 path=ab\n", tarfile.GNUTYPE_LONGNAME: b"ab\0"}


@pytest.mark.parametrize("kind", SHORT)
def test_headers_of_headers_of_headers(tmp_path, kind):
    """Which tarfile reads by recursion."""
    with open(tmp_path / "a.tar", "wb") as stream:
        for _ in range(2000):
            member = tarfile.TarInfo("x")
            member.type, member.size = kind, len(SHORT[kind])
            stream.write(member.tobuf(tarfile.GNU_FORMAT) + SHORT[kind].ljust(512, b"\0"))
        stream.write(bytes(1024))
    with pytest.raises(DataError, match=r"a\.tar is damaged"):
        list(members(str(tmp_path / "a.tar")))


@pytest.mark.parametrize("size", [-1536, -2560])
def test_a_member_that_leads_back(tmp_path, size):
    """Older releases of Python read the same members for ever."""
    with open(tmp_path / "a.tar", "wb") as stream:
        stream.write(tarfile.TarInfo("0.png").tobuf(tarfile.PAX_FORMAT))
        stream.write(tarfile.TarInfo("1.png").tobuf(tarfile.PAX_FORMAT))
        member = tarfile.TarInfo("a.png")
        member.pax_headers = {"size": str(size)}
        stream.write(member.tobuf(tarfile.PAX_FORMAT) + bytes(10240))
    with pytest.raises(DataError, match=r"a\.tar is (truncated or )?damaged"):
        list(itertools.islice(members(str(tmp_path / "a.tar")), 100))


def test_names_in_tar_do_not_depend_on_the_locale(tmp_path, monkeypatch):
    write_image(tmp_path / "hr" / "ä.png", picture())
    make(tmp_path / "hr", tmp_path / "one", to="tar")
    monkeypatch.setattr(tarfile.TarFile, "encoding", "iso-8859-1")
    make(tmp_path / "hr", tmp_path / "two", to="tar")
    one, two = (
        (tmp_path / name / "shard-000000.tar").read_bytes().rstrip(b"\0") for name in ("one", "two")
    )
    assert "ä.lr.png".encode() in one and one == two
    assert verify_dataset(tmp_path / "two", progress=False).ok


def test_a_row_group_that_is_larger_than_it_states(tmp_path, monkeypatch):
    """One image in the dictionary of a column stands for all rows."""
    arrow = pytest.importorskip("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    content = encode_image("a.png", picture(60, 60))
    images = arrow.DictionaryArray.from_arrays(arrow.array([0] * 50, arrow.int32()), [content])
    names = arrow.array([f"{number:0500d}" for number in range(50)])
    table = arrow.table({"key": names, "image": images})
    parquet.write_table(table, tmp_path / "a.parquet", store_schema=False)
    stated = parquet.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(1)
    assert stated.total_uncompressed_size < 2 * len(content)
    source = dataset_inputs.open_source(tmp_path / "a.parquet")
    assert source.read(source.entries[7]) == content
    monkeypatch.setattr("realdeg.synthesis.tables._LARGEST_GROUP", 4 * len(content))
    source = dataset_inputs.open_source(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="row group 0 .* has more than .* smaller row groups"):
        source.read(source.entries[7])


def test_a_table_of_very_many_rows_of_nothing(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    table = arrow.table({"image": arrow.nulls(1_000_000, arrow.binary())})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="states 1000000 rows in .* bytes"):
        dataset_inputs.open_source(tmp_path / "a.parquet")


FAILED = {"record": "failed", "name": "a.png"}
DROPPED = {"record": "dropped", "name": "a.png"}


@pytest.mark.parametrize("to", ["tar", "folder"])
@pytest.mark.parametrize(
    "changed",
    [
        lambda row: FAILED,
        lambda row: DROPPED,
        lambda row: {name: value for name, value in row.items() if name != "key"},
        lambda row: {**row, "crop": [1]},
        lambda row: {**row, "crop": [0, 0, -1, 8]},
    ],
)
def test_records_that_lack_what_is_read_of_them(hr, tmp_path, to, changed):
    make(hr, tmp_path / "out", to=to, hr=True)
    edit(tmp_path / "out", changed)
    made = make(hr, tmp_path / "out", to=to, hr=True)
    assert [one.name for one in made.failed] == ["shard 0"]
    assert "line 2" in made.failed[0].reason
    with pytest.raises(DataError, match="line 2"):
        verify_dataset(tmp_path / "out", progress=False)


def test_traces_and_formats_that_cannot_be_replayed(hr, tmp_path):
    root = tmp_path / "out"
    make(hr, root, to="folder", hr=True)
    edit(root, lambda row: {name: value for name, value in row.items() if name != "trace"})
    (found,) = verify_dataset(root, progress=False).differing
    assert found.name == "a" and "a trace is a JSON object" in found.reason
    # A plan of image files beside the records of tar files.
    other = tmp_path / "other"
    make(hr, other, to="tar")
    plan = (other / "dataset.json").read_text().replace('"to": "tar"', '"to": "folder"')
    (other / "dataset.json").write_text(plan)
    settings = json.dumps(hashlib.sha256(plan.encode()).hexdigest())
    for file in (other / "manifest").iterdir():
        head, *rest = file.read_text().splitlines(keepends=True)
        before = json.dumps(json.loads(head)["settings"])
        file.write_text("".join([head.replace(before, settings), *rest]))
    (other / "manifest.jsonl").unlink()
    found = verify_dataset(other, progress=False).differing
    assert len(found) == 7 and "not in the data set any more" in found[0].reason


def edit(root, changed):
    """Change the first sample of the first record, and leave no manifest to differ from it."""
    file = root / "manifest" / "000000.jsonl"
    head, first, *rest = file.read_text().splitlines()
    file.write_text("\n".join([head, json.dumps(changed(json.loads(first))), *rest]) + "\n")
    (root / "manifest.jsonl").unlink()


def test_a_manifest_of_one_endless_line(hr, tmp_path):
    make(hr, tmp_path / "out", to="tar")
    content = (tmp_path / "out" / "manifest.jsonl").read_bytes()
    with open(tmp_path / "out" / "manifest.jsonl", "ab") as stream:
        stream.truncate(1 << 40)  # more than there is memory
    (found,) = verify_dataset(tmp_path / "out", progress=False, replay=0).differing
    assert found.name == "manifest.jsonl" and "line 9 is not" in found.reason
    (tmp_path / "out" / "manifest.jsonl").write_bytes(content)
    assert verify_dataset(tmp_path / "out", progress=False, replay=0).ok


def test_archives_among_images_are_refused(tmp_path):
    write_image(tmp_path / "hr" / "b.png", picture())
    tar(tmp_path / "hr" / "a.tar", {"a.png": encode_image("a.png", picture())})
    with pytest.raises(DataError, match="is packed and other inputs are not"):
        dataset_inputs.open_source(str(tmp_path / "hr" / "*"))
    assert len(dataset_inputs.open_source(str(tmp_path / "hr" / "*.tar")).entries) == 1


def test_what_lmdb_cannot_hold_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("lmdb")
    from realdeg.errors import OutputError

    write_image(tmp_path / "hr" / "a\nb.png", picture())
    made = make(tmp_path / "hr", tmp_path / "out", to="lmdb")
    assert "line break" in made.failed[0].reason and made.missing == 1
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
        write_image(tmp_path / "more" / f"{number}.png", noise)
    monkeypatch.setattr("realdeg.synthesis.sinks.lmdb._MAP_SIZE", 1 << 15)
    with pytest.raises(OutputError, match="cannot write an LMDB database in"):
        make(tmp_path / "more", tmp_path / "full", to="lmdb")
    assert not list((tmp_path / "full").rglob("*.mdb"))
