"""What torch and mmengine say of a config that they cannot build, as one sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from realdeg.errors import ConfigError, RealdegError, first_line

_FOREIGN = ("torch", "mmengine", "mmcv", "numpy")


@contextmanager
def refusals(place: str) -> Iterator[None]:
    """Turn what torch or mmengine raise while they build from a config into a sentence.

    Their classes check arguments when they use them. An error inside realdeg or in somebody's own
    component keeps its traceback: it is no mistake of the config's.

    Args:
        place: The top-level key that is built, for the message.

    Raises:
        ConfigError: If the error comes out of torch or mmengine.
    """
    try:
        yield
    except RealdegError:
        raise
    except Exception as error:
        if _raised_by(error.__traceback__).split(".")[0] not in _FOREIGN:
            raise
        raise ConfigError(
            f"'{place}' cannot be built: {type(error).__name__}: {first_line(error).rstrip('.')}."
        ) from error


def _raised_by(traceback: TracebackType | None) -> str:
    """Return the module of the innermost frame that is not the standard library's."""
    found = ""
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if name.split(".")[0] not in sys.stdlib_module_names:
            found = name
        traceback = traceback.tb_next
    return found
