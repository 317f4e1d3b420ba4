"""The contract of every data set of images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias, TypedDict, cast

import numpy as np
from torch.utils.data import Dataset

from realdeg.datasets.checking import (
    Size,
    inspect_records,
    pair_fault,
    refuse_faults,
    refuse_geometry,
    worth_inspecting,
)
from realdeg.datasets.records import Fault, Record, sample_hint
from realdeg.datasets.traits import ImageSource
from realdeg.datasets.transforms.chain import Step, build_chain
from realdeg.errors import DataError, GeometryError
from realdeg.utils.argument_types import Component, NonNegative, RealScale
from realdeg.utils.image import ImageFile, StoredImage, as_rgb, image_size, read_image
from realdeg.utils.place import Place
from realdeg.utils.samples import LoadedSample, PackedSample, Sample
from realdeg.utils.scales import as_scale, divides
from realdeg.utils.streams import Stream

TransformLike: TypeAlias = Annotated[dict[str, Any] | Step, Component("transform")]
"""A step of a data set or its config."""
DatasetLike: TypeAlias = Annotated[dict[str, Any] | ImageSource, Component("dataset")]
"""A data set or its config."""


class CommonSettings(TypedDict, total=False):
    """What constructors pass on to :class:`ImageDataset`."""

    data_root: str | Path | None
    seed: int
    transforms: Sequence[TransformLike] | None
    cache_mb: NonNegative
    whole_photos: bool


# A summary reads the sizes of at most this many files that are slow to read.
_SLOW_SIZES = 16


class ImageDataset(Dataset[PackedSample]):
    """Images or pairs of images in files, and what is done to each sample.

    Subclasses set their own attributes, then call this constructor, which calls :meth:`find`.

    An item is requested by ``index`` (evaluation) or by ``(position, index)`` (training), where
    ``position`` counts the samples of the run; ``(position, index, scale)`` requests HR that is
    cropped for the scale drawn for its batch. Its randomness depends on ``(seed, position)``, or on
    ``(seed, key)`` in evaluation, so neither workers, processes nor a resume change anything.

    Args:
        scale: HR pixels per LR pixel, for pairs and for degradations in the transforms.
        same_size: Whether LR lies on the HR grid.
        data_root: The folder of all data sets; None means ``./data``.
        seed: The run's seed.
        split: Which part of the data.
        transforms: Transforms or their configs, in order; None only packs tensors.
        cache_mb: Megabytes of decoded images cached in each worker process; 0 caches none.
        whole_photos: Whether each HR file is a whole photo with the optical axis in its middle, so
            that the place of every crop is known (``meta["place"]``). Crops of unknown place, such
            as those of RealSR V3, are not.

    Raises:
        DataError: If the files are missing.
        GeometryError: If the data are known to have another geometry.
    """

    collated_by: ClassVar[str] = "collate_batch"
    """The default collate function of a loader."""

    split_is_a_name: ClassVar[bool] = False
    """Whether ``split`` selects no files, so that configs need not set it."""

    grid: ClassVar[bool | None] = None
    """The required ``same_size``, if it is known for the data."""

    protocol: ClassVar[str | None] = None
    """The default protocol for super-resolution on these data."""

    config_fields: ClassVar[Mapping[str, str]] = {}
    """Arguments filled from a config's top-level field of another name."""

    def __init__(
        self,
        *,
        scale: RealScale = 4,
        same_size: bool = False,
        data_root: str | Path | None = None,
        seed: int = 0,
        split: str = "train",
        transforms: Sequence[TransformLike] | None = None,
        cache_mb: NonNegative = 256,
        whole_photos: bool = False,
    ) -> None:
        self.scale = as_scale(scale)
        self.same_size = bool(same_size)
        self.data_root = data_root
        self.seed = int(seed)
        self.split = split
        self.transforms = build_chain(transforms, self.label)
        self.cache_bytes = int(cache_mb * 2**20)
        self.whole_photos = whole_photos
        self.missing: list[str] = []
        """What is missing but tolerated, for the summary."""
        self.faults: list[Fault] = []
        """Faults in the list of files, for :meth:`check`."""
        self._cache: dict[ImageFile, np.ndarray] = {}
        self._cached_bytes = 0
        self._sizes: dict[ImageFile, Size] = {}
        # Files with one colour channel, which their cached RGB does not show.
        self._grey: set[ImageFile] = set()
        self._check_grid()
        self.records = self.find()
        if not self.records and not self.faults:
            raise DataError(f"{self.label} holds no images. {sample_hint()}")

    @abstractmethod
    def find(self) -> list[Record]:
        """List the files in a fixed order; may append to ``missing`` and ``faults``."""

    @property
    def label(self) -> str:
        """What the data set is called in messages."""
        return f"{type(self).__name__} {self.split}"

    @property
    def keys(self) -> list[str]:
        """The key of every item, in order."""
        return [record.key for record in self.records]

    @property
    def required_size(self) -> int:
        """The least height and width of HR files, in pixels, that the transforms accept."""
        size = 1
        for transform in reversed(self.transforms):
            size = getattr(transform, "required_size", lambda after: after)(size)
        return size

    @property
    def has_lr(self) -> bool:
        """Whether every sample has LR, from a file or made by a transform."""
        made = any(getattr(step, "makes_lr", False) for step in self.transforms)
        return made or all(record.lr is not None for record in self.records)

    def __len__(self) -> int:
        return len(self.records)

    def load(self, index: int) -> LoadedSample:
        """Read one item's images.

        Returns:
            ``hr`` and, for a pair, ``lr`` (H x W x 3, uint8 or uint16, read-only), ``key`` and
            ``meta``, in which ``grey`` is True if every file has one colour channel, and ``place``
            is that of HR where it is known.

        Raises:
            DataError: If a file cannot be read.
        """
        record = self.records[index]
        sample = LoadedSample(key=record.key, meta=dict(record.meta), hr=self._read(record.hr))
        if record.lr is not None:
            sample["lr"] = self._read(record.lr)
        if all(file in self._grey for file in (record.hr, record.lr) if file is not None):
            sample["meta"]["grey"] = True
        if self.whole_photos:
            sample["meta"]["place"] = Place.whole(*sample["hr"].shape[:2])
        return sample

    def __getitem__(self, item: int | tuple[int, int] | tuple[int, int, float]) -> PackedSample:
        """Return one transformed sample, with its ``position`` and ``scale`` where it has them.

        Args:
            item: ``index``, ``(position, index)`` or ``(position, index, scale)``.

        Raises:
            GeometryError: If a scale was drawn for a real pair, which has its own.
        """
        position, index, *drawn = item if isinstance(item, tuple | list) else (None, item)
        loaded = self.load(int(index))
        if drawn and "lr" in loaded:
            raise GeometryError(
                f"{self.label}: '{loaded['key']}' is a real pair with a scale of its own;"
                " scales are drawn (model.scales) only for HR images with a degradation."
            )
        stream = Stream(self.seed, loaded["key"] if position is None else int(position))
        sample: Sample | PackedSample = {
            **loaded,
            "scale": drawn[0] if drawn else self.scale,
            "same_size": self.same_size,
            "seed": stream.seed_for("degradation"),
            "stream": stream,
        }
        for transform in self.transforms:
            sample = transform(cast(Sample, sample))  # the one that packs is the last
        packed = cast(PackedSample, sample)
        if drawn:
            packed["scale"] = drawn[0]
        if position is not None:
            packed["position"] = int(position)
        return packed

    def summary(self) -> str:
        """Return one line: number, cameras, sizes, and what is missing."""
        paired = any(record.lr is not None for record in self.records)
        count = f"{len(self)} {'pair' if paired else 'HR image'}{'' if len(self) == 1 else 's'}"
        groups: dict[str, int] = {}
        for record in self.records:
            if "camera" in record.meta:
                camera = str(record.meta["camera"])
                groups[camera] = groups.get(camera, 0) + 1
        if groups:
            count += " (" + ", ".join(f"{name} {n}" for name, n in groups.items()) + ")"
        parts = [count, f"x{self.scale}"]
        if paired:
            parts.append("LR on the HR grid" if self.same_size else f"LR = HR / {self.scale}")
        parts.append(f"HR {self._size_range()}")
        notes = list(self.missing)
        if self.faults:
            notes.append(f"{len(self.faults)} files without a partner or missing")
        return f"{self.label}: {', '.join(parts)}; {'; '.join(notes) or 'nothing missing'}"

    def check(self, thorough: bool = False) -> None:
        """Find every fault before training, without decoding unless ``thorough``.

        Raises:
            GeometryError: If all pairs fit another ``scale`` or ``same_size``, naming it.
            DataError: Naming the first ten faults with file and reason, and the number of faults.
        """
        faults = list(self.faults)
        pairs: list[tuple[Size, Size]] = []
        remainder = any(getattr(step, "crops_remainder", False) for step in self.transforms)
        least = self.required_size
        records = self.records if thorough else worth_inspecting(self.records)
        for record, (found, hr, lr) in zip(
            records, inspect_records(records, thorough), strict=True
        ):
            faults += found
            if hr is None:
                continue
            self._sizes[record.hr] = hr
            if min(hr) < least:
                faults.append(self.too_small_fault(record.hr, hr))
            if record.lr is None or lr is None:
                continue
            pairs.append((hr, lr))
            reason = pair_fault(hr, lr, self.scale, self.same_size, remainder)
            if reason:
                faults.append(Fault(record.lr, reason))
        refuse_geometry(pairs, self.scale, self.same_size, self.label)
        refuse_faults(faults, self.label)

    def remainders(self) -> list[Fault]:
        """Return the HR images whose sides are not divisible by the scale when degraded.

        None are returned if a transform may crop.
        """
        if self.same_size or not all(getattr(t, "keeps_size", False) for t in self.transforms):
            return []
        found = []
        for record in self.records:
            if record.lr is not None:
                continue
            try:
                height, width = self.size_of(record.hr)
            except DataError:
                continue  # named by check()
            if not (divides(height, self.scale) and divides(width, self.scale)):
                reason = f"is {height} x {width} pixels, which do not divide by {self.scale}"
                found.append(Fault(record.hr, reason))
        return found

    def too_small_fault(self, path: ImageFile, size: Size) -> Fault:
        """Return the fault of an image smaller than the transforms need."""
        return Fault(
            path,
            f"is {size[0]} x {size[1]} pixels, smaller than the {self.required_size} that the"
            " transforms need",
        )

    def size_of(self, path: ImageFile) -> Size:
        """Return (height, width) of an image, cached."""
        if path not in self._sizes:
            self._sizes[path] = image_size(path)
        return self._sizes[path]

    def _check_grid(self) -> None:
        if self.grid is not None and self.grid != self.same_size:
            config = "realsr" if self.grid else "realsrv3"
            raise GeometryError(
                f"{self.label}: LR {'lies on the HR grid' if self.grid else 'is smaller than HR'}"
                f" in these data, but same_size={self.same_size}: use same_size={self.grid}, as"
                f" configs such as dml_n8_{config}_x{self.scale} do."
            )

    def _read(self, path: ImageFile) -> np.ndarray:
        array = self._cache.get(path)
        if array is not None:
            return array
        pixels = read_image(path)
        if pixels.shape[2] < 3:
            self._grey.add(path)
        array = np.ascontiguousarray(as_rgb(pixels))
        # Otherwise a transform that writes into its input would corrupt later epochs.
        array.flags.writeable = False
        # The first images stay: with a new shuffle per epoch, evicting the least recently used one
        # would drop images just before they are needed again.
        if self._cached_bytes + array.nbytes <= self.cache_bytes:
            self._cache[path] = array
            self._cached_bytes += array.nbytes
        return array

    def _size_range(self) -> str:
        sizes: list[Size] = []
        slow = 0
        for record in self.records:
            if record.hr not in self._sizes and _is_slow(record.hr):
                slow += 1
                if slow > _SLOW_SIZES:
                    continue
            try:
                sizes.append(self.size_of(record.hr))
            except DataError:
                continue  # reported by check()
        if not sizes:
            return "of unknown size"
        least, greatest = min(sizes, key=np.prod), max(sizes, key=np.prod)
        text = f"{least[0]} x {least[1]}"
        return text if least == greatest else f"{text} to {greatest[0]} x {greatest[1]}"

    def __getstate__(self) -> dict[str, Any]:
        """Drop the cache when a worker process is spawned."""
        return {**self.__dict__, "_cache": {}, "_cached_bytes": 0}


def _is_slow(image: ImageFile) -> bool:
    """Return whether finding the size of an image takes long."""
    costly = isinstance(image, StoredImage) and image.costly
    return costly or image.suffix.lower() != ".png"
