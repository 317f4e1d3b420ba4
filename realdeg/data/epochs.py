"""The epoch of a data set, seen by the workers that a loader has already started."""

from __future__ import annotations

import logging
from typing import Any

import torch

logger = logging.getLogger(__name__)


class Epoch:
    """A number in shared memory.

    Workers that outlive an epoch hold a copy of their data set; this number stays common.
    """

    def __init__(self) -> None:
        self._value = torch.zeros((), dtype=torch.int64).share_memory_()

    def get(self) -> int:
        """Return the epoch."""
        return int(self._value)

    def set(self, epoch: int) -> None:
        """Set the epoch for this process and its workers."""
        self._value.fill_(int(epoch))


class Repeats:
    """Warns once where items come again in the same epoch, with the same crops.

    Args:
        length: How many items there are.
    """

    def __init__(self, length: int) -> None:
        self._seen = bytearray(length)
        self._epoch = -1
        self._warned = False

    def note(self, index: int, epoch: int) -> None:
        """Note that an item was read."""
        if epoch != self._epoch:
            self._seen, self._epoch = bytearray(len(self._seen)), epoch
        if self._seen[index] and not self._warned:
            self._warned = True
            logger.warning(
                "item %d is read again in epoch %d, with the same crop and degradation. That is"
                " right for validation; for training call set_epoch(epoch) before each epoch, or"
                " use realdeg.data.EpochSampler.",
                index,
                epoch,
            )
        self._seen[index] = 1

    def __getstate__(self) -> dict[str, Any]:
        """Send no marks to a worker."""
        return {**self.__dict__, "_seen": bytearray(len(self._seen))}
