"""Several data sets as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import lcm
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import MinLen
from torch.utils.data import Dataset

from realdeg.datasets.base import DatasetLike
from realdeg.datasets.traits import ImageSource, has_lr
from realdeg.errors import ConfigError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import Positive, Scale
from realdeg.utils.arguments import arguments_of
from realdeg.utils.samples import LoadedSample, PackedSample
from realdeg.utils.streams import stream_seed


def interleave(position: int, weights: Sequence[int]) -> tuple[int, int]:
    """Return the component at a position, and the position's index within that component.

    A chain of two-way splits, each as even as integers allow: of n positions, a component of share
    w / W gets n * w / W, up to an error of half the number of components, and exactly that if n is
    a multiple of the sum of the weights.

    Args:
        position: From 0.
        weights: Positive integers.

    Returns:
        (component, index within the component).
    """
    rest = sum(weights)
    for component, weight in enumerate(weights[:-1]):
        # Samples of this component among the first `position` of those still undecided.
        before = (position * weight + rest // 2) // rest
        if ((position + 1) * weight + rest // 2) // rest > before:
            return component, before
        position -= before
        rest -= weight
    return len(weights) - 1, position


def integer_weights(ratios: Sequence[float]) -> list[int]:
    """Turn positive ratios into the smallest integers of equal proportion; 0.1 is one tenth."""
    exact = [Fraction(str(ratio)) for ratio in ratios]
    common = lcm(*(ratio.denominator for ratio in exact))
    scaled = [int(ratio * common) for ratio in exact]
    divisor = int(np.gcd.reduce(np.array(scaled, dtype=object)))
    return [weight // divisor for weight in scaled]


@DATASETS.register_module()
class MixtureDataset(Dataset[PackedSample]):
    """Several data sets as one, in proportion to their sizes or to given ratios.

    With ``ratios``, the data set of a training sample and its place in that set's shuffled passes
    depend on the position in the run only. So proportions are exact throughout the run, whatever
    the number of workers or processes. Mixtures may be nested.

    Args:
        datasets: Data sets or their configs. Each keeps its own transforms.
        ratios: Relative numbers of samples; None draws every sample of the union equally often.
        scale: Passed to the data sets built here, as are the remaining arguments.
        same_size: Whether LR lies on the HR grid.
        data_root: The folder of all data sets.
        seed: The run's seed.

    Raises:
        ConfigError: If there are no data sets, or not one positive ratio each.
    """

    collated_by: ClassVar[str] = "collate_batch"
    """The default collate function of a loader."""

    def __init__(
        self,
        datasets: Annotated[Sequence[DatasetLike], MinLen(1)],
        ratios: Sequence[Positive] | None = None,
        *,
        scale: Scale = 4,
        same_size: bool = False,
        data_root: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        if ratios is not None and len(ratios) != len(datasets):
            raise ConfigError(
                f"MixtureDataset: {len(ratios)} ratios for {len(datasets)} data sets."
            )
        self.scale = scale
        self.same_size = same_size
        self.seed = int(seed)
        shared = dict(scale=scale, same_size=same_size, data_root=data_root, seed=seed)
        self.datasets = [_build(d, shared) if isinstance(d, dict) else d for d in datasets]
        self.weights = None if ratios is None else integer_weights(ratios)
        self._ends = list(accumulate(len(dataset) for dataset in self.datasets))
        self._orders: dict[int, tuple[int, np.ndarray]] = {}
        self._name_streams("mixture")

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def keys(self) -> list[str]:
        """The key of every item, in the order of the concatenation."""
        return [key for dataset in self.datasets for key in dataset.keys]

    @property
    def has_lr(self) -> bool:
        """Whether every sample has LR."""
        return all(has_lr(dataset) for dataset in self.datasets)

    @property
    def missing(self) -> list[str]:
        """What is missing but tolerated."""
        return [text for dataset in self.datasets for text in getattr(dataset, "missing", [])]

    def locate(self, item: int | tuple[int, int]) -> tuple[int, int]:
        """Return an item's data set and its index there.

        With ratios, the index there counts the samples drawn from that data set so far.

        Args:
            item: ``index`` into the concatenation, or ``(position, index)``; with ratios only the
                position matters.
        """
        position, index = item if isinstance(item, tuple | list) else (None, item)
        if position is None or self.weights is None:
            index = range(len(self))[int(index)]
            component = bisect_right(self._ends, index)
            return component, index - (self._ends[component] - len(self.datasets[component]))
        component, rank = interleave(int(position), self.weights)
        return component, rank

    def resolve(self, position: int, index: int) -> tuple[ImageSource, int]:
        """Return the data set, through nested mixtures, of a training sample, and its index there.

        Args:
            position: Its position in this mixture's run.
            index: Its index, for a mixture without ratios.
        """
        component, place = self.locate((position, index))
        dataset = self.datasets[component]
        if self.weights is None:
            # A nested mixture with ratios needs its own position: its share of the run.
            return (
                dataset.resolve(position, place)
                if isinstance(dataset, MixtureDataset)
                else (dataset, place)
            )
        chosen = self._shuffled(component, place)
        if isinstance(dataset, MixtureDataset):
            return dataset.resolve(place, chosen)
        return dataset, chosen

    def __getitem__(self, item: int | tuple[int, int] | tuple[int, int, float]) -> PackedSample:
        """Return one sample.

        Args:
            item: ``index`` into the concatenation, ``(position, index)``, or these and the scale
                drawn for the batch.
        """
        if not isinstance(item, tuple | list):
            component, index = self.locate(item)
            part: ImageSource = self.datasets[component]
            return part[index]
        position, index, *drawn = item
        dataset, chosen = self.resolve(int(position), int(index))
        # The position in the whole run keeps the random streams of samples apart.
        position = int(position)
        return dataset[(position, chosen, drawn[0]) if drawn else (position, chosen)]

    def load(self, index: int) -> LoadedSample:
        """Read the images of one item of the concatenation, untransformed."""
        component, place = self.locate(index)
        dataset: ImageSource = self.datasets[component]
        return dataset.load(place)

    def summary(self) -> str:
        """Return one line: each data set's summary and its share."""
        if self.weights is None:
            shares = [len(dataset) / len(self) for dataset in self.datasets]
        else:
            shares = [weight / sum(self.weights) for weight in self.weights]
        parts = [
            f"{share:.1%} {dataset.summary()}"
            for share, dataset in zip(shares, self.datasets, strict=True)
        ]
        return "Mixture of " + " | ".join(parts)

    def check(self, thorough: bool = False) -> None:
        """Check every data set, as :meth:`ImageDataset.check` does."""
        for dataset in self.datasets:
            dataset.check(thorough=thorough)

    def _name_streams(self, name: str) -> None:
        self._stream = name
        for component, dataset in enumerate(self.datasets):
            if isinstance(dataset, MixtureDataset):
                dataset._name_streams(f"{name}.{component}")

    def _shuffled(self, component: int, rank: int) -> int:
        size = len(self.datasets[component])
        epoch, place = divmod(rank, size)
        cached = self._orders.get(component)
        if cached is None or cached[0] != epoch:
            seed = stream_seed(self.seed, self._stream, component, epoch)
            cached = (epoch, np.random.default_rng(seed).permutation(size))
            self._orders[component] = cached
        return int(cached[1][place])


def _build(cfg: dict[str, Any], shared: dict[str, Any]) -> Any:
    kind = DATASETS.require(cfg["type"]) if isinstance(cfg.get("type"), str) else cfg.get("type")
    taken = () if kind is None else arguments_of(kind).names
    given = {name: value for name, value in shared.items() if name in taken}
    return DATASETS.build({**given, **cfg})
