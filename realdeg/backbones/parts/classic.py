"""Argument types and initialisation that many networks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.errors import ConfigError

MOST = 1 << 16
"""The largest number of layers or channels."""
MOST_REPEATS = 256
"""The largest number of runs through the same weights; papers use up to thirty (IRCNN)."""
Number = Annotated[int, Interval(ge=1, le=MOST)]
"""A number of layers or channels."""
Repeats = Annotated[int, Interval(ge=1, le=MOST_REPEATS)]
"""How often the same weights run, which costs no memory."""


def numbers_of(text: str, place: str) -> list[int]:
    """Parse numbers the way papers write them, such as ``"9-5-5"``.

    Args:
        text: Whole numbers separated by hyphens.
        place: The name of the argument, for the message.

    Raises:
        ConfigError: If the string holds anything else.
    """
    parts = text.split("-") if isinstance(text, str) else []
    if not parts or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{place} is {text!r}: write whole numbers such as '9-5-5'.")
    return [int(part) for part in parts]


class ConvReLU(nn.Module):
    """A 3x3 convolution and a ReLU, under the public weights' key ``conv``."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return torch.relu_(self.conv(features))


def draw_he(network: nn.Module) -> None:
    """Initialise convolutions after He et al. (ICCV 2015), biases with zero."""
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            # At stride 1 an output sums over kernel and input channels: torch's "fan out" here.
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def initialise(network: nn.Module, draw: Callable[[Tensor], object]) -> None:
    """Initialise the weights of all convolutions with a function, and biases with zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
