"""Files that are whole or absent, and what is left of killed processes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest

from realdeg.errors import OutputError
from realdeg.utils.files import (
    atomic_path,
    concerns_one_file,
    is_left_over,
    open_regular,
    remove_left_overs,
    sha256_file,
)

HOLD = """
import sys, time
from realdeg.utils.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "name", ["山" * 80 + ".png", "n" * 255, "n" * 251 + ".png", "a." + "s" * 200]
)
def test_any_name_that_the_file_system_takes_can_be_written(tmp_path, name):
    with atomic_path(tmp_path / name) as temporary:
        temporary.write_bytes(b"x")
        assert is_left_over(temporary.name)
        assert (temporary.suffix == ".png") == name.endswith(".png")
    assert os.listdir(tmp_path) == [name]


def test_a_name_that_is_too_long_is_told_from_a_full_disk(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="shorter name") as raised:
        with atomic_path(tmp_path / ("n" * 256)) as temporary:
            temporary.write_bytes(b"x")
    assert concerns_one_file(raised.value) and os.listdir(tmp_path) == []

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="Free some space") as raised:
        with atomic_path(tmp_path / "a") as temporary:
            temporary.write_bytes(b"x")
    assert not concerns_one_file(raised.value) and not concerns_one_file(OutputError("unknown"))


def test_places_that_hold_something_else(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "folder", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="away") as raised, atomic_path(path) as temporary:
            temporary.write_bytes(b"x")
        assert concerns_one_file(raised.value)


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with atomic_path(tmp_path / "link") as temporary:
        temporary.write_text("ours")
    assert (tmp_path / "elsewhere").read_text() == "theirs"
    assert (tmp_path / "link").read_text() == "ours" and not (tmp_path / "link").is_symlink()


def test_left_overs_of_the_dead_go_and_those_of_the_living_stay(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "a.png")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        (half,) = tmp_path.iterdir()
        assert remove_left_overs(tmp_path) == [] and half.exists()
    finally:
        process.kill()
        process.wait()
    assert remove_left_overs(tmp_path) == [half] and os.listdir(tmp_path) == []


def test_only_our_own_left_overs_are_removed(tmp_path):
    (tmp_path / "below").mkdir()
    ours = tmp_path / "below" / ".realdeg-a1b2c3d4.tmp.png"
    theirs = [".realdeg-a1b2c3d4.png", ".a.a1b2c3d4.tmp.png", "x.tmp", ".realdeg-a1b2c3d4.tmp.d.e"]
    for name in theirs:
        (tmp_path / name).write_text("x")
    ours.write_text("x")
    link = tmp_path / ".realdeg-abcd1234.tmp"
    link.symlink_to(tmp_path / "x.tmp")
    os.mkfifo(tmp_path / ".realdeg-fifo1234.tmp")
    assert remove_left_overs(tmp_path) == []
    assert remove_left_overs(tmp_path, below=True) == [ours]
    assert link.is_symlink() and all((tmp_path / name).exists() for name in theirs)
    assert remove_left_overs(tmp_path / "nowhere") == []


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(OSError, match="not a regular file|folder"):
            sha256_file(path)
    assert time.monotonic() - began < 5
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with open_regular(tmp_path / "link") as stream:
        assert stream.read() == b"x"
