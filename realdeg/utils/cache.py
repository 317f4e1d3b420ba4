"""What this machine keeps between runs, in one folder of the user's."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from realdeg.errors import OutputError
from realdeg.utils.files import atomic_path

logger = logging.getLogger(__name__)
_DIGEST = hashlib.sha256().digest_size


def cache_folder(kind: str) -> Path:
    """Return a folder of ``REALDEG_HOME``, or of the cache that the system has for its user.

    On Linux that is ``XDG_CACHE_HOME`` or ``~/.cache``. Elsewhere, what an earlier release kept in
    ``~/.cache/realdeg`` is still found there.

    Args:
        kind: What is kept there, for instance ``"weights"``; the folder's name.
    """
    home = os.environ.get("REALDEG_HOME")
    if home:
        return Path(home).expanduser() / kind
    from platformdirs import user_cache_path

    place = user_cache_path("realdeg", appauthor=False) / kind
    former = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "realdeg" / kind
    return former if former.is_dir() and not place.is_dir() else place


def kept(kind: str, key: bytes, size: int, make: Callable[[], bytes]) -> bytes:
    """Return bytes that were made before, or make and keep them.

    A file is its content's SHA-256 and the content; one that is not whole, or not of the size that
    is expected, is made again. Where nothing can be written, nothing is kept.

    Args:
        kind: The folder, see :func:`cache_folder`.
        key: Everything that the content depends on; its hash is the file's name.
        size: Bytes of the content.
        make: Makes the content.

    Returns:
        The content.
    """
    file = cache_folder(kind) / f"{hashlib.sha256(key).hexdigest()}.bin"
    try:
        if file.stat().st_size == _DIGEST + size:
            found = file.read_bytes()
            if hashlib.sha256(found[_DIGEST:]).digest() == found[:_DIGEST]:
                return found[_DIGEST:]
        logger.warning("%s is damaged and made again", file)
    except OSError:  # not there, or not readable
        pass
    content = make()
    try:
        with atomic_path(file) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
    except OutputError as error:
        logger.debug("nothing is kept: %s", error)
    return content
