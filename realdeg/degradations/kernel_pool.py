"""Blur kernels taken from real photos, one drawn per image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.bicubic import enlarged_border
from realdeg.degradations.pool import Pool
from realdeg.degradations.pooled import PooledDegradation, PoolSource
from realdeg.degradations.primitives import gaussian_kernel, imresize
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.degradations.primitives.reduction_kernels import placed
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.degradations.windowed import Padding
from realdeg.errors import DataError, GeometryError
from realdeg.ops import kernel_apply, pad_amounts
from realdeg.registry import DEGRADATIONS
from realdeg.utils.streams import stream_seed

# KMSR's pool holds about a thousand kernels of 25 x 25; the synthetic pool needs fewer.
_STAND_IN_SIZE = 25
_STAND_IN_COUNT = 256
_STAND_IN_SEED = 20191027
# A kernel of sum 1 with a tap beyond this is not a blur: such a trace is invalid.
_LARGEST_TAP = 16.0


@dataclass(frozen=True)
class PoolKernelParams(TraceParams):
    """The drawn kernel.

    Args:
        pool: The hash of the pool.
        index: Its index in the pool.
        stride: HR pixels per pixel of the resulting image.
        kernel: The kernel, float32, shape (k, k).
    """

    pool: str
    index: int
    stride: int
    kernel: np.ndarray


@DEGRADATIONS.register_module()
class KernelPool(PooledDegradation):
    """Blurs each image with a kernel drawn at random from a pool, and keeps every s-th pixel.

    Draws: the kernel's index, uniformly. Applies: correlation at the LR pixels, with the same
    kernel for all channels.

    KMSR (Zhou and Susstrunk, ICCV 2019) draws from kernels that blind deconvolution found in phone
    photos, and blurs on the HR grid (``same_size``); RealSR (Ji et al., CVPRW 2020) draws from
    KernelGAN's and keeps every s-th pixel. Their pools are not public;
    ``realdeg extract_pools`` builds one from your photos. Without ``pool``, a synthetic pool is
    used: 256 anisotropic Gaussians of 25 x 25 with covariances drawn as for DIV2KRK (eigenvalues
    uniform in [0.175 s, 2.5 s] HR pixels squared, any direction), without its multiplicative noise.

    Pools from pairs on the HR grid and from pairs of different sizes both serve both geometries.
    Where needed, kernels of the former are shifted bilinearly by the half pixel between the grids,
    and results of the latter are upsampled to the HR grid by bicubic interpolation.

    Args:
        scale: Downscaling factor, equal to the pool's.
        same_size: Whether LR lies on the HR grid.
        pool: The path of a pool file of kernels, or a :class:`Pool`; None takes the synthetic one.
        padding: Border handling, as in :func:`realdeg.ops.kernel_apply`.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If the padding is unknown.
        DataError: If the pool cannot be read or is empty.
        GeometryError: If the pool has another scale.
    """

    unstated = ()

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        pool: PoolSource = None,
        padding: Padding = "reflect",
    ) -> None:
        super().__init__(scale, same_size, pool, "kernels")
        if self.pool_scale != scale:
            raise GeometryError(
                f"the pool of KernelPool ({self._description['source']}) holds kernels of scale"
                f" {self.pool_scale}, asked for is scale {scale}: extract a pool of that scale."
            )
        self.padding = padding

    def stand_in(self) -> Pool:
        """Return the synthetic pool that is used when none is given."""
        return gaussian_pool(self.scale, self.same_size)

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding influences."""
        reach = self.pool_items.shape[-1] // 2 + 1
        if self.same_size and not self.pool_same_size:
            return enlarged_border(-(-reach // self.scale), self.scale)
        return -(-reach // self.stride)

    def trace_params(self) -> dict[str, Any]:
        """Return the params of all traces of this object."""
        return {**super().trace_params(), "padding": self.padding}

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw a kernel; the trace holds it, so that replay does not need the pool."""
        self._refuse_unfilled()
        rng = np.random.default_rng(stream_seed(seed, "kernel"))
        index = int(rng.integers(self.pool_items.shape[0]))
        stride = 1 if self.pool_same_size and self.same_size else self.scale
        kernel = self._fitted(self.pool_items[index].cpu(), stride)
        drawn = PoolKernelParams(self.pool_hash, index, stride, kernel.float().numpy())
        return Trace(type(self).__name__, {**self.trace_params(), **drawn.to_params()}, size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Filter each image with its trace's kernel."""
        if not hr.shape[0]:
            return hr[..., :: self.stride, :: self.stride]
        read = [trace.read(PoolKernelParams) for trace in traces]
        images = [
            self._filter(image, _kernel_of(drawn), self._stride_of(drawn))
            for image, drawn in zip(torch.split(hr, 1), read, strict=True)
        ]
        return torch.cat(images)

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the correlation kernel, float32, shape (k, k).

        It is also the whole way to LR, ``reduction``, unless LR is enlarged again.
        """
        drawn = trace.read(PoolKernelParams)
        kernel, stride = _kernel_of(drawn), self._stride_of(drawn)
        told = {"kernel": kernel}
        if stride > self.stride:
            return told
        first = (stride - int(kernel.shape[-1])) // 2
        return told | {"reduction": placed(kernel, first, stride)}

    def _filter(self, image: Tensor, kernel: Tensor, stride: int) -> Tensor:
        size, sides = kernel.shape[-1], (int(image.shape[2]), int(image.shape[3]))
        most = max(pad_amounts(size, stride, "reflect"))
        least = {"reflect": most + 1, "circular": most}.get(self.padding, 1)
        if min(sides) < least:
            raise GeometryError(
                f"KernelPool: an image of {sides[0]} x {sides[1]} is too small for the"
                f" {self.padding} padding of a kernel of {size} x {size}: take images of at least"
                f" {least} pixels, or padding='replicate'."
            )
        if stride > 1 and (sides[0] % stride or sides[1] % stride):
            raise GeometryError(
                f"KernelPool with a pool of LR {stride} times smaller cannot take an image of"
                f" {sides[0]} x {sides[1]}: it is not divisible by {stride}. Crop it first."
            )
        ones = image.new_ones(1, 1, sides[0] // stride, sides[1] // stride)
        lr = kernel_apply(image, ones, kernel.to(image)[None], stride, self.padding)
        return imresize(lr, size=sides) if stride > self.stride else lr

    def _fitted(self, kernel: Tensor, stride: int) -> Tensor:
        """Shift a kernel of the HR grid to the window position of another stride."""
        if not self.pool_same_size or stride == 1:
            return kernel
        size = kernel.shape[-1]
        # Where the rests differ, one window's middle lies between the other's pixels. Growing the
        # window by one pixel makes room for the shift by half a pixel.
        return kernel if centre_rest(size, stride) == centre_rest(size, 1) else _move_half(kernel)

    def _stride_of(self, drawn: PoolKernelParams) -> int:
        stride = drawn.stride
        if stride != self.scale and not (stride == 1 and self.same_size):
            raise DataError(
                f"the trace of KernelPool has stride = {stride}, which this object does not"
                " support."
            )
        return stride


def gaussian_pool(scale: int, same_size: bool, count: int = _STAND_IN_COUNT) -> Pool:
    """Return a synthetic pool of anisotropic Gaussians instead of kernels of real photos.

    Kernels are 25 x 25. Their covariances have eigenvalues uniform in [0.175 s, 2.5 s] HR pixels
    squared, s the scale, and any direction, as for DIV2KRK.
    """
    rng = np.random.default_rng(_STAND_IN_SEED)
    rest = centre_rest(_STAND_IN_SIZE, 1 if same_size else scale)
    kernels = []
    for _ in range(count):
        along, across = np.sqrt(rng.uniform(0.175 * scale, 2.5 * scale, 2))
        angle = float(rng.uniform(0, math.pi))
        kernels.append(gaussian_kernel(_STAND_IN_SIZE, along, across, angle, (rest, rest)))
    source = "a stand-in: Gaussians drawn as DIV2KRK's, from no photo"
    return Pool("kernels", torch.stack(kernels), scale, same_size, {"source": source})


def _move_half(kernel: Tensor) -> Tensor:
    """Shift down and right by half a pixel, bilinearly; the window grows by one."""
    wide = F.pad(kernel.double(), (0, 1, 0, 1))
    for axis in (0, 1):
        wide = (wide + wide.roll(1, axis)) / 2
    return wide / wide.sum()


def _kernel_of(drawn: PoolKernelParams) -> Tensor:
    array = drawn.kernel
    sound = (
        array.ndim == 2
        and array.shape[0] == array.shape[1]
        and 1 <= array.shape[0] <= 64
        and array.dtype == np.float32
        and bool(np.isfinite(array).all())
    )
    if not sound or float(np.abs(array).max()) > _LARGEST_TAP:
        raise DataError(
            f"the kernel in the trace of KernelPool is not a blur: {array.dtype} of shape"
            f" {array.shape}, wanted float32 of up to 64 x 64 with finite, moderate taps."
        )
    return torch.from_numpy(np.ascontiguousarray(array))
