"""Turn errors of torch and mmengine while they build from a config into one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from types import TracebackType
from typing import Any

from realdeg.errors import ConfigError, RealdegError, first_line

_FOREIGN = ("torch", "mmengine", "mmcv", "numpy")


@contextmanager
def refusals(place: str) -> Iterator[None]:
    """Turn an error of torch or mmengine in the block into a ConfigError.

    An error inside realdeg or a third-party component keeps its traceback: it is not a mistake in
    the config.

    Args:
        place: The top-level key that is built, for the message.

    Raises:
        ConfigError: If the error comes from torch or mmengine.
    """
    try:
        yield
    except RealdegError:
        raise
    except Exception as error:
        if _raised_by(error.__traceback__).split(".")[0] not in _FOREIGN:
            raise
        kind = "a missing key, " if isinstance(error, KeyError) else ""
        raise ConfigError(
            f"'{place}' cannot be built: {kind}{first_line(error).rstrip('.')[:300]}."
        ) from error


def _raised_by(traceback: TracebackType | None) -> str:
    """Return the module of the innermost frame outside the standard library."""
    found = ""
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if name.split(".")[0] not in sys.stdlib_module_names:
            found = name
        traceback = traceback.tb_next
    return found


# Methods of the runner, and the keys of the config that they build from.
_BUILDERS = {
    "setup_env": "env_cfg",
    "set_randomness": "randomness",
    "build_log_processor": "log_processor",
    "build_visualizer": "visualizer",
    "build_optim_wrapper": "optim_wrapper",
    "build_param_scheduler": "param_scheduler",
    "build_train_loop": "train_cfg' or 'train_dataloader",
    "build_val_loop": "val_cfg', 'val_dataloader' or 'val_evaluator",
    "build_test_loop": "test_cfg', 'test_dataloader' or 'test_evaluator",
    "register_hooks": "default_hooks' or 'custom_hooks",
    "scale_lr": "auto_scale_lr",
}


def explain_build_errors(runner: type) -> type:
    """Wrap the build methods of a runner's class in :func:`refusals`; a decorator."""
    for name, place in _BUILDERS.items():
        setattr(runner, name, _refusing(getattr(runner, name), place))
    return runner


def _refusing(method: Callable[..., Any], place: str) -> Callable[..., Any]:
    @wraps(method)
    def refusing(*args: Any, **kwargs: Any) -> Any:
        with refusals(place):
            return method(*args, **kwargs)

    return refusing


def refuse_duplicates(metrics: Sequence[Any]) -> None:
    """Refuse metrics that give two values of one name, before anything is measured.

    Args:
        metrics: An evaluator's metrics; those with ``labels`` are compared.

    Raises:
        ConfigError: Naming the value.
    """
    seen = set()
    for metric in metrics:
        prefix = getattr(metric, "prefix", None)
        for name in getattr(metric, "labels", ()):
            full = f"{prefix}/{name}" if prefix else str(name)
            if full in seen:
                raise ConfigError(
                    f"two metrics of one evaluator measure '{full}': remove one, or give it its own"
                    " prefix."
                )
            seen.add(full)
