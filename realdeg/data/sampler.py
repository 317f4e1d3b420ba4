"""A sampler that shuffles, shares between processes, and tells data sets the epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
from torch import distributed
from torch.utils.data import Sampler

from realdeg.errors import ConfigError
from realdeg.utils.streams import stream_seed


class EpochSampler(Sampler[int]):
    """Shuffles a data set anew in every epoch and calls its ``set_epoch``.

    Each iteration is an epoch of its own, so a plain loop needs to call nothing. Where a trainer
    calls :meth:`set_epoch` (Lightning does, and accelerate), its number counts. With several
    processes each takes every N-th index of one order; the last ones are filled up from its start,
    so that all have the same number.

    Args:
        dataset: The data set.
        shuffle: Whether to shuffle.
        seed: The seed of the order.
        rank: The number of this process; None asks torch.distributed.
        world_size: The number of processes; None asks torch.distributed.

    Raises:
        ConfigError: If the rank is not below the number of processes.
    """

    def __init__(
        self,
        dataset: Sized,
        *,
        shuffle: bool = True,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self.dataset, self.shuffle, self.seed = dataset, shuffle, int(seed)
        self.rank, self.world_size = processes(rank, world_size)
        self.epoch = 0

    def __len__(self) -> int:
        """Return how many indices this process takes."""
        return -(-len(self.dataset) // self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next epoch."""
        self.epoch = int(epoch)

    def __iter__(self) -> Iterator[int]:
        """Tell the data set its epoch and yield the indices of this process."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        tell: Any = getattr(self.dataset, "set_epoch", None)
        if tell is not None:
            tell(epoch)
        order = np.arange(len(self.dataset))
        if self.shuffle:
            order = np.random.default_rng(stream_seed(self.seed, epoch, "order")).permutation(order)
        total = len(self) * self.world_size
        return iter(np.resize(order, total)[self.rank :: self.world_size].tolist())


def processes(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Return this process's number and how many there are.

    Raises:
        ConfigError: If only one is given, or the number is out of range.
    """
    if (rank is None) != (world_size is None):
        raise ConfigError("rank and world_size are given together, or neither is.")
    if rank is None or world_size is None:
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        return 0, 1
    if not 0 <= rank < world_size:
        raise ConfigError(f"rank is {rank}, but it has to be from 0 to world_size - 1.")
    return rank, world_size
