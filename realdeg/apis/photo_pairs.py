"""Folders of real pairs: found, with their geometry, and judged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from realdeg.apis.registration_file import registered_geometry
from realdeg.datasets.paired import PairedFolderDataset
from realdeg.datasets.records import list_images, subfolder
from realdeg.errors import DataError, GeometryError, as_given
from realdeg.evaluation.alignment_limits import AlignmentVerdict, judge_alignment, measure_pairs
from realdeg.utils.image import image_size

Pairs: TypeAlias = str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]]
"""A folder with the folders HR and LR, or the two folders."""
Size: TypeAlias = tuple[int, int]

_SCALES = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True)
class PhotoPairs:
    """Pairs of photos in two folders.

    Args:
        hr_dir: The folder of HR images.
        lr_dir: The folder of LR images of the same names.
        names: The names of the pairs, sorted.
        sizes: Height and width of HR, by name.
        scale: HR pixels per LR pixel, or the resolution that a same-size LR lost.
        same_size: Whether LR lies on the HR grid.
    """

    hr_dir: Path
    lr_dir: Path
    names: tuple[str, ...]
    sizes: dict[str, Size]
    scale: int
    same_size: bool

    @property
    def stride(self) -> int:
        """HR pixels per LR pixel on the grid."""
        return 1 if self.same_size else self.scale

    def lr_pixels(self, names: Sequence[str] | None = None) -> int:
        """Return the number of LR pixels of some pairs; None: of all."""
        chosen = self.names if names is None else names
        return sum(
            (self.sizes[name][0] // self.stride) * (self.sizes[name][1] // self.stride)
            for name in chosen
        )

    def sizes_of(self, names: Sequence[str]) -> list[Size]:
        """Return height and width of the HR images of some pairs."""
        return [self.sizes[name] for name in names]

    def config(self, names: Sequence[str], transforms: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the config of a data set of some pairs; the files are named absolutely."""
        return dict(
            type="PairedFolderDataset",
            hr_dir=str(self.hr_dir),
            lr_dir=str(self.lr_dir),
            names=list(names),
            recursive=True,
            transforms=[dict(step) for step in transforms],
        )

    def data_set(
        self,
        names: Sequence[str] | None = None,
        transforms: Sequence[dict[str, Any]] | None = None,
    ) -> PairedFolderDataset:
        """Return some pairs as a data set, without transforms if there are none; None: all."""
        return PairedFolderDataset(
            self.hr_dir,
            self.lr_dir,
            names=list(self.names if names is None else names),
            recursive=True,
            scale=self.scale,
            same_size=self.same_size,
            transforms=transforms,
        )

    def identity(self) -> str:
        """Return what tells these pairs from others: their folders, number, geometry and sizes."""
        return f"{self.hr_dir} and {self.lr_dir} ({self.describe()})"

    def describe(self) -> str:
        """Return number, geometry and sizes in words."""
        grid = "LR on the HR grid" if self.same_size else f"LR {self.scale} times smaller"
        megapixels = self.lr_pixels() / 1e6
        return f"{len(self.names)} pairs x{self.scale}, {grid}, {megapixels:.2f} MP of LR"


