"""The contract of estimators of blur kernels from one image.

Kernels follow one convention. They are correlation kernels on the HR grid, (k, k), indexed (row,
column), with sum 1: an LR pixel is the sum of the kernel times a window of HR. With s HR pixels
per LR pixel, LR pixel i lies at HR coordinate ``s * i + (s - 1) / 2``, and its window starts at
``s * i + floor((s - k) / 2)``. So the centroid lies ``centre_rest(k, s)`` pixels below and to the
right of the window's middle: half a pixel where s and k differ in parity, else 0. These are the
kernels that ``cond`` of zero-shot methods and of non-blind networks takes, and those of pools.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor
from typing_extensions import Self

from realdeg.degradations.primitives.kernels import centre_rest, centroid
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.registry import ESTIMATORS
from realdeg.utils.arguments import CapturesArguments, arguments_of, check_arguments
from realdeg.utils.construction import bounded_parts
from realdeg.utils.mmengine_internals import registered_names_only

Progress: TypeAlias = Callable[[int, int], object]
"""Called with the number of finished iterations and the largest number that may follow."""

SUM_TOLERANCE = 1e-3
CENTRE_TOLERANCE = 0.1  # HR pixels


@dataclass(frozen=True)
class KernelField:
    """A kernel for each LR pixel: mixtures of a few basis kernels.

    Args:
        basis: Kernels of this module's convention, (N, k, k).
        weights: The share of each in the kernel of each LR pixel, (N, h, w), summing to 1.
    """

    basis: Tensor
    weights: Tensor

    def mean(self) -> Tensor:
        """Return the mean kernel of the image, (k, k)."""
        return torch.einsum("nhw,nij->ij", self.weights, self.basis) / self.weights[0].numel()


@dataclass(frozen=True)
class KernelEstimate:
    """What an estimator found.

    Args:
        kernel: The kernel of the image, (k, k), of this module's convention.
        field: A kernel for each pixel, from estimators of spatially variant blur; else None.
        noise: Standard deviation of the noise, white being 1; None: not estimated.
        seconds: Duration.
        iterations: Number of training steps; 0 without training.
        notes: What limits the trust in it, as sentences without capital and full stop.
    """

    kernel: Tensor
    field: KernelField | None = None
    noise: float | None = None
    seconds: float = 0.0
    iterations: int = 0
    notes: tuple[str, ...] = ()

    def check(self, scale: int, name: str) -> Self:
        """Return it, if its kernel is square, sums to 1 and is centred on the LR pixel.

        Args:
            scale: HR pixels per LR pixel.
            name: The estimator's name, for the message.

        Raises:
            DataError: If the kernel breaks the convention, as it may where training diverged.
        """
        kernel = self.kernel.detach().double()
        if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
            raise DataError(f"{name} gave a kernel of shape {tuple(kernel.shape)}, wanted (k, k).")
        total = float(kernel.sum())
        if not abs(total - 1) < SUM_TOLERANCE:  # NaN fails, too
            raise DataError(
                f"{name} gave a kernel with the sum {total:g}, wanted 1: the image may hold too"
                " little texture for it, or the training diverged."
            )
        rest = centre_rest(len(kernel), scale)
        row, column = centroid(kernel)
        if not max(abs(row - rest), abs(column - rest)) < CENTRE_TOLERANCE:
            raise DataError(
                f"{name} gave a kernel whose centroid lies ({row:.2f}, {column:.2f}) pixels from"
                f" the middle of its window, wanted ({rest:g}, {rest:g}) at scale {scale}."
            )
        return self


class KernelEstimator(CapturesArguments, ABC):
    """Estimates the blur kernel of one LR image.

    A subclass implements :meth:`estimate` and calls :meth:`check_image` first. It may be an
    ``nn.Module`` as well. Estimators are built from a name or a config by
    :func:`estimator_from_config`. Equal arguments, images and seeds give equal results on a CPU.

    Attributes:
        scales: The scales that it serves; None: any. An instance may serve fewer than its class.
        smallest: The smallest height and width in LR pixels.
        example_arguments: The arguments of :meth:`example`.
    """

    scales: tuple[int, ...] | None = None
    smallest: int = 1
    example_arguments: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def estimate(
        self, image: Tensor, scale: int, progress: Progress | None = None
    ) -> KernelEstimate:
        """Estimate the kernel of an image.

        Args:
            image: (1, 1 or 3, h, w) in [0, 1], Y or RGB.
            scale: HR pixels per LR pixel.
            progress: Called during training.

        Raises:
            GeometryError: If it lacks the scale, or the image is too small.
            DataError: If the image reveals no kernel.
        """

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance (``example_arguments``) for tests."""
        return cls(**cls.example_arguments)

    @classmethod
    def check_scale(cls, scale: int) -> None:
        """Refuse a scale that it lacks.

        Raises:
            GeometryError: Naming the scales that it has.
        """
        if cls.scales is not None and scale not in cls.scales:
            known = [str(one) for one in cls.scales]
            listed = " or ".join(filter(None, (", ".join(known[:-1]), known[-1])))
            raise GeometryError(f"{cls.__name__} estimates kernels of scale {listed}, got {scale}.")

    def check_image(self, image: Tensor, scale: int) -> None:
        """Refuse a scale that it lacks, and what is not one image of a sufficient size.

        Raises:
            GeometryError: Naming what was found.
        """
        name = type(self).__name__
        self.check_scale(scale)
        if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] not in (1, 3):
            raise GeometryError(
                f"{name} takes one image, (1, 1 or 3, h, w), got {tuple(image.shape)}."
            )
        height, width = (int(length) for length in image.shape[2:])
        if min(height, width) < self.smallest:
            raise GeometryError(
                f"{name} needs an image of {self.smallest} x {self.smallest} pixels or more, got"
                f" {height} x {width}: give it a larger part of the photo, or state the kernel."
            )


