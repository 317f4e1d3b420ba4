"""PyTorch archives that contain a hash of themselves.

The checksums in the zip archive of ``torch.save`` do not cover all of it, and ``torch.load``
ignores them, so a flipped bit goes unnoticed. The hash is stored in the archive's comment, which
all readers of zip archives ignore.
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
    """Write what ``torch.save`` made, a zip archive without a comment, and its hash."""
    if archive[-22:-18] != _END or archive[-2:] != b"\0\0":
        raise ValueError("this is not a zip archive without a comment")
    body, length = archive[:-2], _LENGTH.to_bytes(2, "little")
    digest = hashlib.sha256(body)
    digest.update(length)
    for part in (body, length, _SEAL, digest.hexdigest().encode()):
        stream.write(part)


def damage(path: str | os.PathLike[str]) -> str | None:
    """Compare a whole file with its own hash.

    A file without one passes; ``check_archive`` compares the checksums of its archive.

    Returns:
        What is wrong, as a phrase, or None.

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
