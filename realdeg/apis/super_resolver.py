"""Super-resolve arrays and folders with any backbone."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.apis.create import create_backbone, device_of, find_device
from realdeg.apis.enlarging import Enlargement, Progress
from realdeg.apis.folder import Summary, process_folder
from realdeg.apis.footprint import Footprint, largest_tile, measure_footprint
from realdeg.apis.inputs import Inputs, Photos
from realdeg.apis.manifest import Record
from realdeg.apis.refining import refinement_of
from realdeg.apis.resolver_description import DescribesResolver
from realdeg.apis.saving import Saving
from realdeg.apis.tiling import Tiling, within_memory
from realdeg.apis.told import ImageConditions
from realdeg.backbones.base import Backbone
from realdeg.degradations.back_projection import BackProjection
from realdeg.errors import ConfigError, DataError, GeometryError, argument_name
from realdeg.utils.image import (
    ImageLike,
    LoadedImage,
    Reading,
    as_array,
    check_writable,
    open_image_writer,
)
from realdeg.utils.memory import available_memory
from realdeg.utils.progress import Ticker
from realdeg.utils.scales import whole_step
from realdeg.zero_shot import ZeroShot

AUTO_WHOLE = 1024 * 1024
"""With ``tile='auto'``, images of up to this many input pixels may be processed whole."""

AUTO_TILE = 512
"""Largest tile size for larger images with ``tile='auto'``."""

AUTO_MEMORY = 3 << 28
"""Bytes that an exact tile may need on a CPU, with ``tile='auto'``."""

UNMEASURED = 128 * 128
"""Up to this many pixels, the memory footprint is not worth measuring."""

APPROXIMATE_HALO = 64
"""Widest tile border, in network input pixels, for networks whose tiles are approximate."""

# Share of the free memory for a tile; the rest is for the image, its result and the encoder.
_SHARE = 0.7

_T = TypeVar("_T")


class SuperResolver(DescribesResolver):
    """Super-resolves images.

    RGB networks get the image as it is. Luma networks get Y, and chroma is upscaled by MATLAB's
    bicubic interpolation. Grey stays grey, 16-bit stays 16-bit, and alpha is upscaled by bicubic
    interpolation. Networks with ``same_size`` keep the size.

    Tiles overlap by the receptive-field radius of the network, so the result equals that of the
    whole image. Networks with global pooling or attention over the image (``whole_image`` in their
    metadata) see more than any tile; for these, tiles are an approximation (``docs/api.md``).
    Methods that train on the image (``realdeg.list_zero_shot()``) always take it as a whole.

    Args:
        backbone: Anything that :func:`realdeg.create_backbone` takes, with weights; a network is
            put into evaluation mode.
        scale: The scale factor; None: that of the weights.
        same_size: Whether LR lies on the HR grid; None: as the weights state.
        device: Where to compute; None: where the network is, or if it is built here the
            accelerator if there is one.
        tile: Tile size in pixels of the network's input. None: never tile, and fail if memory runs
            out. ``"auto"``: tiles of at most 512 beyond 1024 x 1024, and smaller ones if the
            network would need more than 768 MiB or than is free. With ``"auto"`` or a number, an
            image that does not fit into memory is started again with smaller tiles.
        self_ensemble: Return the mean of eight passes, over the rotations and reflections of the
            image, taken before rounding (docs/test_time.md).
        back_projection: A degradation by which results are corrected until they agree with LR, as
            ``dict(degradation=..., iterations=10)`` with the arguments of
            :class:`realdeg.degradations.BackProjection`, or such an object. The degradation is
            anything that :func:`realdeg.create_degradation` takes. It comes after the
            self-ensemble.

    Raises:
        ConfigError: If no weights are named, ``tile`` is invalid, or the network draws at random
            or cannot be back-projected.
        CheckpointError: If the weights cannot be read.
        GeometryError: If scale or grid differ from those of the weights.

    Examples:
        >>> import numpy as np
        >>> from realdeg.backbones import VDSR
        >>> resolver = SuperResolver(VDSR.example())
        >>> resolver.upscale(np.zeros((5, 7, 4), np.uint16)).shape
        (10, 14, 4)
    """

    def __init__(
        self,
        backbone: str | os.PathLike[str] | Mapping[str, Any] | Backbone,
        *,
        scale: float | None = None,
        same_size: bool | None = None,
        device: str | torch.device | None = None,
        tile: int | Literal["auto"] | None = "auto",
        self_ensemble: bool = False,
        back_projection: Mapping[str, Any] | BackProjection | None = None,
    ) -> None:
        if tile not in (None, "auto") and (not isinstance(tile, int) or tile < 1):
            raise ConfigError(f"tile must be 'auto', None or a number of pixels, got {tile!r}.")
        self.tile = tile
        self.backbone = create_backbone(backbone, scale, same_size, trained=True).eval()
        if device is None and isinstance(backbone, Backbone):
            self.device = device_of(self.backbone)
        else:
            self.device = find_device(device)
            self.backbone.to(self.device)
        if self.backbone.zero_shot and isinstance(tile, int):
            raise ConfigError(
                f"{type(self.backbone).__name__} trains on the whole image and cannot work in tiles"
                f" of {tile} pixels: leave out {argument_name('tile')}."
            )
        self.refinement = refinement_of(self.backbone, self_ensemble, back_projection)
        if self.refinement.back_projection is not None:
            self.refinement.back_projection.to(self.device)
        self._footprints: dict[float | None, Footprint | None] = {}

    def upscale(
        self,
        image: ImageLike,
        *,
        scale: float | None = None,
        cond: Tensor | None = None,
        progress: Progress | None = None,
    ) -> NDArray[Any]:
        """Super-resolve one image.

        Args:
            image: H x W or H x W x C with C from 1 to 4; uint8, uint16, or float in [0, 1]; or an
                image of Pillow.
            scale: The scale of this call, for networks with several; None: the network's.
            cond: The degradation for networks that need it: (1, K), or a map (1, K, h, w) for SRMD.
            progress: Called with the number of finished tiles and their total; with a
                self-ensemble, of passes; with a method that trains on the image, of iterations.

        Returns:
            The result as an array, with the same number type and channels (float results are
            neither clipped nor rounded).

        Raises:
            DataError: If the array is not an image, or the network returns NaN.
            GeometryError: If the network cannot process the size.
            MemoryShortageError: If memory runs out.
        """
        pixels = as_array(image)
        work = self._enlargement(pixels, scale, cond)

        def attempt(tiling: Tiling) -> NDArray[Any]:
            result = np.empty(work.shape, pixels.dtype)
            done = 0
            for strip in work.strips(tiling, progress):
                result[done : done + len(strip)] = strip
                done += len(strip)
            if done != len(result):  # or the rest would be uninitialised memory
                raise GeometryError(f"{done} of {len(result)} rows were made: a bug in realdeg.")
            return result

        return self._within_memory(attempt, work, scale, cond)[0]

    def upscale_into(
        self,
        image: ImageLike,
        path: str | os.PathLike[str],
        *,
        scale: float | None = None,
        cond: Tensor | None = None,
        progress: Progress | None = None,
        icc: bytes | None = None,
        quality: int | None = None,
    ) -> Record:
        """Super-resolve one image into a file, with little memory for a PNG of any size.

        Rows go to the encoder as they are made. The file appears only when it is complete.

        Args:
            image: As for :meth:`upscale`, but uint8 or uint16.
            path: The file; its suffix determines the format.
            scale: As for :meth:`upscale`.
            cond: As for :meth:`upscale`.
            progress: As for :meth:`upscale`.
            icc: An ICC profile that belongs to the pixels, or None.
            quality: Of JPEG and WebP, 1 to 100; None: 95 for JPEG, lossless for WebP.

        Returns:
            ``output_size``; ``tile``, the tile size that was used (None: the whole image); and
            ``training``, how a method that trains on the image did.

        Raises:
            DataError: If the array is not an image, the network returns NaN, or the format cannot
                store the result (checked before anything is computed).
            GeometryError: If the network cannot process the size.
            MemoryShortageError: If memory runs out.
            OutputError: If the file cannot be written.
        """
        pixels = as_array(image)
        work = self._enlargement(pixels, scale, cond)
        height, width = work.result_size
        check_writable(path, pixels.dtype, work.channels, work.result_size)

        def attempt(tiling: Tiling) -> None:
            with open_image_writer(
                path, height, width, work.channels, pixels.dtype, icc=icc, quality=quality
            ) as writer:
                for strip in work.strips(tiling, progress):
                    writer.write(strip)

        _, tile = self._within_memory(attempt, work, scale, cond)
        made: Record = {"output_size": [height, width], "tile": tile}
        if isinstance(self.backbone, ZeroShot):
            made["training"] = [one.to_dict() for one in self.backbone.trainings]
        return made

    def upscale_folder(
        self,
        src: Photos | Inputs,
        dst: str | os.PathLike[str],
        *,
        scale: float | None = None,
        cond: Tensor | ImageConditions | None = None,
        overwrite: bool = False,
        progress: bool = True,
        jobs: int = 1,
        reading: Reading | None = None,
        saving: Saving | None = None,
    ) -> Summary:
        """Super-resolve every image of a folder; the same call continues an interrupted run.

        Args:
            src: Folder of LR images, whose sub-folders keep their names; or an image, a pattern
                (``"trip/*.jpg"``), or several of them.
            dst: Folder for the results and ``manifest.jsonl``.
            scale: As for :meth:`upscale`.
            cond: As for :meth:`upscale`; or what makes it for each image.
            overwrite: Start again instead of continuing.
            progress: Show a progress bar.
            jobs: Worker processes, one thread each; each needs its own memory. 1: one process with
                torch's number of threads. More than one only on the CPU.
            reading: How several pages and colour profiles are handled.
            saving: Names and format of the results; None: PNG files.

        Returns:
            The outcome for each image; check ``failed``.

        Raises:
            DataError: If there is no image, or one folder contains the other.
            ConfigError: If ``dst`` was started with other settings.
            OutputError: If ``dst`` cannot be written, or another process is writing there.
        """
        if cond is None or isinstance(cond, Tensor):
            stated: Any = None if cond is None else cond.tolist()
        else:
            stated = cond.settings()
        saving, ticker = saving or Saving(), Ticker()

        def work(image: LoadedImage, name: str, path: Path) -> Record:
            told: dict[str, Any] = {}
            code = cond
            if code is not None and not isinstance(code, Tensor):
                code, told = code.of(image.pixels, name)
            made = self.upscale_into(
                image.pixels,
                path,
                scale=scale,
                cond=code,
                progress=ticker.of(name),
                icc=image.icc,
                quality=saving.quality,
            )
            return {**made, "told": told} if told else made

        settings = self.settings()
        settings["scale"] = settings["scale"] if scale is None else scale
        settings["cond"] = stated
        return process_folder(
            src,
            dst,
            work,
            settings,
            overwrite=overwrite,
            progress=progress,
            reading=reading,
            saving=saving,
            title="upscaling",
            ticker=ticker,
            jobs=jobs if self.device.type == "cpu" else 1,
        )

    def _enlargement(
        self, image: NDArray[Any], scale: float | None, cond: Tensor | None
    ) -> Enlargement:
        cond = None if cond is None else cond.to(self.device)
        return Enlargement(self.backbone, self.device, image, scale, cond, self.refinement)

    def _within_memory(
        self,
        attempt: Callable[[Tiling], _T],
        work: Enlargement,
        scale: float | None,
        cond: Tensor | None,
    ) -> tuple[_T, int | None]:
        tiling = self._tiling(scale)
        if self.backbone.zero_shot:  # it checks its memory itself
            return attempt(tiling), None
        may_tile = self._may_tile(scale, cond)
        if may_tile:
            tile = self._auto(work, tiling, scale) if self.tile == "auto" else self.tile
            tiling = replace(tiling, tile=tile)
        return within_memory(
            attempt, work.input_size, tiling, may_shrink=may_tile and self.tile is not None
        )

    def _may_tile(self, scale: float | None, cond: Tensor | None) -> bool:
        divides = cond is None or cond.ndim < 4 or self.backbone.takes_map  # or of the whole image
        return divides and whole_step(self._factor(scale)) is not None

    def _factor(self, scale: float | None) -> float:
        backbone = self.backbone
        if backbone.same_size or backbone.upsample in ("pre", "none"):
            return 1
        return backbone.scale if scale is None else scale

    def _tiling(self, scale: float | None) -> Tiling:
        """Return how images are tiled, without the tile size."""
        backbone = self.backbone
        halo = backbone.halo
        if backbone.upsample == "pre" and not backbone.same_size:
            # The halo counts LR pixels, and this network's input lies on the HR grid.
            halo = math.ceil(halo * (backbone.scale if scale is None else scale))
        if backbone.whole_image:
            halo = min(halo, APPROXIMATE_HALO)
        factor = self._factor(scale)
        multiple = math.lcm(backbone.size_multiple, whole_step(factor) or 1)
        projection = self.refinement.back_projection
        if projection is not None:
            reach = min(projection.iterations * projection.reach, APPROXIMATE_HALO)
            if backbone.upsample == "pre" and not backbone.same_size:
                # Tiles of the enlarged image that begin and end with an LR pixel.
                multiple = math.lcm(multiple, projection.degradation.stride)
                reach *= projection.degradation.stride
            halo += reach
        return Tiling(None, halo, multiple, factor)

    def _auto(self, work: Enlargement, tiling: Tiling, scale: float | None) -> int | None:
        """Choose the tile size; it is the same for the same image as long as memory suffices."""
        height, width = work.input_size
        wanted = None if height * width <= AUTO_WHOLE else AUTO_TILE
        if height * width <= UNMEASURED or self.device.type != "cpu":
            return wanted
        if scale not in self._footprints:
            self._footprints[scale] = self._measured(work, tiling)
        footprint = self._footprints[scale]
        if footprint is None:
            return wanted
        # Tiles of whole-image networks are an approximation: the fewer the better.
        most = math.inf if self.backbone.whole_image else AUTO_MEMORY
        free = available_memory()
        if free is not None:
            most = min(most, free * _SHARE)
        return largest_tile(footprint, tiling, (height, width), wanted, most)

    def _measured(self, work: Enlargement, tiling: Tiling) -> Footprint | None:
        channels = self.backbone.channels
        try:
            return measure_footprint(work.network, channels, self.device, tiling.multiple)
        except (DataError, GeometryError):  # it does not accept the test image
            return None
