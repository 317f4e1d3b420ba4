"""Super-resolve arrays and folders with any backbone."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.apis.arrays import put_together, take_apart
from realdeg.apis.folder import Summary, process_folder
from realdeg.apis.manifest import Record
from realdeg.apis.resolve import find_device, load_backbone, where_is
from realdeg.apis.tiling import Tiling, run_within_memory, whole_step
from realdeg.backbones import running
from realdeg.backbones.base import Backbone
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError
from realdeg.utils.component import component_hash, plain

AUTO_WHOLE = 1024 * 1024
"""Up to that many pixels of network input, ``tile='auto'`` takes an image whole."""

AUTO_TILE = 512
"""Side of the tiles that ``tile='auto'`` takes beyond."""

APPROXIMATE_HALO = 64
"""Widest rim for networks whose tiles are an approximation anyway, in network input pixels."""


class SuperResolver:
    """Makes HR images of LR images.

    RGB networks get the image as it is; networks that work on Y get Y, and the colour is
    enlarged by MATLAB's bicubic interpolation. Grey stays grey, 16-bit stays 16-bit, alpha is
    enlarged by bicubic interpolation. Networks of equal size (``same_size``) keep the size.

    Tiles overlap by as much as the network sees, so a result made of tiles is that of the whole
    image. Networks with global pooling or attention over the image (``whole_image`` in their
    metadata) see more than any tile: for these, tiles are an approximation (``docs/api.md``).

    Args:
        backbone: A file of weights (``backbone.safetensors``), a config whose ``backbone`` names
            weights, a dict with ``checkpoint``, or a network, which is put into evaluation mode.
        scale: The scale asked for; None: what the weights say.
        same_size: Whether LR lies on the HR grid; None: what the weights say.
        device: Where to compute; None: where the network is, or for one that is built here the
            machine's accelerator, if it has one.
        tile: Side of the tiles in pixels of the network's input; None: never tile, and fail when
            memory runs out; ``"auto"``: tiles of 512 beyond 1024 x 1024. With ``"auto"`` or a
            number, an image on which memory runs out is begun anew with smaller tiles.

    Raises:
        ConfigError: If no weights are named, or ``tile`` is no side.
        CheckpointError: If the weights cannot be read.
        GeometryError: If scale or grid are not those of the weights.

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
    ) -> None:
        if tile not in (None, "auto") and (not isinstance(tile, int) or tile < 1):
            raise ConfigError(f"tile is 'auto', None or a number of pixels, got {tile!r}.")
        self.tile = tile
        self.backbone = load_backbone(backbone, scale=scale, same_size=same_size).eval()
        if device is None and isinstance(backbone, Backbone):
            self.device = where_is(self.backbone)
        else:
            self.device = find_device(device)
            self.backbone.to(self.device)

    def upscale(
        self, image: NDArray[Any], *, scale: float | None = None, cond: Tensor | None = None
    ) -> NDArray[Any]:
        """Super-resolve one image.

        Args:
            image: H x W or H x W x C with C from 1 to 4; uint8, uint16, or float in [0, 1].
            scale: The scale of this call, for networks of several; None: the network's.
            cond: What a network that is told the degradation wants to know, shape (1, K).

        Returns:
            The image, of the same number type and channels (a float one is neither clipped nor
            rounded).

        Raises:
            DataError: If the array is no image, or the network returns NaN.
            GeometryError: If the network cannot take it.
            MemoryShortageError: If memory runs out; nothing half-done is returned.
        """
        return self._upscale(image, scale, cond)[0]

    def upscale_folder(
        self,
        src: str | os.PathLike[str],
        dst: str | os.PathLike[str],
        *,
        scale: float | None = None,
        cond: Tensor | None = None,
        overwrite: bool = False,
        progress: bool = True,
    ) -> Summary:
        """Super-resolve every image of a folder and write PNG files and ``manifest.jsonl``.

        A run that was killed is continued by the same call.

        Args:
            src: Folder of LR images; sub-folders keep their names.
            dst: Folder of results.
            scale: As for :meth:`upscale`.
            cond: As for :meth:`upscale`.
            overwrite: Begin anew instead of continuing.
            progress: Show a progress bar.

        Returns:
            What became of each image; look at ``failed``.

        Raises:
            DataError: If there is no image, or ``src`` and ``dst`` are not apart.
            ConfigError: If ``dst`` was begun with other settings.
            OutputError: If ``dst`` cannot be written.
        """

        def work(array: NDArray[Any], name: str) -> tuple[NDArray[Any], Record]:
            result, tile = self._upscale(array, scale, cond)
            return result, {"tile": tile}

        settings = self.settings()
        settings["scale"] = settings["scale"] if scale is None else scale
        settings["cond"] = None if cond is None else cond.tolist()
        return process_folder(
            src, dst, work, settings, overwrite=overwrite, progress=progress, title="upscaling"
        )

    def settings(self) -> dict[str, Any]:
        """Return what the results depend on, as plain data for a manifest."""
        backbone = self.backbone
        name = type(backbone).__name__
        return {
            "backbone": {
                "type": name,
                "arguments": plain(backbone.arguments),
                "hash": component_hash(name, backbone.arguments, backbone.state_dict()),
            },
            "scale": backbone.scale,
            "same_size": backbone.same_size,
            "tile": self.tile,
            "device": self.device.type,
        }

    def _upscale(
        self, image: NDArray[Any], scale: float | None, cond: Tensor | None
    ) -> tuple[NDArray[Any], int | None]:
        picture = take_apart(image)
        backbone = self.backbone
        cond = None if cond is None else cond.to(self.device)
        with torch.no_grad():
            lr = picture.rgb.to(self.device)
            network_input = running.network_input(backbone, lr, scale)
            output, tile = run_within_memory(
                lambda part: running.call(backbone, part, scale=scale, cond=cond),
                network_input,
                self._tiling(network_input, scale, cond),
                may_shrink=self._may_tile(scale, cond) and self.tile is not None,
            )
            rgb = running.complete_colour(backbone, output, picture.rgb)
            alpha = picture.alpha
            if alpha is not None and alpha.shape[-2:] != rgb.shape[-2:]:
                alpha = imresize(alpha, size=(int(rgb.shape[-2]), int(rgb.shape[-1])))
            return put_together(rgb, alpha, picture), tile

    def _may_tile(self, scale: float | None, cond: Tensor | None) -> bool:
        # A map of conditions belongs to the whole image.
        return whole_step(self._factor(scale)) is not None and (cond is None or cond.ndim < 4)

    def _factor(self, scale: float | None) -> float:
        backbone = self.backbone
        if backbone.same_size or backbone.upsample in ("pre", "none"):
            return 1
        return backbone.scale if scale is None else scale

    def _tiling(self, image: Tensor, scale: float | None, cond: Tensor | None) -> Tiling:
        backbone, tile = self.backbone, self.tile
        height, width = image.shape[-2:]
        if tile == "auto":
            tile = None if height * width <= AUTO_WHOLE else AUTO_TILE
        halo = backbone.halo
        if backbone.upsample == "pre" and not backbone.same_size:
            # The halo counts LR pixels, and this network's input lies on the HR grid.
            halo = math.ceil(halo * (backbone.scale if scale is None else scale))
        if backbone.whole_image:
            halo = min(halo, APPROXIMATE_HALO)
        if not self._may_tile(scale, cond):
            tile = None
        factor = self._factor(scale)
        multiple = math.lcm(backbone.size_multiple, whole_step(factor) or 1)
        return Tiling(tile, halo, multiple, factor)
