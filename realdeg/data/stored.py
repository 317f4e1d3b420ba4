"""Pairs from any format of ``realdeg degrade --to``, read by index."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from realdeg.data.indexed import IndexedPairs
from realdeg.data.output import Fields, Output
from realdeg.data.view import View
from realdeg.errors import DataError
from realdeg.synthesis.stored import find_sides


class StoredPairs(IndexedPairs):
    """Pairs from tar shards, Parquet files, LMDB folders or an address; a map-style data set.

    Items are those of :class:`PairedDataset` on the same images as files, in the same order: any
    format, and any number of workers, gives a training loop the same batches. It reads any pair by
    itself, whereas :class:`ShardedPairs` streams tar shards from their start to their end.

    Args:
        root: A folder of ``.tar`` files with ``key.hr.png`` and ``key.lr.png``, of ``.parquet``
            files with the columns ``hr`` and ``lr``, of ``*_HR.lmdb`` and ``*_LR.lmdb``, or with
            the folders ``HR`` and ``LR``; a file or pattern; an address such as ``s3://bucket/pairs``.
        hr: What the HR side is called.
        lr: What the LR side is called.
        crop: Side of random square patches in HR pixels; None gives whole images.
        flip: Whether to exchange left and right at random.
        rotate: Whether to turn by multiples of 90 degrees at random.
        seed: The seed of crops, flips and turns.
        fields: As for :class:`PairedDataset`; there is no ``record``.
        signed: As for :class:`PairedDataset`.
        transform: As for :class:`PairedDataset`.

    Raises:
        ConfigError: If an argument is wrong, or a package is missing.
        DataError: If there are no pairs, an image has no partner, or a file is truncated or
            damaged; when an item is read, if an image is damaged or its pair does not fit.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        hr: str = "hr",
        lr: str = "lr",
        crop: int | None = None,
        flip: bool = False,
        rotate: bool = False,
        seed: int = 0,
        fields: Fields | None = None,
        signed: Sequence[str] = (),
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        view, output = View(crop, flip, rotate), Output(fields, tuple(signed), transform)
        sharp, low = find_sides(root, hr, lr)
        for side, other, lacking in ((sharp, low, lr), (low, sharp, hr)):
            alone = next((image for key, image in side.items() if key not in other), None)
            if alone is not None:
                raise DataError(f"{alone} has no partner called '{lacking}' in {os.fspath(root)}.")
        super().__init__([(key, sharp[key], low[key]) for key in sharp], view, seed, output)
