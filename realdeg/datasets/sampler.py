"""Which samples a process sees, and in which order."""

from __future__ import annotations

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
    """Yields (position in the run, index) for ever, and the batch's scale where one is drawn.

    Iteration t takes the positions t * B to (t + 1) * B - 1, of which each process has its
    contiguous slice. The index at a position follows from (seed, position), each epoch being one
    permutation of the data, so a resume begins in the middle without replay. The scale of a batch
    follows from (seed, iteration), so it is the same in every process too.

    Args:
        dataset: The data set.
        batch_size: Samples per iteration over all processes; the data loader's own batch size is
            this divided by their number.
        seed: The run's seed; None agrees on a random one.
        shuffle: Whether each epoch is permuted.
        rank: Which process this is; None asks torch.distributed.
        world_size: How many processes there are; None asks torch.distributed.
        scales: One of these is drawn for each batch, all equally likely; None draws none, and the
            data set's own holds. In a config they are said in ``model.scales``.

    Raises:
        ConfigError: If the batch does not divide by the number of processes, or a scale is none.
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
        self.starts: dict[float, int] = {}
        """The iteration from which a scale is drawn, where a curriculum says so."""
        self.size = len(dataset)
        if self.size == 0:
            raise DataError("the training data set is empty: there is nothing to sample from.")
        if batch_size % self.world_size:
            raise ConfigError(
                f"train_dataloader.batch_size is the total over all processes: {batch_size} does"
                f" not divide by {self.world_size} processes."
            )
        self.batch_size = batch_size
        self.seed = int(sync_random_seed() if seed is None else seed)
        self.shuffle = shuffle
        self._iteration = 0
        self._orders: dict[int, np.ndarray] = {}

    def start(self, iteration: int) -> None:
        """Let the next pass begin at an iteration; call it before the loader is iterated.

        Args:
            iteration: How many iterations have been done.
        """
        self._iteration = int(iteration)

    def index_at(self, position: int) -> int:
        """Return the index that stands at a position of the run."""
        epoch, place = divmod(position, self.size)
        return int(self._order(epoch)[place]) if self.shuffle else place

    def scale_at(self, iteration: int) -> float | None:
        """Return the scale that is drawn for an iteration's batch, or None where none is."""
        if self.scales is None:
            return None
        drawn = [scale for scale in self.scales if self.starts.get(scale, 0) <= iteration]
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
        """Samples of this process in one pass over the data; the sampler itself never ends."""
        return -(-self.size // self.world_size)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            # A batch may lie across the end of an epoch: the former one is kept.
            self._orders = {e: o for e, o in self._orders.items() if e == epoch - 1}
            seed = stream_seed(self.seed, "epoch", epoch)
            self._orders[epoch] = np.random.default_rng(seed).permutation(self.size)
        return self._orders[epoch]


@DATA_SAMPLERS.register_module()
class EvalSampler(Sampler[int]):
    """Each process takes every n-th item once; nothing is padded or repeated.

    mmengine's ``collect_results`` interleaves the parts of the processes, so the results come
    back in the order of the data set and as many as there are items.

    Args:
        dataset: The data set.
        seed: Not used; mmengine's Runner hands one to every sampler.
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
