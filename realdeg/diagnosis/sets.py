"""The data sets that are examined, as lists of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from realdeg.datasets.records import Fault, Record
from realdeg.diagnosis.findings import SetSummary
from realdeg.utils.image import ImageFile
from realdeg.utils.streams import stream_seed

Role: TypeAlias = Literal["train", "val", "test"]


@dataclass(frozen=True)
class ImageSet:
    """One data set of a diagnosis.

    Args:
        label: Its name in findings.
        role: What it is used for; leaks are sought between roles.
        records: Its files.
        scale: HR pixels per LR pixel, or the resolution that a same-size LR lost.
        same_size: Whether LR lies on the HR grid.
        paired: Whether it has pairs.
        faults: Files without a partner, missing ones, and others that its list of files shows.
        least: The least side in pixels that its transforms accept.
        remainder: Whether HR may exceed LR times the scale by less than the scale.
        assumed: What was not stated and had to be assumed, in words.
        make_lr: Returns the LR image of an index where LR is in no file.
    """

    label: str
    role: Role
    records: Sequence[Record]
    scale: float
    same_size: bool
    paired: bool
    faults: Sequence[Fault] = ()
    least: int = 1
    remainder: bool = False
    assumed: str = ""
    make_lr: Callable[[int], NDArray[Any]] | None = field(default=None, repr=False)

    def files(self) -> list[ImageFile]:
        """Return all files, HR before LR of each pair, without repetitions."""
        sides = (file for record in self.records for file in (record.hr, record.lr))
        return list(dict.fromkeys(file for file in sides if file is not None))

    def choose(self, most: int | None, seed: int) -> list[int]:
        """Return the indices to examine: all, or ``most`` that depend on the seed and the label."""
        count = len(self.records)
        if most is None or count <= most:
            return list(range(count))
        rng = np.random.default_rng(stream_seed(seed, "doctor", self.label))
        return sorted(int(index) for index in rng.choice(count, most, replace=False))

    def summary(self, examined: int) -> SetSummary:
        """Return its numbers."""
        return SetSummary(
            self.label,
            self.role,
            len(self.records),
            examined,
            self.paired,
            self.scale,
            self.same_size,
            self.assumed,
        )


def image_sets(dataset: Any, role: Role) -> Iterator[ImageSet]:
    """Turn a built data set into the sets to examine, also those inside mixtures.

    Data sets without files of images (kernels, or third-party ones without ``records``) give none.
    """
    inner = getattr(dataset, "datasets", None)
    if not isinstance(inner, list | tuple):
        sides = [getattr(dataset, name, None) for name in ("hr", "real")]
        inner = sides if all(hasattr(side, "records") for side in sides) else None
    if inner is not None:
        for part in inner:
            yield from image_sets(part, role)
        return
    records = getattr(dataset, "records", None)
    if not records and not getattr(dataset, "faults", None):
        return
    if not all(isinstance(record, Record) for record in records or ()):
        return
    made = getattr(dataset, "mode", None) == "pairs"
    steps = getattr(dataset, "transforms", ())
    yield ImageSet(
        getattr(dataset, "label", type(dataset).__name__),
        role,
        list(records or ()),
        float(dataset.scale),
        bool(dataset.same_size),
        made or any(record.lr is not None for record in records or ()),
        list(getattr(dataset, "faults", ())),
        int(getattr(dataset, "required_size", 1)),
        any(getattr(step, "crops_remainder", False) for step in steps),
        make_lr=(lambda index: np.asarray(dataset.load(index)["lr"])) if made else None,
    )


def distinct(sets: Sequence[ImageSet]) -> list[ImageSet]:
    """Number sets of the same label, and drop those that are the same as an earlier one.

    A config often validates and tests on the same files: they are examined once, for testing.
    """
    kept: dict[tuple[Any, ...], ImageSet] = {}
    for one in sets:
        kind = "train" if one.role == "train" else "test"
        key = (kind, one.scale, one.same_size, one.paired, tuple(one.files()))
        if key not in kept:
            kept[key] = one
        elif one.role == "test":
            kept[key] = replace(one, label=one.label)
    found: list[ImageSet] = []
    for one in kept.values():
        number = sum(other.label.split(" #")[0] == one.label for other in found)
        found.append(replace(one, label=f"{one.label} #{number + 1}") if number else one)
    return found
