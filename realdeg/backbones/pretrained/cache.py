"""Where weights are kept on this machine, and whether a file there is the one that was meant."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from realdeg.backbones.pretrained.entry import Pretrained
from realdeg.errors import CheckpointError, OutputError
from realdeg.utils import cache as utils_cache
from realdeg.utils.files import atomic_path, ensure_writable_dir, sha256_file
from realdeg.utils.locks import exclusive

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder of all weights, see :func:`realdeg.utils.cache.cache_folder`."""
    return utils_cache.cache_folder("weights")


def place_of(entry: Pretrained) -> Path:
    """Return where the file of an entry lies, or will lie.

    Args:
        entry: The entry; each network has a folder of its own.
    """
    return cache_folder() / entry.type / entry.file


def offline() -> bool:
    """Say whether ``REALDEG_OFFLINE`` forbids to use the network."""
    return os.environ.get("REALDEG_OFFLINE", "").lower() not in ("", "0", "false", "no")


def fingerprint(entry: Pretrained) -> str:
    """Write the digits that an entry's file is known by, as messages name them.

    Args:
        entry: The entry.
    """
    if entry.sha256:
        more = "..." if len(entry.sha256) < 64 else ""
        return f"SHA-256 {entry.sha256}{more}"
    if entry.git_blob:
        return f"Git blob {entry.git_blob}"
    return "no SHA-256 is published"


def fault(entry: Pretrained, file: Path) -> str | None:
    """Say what of a file is not as it was published.

    Args:
        entry: What is known of the file.
        file: The file.

    Returns:
        What was found and what was wanted; None if it is the file, or if no hash is published.
    """
    if entry.sha256 is not None:
        digest = sha256_file(file)
        right, found = digest.startswith(entry.sha256), f"SHA-256 {digest}"
    elif entry.git_blob is not None:
        digest = _git_blob(file)
        right, found = digest == entry.git_blob, f"Git blob {digest}"
    else:
        return None
    if right:
        return None
    return f"found {found} ({file.stat().st_size} bytes), wanted {fingerprint(entry)}"


def verify(entry: Pretrained, file: Path) -> None:
    """Refuse a file in the cache that is not the one that was published.

    A file whose hash nobody publishes is trusted when it is first seen; its hash is written beside
    it (``.sha256``), and holds from then on.

    Args:
        entry: What is known of the file.
        file: The file.

    Raises:
        CheckpointError: Naming what was found and what was wanted.
    """
    wrong = fault(entry, file)
    if wrong:
        raise CheckpointError(
            f"{file} is not the file that {entry.page} publishes for {entry}: {wrong}. Remove it,"
            " and fetch it again."
        )
    if entry.sha256 is None and entry.git_blob is None:
        _hold_to_first(entry, file)


def _hold_to_first(entry: Pretrained, file: Path) -> None:
    """Compare a file with its own hash of the time when it was first used."""
    found, note = sha256_file(file), file.with_name(f"{file.name}.sha256")
    if not note.is_file():
        try:
            with atomic_path(note) as temporary:
                temporary.write_text(f"{found}  {file.name}\n", encoding="utf-8")
        except OutputError as error:  # a folder that others keep
            logger.warning(
                "nobody publishes a SHA-256 of %s: the file that is here has %s, which cannot be"
                " noted (%s).",
                entry,
                found,
                error,
            )
            return
        logger.warning(
            "nobody publishes a SHA-256 of %s: the file that is here now has %s, and is held to it"
            " from now on (%s).",
            entry,
            found,
            note,
        )
        return
    first = note.read_text(encoding="utf-8").split()[:1]
    if first != [found]:
        raise CheckpointError(
            f"{file} has changed: it has SHA-256 {found}, and had {''.join(first) or 'none'} when"
            f" it was first used. Remove it to have it fetched again; if it is right as it is,"
            f" remove {note.name} beside it."
        )


def _git_blob(file: Path) -> str:
    digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with file.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(file: Path) -> Iterator[bool]:
    """Let one process at a time fetch a file; the others wait.

    Args:
        file: The file to fetch; the lock lies beside it. Its folder is made.

    Yields:
        Whether nobody else fetches it now: False on disks without locks.

    Raises:
        OutputError: If the folder cannot be written.
    """
    folder = ensure_writable_dir(file.parent)
    with exclusive(
        folder, f"download of {file.name}", name=f".{file.name}.lock", wait=True
    ) as alone:
        yield alone
