"""The processes of a run: torchrun's, from its environment variables, and a data loader's."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Any, Literal

from realdeg.errors import ConfigError, as_given

Launcher = Literal["none", "pytorch"]


def rank() -> int:
    """Return this process's rank, 0 without torchrun."""
    return _from_environment("RANK", 0)


def local_rank() -> int:
    """Return this process's rank among those of its machine, 0 without torchrun."""
    return _from_environment("LOCAL_RANK", 0)


def world_size(launcher: Launcher) -> int:
    """Return the number of processes.

    Args:
        launcher: ``"none"``, or ``"pytorch"`` under torchrun.

    Raises:
        ConfigError: If torchrun's variables are missing under ``"pytorch"``.
    """
    if launcher == "none":
        return 1
    missing = [name for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE") if name not in os.environ]
    if missing:
        raise ConfigError(
            f"{as_given(launcher=launcher)} needs torchrun ({', '.join(missing)} not set):"
            " torchrun --nproc-per-node 2 -m realdeg train CONFIG --launcher pytorch"
        )
    return _from_environment("WORLD_SIZE", 1)


def drop_worker_options(loader: MutableMapping[str, Any]) -> None:
    """Drop the options for worker processes from a data loader's config without workers.

    torch refuses them there.
    """
    if not loader.get("num_workers"):
        loader.pop("persistent_workers", None)
        loader.pop("prefetch_factor", None)


def _from_environment(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    return int(value) if value.isdigit() else default
