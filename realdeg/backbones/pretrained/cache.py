"""The folder of downloaded weights, and the verification of its files."""

from __future__ import annotations

import contextlib
import hashlib
import logging
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


def path_of(entry: Pretrained) -> Path:
    """Return the path of an entry's file; it need not exist yet."""
    return cache_folder() / entry.type / entry.file


def fingerprint(entry: Pretrained) -> str:
    """Return the published hash of an entry's file, for messages."""
    if entry.sha256:
        more = "..." if len(entry.sha256) < 64 else ""
        return f"SHA-256 {entry.sha256}{more}"
    if entry.git_blob:
        return f"Git blob {entry.git_blob}"
    return "no SHA-256 is published"


def hash_mismatch(entry: Pretrained, file: Path) -> str | None:
    """Return how a file's hash differs from the published one; None if it does not, or none is."""
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
    """Raise CheckpointError if a file in the cache is not the published one.

    A file without a published hash is trusted when first used. Its hash is then written beside it
    (``.sha256``) and checked from then on.
    """
    wrong = hash_mismatch(entry, file)
    if wrong:
        raise CheckpointError(
            f"{file} is not the file that {entry.page} publishes for {entry}: {wrong}. Remove it"
            " and download it again."
        )
    if entry.sha256 is None and entry.git_blob is None:
        _compare_with_first_use(entry, file)


def _compare_with_first_use(entry: Pretrained, file: Path) -> None:
    """Compare a file with the hash it had when it was first used."""
    found, note = sha256_file(file), file.with_name(f"{file.name}.sha256")
    if not note.is_file():
        try:
            with atomic_path(note) as temporary:
                temporary.write_text(f"{found}  {file.name}\n", encoding="utf-8")
        except OutputError as error:  # a read-only folder
            text = "no SHA-256 of %s is published: this file has %s, which cannot be recorded (%s)."
            logger.warning(text, entry, found, error)
        else:
            text = "no SHA-256 of %s is published: this file has %s, which is recorded (%s)."
            logger.warning(text, entry, found, note)
        return
    first = note.read_text(encoding="utf-8").split()[:1]
    if first != [found]:
        raise CheckpointError(
            f"{file} has changed: it has SHA-256 {found}, and had {''.join(first) or 'none'} when"
            f" first used. Remove it to download it again or, if the change is intended, remove"
            f" {note.name} beside it."
        )


def _git_blob(file: Path) -> str:
    digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with file.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(file: Path) -> Iterator[bool]:
    """Let one process at a time download a file into a folder, which is created.

    Yields whether the lock is held: False on disks without locks.
    """
    folder = ensure_writable_dir(file.parent)
    with exclusive(
        folder, f"download of {file.name}", name=f".{file.name}.lock", wait=True
    ) as alone:
        yield alone
