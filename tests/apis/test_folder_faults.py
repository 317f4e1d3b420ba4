"""What must not end a folder's run, what must, and what a manifest from elsewhere cannot do."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch

from realdeg.apis import Degrader, SuperResolver, read_manifest
from realdeg.apis import degrader as degrading
from realdeg.apis.workers import WorkerDiedError, process_items
from realdeg.backbones import VDSR
from realdeg.cli.main import main
from realdeg.errors import ConfigError, DataError, OutputError
from realdeg.utils.image import write_image
from realdeg.utils.locks import exclusive
from tests.apis.test_degrade_folder import picture, tree

NOISE = dict(type="Compose", parts=[dict(type="Bicubic"), dict(type="AWGN", sigma=5)])


def degrade(src, dst, **settings):
    return Degrader(NOISE, scale=2).degrade_folder(src, dst, progress=False, seed=3, **settings)


def upscale(src, dst, **settings):
    torch.manual_seed(0)
    return SuperResolver(VDSR.example(), device="cpu").upscale_folder(
        src, dst, progress=False, **settings
    )


RUNS = pytest.mark.parametrize("run", [degrade, upscale])


@pytest.fixture
def few(tmp_path):
    for number, name in enumerate(("a.png", "b.png", "sub/c.png")):
        write_image(tmp_path / "in" / name, picture(8, 8, seed=number))
    return tmp_path / "in"


def lines_of(folder):
    return (folder / "manifest.jsonl").read_text().splitlines()


def rewrite(folder, change, line=0):
    """Change one line of a manifest."""
    lines = lines_of(folder)
    record = json.loads(lines[line])
    change(record)
    lines[line] = json.dumps(record)
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")


@RUNS
@pytest.mark.parametrize("name", ["山" * 80 + ".png", "n" * 251 + ".png", "n" * 250 + ".jpg"])
def test_long_names_are_written(few, tmp_path, run, name):
    write_image(few / name, picture(8, 8))
    summary = run(few, tmp_path / "out")
    assert summary.ok and name in summary.made and len(summary.made) == 4
    assert run(few, tmp_path / "out").kept == summary.made


@RUNS
def test_what_cannot_be_done_is_listed_and_the_rest_done(few, tmp_path, run):
    out = tmp_path / "out"
    os.mkfifo(few / "pipe.png")
    (few / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (few / "broken.png").write_bytes((few / "a.png").read_bytes()[:60])
    write_image(few / ("n" * 251 + ".png"), picture(8, 8))
    write_image(few / ("n" * 251 + ".jpg"), picture(8, 8))  # its result's name would be too long
    out.mkdir()
    (out / "sub").write_text("a file in the place of a folder")
    summary = run(few, out)
    reasons = {failure.name[:8]: failure.reason for failure in summary.failed}
    assert set(reasons) == {"pipe.png", "gone.png", "broken.p", "nnnnnnnn", "sub/c.pn"}
    assert "pipe" in reasons["pipe.png"] and "File name too long" in reasons["nnnnnnnn"]
    assert set(summary.made) == {"a.png", "b.png", "n" * 251 + ".png"}
    # Mended, only they are made.
    for name in ("pipe.png", "gone.png", "n" * 251 + ".jpg"):
        (few / name).unlink()
    (out / "sub").unlink()
    write_image(few / "broken.png", picture(8, 8))
    again = run(few, out)
    assert again.ok and again.made == ("broken.png", "sub/c.png") and len(again.kept) == 3


def test_a_folder_that_cannot_be_read_is_named(few, tmp_path, monkeypatch):
    walk = os.walk

    def closed(top, onerror=None, **settings):
        if onerror is not None:
            onerror(PermissionError(errno.EACCES, "Permission denied", str(few / "locked")))
        return walk(top, onerror=onerror, **settings)

    monkeypatch.setattr(os, "walk", closed)
    summary = degrade(few, tmp_path / "out")
    assert [failure.name for failure in summary.failed] == ["locked"] and len(summary.made) == 3


def test_names_that_are_no_text(few, tmp_path, capsys):
    write_image(few / os.fsdecode(b"\xff.png"), picture(8, 8))
    (few / os.fsdecode(b"\xfe\x1b[2J.png")).write_bytes(b"broken")
    words = ["degrade", "Bicubic", str(few), str(tmp_path / "out"), "--scale", "2", "--quiet"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "\\udcfe\\x1b[2J.png" in said and "\x1b" not in said
    assert (tmp_path / "out" / os.fsdecode(b"\xff.png")).exists()
    assert len(read_manifest(tmp_path / "out")[1]) == 4


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_stops_whatever_the_jobs(few, tmp_path, monkeypatch, code, jobs):
    def full(path, array, **icc):
        try:
            raise OSError(code, os.strerror(code))
        except OSError as error:
            raise OutputError(f"cannot write {path}") from error

    monkeypatch.setattr(degrading, "write_image", full)
    with pytest.raises(OutputError, match="cannot write"):
        degrade(few, tmp_path / "out", jobs=jobs)


@RUNS
def test_jobs_change_nothing(hr_folder, tmp_path, run):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one = run(hr_folder, tmp_path / "one", jobs=1)
        many = run(hr_folder, tmp_path / "many", jobs=3)
    finally:
        torch.set_num_threads(threads)
    assert one.made == many.made and tree(tmp_path / "one") == tree(tmp_path / "many")
    header, records = read_manifest(tmp_path / "many")
    assert header["threads"] == 1 and list(records) == sorted(records)
    assert run(hr_folder, tmp_path / "many", jobs=2).kept == one.made
    for jobs in (0, True, 10**6, "2"):
        with pytest.raises(ConfigError, match="jobs"):
            run(hr_folder, tmp_path / "more", jobs=jobs)


def test_a_process_that_is_killed_costs_its_image_alone(few, tmp_path, monkeypatch):
    write = degrading.write_image
    parent = os.getpid()

    def die(path, array, **icc):
        if path.name == "b.png" and os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, array, **icc)

    with monkeypatch.context() as patch:
        patch.setattr(degrading, "write_image", die)
        summary = degrade(few, tmp_path / "out", jobs=2)
    assert [failure.name for failure in summary.failed] == ["b.png"]
    assert "SIGKILL" in summary.failed[0].reason and "memory" in summary.failed[0].reason
    assert degrade(few, tmp_path / "out", jobs=2).made == ("b.png",)
    degrade(few, tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_process_items_hands_back_results_and_errors():
    assert dict(process_items(["a", "b", "c"], str.upper, 2)) == {"a": "A", "b": "B", "c": "C"}
    assert list(process_items([], str.upper, 4)) == []

    def leave(item):
        os._exit(7)

    (found,) = [result for _, result in process_items(["a", "b"], leave, 2)][:1]
    assert isinstance(found, WorkerDiedError) and "code 7" in str(found)

    class OddError(Exception):  # cannot be sent
        def __init__(self, one, two):
            super().__init__(lambda: one)

    def odd(item):
        raise OddError(1, 2)

    with pytest.raises(RuntimeError, match="OddError"):
        list(process_items(["a", "b"], odd, 2))
    assert not multiprocessing.active_children()


def hold(folder, ready, leave):
    with exclusive(folder, "degrading run"):
        ready.set()
        leave.wait(60)


@RUNS
def test_a_second_process_is_refused(few, tmp_path, run):
    context = multiprocessing.get_context("fork")
    ready, leave = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path / "out", ready, leave))
    process.start()
    try:
        assert ready.wait(60)
        with pytest.raises(OutputError, match="in use by another degrading run"):
            run(few, tmp_path / "out")
    finally:
        leave.set()
        process.join()
    assert run(few, tmp_path / "out").ok


def test_left_overs_of_a_killed_run_are_cleared_away(few, tmp_path):
    out = tmp_path / "out" / "sub"
    out.mkdir(parents=True)
    (out / ".realdeg-a1b2c3d4.tmp.png").write_bytes(b"half")
    (out / ".mine.tmp.png").write_bytes(b"mine")
    assert degrade(few, tmp_path / "out").ok
    assert sorted(os.listdir(out)) == [".mine.tmp.png", "c.png"]


@pytest.mark.parametrize("threads", [100000, 0, -1, True, "2", None, 1.0, [], 10**30])
def test_threads_of_a_manifest_are_asked_for_their_number(few, tmp_path, threads):
    degrade(few, tmp_path / "out")
    rewrite(tmp_path / "out", lambda header: header.update(threads=threads))
    with pytest.raises(DataError, match="threads"):
        degrade(few, tmp_path / "out")
    assert degrade(few, tmp_path / "out", overwrite=True).ok


ODD_LINES = [
    b'{"record": "image", "name": NaN}\n',
    b'{"record": "image", "name": "a.png", "output": 1e999}\n',
    b"[" * 100000 + b"\n",
    b'{"a":' * 900 + b"1" + b"}" * 900 + b"\n",
    b"\xff\xfe{}\n",
    b'"header"\n',
    b"1" * 5000 + b"\n",
    b'{"record": "image", "name": "\\ud800.png", "output": "\\ud800.png"}\n',
    b'{"record": "image", "name": "a\\u0000.png", "output": "a\\u0000.png"}\n',
    b"{}\n",
    b"\n",
]


@pytest.mark.parametrize("line", ODD_LINES, ids=range(len(ODD_LINES)))
@pytest.mark.parametrize("place", [0, 1])
def test_odd_lines_are_one_sentence(few, tmp_path, line, place):
    degrade(few, tmp_path / "out")
    lines = (tmp_path / "out" / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    lines[place] = line
    (tmp_path / "out" / "manifest.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=f"line {place + 1} of the manifest"):
        degrade(few, tmp_path / "out")
    with pytest.raises(DataError, match=f"line {place + 1} of the manifest"):
        read_manifest(tmp_path / "out")
    assert degrade(few, tmp_path / "out", overwrite=True).ok


@pytest.mark.parametrize(
    "output",
    ["../a.png", "/etc/a.png", "b.png", "manifest.jsonl", "a.txt", "./a.png", "sub/../a.png"],
)
def test_a_manifest_names_no_file_that_its_run_did_not_make(few, tmp_path, output):
    degrade(few, tmp_path / "out")
    write_image(tmp_path / "a.png", picture(8, 8))
    rewrite(tmp_path / "out", lambda record: record.update(output=output), line=1)
    with pytest.raises(DataError, match="line 2"):
        degrade(few, tmp_path / "out")
    degrade(few, tmp_path / "out", overwrite=True)
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize("field", ["name", "output", "source_sha256", "output_sha256"])
@pytest.mark.parametrize("value", [None, 3, "", [], {}, "z" * 64, "../x"])
def test_fields_of_a_record_are_checked(few, tmp_path, field, value):
    degrade(few, tmp_path / "out")
    rewrite(tmp_path / "out", lambda record: record.update({field: value}), line=1)
    with pytest.raises(DataError, match="line 2"):
        degrade(few, tmp_path / "out")


def test_links_inside_the_folder_are_not_followed(few, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    degrade(few, out)
    (out / "sub").rename(elsewhere)
    (out / "sub").symlink_to(elsewhere, target_is_directory=True)
    before = tree(elsewhere)
    summary = degrade(few, out)
    assert [failure.name for failure in summary.failed] == ["sub/c.png"]
    assert "is a link" in summary.failed[0].reason
    # Begun anew, what is behind the link is neither removed nor replaced.
    summary = degrade(few, out, overwrite=True)
    assert [failure.name for failure in summary.failed] == ["sub/c.png"] and tree(
        elsewhere
    ) == before
    # A link in the place of a result.
    (tmp_path / "theirs.png").write_bytes((out / "a.png").read_bytes())
    (out / "a.png").unlink()
    (out / "a.png").symlink_to(tmp_path / "theirs.png")
    assert [failure.name for failure in degrade(few, out).failed] == ["a.png", "sub/c.png"]
    degrade(few, out, overwrite=True)
    assert not (out / "a.png").is_symlink() and (tmp_path / "theirs.png").exists()


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_a_manifest_that_is_no_file(few, tmp_path, kind):
    out = tmp_path / "out"
    degrade(few, out)
    manifest, real = out / "manifest.jsonl", tmp_path / "real.jsonl"
    manifest.rename(real)
    before = real.read_bytes()
    if kind == "pipe":
        os.mkfifo(manifest)
    elif kind == "folder":
        manifest.mkdir()
    else:
        manifest.symlink_to(real if kind == "link" else tmp_path / "made_up.jsonl")
    for overwrite in (False, True):
        with pytest.raises(DataError, match=r"manifest\.jsonl is (a link|not a file)"):
            degrade(few, out, overwrite=overwrite)
    assert real.read_bytes() == before and not (tmp_path / "made_up.jsonl").exists()


def test_overwriting_removes_only_what_the_manifest_tells_truly(few, tmp_path):
    out = tmp_path / "out"
    degrade(few, out)
    (out / "b.png").write_bytes(b"edited since")
    (out / "mine.png").write_bytes(b"mine")
    (few / "a.png").unlink()
    (few / "b.png").unlink()
    assert degrade(few, out, overwrite=True).made == ("sub/c.png",)
    assert not (out / "a.png").exists()
    assert (out / "b.png").read_bytes() == b"edited since" and (out / "mine.png").exists()


def test_a_manifest_of_impossible_size_is_not_read(few, tmp_path):
    (tmp_path / "out").mkdir()
    with open(tmp_path / "out" / "manifest.jsonl", "wb") as stream:
        stream.truncate(1 << 40)  # a hole: it takes no room on the disk
    with pytest.raises(DataError, match="more than any"):
        degrade(few, tmp_path / "out")
    assert degrade(few, tmp_path / "out", overwrite=True).ok


def test_a_long_name_and_a_broken_photo_at_the_command_line(few, tmp_path, capsys):
    write_image(few / ("山" * 80 + ".png"), picture(8, 8))
    (few / "broken.jpg").write_bytes(b"\xff\xd8")
    words = ["degrade", "Bicubic", str(few), str(tmp_path / "out"), "--scale", "2", "--quiet"]
    for jobs in ("1", "2"):
        assert main([*words, "--jobs", jobs]) == 2
        said = capsys.readouterr().err
        assert "1 FAILED" in said and "broken.jpg" in said
    assert len(read_manifest(tmp_path / "out")[1]) == 4
    assert np.all([name.endswith(".png") for name in read_manifest(tmp_path / "out")[1]])
