"""HR images, each with a real LR image of another scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Len
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch.utils.data import Dataset

from realdeg.datasets.base import DatasetLike
from realdeg.datasets.collate import collate_batch
from realdeg.datasets.mixture import MixtureDataset
from realdeg.errors import DataError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import Scale
from realdeg.utils.samples import Batch, LoadedSample, PackedSample
from realdeg.utils.streams import stream_seed


@DATASETS.register_module()
class UnpairedDataset(Dataset[PackedSample]):
    """Combines a data set of clean HR images with one of real LR images.

    A sample is one of the first data set, without its LR, and ``real_lr``, a patch of the second.
    The choice depends on the seed and the position in the run only: shuffled passes over the second
    set with separate streams, so that choice, crop and flip of the sides are independent. A scene
    in both sets is never drawn beside itself. A real patch is cropped to the size of LR.

    Args:
        datasets: The HR images, then the LR images; data sets or their configs. Their transforms
            determine the sizes.
        real: Which side of the second data set to use: ``"lr"`` of real pairs, or ``"hr"`` for a
            folder of photos (``HRFolderDataset``).
        scale: Passed to the data sets built here, as are the remaining arguments.
        same_size: Whether LR lies on the HR grid.
        data_root: The folder of all data sets.
        seed: The run's seed.

    Raises:
        ConfigError: If there are not two data sets, or ``real`` is neither.
    """

    collated_by: ClassVar[str] = "collate_unpaired"
    """The default collate function of a loader."""

    def __init__(
        self,
        datasets: Annotated[Sequence[DatasetLike], Len(2, 2)],
        real: Literal["lr", "hr"] = "lr",
        *,
        scale: Scale = 4,
        same_size: bool = False,
        data_root: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        # Only to build the two data sets.
        self.hr, self.real = MixtureDataset(
            datasets, scale=scale, same_size=same_size, data_root=data_root, seed=seed
        ).datasets
        self.scale, self.same_size, self.seed = scale, same_size, int(seed)
        self.side = real
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.hr)

    @property
    def keys(self) -> list[str]:
        """The key of every HR image, in order."""
        return list(self.hr.keys)

    @property
    def missing(self) -> list[str]:
        """What is missing but tolerated, on both sides."""
        return [text for part in (self.hr, self.real) for text in getattr(part, "missing", [])]

    def load(self, index: int) -> LoadedSample:
        """Read one HR image, untransformed."""
        loaded: LoadedSample = self.hr.load(index)
        return loaded

    def partner(self, position: int) -> int:
        """Return the index of the real LR image at a position from 0."""
        epoch, place = divmod(position, len(self.real))
        if self._order is None or self._order[0] != epoch:
            seed = stream_seed(self.seed, "unpaired", epoch)
            self._order = (epoch, np.random.default_rng(seed).permutation(len(self.real)))
        return int(self._order[1][place])

    def __getitem__(self, item: int | tuple[int, int]) -> PackedSample:
        """Return one sample.

        Args:
            item: ``index``, or ``(position, index)``.

        Raises:
            DataError: If the second data set lacks the requested side.
        """
        pair = isinstance(item, tuple | list)
        position, index = item if isinstance(item, tuple | list) else (int(item), int(item))
        sample: PackedSample = self.hr[(position, index)] if pair else self.hr[index]
        sample.pop("lr", None)
        # Negative positions are used nowhere else, so the streams of both sides are independent.
        mirrored, chosen = -1 - int(position), self.partner(int(position))
        real = self.real[(mirrored, chosen)]
        if real["key"] == sample["key"] and len(self.real) > 1:
            real = self.real[(mirrored, (chosen + 1) % len(self.real))]
        if real.get(self.side) is None:
            raise DataError(
                f"UnpairedDataset: '{real['key']}' of the second data set has no"
                f" {self.side.upper()}: set real='hr' for a folder of photos, real='lr' for pairs."
            )
        sample["real_lr"] = self._cut(real[self.side], sample["hr"])
        sample["meta"] = {**sample["meta"], "real_key": real["key"], "real": real["meta"]}
        return sample

    def _cut(self, real: Tensor, hr: Tensor) -> Tensor:
        """Crop a real patch to the size of LR; its position in the photo is already random."""
        if not isinstance(real, Tensor) or not isinstance(hr, Tensor):
            return real  # the collate function reports it
        stride = 1 if self.same_size else self.scale
        return real[..., : hr.shape[-2] // stride, : hr.shape[-1] // stride]

    def summary(self) -> str:
        """Return one line for each side."""
        side = "" if self.side == "hr" else ", of which LR is taken"
        return f"HR: {self.hr.summary()}\nreal LR, unpaired: {self.real.summary()}{side}"

    def check(self, thorough: bool = False) -> None:
        """Check both data sets, as :meth:`ImageDataset.check` does."""
        for part in (self.hr, self.real):
            part.check(thorough=thorough)


def collate_unpaired(samples: Sequence[PackedSample]) -> Batch:
    """Turn samples of :class:`UnpairedDataset` into a batch.

    Args:
        samples: Packed samples, each with ``real_lr``.

    Returns:
        As :func:`collate_batch`, and ``real_lr``.

    Shape:
        hr (B, 3, H, W), real_lr (B, 3, h, w).

    Raises:
        DataError: If a sample has no real LR, or sizes differ.
    """
    for sample in samples:
        if sample.get("real_lr") is None:
            raise DataError(f"'{sample['key']}' has no real LR: use UnpairedDataset.")
    # Collated in the same way, for the same messages on sizes and tensors.
    real: list[PackedSample] = [
        {**sample, "hr": sample["real_lr"], "key": sample["meta"]["real_key"]} for sample in samples
    ]
    return {**collate_batch(samples), "real_lr": collate_batch(real)["hr"]}


# mmengine's Runner looks collate functions up in its root registry.
FUNCTIONS.register_module(module=collate_unpaired)
