"""A lens that refracts colours differently."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations import Degradation, Trace
from realdeg.degradations.primitives import imresize
from realdeg.errors import ConfigError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.streams import Stream

# How much of a grey picture each shifted colour carries: BT.601's luma.
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114


@DEGRADATIONS.register_module()
class ChromaticAberration(Degradation):
    """Shifts red and blue in opposite directions, then reduces bicubically.

    Away from the optical axis a lens images the colours at different sizes. Over a patch that is a
    shift; its direction and length depend on where in the photo the patch lies, so both are drawn.

    Args:
        scale: How much resolution is lost.
        same_size: Whether LR lies on the HR grid: the reduced image is enlarged again.
        max_shift: Longest shift of red against green, in HR pixels.

    Shape:
        (B, C, H, W) to (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If the shift is negative or above 16 pixels.
    """

    same_grid_part = True

    def __init__(self, scale: int = 4, same_size: bool = False, max_shift: float = 2.0) -> None:
        super().__init__(scale=scale, same_size=same_size)
        if not 0 <= max_shift <= 16:
            raise ConfigError(
                f"ChromaticAberration: max_shift is 0 to 16 HR pixels, got {max_shift}."
            )
        self.max_shift = max_shift

    @property
    def border(self) -> int:
        """LR pixels at each rim that the padding influences."""
        # Cubic interpolation looks two pixels further; so does the bicubic reduction, in LR pixels,
        # and enlarging that again.
        seen = math.ceil(self.max_shift) + 2 + (4 if self.same_size else 2) * self.scale
        return -(-seen // self.stride)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the shift of red; that of blue is the opposite.

        Args:
            size: (channels, height, width) of the HR image.
            seed: The image's seed.

        Returns:
            The trace: two numbers say everything.
        """
        rng = Stream(seed, 0).rng("shift")
        length, angle = rng.uniform(0, self.max_shift), rng.uniform(0, 2 * math.pi)
        shift = {"down": length * math.sin(angle), "right": length * math.cos(angle)}
        return Trace(type(self).__name__, {**self.trace_params(), **shift}, size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Shift and reduce; see :meth:`Degradation.degrade`."""
        shifts = [[trace.get("down", float), trace.get("right", float)] for trace in traces]
        red = torch.tensor(shifts, dtype=hr.dtype, device=hr.device).reshape(-1, 2)
        if hr.shape[1] == 3:
            colours = [shifted(hr[:, :1], red), hr[:, 1:2], shifted(hr[:, 2:], -red)]
            image = torch.cat(colours, 1)
        else:
            image = _RED * shifted(hr, red) + _GREEN * hr + _BLUE * shifted(hr, -red)
        lr = imresize(image, 1 / self.scale)
        return imresize(lr, size=(hr.shape[2], hr.shape[3])) if self.same_size else lr


def shifted(images: Tensor, shifts: Tensor) -> Tensor:
    """Shift every image by its own part of a pixel, by cubic interpolation.

    Args:
        images: Shape (B, C, H, W).
        shifts: (down, right) in pixels, shape (B, 2).

    Returns:
        The images, continued at the rim by their last pixels.
    """
    height, width = images.shape[2:]
    rows = torch.arange(height, dtype=images.dtype, device=images.device) - shifts[:, :1]
    columns = torch.arange(width, dtype=images.dtype, device=images.device) - shifts[:, 1:]
    # grid_sample counts from -1 to 1, from one outer edge of the image to the other.
    down = ((2 * rows + 1) / height - 1)[:, :, None].expand(-1, height, width)
    right = ((2 * columns + 1) / width - 1)[:, None, :].expand(-1, height, width)
    grid = torch.stack([right, down], -1)
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)
