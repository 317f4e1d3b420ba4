"""Errors that a user can fix.

Each carries one clear sentence: the thing, the place, what was found and what to do. The command
line prints that sentence and exits with ``exit_code``. Anything else is a bug and keeps its
traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# Whether a command is running, whose user knows flags and no arguments of functions.
_in_command = False
# The flags that are not called like the argument.
_FLAGS = {"count": "-n", "grid": "--set", "options": "--cfg-options", "reports": "--report"}


class RealdegError(Exception):
    """Base of every error that a user can fix."""

    exit_code: int = 2


class ConfigError(RealdegError):
    """A config has an unknown key or type, or settings that contradict each other."""


class GeometryError(RealdegError):
    """Scale or grid (``same_size``) of data, degradation and backbone differ.

    Args:
        message: The sentence.
        fits: The ``(scale, same_size)`` that would fit, if known; its recipe is then suggested.
    """

    def __init__(self, message: str, fits: tuple[float, bool] | None = None) -> None:
        super().__init__(message)
        self.fits = fits


class DataError(RealdegError):
    """Images are missing, unreadable, unpaired or of the wrong size."""


class CheckpointError(RealdegError):
    """A file of weights is unreadable, unsafe or of another architecture."""


class OutputError(RealdegError):
    """A result cannot be written to the requested path."""


class MemoryShortageError(RealdegError):
    """The machine or the device has too little memory."""


class TrainingError(RealdegError):
    """Training cannot continue, for instance because a loss is no longer finite."""


class LostProcessError(TrainingError):
    """Another process of the same run has failed."""


def nearest(name: str, known: list[str] | tuple[str, ...] | set[str]) -> str:
    """Return ``" Did you mean 'a' or 'b'?"`` with the closest known names, or an empty string."""
    import difflib

    folded = {candidate.lower(): candidate for candidate in sorted(known)}
    close = difflib.get_close_matches(name.lower(), list(folded), n=2, cutoff=0.5)
    if not close:
        return ""
    return " Did you mean " + " or ".join(f"'{folded[item]}'" for item in close) + "?"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or else its type."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


@contextmanager
def flags_in_messages() -> Iterator[None]:
    """Let messages name the flags of the command instead of the arguments of the function."""
    global _in_command
    before, _in_command = _in_command, True
    try:
        yield
    finally:
        _in_command = before


def argument_name(name: str) -> str:
    """Return what the user calls an argument of a public function: ``work_dir`` or ``--work-dir``.

    Args:
        name: The argument in Python.
    """
    return _FLAGS.get(name, f"--{name.replace('_', '-')}") if _in_command else name


def as_given(**arguments: object) -> str:
    """Return arguments as the user gives them: ``overwrite=True`` or ``--overwrite``.

    Args:
        **arguments: Values by the argument in Python; a tuple holds words to be shown as they are.
    """
    if not _in_command:
        return ", ".join(
            f"{name}=({', '.join(value)})" if isinstance(value, tuple) else f"{name}={value!r}"
            for name, value in arguments.items()
        )
    words = []
    for name, value in arguments.items():
        flag = argument_name(name)
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            words += [flag, *(value if isinstance(value, tuple) else (str(value),))]
    return " ".join(words)
