"""Opening safetensors files that anybody wrote."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from realdeg.utils.files import open_regular

MOST_HEADER = 2**24
"""The longest header in bytes; 200,000 tensors have one of that length."""


@contextmanager
def open_tensors(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a safetensors file.

    Args:
        path: The file.

    Yields:
        What ``safetensors.safe_open`` gives: ``metadata()``, ``keys()`` and ``get_tensor(name)``.

    Raises:
        ValueError: If it is damaged or of another format, here or while it is read.
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
    # Types of numbers that torch does not know, and shapes that it cannot have.
    except (SafetensorError, RuntimeError, KeyError, AttributeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
