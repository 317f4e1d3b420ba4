"""A network that splits the blur of an image into basis kernels and their share at each pixel."""

from __future__ import annotations

from math import log2
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FieldSize = Literal[9, 17, 33, 65]
"""Side of the basis kernels: a kernel of 2 x 2 after each of some doublings, and one more."""

_DEEPEST = 5
_LATE = 3  # the last levels of the kernels' decoder, which keep the width of their skip


class TwoHeads(nn.Module):
    """One encoder, a decoder of mixing weights and a decoder of kernels.

    The encoder halves the image five times. The decoder of the weights is that of a U-Net; a
    softmax makes the weights of each pixel sum to 1. The decoder of the kernels starts from the
    mean of the deepest features, and doubles it to 2 x 2, 4 x 4, ..., 32 x 32; its skips are the
    means of the encoder's features, repeated over the window. A convolution of 2 x 2 makes 33 x 33
    of it, and a softmax over the window gives kernels with sum 1.

    Args:
        basis: Number of kernels.
        size: Their side. Below 33 there are fewer levels, as the window is doubled less often; 65
            doubles once more, without a skip.
        width: Channels of the first level; the deepest of five has 16 times as many.

    Shape:
        (B, 3 or 1, h, w) -> kernels (B, basis, size, size) and weights (B, basis, h, w).

    Source:
        models/TwoHeadsNetwork.py of GuillermoCarbajal/NonUniformBlurKernelEstimation, commit
        2f91308; the names of the tensors are those of its published weights.
    """

    def __init__(self, basis: int, size: FieldSize, width: int) -> None:
        super().__init__()
        self.size = int(size)
        self.levels = min(int(log2(size - 1)), _DEEPEST)
        self.inc_rgb = _layers(3, width)
        self.inc_gray = _layers(1, width)
        outs = [width * 2**level for level in range(self.levels)]  # of each level's features
        for level, (into, out) in enumerate(zip([width, *outs], outs, strict=False), 1):
            self.add_module(f"down{level}", _Down(into, out))
        deepest = outs[-1]
        self.feat = _layers(deepest, deepest)
        for step, level in enumerate(reversed(range(self.levels)), 1):
            out = outs[level]
            self.add_module(f"up{step}", _Up(out, out, outs[level - 1] if level else width))
        into = deepest
        for step, level in enumerate(reversed(range(self.levels)), 1):
            made = outs[level] if level < _LATE else outs[level - 1]
            self.add_module(f"kernel_up{step}", _Up(into, outs[level], made))
            into = made
        if size - 1 > 2**self.levels:
            self.kernel_up6 = _Up(width, 0, width)
        self.masks_end = _head(width, basis, 3)
        self.kernels_end = _head(width, basis, 2)
        self.apply(_draw_he)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the kernels and the weights of images, the gamma applied and 0.5 subtracted."""
        x = self.inc_rgb(image) if image.shape[1] == 3 else self.inc_gray(image)
        skips = []
        for level in range(1, self.levels + 1):
            skips.append(cast(Tensor, self.get_submodule(f"down{level}.double_conv")(x)))
            x = F.max_pool2d(skips[-1], 2)
        deepest = self.feat(x)
        field, kernels = deepest, deepest.mean((2, 3), keepdim=True)
        for step, skip in enumerate(reversed(skips), 1):
            field = self.get_submodule(f"up{step}")(field, skip)
            side = 2**step
            mean = skip.mean((2, 3), keepdim=True).expand(-1, -1, side, side)
            kernels = self.get_submodule(f"kernel_up{step}")(kernels, mean)
        if hasattr(self, "kernel_up6"):
            kernels = self.kernel_up6(kernels)
        taps: Tensor = self.kernels_end(kernels).flatten(2).softmax(2)
        weights: Tensor = self.masks_end(field).softmax(1)
        return taps.unflatten(2, (self.size, self.size)), weights


class _Down(nn.Module):
    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.double_conv = _layers(into, out, out)


class _Up(nn.Module):
    """Doubles, convolves twice, and joins a skip."""

    def __init__(self, into: int, skip: int, out: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(into, into, 2, stride=2)
        self.double_conv = _layers(into, out, out)
        self.feat = _layers(skip + out, out)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        x = self.double_conv(self.up(x))
        if skip is not None:
            # A side that is no multiple of two lost its last pixel on the way down.
            rows, columns = (skip.shape[axis] - x.shape[axis] for axis in (2, 3))
            around = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
            x = torch.cat([skip, F.pad(x, around)], 1)
        made: Tensor = self.feat(x)
        return made


def _draw_he(part: nn.Module) -> None:
    # With PyTorch's usual draws the signal of a new network dies out on its way, and nothing is
    # learned for some fifty iterations.
    if isinstance(part, nn.Conv2d):
        nn.init.kaiming_normal_(part.weight, a=0.01)
    elif isinstance(part, nn.ConvTranspose2d):
        nn.init.normal_(part.weight, std=(2 / part.in_channels) ** 0.5)
    else:
        return
    assert part.bias is not None
    nn.init.zeros_(part.bias)


def _layers(*widths: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for into, out in zip(widths, widths[1:], strict=False):
        parts += [nn.Conv2d(into, out, 3, padding=1), nn.LeakyReLU()]
    return nn.Sequential(*parts)


def _head(width: int, basis: int, first: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, first, padding=1),
        nn.LeakyReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.LeakyReLU(),
        nn.Conv2d(width, basis, 3, padding=1),
    )
