"""Keep published keys where the contract uses the name for something else."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import partial
from typing import Any

from torch import Tensor, nn


def store_as(module: nn.Module, attribute: str, key: str) -> None:
    """Store a child under another name than its attribute, in both directions.

    A backbone's ``upsample`` says where it gains resolution, so a child cannot be called that;
    published weights call it so all the same.

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
    # Every entry is put back, so that the order stays the network's.
    for name in list(state):
        value = state.pop(name)
        state[new + name.removeprefix(old) if name.startswith(old) else name] = value
