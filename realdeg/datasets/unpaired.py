"""HR images, and beside each a real LR image of another scene."""

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
    """Joins a data set of clean HR images with one of real LR images.

    A sample is one of the first data set, without any LR of its own, and ``real_lr``, a patch of
    the second. Which one follows from the seed and the sample's position in the run alone: shuffled
    passes over the second set, with streams of their own, so that neither choice nor crop nor flip
    of one side says anything of the other. If both sets hold the same scene, its own partner is
    never drawn beside it. A real patch larger than LR of the HR patch is cut to that size.

    Args:
        datasets: The HR images, then the LR images; data sets or their configs. Each keeps its
            own transforms, whose patches decide the sizes.
        real: What of the second data set is taken: ``"lr"`` (the LR side of real pairs, cut by
            ``PairedCrop`` in HR pixels) or ``"hr"`` (photos of a folder, such as
            ``HRFolderDataset`` gives, as they are).
        scale: Handed to the data sets built here, as are the following.
        same_size: Whether LR lies on the HR grid.
        data_root: The folder of all data sets.
        seed: The run's seed.

    Raises:
        ConfigError: If there are not two data sets, or ``real`` is neither.
    """

    collated_by: ClassVar[str] = "collate_unpaired"
    """The function that makes batches of its samples, where a loader names none."""

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
        # Built as the parts of a mixture are, and nothing else of it.
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
        """What is not there and tolerated, on both sides."""
        return [text for part in (self.hr, self.real) for text in getattr(part, "missing", [])]

    def load(self, index: int) -> LoadedSample:
        """Read one HR image, untransformed."""
        loaded: LoadedSample = self.hr.load(index)
        return loaded

    def partner(self, position: int) -> int:
        """Say which real LR image lies beside the HR image of a position.

        Args:
            position: From 0.

        Returns:
            Its index in the second data set.
        """
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
            DataError: If the second data set has no image on the side that is wanted.
        """
        pair = isinstance(item, tuple | list)
        position, index = item if isinstance(item, tuple | list) else (int(item), int(item))
        sample: PackedSample = self.hr[(position, index)] if pair else self.hr[index]
        sample.pop("lr", None)
        # Positions below 0 belong to nobody else: the streams of both sides are strangers.
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
        """Cut a real patch to the size of LR; where it lies in the photo is random already."""
        if not isinstance(real, Tensor) or not isinstance(hr, Tensor):
            return real  # the collate function says what is missing
        stride = 1 if self.same_size else self.scale
        return real[..., : hr.shape[-2] // stride, : hr.shape[-1] // stride]

    def summary(self) -> str:
        """Return one line for each side."""
        side = "" if self.side == "hr" else ", of which LR is taken"
        return f"HR: {self.hr.summary()}\nreal LR, unpaired: {self.real.summary()}{side}"

    def check(self, thorough: bool = False) -> None:
        """Check both data sets.

        Args:
            thorough: Decode every file.

        Raises:
            GeometryError: As the data set at fault says.
            DataError: As the data set at fault says.
        """
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
    # The same words on sizes and tensors for both sides.
    real: list[PackedSample] = [
        {**sample, "hr": sample["real_lr"], "key": sample["meta"]["real_key"]} for sample in samples
    ]
    return {**collate_batch(samples), "real_lr": collate_batch(real)["hr"]}


# mmengine's Runner looks collate functions up in its root registry.
FUNCTIONS.register_module(module=collate_unpaired)
