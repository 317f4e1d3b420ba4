"""Build the discriminators of tasks, and start them from weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from realdeg.backbones.weights import read_weights
from realdeg.discriminators.base import DiscriminatorLike
from realdeg.errors import CheckpointError, ConfigError, nearest
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.component import load_state
from realdeg.utils.construction import bounded_parts


def discriminator_from_config(
    discriminator: DiscriminatorLike, part: str = "discriminator"
) -> nn.Module:
    """Build a discriminator, or return it if it is built already.

    Args:
        discriminator: The module, or its config: ``type``, its arguments, and ``start_from``,
            ``dict(checkpoint=file)``, for weights to start from. The file may be a training
            checkpoint (``iter_N.pth``) of a task with such a part, or hold the discriminator alone.
        part: The name of the part in a training checkpoint.

    Raises:
        ConfigError: If there is no such type or argument.
        CheckpointError: If the weights cannot be read safely, or do not fit.
    """
    if isinstance(discriminator, nn.Module):
        return discriminator
    settings = dict(discriminator)
    start = settings.pop("start_from", None)
    with bounded_parts("the discriminator"):
        network: nn.Module = DISCRIMINATORS.build(settings)
    if start is not None:
        file = _file_of(start, part)
        load_state(network, _own(read_weights(file), part, file), str(file))
    return network


def check_colour(
    network: nn.Module, colour: str, what: str, task: str, part: str = "discriminator"
) -> None:
    """Refuse a discriminator of images of another colour than those that it is shown.

    Args:
        network: The discriminator.
        colour: The images' colour, ``"rgb"`` or ``"y"``.
        what: What makes the images, for the message.
        task: The task's type.
        part: The discriminator's name in the task.

    Raises:
        ConfigError: If they differ in their number of channels.
    """
    wanted = 1 if colour == "y" else 3
    channels = getattr(network, "in_channels", wanted)
    if channels != wanted:
        raise ConfigError(
            f"{task}: the {part} has in_channels={channels}, and {what} makes {wanted}"
            f" (colour='{colour}'): set model.{part}.in_channels to {wanted}."
        )


def _file_of(start: Any, part: str) -> Path:
    known = ("checkpoint",)
    if not isinstance(start, Mapping) or "checkpoint" not in start:
        raise ConfigError(
            f"'{part}.start_from' is {start!r}, wanted dict(checkpoint='work_dirs/.../iter_N.pth')."
        )
    for key in start:
        if key not in known:
            raise ConfigError(
                f"'{part}.start_from' takes no key '{key}', only 'checkpoint'.{nearest(key, known)}"
            )
    return Path(str(start["checkpoint"]))


def _own(state: Mapping[str, Tensor], part: str, file: Path) -> dict[str, Tensor]:
    """Return the discriminator's tensors of a training checkpoint, or all of another file."""
    prefix = f"{part}."
    own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    if not own and any(k.startswith(("backbone.", "degradation.")) for k in state):
        raise CheckpointError(
            f"{file} is a checkpoint of a run without a {part}: name one of an adversarial run."
        )
    return own or dict(state)
