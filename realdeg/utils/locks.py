"""One process at a time in a folder."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import stat
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from realdeg.errors import OutputError

logger = logging.getLogger(__name__)

LOCK_NAME = ".realdeg.lock"
"""The file that a process working in a folder holds locked."""

_PATIENCE = 0.3  # seconds, enough for a holder that is just leaving
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
_NOTE_BYTES = 4096
_held: dict[str, tuple[int, int]] = {}  # path of the lock: thread, depth


@contextmanager
def exclusive(
    folder: str | os.PathLike[str], what: str = "run", *, name: str = LOCK_NAME, wait: bool = False
) -> Iterator[bool]:
    """Keep every other process out of a folder during the block.

    The lock is the operating system's and ends with the process, so a killed run leaves nothing to
    clean up. The same thread may lock again inside its block (a command around the function that
    does the work). On a file system without locks the block runs after a warning.

    Args:
        folder: The folder, created if missing.
        what: The activity, for the message that another process gets.
        name: The lock file's name, if several activities may share a folder.
        wait: Wait until the other process has ended, instead of refusing.

    Yields:
        Whether other processes are kept out; False on a file system without locks.

    Raises:
        OutputError: If another process works in the folder, if the lock file is a link or not a
            file, or if the folder cannot be written.
    """
    place = Path(folder)
    key, thread = os.path.join(os.path.realpath(place), name), threading.get_ident()
    holder, depth = _held.get(key, (thread, 0))
    if depth and holder == thread:
        _held[key] = (thread, depth + 1)
        try:
            yield True
        finally:
            _held[key] = (thread, depth)
        return
    with _locked(place / name, what, wait) as taken:
        _held[key] = (thread, 1)
        try:
            yield taken
        finally:
            _held.pop(key, None)  # without locks, two threads may have come here


@contextmanager
def _locked(path: Path, what: str, wait: bool) -> Iterator[bool]:
    from filelock import FileLock, Timeout  # late: commands that lock nothing start faster

    folder = path.parent
    lock = FileLock(
        path, timeout=_PATIENCE, fallback_to_soft=False, on_acquired=lambda fd: _sign(fd, what)
    )
    taken = True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_link(path)
        try:
            lock.acquire()
        except Timeout:
            if not wait:
                raise
            logger.info("waiting for %s", _signature(path))
            lock.acquire(timeout=-1)
    except Timeout:
        raise OutputError(
            f"{folder} is in use by {_signature(path)}: wait until that has ended, stop it, or"
            " choose another folder."
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise OutputError(
                f"cannot lock the folder {folder} ({path.name}: {error.strerror or error}): choose"
                " another one or change its permissions."
            ) from error
        taken = False
        warnings.warn(
            f"the file system of {folder} has no locks ({error.strerror}): nothing keeps a second"
            " process from writing there at the same time",
            stacklevel=4,
        )
    try:
        yield taken
    finally:
        if taken:
            # Still held: a process that opened the file before finds it gone and tries again.
            with suppress(OSError):
                path.unlink()
            lock.release()


def _refuse_link(path: Path) -> None:
    # filelock follows no symbolic links, but writing would empty the target of a hard link.
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise OutputError(
            f"{path} is a link or not a plain file, so it cannot serve as a lock: remove it."
        )


def _sign(descriptor: int, what: str) -> None:
    note = {
        "what": what,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    with suppress(OSError):  # the lock also works on a full disk
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)


def _signature(path: Path) -> str:
    # The file's contents are only displayed.
    try:
        with open(path, "rb") as stream:
            note = json.loads(stream.read(_NOTE_BYTES))
        what, pid, host, since = (str(note[key]) for key in ("what", "pid", "host", "since"))
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    return f"another {what[:60]} (process {pid[:12]} on {host[:60]}, since {since[:20]})"
