"""Pairs in two folders, as a plain data set of torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from realdeg.data.epochs import Epoch, Repeats
from realdeg.data.output import Fields, Output
from realdeg.data.view import View, ratio
from realdeg.utils.image import as_rgb, read_image, to_tensor
from realdeg.utils.named_pairs import match_folders


class PairedDataset(Dataset[Any]):
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
        self.view = View(crop, flip, rotate)
        self.seed = int(seed)
        self.output = Output(fields, tuple(signed), transform)
        found = match_folders(
            hr, lr, first_pattern=pattern, second_pattern=lr_pattern, recursive=recursive
        )
        self.pairs = found.pairs
        self._epoch = Epoch()
        self._repeats = Repeats(len(self.pairs))

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, in running workers as well; accelerate calls this by itself."""
        self._epoch.set(epoch)

    def __getitem__(self, index: int) -> Any:
        """Return one item."""
        pair = self.pairs[index]  # ends a for loop with IndexError
        index %= len(self.pairs)
        epoch = self._epoch.get()
        if self.view.draws:
            self._repeats.note(index, epoch)
        hr, lr = (as_rgb(read_image(file)) for file in (pair.first, pair.second))
        ratio(hr, lr, pair.key)
        hr, small = self.view.apply(hr, lr, pair.key, self.seed, epoch, index)
        assert small is not None
        return self.output(_tensor(hr), _tensor(small), pair.key, {})


def _tensor(image: np.ndarray) -> Any:
    return to_tensor(np.ascontiguousarray(image))
