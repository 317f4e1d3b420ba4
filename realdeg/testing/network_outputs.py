"""What a network returns, and how far it sees."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.backbones import Backbone, Outputs


def sr(output: Tensor | Outputs) -> Tensor:
    """Return the SR image of a network's output."""
    return output.sr if isinstance(output, Outputs) else output


def size_of_outputs(output: Tensor | Outputs) -> Tensor:
    """Return the sum of squares of what a network is trained on.

    That is the SR image, and with it the estimates of a blind network, whose earlier rounds pass no
    gradient to its image.
    """
    total = sr(output).square().sum()
    if isinstance(output, Outputs) and "estimates" in output.aux:
        total = total + output.aux["estimates"].square().sum()
    return total


_NARROW = 48
"""LR pixels; more than a window of attention or the smallest image of any network."""


def reach(network: Backbone) -> int:
    """Return the receptive-field radius of a central pixel in LR pixels.

    Every parameter is made positive and the input white, so that no gradient cancels or vanishes.

    Args:
        network: The network; it is changed.
    """
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    side, multiple = 2 * network.halo + 9, network.size_multiple
    # What lies far up or down is reached as well in a narrow image, which costs less.
    narrow = -(-_NARROW // multiple) * multiple
    sizes = [(side, narrow), (narrow, side)] if side > 2 * narrow else [(side, side)]
    return max(_reach_within(network, size) for size in sizes)


def _reach_within(network: Backbone, size: tuple[int, int]) -> int:
    """Return the receptive-field radius along the longer sides of an image."""
    scale, multiple = 1 if network.same_size else network.scale, network.size_multiple
    shape = (1, network.channels, *size)
    lr = torch.full(shape, network.value_range, dtype=torch.float64, requires_grad=True)
    given: Tensor = lr
    if network.upsample == "pre" and scale > 1:
        given = F.interpolate(lr, scale_factor=scale, mode="bicubic", align_corners=False)
    output = sr(network(given))
    found = 0
    for phase in range(multiple):
        centre = [side // 2 // multiple * multiple + phase for side in size]
        rows, columns = (slice(middle * scale, middle * scale + scale) for middle in centre)
        (gradient,) = torch.autograd.grad(
            output[..., rows, columns].sum(), lr, retain_graph=phase < multiple - 1
        )
        hit = (gradient[0, 0] != 0).nonzero()
        for axis, side in enumerate(size):
            if side == max(size):
                found = max(found, int((hit[:, axis] - centre[axis]).abs().max()))
    return found
