"""Inputs of any form, and the names and formats of results."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from realdeg import degrade, super_resolve
from realdeg.apis.inputs import find_inputs, read_list
from realdeg.apis.saving import Saving
from realdeg.backbones import VDSR
from realdeg.cli.main import main
from realdeg.errors import ConfigError, DataError
from realdeg.utils.component import save_component
from realdeg.utils.image import read_header, read_image, write_image
from realdeg.utils.progress import Pace


def photo(path, seed=0, dtype=np.uint8, channels=3):
    rng = np.random.default_rng(seed)
    write_image(path, rng.integers(0, np.iinfo(dtype).max, (8, 8, channels), dtype))
    return path


@pytest.fixture
def trip(tmp_path, monkeypatch):
    """Photos in two folders, one of whose names is in both."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.png", "day1/x.jpg", "day1/y.png", "day2/x.jpg")):
        photo(Path("trip") / name, number)
    Path("trip/day1/notes.txt").write_text("no image")
    return Path("trip")


@pytest.fixture
def network(tmp_path):
    net = VDSR.example()
    file = tmp_path / "net.safetensors"
    save_component(file, net, kind="backbone", type="VDSR", arguments=net.arguments)
    return str(file)


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())


def run(*words):
    return main([*(str(word) for word in words), "--device", "cpu", "--quiet"])


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("trip", ["a.png", "day1/x.jpg", "day1/y.png", "day2/x.jpg"]),
        ("trip/*.png", ["a.png"]),
        ("trip/**/*.png", ["a.png", "day1/y.png"]),
        ("trip/day?/x.jpg", ["day1/x.jpg", "day2/x.jpg"]),
        ("trip/day1/*", ["x.jpg", "y.png"]),
        (["trip/a.png", "trip/day1"], ["a.png", "x.jpg", "y.png"]),
        (["trip/day1/x.jpg", "trip/day1/x.jpg", "trip/day1/../day1/x.jpg"], ["x.jpg"]),
        (["trip/a.png", Path("trip/[a].png")], ["a.png"]),
    ],
)
def test_what_is_named(trip, given, names):
    assert list(find_inputs(given).files) == names


def test_names_with_wildcards_are_names_first(trip):
    photo(trip / "[a].png")
    assert list(find_inputs("trip/[a].png").files) == ["[a].png"]
    assert list(find_inputs(["trip/[a].png", "trip/[b-z].png", "trip/?.png"][::2]).files) == [
        "[a].png",
        "a.png",
    ]


def test_one_name_twice_is_refused_before_anything_is_written(trip, network, capsys):
    two = ["trip/day1/x.jpg", "trip/day2/x.jpg"]
    assert run("infer", network, *two, "out") == 2
    told = capsys.readouterr().err
    assert all(name in told for name in (*two, "--parents")) and not Path("out").exists()
    assert run("infer", network, *two, "out", "--parents") == 0
    made = ["trip/day1/x.png", "trip/day2/x.png"]
    assert tree("out") == ["manifest.jsonl", *made]
    assert run("infer", network, trip.resolve() / "a.png", "../nowhere.png", "up", "--parents") == 2
    assert tree("up")[-1] == str((trip / "a.png").resolve())[1:]


def test_a_list_a_pattern_and_words_give_the_same(trip, network, monkeypatch):
    names = ["trip/a.png", "trip/day1/y.png"]
    Path("list.txt").write_text("\ufeff" + "\r\n".join([names[0], "", names[1]]))
    Path("null.txt").write_bytes(b"".join(os.fsencode(name) + b"\0" for name in names))
    ways = {
        "words": (*names, "words"),
        "at": ("@list.txt", "at"),
        "file": ("--from-file", "list.txt", "file"),
        "null": ("--from-file", "null.txt", "--null", "null"),
        "stdin": ("-", "stdin"),
        "option": ("-o", "option", "--tile", "none", *names),
        "between": (names[0], "--overwrite", names[1], "between"),
    }
    for folder, words in ways.items():
        content = Path("list.txt").read_bytes()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert run("infer", network, *words) == 0, folder
        assert tree(folder) == ["a.png", "manifest.jsonl", "y.png"]
    files = {Path(folder, "a.png").read_bytes() for folder in ways}
    assert len(files) == 1


