"""The chain of transforms of a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from realdeg.errors import ConfigError
from realdeg.registry import TRANSFORMS
from realdeg.utils.samples import PackedSample, Sample

Step: TypeAlias = Callable[[Sample], Sample | PackedSample]
"""A transform, or any function with the same signature."""


def build_chain(steps: Sequence[dict[str, Any] | Step] | None, where: str) -> list[Step]:
    """Build transforms and check their order.

    Args:
        steps: Transforms or their configs; None means packing alone.
        where: The data set, for messages.

    Raises:
        ConfigError: If a step is not a transform, or comes after the one that packs.
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
                f"{where}: transforms.{number} ({type(step).__name__}) comes after"
                f" {type(chain[number - 1]).__name__}, which makes tensors and must be last."
            )
    return chain
