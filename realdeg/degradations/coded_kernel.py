"""The base of learned generators of blur kernels: a code is drawn, a network makes the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.bicubic import enlarged_border
from realdeg.degradations.primitives import imresize
from realdeg.degradations.trace import Seed, Trace, TraceParams
from realdeg.degradations.windowed import Padding
from realdeg.errors import GeometryError
from realdeg.ops import kernel_apply, pad_amounts
from realdeg.utils.precision import full_precision
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class CodeParams(TraceParams):
    """The code that a network turns into a kernel.

    Args:
        code_seed: The seed of its standard normal numbers.
    """

    code_seed: Seed


class CodedKernel(Degradation):
    """Blurs each image with a kernel that a learned network makes of a random code.

    Draws the seed of a standard normal code; applies correlation with its kernel, which is the
    same for all channels. Subclasses implement :meth:`code_of` and :meth:`kernels`.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        kernel_size: Side k of the kernels.
        padding: Border handling, as in :func:`realdeg.ops.kernel_apply`.
    """

    unstated = ()

    fitting: ClassVar[Literal["gradient", "closed_form"] | None] = "gradient"

    def __init__(self, scale: int, same_size: bool, kernel_size: int, padding: Padding) -> None:
        super().__init__(scale, same_size)
        self.kernel_size, self.padding = kernel_size, padding

    @property
    def window(self) -> int:
        """Side of the kernels in the window of :func:`realdeg.ops.kernel_apply`."""
        return self.kernel_size

    @property
    def step(self) -> int:
        """HR pixels between the pixels that are filtered; bicubic interpolation fills the rest."""
        return self.scale

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding influences."""
        small = -(-(self.window // 2 + 1) // self.step)
        return enlarged_border(small, self.step) if self.step > self.stride else small

    def code_of(self, seed: int) -> Tensor:
        """Return the standard normal code of a seed, float32, of one dimension."""
        raise NotImplementedError

    def kernels(self, codes: Tensor) -> Tensor:
        """Turn codes (B, n) into kernels (B, k, k) of sum 1, each by itself, differentiably."""
        raise NotImplementedError

    def aligned(self, kernels: Tensor) -> Tensor:
        """Move kernels of :meth:`kernels` to the window of LR pixels.

        Args:
            kernels: Shape (B, k, k).

        Returns:
            Shape (B, window, window); the window of LR pixel i starts at HR pixel
            ``step * i + floor((step - window) / 2)``.
        """
        return kernels

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the seed of the code."""
        drawn = CodeParams(stream_seed(seed, "code"))
        return Trace(type(self).__name__, {**self.trace_params(), **drawn.to_params()}, size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Filter each image with its kernel."""
        return self._filtered(hr, [trace.read(CodeParams).code_seed for trace in traces])

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Draw and degrade: equal to sample and replay, but without hashing the weights."""
        self.check_input(hr)
        if seeds is None:
            seeds = torch.randint(2**62, (hr.shape[0],)).tolist()
        self.check_seeds(hr, seeds)
        return self._filtered(hr, [stream_seed(int(seed), "code") for seed in seeds])

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the correlation kernel of the LR pixels' windows, float32, shape (k, k)."""
        with torch.no_grad():
            kernel = self._kernels([trace.read(CodeParams).code_seed])[0]
        return {"kernel": kernel.detach().cpu()}

    def _kernels(self, seeds: Sequence[int]) -> Tensor:
        codes = torch.stack([self.code_of(seed) for seed in seeds])
        return self.aligned(self.kernels(codes.to(next(self.parameters()))))

    def _filtered(self, hr: Tensor, seeds: Sequence[int]) -> Tensor:
        step = self.step
        if not hr.shape[0]:
            return hr[..., :: self.stride, :: self.stride]
        sides = int(hr.shape[2]), int(hr.shape[3])
        self._check_size(sides)
        ones = hr.new_ones(hr.shape[0], 1, sides[0] // step, sides[1] // step)
        with full_precision(hr):
            kernels = self._kernels(seeds)[:, None].to(hr.dtype)
            lr = kernel_apply(hr, ones, kernels, step, self.padding)
        return imresize(lr, size=sides) if step > self.stride else lr

    def _check_size(self, sides: tuple[int, int]) -> None:
        name = type(self).__name__
        if any(side % self.step for side in sides):
            raise GeometryError(
                f"{name} x{self.scale} cannot take an image of {sides[0]} x {sides[1]}: it is not"
                f" divisible by {self.scale}. Crop it first."
            )
        most = max(pad_amounts(self.window, self.step, "reflect"))
        least = {"reflect": most + 1, "circular": most}.get(self.padding, 1)
        if min(sides) < least:
            raise GeometryError(
                f"{name}: an image of {sides[0]} x {sides[1]} is too small for the {self.padding}"
                f" padding of a kernel of {self.window} x {self.window}: take images of at least"
                f" {least} pixels, or padding='replicate'."
            )
