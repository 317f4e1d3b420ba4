"""Pairs for other trainers: plain data sets of ``torch.utils.data``, without mmengine.

:class:`PairedDataset` reads pairs from two folders, :class:`DegradedDataset` makes LR from HR by
any degradation, :class:`ShardedPairs` streams the tar shards of ``realdeg degrade --to tar``.
Each gives ``(hr, lr)`` or a dict with the names that a trainer wants. :class:`EpochSampler`
shuffles and gives each epoch new crops.
"""

from realdeg.data.degraded import DegradedDataset
from realdeg.data.paired import PairedDataset
from realdeg.data.sampler import EpochSampler
from realdeg.data.shards import ShardedPairs

__all__ = ["DegradedDataset", "EpochSampler", "PairedDataset", "ShardedPairs"]
