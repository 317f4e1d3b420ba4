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
from realdeg.apis.create import create_degradation, device_of, find_device
from realdeg.apis.folder import Summary, process_folder
from realdeg.apis.inputs import Inputs, Photos
from realdeg.apis.manifest import Record
from realdeg.apis.saving import Saving
from realdeg.degradations.base import Degradation
from realdeg.degradations.primitives.resize import imresize
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError, GeometryError, as_given
from realdeg.utils.colour import one_channel_is_grey, rgb_to_ycbcr, to_colour, ycbcr_to_rgb
from realdeg.utils.component import component_hash, plain
from realdeg.utils.image import ImageLike, LoadedImage, Reading, write_image
from realdeg.utils.notebook import html_block
from realdeg.utils.place import Place
from realdeg.utils.scales import hr_length, lr_length
from realdeg.utils.streams import stream_seed

Remainder = Literal["crop", "refuse"]
Colour = Literal["rgb", "y"]


class Degrader:
    """Turns HR images into LR images with a learned or hand-made degradation.

    Colour: an RGB image is degraded as it is. A grey image has one channel: noise is drawn once per
    pixel, so sigma 5 stays sigma 5, and JPEG encodes it as grey. Networks get its luma as that of
    RGB with equal channels, as in training. Alpha is not degraded: it is resized to the LR grid by
    bicubic interpolation, or kept if LR lies on the HR grid. 16-bit images stay 16-bit.

    Args:
        degradation: Anything that :func:`realdeg.create_degradation` takes; a degradation is put
            into evaluation mode.
        scale: The scale factor; None: the degradation's.
        same_size: Whether LR lies on the HR grid; None: as the degradation states.
        device: Where to compute. None: where the degradation is, or the CPU if it is built here.
            Only on the CPU are results bit-identical when a folder is processed again.
        colour: ``"rgb"`` degrades the three channels. ``"y"`` degrades luma, as the training of a
            luma network does, and resizes chroma to the LR grid by bicubic interpolation. Noise of
            sigma 5 has sigma 5 in luma only with ``"y"``; drawn in R, G and B it averages to
            sigma 2.9. For a grey image both are the same.

    Raises:
        ConfigError: If the degradation is unknown or untrained, or learned kernels for R, G and B
            where luma is to be degraded.
        CheckpointError: If its weights cannot be read.
        GeometryError: If scale or grid differ from those of the weights.

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
            raise ConfigError(f"colour must be 'rgb' or 'y', got {colour!r}.")
        self.colour = colour
        self.degradation = create_degradation(degradation, scale, same_size, trained=True)
        self.degradation.eval()
        if colour == "y" and self.degradation.needs_rgb and self.degradation.fitting is not None:
            raise ConfigError(
                f"{type(self.degradation).__name__} has kernels for R, G and B, and cannot degrade"
                f" luma alone: take {as_given(colour='rgb')}."
            )
        self.device = device_of(self.degradation) if device is None else find_device(device)
        self.degradation.to(self.device)

    def __repr__(self) -> str:
        """Return what degrades, how colour is handled, and where."""
        words = self.degradation.describe()
        return f"Degrader({words}; colour={self.colour!r}, device={str(self.device)!r})"

    def _repr_html_(self) -> str:
        """Return the degradation with its arguments for a notebook."""
        return html_block(
            f"Degrader: {self.degradation.describe()}",
            {**self.degradation.arguments, "colour": self.colour, "device": str(self.device)},
        )

    def degrade(
        self,
        image: ImageLike,
        seed: int = 0,
        *,
        remainder: Remainder = "refuse",
        place: Place | None = None,
    ) -> tuple[NDArray[Any], Trace]:
        """Degrade one image.

        Args:
            image: H x W or H x W x C with C from 1 to 4; uint8, uint16, or float in [0, 1]; or an
                image of Pillow.
            seed: The random seed.
            remainder: ``"refuse"`` a size that is not divisible by the scale, or ``"crop"`` rows
                and columns at the bottom and the right.
            place: Where the image lies in its photo, for a degradation that ``uses_place``; None:
                it is a whole photo.

        Returns:
            The LR image as an array, with the same number type and channels (float results are
            neither clipped nor rounded), and its trace.

        Raises:
            DataError: If it is not an image.
            GeometryError: If the size is refused.
        """
        picture, whole = self._prepare(image, remainder)
        with torch.no_grad():
            shown = self._degradation_input(picture, picture.grey)
            height, width = picture.size
            at = (place or Place.whole(*whole)).cropped(0, 0, height, width)
            (trace,) = self.degradation.sample(shown, [int(seed)], [at])
            return self._apply(picture, trace), trace

    def degrade_recorded(
        self, image: NDArray[Any], seed: int, *, remainder: Remainder, place: Place | None = None
    ) -> tuple[NDArray[Any], Record]:
        """Degrade one image, and return what a manifest records of it.

        Arguments and errors are those of :meth:`degrade`.

        Returns:
            The LR image, and the fields ``output_size``, ``used_size``, ``cropped``, ``seed`` and
            ``trace``.
        """
        result, trace = self.degrade(image, seed, remainder=remainder, place=place)
        used = list(trace.size[1:])
        return result, {
            "output_size": list(result.shape[:2]),
            "used_size": used,
            "cropped": used != list(image.shape[:2]),
            "seed": seed,
            "trace": trace.to_dict(),
        }

    def replay(self, image: ImageLike, trace: Trace) -> NDArray[Any]:
        """Apply a recorded trace to an image.

        Args:
            image: The HR image that the trace was drawn for, or another of its size. The same
                rows and columns are cropped again.
            trace: The trace.

        Returns:
            The LR image; bit-identical on the CPU with the same build and number of threads.

        Raises:
            DataError: If the trace belongs to another degradation, weights or size.
        """
        picture = take_apart(image)
        height, width = trace.size[1:]
        stride = self.degradation.stride
        # Only the remainder may differ; a larger difference means another image.
        if 0 <= picture.size[0] - height < stride and 0 <= picture.size[1] - width < stride:
            picture = picture.crop(height, width)
        with torch.no_grad():
            return self._apply(picture, trace)

    def degrade_folder(
        self,
        src: Photos | Inputs,
        dst: str | os.PathLike[str],
        *,
        seed: int = 0,
        remainder: Remainder = "crop",
        overwrite: bool = False,
        progress: bool = True,
        jobs: int = 1,
        reading: Reading | None = None,
        saving: Saving | None = None,
    ) -> Summary:
        """Degrade every image of a folder and write the results and ``manifest.jsonl``.

        Each image's seed comes from ``seed`` and its name, so neither the order nor other images
        matter. The same call continues an interrupted run and gives the same bytes.

        Args:
            src: Folder of HR images; sub-folders keep their names. Or an image, a pattern such as
                ``"trip/*.jpg"``, or several of them.
            dst: Folder for LR images.
            seed: The random seed.
            remainder: ``"crop"`` (listed in the manifest and the summary) or ``"refuse"`` sizes
                that are not divisible by the scale.
            overwrite: Start again instead of continuing.
            progress: Show a progress bar.
            jobs: Worker processes, one thread each; results do not depend on their number.
                More than one only on the CPU.
            reading: How several pages and colour profiles are handled.
            saving: Names and format of the results; None: PNG files.

        Returns:
            The outcome for each image; check ``failed``.

        Raises:
            DataError: If there is no image, or one folder contains the other.
            ConfigError: If ``dst`` was started with other settings, or ``jobs`` is out of range.
            OutputError: If ``dst`` cannot be written, or another process is writing there.
        """
        _check_remainder(remainder)
        saving = saving or Saving()

        def work(image: LoadedImage, name: str, path: Path) -> Record:
            image_seed = stream_seed(seed, name)
            result, notes = self.degrade_recorded(image.pixels, image_seed, remainder=remainder)
            write_image(path, result, icc=image.icc, quality=saving.quality)
            return notes

        return process_folder(
            src,
            dst,
            work,
            {**self.settings(), "seed": int(seed), "remainder": remainder},
            overwrite=overwrite,
            progress=progress,
            reading=reading,
            saving=saving,
            title="degrading",
            jobs=jobs if self.device.type == "cpu" else 1,
            # More threads gain little on images of a training set's size, are slow on a busy
            # machine, and change the last digits.
            threads=1,
        )

    def settings(self) -> dict[str, Any]:
        """Return the settings that determine the results, as plain data for a manifest."""
        degradation = self.degradation
        return {
            "degradation": _described(degradation),
            "scale": degradation.scale,
            "same_size": degradation.same_size,
            "colour": self.colour,
            "device": self.device.type,
        }

    def _prepare(self, image: ImageLike, remainder: Remainder) -> tuple[Picture, tuple[int, int]]:
        """Return what is degraded of an image, and the size of all of it."""
        _check_remainder(remainder)
        picture = take_apart(image)
        height, width = picture.size
        stride = self.degradation.stride
        rows, columns = (hr_length(lr_length(side, stride), stride) for side in (height, width))
        if (rows, columns) == (height, width):
            return picture, (height, width)
        if remainder == "refuse":
            raise GeometryError(
                f"an image of {height} x {width} pixels is not divisible by the scale {stride}:"
                f" crop it, or let it be cropped with {as_given(remainder='crop')}."
            )
        if height < stride or width < stride:
            raise GeometryError(
                f"an image of {height} x {width} pixels is smaller than the scale {stride}."
            )
        return picture.crop(rows, columns), (height, width)

    def _degradation_input(self, picture: Picture, grey: bool) -> Tensor:
        """Return the input of the degradation; a grey image has one channel."""
        if grey:
            return picture.rgb[:, :1].to(self.device)
        return to_colour(picture.rgb.to(self.device), self.colour)

    def _apply(self, picture: Picture, trace: Trace) -> NDArray[np.generic]:
        # Older traces were drawn for three channels of a grey image.
        grey = picture.grey and trace.size[0] == 1
        with one_channel_is_grey() if grey else nullcontext():
            lr = self.degradation.replay(self._degradation_input(picture, grey), [trace])
        if not bool(torch.isfinite(lr).all()):
            # They would silently be written as black.
            raise DataError(
                f"{type(self.degradation).__name__} returned NaN or infinity: its weights are"
                " damaged, or its settings exceed the range of numbers."
            )
        if self.colour == "y" and not grey:
            chroma = rgb_to_ycbcr(picture.rgb)[:, 1:].to(lr)
            lr = ycbcr_to_rgb(torch.cat([lr, _on_grid(chroma, lr)], dim=1))
        alpha = None if picture.alpha is None else _on_grid(picture.alpha, lr)
        return put_together(lr, alpha, picture)


def _on_grid(image: Tensor, lr: Tensor) -> Tensor:
    """Resize an image to the size of another one by bicubic interpolation."""
    size = (int(lr.shape[-2]), int(lr.shape[-1]))
    return image if tuple(image.shape[-2:]) == size else imresize(image, size=size)


def _check_remainder(remainder: str) -> None:
    if remainder not in ("crop", "refuse"):
        raise ConfigError(f"remainder must be 'crop' or 'refuse', got {remainder!r}.")


def _described(degradation: Degradation) -> dict[str, Any]:
    name = type(degradation).__name__
    arguments = plain(_without_objects(degradation.arguments))
    if degradation.fitting is not None:
        digest = degradation.hash()  # the hash in its traces
    else:
        digest = component_hash(name, arguments, degradation.state_dict())
    return {"type": name, "arguments": arguments, "hash": digest}


def _without_objects(value: Any) -> Any:
    """Replace degradation objects, which containers may have been given, by descriptions."""
    if isinstance(value, Degradation):
        return _described(value)
    if isinstance(value, Mapping):
        return {key: _without_objects(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_objects(item) for item in value]
    return value
