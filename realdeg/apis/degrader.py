"""Apply a degradation to arrays and folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.apis.arrays import Picture, put_together, take_apart
from realdeg.apis.create import create_degradation, find_device, where_is
from realdeg.apis.folder import Summary, process_folder
from realdeg.apis.manifest import Record
from realdeg.degradations.base import Degradation
from realdeg.degradations.primitives.resize import imresize
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.utils.colour import one_channel_is_grey, rgb_to_ycbcr, to_colour, ycbcr_to_rgb
from realdeg.utils.component import component_hash, plain
from realdeg.utils.image import LoadedImage, Reading, write_image
from realdeg.utils.scales import hr_length, lr_length
from realdeg.utils.streams import stream_seed

Remainder = Literal["crop", "refuse"]
Colour = Literal["rgb", "y"]


class Degrader:
    """Turns HR images into LR images, as a camera (learned) or a recipe (hand-made) would.

    Colour: an RGB image is degraded as it is. A grey image is one channel: what is drawn for a
    pixel, noise above all, is drawn once, so noise of sigma 5 is noise of sigma 5 in it, and JPEG
    codes it as grey. Networks take its luma as that of RGB with equal channels, as in training.
    Alpha is no light that a camera sees: it is not degraded but brought to the LR grid by
    bicubic interpolation, or kept where LR lies on the HR grid. 16-bit images stay 16-bit.

    Args:
        degradation: A file of learned weights (``.safetensors``); a registered type such as
            ``"BSRGAN"``; a config file or its name, whose ``degradation`` is taken; a dict with
            ``type`` or ``checkpoint``; or a degradation, which is put into evaluation mode.
        scale: How much resolution is lost. None: what the degradation says.
        same_size: Whether LR lies on the HR grid. None: what the degradation says.
        device: Where to compute. None: where the degradation is, the CPU for one that is built
            here; only there are results the same bit for bit when a folder is made again.
        colour: ``"rgb"`` degrades the three channels; ``"y"`` degrades luma as the training of
            a luma network does, and brings the colour to the LR grid by bicubic interpolation.
            Noise of sigma 5 is noise of sigma 5 in luma only with ``"y"``; drawn in R, G and B it
            averages to sigma 2.9 there. For a grey image both are the same.

    Raises:
        ConfigError: If the degradation is unknown, or a learned one that was never trained.
        CheckpointError: If its weights cannot be read.
        GeometryError: If scale or grid are not those of the weights.

    Examples:
        >>> import numpy as np
        >>> degrader = Degrader("Bicubic", scale=2)
        >>> lr, trace = degrader.degrade(np.zeros((8, 12, 3), np.uint8))
        >>> lr.shape, lr.dtype.name, trace.type
        ((4, 6, 3), 'uint8', 'Bicubic')
    """

    def __init__(
        self,
        degradation: str | os.PathLike[str] | Mapping[str, Any] | Degradation,
        *,
        scale: float | None = None,
        same_size: bool | None = None,
        device: str | torch.device | None = None,
        colour: Colour = "rgb",
    ) -> None:
        if colour not in ("rgb", "y"):
            raise ConfigError(f"colour is 'rgb' or 'y', got {colour!r}.")
        self.colour = colour
        self.degradation = create_degradation(degradation, scale, same_size, trained=True)
        self.degradation.eval()
        self.device = where_is(self.degradation) if device is None else find_device(device)
        self.degradation.to(self.device)

    def degrade(
        self, image: NDArray[Any], seed: int = 0, *, remainder: Remainder = "refuse"
    ) -> tuple[NDArray[Any], Trace]:
        """Degrade one image.

        Args:
            image: H x W or H x W x C with C from 1 to 4; uint8, uint16, or float in [0, 1].
            seed: Decides everything that is random.
            remainder: What to do with a size that does not divide by the scale: ``"refuse"`` it
                or ``"crop"`` rows and columns at the bottom and the right.

        Returns:
            The LR image, of the same number type and channels (a float one is neither clipped
            nor rounded), and the record of what was done.

        Raises:
            DataError: If the array is no image.
            GeometryError: If the size does not divide and is to be refused.
        """
        picture = self._prepare(image, remainder)
        with torch.no_grad():
            shown = self._shown(picture, picture.grey)
            (trace,) = self.degradation.sample(shown, [int(seed)])
            return self._apply(picture, trace), trace

    def replay(self, image: NDArray[Any], trace: Trace) -> NDArray[Any]:
        """Do again to an image what a trace says.

        Args:
            image: The HR image that the trace was drawn for, or another of its size. Rows and
                columns that were cropped then are cropped again.
            trace: The record.

        Returns:
            The LR image: on the CPU, with the same build and number of threads, the same bits.

        Raises:
            DataError: If the trace is of another degradation, other weights or another size.
        """
        picture = take_apart(image)
        height, width = trace.size[1:]
        stride = self.degradation.stride
        # Only the remainder may differ: any larger difference is another image's trace.
        if 0 <= picture.size[0] - height < stride and 0 <= picture.size[1] - width < stride:
            picture = picture.crop(height, width)
        with torch.no_grad():
            return self._apply(picture, trace)

    def degrade_folder(
        self,
        src: str | os.PathLike[str],
        dst: str | os.PathLike[str],
        *,
        seed: int = 0,
        remainder: Remainder = "crop",
        overwrite: bool = False,
        progress: bool = True,
        jobs: int = 1,
        reading: Reading | None = None,
    ) -> Summary:
        """Degrade every image of a folder and write PNG files and ``manifest.jsonl``.

        Each image's seed comes from ``seed`` and its name, so neither the order nor other images
        matter. A killed run is continued by the same call and ends with the same bytes.

        Args:
            src: Folder of HR images; sub-folders keep their names.
            dst: Folder of LR images.
            seed: Decides everything that is random.
            remainder: ``"crop"`` (named in the manifest and the summary) or ``"refuse"`` sizes
                that do not divide by the scale.
            overwrite: Begin anew instead of continuing.
            progress: Show a progress bar.
            jobs: How many processes degrade, one thread each; the results are the same for any
                number. Several only on the CPU.
            reading: How images are read: several pages, colour profiles.

        Returns:
            What became of each image; look at ``failed``.

        Raises:
            DataError: If there is no image, or ``src`` and ``dst`` are not apart.
            ConfigError: If ``dst`` was begun with other settings, or ``jobs`` is no number.
            OutputError: If ``dst`` cannot be written, or another process is writing there.
        """
        _check_remainder(remainder)

        def work(image: LoadedImage, name: str, path: Path) -> Record:
            image_seed = stream_seed(seed, name)
            result, trace = self.degrade(image.pixels, image_seed, remainder=remainder)
            write_image(path, result, icc=image.icc)
            used = list(trace.size[1:])
            return {
                "output_size": list(result.shape[:2]),
                "used_size": used,
                "cropped": used != list(image.pixels.shape[:2]),
                "seed": image_seed,
                "trace": trace.to_dict(),
            }

        return process_folder(
            src,
            dst,
            work,
            {**self.settings(), "seed": int(seed), "remainder": remainder},
            overwrite=overwrite,
            progress=progress,
            reading=reading,
            title="degrading",
            jobs=jobs if self.device.type == "cpu" else 1,
            # One, whatever the machine: threads that wait for each other gain little on images of
            # a training set's size, lose a lot on a busy machine, and change last digits.
            threads=1,
        )

    def settings(self) -> dict[str, Any]:
        """Return what the results depend on, as plain data for a manifest."""
        degradation = self.degradation
        return {
            "degradation": _described(degradation),
            "scale": degradation.scale,
            "same_size": degradation.same_size,
            "colour": self.colour,
            "device": self.device.type,
        }

    def _prepare(self, image: NDArray[Any], remainder: Remainder) -> Picture:
        _check_remainder(remainder)
        picture = take_apart(image)
        height, width = picture.size
        stride = self.degradation.stride
        rows, columns = (hr_length(lr_length(side, stride), stride) for side in (height, width))
        if (rows, columns) == (height, width):
            return picture
        if remainder == "refuse":
            raise GeometryError(
                f"an image of {height} x {width} pixels does not divide by the scale {stride}:"
                " crop it, or let it be cropped with remainder='crop'."
            )
        if height < stride or width < stride:
            raise GeometryError(
                f"an image of {height} x {width} pixels is smaller than the scale {stride}."
            )
        return picture.crop(rows, columns)

    def _shown(self, picture: Picture, grey: bool) -> Tensor:
        """Return what the degradation gets to see: a grey image as its one channel."""
        if grey:
            return picture.rgb[:, :1].to(self.device)
        return to_colour(picture.rgb.to(self.device), self.colour)

    def _apply(self, picture: Picture, trace: Trace) -> NDArray[np.generic]:
        # A trace that was drawn for three channels of a grey image, as once was done, stays so.
        grey = picture.grey and trace.size[0] == 1
        with one_channel_is_grey() if grey else nullcontext():
            lr = self.degradation.replay(self._shown(picture, grey), [trace])
        if not bool(torch.isfinite(lr).all()):
            # They would be written as black, and nobody would know.
            raise DataError(
                f"{type(self.degradation).__name__} returned NaN or infinity: its weights are"
                " damaged, or its settings leave what numbers can hold."
            )
        if self.colour == "y" and not grey:
            chroma = rgb_to_ycbcr(picture.rgb)[:, 1:].to(lr)
            lr = ycbcr_to_rgb(torch.cat([lr, _on_grid(chroma, lr)], dim=1))
        alpha = None if picture.alpha is None else _on_grid(picture.alpha, lr)
        return put_together(lr, alpha, picture)


def _on_grid(image: Tensor, lr: Tensor) -> Tensor:
    """Bring an image to the grid of another one by bicubic interpolation."""
    size = (int(lr.shape[-2]), int(lr.shape[-1]))
    return image if tuple(image.shape[-2:]) == size else imresize(image, size=size)


def _check_remainder(remainder: str) -> None:
    if remainder not in ("crop", "refuse"):
        raise ConfigError(f"remainder is 'crop' or 'refuse', got {remainder!r}.")


def _described(degradation: Degradation) -> dict[str, Any]:
    name = type(degradation).__name__
    arguments = plain(_without_objects(degradation.arguments))
    if degradation.fitting is not None:
        digest = degradation.hash()  # the one that its traces name
    else:
        digest = component_hash(name, arguments, degradation.state_dict())
    return {"type": name, "arguments": arguments, "hash": digest}


def _without_objects(value: Any) -> Any:
    """Put descriptions in place of degradations: containers may have been given objects."""
    if isinstance(value, Degradation):
        return _described(value)
    if isinstance(value, Mapping):
        return {key: _without_objects(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_objects(item) for item in value]
    return value
