"""What torchrun says of the processes of a run, read without torch."""

from __future__ import annotations

import os
from typing import Literal

from realdeg.errors import ConfigError

Launcher = Literal["none", "pytorch"]


def rank() -> int:
    """Return this process's rank; 0 where torchrun did not start it."""
    return _from_environment("RANK", 0)


def world_size(launcher: Launcher) -> int:
    """Return how many processes take part.

    Args:
        launcher: ``"none"``, or ``"pytorch"`` under torchrun.

    Returns:
        The number of processes.

    Raises:
        ConfigError: If torchrun's variables are missing under ``"pytorch"``.
    """
    if launcher == "none":
        return 1
    missing = [name for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE") if name not in os.environ]
    if missing:
        raise ConfigError(
            f"--launcher {launcher} needs torchrun ({', '.join(missing)} not set):"
            " torchrun --nproc-per-node 2 -m realdeg train CONFIG --launcher pytorch"
        )
    return _from_environment("WORLD_SIZE", 1)


def _from_environment(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    return int(value) if value.isdigit() else default
