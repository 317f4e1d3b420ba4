"""Old names that still work and warn what to use instead."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that a name was replaced.

    Args:
        old: The name that was used.
        new: What to write instead.
        stacklevel: Which frame the warning points at; 3 is the caller of the calling function.
    """
    warnings.warn(
        f"{old} is deprecated and will be removed in realdeg 2.0: use {new}.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


def renamed_argument(old: str, new: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that accepts an argument's former name and warns."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            if old in kwargs:
                warn_renamed(f"{function.__name__}({old}=...)", f"{new}=...")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return called

    return decorate


def renamed_attributes(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that resolves its former names.

    Args:
        module: The module's ``__name__``.
        names: New names by old ones, each as ``"package.module:name"``.

    Returns:
        The function to assign to ``__getattr__``. It warns; unknown names raise AttributeError.

    Example:
        >>> lookup = renamed_attributes("realdeg", {"OldPath": "pathlib:Path"})
        >>> lookup("OldPath").__name__
        'Path'
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, new = names[name].partition(":")
        warn_renamed(f"{module}.{name}", f"{place}.{new}")
        return getattr(import_module(place), new)

    return find


def renamed_class(old: str, new: type[T]) -> type[T]:
    """Return a subclass under a former name, which files may still hold; building it warns."""

    def warn_and_build(self: Any, *args: Any, **kwargs: Any) -> None:
        warn_renamed(old, new.__name__)
        new.__init__(self, *args, **kwargs)  # type: ignore[misc]

    summary = f"Former name of :class:`{new.__name__}`."
    members = {"__init__": warn_and_build, "__doc__": summary, "__module__": new.__module__}
    return type(old, (new,), members)
