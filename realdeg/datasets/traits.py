"""What other code may ask of any data set, including third-party ones."""

from __future__ import annotations

from typing import Any, Protocol

from realdeg.degradations.base import Degradation
from realdeg.utils.samples import LoadedSample, PackedSample


class ImageSource(Protocol):
    """A data set of images, as mixtures accept it: ours, or one with the same methods."""

    @property
    def keys(self) -> list[str]:
        """The key of every item, in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, item: int | tuple[int, int] | tuple[int, int, float]) -> PackedSample: ...

    def load(self, index: int) -> LoadedSample:
        """Read one item's images, untransformed."""

    def summary(self) -> str:
        """Return one line on the contents."""

    def check(self, thorough: bool = False) -> None:
        """Find every fault before training."""


def has_lr(dataset: Any) -> bool:
    """Return whether every sample has LR: the data set's ``has_lr``, or a look at the first one."""
    known = getattr(dataset, "has_lr", None)
    if isinstance(known, bool):
        return known
    sample = dataset[0] if len(dataset) else {}
    return sample.get("lr") is not None


def simulated_camera(dataset: Any) -> Degradation | None:
    """Return a data set's ``simulated_camera``, whose true kernels are known, if it has one."""
    camera = getattr(dataset, "simulated_camera", None)
    return camera if isinstance(camera, Degradation) else None
