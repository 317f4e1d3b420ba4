"""Locks of folders."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from realdeg.errors import OutputError
from realdeg.utils.locks import LOCK_NAME, exclusive

HOLDER = """
import sys, time
from realdeg.utils.locks import exclusive
with exclusive(sys.argv[1], "training run"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock of a folder."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def in_thread(action: Callable[[], object]) -> BaseException | None:
    """Run something in a thread of its own and return what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def test_a_second_process_is_refused_and_a_killed_one_leaves_nothing_in_the_way(
    tmp_path: Path,
) -> None:
    first = holder(tmp_path)
    try:
        with (
            pytest.raises(OutputError, match=rf"another training run \(process {first.pid} on"),
            exclusive(tmp_path),
        ):
            pass
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert (tmp_path / LOCK_NAME).exists()
    with exclusive(tmp_path):
        pass
    assert not (tmp_path / LOCK_NAME).exists()


def test_a_thread_may_enter_its_own_folder_again_and_no_other_thread_may(tmp_path: Path) -> None:
    def enter() -> None:
        with exclusive(tmp_path):
            pass

    (tmp_path / "there").symlink_to(tmp_path)
    with exclusive(tmp_path):
        with exclusive(tmp_path / "there"):
            pass
        assert isinstance(in_thread(enter), OutputError)
    assert in_thread(enter) is None


def test_a_forked_child_that_outlives_its_parent_does_not_hold_the_lock(tmp_path: Path) -> None:
    """The workers of a killed training must not keep its folder locked."""
    read, write = os.pipe()
    parent = os.fork()
    if not parent:
        with exclusive(tmp_path):
            child = os.fork()
            if not child:
                os.close(write)
                signal.pause()
            os.write(write, str(child).encode())
            os._exit(0)  # as if killed: the block does not end
    os.close(write)
    child = int(os.read(read, 20))
    os.waitpid(parent, 0)
    try:
        with exclusive(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(read)


@pytest.mark.parametrize("kind", ["symbolic", "hard", "folder", "dangling"])
def test_a_lock_file_that_is_a_link_is_refused_and_nothing_behind_it_changes(
    tmp_path: Path, kind: str
) -> None:
    precious, folder = tmp_path / "precious", tmp_path / "folder"
    folder.mkdir()
    precious.write_text("keep")
    lock = folder / LOCK_NAME
    if kind == "symbolic":
        lock.symlink_to(precious)
    elif kind == "hard":
        lock.hardlink_to(precious)
    elif kind == "folder":
        lock.mkdir()
    else:
        lock.symlink_to(tmp_path / "absent")
    with pytest.raises(OutputError, match="remove it"), exclusive(folder):
        pass
    assert precious.read_text() == "keep" and not (tmp_path / "absent").exists()


def test_a_file_system_without_locks_is_noted_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    ran = False
    with pytest.warns(UserWarning, match="has no locks"), exclusive(tmp_path):
        ran = True
    assert ran


def test_a_folder_that_cannot_be_made_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot lock"), exclusive(tmp_path / "file" / "folder"):
        pass


def test_a_lock_file_with_odd_contents_still_gives_a_sentence(tmp_path: Path) -> None:
    first = holder(tmp_path)
    try:
        (tmp_path / LOCK_NAME).write_bytes(b"\xff[]" * 5000)
        with pytest.raises(OutputError, match="in use by another process"), exclusive(tmp_path):
            pass
    finally:
        first.kill()
        first.wait()
