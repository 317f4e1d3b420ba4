"""Super-resolve one image strip by strip.

The network's input and output never exist as a whole: colour conversion, interpolation and rounding
are done tile by tile, and a row of tiles is passed on before the next one starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.apis.arrays import Picture, put_together, take_apart
from realdeg.apis.tiling import Span, Tile, Tiling, cut, output_span, run_tile
from realdeg.backbones import running
from realdeg.backbones.base import Backbone
from realdeg.backbones.refinement import Refinement
from realdeg.degradations.primitives.resize import imresize_part
from realdeg.errors import GeometryError
from realdeg.utils.colour import rgb_to_ycbcr, to_colour, ycbcr_to_rgb
from realdeg.zero_shot import ZeroShot

Progress = Callable[[int, int], object]
"""Called with the number of finished tiles and their total."""


class Enlargement:
    """Computes the result for one image, a strip at a time.

    Args:
        backbone: The network, on its device.
        device: The network's device.
        image: The image, as :func:`take_apart` takes it.
        scale: The scale of the call; None: the network's.
        cond: Degradation parameters for networks that need them; a map is cut with the tiles.
        refinement: What is done beyond one pass; None: nothing.

    Raises:
        DataError: If the array is not an image.
        GeometryError: If a map of the degradation has another size.
    """

    def __init__(
        self,
        backbone: Backbone,
        device: torch.device,
        image: NDArray[Any],
        scale: float | None,
        cond: Tensor | None,
        refinement: Refinement | None = None,
    ) -> None:
        # Integers are in range by their type, so one pixel shows the kind of image.
        whole = not isinstance(image, np.ndarray) or image.dtype.kind == "f" or 0 in image.shape
        self._like: Picture = take_apart(image if whole else image[:1, :1])
        self._backbone, self._device, self._image = backbone, device, image
        self._scale, self._cond = scale, cond
        self._refinement = Refinement() if refinement is None else refinement
        self.size: Span = (int(image.shape[0]), int(image.shape[1]))
        self.result_size: Span = running.enlarged_size(backbone, *self.size, scale)
        # The channel of a grey file is not luma of RGB: luma networks get it unchanged.
        self._grey = self._like.grey and backbone.colour == "y"
        self._interpolates = backbone.upsample == "pre" and not backbone.same_size
        self.input_size: Span = self.result_size if self._interpolates else self.size
        self._mapped = backbone.takes_map and cond is not None and cond.ndim == 4
        if self._mapped and cond is not None and tuple(cond.shape[2:]) != self.input_size:
            raise GeometryError(
                f"the map of the degradation has {cond.shape[2]} x {cond.shape[3]} pixels, and the"
                f" network's input {self.input_size[0]} x {self.input_size[1]}."
            )
        self.channels = 1 if image.ndim == 2 else int(image.shape[2])
        self.shape = self.result_size if image.ndim == 2 else (*self.result_size, self.channels)

    def network(self, part: Tensor, tile: Tile | None = None) -> Tensor:
        """Run the network once on a part of its input in [0, 1].

        Args:
            part: The part.
            tile: Where it lies; None: nowhere, as for a trial.
        """
        cond = self._told(part, tile)
        return running.predict_image(self._backbone, part, scale=self._scale, cond=cond)

    def strips(self, tiling: Tiling, progress: Progress | None = None) -> Iterator[NDArray[Any]]:
        """Compute the result from top to bottom.

        Args:
            tiling: How the network's input is cut.
            progress: Called after every tile, after every pass of a self-ensemble, or after every
                iteration of a method that trains on the image.

        Yields:
            Rows of the result, of the image's number type and channels.

        Raises:
            DataError: If the network returns NaN.
            GeometryError: If it returns an unexpected size.
        """
        if isinstance(self._backbone, ZeroShot):
            # Its one tile takes minutes: iterations are reported instead.
            with self._backbone.reporting(progress):
                yield from self._strips(tiling, None)
        else:
            yield from self._strips(tiling, progress)

    def _strips(self, tiling: Tiling, progress: Progress | None) -> Iterator[NDArray[Any]]:
        rows = cut(*self.input_size, tiling)
        passes = self._refinement.passes
        number, done = sum(map(len, rows)) * passes, 0

        def count(finished: int) -> None:
            if progress is not None:
                progress(done + finished, number)

        for row in rows:
            parts = []
            for tile in row:
                parts.append(self._tile(tile, tiling, count))
                done += passes
                if passes == 1:
                    count(0)
            yield parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _tile(
        self, tile: Tile, tiling: Tiling, after_pass: Callable[[int], object]
    ) -> NDArray[Any]:
        def refined(part: Tensor) -> Tensor:
            return self._refinement.predict(
                self._backbone,
                part,
                self._seen(tile, part),
                scale=self._scale,
                cond=self._told(part, tile),
                after_pass=after_pass,
            )

        with torch.no_grad():
            part = self._input(tile.seen_rows, tile.seen_columns)
            network = refined if self._refinement else partial(self.network, tile=tile)
            output = run_tile(network, part, tile, tiling)
            rows = output_span(tile.rows, tiling.factor)
            columns = output_span(tile.columns, tiling.factor)
            if self._backbone.colour != "rgb" and not self._grey:
                chroma = self._on_grid(self._chroma, rows, columns)
                output = ycbcr_to_rgb(torch.cat([output, chroma.to(output)], dim=-3))
            alpha = None if self._like.alpha is None else self._on_grid(self._alpha, rows, columns)
            return put_together(output, alpha, self._like)

    def _told(self, part: Tensor, tile: Tile | None) -> Tensor | None:
        """Return ``cond`` of a part of the network's input."""
        if self._cond is None or not self._mapped:
            return self._cond
        if tile is None:
            return self._cond[..., :1, :1].expand(-1, -1, *part.shape[-2:])
        return self._cond[..., slice(*tile.seen_rows), slice(*tile.seen_columns)]

    def _input(self, rows: Span, columns: Span) -> Tensor:
        """Return a part of the network's input."""
        if self._interpolates:
            return self._on_grid(self._coloured, rows, columns)
        return self._coloured(rows, columns)

    def _seen(self, tile: Tile, part: Tensor) -> Tensor:
        """Return the LR image of a tile with its border; ``part`` is the network's input there."""
        if not self._interpolates:
            return part
        spans = tile.seen_rows, tile.seen_columns
        sides = zip(spans, self.size, self.result_size, strict=True)
        rows, columns = ((first * lr // hr, -(-last * lr // hr)) for (first, last), lr, hr in sides)
        return self._coloured(rows, columns)

    def _on_grid(self, source: Callable[[Span, Span], Tensor], rows: Span, columns: Span) -> Tensor:
        """Resize a part of the image to the grid of the result."""
        if self.size == self.result_size:
            return source(rows, columns)
        return imresize_part(source, *self.size, self.result_size, rows, columns)

    def _picture(self, rows: Span, columns: Span) -> Picture:
        return take_apart(self._image[rows[0] : rows[1], columns[0] : columns[1]])

    def _coloured(self, rows: Span, columns: Span) -> Tensor:
        rgb = self._picture(rows, columns).rgb.to(self._device)
        if self._grey:
            return rgb[:, :1]
        return to_colour(rgb, self._backbone.colour)

    def _chroma(self, rows: Span, columns: Span) -> Tensor:
        return rgb_to_ycbcr(self._picture(rows, columns).rgb)[..., 1:, :, :]

    def _alpha(self, rows: Span, columns: Span) -> Tensor:
        alpha = self._picture(rows, columns).alpha
        assert alpha is not None
        return alpha
