"""What the networks that run on the interpolated image share: names, sizes, first weights."""

from __future__ import annotations

from torch import nn

from realdeg.backbones.base import CHANNELS
from realdeg.errors import ConfigError


def check_settings(name: str, colour: str, **counts: int) -> None:
    """Refuse a colour that does not exist and counts below 1.

    Args:
        name: The network, for the message.
        colour: ``"y"`` or ``"rgb"``.
        **counts: Numbers of layers or channels by the name of their argument.

    Raises:
        ConfigError: If one of them makes no network.
    """
    if colour not in CHANNELS:
        raise ConfigError(f"colour of {name} is {colour!r}: it must be 'y' or 'rgb'.")
    for argument, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ConfigError(
                f"{argument} of {name} is {count!r}: it must be a whole number, 1 or more."
            )


def numbers_of(text: str, place: str) -> list[int]:
    """Read numbers the way papers write them, such as ``"9-5-5"``.

    Args:
        text: Whole numbers with hyphens between.
        place: What they are, for the message.

    Returns:
        The numbers.

    Raises:
        ConfigError: If the text holds anything else.
    """
    parts = text.split("-") if isinstance(text, str) else []
    if not parts or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{place} is {text!r}: write whole numbers such as '9-5-5'.")
    return [int(part) for part in parts]


def draw_he(network: nn.Module) -> None:
    """Draw convolutions after He et al. (ICCV 2015); biases start at zero.

    Args:
        network: The network; its other layers stay as they are.
    """
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
