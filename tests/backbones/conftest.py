from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import Backbone, Outputs


@pytest.fixture
def reach() -> Callable[[Backbone], int]:
    """A function that measures how far a network sees."""
    return _reach


def _reach(network: Backbone) -> int:
    """Return how many LR pixels away a pixel in the middle still looks.

    Every parameter is made positive and the input white, so that no gradient cancels or dies.
    """
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    side = 2 * network.halo + 9
    scale = 1 if network.same_size else network.scale
    size = (1, network.channels, side, side)
    corner = side // 2 // network.size_multiple * network.size_multiple
    found = 0
    for middle in range(corner, corner + network.size_multiple):
        lr = torch.full(size, network.value_range, dtype=torch.float64, requires_grad=True)
        given = lr
        if network.upsample == "pre" and scale > 1:
            given = F.interpolate(lr, scale_factor=scale, mode="bicubic", align_corners=False)
        output = network(given)
        output = output.sr if isinstance(output, Outputs) else output
        block = slice(middle * scale, middle * scale + scale)
        output[..., block, block].sum().backward()
        hit = (lr.grad[0, 0] != 0).nonzero()
        found = max(found, int((hit - middle).abs().max()))
    return found
