"""The gate of every component's constructor.

A constructor's annotations state what it takes: types, limits, choices, components. Every class in
a registry is checked against them, once per construction, whether it is built in Python or from a
config, a file of weights or a trace. A constructor itself checks only what relates several
arguments or depends on files and devices. :mod:`.argument_types` has the names to annotate with.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast
from weakref import WeakSet

from realdeg.errors import ConfigError, GeometryError, nearest
from realdeg.utils.annotations import choices_of, evaluated, marks_of, mismatch, wrong_item
from realdeg.utils.argument_types import Component, Geometry
from realdeg.utils.notebook import arguments_in_short

_FOREIGN = ("torch", "mmengine", "mmcv", "numpy", "builtins")


@dataclass(frozen=True)
class Arguments:
    """The named arguments of a class or function."""

    parameters: Mapping[str, inspect.Parameter]
    """Every argument that has a name, the class's own first, with evaluated annotations."""
    required: tuple[str, ...]
    """Those of the class's own signature that have no default."""
    open: bool
    """Whether other arguments may be accepted as well."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names, the class's own first."""
        return tuple(self.parameters)

    def __contains__(self, name: str) -> bool:
        return name in self.parameters

    def mismatch(self, name: str, value: Any) -> str | None:
        """Phrase how a value contradicts an argument's annotation, or return None.

        An argument's default always fits.
        """
        found = self.parameters.get(name)
        if found is None or value is found.default or _same(value, found.default):
            return None
        return mismatch(value, found.annotation)

    def check(
        self, settings: Mapping[str, Any], owner: str, place: str = "", also: Collection[str] = ()
    ) -> None:
        """Refuse an unknown name, or a value that contradicts its annotation.

        Args:
            settings: Values by argument.
            owner: The name of the class or function.
            place: Its key in the config, for the message.
            also: Other names to accept, which the caller handles.

        Raises:
            ConfigError: Naming the first unknown argument and the nearest known one, or the wrong
                value and what is expected.
            GeometryError: The same for a value whose annotation has :class:`Geometry`.
        """
        for name, value in settings.items():
            if name in also:
                continue
            if name not in self:
                if self.open:
                    continue
                at = f" (at '{place}.{name}')" if place else ""
                raise ConfigError(
                    f"{owner} takes no argument '{name}'{at}.{nearest(str(name), self.names)}"
                    f" It takes: {', '.join(self.names) or 'none'}."
                )
            wrong = self.mismatch(name, value)
            if wrong:
                wanted = self.parameters[name].annotation
                inside, wrong = wrong_item(value, wanted) or (None, wrong)
                full = name if inside is None else f"{name}.{inside}"
                subject = f"'{place}.{full}'" if place else f"{owner}: {full}"
                geometry = any(isinstance(mark, Geometry) for mark in marks_of(wanted))
                advice = nearest(value, choices_of(wanted)) if isinstance(value, str) else ""
                raise (GeometryError if geometry else ConfigError)(f"{subject} {wrong}.{advice}")


def _same(value: Any, default: Any) -> bool:
    """Compare floats: a default may be infinite."""
    return type(value) is type(default) is float and bool(value == default)


@functools.lru_cache(maxsize=1024)
def arguments_of(component: Any) -> Arguments:
    """Return the arguments that a registered class or function takes.

    A ``**kwargs`` is followed into the base classes in Python's resolution order. The result is
    ``open`` for functions and for torch's and mmengine's classes with ``**kwargs``.
    """
    if inspect.isclass(component):
        return _arguments([base for base in component.__mro__ if "__init__" in vars(base)][:-1])
    try:
        named, more = _named(component)
    except (TypeError, ValueError):  # a builtin without a signature
        return Arguments({}, (), open=True)
    return Arguments({item.name: item for item in named}, _without_default(named), more)


def _arguments(bases: list[type]) -> Arguments:
    """Return what the first class's constructor takes; its **kwargs go to the others."""
    found: dict[str, inspect.Parameter] = {}
    required: tuple[str, ...] = ()
    for base in bases:
        try:
            named, more = _named(vars(base)["__init__"])
        except (TypeError, ValueError):
            return Arguments(found, required, open=True)
        named = named[1:] if named and named[0].name == "self" else named
        required = required if base is not bases[0] else _without_default(named)
        for item in named:
            found.setdefault(item.name, item)
        if not more:
            break
        if base.__name__ == "Module" and base.__module__.startswith("torch."):
            break  # it accepts **kwargs only to refuse them
        if _is_foreign(base) and base is bases[-1]:
            return Arguments(found, required, open=True)
    return Arguments(found, required, open=False)


def _named(function: Any) -> tuple[list[inspect.Parameter], bool]:
    """Return the named parameters, annotations evaluated, and whether ``**kwargs`` follows them."""
    parameters = list(inspect.signature(function).parameters.values())
    named = [
        item.replace(annotation=evaluated(item.annotation, function))
        for item in parameters
        if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    ]
    return named, any(item.kind is item.VAR_KEYWORD for item in parameters)


