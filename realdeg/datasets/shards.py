"""Images and pairs in tar shards, Parquet files, LMDB folders, and folders in a store."""

from __future__ import annotations

from collections.abc import Sequence
from glob import has_magic
from pathlib import Path
from typing import Annotated

from annotated_types import MinLen
from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings, ImageDataset
from realdeg.datasets.records import Fault, Record, chosen_names, resolve, sample_hint
from realdeg.errors import DataError
from realdeg.registry import DATASETS
from realdeg.synthesis.stored import find_images, find_sides, is_unfinished
from realdeg.synthesis.stores import is_address, local_path
from realdeg.utils.argument_types import RealScale


@DATASETS.register_module()
class PairedShardDataset(ImageDataset):
    """Pairs from a data set that ``realdeg degrade --to`` wrote in any format, or of its kind.

    The format is found by looking: tar shards of WebDataset (``key.hr.png``, ``key.lr.png``),
    Parquet files (columns ``hr`` and ``lr``), LMDB folders of BasicSR (``*_HR.lmdb``,
    ``*_LR.lmdb``) or image folders (``HR``, ``LR``); all but LMDB at an address as well, such as
    ``s3://bucket/pairs``. Any image is read by itself, so samplers, seeds and resumes work as with
    files: keys, order and pixels are those of :class:`PairedFolderDataset` on the same images.

    Args:
        root: The folder, absolute or below ``data_root``; a file or a pattern of its shards; or an
            address.
        hr: What the HR side is called: ``key.HR.png``, a column, ``*_HR.lmdb``, or a folder. The
            full name of an LMDB folder is accepted too.
        lr: The same for LR.
        names: The keys to use; None uses all.
        split: A name for messages only.
        scale: HR pixels per LR pixel, unless ``same_size``.
        same_size: Whether LR lies on the HR grid.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If a package is missing, or both sides have one name.
        DataError: If there are no pairs, or a file is truncated or damaged.
    """

    split_is_a_name = True

    def __init__(
        self,
        root: str | Path,
        hr: Annotated[str, MinLen(1)] = "hr",
        lr: Annotated[str, MinLen(1)] = "lr",
        names: Sequence[str] | None = None,
        *,
        split: str = "train",
        scale: RealScale = 4,
        same_size: bool = False,
        **settings: Unpack[CommonSettings],
    ) -> None:
        self.root = _resolved(root, settings.get("data_root"))
        self.hr, self.lr = hr, lr
        self.names = names
        super().__init__(scale=scale, same_size=same_size, split=split, **settings)

    def find(self) -> list[Record]:
        """Match the keys of both sides."""
        hr, lr = find_sides(self.root, self.hr, self.lr)
        if self.names is not None:
            hr = chosen_names(hr, self.names, f"{self.label}: {self.hr} in {self.root}")
            lr = chosen_names(lr, self.names, f"{self.label}: {self.lr} in {self.root}")
        records = [Record(key, hr[key], lr[key]) for key in hr if key in lr]
        if not records:
            raise DataError(
                f"{self.label}: no pairs; {self.root} has {len(hr)} images called '{self.hr}' and"
                f" {len(lr)} called '{self.lr}', and no key is in both. Data sets that were made"
                " with --no-hr hold LR alone."
            )
        for side, other, lacking in ((hr, lr, "LR"), (lr, hr, "HR")):
            alone = [image for key, image in side.items() if key not in other]
            self.faults += [Fault(image, f"has no {lacking} in {self.root}") for image in alone]
        _note_unfinished(self, self.root)
        return records


@DATASETS.register_module()
class HRShardDataset(ImageDataset):
    """HR images from tar files, Parquet files, LMDB folders or an address, to be degraded.

    Keys, order and pixels are those of :class:`HRFolderDataset` on the same images.

    Args:
        root: As for :class:`PairedShardDataset`, or an address of images.
        field: Which image of a sample is HR where it has several: ``"hr"`` for ``key.hr.png``, a
            column, ``*_HR.lmdb``, or a folder; None: the only one.
        names: The keys to use; None uses all.
        split: A name for messages only.
        scale: The scale of the degradation.
        same_size: Whether LR will lie on the HR grid.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If a package is missing.
        DataError: If there are no images, a file is truncated or damaged, or ``field`` is needed.
    """

    split_is_a_name = True

    def __init__(
        self,
        root: str | Path,
        field: Annotated[str, MinLen(1)] | None = None,
        names: Sequence[str] | None = None,
        *,
        split: str = "train",
        scale: RealScale = 4,
        same_size: bool = False,
        **settings: Unpack[CommonSettings],
    ) -> None:
        self.root = _resolved(root, settings.get("data_root"))
        self.field = field
        self.names = names
        super().__init__(scale=scale, same_size=same_size, split=split, **settings)

    def find(self) -> list[Record]:
        """List the images by their keys."""
        found = find_images(self.root, self.field)
        if self.names is not None:
            found = chosen_names(found, self.names, f"{self.label}: {self.root}")
        _note_unfinished(self, self.root)
        return [Record(key, image) for key, image in found.items()]


def _resolved(root: str | Path, data_root: str | Path | None) -> str:
    text = local_path(str(root))
    if is_address(text):
        return text
    path = resolve(text, data_root)
    if not (path.exists() or has_magic(str(path))):
        raise DataError(
            f"the data set was not found: looked for {path}. Set data_root or root. {sample_hint()}"
        )
    return str(path)


def _note_unfinished(data: ImageDataset, root: str) -> None:
    if is_unfinished(root):
        data.missing.append("its manifest.jsonl, so that shards may be missing as well")
