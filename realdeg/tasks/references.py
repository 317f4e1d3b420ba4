"""The pictures beside HR that terms of a loss compare a result with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from realdeg.backbones.base import Backbone, Outputs
from realdeg.backbones.running import run_backbone
from realdeg.degradations.primitives import unsharp_mask
from realdeg.errors import ConfigError
from realdeg.losses.build import references_of


@dataclass(frozen=True)
class Enlarged:
    """A training batch that went through the network.

    Attributes:
        outputs: The network's outputs; ``sr`` in [0, 1], shape (B, C, H, W).
        hr: HR in the network's colour, shape (B, C, H, W).
        image: What the network received, in [0, 1].
        scale: The scale drawn for the batch; None: the network's.
    """

    outputs: Outputs
    hr: Tensor
    image: Tensor
    scale: float | None


def make_reference(
    name: str, made: Enlarged, sharpen: float, average: Sequence[Backbone]
) -> Tensor:
    """Make a picture that a loss term asks for.

    Args:
        name: ``"sharpened"`` or ``"averaged"``.
        made: The batch.
        sharpen: Strength of the unsharp mask.
        average: The moving average of the network, if one is kept.

    Returns:
        Shape (B, C, H, W), without gradient.

    Raises:
        ConfigError: If there is no such picture, or nothing averages the network.
    """
    with torch.no_grad():
        if name == "sharpened":
            return unsharp_mask(made.hr, weight=sharpen)
        if name != "averaged":
            raise ConfigError(
                f"the loss asks for the picture '{name}': there are 'sharpened' and 'averaged'."
            )
        if not average:
            raise ConfigError(
                "the loss compares with the moving average of the network, and nothing keeps one:"
                " add custom_hooks=[dict(type='ComponentEMAHook')]."
            )
        return run_backbone(average[0], made.image, scale=made.scale).sr


def check_average(cfg: Mapping[str, Any]) -> None:
    """Refuse a config with a term that compares with the moving average where nothing averages.

    Args:
        cfg: The whole config.

    Raises:
        ConfigError: Naming the term and the hook that is missing.
    """
    loss = cfg["model"].get("loss")
    needed = references_of(loss, "model.loss") if isinstance(loss, Mapping) else {}
    hooks = [str(hook.get("type")) for hook in cfg.get("custom_hooks") or ()]
    if "averaged" in needed and not any("ComponentEMA" in hook for hook in hooks):
        raise ConfigError(
            f"'{needed['averaged']}' compares with the moving average of the network, and nothing"
            " keeps one: add custom_hooks=[dict(type='ComponentEMAHook')], which is"
            " configs/_base_/ema_999.py."
        )
