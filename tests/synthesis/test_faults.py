"""Bad input is one sentence each, and nothing that is there is lost."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import tarfile

import numpy as np
import pytest

from realdeg.apis import dataset_inputs
from realdeg.cli.main import main
from realdeg.errors import ConfigError, DataError
from realdeg.synthesis.archives import members
from realdeg.synthesis.entries import Entry, in_order
from realdeg.utils.image import encode_image, write_image
from tests.synthesis.conftest import degrader, make, picture, tree


def tar(path, files, cut=0):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])
    return path


def png(seed=0, **shape):
    return encode_image("a.png", picture(seed=seed, **shape))


@pytest.mark.parametrize("shard", [(2, 2), (-1, 2), (0, 0), (1, 1)])
def test_jobs_out_of_range(hr, tmp_path, shard):
    with pytest.raises(ConfigError, match=r"from 0|from 1 to"):
        make(hr, tmp_path / "out", to="tar", shard=shard)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (dict(seed=8), "seed was 7 and is 8"),
        (dict(scale=4), "scale was 2 and is 4"),
        (dict(colour="y"), "colour was 'rgb'"),
        (dict(variants=2), "variants was 1 and is 2"),
        (dict(shard_size=3), "shard_size was 2 and is 3"),
        (dict(to="folder"), "to was 'tar' and is 'folder'"),
        (dict(crop=8), "crop was None"),
    ],
)
def test_other_settings_are_refused(hr, tmp_path, change, word):
    make(hr, tmp_path / "out", to="tar")
    before = tree(tmp_path / "out")
    with pytest.raises(ConfigError, match=word):
        make(hr, tmp_path / "out", **{"to": "tar", **change})
    assert tree(tmp_path / "out") == before


def test_inputs_that_came_or_changed(hr, tmp_path):
    make(hr, tmp_path / "out", to="tar")
    before = tree(tmp_path / "out")
    changed = (hr / "a.png").read_bytes()
    (hr / "a.png").write_bytes((hr / "c.png").read_bytes())
    made = make(hr, tmp_path / "out", to="tar")
    assert [one.name for one in made.failed] == ["a.png"] and len(made.kept) == 6
    assert "has changed since shard 0" in made.failed[0].reason
    (hr / "a.png").write_bytes(changed)
    write_image(hr / "new.png", picture())
    with pytest.raises(ConfigError, match=r"other inputs \(7 images then, 8 now"):
        make(hr, tmp_path / "out", to="tar")
    assert tree(tmp_path / "out") == before


def test_an_image_that_fails_and_is_mended(hr, tmp_path):
    make(hr, tmp_path / "whole", to="tar")
    content = (hr / "c.png").read_bytes()
    (hr / "c.png").write_bytes(content[:-20])
    made = make(hr, tmp_path / "out", to="tar")
    assert [one.name for one in made.failed] == ["c.png"] and made.samples == 6
    assert "truncated" in made.failed[0].reason and made.missing == 0
    again = make(hr, tmp_path / "out", to="tar")
    assert not again.made and again.failed == made.failed
    (hr / "c.png").write_bytes(content)
    assert len(make(hr, tmp_path / "out", to="tar").made) == 2
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_files_of_others_are_not_replaced(hr, tmp_path):
    (tmp_path / "out").mkdir()
    foreign = tmp_path / "out" / "shard-000001.tar"
    foreign.write_bytes(b"mine")
    made = make(hr, tmp_path / "out", to="tar")
    assert "already there" in made.failed[0].reason and made.missing == 1
    assert foreign.read_bytes() == b"mine"
    (tmp_path / "out" / "shard-000000.tar").write_bytes(b"changed")
    foreign.unlink()
    made = make(hr, tmp_path / "out", to="tar")
    assert "was changed after it was written" in made.failed[0].reason and len(made.failed) == 1
    (tmp_path / "lr").mkdir()
    (tmp_path / "lr" / "manifest.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match="results of another run"):
        make(hr, tmp_path / "lr", to="tar")
    with pytest.raises(DataError, match="contains the other"):
        make(hr, hr / "out", to="tar")


def test_starting_again(hr, tmp_path):
    make(hr, tmp_path / "out", to="folder", hr=True)
    kept = tmp_path / "out" / "LR" / "a.png"
    kept.write_bytes(b"mine")
    (tmp_path / "out" / "LR" / "a.png").chmod(0o600)
    made = make(hr, tmp_path / "out", to="tar", overwrite=True, seed=3)
    assert made.ok
    left = {name for name in tree(tmp_path / "out") if name.endswith((".png", ".tiff"))}
    assert left == {"LR/a.png"}
    with pytest.raises(ConfigError, match="several jobs cannot start again"):
        make(hr, tmp_path / "out", to="tar", overwrite=True, shard=(0, 2))


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("job", [None, (0, 2)])
def test_a_folder_of_lr_images_is_not_made_in_a_data_set(hr, tmp_path, job, overwrite):
    make(hr, tmp_path / "out", to="tar", shard=job)
    before = tree(tmp_path / "out")
    with pytest.raises(ConfigError, match="holds a data set in shards"):
        degrader().degrade_folder(hr, tmp_path / "out", overwrite=overwrite, progress=False)
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize("lost", ["shard-000001.tar", "manifest/000001.jsonl"])
def test_starting_again_where_something_is_missing_or_damaged(hr, tmp_path, lost):
    make(hr, tmp_path / "whole", to="tar", seed=3)
    make(hr, tmp_path / "out", to="tar")
    (tmp_path / "out" / lost).unlink()
    if lost.endswith(".jsonl"):
        (tmp_path / "out" / lost).write_text("damaged")
    assert make(hr, tmp_path / "out", to="tar", overwrite=True, seed=3).ok
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


@pytest.mark.parametrize("to", ["folder", "tar"])
def test_a_changed_image_is_not_taken_with_one_that_is_mended(hr, tmp_path, to):
    good, other = (hr / "a.png").read_bytes(), (hr / "b.v2.png").read_bytes()
    (hr / "a.png").write_bytes(good[:-20])
    make(hr, tmp_path / "out", to=to, hr=True)
    before = tree(tmp_path / "out")
    (hr / "a.png").write_bytes(good)
    (hr / "b.v2.png").write_bytes(good)
    reasons = {one.name: one.reason for one in make(hr, tmp_path / "out", to=to, hr=True).failed}
    assert reasons.keys() == {"a.png", "b.v2.png"} and tree(tmp_path / "out") == before
    assert "has changed since shard 0" in reasons["b.v2.png"]
    assert "is tried again once" in reasons["a.png"]
    (hr / "b.v2.png").write_bytes(other)
    assert make(hr, tmp_path / "out", to=to, hr=True).ok
    # The same for a file that was deleted to be made again.
    after = tree(tmp_path / "out")
    lost = next(name for name in after if name.startswith(("LR/a", "shard-000000")))
    (tmp_path / "out" / lost).unlink()
    (hr / "b.v2.png").write_bytes(good)
    (failed,) = make(hr, tmp_path / "out", to=to, hr=True).failed
    assert failed.name == "b.v2.png" and not (tmp_path / "out" / lost).exists()
    (hr / "b.v2.png").write_bytes(other)
    assert make(hr, tmp_path / "out", to=to, hr=True).ok and tree(tmp_path / "out") == after


@pytest.mark.parametrize("kept", [10, 513, 700, 2000, -1, 0])
def test_truncated_tar(tmp_path, kept):
    file = tar(tmp_path / "a.tar", {f"{n}.png": png(n) for n in range(4)})
    _, start, size = list(members(str(file)))[-1]
    end = start + -(-size // 512) * 512
    # Up to so many bytes, or to so many before the end of the last member.
    file.write_bytes(file.read_bytes()[: kept if kept > 0 else end + kept])
    with pytest.raises(DataError, match="truncated or damaged"):
        make(file, tmp_path / "out", to="tar")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no tar" * 400, b"\x1f\x8b" + b"\0" * 600])
def test_what_is_no_tar(tmp_path, content):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match="a.tar is"):
        list(members(str(tmp_path / "a.tar")))


def test_members_that_are_too_large_are_not_read(tmp_path, monkeypatch):
    file = tar(tmp_path / "a.tar", {"a.png": png(1), "b.png": png(2)})
    monkeypatch.setenv("REALDEG_MAX_PIXELS", "100000")
    monkeypatch.setattr("realdeg.utils.image.reading._BESIDE", -799_000)
    made = make(file, tmp_path / "out", to="tar")
    assert len(made.failed) == 2 and "more than any image" in made.failed[0].reason


def test_a_long_header_is_not_read(tmp_path):
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    with open(tmp_path / "a.tar", "wb") as stream:
        stream.write(member.tobuf(tarfile.GNU_FORMAT))
        stream.truncate(1 << 33)
    with pytest.raises(DataError, match="a header of"):
        list(members(str(tmp_path / "a.tar")))


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "./a.png"])
def test_names_that_leave_the_folder(tmp_path, name):
    file = tar(tmp_path / "a.tar", {name: png()})
    with pytest.raises(DataError, match="would leave the folder"):
        make(file, tmp_path / "out", to="folder")


def test_names_that_are_no_text(tmp_path):
    with pytest.raises(DataError, match="is not valid text"):
        in_order([Entry("a\udcff.png", "x.tar")])


def test_names_and_keys_that_clash(tmp_path):
    with pytest.raises(DataError, match="two images are called 'a.png'"):
        in_order([Entry("a.png", "x.tar"), Entry("b.png", "x.tar"), Entry("a.png", "y.tar")])
    write_image(tmp_path / "hr" / "a.b.png", picture(seed=1))
    write_image(tmp_path / "hr" / "a_b.png", picture(seed=2))
    with pytest.raises(DataError, match="would both have the key 'a_b'"):
        make(tmp_path / "hr", tmp_path / "out", to="tar")
    first = tar(tmp_path / "1.tar", {"a.png": png()})
    second = tar(tmp_path / "2.tar", {"a.png": png()})
    with pytest.raises(DataError, match="two images are called"):
        make([first, second], tmp_path / "out", to="tar")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (dict(crop=9), "is not divisible by the scale 2"),
        (dict(crop=0), "crop is a number of pixels"),
        (dict(stride=4), "is for patches"),
        (dict(crop=8, stride=0), "stride is a number"),
        (dict(crop=8, flat=-1.0), "flat is a number"),
        (dict(variants=0), "number of LR images"),
        (dict(shard_size=0), "number of images from 1"),
        (dict(to="zip"), "to is folder, tar"),
        (dict(to="tar", field="a"), "for packed images"),
    ],
)
def test_settings_out_of_range(hr, tmp_path, settings, word):
    with pytest.raises(ConfigError, match=word):
        make(hr, tmp_path / "out", **settings)


def test_an_address_without_credentials(tmp_path, monkeypatch):
    class NoCredentialsError(Exception):
        pass

    class Store:
        def find(self, path, detail):
            raise PermissionError("denied") if path == "closed" else NoCredentialsError("none")

    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda url: (Store(), url.partition("//")[2]))
    with pytest.raises(DataError, match="no credentials were found"):
        dataset_inputs.open_source("s3://bucket/hr")
    with pytest.raises(DataError, match="access was denied"):
        dataset_inputs.open_source("s3://closed")


@pytest.mark.parametrize("address", ["nothing://x/y", "memory://nowhere", "zip::memory://a.zip"])
def test_addresses_that_cannot_be_read(tmp_path, address):
    pytest.importorskip("fsspec")
    with pytest.raises(DataError, match=address.partition(":")[0]):
        make(address, tmp_path / "out", to="tar")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", ["dataset.json", "manifest/000000.jsonl"])
def test_damaged_records(hr, tmp_path, part):
    make(hr, tmp_path / "out", to="tar")
    file = tmp_path / "out" / part
    for content in (b"", b"{}\n", b"\0\0", file.read_bytes()[:-1], b"[1]\n", b'{"plan": 1}'):
        file.write_bytes(content)
        if part == "dataset.json" and content[:2] == b'{"' and len(content) > 20:
            continue  # only its line's end is missing
        try:
            made = make(hr, tmp_path / "out", to="tar")
        except (DataError, ConfigError) as error:
            assert part in str(error)
        else:
            assert part in made.failed[0].reason
        assert file.read_bytes() == content


def test_a_record_names_no_file_outside(hr, tmp_path):
    make(hr, tmp_path / "out", to="folder", hr=True)
    file = tmp_path / "out" / "manifest" / "000000.jsonl"
    head, first, *rest = file.read_text().splitlines()
    row = {**json.loads(first), "output": "../../secret"}
    file.write_text("\n".join([head, json.dumps(row), *rest]) + "\n")
    made = make(hr, tmp_path / "out", to="folder", hr=True)
    assert "line 2" in made.failed[0].reason


def test_results_are_not_written_elsewhere(hr, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["degrade", "AWGN", str(hr), "s3://bucket/out", "--scale", "2"]) == 2
    assert "a folder of this machine" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["hr"]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_damaged_files_are_read_or_refused(tmp_path, seed, kind):
    drawn = np.random.default_rng(seed)
    files = {f"{n}.png": png(n) for n in range(2)}
    file = tmp_path / f"a.{kind}"
    content = (tar if kind == "tar" else table)(file, files).read_bytes()
    damaged = bytearray(content)
    for place in drawn.integers(0, len(content), drawn.integers(1, 9)):
        damaged[place] = drawn.integers(256)
    file.write_bytes(damaged[: drawn.integers(len(content) // 2, len(content) * 2)])
    try:
        source = dataset_inputs.open_source(file)
    except DataError:
        return
    for entry in source.entries:
        with contextlib.suppress(DataError):
            source.read(entry)


def table(path, files):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"key": name, "image": content} for name, content in files.items()]
    parquet.write_table(importlib.import_module("pyarrow").Table.from_pylist(rows), path)
    return path


def test_a_large_row_group_is_not_read(tmp_path, monkeypatch):
    table(tmp_path / "a.parquet", {"a": png(), "b": png()})
    monkeypatch.setattr("realdeg.synthesis.tables._LARGEST_GROUP", 1000)
    made = make(tmp_path / "a.parquet", tmp_path / "out", to="tar")
    assert len(made.failed) == 2 and "smaller row groups" in made.failed[0].reason


def test_a_name_that_is_too_long_costs_its_shard_alone(hr, tmp_path):
    write_image(hr / f"{'n' * 248}.png", picture())
    made = make(hr, tmp_path / "out", crop=8, to="folder")
    assert [one.name for one in made.failed] == ["shard 1"] and made.missing == 1
    assert "File name too long" in made.failed[0].reason


def test_commands(hr, tmp_path, capsys):
    words = ["degrade", "AWGN", str(hr), str(tmp_path / "p.tar"), "--scale", "2", "--quiet"]
    assert main([*words, "--shard", "2/2", "--shard-size", "2"]) == 2
    assert "shard 2/2 is out of range" in capsys.readouterr().err
    assert main([*words, "--shard", "1/2", "--shard-size", "2", "--workers", "1"]) == 0
    assert "2 of 4 shards are not done yet" in capsys.readouterr().out
    assert main(["degrade", "--merge", str(tmp_path / "p.tar")]) == 2
    assert "shards 0, 2 of 4" in capsys.readouterr().err
    assert main([*words, "--shard", "0/2", "--shard-size", "2", "--jobs", "1"]) == 0
    assert "all 4 shards are done" in capsys.readouterr().out
    before = (tmp_path / "p.tar" / "manifest.jsonl").read_bytes()
    (tmp_path / "p.tar" / "manifest.jsonl").unlink()
    assert main(["degrade", "--merge", str(tmp_path / "p.tar")]) == 0
    assert (tmp_path / "p.tar" / "manifest.jsonl").read_bytes() == before
    capsys.readouterr()
    assert main(["degrade", "--verify", str(tmp_path / "p.tar"), "--quiet"]) == 0
    assert "7 samples, 7 replayed, nothing differs" in capsys.readouterr().out
    # As input again: the HR images of the shards have the names that they came from.
    again = ["degrade", "AWGN", str(tmp_path / "p.tar"), str(tmp_path / "q"), "--scale", "2"]
    assert main([*again, "--quiet"]) == 2
    assert "say which one is HR" in capsys.readouterr().err
    assert main([*again, "--quiet", "--field", "hr.png", "--to", "tar", "--jobs", "1"]) == 0
