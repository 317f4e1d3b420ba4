"""``log_to``: which experiment trackers a run logs to."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal, TypeAlias, get_args

from realdeg.errors import ConfigError

Tracker: TypeAlias = Literal["tensorboard", "wandb", "mlflow", "trackio"]
"""Its name is that of its package and of the extra that installs it."""

TRACKERS: tuple[str, ...] = get_args(Tracker)


def trackers(log_to: Any) -> list[str]:
    """Return the names that ``log_to`` gives: one, several or none.

    Args:
        log_to: A name, a list of names, or None.
    """
    if log_to is None:
        return []
    return [log_to] if isinstance(log_to, str) else list(dict.fromkeys(log_to))


def check_trackers(log_to: Any) -> None:
    """Refuse trackers whose package is not installed.

    Args:
        log_to: As for :func:`trackers`.

    Raises:
        ConfigError: Naming the package and its extra.
    """
    for name in trackers(log_to):
        if find_spec(name) is None:
            raise ConfigError(
                f"log_to names {name}, and its package is not installed:"
                f" pip install 'realdeg[{name}]', or leave out log_to."
            )
