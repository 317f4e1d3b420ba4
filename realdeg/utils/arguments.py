"""Keep the arguments that an object was made with, so that its weights can describe it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Component:
    """Marks an argument that takes a component of a registry, or its config.

    ``Annotated[Degradation | Mapping[str, Any] | str, Component("degradation")]``: whoever reads
    configs then knows which names may stand there.

    Attributes:
        registry: The registry's name: ``"degradation"``, ``"backbone"``, ``"loss"``, ...
    """

    registry: str


def capture_arguments(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap ``__init__`` so that ``self.arguments`` holds every argument, defaults included.

    The outermost class of a hierarchy wins: a subclass's own arguments are what rebuilds it.

    Args:
        init: The ``__init__`` to wrap.

    Returns:
        The wrapped ``__init__``.
    """
    if getattr(init, "_captures_arguments", False):
        return init
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        outermost = not hasattr(self, "_captured_arguments")
        if outermost:
            # Bypasses nn.Module.__setattr__, which needs Module.__init__ to have run.
            object.__setattr__(self, "_captured_arguments", None)
            try:
                bound = signature.bind(self, *args, **kwargs)
            except TypeError:
                object.__delattr__(self, "_captured_arguments")
                init(self, *args, **kwargs)  # raises Python's own, more precise message
                raise
            bound.apply_defaults()
            captured = dict(list(bound.arguments.items())[1:])
            for name, parameter in signature.parameters.items():
                if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                    captured.update(captured.pop(name, {}))
        init(self, *args, **kwargs)
        if outermost:
            object.__setattr__(self, "_captured_arguments", captured)

    wrapped._captures_arguments = True  # type: ignore[attr-defined]
    return wrapped


class CapturesArguments:
    """Mix-in: ``arguments`` is the dict that rebuilds the object from its class."""

    _captured_arguments: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the ``__init__`` of every subclass that defines one."""
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = capture_arguments(cls.__init__)  # type: ignore[method-assign]

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, defaults included."""
        return dict(self._captured_arguments)
