"""Images that are no files of their own: members of tar files, rows of tables, values by key."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TypeAlias

from realdeg.utils.files import sha256_file


class StoredImage(ABC):
    """An image in something else than a file of its own.

    Functions that read images take it in place of a path. It is hashable and can be pickled.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called where it lies, such as ``a.png``."""

    @property
    def suffix(self) -> str:
        """The end of its name, such as ``.png``; empty if the name has none."""
        return os.path.splitext(self.name)[1]

    @property
    def costly(self) -> bool:
        """Whether reading it takes far longer than reading as many bytes from a disk."""
        return False

    @abstractmethod
    def __str__(self) -> str:
        """Return where it lies, for messages."""

    @abstractmethod
    def content(self) -> bytes:
        """Return the bytes of the image's file.

        Raises:
            DataError: If they cannot be read, or are more than any image within the limit has.
        """

    @abstractmethod
    def state(self) -> tuple[int, str]:
        """Return its size and version, as :func:`state_of` does."""


ImageFile: TypeAlias = Path | StoredImage
"""An image of a data set: a file, or what stands for one."""


def state_of(image: ImageFile) -> tuple[int, str]:
    """Return what shows, without reading an image, whether it was edited.

    Args:
        image: The image.

    Returns:
        Its bytes (0 where only reading would tell), and when it or what holds it was written.

    Raises:
        DataError: If what holds it is not there any more.
        OSError: The same for a file of its own.
    """
    if isinstance(image, StoredImage):
        return image.state()
    found = image.stat()
    return found.st_size, str(found.st_mtime_ns)


def sha256_of(image: ImageFile) -> str:
    """Return the SHA-256 of an image's bytes as 64 hexadecimal digits.

    Raises:
        DataError: If they cannot be read.
        OSError: The same for a file of its own.
    """
    if isinstance(image, StoredImage):
        return hashlib.sha256(image.content()).hexdigest()
    return sha256_file(image)
