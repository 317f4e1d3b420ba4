from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from realdeg.apis import Degrader, folder, read_manifest
from realdeg.apis import degrader as degrading
from realdeg.apis.saving import Saving
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError
from realdeg.utils.files import sha256_file
from realdeg.utils.image import read_image, write_image
from realdeg.utils.streams import stream_seed

PARTS = [dict(type="Bicubic"), dict(type="AWGN", sigma=5)]


class Killed(BaseException):
    """Stands in for SIGKILL: nothing in the library may catch it."""


def degrader(sigma=5, **settings):
    parts = [PARTS[0], dict(type="AWGN", sigma=sigma)]
    return Degrader(dict(type="Compose", parts=parts), **{"scale": 2, **settings})


def run(src, dst, **settings):
    return degrader().degrade_folder(src, dst, progress=False, **{"seed": 7, **settings})


def picture(height, width, channels=3, dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).random((height, width, channels))
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


def tree(folder_):
    return {
        file.relative_to(folder_).as_posix(): file.read_bytes()
        for file in sorted(folder_.rglob("*"))
        if file.is_file()
    }


def test_files_and_manifest(hr_folder, tmp_path):
    summary = run(hr_folder, tmp_path / "lr")
    assert summary.ok and len(summary.made) == 6 and summary.cropped == ("e_odd.png",)
    header, records = read_manifest(tmp_path / "lr")
    assert list(records) == sorted(records) == sorted(tree(hr_folder))
    assert header["seed"] == 7 and header["scale"] == 2 and header["same_size"] is False
    assert header["degradation"]["type"] == "Compose" and header["degradation"]["hash"]
    assert set(header["versions"]) == {"realdeg", "torch"}
    for name, record in records.items():
        source, output = hr_folder / name, tmp_path / "lr" / record["output"]
        assert record["source_sha256"] == sha256_file(source)
        assert record["output_sha256"] == sha256_file(output)
        image, lr = read_image(source), read_image(output)
        assert lr.dtype == image.dtype and lr.shape[2] == image.shape[2]
        assert record["output_size"] == list(lr.shape[:2])
        assert record["seed"] == stream_seed(7, name)
        # The manifest alone makes the file again.
        replayed = degrader().replay(image, Trace.from_dict(record["trace"]))
        np.testing.assert_array_equal(replayed, lr)
    assert records["e_odd.png"]["source_size"] == [13, 15]
    assert records["e_odd.png"]["used_size"] == [12, 14]


@pytest.mark.parametrize("point", range(13))
def test_killed_and_run_again_equals_one_run(hr_folder, tmp_path, monkeypatch, point):
    run(hr_folder, tmp_path / "whole")
    count = 0

    def maybe_kill():
        nonlocal count
        count += 1
        if count == point + 1:
            raise Killed

    write, append = degrading.write_image, folder.Manifest.append

    def killed_write(path, array, **icc):
        # Before the image, and between the image and its line in the manifest.
        maybe_kill()
        write(path, array, **icc)
        maybe_kill()

    with monkeypatch.context() as patch:
        patch.setattr(degrading, "write_image", killed_write)
        try:
            run(hr_folder, tmp_path / "lr")
        except Killed:
            pass
        else:
            assert point == 12
    assert folder.Manifest.append is append
    summary = run(hr_folder, tmp_path / "lr")
    assert summary.ok and len(summary.made) + len(summary.kept) == 6
    assert tree(tmp_path / "lr") == tree(tmp_path / "whole")


@pytest.mark.parametrize("cut", [1, 40, 400, 1500, 3000])
def test_cut_manifest_is_repaired(hr_folder, tmp_path, cut):
    run(hr_folder, tmp_path / "lr")
    expected = tree(tmp_path / "lr")
    manifest = tmp_path / "lr" / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-cut])
    (tmp_path / "lr" / ".realdeg-abcd1234.tmp.png").write_bytes(b"half")
    run(hr_folder, tmp_path / "lr")
    assert tree(tmp_path / "lr") == expected


def test_manifest_cut_inside_its_header(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    expected = tree(tmp_path / "lr")
    manifest = tmp_path / "lr" / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:30])
    run(hr_folder, tmp_path / "lr")
    assert tree(tmp_path / "lr") == expected


def test_zeros_after_a_power_cut(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    expected = tree(tmp_path / "lr")
    manifest = tmp_path / "lr" / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:-1]) + b"\0" * 200 + b"\n")
    run(hr_folder, tmp_path / "lr")
    assert tree(tmp_path / "lr") == expected


def test_damage_in_the_middle_is_named(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    manifest = tmp_path / "lr" / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    lines[2] = b"{}\n"
    manifest.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match="line 3"):
        run(hr_folder, tmp_path / "lr")
    assert run(hr_folder, tmp_path / "lr", overwrite=True).ok


