"""The user's cache folder."""

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
    """Return a folder in ``REALDEG_HOME``, or in the user's cache folder of the system.

    On Linux that is ``XDG_CACHE_HOME`` or ``~/.cache``. Elsewhere, files that an earlier release
    stored in ``~/.cache/realdeg`` are still found.

    Args:
        kind: The folder's name, such as ``"weights"``.
    """
    home = os.environ.get("REALDEG_HOME")
    if home:
        return Path(home).expanduser() / kind
    from platformdirs import user_cache_path

    place = user_cache_path("realdeg", appauthor=False) / kind
    former = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "realdeg" / kind
    return former if former.is_dir() and not place.is_dir() else place


def offline() -> bool:
    """Return whether ``REALDEG_OFFLINE`` forbids downloads."""
    return os.environ.get("REALDEG_OFFLINE", "").lower() not in ("", "0", "false", "no")


def kept(kind: str, key: bytes, size: int, make: Callable[[], bytes]) -> bytes:
    """Return cached bytes, or make and cache them.

    A file holds the SHA-256 of the content and the content. It is made again if it is damaged or of
    another size. A folder that cannot be written only disables the cache.

    Args:
        kind: The folder, see :func:`cache_folder`.
        key: Everything that the content depends on; its hash is the file's name.
        size: Bytes of the content.
        make: Makes the content.
    """
    file = cache_folder(kind) / f"{hashlib.sha256(key).hexdigest()}.bin"
    try:
        if file.stat().st_size == _DIGEST + size:
            found = file.read_bytes()
            if hashlib.sha256(found[_DIGEST:]).digest() == found[:_DIGEST]:
                return found[_DIGEST:]
        logger.warning("%s is damaged and is made again", file)
    except OSError:  # not there, or not readable
        pass
    content = make()
    try:
        with atomic_path(file) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
    except OutputError as error:
        logger.debug("nothing is cached: %s", error)
    return content