EstimatorLike: TypeAlias = Mapping[str, Any] | str | KernelEstimator
"""An estimator, its registered name, or its config."""


def estimator_from_config(cfg: EstimatorLike, **usual: Any) -> KernelEstimator:
    """Build an estimator.

    Args:
        cfg: A registered name in any case (``"kernelgan"``), ``dict(type=...)`` with constructor
            arguments, or an estimator, which is returned unchanged.
        **usual: Arguments that hold where the config states none and the estimator takes them.

    Raises:
        ConfigError: If the name or an argument is unknown.
    """
    if isinstance(cfg, KernelEstimator):
        return cfg
    kind, settings = _named(cfg, "")
    known = arguments_of(kind)
    settings = {**{name: usual[name] for name in usual if name in known}, **settings}
    with bounded_parts(kind.__name__), registered_names_only():
        made = kind(**settings)
    if not isinstance(made, KernelEstimator):
        raise ConfigError(f"{cfg!r:.80} built a {type(made).__name__}, not an estimator.")
    return made


def check_estimator(
    cfg: Mapping[str, Any] | str, scale: int | None, place: str
) -> type[KernelEstimator]:
    """Refuse an estimator's config that cannot be built, without building it.

    Args:
        cfg: A registered name in any case, or ``dict(type=...)`` with constructor arguments.
        scale: The scale that it must have; None: any.
        place: Its key in the config, for messages.

    Returns:
        The estimator's class.

    Raises:
        ConfigError: If the name or an argument is unknown.
        GeometryError: If it lacks the scale.
    """
    kind, settings = _named(cfg, place)
    check_arguments(kind, settings, place)
    if scale is not None:
        kind.check_scale(scale)
    return kind


def _named(cfg: Any, place: str) -> tuple[type[KernelEstimator], dict[str, Any]]:
    """Return the class and the arguments of a config."""
    if isinstance(cfg, str):
        cfg = {"type": cfg}
    if not isinstance(cfg, Mapping) or "type" not in cfg:
        raise ConfigError(
            f"an estimator of kernels is a name or a dict with a 'type', got {cfg!r:.80}."
        )
    settings = dict(cfg)
    name = settings.pop("type")
    if isinstance(name, str):
        alike = [known for known in ESTIMATORS.names() if known.lower() == name.lower()]
        name = alike[0] if alike else name
    return (name if callable(name) else ESTIMATORS.require(name, place)), settings
