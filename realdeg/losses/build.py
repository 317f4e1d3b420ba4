"""Build a loss from a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from torch import nn

from realdeg.registry import LOSSES
from realdeg.utils.argument_types import Component

LossConfig: TypeAlias = Annotated[Mapping[str, Any], Component("loss")]
"""The config of a loss: ``dict(type="L1Loss", weight=1.0)``."""


def build_loss(cfg: Mapping[str, Any]) -> nn.Module:
    """Build a loss from its config.

    Args:
        cfg: For instance ``dict(type='L1Loss', weight=1.0)``.

    Returns:
        The loss: ``loss(prediction, target)`` returns a scalar, or a dict of named scalars.

    Raises:
        ConfigError: If the type or an argument is unknown.
    """
    loss: nn.Module = LOSSES.build(dict(cfg))
    return loss
