"""HR images and the LR that a degradation makes of them, as a plain data set of torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset

from realdeg.data.epochs import Epoch, Repeats
from realdeg.data.output import Fields, Output
from realdeg.data.view import View
from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import as_rgb, read_image, round_to_8_bit, to_tensor
from realdeg.utils.image_files import list_images
from realdeg.utils.streams import stream_seed

if TYPE_CHECKING:
    from realdeg.degradations import Degradation


class DegradedDataset(Dataset[Any]):
    """HR images from a folder and LR made of them, anew in every epoch; a map-style data set.

    Items are those of :class:`PairedDataset` and depend on (seed, epoch, index) alone. The patch is
    cut first, then degraded on the CPU of the worker, by the same code as everywhere in realdeg.
    ``record`` is the trace, from which LR can be made again.

    Args:
        hr: The folder of HR images.
        degradation: Anything that :func:`realdeg.create_degradation` takes: the name of a type
            (``"RealESRGAN"``) or camera, a dict, a config, the file of a learned one.
        scale: Whole number of HR pixels per LR pixel; None: the degradation's.
        same_size: Whether LR lies on the HR grid; None: as the degradation states.
        crop: Side of random square patches in HR pixels; None takes whole images.
        flip: Whether to exchange left and right at random.
        rotate: Whether to turn by multiples of 90 degrees at random.
        seed: The seed of everything random.
        quantise: Whether LR is rounded to 8 bit, as in files.
        fields: As for :class:`PairedDataset`.
        signed: As for :class:`PairedDataset`.
        transform: As for :class:`PairedDataset`.
        recursive: Whether to include subfolders.

    Raises:
        ConfigError: If an argument is wrong or the degradation is untrained.
        CheckpointError: If the file of a learned degradation cannot be read.
        DataError: If the folder is missing or empty; when an item is read, if a file is damaged or
            too small.
        GeometryError: If the patch does not fit the scale.
    """

    def __init__(
        self,
        hr: str | os.PathLike[str],
        degradation: str | os.PathLike[str] | Mapping[str, Any] | Degradation,
        *,
        scale: float | None = None,
        same_size: bool | None = None,
        crop: int | None = None,
        flip: bool = False,
        rotate: bool = False,
        seed: int = 0,
        quantise: bool = True,
        fields: Fields | None = None,
        signed: Sequence[str] = (),
        transform: Callable[[Any], Any] | None = None,
        recursive: bool = False,
    ) -> None:
        # Imported late: it brings mmengine, which the other data sets do without.
        from realdeg.apis.create import create_degradation

        folder = Path(hr).expanduser()
        if not folder.is_dir():
            raise DataError(f"{folder} is no folder of HR images.")
        self.files = list_images(folder, recursive)
        if not self.files:
            below = "" if recursive else " (subfolders are not searched)"
            raise DataError(f"{folder} holds no images{below}.")
        self.keys = tuple(self.files)
        self.view = View(crop, flip, rotate)
        self.seed = int(seed)
        self.quantise = quantise
        self.output = Output(fields, tuple(signed), transform)
        made = create_degradation(degradation, scale, same_size, trained=True)
        self.degradation = made.eval().requires_grad_(False)
        step = 1 if made.same_size else made.scale
        if crop is not None and crop % step:
            raise ConfigError(
                f"crop={crop} HR pixels is not divisible by the scale {step} of the degradation."
            )
        self._epoch = Epoch()
        self._repeats = Repeats(len(self.keys))

    def __len__(self) -> int:
        """Return the number of HR images."""
        return len(self.keys)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, in running workers as well; accelerate calls this by itself."""
        self._epoch.set(epoch)

    def __getitem__(self, index: int) -> Any:
        """Return one item."""
        key = self.keys[index]
        index %= len(self.keys)
        epoch = self._epoch.get()
        self._repeats.note(index, epoch)
        pixels = as_rgb(read_image(self.files[key]))
        pixels, _ = self.view.apply(pixels, None, key, self.seed, epoch, index)
        hr = to_tensor(np.ascontiguousarray(pixels))
        seed = stream_seed(self.seed, epoch, index, "degradation")
        with torch.no_grad():
            traces = self.degradation.sample(hr[None], [seed])
            lr = self.degradation.replay(hr[None], traces)[0]
        if self.quantise:
            lr = round_to_8_bit(lr)
        record = traces[0].to_json() if self.output.needs_record else {}
        return self.output(hr, lr, key, record)
