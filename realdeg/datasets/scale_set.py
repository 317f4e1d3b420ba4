"""Scenes with LR at several scales, all on the grid of their one HR image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, cast

import torch
from annotated_types import Interval, MinLen
from mmengine.registry import FUNCTIONS
from torch.utils.data import Dataset

from realdeg.datasets.base import DatasetLike
from realdeg.datasets.collate import collate_batch
from realdeg.datasets.mixture import MixtureDataset
from realdeg.datasets.traits import ImageSource
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import RealScale
from realdeg.utils.samples import Batch, LoadedSample, PackedSample
from realdeg.utils.scales import as_scale

KnotScales = Annotated[Sequence[float], Interval(gt=1, le=16), MinLen(1)]
"""The scales of the LR images, ascending."""


@DATASETS.register_module()
class ScaleSetDataset(Dataset[PackedSample]):
    """One data set of pairs, opened at several scales and joined scene by scene.

    A sample is that of the pairs at the run's scale, with ``lr_scales``: the LR images of all
    scales, from the same patch. LR has to lie on the HR grid, and HR has to be the same image at
    every scale. A scene that lacks a scale is left out and counted. Where a scale is drawn for each
    batch (``model.scales``, for ScaleDML), ``lr`` is the one of that scale.

    RealSR's official HR is cut anew for each scale, so its scenes seldom fit; the authors of
    InterFlow and DegFlow publish a selection with one HR for all ("RealSR_v2_ordered"), in the
    layout of RealSR V2.

    Args:
        dataset: Config of a data set of pairs, which takes ``scale``. Its transforms crop and flip;
            randomness follows the position in the run, so it is the same at every scale.
        scales: The scales, ascending.
        scale: The run's scale, whose LR is ``lr``; another than ``scales`` takes the last's.
        same_size: Whether LR lies on the HR grid, which it has to.
        data_root: The folder of all data sets.
        seed: The run's seed.

    Raises:
        ConfigError: If the scales do not ascend, or the data set is not a config.
        GeometryError: If LR is smaller than HR.
        DataError: If no scene has all scales.
    """

    collated_by: ClassVar[str] = "collate_scales"
    """The default collate function of a loader."""

    def __init__(
        self,
        dataset: DatasetLike,
        scales: KnotScales = (2, 4),
        *,
        scale: RealScale = 4,
        same_size: bool = True,
        data_root: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        if not same_size:
            raise GeometryError(
                "ScaleSetDataset joins LR images that lie on one HR grid, but same_size=False: set"
                " same_size=True (RealSR V2, the simulated camera)."
            )
        self.scales = tuple(as_scale(each) for each in scales)
        if list(self.scales) != sorted(set(self.scales)):
            raise ConfigError(f"ScaleSetDataset: scales are {list(scales)}, wanted ascending ones.")
        if not isinstance(dataset, dict):
            raise ConfigError(
                "ScaleSetDataset takes the config of a data set, which it builds once per scale,"
                f" got a {type(dataset).__name__}."
            )
        self.parts = [
            cast(
                ImageSource,
                MixtureDataset(
                    [{**dataset, "scale": each}],
                    same_size=True,
                    data_root=data_root,
                    seed=seed,
                ).datasets[0],
            )
            for each in self.scales
        ]
        self.scale, self.same_size, self.seed = as_scale(scale), True, int(seed)
        self._own = self.scales.index(self.scale) if self.scale in self.scales else -1
        places = [{key: index for index, key in enumerate(part.keys)} for part in self.parts]
        self.keys = [key for key in places[0] if all(key in found for found in places)]
        """The key of every scene, in order."""
        self._places = [[found[key] for key in self.keys] for found in places]
        left = len(set().union(*places)) - len(self.keys)
        self._left = [f"{left} scenes without all scales left out"] if left else []
        if not self.keys:
            counts = ", ".join(
                f"{len(part)} at x{each:g}"
                for part, each in zip(self.parts, self.scales, strict=True)
            )
            raise DataError(
                f"ScaleSetDataset: no scene has LR at every scale ({counts}, none of the same"
                " name): the scenes need the same key at each scale."
            )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def missing(self) -> list[str]:
        """What is missing but tolerated."""
        own = [text for part in self.parts for text in getattr(part, "missing", [])]
        return [*dict.fromkeys(own), *self._left]

    @property
    def has_lr(self) -> bool:
        """Always: it joins pairs."""
        return True

    def load(self, index: int) -> LoadedSample:
        """Read one scene at the run's scale, untransformed."""
        return self.parts[self._own].load(self._places[self._own][index])

    def __getitem__(self, item: int | tuple[int, int] | tuple[int, int, float]) -> PackedSample:
        """Return one sample.

        Args:
            item: ``index``, ``(position, index)``, or these and the scale drawn for the batch,
                whose LR is ``lr`` then.

        Raises:
            DataError: If the scene's HR differs from scale to scale, or a part has no LR.
            GeometryError: If a scale was drawn that is none of the set's.
        """
        position, index, *drawn = item if isinstance(item, tuple | list) else (None, item)
        if drawn and drawn[0] not in self.scales:
            raise GeometryError(
                f"ScaleSetDataset has LR at {', '.join(f'x{s:g}' for s in self.scales)}, and"
                f" model.scales drew x{drawn[0]:g}: give both the same scales."
            )
        samples = []
        for part, places in zip(self.parts, self._places, strict=True):
            place = places[int(index)]
            samples.append(part[place if position is None else (int(position), place)])
        own = self.scales.index(drawn[0]) if drawn else self._own
        sample, first = samples[own], samples[0]
        for each, scale in zip(samples, self.scales, strict=True):
            if each.get("lr") is None:
                raise DataError(f"'{each['key']}' has no LR at scale {scale:g}: it needs pairs.")
            if not torch.equal(each["hr"], first["hr"]):
                raise DataError(
                    f"the HR of '{each['key']}' at scale {scale:g} is another image than at scale"
                    f" {self.scales[0]:g}: a scene needs one HR for all its scales."
                )
        sample["lr_scales"] = torch.stack([each["lr"] for each in samples])
        sample["scales"] = self.scales
        if drawn:
            sample["scale"] = drawn[0]
        return sample

    def summary(self) -> str:
        """Return one line: the scenes, the scales, and the data set at the run's scale."""
        scales = ", ".join(f"x{each:g}" for each in self.scales)
        left = f"; {self._left[0]}" if self._left else ""
        return f"{len(self)} scenes at {scales} on one grid{left}: {self.parts[0].summary()}"

    def check(self, thorough: bool = False) -> None:
        """Check the pairs of every scale, as :meth:`ImageDataset.check` does."""
        for part in self.parts:
            part.check(thorough=thorough)


def collate_scales(samples: Sequence[PackedSample]) -> Batch:
    """Turn samples of :class:`ScaleSetDataset` into a batch.

    Args:
        samples: Packed samples, each with ``lr_scales`` and ``scales``.

    Returns:
        As :func:`collate_batch`, with ``lr_scales`` and ``scales``.

    Shape:
        hr (B, 3, H, W), lr_scales (B, K, 3, H, W).

    Raises:
        DataError: If a sample lacks them, or sizes or scales differ.
    """
    for sample in samples:
        if sample.get("lr_scales") is None:
            raise DataError(f"'{sample['key']}' has no LR of several scales: use ScaleSetDataset.")
    batch = collate_batch(samples)
    scales = {sample["scales"] for sample in samples}
    if len(scales) > 1:
        raise DataError(f"a batch has one set of scales, and its samples have {sorted(scales)}.")
    batch["lr_scales"] = torch.stack([sample["lr_scales"] for sample in samples])
    batch["scales"] = scales.pop()
    return batch


# mmengine's Runner looks collate functions up in its root registry.
FUNCTIONS.register_module(module=collate_scales)
