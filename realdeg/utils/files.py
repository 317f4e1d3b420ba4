"""Atomic writing, the cleanup after killed processes, and other file helpers."""

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

from realdeg.errors import DataError, OutputError, as_given
from realdeg.utils.cameras import camera_file, is_camera

# Temporary names have a fixed length, so that any target name that the file system accepts can be
# written. mkstemp puts eight letters between the two.
_PREFIX, _SUFFIX = ".realdeg-", ".tmp"
_TEMPORARY = re.compile(r"\.realdeg-[a-z0-9_]{8}\.tmp(\.[^.]{1,15})?")
# Libraries choose the format by the suffix; a longer one is not a format.
_LONGEST_SUFFIX = 16

# Errors that concern one path. All others (a full or broken disk) concern every file.
_OF_ONE_FILE = {
    *(errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP),
    *(errno.EEXIST, errno.ENOENT, errno.EILSEQ, errno.EINVAL, errno.EBUSY, errno.ENXIO),
}
_ADVICE = {
    errno.ENAMETOOLONG: "Give it a shorter name",
    errno.EISDIR: "Move the folder of that name away, or choose another name",
    errno.ENOTDIR: "A file is in the place of its folder: move it away, or choose another place",
    errno.EEXIST: "A file is in the place of its folder: move it away, or choose another place",
    errno.EACCES: "Change the permissions, or choose another place",
    errno.EPERM: "Change the permissions, or choose another place",
    errno.EROFS: "Choose a place that can be written",
}

