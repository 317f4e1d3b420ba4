"""Build a loss from a config."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from torch import nn

from realdeg.errors import ConfigError, nearest
from realdeg.registry import LOSSES
from realdeg.utils.arguments import Component

LossConfig: TypeAlias = Annotated[Mapping[str, Any], Component("loss")]
"""The config of a loss: ``dict(type="L1Loss", weight=1.0)``."""


def build_loss(cfg: Mapping[str, Any]) -> nn.Module:
    """Build a loss from its config.

    Args:
        cfg: ``dict(type='L1Loss', weight=1.0)`` and the like.

    Returns:
        The loss: called with (prediction, target) it gives a scalar, or a dict of named scalars.

    Raises:
        ConfigError: If the type or an argument is unknown.
    """
    kind = cfg.get("type")
    if isinstance(kind, str):
        parameters = inspect.signature(LOSSES.require(kind)).parameters
        takes_all = any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters.values())
        unknown = [] if takes_all else sorted(set(cfg) - set(parameters) - {"type"})
        if unknown:
            raise ConfigError(
                f"{kind} has no argument '{unknown[0]}': it takes {', '.join(parameters)}."
                f"{nearest(unknown[0], set(parameters))}"
            )
    loss: nn.Module = LOSSES.build(dict(cfg))
    return loss
