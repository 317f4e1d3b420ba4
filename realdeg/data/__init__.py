"""Pairs for other trainers: plain data sets of ``torch.utils.data``, without mmengine.

:class:`PairedDataset` reads pairs from two folders, :class:`DegradedDataset` makes LR from HR by
any degradation, :class:`StoredPairs` reads pairs in any format of ``realdeg degrade --to``,
:class:`ShardedPairs` streams its tar shards.
Each gives ``(hr, lr)`` or a dict with the names that a trainer wants. :class:`EpochSampler`
shuffles and gives each epoch new crops.
"""

from realdeg.data.degraded import DegradedDataset
from realdeg.data.paired import PairedDataset
from realdeg.data.sampler import EpochSampler
from realdeg.data.shards import ShardedPairs
from realdeg.data.stored import StoredPairs

__all__ = ["DegradedDataset", "EpochSampler", "PairedDataset", "ShardedPairs", "StoredPairs"]
