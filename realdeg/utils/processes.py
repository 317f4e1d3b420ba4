"""The processes of a run, from torchrun's environment variables and without torch."""

from __future__ import annotations

import os
from typing import Literal

from realdeg.errors import ConfigError, as_given

Launcher = Literal["none", "pytorch"]


def rank() -> int:
    """Return this process's rank, 0 without torchrun."""
    return _from_environment("RANK", 0)


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


def _from_environment(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    return int(value) if value.isdigit() else default
