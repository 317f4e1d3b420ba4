"""HR images alone, from which a degradation makes LR."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings, ImageDataset
from realdeg.datasets.records import Record, chosen_names, find_folder, list_images, resolve
from realdeg.errors import DataError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import Count, RealScale
from realdeg.utils.image import ImageFile


@DATASETS.register_module()
class HRFolderDataset(ImageDataset):
    """Folders of HR images.

    Args:
        folder: One folder or several, absolute or below ``data_root``.
        recursive: Whether to include subfolders.
        pattern: Shell-style pattern of the file names, such as ``"*_HR.png"`` if HR and LR share a
            folder.
        min_size: The least height and width in pixels; None takes the transforms' (the patch).
        too_small: ``refuse`` reports smaller images in :meth:`check`; ``skip`` omits them and
            counts them in the summary. Nothing is padded.
        names: The images to use, by their path without suffix as in ``keys``; None uses all.
        split: A name for messages only.
        scale: The scale of the degradation.
        same_size: Whether LR will lie on the HR grid.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If ``too_small`` is neither.
        DataError: If a folder is missing, has no suitable image, or lacks one of ``names``.
    """

    split_is_a_name = True
    config_fields = {"folder": "hr_folders"}

    def __init__(
        self,
        folder: str | Path | Sequence[str | Path],
        recursive: bool = False,
        pattern: str = "*",
        min_size: Count | None = None,
        too_small: Literal["refuse", "skip"] = "refuse",
        names: Sequence[str] | None = None,
        *,
        split: str = "train",
        scale: RealScale = 4,
        same_size: bool = False,
        **settings: Unpack[CommonSettings],
    ) -> None:
        given = [folder] if isinstance(folder, str | Path) else list(folder)
        self.folders = [resolve(one, settings.get("data_root")) for one in given]
        self.recursive = recursive
        self.pattern = pattern
        self.min_size = min_size
        self.too_small = too_small
        self.names = names
        super().__init__(scale=scale, same_size=same_size, split=split, **settings)

    @property
    def required_size(self) -> int:
        """The least height and width in pixels that an image must have."""
        return max(super().required_size, self.min_size or 1)

    def find(self) -> list[Record]:
        """List the images of all folders."""
        records = []
        for number, folder in enumerate(self.folders):
            found = find_folder([folder], "the folder of HR images", "Set data_root or folder.")
            # Different folders may contain the same names.
            prefix = f"{number}-{folder.name}/" if len(self.folders) > 1 else ""
            for name, file in list_images(found, self.recursive).items():
                if fnmatchcase(file.name, self.pattern):
                    records.append(Record(prefix + name, file))
        places = ", ".join(str(folder) for folder in self.folders)
        if self.names is not None:
            by_name = {record.key: record for record in records}
            records = list(chosen_names(by_name, self.names, f"{self.label}: {places}").values())
        if not records:
            raise DataError(f"{self.label}: no images named {self.pattern} in {places}.")
        if self.too_small == "skip":
            large = [record for record in records if self._is_large(record.hr)]
            if len(large) < len(records):
                self.missing.append(
                    f"{len(records) - len(large)} skipped, smaller than {self.required_size} pixels"
                )
            if not large:
                raise DataError(
                    f"{self.label}: all {len(records)} images in {places} are smaller than"
                    f" {self.required_size} pixels."
                )
            records = large
        return records

    def _is_large(self, file: ImageFile) -> bool:
        try:
            return min(self.size_of(file)) >= self.required_size
        except DataError:
            return True  # unreadable, which check() reports