def _without_default(parameters: list[inspect.Parameter]) -> tuple[str, ...]:
    return tuple(
        item.name
        for item in parameters
        if item.default is item.empty and item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
    )


def _is_foreign(component: Any) -> bool:
    return str(getattr(component, "__module__", "")).split(".")[0] in _FOREIGN


def check_arguments(
    component: Any, settings: Mapping[str, Any], place: str = "", also: Collection[str] = ()
) -> None:
    """Check a component's config as :meth:`Arguments.check` does.

    Args:
        component: A registered class or function.
        settings: Its config; ``type`` and keys that begin with an underscore are not arguments.
        place: Its key in the config, for the message.
        also: Other keys to accept, which the caller handles.
    """
    own = {
        key: value
        for key, value in settings.items()
        if key != "type" and not str(key).startswith("_")
    }
    arguments_of(component).check(own, getattr(component, "__name__", str(component)), place, also)


def component_mark(component: Any, argument: str) -> Component | None:
    """Return which components an argument takes, one or a list of them.

    None if the annotation does not mark the argument as a :class:`Component`.
    """
    found = arguments_of(component).parameters.get(argument)
    marks = () if found is None else marks_of(found.annotation)
    return next((mark for mark in marks if isinstance(mark, Component)), None)


T = TypeVar("T")
# The constructors that check. Not marked by an attribute, which a decorator would copy.
_gates: WeakSet[Callable[..., None]] = WeakSet()


def check_constructor(cls: type[T]) -> type[T]:
    """Have a class check its constructor's arguments against their annotations.

    Registries call it; it is a decorator for other classes. The class is changed in place unless
    it inherits a constructor that checks. A class of torch or mmengine is left alone; the registry
    checks its configs.
    """
    if not _is_foreign(cls) and not is_checked(cls):
        cls.__init__ = _checking(cls.__init__)  # type: ignore[method-assign]
        _gate_of.cache_clear()
    return cls


def is_checked(component: Any) -> bool:
    """Return whether a component is a class that checks its own construction."""
    return inspect.isclass(component) and component.__init__ in _gates


def _checking(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap an ``__init__`` so that the outermost one checks and keeps its arguments."""
    signature = inspect.signature(_no_constructor if init is object.__init__ else init)

    @functools.wraps(init)
    def wrapped(self: Any, /, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        gate, known = _gate_of(cast(Hashable, cls))
        bound = _bind(cls.__name__, known, signature, (self, *args), kwargs)
        if gate is not wrapped:  # called by a subclass, which was checked
            init(self, *args, **kwargs)
            return
        given = _flat(bound, signature)
        own = {name: given[name] for name in given if name in known or name in kwargs}
        known.check(own, cls.__name__)
        bound.apply_defaults()
        init(self, *args, **kwargs)
        if isinstance(self, CapturesArguments):
            # Bypasses nn.Module.__setattr__, which looks for parameters.
            object.__setattr__(self, "_captured_arguments", _flat(bound, signature))

    wrapped.__signature__ = signature  # type: ignore[attr-defined]
    _gates.add(wrapped)
    return wrapped


def _no_constructor(self: Any) -> None:
    """Have the signature of a class without a constructor."""


@functools.lru_cache(maxsize=1024)
def _gate_of(cls: type) -> tuple[Any, Arguments]:
    """Return the outermost checking constructor of a class, and what it takes."""
    bases = [base for base in cls.__mro__ if "__init__" in vars(base)][:-1]
    while bases and vars(bases[0])["__init__"] not in _gates:
        del bases[0]
    return (vars(bases[0])["__init__"] if bases else None), _arguments(bases)


def _bind(
    owner: str,
    known: Arguments,
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> inspect.BoundArguments:
    """Bind a call, of a constructor or of a base class's behind its ``**kwargs``."""
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        known.check(kwargs, owner)  # names the nearest argument to an unknown one
        required = _without_default(list(signature.parameters.values())[1:])
        missing = [name for name in required if name not in kwargs]
        reason = f" needs {', '.join(missing)}" if len(args) == 1 and missing else f": {error}"
        raise ConfigError(f"{owner}{reason}.") from None


def _flat(bound: inspect.BoundArguments, signature: inspect.Signature) -> dict[str, Any]:
    """Return a call's arguments by name, without ``self``."""
    found = dict(list(bound.arguments.items())[1:])
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            found.update(found.pop(name, {}))
    return found


class CapturesArguments:
    """Mix-in: ``arguments`` is the dict that rebuilds the object from its class."""

    later_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments that the class gained after files of it existed. They are left out of
    ``arguments`` at their default, so that hashes, files and traces stay what they were."""

    _captured_arguments: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the ``__init__`` of every subclass that defines one."""
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            check_constructor(cls)

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, defaults included but for :attr:`later_arguments`."""
        found = dict(self._captured_arguments)
        for name in self.later_arguments:
            default = arguments_of(cast(Hashable, type(self))).parameters[name].default
            if name in found and found[name] == default:
                del found[name]
        return found

    def extra_repr(self) -> str:
        """Return the arguments for the ``repr`` of a module."""
        return arguments_in_short(getattr(self, "_captured_arguments", {}))
