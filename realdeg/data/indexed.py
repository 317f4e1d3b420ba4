"""Pairs that are read by index, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from realdeg.data.epochs import Epoch, Repeats
from realdeg.data.output import Output
from realdeg.data.view import View, ratio
from realdeg.utils.image import ImageFile, as_rgb, read_image, to_tensor


class IndexedPairs(Dataset[Any]):
    """Pairs by index; what the map-style data sets have in common.

    Args:
        images: Name, HR and LR of each pair, in order.
        view: How pairs are cropped and turned.
        seed: The seed of crops, flips and turns.
        output: What an item looks like.
    """

    def __init__(
        self,
        images: Iterable[tuple[str, ImageFile, ImageFile]],
        view: View,
        seed: int,
        output: Output,
    ) -> None:
        self.view = view
        self.seed = int(seed)
        self.output = output
        self._images = list(images)
        self._epoch = Epoch()
        self._repeats = Repeats(len(self._images))

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self._images)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, in running workers as well; accelerate calls this by itself."""
        self._epoch.set(epoch)

    def __getitem__(self, index: int) -> Any:
        """Return one item."""
        key, *files = self._images[index]  # ends a for loop with IndexError
        index %= len(self._images)
        epoch = self._epoch.get()
        if self.view.draws:
            self._repeats.note(index, epoch)
        hr, lr = (as_rgb(read_image(file)) for file in files)
        ratio(hr, lr, key)
        hr, small = self.view.apply(hr, lr, key, self.seed, epoch, index)
        assert small is not None
        return self.output(_tensor(hr), _tensor(small), key, {})


def _tensor(image: np.ndarray) -> Tensor:
    return to_tensor(np.ascontiguousarray(image))
