"""Images that a text file lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realdeg.datasets import ImageDataset, Record
from realdeg.datasets.records import Fault, resolve
from realdeg.errors import DataError
from realdeg.registry import DATASETS


@DATASETS.register_module()
class ListedImages(ImageDataset):
    """The images, or pairs, that a text file lists: one split of a large folder, say.

    A line holds the path of an HR image and, for a pair, after a tab that of its LR image; both are
    relative to the list. Empty lines and lines that begin with # are passed over.

    Args:
        list_file: The text file, absolute or below ``data_root``.
        **settings: As for every :class:`~realdeg.datasets.ImageDataset`: scale, same_size,
            data_root, seed, split, transforms, cache_mb.

    Raises:
        DataError: If the list is not there.
    """

    split_is_a_name = True

    def __init__(self, list_file: str | Path, **settings: Any) -> None:
        self.list_file = resolve(list_file, settings.get("data_root"))
        super().__init__(**settings)

    def find(self) -> list[Record]:
        """List the images in the order of the file; what is listed and missing is a fault."""
        if not self.list_file.is_file():
            raise DataError(f"{self.label}: there is no list at {self.list_file}. Set list_file.")
        records = []
        for line in self.list_file.read_text("utf-8").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            hr, *lr = (self.list_file.parent / name.strip() for name in line.split("\t"))
            lacking = [file for file in (hr, *lr) if not file.is_file()]
            self.faults += [Fault(file, f"is listed in {self.list_file}") for file in lacking]
            if not lacking:
                key = hr.relative_to(self.list_file.parent).with_suffix("").as_posix()
                records.append(Record(key, hr, lr[0] if lr else None))
        return records
