"""Files that are either whole or absent."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realdeg.errors import OutputError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path that takes the place of ``path`` when the block ends well.

    The temporary file lies in the same folder and keeps the suffix (libraries choose the format
    by it); it is flushed to disk before the rename, so a crash leaves the old file or the new
    one, never a part. When the block raises, the old file stays and the temporary one goes.

    Args:
        path: The file to write.

    Yields:
        The path to write to.

    Raises:
        OutputError: If the folder cannot be written or the disk is full.
    """
    target = Path(path)
    name = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.stem}.", suffix=f".tmp{target.suffix}"
        )
        os.close(handle)
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
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}. What was there before is kept;"
            " free some space or choose another place."
        ) from error
    finally:
        if name and os.path.exists(name):
            os.unlink(name)


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


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
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
