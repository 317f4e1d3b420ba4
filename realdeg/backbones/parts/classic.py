"""What many networks share: the checks of their arguments, and first weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import nn

from realdeg.errors import ConfigError, nearest

Settings = TypeVar("Settings")


def find_preset(
    name: str, preset: str, presets: Mapping[str, Settings], what: str = "preset"
) -> Settings:
    """Look a preset up.

    Args:
        name: The network, for the message.
        preset: The preset asked for.
        presets: Those that exist.
        what: The argument's name, for the message.

    Returns:
        What goes by that name.

    Raises:
        ConfigError: If there is none of that name.
    """
    if preset not in presets:
        raise ConfigError(
            f"{name} has no {what} '{preset}': it has {', '.join(presets)}."
            f"{nearest(preset, set(presets))}"
        )
    return presets[preset]


MOST = 1 << 16
"""Layers or channels of one kind."""
MOST_REPEATS = 256
"""Runs through the same weights: IRCNN's thirty are the most that a paper asks for."""


def check_counts(name: str, **counts: int) -> None:
    """Refuse counts below 1, and those that no network has.

    Args:
        name: The network, for the message.
        **counts: Numbers of layers or channels by the name of their argument.

    Raises:
        ConfigError: If one of them makes no network.
    """
    for argument, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ConfigError(
                f"{argument} of {name} is {count!r}: it must be a whole number, 1 or more."
            )
        if count > MOST:
            raise ConfigError(f"{argument} of {name} is {count}: it must be {MOST} or less.")


def check_repeats(name: str, **counts: int) -> None:
    """Refuse to run the same weights more often than any paper does, for they cost no memory.

    Args:
        name: The network, for the message.
        **counts: How often a part runs, by the name of the argument.

    Raises:
        ConfigError: If it would not run at all, or for ever.
    """
    check_counts(name, **counts)
    for argument, count in counts.items():
        if count > MOST_REPEATS:
            raise ConfigError(
                f"{argument} of {name} is {count}: it must be {MOST_REPEATS} or less."
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
