"""The network that ZSSR trains."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Form = Literal["official", "exercise"]


class ZSSRNetwork(nn.Module):
    """Eight convolutions that predict the difference from the interpolated image.

    Args:
        channels: 1 or 3.
        width: Channels of the hidden layers.
        depth: Number of convolutions, 2 or more.
        form: ``"exercise"``: the activations come before the convolutions, the first acting on the
            image, and initial values are He's; ``"official"``: after them, and small values.
        rng: Draws the initial values.

    Shape:
        (B, C, H, W) -> the same.
    """

    def __init__(
        self, channels: int, width: int, depth: int, form: Form, rng: torch.Generator
    ) -> None:
        super().__init__()
        widths = [channels, *[width] * (depth - 1), channels]
        self.first_activated = form == "exercise"
        self.weights = nn.ParameterList()
        for into, out in zip(widths, widths[1:], strict=False):
            variance = 2 / (9 * out) if self.first_activated else 0.1 / (9 * into)
            weight = math.sqrt(variance) * torch.randn(out, into, 3, 3, generator=rng)
            self.weights.append(nn.Parameter(weight))

    def forward(self, image: Tensor) -> Tensor:
        """Return the image plus the predicted difference."""
        x = image
        for number, weight in enumerate(self.weights):
            if number or self.first_activated:
                x = F.relu(x)
            x = F.conv2d(x, weight, padding=1)
        return image + x
