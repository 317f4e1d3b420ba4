"""The base of all contract classes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

from realdeg.registry import Registry


class ContractError(AssertionError):
    """A component does not keep a promise that the rest of realdeg relies on."""


class Contract:
    """The contract of one kind of component, as tests that pytest collects from a subclass.

    A subclass in a test file names the component; its name begins with ``Test``::

        class TestMotionBlur(DegradationContract):
            component = MotionBlur
            arguments = dict(max_length=5.0)  # optional

    For several components in one class, set both in a fixture with ``params`` and ``autouse``.
    """

    component: Any
    """The class under test."""

    arguments: Mapping[str, Any] = {}
    """Constructor arguments for the tests: choose small ones. Not ``scale`` or ``same_size``."""

    registry: ClassVar[Registry]
    page: ClassVar[str]

    def __init_subclass__(cls, page: str | None = None, **settings: Any) -> None:
        """Let failures of a contract's tests explain themselves; a user's own tests stay unchanged.

        Args:
            page: The page of the documentation that states the contract.
            **settings: For other base classes.
        """
        super().__init_subclass__(**settings)
        if page is None:
            return
        cls.page = page
        for name, test in list(vars(cls).items()):
            if name.startswith("test_"):
                setattr(cls, name, _explained(test))

    @property
    def config(self) -> dict[str, Any]:
        """The component's config: its registered name and the arguments."""
        return {"type": self.component.__name__, **self.arguments}

    def test_is_registered(self) -> None:
        """A component is registered under the name of its class, so that configs can name it."""
        name = self.component.__name__
        found = self.registry.get(name)
        assert found is self.component, f"registry '{self.registry.name}' has {found} as '{name}'"

    def test_is_documented(self) -> None:
        """A component has a docstring: `realdeg list` and the documentation show it."""
        assert (self.component.__doc__ or "").strip(), f"{self.component.__name__} has none"


def _explained(test: Callable[..., None]) -> Callable[..., None]:
    """Wrap a test of a contract so that its failure names the component, promise and page."""

    @functools.wraps(test)
    def run(self: Contract, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        if not hasattr(self, "component"):
            pytest.fail(f"{type(self).__name__} has no component: add 'component = YourClass'.")
        try:
            test(self, *args, **kwargs)
        except (Exception, pytest.fail.Exception) as error:
            promise = " ".join((test.__doc__ or "").split())
            raise ContractError(
                f"{self.component.__name__} breaks the contract: {promise}\n"
                f"Found: {type(error).__name__}: {error}\n"
                f"The contract is stated in {self.page}."
            ) from error

    return run
