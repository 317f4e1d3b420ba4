"""Files that are either whole or absent, and what a killed process leaves of them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from realdeg.errors import OutputError

# The name says whose it is and that it is temporary; it has one length, so that any name that
# the file system takes can be written. mkstemp puts eight letters between the two.
_PREFIX, _SUFFIX = ".realdeg-", ".tmp"
_TEMPORARY = re.compile(r"\.realdeg-[a-z0-9_]{8}\.tmp(\.[^.]{1,15})?")
# Libraries choose the format by the suffix; a longer one is no format.
_LONGEST_SUFFIX = 16

# What is wrong with one name or place. Anything else (a full disk, a broken one) meets every file.
_OF_ONE_FILE = frozenset(
    {
        errno.ENAMETOOLONG,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.EEXIST,
        errno.ENOENT,
        errno.EILSEQ,
        errno.EINVAL,
        errno.EBUSY,
        errno.ENXIO,
    }
)
_ADVICE = {
    errno.ENAMETOOLONG: "Give it a shorter name",
    errno.EISDIR: "Move the folder of that name away, or choose another name",
    errno.ENOTDIR: "A file is in the place of its folder: move it away, or choose another place",
    errno.EEXIST: "A file is in the place of its folder: move it away, or choose another place",
    errno.EACCES: "Change the permissions, or choose another place",
    errno.EPERM: "Change the permissions, or choose another place",
    errno.EROFS: "Choose a place that can be written",
}


WEIGHTS_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".mat", ".caffemodel")
"""What the names of files of weights end in."""
_SCOPES = ("realdeg.", "mmengine.")


def names_a_file(text: str | os.PathLike[str]) -> bool:
    """Say whether a text stands for a file rather than for the name of a registered component.

    Names of components have neither a slash nor, behind their scope, a dot. Whether the file is
    there is another question.

    Args:
        text: What a user or a config says: ``"a.safetensors"``, ``"DML"``, ``"realdeg.DML"``.

    Example:
        >>> [names_a_file(text) for text in ("weights/dml", "x.pth", "DML", "realdeg.DML")]
        [True, True, False, False]
    """
    if isinstance(text, os.PathLike) or os.sep in text or is_weights(text):
        return True
    scope = next((scope for scope in _SCOPES if text.startswith(scope)), "")
    return "." in text.removeprefix(scope)


def is_weights(path: str | os.PathLike[str]) -> bool:
    """Say whether a path has the suffix of a file of weights."""
    return Path(path).suffix.lower() in WEIGHTS_SUFFIXES


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path that takes the place of ``path`` when the block ends well.

    The temporary file lies in the same folder and keeps the suffix (libraries choose the format
    by it); it is flushed to disk before the rename, so a crash leaves the old file or the new
    one, never a part. When the block raises, the old file stays and the temporary one goes. It
    is locked as long as it is being written, so that :func:`remove_left_overs` leaves it alone.
    A link in the place of ``path`` is replaced, not followed.

    Args:
        path: The file to write.

    Yields:
        The path to write to.

    Raises:
        OutputError: If the folder cannot be written or the disk is full.
    """
    target = Path(path)
    name, handle = "", -1
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        suffix = target.suffix if len(os.fsencode(target.suffix)) <= _LONGEST_SUFFIX else ""
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=_PREFIX, suffix=f"{_SUFFIX}{suffix}"
        )
        _try_lock(handle)
        # mkstemp makes private files; results follow the user's umask like any other file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        yield Path(name)
        with open(name, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(name, target)
        name = ""
        _sync_folder(target.parent)
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "Free some space or choose another place")
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}. {advice}; what was there before is"
            " kept."
        ) from error
    finally:
        if name:
            Path(name).unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


def concerns_one_file(error: BaseException) -> bool:
    """Tell whether a file could not be read or written for what it is itself: its name, its place.

    A full or broken disk concerns all that follow, and so does anything that is not known.

    Args:
        error: An ``OSError``, or the ``OutputError`` that was made of one.
    """
    cause = error.__cause__ if isinstance(error, OutputError) else error
    return isinstance(cause, OSError) and cause.errno in _OF_ONE_FILE


def is_left_over(name: str) -> bool:
    """Tell whether a file's name is one that :func:`atomic_path` gives to what it is writing."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_left_overs(folder: str | os.PathLike[str], *, below: bool = False) -> list[Path]:
    """Remove what killed processes left half written; what a living one is writing stays.

    To be called before a command writes into a folder. Only regular files under the names that
    :func:`atomic_path` gives are removed; links are neither removed nor followed.

    Args:
        folder: The folder. If there is none, nothing is done.
        below: Also look into the folders below.

    Returns:
        What was removed.
    """
    removed: list[Path] = []
    for root, folders, files in os.walk(folder):
        if not below:
            folders.clear()
        for name in files:
            path = Path(root) / name
            if is_left_over(name) and _remove_unused(path):
                removed.append(path)
    return removed


def _remove_unused(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode) or not _try_lock(handle):
            return False
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _try_lock(handle: int) -> bool:
    """Lock an open file until it is closed; False where another process has it locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def _sync_folder(folder: Path) -> None:
    # The rename itself is durable only once the folder is flushed; not every system allows it.
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file for reading; a pipe or a device, on which reading may never end, is refused.

    Args:
        path: The file; a link is followed.

    Returns:
        The open file.

    Raises:
        OSError: If it cannot be opened or is no regular file.
    """
    # Opening a pipe would wait for a writer.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a regular file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open_regular(path) as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def ensure_writable_dir(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and make sure that files can be written in it.

    Args:
        path: The folder.

    Returns:
        The folder as a ``Path``.

    Raises:
        OutputError: If it cannot be made or written.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write in the folder {folder}: {error.strerror or error}."
            " Choose another one or change its permissions."
        ) from error
    return folder


def write_record(
    folder: str | os.PathLike[str], stem: str, data: Mapping[str, Any], markdown: str
) -> tuple[Path, Path]:
    """Write what was measured for programs and for people, each file whole or not at all.

    Args:
        folder: Made where it is missing.
        stem: The name of both files, without suffix.
        data: What ``.json`` holds: plain data without NaN and infinity.
        markdown: What ``.md`` holds.

    Returns:
        The two paths.

    Raises:
        OutputError: If the folder cannot be written.
    """
    place = ensure_writable_dir(folder)
    paths = (place / f"{stem}.json", place / f"{stem}.md")
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    for path, content in zip(paths, (text + "\n", markdown), strict=True):
        with atomic_path(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return paths
