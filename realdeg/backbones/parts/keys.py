"""Keep published keys that the contract uses for something else."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import partial
from typing import Any

from torch import Tensor, nn


def store_as(module: nn.Module, attribute: str, key: str) -> None:
    """Save and load a child module under another name than its attribute.

    A backbone's ``upsample`` is metadata, so a child cannot have that name, which published
    weights use.

    Args:
        module: The parent.
        attribute: The child's attribute.
        key: Its name in state dicts.
    """
    module.register_state_dict_post_hook(partial(_write, attribute, key))
    module.register_load_state_dict_pre_hook(partial(_read, attribute, key))


def _write(
    attribute: str,
    key: str,
    module: nn.Module,
    state: MutableMapping[str, Tensor],
    prefix: str,
    metadata: Any,
) -> None:
    _rename(state, f"{prefix}{attribute}.", f"{prefix}{key}.")


def _read(
    attribute: str,
    key: str,
    module: nn.Module,
    state: MutableMapping[str, Tensor],
    prefix: str,
    *rest: Any,
) -> None:
    _rename(state, f"{prefix}{key}.", f"{prefix}{attribute}.")


def _rename(state: MutableMapping[str, Tensor], old: str, new: str) -> None:
    # Every entry is inserted again to preserve the order.
    for name in list(state):
        value = state.pop(name)
        state[new + name.removeprefix(old) if name.startswith(old) else name] = value
