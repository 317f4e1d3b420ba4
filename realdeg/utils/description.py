"""How a file of weights describes itself, read without torch and without its tensors."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realdeg.errors import CheckpointError
from realdeg.utils.plain_json import read_json

_LONGEST_HEADER = 1 << 24


@dataclass(frozen=True)
class Description:
    """The header of a self-describing file. Nothing in it has been checked yet."""

    kind: str
    """``"degradation"`` or ``"backbone"``."""
    type: str
    """The registered name."""
    arguments: dict[str, Any]
    """The arguments of its constructor."""
    meta: dict[str, Any]
    """Notes, such as ``sample`` or ``objective``."""
    hash: str | None = None
    """The component's hash, equal wherever type, arguments and weights are equal."""


def read_description(path: str | os.PathLike[str]) -> Description | None:
    """Read the header of a ``.safetensors`` file.

    Returns:
        The description, or None if the file is missing or does not describe itself.
    """
    try:
        with Path(path).open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, _LONGEST_HEADER)))["__metadata__"]
        arguments, meta = (
            read_json(header[key], key, CheckpointError, finite=False)
            for key in ("arguments", "meta")
        )
        if not isinstance(arguments, dict) or not isinstance(meta, dict):
            return None
        kind, type_, digest = str(header["kind"]), str(header["type"]), header.get("hash")
        return Description(kind, type_, arguments, meta, None if digest is None else str(digest))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, CheckpointError):
        return None
