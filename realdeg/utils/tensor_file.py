"""Safetensors files from untrusted sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from realdeg.utils.files import open_regular

MOST_HEADER = 2**24
"""The longest header in bytes, enough for 200,000 tensors."""


@contextmanager
def open_tensors(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a safetensors file.

    Yields:
        What ``safetensors.safe_open`` gives: ``metadata()``, ``keys()`` and ``get_tensor(name)``.

    Raises:
        ValueError: If it is damaged or in another format, here or during a later read.
        OSError: If it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    with open_regular(path) as stream:
        length = int.from_bytes(stream.read(8), "little")
        size = os.fstat(stream.fileno()).st_size
    if length > size - 8:
        raise ValueError("a header longer than the file")
    if length > MOST_HEADER:
        raise ValueError(f"a header of {length:,} bytes, where {MOST_HEADER:,} are the most")
    try:
        with safe_open(os.fspath(path), framework="pt") as opened:
            yield opened
    # Number types that torch does not know, and impossible shapes.
    except (SafetensorError, RuntimeError, KeyError, AttributeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
