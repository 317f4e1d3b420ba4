"""Where a method that imitates the camera takes its kernel from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from torch import Tensor

from realdeg.degradations.estimation import (
    KernelEstimator,
    check_estimator,
    estimator_from_config,
)
from realdeg.degradations.primitives.kernels import centred
from realdeg.errors import ConfigError
from realdeg.utils.argument_types import Component
from realdeg.zero_shot.kernel_file import read_kernel
from realdeg.zero_shot.reductions import recorded_kernel

logger = logging.getLogger(__name__)

KernelLike: TypeAlias = Annotated[Mapping[str, Any] | str, Component("estimator", optional=True)]
"""A kernel's record, ``dict(file=...)``, or an estimator's name or config."""


class KernelSource:
    """The ``kernel`` argument of a method.

    Args:
        given: A kernel's record, as for
            :func:`~realdeg.degradations.primitives.kernels.make_kernel`; ``dict(file=path)``, read
            by :func:`~realdeg.zero_shot.kernel_file.read_kernel`; the name of an estimator of
            kernels, or its config; None: no kernel.
        scale: HR pixels per LR pixel.
        owner: The method's name, for messages.
        **usual: Arguments of an estimator that its config does not state, such as the seed.

    Attributes:
        estimator: The estimator, or None.
        smallest: The smallest image that the estimator takes.

    Raises:
        ConfigError: If a field or a name is unknown.
        DataError: If a file holds no kernel.
        GeometryError: If the estimator lacks the scale.
    """

    def __init__(self, given: KernelLike | None, scale: int, owner: str, **usual: Any) -> None:
        self.scale, self._owner = scale, owner
        self.estimator: KernelEstimator | None = None
        self._fixed: Tensor | None = None
        if given is None:
            return
        if names_an_estimator(given):
            check_estimator(given, scale, f"kernel of {owner}")
            self.estimator = estimator_from_config(given, **usual)
            return
        assert isinstance(given, Mapping)
        read = _from_file if "file" in given else recorded_kernel
        self._fixed = read(given, scale, f"kernel of {owner}")

    @property
    def smallest(self) -> int:
        """The smallest height and width of an image that a kernel is found for."""
        return 1 if self.estimator is None else self.estimator.smallest

    def kernel_of(self, image: Tensor, given: Tensor | None = None) -> Tensor | None:
        """Return the kernel of an image, (k, k) in float64 and centred, or None.

        Args:
            image: (1, C, h, w) in [0, 1].
            given: The kernel of the call, which comes first.
        """
        if given is not None:
            return centred(given, self.scale)
        if self.estimator is None:
            return self._fixed
        name = type(self.estimator).__name__
        logger.info("%s: %s estimates the kernel", self._owner, name)
        found = self.estimator.estimate(image, self.scale)
        for note in found.notes:
            logger.warning("%s: %s", name, note)
        return centred(found.kernel, self.scale)


def names_an_estimator(given: Any) -> bool:
    """Return whether a ``kernel`` argument is an estimator's name or config."""
    return isinstance(given, str) or "type" in given


def check_kernel_source(given: Any, scale: Any, place: str) -> None:
    """Refuse, before anything is built, what :class:`KernelSource` would refuse.

    Files are not read: they may be made later.

    Args:
        given: The argument.
        scale: The method's scale, if it is known.
        place: The argument's key in the config.
    """
    if given is not None and names_an_estimator(given):
        check_estimator(given, scale if isinstance(scale, int) else None, place)


def _from_file(given: Mapping[str, Any], scale: int, place: str) -> Tensor:
    if set(given) != {"file"} or not isinstance(given["file"], str):
        raise ConfigError(f"{place}: a kernel of a file is dict(file='path'), got {given!r:.200}.")
    return read_kernel(given["file"], scale)
