"""Noise from flat regions of real photos, added to each image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Interval
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.bicubic import bicubic_border, reduce_bicubic
from realdeg.degradations.pool import Pool
from realdeg.degradations.pooled import PooledDegradation, PoolSource
from realdeg.degradations.trace import Seed, Trace, TraceParams
from realdeg.errors import DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.colour import weights_of_one_channel
from realdeg.utils.streams import stream_seed

_STAND_IN_SIZE = 64
_STAND_IN_COUNT = 64
_STAND_IN_SEED = 20180618
# A photo has one noise level: an image larger than a patch is covered with patches of similar
# levels, this many on either side of the drawn one.
_NEIGHBOURS = 8


@dataclass(frozen=True)
class NoisePatchParams(TraceParams):
    """The drawn patch and its placement.

    Args:
        patch: Its index in the pool.
        sigma: Its standard deviation in grey levels, for information.
        noise_seed: The seed of the placement.
    """

    patch: Annotated[int, Ge(0)]
    sigma: float
    noise_seed: Seed


@DEGRADATIONS.register_module()
class NoisePool(PooledDegradation):
    """Adds noise patches from flat regions of real photos.

    Draws: one patch, uniformly, and the seed of its placement. Applies: on an image no larger than
    the patch, a random crop of it. On a larger one, tiles of that patch and those of the most
    similar noise levels, randomly mirrored. They overlap by a quarter under weights whose squares
    sum to 1, which preserves the patches' variance.

    GCBD (Chen et al., CVPR 2018) extracts patches from flat regions, and RealSR (Ji et al., CVPRW
    2020) adds crops of them to LR; both subtract each patch's mean. Their pools are not public;
    ``realdeg extract_pools`` builds one from your photos. Without ``pool``, a synthetic pool is
    used: 64 patches of 64 x 64 of slightly smoothed Gaussian noise, 1 to 8 grey levels strong.

    As a part of a container it keeps the grid (scale 1); on its own it first reduces by bicubic
    interpolation. A trace identifies the pool by its hash and can only be replayed with that pool.

    Args:
        scale: Downscaling factor, applied before the noise.
        same_size: Whether LR lies on the HR grid.
        pool: The path of a pool file of noise, or a :class:`Pool`; None takes the synthetic one.
        strength: Factor of the noise, 0 to 10.
        clip: Whether the result is clipped to [0, 1].

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``;
        C = 1 gets the patches' luma, or their grey value for a grey file.

    Raises:
        ConfigError: If the strength is out of range.
        DataError: If the pool cannot be read or is empty.
    """

    unstated = ()

    same_grid_part = True

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        pool: PoolSource = None,
        strength: Annotated[float, Interval(ge=0, le=10)] = 1.0,
        clip: bool = True,
    ) -> None:
        super().__init__(scale, same_size, pool, "noise")
        self.strength, self.clip = float(strength), clip
        self._levels: tuple[str, np.ndarray, np.ndarray] | None = None

    def stand_in(self) -> Pool:
        """Return the synthetic pool that is used when none is given."""
        return gaussian_noise_pool()

    def rebuild(self, arguments: Mapping[str, Any]) -> NoisePool:
        """Build an object that shares the pool's items and what was computed of them."""
        made = super().rebuild(arguments)
        if self._filled:
            self._level_order()
            made._levels = self._levels
        return made

    @property
    def border(self) -> int:
        """LR pixels at each border that depend on the padding."""
        return bicubic_border(self.scale, self.same_size)

    def trace_params(self) -> dict[str, Any]:
        """Return the params of all traces of this object, among them the pool."""
        more = {"pool": self.pool_hash, "strength": self.strength, "clip": self.clip}
        return {**super().trace_params(), **more}

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the patch and the seed of its placement."""
        self._refuse_unfilled()
        rng = np.random.default_rng(stream_seed(seed, "patch"))
        index = int(rng.integers(self.pool_items.shape[0]))
        level = float(self._level_order()[0][index]) * self.strength
        drawn = NoisePatchParams(index, round(level, 4), stream_seed(seed, "lay"))
        return Trace(type(self).__name__, {**self.trace_params(), **drawn.to_params()}, size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Add each image's noise, computed on the CPU so that every device gets the same."""
        lr = reduce_bicubic(hr, self.scale, self.same_size)
        if traces:
            channels, height, width = (int(n) for n in lr.shape[1:])
            fields = [self._field(trace, height, width) for trace in traces]
            noise = torch.from_numpy(np.stack([_in_colour(f, channels) for f in fields]))
            lr = lr + noise.to(lr) * self.strength
        return lr.clamp(0, 1) if self.clip else lr

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the noise level in [0, 1]."""
        levels, _ = self._level_order()
        return {"noise_level": float(levels[self._read(trace).patch]) * self.strength / 255}

    def _read(self, trace: Trace) -> NoisePatchParams:
        drawn = trace.read(NoisePatchParams)
        if drawn.patch >= self.pool_items.shape[0]:
            raise DataError(
                f"the trace of NoisePool has patch = {drawn.patch}, but the pool holds"
                f" {self.pool_items.shape[0]}."
            )
        return drawn

    def _field(self, trace: Trace, height: int, width: int) -> np.ndarray:
        """Cover (height, width) pixels with patches: shape (C of the pool, height, width)."""
        drawn = self._read(trace)
        index, seed = drawn.patch, drawn.noise_seed
        _, order = self._level_order()
        place = int(np.flatnonzero(order == index)[0])
        first = max(0, min(place - _NEIGHBOURS, len(order) - 2 * _NEIGHBOURS - 1))
        similar = order[first : first + 2 * _NEIGHBOURS + 1]
        patches = self.pool_items.cpu().numpy()
        return lay_patches(patches, index, similar, height, width, np.random.default_rng(seed))

    def _level_order(self) -> tuple[np.ndarray, np.ndarray]:
        """Return each patch's standard deviation in grey levels, and the patches sorted by it."""
        if self._levels is None or self._levels[0] != self.pool_hash:
            levels = self.pool_items.cpu().float().flatten(1).std(1, unbiased=False).numpy() * 255
            self._levels = (self.pool_hash, levels, np.argsort(levels, kind="stable"))
        return self._levels[1:]