def test_another_batch_goes_on_in_the_same_folder(trip, network):
    assert run("infer", network, "trip/a.png", "trip/day1/y.png", "out") == 0
    before = Path("out/a.png").stat()
    assert run("infer", network, "trip/day2/*", "out") == 0
    assert tree("out") == ["a.png", "manifest.jsonl", "x.png", "y.png"]
    assert Path("out/a.png").stat().st_mtime_ns == before.st_mtime_ns
    # Of a whole folder, what is recorded and gone is a mistake.
    assert run("infer", network, "trip/day2", "out") == 2


def test_a_missing_image_is_listed_and_the_rest_made(trip, capsys):
    assert run("degrade", "Bicubic", "trip/a.png", "trip/none.png", "out", "--scale", 2) == 2
    assert "none.png: cannot read it: No such file" in capsys.readouterr().err
    assert tree("out") == ["a.png", "manifest.jsonl"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trip/*.tif", "out"), "no image matches trip/*.tif"),
        (("trip/a.png", "trip/day1/y.png", "out.png"), "need a folder as output"),
        (("trip/a.png", "trip/day1/y.png", "trip"), "contains the input trip/a.png"),
        (("@none.txt", "out"), "cannot read the list none.txt"),
        (("@empty.txt", "out"), "names no image"),
        (("@null.txt", "out"), "--null"),
        (("trip", "out", "--null"), "--from-file"),
        (("trip",), "INPUT missing"),
        ((), "INPUT and OUTPUT missing"),
        (("trip/day1/notes.txt", "trip/day1/*.txt", "out"), "there are no images"),
        (("trip", "out", "--format", "png", "--quality", "80"), "has no quality"),
        (("trip", "out", "--format", "jpg", "--quality", "101"), "from 1 to 100"),
        (("trip", "out", "--suffix", "a/b"), "cannot be part of a file name"),
    ],
)
def test_mistakes_are_one_sentence(trip, capsys, words, said):
    Path("empty.txt").write_text("\n\n")
    Path("null.txt").write_bytes(b"a.png\0")
    assert run("degrade", "Bicubic", *words, "--scale", 2) == 2
    told = capsys.readouterr().err
    assert said in told.replace("OUTPUT and INPUT", "INPUT and OUTPUT"), told
    assert told.count("\n") == 1 and not Path("out").exists()


def test_suffix_format_and_quality(trip, network):
    words = ("infer", network, "trip", "out", "--suffix", "_x2", "--format", "jpg")
    assert run(*words, "--quality", 60) == 0
    names = ["a_x2.jpg", "day1/x_x2.jpg", "day1/y_x2.jpg", "day2/x_x2.jpg"]
    assert tree("out") == sorted([*names, "manifest.jsonl"])
    assert run(*words, "--quality", 60) == 0  # goes on, and has nothing to do
    assert run(*words, "--quality", 90) == 2
    assert run(*words, "--quality", 90, "--overwrite") == 0
    assert run("infer", network, "trip", "low", *words[4:], "--quality", 20) == 0
    assert Path("low/a_x2.jpg").stat().st_size < Path("out/a_x2.jpg").stat().st_size
    assert run("degrade", "Bicubic", "trip", "keep", "--scale", 2, "--format", "keep") == 0
    assert tree("keep") == ["a.png", "day1/x.jpg", "day1/y.png", "day2/x.jpg", "manifest.jsonl"]


def test_what_a_format_cannot_hold_is_listed(trip, network, capsys):
    photo(trip / "deep.png", dtype=np.uint16)
    assert run("infer", network, "trip", "out", "--format", "jpg") == 2
    assert (
        "deep.png: cannot write out/deep.jpg: JPEG does not hold 16 bit" in capsys.readouterr().err
    )
    assert run("infer", network, "trip", "fine", "--format", "tiff") == 0
    assert read_image("fine/deep.tiff").dtype == np.uint16


def test_one_image_into_a_folder(trip, network, capsys):
    super_resolve(network, "trip/a.png", "one/", saving=Saving("_x2", "webp", 80), progress=False)
    assert tree("one") == ["a_x2.webp"] and read_header("one/a_x2.webp").size == (16, 16)
    assert run("infer", network, "trip/a.png", "named.jpg", "--quality", 50) == 0
    assert run("infer", network, "trip/a.png", "named.png", "--quality", 50) == 2
    assert "png is lossless" in capsys.readouterr().err
    assert run("infer", network, "trip/a.png", "named.png", "--suffix", "_x2") == 2
    assert "has its own name and format" in capsys.readouterr().err
    made = degrade("Bicubic", "trip/a.png", "lr", scale=2, progress=False)
    assert made.made == ("a.png",)


def test_a_manifest_of_names_that_nobody_asked_for(trip):
    degrade("Bicubic", "trip", "out", scale=2, saving=Saving("_s"), progress=False)
    manifest = Path("out/manifest.jsonl")
    for bad in ('"suffix": "/../../evil"', '"suffix": 7', '"place": "x"'):
        text = manifest.read_text()
        manifest.write_text(text.replace('"suffix": "_s"', bad, 1))
        with pytest.raises(DataError, match=r"line 1 of the manifest .* is damaged"):
            degrade("Bicubic", "trip", "out", scale=2, saving=Saving("_s"), progress=False)
        manifest.write_text(text)


def test_settings_of_saving_are_checked():
    assert Saving().settings() == {} and Saving.of({}) == Saving()
    stated = Saving("_x4", "webp", 80)
    assert Saving.of(stated.settings()) == stated
    for wrong in ({"format": "gif"}, {"quality": True, "format": "jpg"}, {"suffix": "\n"}):
        with pytest.raises(ConfigError):
            Saving(**wrong)
    names = ["a.jpg", "a.png", "b.png"]
    assert Saving("_x2", "jpg").plan(names, {}) == {
        "a.jpg": "a_x2.jpg",
        "a.png": "a.png_x2.jpg",
        "b.png": "b_x2.jpg",
    }


def test_lists_are_paths_and_no_patterns(tmp_path):
    file = tmp_path / "list"
    file.write_bytes(b"a*.png\n# b.png\n\xff.png")
    assert read_list(file) == [Path("a*.png"), Path("# b.png"), Path(os.fsdecode(b"\xff.png"))]


def test_a_folder_shows_the_share_of_its_image(trip, network, monkeypatch):
    """One photo may take minutes, and the time left is known before its end."""
    shown = []

    def record(self, name="", share=0.0):
        shown.append((name, share))
        return ""

    monkeypatch.setattr(Pace, "note", record)
    super_resolve(network, "trip/day1", "out", tile=4, device="cpu")
    assert ("x.jpg", 0.5) in shown and ("y.png", 1.0) in shown and ("", 0.0) in shown
    del shown[:]
    super_resolve(network, "trip/day1", "two", tile=4, device="cpu", jobs=2)
    assert {name for name, _ in shown} == {""}


def test_the_pace():
    seconds = [0.0]
    pace = Pace({"kept": 50.0, "made": 3.0, "rest": 6.0, "unread": 0.0}, clock=lambda: seconds[0])
    pace.finish("kept", counts=False)
    seconds[0] = 2.0
    assert pace.note() == ""
    pace.finish("made")
    assert pace.note() == "1.5 MP/s, 0:00:04 left"
    assert pace.note("rest", 0.5) == "3 MP/s, 0:00:01 left"
    pace.finish("rest")
    seconds[0] = 7200.0
    assert pace.note() == "0.00125 MP/s"
    assert Pace({}).note() == ""
