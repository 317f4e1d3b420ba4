"""Whether a network that is told the degradation would be told the truth about a recipe's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realdeg.config.check import degradations_in
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES, DEGRADATIONS
from realdeg.utils.description import read_description

_WORDS = {"kernel": "blur", "noise_level": "noise"}


def check_told(cfg: Mapping[str, Any]) -> None:
    """Refuse a degradation whose blur or noise a told network would not learn of.

    Such a network would take every LR image as reduced by bicubic interpolation alone.

    Args:
        cfg: The whole config, with types and arguments that exist.

    Raises:
        ConfigError: Naming the degradation, the network and what is not stated.
    """
    backbone, degradation = cfg.get("backbone"), cfg.get("degradation")
    if not (isinstance(backbone, Mapping) and backbone.get("type")) or degradation is None:
        return
    network = BACKBONES.get(backbone["type"])
    told = network.told_of(backbone) if hasattr(network, "told_of") else ()
    for place, item in degradations_in(degradation, "degradation") if told else ():
        kind = _class_of(item)
        missing = [name for name in told if name in getattr(kind, "unstated", told)]
        if kind is None or not missing:
            continue
        what = " and ".join(_WORDS[name] for name in missing)
        raise ConfigError(
            f"'{place}' is {kind.__name__}, which does not state its {what} (condition), and"
            f" backbone {network.__name__} is told them: it would take these images as reduced by"
            " bicubic interpolation alone. Take a degradation that states them (SRMD, BlurDown,"
            " KernelPool, AWGN), or a network that is told nothing."
        )


def _class_of(item: Mapping[str, Any]) -> Any:
    if "checkpoint" not in item:
        return DEGRADATIONS.get(item["type"])
    found = read_description(Path(str(item["checkpoint"])))
    return None if found is None else DEGRADATIONS.get(found.type)