def lay_patches(
    patches: np.ndarray,
    index: int,
    similar: np.ndarray,
    height: int,
    width: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Cover an image with noise patches (N, C, p, p), keeping their variance.

    Patch ``index`` covers an image no larger than it; a larger one draws from the indices in
    ``similar``. The result is float32, (C, height, width).
    """
    side = int(patches.shape[-1])
    rows, columns = _Tiling(height, side, rng), _Tiling(width, side, rng)
    canvas = np.zeros((patches.shape[1], rows.extent, columns.extent), np.float32)
    single = len(rows.starts) == len(columns.starts) == 1
    for top in rows.starts:
        for left in columns.starts:
            chosen = index if single else int(similar[rng.integers(len(similar))])
            flips = rng.integers(2, size=2)
            patch = patches[chosen][:, :: 1 - 2 * flips[0], :: 1 - 2 * flips[1]].astype(np.float32)
            if not single:
                patch = patch * rows.weight(top)[:, None] * columns.weight(left)
            canvas[:, top : top + side, left : left + side] += patch
    return canvas[
        :, rows.offset : rows.offset + height, columns.offset : columns.offset + width
    ].copy()


class _Tiling:
    """Where tiles lie along one axis, and how they fade into each other."""

    def __init__(self, length: int, side: int, rng: np.random.Generator) -> None:
        self.side = side
        self.overlap = side // 4 if length > side else 0
        self.step = side - self.overlap
        count = 1 if length <= side else 1 + math.ceil((length - side) / self.step)
        self.starts = [number * self.step for number in range(count)]
        self.extent = self.starts[-1] + side
        # The covered length beyond the image lets the seams vary.
        self.offset = int(rng.integers(self.extent - length + 1))

    def weight(self, start: int) -> np.ndarray:
        """Return a tile's weights; squared weights of neighbours sum to 1 where they overlap."""
        weights = np.ones(self.side, np.float32)
        if self.overlap:
            angle = (np.arange(self.overlap) + 0.5) / self.overlap * (math.pi / 2)
            if start > 0:
                weights[: self.overlap] = np.sin(angle)
            if start < self.starts[-1]:
                weights[-self.overlap :] = np.cos(angle)
        return weights


def gaussian_noise_pool(count: int = _STAND_IN_COUNT, size: int = _STAND_IN_SIZE) -> Pool:
    """Return a synthetic pool of smoothed Gaussian noise instead of noise of real photos.

    RGB patches of 1 to 8 grey levels, whose neighbours are correlated as after demosaicing: a
    random mixture of a 3 x 3 binomial filter and the identity. ``size`` is their side in pixels.
    """
    rng = np.random.default_rng(_STAND_IN_SEED)
    taps = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])
    delta = np.outer([0.0, 1.0, 0.0], [0.0, 1.0, 0.0])
    patches = []
    for sigma, share in zip(np.linspace(1, 8, count), rng.uniform(0, 0.8, count), strict=True):
        white = rng.standard_normal((3, size + 2, size + 2))
        weights = share * taps + (1 - share) * delta
        # Sums in a fixed order: every machine gets the same pool and hash.
        patch = np.zeros((3, size, size))
        for row in range(3):
            for column in range(3):
                part = white[:, row : row + size, column : column + size]
                patch += weights[row, column] * part
        level = sigma / 255 / math.sqrt(sum(w * w for w in weights.ravel().tolist()))
        patches.append(torch.from_numpy(patch * level))
    source = "a stand-in: smoothed Gaussian noise, from no photo"
    return Pool("noise", torch.stack(patches), meta={"source": source})


def _in_colour(field: np.ndarray, channels: int) -> np.ndarray:
    if field.shape[0] == channels:
        return field
    if channels == 1:
        return np.tensordot(np.array(weights_of_one_channel(), np.float32), field, 1)[None]
    return np.repeat(field, channels, axis=0)
