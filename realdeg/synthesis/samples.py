"""One pair of a data set: HR, LR and what was done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""One line of a manifest."""


@dataclass(frozen=True)
class Sample:
    """One pair.

    Args:
        key: Names it in its data set; relative, with ``/``.
        lr: The bytes of the LR image's file.
        hr: The bytes of the HR image's PNG file, or None if it is not stored.
        row: What a manifest records of it. ``output`` is filled in by the sink.
    """

    key: str
    lr: bytes
    hr: bytes | None
    row: Row


@dataclass(frozen=True)
class Made:
    """What became of one image.

    Args:
        samples: Its pairs, by variant and crop.
        dropped: A row about patches that were left out, or None.
    """

    samples: tuple[Sample, ...]
    dropped: Row | None = None


def sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def line_of(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line of JSON, as manifests hold it."""
    return json.dumps(row, allow_nan=False).encode() + b"\n"
