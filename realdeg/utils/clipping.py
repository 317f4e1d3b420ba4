"""Check how gradients are to be clipped, without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realdeg.errors import ConfigError, nearest
from realdeg.utils.annotations import mismatch
from realdeg.utils.argument_types import Positive

LIMITS = {
    "norm": ("max_norm", ("norm_type", "error_if_nonfinite", "foreach")),
    "value": ("clip_value", ("foreach",)),
}
"""The ways of clipping: the argument that is the limit, and other arguments of torch's function."""
BY_RATE = "theta"
"""The limit as a share of the inverse learning rate."""


def check_clipping(options: Mapping[str, Any], place: str) -> None:
    """Refuse a ``clip_grad`` that sets no limit, two limits, or something unknown.

    Args:
        options: The value of ``clip_grad``.
        place: Its key in the config, for messages.

    Raises:
        ConfigError: Naming what is wrong and what is wanted.
    """
    kind = options.get("type", "norm")
    if kind not in LIMITS:
        raise ConfigError(f"'{place}.type' is {kind!r:.80}, wanted 'norm' or 'value'.")
    limit, others = LIMITS[kind]
    for key in options:
        if key not in ("type", limit, BY_RATE, *others):
            raise ConfigError(f"unknown key '{place}.{key}'.{nearest(key, (limit, BY_RATE))}")
    given = [key for key in (limit, BY_RATE) if key in options]
    if len(given) != 1:
        found = "both" if given else "neither"
        raise ConfigError(
            f"'{place}' has {found} of {limit} and {BY_RATE}, wanted one: dict(type='{kind}',"
            f" {limit}=0.4), or {BY_RATE}=0.01 for a limit of {BY_RATE} / learning rate."
        )
    wrong = mismatch(options[given[0]], Positive)
    if wrong:
        raise ConfigError(f"'{place}.{given[0]}' {wrong}.")
