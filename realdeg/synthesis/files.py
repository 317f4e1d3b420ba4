"""Images that are files of their own, here or in a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from realdeg.errors import DataError
from realdeg.synthesis.entries import Entry, check_size, in_order
from realdeg.synthesis.stores import read_whole
from realdeg.utils.image import IMAGE_SUFFIXES, largest_image_file


class FileSource:
    """Images that are files of their own.

    Args:
        files: Path or address, and bytes (-1: unknown), by relative name.
        ignored: Names of files that are no images.
        refused: Reasons by name of what cannot be read.

    Raises:
        DataError: If there is no image.
    """

    def __init__(
        self,
        files: Mapping[str, tuple[str, int]],
        ignored: Sequence[str] = (),
        refused: Mapping[str, str] | None = None,
    ) -> None:
        self.refused = dict(refused or {})
        others = [name for name in files if not name.lower().endswith(IMAGE_SUFFIXES)]
        self.ignored = sorted([*ignored, *others])
        left_out = set(others)
        self.entries = in_order(
            Entry(name, place, size=size)
            for name, (place, size) in files.items()
            if name not in left_out
        )
        if not self.entries and not self.refused:
            raise DataError(f"there are no images ({', '.join(IMAGE_SUFFIXES)}).")

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of an image's file; see :class:`Source`."""
        return read_file(entry)


def read_file(entry: Entry) -> bytes:
    """Return the bytes of an image that is a file of its own.

    Raises:
        DataError: If it cannot be read, or is larger than any image within the limit.
    """
    check_size(entry.name, entry.place, entry.size)
    return read_whole(entry.place, largest_image_file())
