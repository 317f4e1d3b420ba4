"""The steps of a data set, one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from realdeg.errors import ConfigError
from realdeg.registry import TRANSFORMS
from realdeg.utils.samples import PackedSample, Sample

Step: TypeAlias = Callable[[Sample], Sample | PackedSample]
"""A transform, or any function that does as one does."""


def build_chain(steps: Sequence[dict[str, Any] | Step] | None, where: str) -> list[Step]:
    """Build transforms and look whether they can follow each other.

    Args:
        steps: Transforms or their configs; None stands for packing alone.
        where: The data set, for messages.

    Returns:
        The transforms.

    Raises:
        ConfigError: If one is none, or stands behind the one that packs.
    """
    given = [dict(type="PackSample")] if steps is None else steps
    chain: list[Step] = [
        TRANSFORMS.build(step) if isinstance(step, dict) else step for step in given
    ]
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