def test_manifest_cannot_lead_out_of_its_folder(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    victim = tmp_path / "victim.png"
    shutil.copy(tmp_path / "lr" / "b_rgb.png", victim)
    manifest = tmp_path / "lr" / "manifest.jsonl"
    manifest.write_text(
        manifest.read_text().replace('"output": "b_rgb.png"', '"output": "../victim.png"')
    )
    with pytest.raises(DataError, match="damaged"):
        run(hr_folder, tmp_path / "lr")
    run(hr_folder, tmp_path / "lr", overwrite=True)
    assert victim.exists()


def test_second_run_touches_nothing(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "lr").rglob("*")}
    summary = run(hr_folder, tmp_path / "lr")
    assert not summary.made and len(summary.kept) == 6 and summary.cropped == ("e_odd.png",)
    assert {f: f.stat().st_mtime_ns for f in (tmp_path / "lr").rglob("*")} == before


def test_missing_result_is_made_again(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    expected = tree(tmp_path / "lr")
    (tmp_path / "lr" / "c_alpha.png").unlink()
    assert run(hr_folder, tmp_path / "lr").made == ("c_alpha.png",)
    assert tree(tmp_path / "lr") == expected


def test_other_settings_are_refused_by_name(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    before = tree(tmp_path / "lr")
    with pytest.raises(ConfigError, match="seed was 7 and is 8"):
        run(hr_folder, tmp_path / "lr", seed=8)
    with pytest.raises(ConfigError, match="remainder was 'crop' and is 'refuse'"):
        run(hr_folder, tmp_path / "lr", remainder="refuse")
    with pytest.raises(ConfigError, match="degradation.arguments"):
        degrader(sigma=6).degrade_folder(hr_folder, tmp_path / "lr", seed=7, progress=False)
    assert tree(tmp_path / "lr") == before
    run(hr_folder, tmp_path / "lr", seed=8, overwrite=True)
    run(hr_folder, tmp_path / "fresh", seed=8)
    assert tree(tmp_path / "lr") == tree(tmp_path / "fresh")


def test_changed_and_vanished_sources_are_named(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    before = tree(tmp_path / "lr")
    write_image(hr_folder / "b_rgb.png", picture(12, 16, seed=9))
    (hr_folder / "a_grey.png").unlink()
    (tmp_path / "lr" / "c_alpha.png").write_bytes(b"other")
    summary = run(hr_folder, tmp_path / "lr")
    reasons = {failure.name: failure.reason for failure in summary.failed}
    assert set(reasons) == {"a_grey.png", "b_rgb.png", "c_alpha.png"}
    assert "no longer" in reasons["a_grey.png"] and "changed" in reasons["b_rgb.png"]
    after = tree(tmp_path / "lr")
    assert after.pop("c_alpha.png") == b"other" and before.pop("c_alpha.png")
    assert after == before
    assert run(hr_folder, tmp_path / "lr", overwrite=True).ok
    # Results of sources that are gone would otherwise be trained on.
    assert not (tmp_path / "lr" / "a_grey.png").exists()


def test_later_image_changes_no_other(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    before = tree(tmp_path / "lr")
    write_image(hr_folder / "a_first.png", picture(8, 8, seed=8))
    # A name that collides with a result that is there already.
    write_image(hr_folder / "b_rgb.jpg", picture(8, 8, seed=8))
    summary = run(hr_folder, tmp_path / "lr")
    assert summary.made == ("a_first.png", "b_rgb.jpg")
    after = tree(tmp_path / "lr")
    del before["manifest.jsonl"]
    assert {name: after[name] for name in before} == before
    assert after["b_rgb.jpg.png"]
    run(hr_folder, tmp_path / "fresh")
    assert tree(tmp_path / "fresh") == after


def test_results_do_not_depend_on_the_rest_of_the_folder(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    alone = tmp_path / "alone"
    (alone / "sub").mkdir(parents=True)
    shutil.copy(hr_folder / "sub" / "b_rgb.png", alone / "sub" / "b_rgb.png")
    run(alone, tmp_path / "single")
    assert tree(tmp_path / "single")["sub/b_rgb.png"] == tree(tmp_path / "lr")["sub/b_rgb.png"]


def test_bad_image_among_good_ones(hr_folder, tmp_path):
    content = (hr_folder / "b_rgb.png").read_bytes()
    (hr_folder / "aa_cut.png").write_bytes(content[: len(content) // 2])
    (hr_folder / "zz_empty.png").write_bytes(b"")
    (hr_folder / "notes.txt").write_text("no image")
    (hr_folder / ".hidden.png").write_bytes(b"")
    summary = run(hr_folder, tmp_path / "lr")
    assert [failure.name for failure in summary.failed] == ["aa_cut.png", "zz_empty.png"]
    assert not summary.ok and len(summary.made) == 6 and summary.ignored == ("notes.txt",)
    assert "2 FAILED" in summary.describe() and "zz_empty.png" in summary.describe()
    # Mended later, it joins the rest.
    (hr_folder / "zz_empty.png").unlink()
    write_image(hr_folder / "aa_cut.png", picture(8, 8))
    assert run(hr_folder, tmp_path / "lr").made == ("aa_cut.png",)


def test_refused_remainder_is_named(hr_folder, tmp_path):
    summary = run(hr_folder, tmp_path / "lr", remainder="refuse")
    assert [failure.name for failure in summary.failed] == ["e_odd.png"]
    assert not (tmp_path / "lr" / "e_odd.png").exists()
    with pytest.raises(ConfigError):
        run(hr_folder, tmp_path / "other", remainder="pad")


def test_a_strangers_file_is_not_replaced(hr_folder, tmp_path):
    write_image(tmp_path / "lr" / "b_rgb.png", picture(6, 8))
    before = (tmp_path / "lr" / "b_rgb.png").read_bytes()
    summary = run(hr_folder, tmp_path / "lr")
    assert [failure.name for failure in summary.failed] == ["b_rgb.png"]
    assert "already there" in summary.failed[0].reason
    assert (tmp_path / "lr" / "b_rgb.png").read_bytes() == before
    assert run(hr_folder, tmp_path / "lr", overwrite=True).ok


def test_folders_must_be_apart(hr_folder, tmp_path):
    with pytest.raises(DataError, match="same folder"):
        run(hr_folder, hr_folder / "sub" / "..")
    link = tmp_path / "link"
    link.symlink_to(hr_folder, target_is_directory=True)
    with pytest.raises(DataError, match="same folder"):
        run(hr_folder, link)
    with pytest.raises(DataError, match="contains the other"):
        run(hr_folder, hr_folder / "lr")
    with pytest.raises(DataError, match="contains the other"):
        run(hr_folder, tmp_path)
    with pytest.raises(DataError, match="no folder"):
        run(tmp_path / "nowhere", tmp_path / "lr")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="contains no image"):
        run(tmp_path / "empty", tmp_path / "lr")


def test_linked_folders_are_followed_once(hr_folder, tmp_path):
    (hr_folder / "sub" / "up").symlink_to(hr_folder, target_is_directory=True)
    assert len(run(hr_folder, tmp_path / "lr").made) == 6


def test_names_of_results():
    names = ["a.JPG", "a.png", "a.tif", "b.jpeg", "s/a.png"]
    assert Saving().plan(names, {}) == {
        "a.JPG": "a.JPG.png",
        "a.png": "a.png",
        "a.tif": "a.tif.png",
        "b.jpeg": "b.png",
        "s/a.png": "s/a.png",
    }
    # What was given before stays.
    assert Saving().plan(["a.jpg", "a.png"], {"a.jpg": "a.png"}) == {
        "a.jpg": "a.png",
        "a.png": "a.png.png",
    }
    # Where no name is left, none is given.
    assert "a.jpg" not in Saving().plan(["a.jpg", "a.jpg.png", "a.png"], {})


def test_extensions_that_meet_are_both_kept(tmp_path):
    write_image(tmp_path / "hr" / "a.png", picture(8, 8, seed=1))
    write_image(tmp_path / "hr" / "a.jpg", picture(8, 8, seed=2))
    write_image(tmp_path / "hr" / "a.bmp", picture(8, 8, seed=3))
    assert run(tmp_path / "hr", tmp_path / "lr").ok
    assert set(tree(tmp_path / "lr")) == {"a.png", "a.jpg.png", "a.bmp.png", "manifest.jsonl"}


def test_full_disk_stops_the_run(hr_folder, tmp_path, monkeypatch):
    from realdeg.errors import OutputError

    def full(path, array, **icc):
        raise OutputError(f"cannot write {path}: no space left")

    monkeypatch.setattr(degrading, "write_image", full)
    with pytest.raises(OutputError):
        run(hr_folder, tmp_path / "lr")


def test_memory_shortage_names_the_image(hr_folder, tmp_path, monkeypatch):
    import torch

    write = degrading.write_image

    def short(path, array, **icc):
        if path.name == "b_rgb.png":
            raise torch.OutOfMemoryError("out of memory")
        write(path, array, **icc)

    monkeypatch.setattr(degrading, "write_image", short)
    summary = run(hr_folder, tmp_path / "lr")
    assert [failure.name for failure in summary.failed] == ["b_rgb.png", "sub/b_rgb.png"]


def test_manifest_lines_are_plain_json(hr_folder, tmp_path):
    run(hr_folder, tmp_path / "lr")
    lines = (tmp_path / "lr" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["record"] for line in lines] == ["header"] + ["image"] * 6
