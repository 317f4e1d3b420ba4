"""A camera that moves during the exposure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from realdeg.degradations import Degradation, Trace, TraceParams
from realdeg.degradations.primitives.resize import imresize
from realdeg.ops import kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.streams import Stream

# Standard deviation, in HR pixels, of the spot that is drawn along the path.
_SPOT = 0.5


@dataclass(frozen=True)
class Path(TraceParams):
    """What is drawn for one image.

    Args:
        length: In HR pixels.
        angle: In radians.
    """

    length: Annotated[float, Interval(ge=0, le=63)]
    angle: Annotated[float, Interval(ge=0, le=math.pi)]


@DEGRADATIONS.register_module()
class MotionBlur(Degradation):
    """Blurs along a straight path of random length and direction, then reduces bicubically.

    Args:
        scale: How much resolution is lost.
        same_size: Whether LR lies on the HR grid: the reduced image is enlarged again.
        max_length: Longest path, in HR pixels, up to 63; lengths are uniform in [0, max_length].

    Shape:
        (B, C, H, W) to (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.
    """

    def __init__(
        self,
        scale: int = 4,
        same_size: bool = False,
        max_length: Annotated[float, Interval(ge=0, le=63)] = 9.0,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        self.max_length = max_length
        # Room for the whole path and the spot's tail on both sides of the centre.
        self.kernel_size = 2 * math.ceil(max_length / 2 + 3 * _SPOT) + 1

    @property
    def border(self) -> int:
        """LR pixels at each rim that the padding influences."""
        # The bicubic reduction reaches two LR pixels; enlarging it again, two more.
        blurred = self.kernel_size // 2 + (4 if self.same_size else 2) * self.scale
        return -(-blurred // self.stride)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw length and direction.

        Args:
            size: (channels, height, width) of the HR image.
            seed: The image's seed.

        Returns:
            The trace: two numbers say everything.
        """
        rng = Stream(seed, 0).rng("path")
        path = Path(float(rng.uniform(0, self.max_length)), float(rng.uniform(0, math.pi)))
        return Trace(type(self).__name__, {**self.trace_params(), **path.to_params()}, size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Blur each image along its own path; see :meth:`Degradation.degrade`."""
        kernels = hr.new_empty(len(traces), self.kernel_size, self.kernel_size)
        for index, trace in enumerate(traces):
            kernels[index] = self.kernel(trace)
        blurred = kernel_apply(hr, torch.ones_like(hr[:, :1]), kernels[:, None])
        lr = imresize(blurred, 1 / self.scale)
        if self.same_size:
            lr = imresize(lr, size=(hr.shape[2], hr.shape[3]))
        return lr

    def kernel(self, trace: Trace) -> Tensor:
        """Return the blur of a trace.

        Args:
            trace: A trace of this class.

        Returns:
            Correlation kernel of sum 1, shape (k, k).
        """
        path = trace.read(Path)
        taps = torch.arange(self.kernel_size, dtype=torch.float64) - self.kernel_size // 2
        along = torch.linspace(-path.length / 2, path.length / 2, 65, dtype=torch.float64)
        rows = taps.view(-1, 1, 1) - along * math.sin(path.angle)
        columns = taps.view(1, -1, 1) - along * math.cos(path.angle)
        kernel = (-(rows**2 + columns**2) / (2 * _SPOT**2)).exp().sum(-1)
        return kernel / kernel.sum()
