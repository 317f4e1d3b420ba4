"""Pairs streamed from tar shards in the layout of WebDataset."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from realdeg.data.epochs import Epoch
from realdeg.data.output import Fields, Output
from realdeg.data.sampler import processes
from realdeg.data.view import View, ratio
from realdeg.errors import ConfigError, DataError
from realdeg.synthesis.archives import read_member, samples
from realdeg.synthesis.entries import Entry
from realdeg.synthesis.stores import read_part
from realdeg.utils.image import as_rgb, decode_image, to_tensor
from realdeg.utils.plain_json import read_json
from realdeg.utils.streams import stream_seed

_LARGEST_RECORD = 1 << 24


class _Pair(NamedTuple):
    key: str
    hr: bytes
    lr: bytes
    record: bytes


class ShardedPairs(IterableDataset[Any]):
    """Pairs from tar shards (``key.hr.png``, ``key.lr.png``, ``key.json``), read in sequence.

    These are what ``realdeg degrade --to tar`` writes. Whole shards are shared between processes
    and workers; their order, the samples within a buffer, crops and flips are drawn from (seed,
    epoch). So a run with the same numbers of processes and workers repeats itself. Items are those
    of :class:`PairedDataset`; ``record`` is the content of ``key.json``.

    Args:
        shards: A folder of ``.tar`` files, a pattern such as ``"pairs/shard-*.tar"``, or a list of
            files.
        crop: Side of random square patches in HR pixels; None gives whole images.
        flip: Whether to exchange left and right at random.
        rotate: Whether to turn by multiples of 90 degrees at random.
        shuffle: How many pairs are mixed with each other in memory, as files; 0 keeps the order
            of shards and samples.
        seed: The seed of everything random.
        fields: As for :class:`PairedDataset`.
        signed: As for :class:`PairedDataset`.
        transform: As for :class:`PairedDataset`.
        rank: The number of this process; None asks torch.distributed.
        world_size: The number of processes; None asks torch.distributed.

    Raises:
        ConfigError: If an argument is wrong, or there are fewer shards than processes.
        DataError: If there are no shards; when they are read, if one is damaged or a sample lacks
            HR or LR.
    """

    def __init__(
        self,
        shards: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        crop: int | None = None,
        flip: bool = False,
        rotate: bool = False,
        shuffle: int = 256,
        seed: int = 0,
        fields: Fields | None = None,
        signed: Sequence[str] = (),
        transform: Callable[[Any], Any] | None = None,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self.shards = _listed(shards)
        self.view = View(crop, flip, rotate)
        if type(shuffle) is not int or shuffle < 0:
            raise ConfigError(f"shuffle is a number of pairs, 0 or more, got {shuffle!r}.")
        self.shuffle, self.seed = shuffle, int(seed)
        self.output = Output(fields, tuple(signed), transform)
        self._processes = None if rank is None and world_size is None else (rank, world_size)
        self._epoch = Epoch()
        self._check(self._rank()[1])

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, in running workers as well; accelerate calls this by itself."""
        self._epoch.set(epoch)

    def __iter__(self) -> Iterator[Any]:
        """Yield the items of this process and worker, and go on to the next epoch."""
        epoch = self._epoch.get()
        rank, world_size = self._rank()
        self._check(world_size)
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        order = np.arange(len(self.shards))
        if self.shuffle:
            order = np.random.default_rng(stream_seed(self.seed, epoch, "shards")).permutation(
                order
            )
        mine = order[rank::world_size][number::workers]
        mixing = np.random.default_rng(stream_seed(self.seed, epoch, rank, number, "mix"))
        shards = (self.shards[index] for index in mine.tolist())
        pairs = (_read(shard, *sample) for shard in shards for sample in samples(shard))
        for pair in _mixed(pairs, self.shuffle, mixing):
            yield self._item(pair, epoch)

    def _item(self, pair: _Pair, epoch: int) -> Any:
        hr, lr = (
            as_rgb(decode_image(content, f"{pair.key}.{side}.png").pixels)
            for side, content in (("hr", pair.hr), ("lr", pair.lr))
        )
        ratio(hr, lr, pair.key)
        hr, small = self.view.apply(hr, lr, pair.key, self.seed, epoch, pair.key)
        assert small is not None
        record: Any = {}
        if self.output.needs_record and pair.record:
            text = pair.record.decode("utf-8", "replace")
            record = read_json(text, f"{pair.key}.json", DataError, largest=_LARGEST_RECORD)
        return self.output(_tensor(hr), _tensor(small), pair.key, record)

    def _rank(self) -> tuple[int, int]:
        # Asked for late: a trainer may start its processes after the data set is made.
        return processes(*(self._processes or (None, None)))

    def _check(self, world_size: int) -> None:
        if len(self.shards) < world_size:
            raise ConfigError(
                f"{len(self.shards)} shards cannot be shared by {world_size} processes: write"
                " smaller shards (--shard-size)."
            )


def _listed(given: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> tuple[str, ...]:
    if isinstance(given, str | os.PathLike):
        text = os.fspath(given)
        pattern = str(Path(glob.escape(text), "*.tar")) if os.path.isdir(text) else text
        found = sorted(glob.glob(pattern))
        if not found:
            raise DataError(f"no tar file: nothing matches {pattern}.")
        return tuple(found)
    if not given:
        raise DataError("the list of shards is empty.")
    return tuple(os.fspath(item) for item in given)


def _read(shard: str, key: str, found: Mapping[str, Entry]) -> _Pair:
    """Return the pair of a sample."""
    for field in ("hr.png", "lr.png"):
        if field not in found:
            raise DataError(
                f"{shard}: the sample {key} has no {key}.{field}, but {', '.join(found)}; pairs"
                " need HR and LR."
            )
    record = found.get("json")
    if record is not None and record.size > _LARGEST_RECORD:
        raise DataError(f"{shard}: {record.name} is larger than {_LARGEST_RECORD} bytes.")
    said = b"" if record is None else read_part(shard, record.position, record.size)
    return _Pair(key, read_member(found["hr.png"]), read_member(found["lr.png"]), said)


def _mixed(pairs: Iterator[_Pair], buffer: int, rng: np.random.Generator) -> Iterator[_Pair]:
    """Yield pairs in an order that is mixed within a buffer."""
    if buffer <= 1:
        yield from pairs
        return
    held: list[_Pair] = []
    for pair in pairs:
        if len(held) < buffer:
            held.append(pair)
            continue
        place = int(rng.integers(buffer))
        held[place], pair = pair, held[place]
        yield pair
    for place in rng.permutation(len(held)).tolist():
        yield held[place]


def _tensor(image: np.ndarray) -> Any:
    return to_tensor(np.ascontiguousarray(image))
