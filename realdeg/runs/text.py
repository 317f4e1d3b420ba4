"""Text files of a run, within limits."""

from __future__ import annotations

from pathlib import Path

from realdeg.errors import DataError
from realdeg.utils.files import open_regular


def read_text(file: Path, largest: int) -> str:
    """Read a text file; bytes that are not UTF-8 become U+FFFD.

    Args:
        file: A regular file.
        largest: The most bytes.

    Raises:
        DataError: If it cannot be read or is larger.
    """
    try:
        with open_regular(file) as stream:
            raw = stream.read(largest + 1)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    if len(raw) > largest:
        raise DataError(f"{file} is larger than {largest} bytes: no run writes such a file.")
    return raw.decode("utf-8", "replace")