WEIGHTS_SUFFIXES = (
    *(".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".mat", ".caffemodel", ".param"),
)
"""The suffixes of files of weights."""
HUB_PREFIX = "hf:"
"""Begins the name of a repository on the Hugging Face Hub."""
_SCOPES = ("realdeg.", "mmengine.")
# What the files of weights are called in folders: those of fit and finetune, and those of a run.
_STEMS = {"degradation": ("camera", "degradation"), "backbone": ("network", "backbone")}


def weights_in(folder: str | os.PathLike[str], kind: str | None = None) -> Path | None:
    """Return the self-describing weights in a folder that a command wrote, or None.

    Args:
        folder: Any path: a folder of ``realdeg fit`` or ``realdeg finetune``, or that of a run; or
            ``hf:OWNER/NAME``, a repository that is downloaded; or the name of a camera
            (:mod:`realdeg.utils.cameras`).
        kind: ``"degradation"`` or ``"backbone"``; None: the one that is there.

    Raises:
        RealdegError: If a repository cannot be downloaded, or holds no such weights; if a camera
            is not here, or its name stands for two things.
    """
    if os.fspath(folder).startswith(HUB_PREFIX):
        from realdeg.utils.hub import hub_weights  # needs this module

        return hub_weights(os.fspath(folder), kind)
    # A string only: a path is always a path.
    if isinstance(folder, str) and kind != "backbone" and is_camera(folder):
        return camera_file(folder)
    stems = [stem for each, listed in _STEMS.items() if kind in (None, each) for stem in listed]
    files = (Path(folder) / f"{stem}.safetensors" for stem in stems)
    return next((file for file in files if os.path.isfile(file)), None)


def names_a_file(text: str | os.PathLike[str]) -> bool:
    """Return whether a string names a file of weights rather than a registered component.

    Component names contain neither a slash nor, after their scope, a dot. The file need not exist.
    A folder that ``realdeg fit`` or ``realdeg finetune`` wrote stands for the file in it, and so
    does the name of a camera.

    Args:
        text: From a user or a config: ``"a.safetensors"``, ``"DML"``, ``"realdeg.DML"``.

    Example:
        >>> [names_a_file(text) for text in ("weights/dml", "x.pth", "DML", "realdeg.DML")]
        [True, True, False, False]
    """
    if isinstance(text, os.PathLike) or os.sep in text or is_weights(text):
        return True
    scope = next((scope for scope in _SCOPES if text.startswith(scope)), "")
    if "." in text.removeprefix(scope):
        return True
    if any(os.path.isfile(Path(text) / f"{stem[0]}.safetensors") for stem in _STEMS.values()):
        return True
    return is_camera(text)


def is_weights(path: str | os.PathLike[str]) -> bool:
    """Return whether a path has the suffix of a file of weights."""
    return Path(path).suffix.lower() in WEIGHTS_SUFFIXES


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` if the block succeeds.

    The temporary file is in the same folder, keeps the suffix (libraries choose the format by it)
    and is flushed to disk before the rename, so a crash leaves the old file or the new one, never a
    part. If the block raises, the old file stays. The temporary file is locked while it is written,
    so :func:`remove_left_overs` leaves it alone. A link at ``path`` is replaced, not followed.

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
        # mkstemp makes private files; results follow the user's umask instead.
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
    """Return whether an error concerns one path, rather than the disk or anything unknown.

    Args:
        error: An ``OSError``, or an ``OutputError`` caused by one.
    """
    cause = error.__cause__ if isinstance(error, OutputError) else error
    return isinstance(cause, OSError) and cause.errno in _OF_ONE_FILE


def is_left_over(name: str) -> bool:
    """Return whether a file name is a temporary one of :func:`atomic_path`."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_left_overs(folder: str | os.PathLike[str], *, below: bool = False) -> list[Path]:
    """Remove the temporary files of killed processes, before a command writes into a folder.

    Only regular files with names of :func:`atomic_path` that no process has locked are removed.
    Links are neither removed nor followed.

    Args:
        folder: The folder; it need not exist.
        below: Include subfolders.

    Returns:
        The removed files.
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
    """Lock an open file until it is closed; False if another process has it locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def _sync_folder(folder: Path) -> None:
    # The rename is durable only once the folder is flushed; not every system allows that.
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
    """Open a file for reading; links are followed.

    Raises:
        OSError: If it cannot be opened, or is a pipe or device, on which reading may never end.
    """
    # Opening a pipe would wait for a writer.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def is_inside(name: str) -> bool:
    """Return whether a relative name can be that of a file in a folder."""
    try:
        os.fsencode(name)
    except UnicodeError:
        return False
    parts = name.split("/")
    return "\0" not in name and all(part not in ("", ".", "..") for part in parts)


def path_inside(folder: Path, name: str) -> Path:
    """Return the path of an output, and refuse links that could lead out of its folder.

    Args:
        folder: The folder of all outputs.
        name: The relative name of one, with ``/``.

    Raises:
        DataError: If a folder between is a link.
    """
    place = folder
    for part in name.split("/")[:-1]:
        place = place / part
        if place.is_symlink():
            raise DataError(
                f"{place} is a link: outputs are written to {folder}, not through links in it."
                " Remove the link."
            )
    return folder / name


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a regular file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open_regular(path) as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def ensure_writable_dir(path: str | os.PathLike[str]) -> Path:
    """Create a folder if needed and check that files can be written in it.

    Raises:
        OutputError: If it cannot be created or written.
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


def check_replaceable(path: Path, overwrite: bool) -> None:
    """Refuse to replace what is there, before any work is done.

    Args:
        path: The file that will be written.
        overwrite: Whether it may be replaced.

    Raises:
        OutputError: If something is there and may not be replaced.
    """
    if os.path.lexists(path) and not overwrite:
        advice = f"choose another name, or replace it with {as_given(overwrite=True)}"
        raise OutputError(f"{path} is already there: {advice}.")


def write_record(
    folder: str | os.PathLike[str], stem: str, data: Mapping[str, Any], markdown: str
) -> tuple[Path, Path]:
    """Write results as JSON and Markdown, each file whole or not at all.

    Args:
        folder: Created if missing.
        stem: The name of both files, without suffix.
        data: The content of ``.json``: plain data without NaN and infinity.
        markdown: The content of ``.md``.

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
