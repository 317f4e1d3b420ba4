"""Blur kernels instead of images, to train generators of kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypedDict, cast

import torch
from annotated_types import Interval
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import NotRequired

from realdeg.datasets.records import resolve
from realdeg.degradations.base import Degradation
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.pool import Pool, load_pool, merge_pools
from realdeg.degradations.primitives import pad_kernel
from realdeg.degradations.primitives.kernels import SUM_TOLERANCE
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import Component, Count, Scale
from realdeg.utils.samples import Batch, Meta
from realdeg.utils.streams import Stream

KernelSide = Annotated[int, Interval(ge=1, le=63)]
"""The side of a kernel, in pixels."""


class KernelSample(TypedDict):
    """An item of :class:`KernelSet`."""

    key: str
    meta: Meta
    seed: int
    """For random decisions about this kernel."""
    kernel: Tensor
    """Sum 1, float32, shape (1, k, k)."""
    position: NotRequired[int]
    """How many samples of the run precede it; present in training."""


@DATASETS.register_module()
class KernelSet(Dataset[KernelSample]):
    """Blur kernels of one size, from pools or drawn by a degradation.

    Kernels are in correlation orientation, with the window of their source. Kernels of a pool are
    finite in number; the loader's sampler decides their order. A degradation draws a new kernel at
    each position of a training, and always the same one at an index in an evaluation.

    Args:
        pool: A pool file of kernels, or a folder of such files, absolute or below ``data_root``.
        degradation: A degradation whose :meth:`~realdeg.degradations.base.Degradation.condition`
            has a kernel, such as ``dict(type="BlurDown", kind="FKP")``.
        kernel_size: The side of every kernel in pixels. Smaller kernels are surrounded with zeros;
            larger ones are refused. None: the size of the first one.
        length: The number of drawn kernels per pass over the data; those of a pool are counted.
        split: A name. Kernels drawn for ``"train"`` and ``"val"`` differ.
        scale: HR pixels per LR pixel, of the pool or the degradation.
        same_size: Whether the kernels make LR on the HR grid.
        data_root: The folder of all data sets; None: ``./data``.
        seed: The run's seed.

    Raises:
        ConfigError: If not exactly one of ``pool`` and ``degradation`` is given, or the degradation
            draws no kernels.
        DataError: If a pool is missing, damaged or empty.
        GeometryError: If a pool is of another scale or grid, or its kernels are larger than
            ``kernel_size``.
    """

    collated_by: ClassVar[str] = "collate_kernels"
    """The default collate function of a loader."""

    split_is_a_name: ClassVar[bool] = True

    def __init__(
        self,
        pool: str | Path | None = None,
        degradation: Annotated[
            Degradation | Mapping[str, Any] | str | None, Component("degradation")
        ] = None,
        kernel_size: KernelSide | None = None,
        length: Count = 50_000,
        *,
        split: str = "train",
        scale: Scale = 4,
        same_size: bool = False,
        data_root: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        self.scale, self.same_size, self.split, self.seed = scale, same_size, split, int(seed)
        if (pool is None) == (degradation is None):
            raise ConfigError(
                f"{self.label}: give either a pool of kernels (pool) or a degradation that draws"
                " them (degradation)."
            )
        self.degradation: Degradation | None = None
        self._items: Tensor | None = None
        if degradation is not None:
            # Drawing needs no gradient, and a data loader's worker no copy with one.
            built = degradation_from_config(degradation, scale, same_size)
            self.degradation = built.requires_grad_(False)
            self._length, self._source = length, built.describe()
            first = self._drawn(Stream(self.seed, f"{split}/0").seed_for("degradation"))
        else:
            found = self._read_pool(resolve(cast(Any, pool), data_root))
            self._items, self._length, self._source = found.items, len(found), found.describe()
            first = found.items[0]
        self.kernel_size = int(first.shape[-1]) if kernel_size is None else kernel_size
        self._fitted(first)

    def __len__(self) -> int:
        return self._length

    @property
    def label(self) -> str:
        """What the data set is called in messages."""
        return f"KernelSet {self.split}"

    @property
    def keys(self) -> list[str]:
        """The key of every item, in order."""
        return [self._key(index) for index in range(len(self))]

    def __getitem__(self, item: int | tuple[int, int]) -> KernelSample:
        """Return one kernel.

        Args:
            item: ``index``, or ``(position, index)`` in training.

        Raises:
            IndexError: If the index is beyond the end.
            GeometryError: If a drawn kernel is larger than ``kernel_size``.
            DataError: If a drawn kernel does not sum to 1.
        """
        position, index = item if isinstance(item, tuple | list) else (None, item)
        if not 0 <= int(index) < len(self):
            raise IndexError(f"{self.label} has {len(self)} kernels, asked for number {index}.")
        key = self._key(int(index))
        stream = Stream(self.seed, key if position is None else int(position))
        seed = stream.seed_for("degradation")
        kernel = self._drawn(seed) if self._items is None else self._items[int(index)]
        sample = KernelSample(key=key, meta={}, seed=seed, kernel=self._fitted(kernel)[None])
        if position is not None:
            sample["position"] = int(position)
        return sample

    def summary(self) -> str:
        """Return one line: number, size and source."""
        side = self.kernel_size
        return f"{self.label}: {len(self)} kernels of {side} x {side}; {self._source}"

    def check(self, thorough: bool = False) -> None:
        """Do nothing: pools are checked when they are read, drawn kernels when they are drawn."""

    def _key(self, index: int) -> str:
        return f"{self.split}/{index}"

    def _read_pool(self, path: Path) -> Pool:
        if path.is_dir():
            files = sorted(path.glob("*.safetensors"))
            if not files:
                raise DataError(
                    f"{self.label}: no pool file (.safetensors) in {path}: 'realdeg extract_pools'"
                    " makes one from photos."
                )
            found = merge_pools([load_pool(file, "kernels") for file in files])
        else:
            found = load_pool(path, "kernels")
        if (found.scale, found.same_size) != (self.scale, self.same_size):
            raise GeometryError(
                f"{self.label}: {path} holds kernels of scale {found.scale} with"
                f" same_size={found.same_size}, asked for are scale {self.scale} with"
                f" same_size={self.same_size}: set these in the config, or extract another pool."
            )
        return found

    def _drawn(self, seed: int) -> Tensor:
        assert self.degradation is not None
        side = self.scale  # the least image; its size does not matter
        degradation = self.degradation
        trace = degradation.sample_one((3, side, side), seed)
        kernel = degradation.condition(trace).get("kernel")
        name = type(degradation).__name__
        if not isinstance(kernel, Tensor) or kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
            raise ConfigError(
                f"{self.label}: {name} draws no blur kernel: take one whose condition is a kernel,"
                " such as BlurDown or KernelPool."
            )
        total = float(kernel.double().sum())
        if not abs(total - 1) <= SUM_TOLERANCE:  # NaN fails, too
            raise DataError(
                f"{self.label}: a kernel drawn by {name} sums to {total:.4g}, and those of a"
                " KernelSet sum to 1."
            )
        return kernel.detach().cpu().float()

    def _fitted(self, kernel: Tensor) -> Tensor:
        found, wanted = int(kernel.shape[-1]), self.kernel_size
        if found == wanted:
            return kernel.clone()
        if found > wanted:
            raise GeometryError(
                f"{self.label}: a kernel of {found} x {found} pixels is larger than"
                f" kernel_size={wanted}: set kernel_size={found} or more."
            )
        return pad_kernel(kernel, wanted)


def collate_kernels(samples: Sequence[KernelSample]) -> Batch:
    """Turn samples of :class:`KernelSet` into a batch.

    Args:
        samples: The samples.

    Returns:
        ``kernel``, the lists ``key``, ``meta`` and ``seeds``, and in training ``position`` of the
        first sample; a batch without images.

    Shape:
        kernel (B, 1, k, k).
    """
    batch: dict[str, Any] = {
        "kernel": torch.stack([sample["kernel"] for sample in samples]),
        "key": [sample["key"] for sample in samples],
        "meta": [sample["meta"] for sample in samples],
        "seeds": [int(sample["seed"]) for sample in samples],
    }
    if samples and samples[0].get("position") is not None:
        batch["position"] = samples[0]["position"]
    return cast(Batch, batch)


# mmengine's Runner looks collate functions up in its root registry.
FUNCTIONS.register_module(module=collate_kernels)
