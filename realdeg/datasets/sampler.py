"""The samples that each process sees, and their order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from realdeg.errors import ConfigError, DataError
from realdeg.registry import DATA_SAMPLERS
from realdeg.utils.argument_types import Count, Scales
from realdeg.utils.scales import as_scale
from realdeg.utils.streams import stream_seed


def _place(rank: int | None, world_size: int | None) -> tuple[int, int]:
    here, processes = get_dist_info()
    return here if rank is None else rank, processes if world_size is None else world_size


@DATA_SAMPLERS.register_module()
class PositionSampler(Sampler[tuple[int, int] | tuple[int, int, float]]):
    """Yields (position in the run, index) without end, and the batch's scale if one is drawn.

    Iteration t has the positions t * B to (t + 1) * B - 1, of which each process takes a contiguous
    slice. The index at a position follows from (seed, position), and each epoch is a permutation of
    the data, so a resume needs no replay. The scale of a batch follows from (seed, iteration), so
    all processes agree on it.

    Args:
        dataset: The data set.
        batch_size: Samples per iteration over all processes; the data loader's own batch size is
            this divided by their number.
        seed: The run's seed; None draws one for all processes.
        shuffle: Whether each epoch is permuted.
        rank: Which process this is; None asks torch.distributed.
        world_size: How many processes there are; None asks torch.distributed.
        scales: One of these is drawn for each batch, all equally likely; None uses the data set's
            scale. A config sets them in ``model.scales``.

    Raises:
        ConfigError: If the batch is not divisible by the number of processes.
        DataError: If the data set is empty.
    """

    def __init__(
        self,
        dataset: Sized,
        batch_size: Count,
        seed: int | None = None,
        shuffle: bool = True,
        rank: int | None = None,
        world_size: int | None = None,
        scales: Scales | None = None,
    ) -> None:
        self.rank, self.world_size = _place(rank, world_size)
        self.scales = None if scales is None else [as_scale(scale) for scale in scales]
        self.curriculum: list[tuple[int, list[float]]] = []
        """The scales to draw from, each list from an iteration on; set by a curriculum. Where it is
        empty, all scales are drawn."""
        self.size = len(dataset)
        if self.size == 0:
            raise DataError("the training data set is empty: there is nothing to sample from.")
        if batch_size % self.world_size:
            raise ConfigError(
                f"train_dataloader.batch_size is the total over all processes: {batch_size} is"
                f" not divisible by {self.world_size} processes."
            )
        self.batch_size = batch_size
        self.seed = int(sync_random_seed() if seed is None else seed)
        self.shuffle = shuffle
        self._iteration = 0
        self._orders: dict[int, np.ndarray] = {}

    def start(self, iteration: int) -> None:
        """Start the next pass after so many iterations; call it before iterating."""
        self._iteration = int(iteration)

    def index_at(self, position: int) -> int:
        """Return the index at a position of the run."""
        epoch, place = divmod(position, self.size)
        return int(self._order(epoch)[place]) if self.shuffle else place

    def scale_at(self, iteration: int) -> float | None:
        """Return the scale drawn for an iteration's batch, if any."""
        if self.scales is None:
            return None
        drawn = self.scales
        if self.curriculum:
            stage = bisect_right(self.curriculum, iteration, key=lambda item: item[0]) - 1
            drawn = [scale for scale in self.scales if scale in self.curriculum[max(stage, 0)][1]]
        return drawn[stream_seed(self.seed, "scale", iteration) % len(drawn)]

    def __iter__(self) -> Iterator[tuple[int, int] | tuple[int, int, float]]:
        share = self.batch_size // self.world_size
        iteration = self._iteration
        while True:
            first = iteration * self.batch_size + self.rank * share
            scale = self.scale_at(iteration)
            for position in range(first, first + share):
                index = self.index_at(position)
                yield (position, index) if scale is None else (position, index, scale)
            iteration += 1

    def __len__(self) -> int:
        """Samples of this process per pass over the data; iteration itself never ends."""
        return -(-self.size // self.world_size)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            # A batch may span the end of an epoch, so the previous one is kept.
            self._orders = {e: o for e, o in self._orders.items() if e == epoch - 1}
            seed = stream_seed(self.seed, "epoch", epoch)
            self._orders[epoch] = np.random.default_rng(seed).permutation(self.size)
        return self._orders[epoch]


@DATA_SAMPLERS.register_module()
class EvalSampler(Sampler[int]):
    """Each process takes every n-th item once; nothing is padded or repeated.

    mmengine's ``collect_results`` interleaves the processes, so that results return in the order of
    the data set, one per item.

    Args:
        dataset: The data set.
        seed: Not used; mmengine's Runner passes one to every sampler.
        rank: Which process this is; None asks torch.distributed.
        world_size: How many processes there are; None asks torch.distributed.
    """

    def __init__(
        self,
        dataset: Sized,
        seed: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self.rank, self.world_size = _place(rank, world_size)
        self.indices = range(self.rank, len(dataset), self.world_size)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)
