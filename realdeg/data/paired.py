"""Pairs in two folders, as a plain data set of torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from realdeg.data.indexed import IndexedPairs
from realdeg.data.output import Fields, Output
from realdeg.data.view import View
from realdeg.utils.named_pairs import match_folders


class PairedDataset(IndexedPairs):
    """HR and LR from two folders, matched by name; a map-style data set without mmengine.

    An item is the tuple ``(hr, lr)`` of float32 tensors in [0, 1], shape (3, H, W), or a dict with
    the names that ``fields`` gives. It depends on (seed, epoch, index) alone, whatever the number
    of workers; :class:`EpochSampler` or :meth:`set_epoch` sets the epoch.

    Args:
        hr: The folder of HR images.
        lr: The folder of LR images, a whole number of times smaller or of the same size.
        crop: Side of random square patches in HR pixels; None gives whole images.
        flip: Whether to exchange left and right at random.
        rotate: Whether to turn by multiples of 90 degrees at random.
        seed: The seed of crops, flips and turns.
        fields: Names and what they stand for, such as ``{"gt": "hr", "lq": "lr", "name": "key"}``;
            sources are ``hr``, ``lr``, ``lr_enlarged`` (bicubic, size of HR), ``key``, ``record``.
        signed: Names of images to return in [-1, 1].
        transform: Called last with each item.
        pattern: Name of an HR file without its suffix, such as ``"{name}_HR"``, where the usual
            endings (``_HR``, ``_LR4``, ``x4``) do not pair the files.
        lr_pattern: The same for LR.
        recursive: Whether to include subfolders.

    Raises:
        ConfigError: If an argument is wrong.
        DataError: If folders or partners are missing; when an item is read, if a file is damaged or
            its pair does not fit.
    """

    def __init__(
        self,
        hr: str | os.PathLike[str],
        lr: str | os.PathLike[str],
        *,
        crop: int | None = None,
        flip: bool = False,
        rotate: bool = False,
        seed: int = 0,
        fields: Fields | None = None,
        signed: Sequence[str] = (),
        transform: Callable[[Any], Any] | None = None,
        pattern: str | None = None,
        lr_pattern: str | None = None,
        recursive: bool = False,
    ) -> None:
        view, output = View(crop, flip, rotate), Output(fields, tuple(signed), transform)
        self.pairs = match_folders(
            hr, lr, first_pattern=pattern, second_pattern=lr_pattern, recursive=recursive
        ).pairs
        images = [(pair.key, pair.first, pair.second) for pair in self.pairs]
        super().__init__(images, view, seed, output)