def find_pairs(pairs: Pairs, scale: int | None = None, *, assumed: int | None = None) -> PhotoPairs:
    """Find the pairs that a folder or two folders hold, and their geometry.

    Scale and grid are those of ``registration.json`` where ``realdeg register`` wrote it. Without
    it they follow from the sizes; the scale of LR on the HR grid has to be stated.

    Args:
        pairs: A folder with the folders HR and LR, or the two folders.
        scale: HR pixels per LR pixel; None: as found.
        assumed: The scale of LR on the HR grid where nothing states it.

    Raises:
        DataError: If folders or pairs are missing, or unreadable.
        GeometryError: If the sizes fit no scale, or another one than stated.
    """
    hr_dir, lr_dir, home = _folders(pairs)
    hr, lr = list_images(hr_dir, recursive=True), list_images(lr_dir, recursive=True)
    names = tuple(sorted(set(hr) & set(lr)))
    if not names:
        raise DataError(
            f"there are no pairs: none of the {len(hr)} images in {hr_dir} has the name of one of"
            f" the {len(lr)} in {lr_dir}. Photos of two focal lengths become pairs by"
            " `realdeg register`."
        )
    if len(names) < max(len(hr), len(lr)):
        alone = sorted(set(hr) ^ set(lr))
        raise DataError(
            f"{alone[0]} and {len(alone) - 1} more images have no partner in {hr_dir} and {lr_dir}:"
            " remove them, or add their partners."
            if len(alone) > 1
            else f"{alone[0]} has no partner in {hr_dir} and {lr_dir}: remove it, or add one."
        )
    sizes = {name: image_size(hr[name]) for name in names}
    small = {name: image_size(lr[name]) for name in names}
    stated = _registered(home)
    found, same_size = _geometry(sizes, small)
    if same_size:
        found = scale or stated or assumed
        if found is None:
            raise GeometryError(
                f"LR in {lr_dir} is as large as HR, so the files do not tell how much resolution"
                f" it lost: state it with {as_given(scale=4)}."
            )
    elif scale not in (None, found):
        raise GeometryError(
            f"HR in {hr_dir} is {found} times larger than LR, not {scale} times: leave the scale"
            " out.",
            fits=(found or 1, False),
        )
    return PhotoPairs(hr_dir, lr_dir, names, sizes, int(found or 1), same_size)


def check_alignment(pairs: PhotoPairs, allowed: bool, count: int = 8) -> AlignmentVerdict:
    """Measure whether the pairs are aligned.

    Args:
        pairs: The pairs.
        allowed: Whether misaligned pairs are used all the same.
        count: How many of them to measure, spread evenly.

    Raises:
        DataError: If they are off, and that is not allowed.
    """
    data = pairs.data_set()
    measured = measure_pairs(data.load, len(data), pairs.scale, pairs.same_size, pairs=count)
    verdict = judge_alignment(measured, pairs.scale, pairs.same_size)
    if verdict.fault and not allowed:
        raise DataError(
            f"the pairs in {pairs.hr_dir} and {pairs.lr_dir} are off: {verdict.fault}. A camera"
            " fitted to them would learn the misalignment: register them first"
            " (`realdeg register`), or use them as they are with"
            f" {as_given(allow_misaligned=True)}."
        )
    return verdict


def _folders(pairs: Pairs) -> tuple[Path, Path, Path | None]:
    if isinstance(pairs, tuple):
        hr_dir, lr_dir = (Path(one).expanduser() for one in pairs)
        for folder in (hr_dir, lr_dir):
            if not folder.is_dir():
                raise DataError(f"there is no folder {folder}.")
        if hr_dir.resolve() == lr_dir.resolve():
            raise DataError(f"HR and LR are the same folder, {hr_dir}: name two.")
        return hr_dir.resolve(), lr_dir.resolve(), None
    home = Path(pairs).expanduser()
    if not home.is_dir():
        raise DataError(f"there is no folder {home}.")
    found = [subfolder(home, name) for name in ("HR", "LR")]
    if found[0] is None or found[1] is None:
        photos = len(list_images(home, recursive=True))
        raise DataError(
            f"{home} holds {photos} images, but not the folders HR and LR: a camera is learned"
            " from pairs. `realdeg register` makes them from photos of two focal lengths."
        )
    return found[0].resolve(), found[1].resolve(), home.resolve()


def _registered(home: Path | None) -> int | None:
    """Return the scale that ``realdeg register`` noted, if it made the pairs."""
    scale = None if home is None else registered_geometry(home)[0]
    return None if scale is None else round(scale)


def _geometry(sizes: dict[str, Size], small: dict[str, Size]) -> tuple[int | None, bool]:
    """Return scale and grid by the sizes; the scale is None if LR is as large as HR."""
    if all(sizes[name] == small[name] for name in sizes):
        return None, True
    fitting = [
        scale
        for scale in _SCALES[1:]
        if all(tuple(side // scale for side in sizes[name]) == small[name] for name in sizes)
    ]
    if len(fitting) != 1:
        worst = next(iter(sizes))
        (height, width), (rows, columns) = sizes[worst], small[worst]
        raise GeometryError(
            f"the sizes of the pairs fit no whole scale: '{worst}' has HR of {height} x {width} and"
            f" LR of {rows} x {columns} pixels. HR has to be 2, 3, 4, 6 or 8 times as large in all"
            " pairs, or as large as LR."
        )
    return fitting[0], False
