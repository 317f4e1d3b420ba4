"""PyTorch archives that carry a hash of themselves.

``torch.save`` writes a zip archive, whose checksums do not cover the whole of it, and
``torch.load`` does not look at them: a flipped bit goes unseen. The hash stands in the archive's
comment, where every reader of zip archives, torch's among them, passes over it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO

_SEAL = b"realdeg sha256 "
_LENGTH = len(_SEAL) + 64
_END = b"PK\x05\x06"  # the record that ends a zip archive, 22 bytes without its comment
_BLOCK = 1 << 20


def write_sealed(stream: IO[bytes], archive: bytes | memoryview) -> None:
    """Write an archive and the hash of it.

    Args:
        stream: Where to, open for writing.
        archive: What ``torch.save`` wrote: a zip archive without a comment.

    Raises:
        ValueError: If it is no such archive.
    """
    if archive[-22:-18] != _END or archive[-2:] != b"\0\0":
        raise ValueError("this is no zip archive without a comment")
    body, length = archive[:-2], _LENGTH.to_bytes(2, "little")
    digest = hashlib.sha256(body)
    digest.update(length)
    for part in (body, length, _SEAL, digest.hexdigest().encode()):
        stream.write(part)


def damage(path: str | os.PathLike[str]) -> str | None:
    """Hold a file against its own hash: the whole of it is read.

    A file without one (an older one, or anybody's) passes; it has the checksums of its archive,
    which ``check_archive`` compares.

    Args:
        path: The file.

    Returns:
        What is wrong, in a few words; None where nothing is.

    Raises:
        OSError: If it cannot be read.
    """
    file = Path(path)
    size = file.stat().st_size
    with open(file, "rb") as stream:
        stream.seek(max(0, size - _LENGTH - 22))
        tail = stream.read()
        seal = tail[-_LENGTH:]
        if seal.startswith(_SEAL):
            whole = _hash(stream, size - _LENGTH) == seal.removeprefix(_SEAL)
            return None if whole else "its contents do not match its own hash"
    at = tail.rfind(_END)
    if at >= 0 and tail[at + 20 : at + 22] == _LENGTH.to_bytes(2, "little"):
        return "its own hash is not whole"
    return None


def _hash(stream: IO[bytes], size: int) -> bytes:
    digest = hashlib.sha256()
    stream.seek(0)
    while size > 0 and (block := stream.read(min(_BLOCK, size))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()
