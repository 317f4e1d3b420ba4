"""The steps of a data set, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from realdeg.errors import ConfigError
from realdeg.registry import TRANSFORMS


def build_chain(steps: Sequence[Any] | None, where: str) -> list[Any]:
    """Build transforms and look whether they can follow each other.

    Args:
        steps: Transforms or their configs; None stands for packing alone.
        where: The data set, for messages.

    Returns:
        The transforms.

    Raises:
        ConfigError: If one is none, or stands behind the one that packs.
    """
    given = [dict(type="PackSample")] if steps is None else list(steps)
    chain = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in given]
    for number, step in enumerate(chain):
        if not callable(step):
            raise ConfigError(
                f"{where}: transforms.{number} is {step!r:.60}, wanted a dict with a type."
            )
        if number and getattr(chain[number - 1], "packs", False):
            raise ConfigError(
                f"{where}: transforms.{number} ({type(step).__name__}) stands behind"
                f" {type(chain[number - 1]).__name__}, which makes tensors and comes last."
            )
    return chain
