"""Pairs from any two folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings, ImageDataset
from realdeg.datasets.records import (
    Fault,
    Record,
    chosen_names,
    find_folder,
    list_images,
    resolve,
)
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import RealScale


@DATASETS.register_module()
class PairedFolderDataset(ImageDataset):
    """Pairs by name from an HR and an LR folder, which may be the same.

    Args:
        hr_dir: Folder of HR images, absolute or below ``data_root``.
        lr_dir: Folder of LR images, likewise.
        pattern: Name of an HR file without its suffix; ``{name}`` pairs it, ``{scale}`` is the
            scale.
        lr_pattern: The same for LR, such as ``{name}x{scale}``.
        recursive: Whether to include subfolders; the path is part of the name.
        allow_unpaired: Whether files without a partner are counted instead of being a fault.
        names: The pairs to use, by ``{name}``; None uses all.
        split: A name for messages only.
        scale: HR pixels per LR pixel, unless ``same_size``.
        same_size: Whether LR lies on the HR grid.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If a pattern has no ``{name}``, or both sides would be the same files.
        DataError: If a folder is missing, there are no pairs, or one of ``names`` is not there.
    """

    split_is_a_name = True

    def __init__(
        self,
        hr_dir: str | Path,
        lr_dir: str | Path,
        pattern: str = "{name}",
        lr_pattern: str = "{name}",
        recursive: bool = False,
        allow_unpaired: bool = False,
        names: Sequence[str] | None = None,
        *,
        split: str = "train",
        scale: RealScale = 4,
        same_size: bool = False,
        **settings: Unpack[CommonSettings],
    ) -> None:
        data_root = settings.get("data_root")
        self.hr_dir = resolve(hr_dir, data_root)
        self.lr_dir = resolve(lr_dir, data_root)
        self.pattern = pattern
        self.lr_pattern = lr_pattern
        self.recursive = recursive
        self.allow_unpaired = allow_unpaired
        self.names = names
        if self.hr_dir == self.lr_dir and pattern == lr_pattern:
            raise ConfigError(
                f"{type(self).__name__}: hr_dir and lr_dir are both {self.hr_dir}, so pattern and"
                f" lr_pattern must differ, got {pattern!r} twice."
            )
        super().__init__(scale=scale, same_size=same_size, split=split, **settings)

    def find(self) -> list[Record]:
        """Match the names of both folders."""
        hr = self._names(self.hr_dir, self.pattern, "hr_dir")
        lr = self._names(self.lr_dir, self.lr_pattern, "lr_dir")
        if self.names is not None:
            hr = chosen_names(hr, self.names, f"{self.label}: hr_dir {self.hr_dir}")
            lr = chosen_names(lr, self.names, f"{self.label}: lr_dir {self.lr_dir}")
        records = [
            Record(name, hr[name], lr[name], self.meta_of(name)) for name in hr if name in lr
        ]
        only_hr = [hr[name] for name in hr if name not in lr]
        only_lr = [lr[name] for name in lr if name not in hr]
        if not records:
            raise DataError(
                f"{self.label}: no pairs; {len(hr)} HR in {self.hr_dir} match '{self.pattern}' and"
                f" {len(lr)} LR in {self.lr_dir} match '{self.lr_pattern}', and no {{name}} is in"
                f" both. For instance {self._examples(hr, lr)}."
            )
        if self.allow_unpaired:
            if only_hr:
                self.missing.append(f"{len(only_hr)} HR without LR left out")
            if only_lr:
                self.missing.append(f"{len(only_lr)} LR without HR left out")
            return records
        self.faults += [Fault(file, f"has no LR in {self.lr_dir}") for file in only_hr]
        self.faults += [Fault(file, f"has no HR in {self.hr_dir}") for file in only_lr]
        return records

    def meta_of(self, name: str) -> dict[str, str]:
        """Return information from a pair's name; nothing by default."""
        return {}

    def _names(self, folder: Path, pattern: str, argument: str) -> dict[str, Path]:
        if "{name}" not in pattern:
            raise ConfigError(
                f"{type(self).__name__}: the pattern {pattern!r} lacks {{name}}, which pairs the"
                " files."
            )
        expression = re.escape(pattern.replace("{scale}", str(self.scale)))
        expression = expression.replace(re.escape("{name}"), "(?P<name>.+)", 1)
        found = find_folder([folder], f"the folder of {argument}", f"Set data_root or {argument}.")
        names: dict[str, Path] = {}
        for stem, file in list_images(found, self.recursive).items():
            match = re.fullmatch(expression, stem)
            if match:
                names[match["name"]] = file
        return names

    @staticmethod
    def _examples(hr: dict[str, Path], lr: dict[str, Path]) -> str:
        files = [next(iter(side.values())).name for side in (hr, lr) if side]
        return " and ".join(files) or "neither folder holds a file that matches"
