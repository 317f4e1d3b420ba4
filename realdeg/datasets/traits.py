"""What others may ask of any data set, ours or a stranger's."""

from __future__ import annotations

from typing import Any, Protocol

from realdeg.degradations.base import Degradation
from realdeg.utils.samples import LoadedSample, PackedSample


class ImageSource(Protocol):
    """A data set of images, as mixtures take them: ours, or one with the same methods."""

    @property
    def keys(self) -> list[str]:
        """The key of every item, in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, item: int | tuple[int, int] | tuple[int, int, float]) -> PackedSample: ...

    def load(self, index: int) -> LoadedSample:
        """Read one item's images, untransformed."""

    def summary(self) -> str:
        """Return one line that says what the set holds."""

    def check(self, thorough: bool = False) -> None:
        """Look for every fault before training."""


def has_lr(dataset: Any) -> bool:
    """Say whether every sample of a data set comes with an LR image.

    Args:
        dataset: Ours, which know, or any other, whose first sample is looked at.
    """
    known = getattr(dataset, "has_lr", None)
    if isinstance(known, bool):
        return known
    sample = dataset[0] if len(dataset) else {}
    return sample.get("lr") is not None


def simulated_camera(dataset: Any) -> Degradation | None:
    """Return the simulated camera that made a data set's LR, whose true kernels are known.

    Args:
        dataset: Any data set; one with such a camera has it as ``simulated_camera``. Real data
            have none: what they call their camera may be a name.
    """
    camera = getattr(dataset, "simulated_camera", None)
    return camera if isinstance(camera, Degradation) else None
