"""The contract of estimators of blur kernels from one image.

Kernels follow one convention. They are correlation kernels on the HR grid, (k, k), indexed (row,
column), with sum 1: an LR pixel is the sum of the kernel times a window of HR. With s HR pixels
per LR pixel, LR pixel i lies at HR coordinate ``s * i + (s - 1) / 2``, and its window starts at
``s * i + floor((s - k) / 2)``. So the centroid lies ``centre_rest(k, s)`` pixels below and to the
right of the window's middle: half a pixel where s and k differ in parity, else 0. These are the
kernels that ``cond`` of zero-shot methods and of non-blind networks takes, and those of pools.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from typing_extensions import Self

from realdeg.degradations.primitives.kernels import (
    SUM_TOLERANCE,
    centre_rest,
    centroid,
    pad_kernel,
    shift_kernel,
)
from realdeg.errors import CheckpointError, ConfigError, DataError, GeometryError
from realdeg.registry import ESTIMATORS
from realdeg.utils.arguments import CapturesArguments, arguments_of, check_arguments
from realdeg.utils.component import load_state, read_component
from realdeg.utils.construction import bounded_parts, within_budget
from realdeg.utils.files import names_a_file
from realdeg.utils.mmengine_internals import registered_names_only
from realdeg.utils.notebook import html_block, kernel_picture

Progress: TypeAlias = Callable[[int, int], object]
"""Called with the number of finished iterations and the largest number that may follow."""

CENTRE_TOLERANCE = 0.1  # HR pixels
_CENTRED = 0.05  # moving a kernel by part of a pixel widens it


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
        shares = self.weights.to(self.basis).mean((1, 2))
        return torch.einsum("n,nij->ij", shares, self.basis)

    def at(self, points: Sequence[tuple[int, int]]) -> Tensor:
        """Return the kernels at (row, column) of LR pixels, (P, k, k)."""
        rows, columns = ([point[axis] for point in points] for axis in (0, 1))
        shares = self.weights[:, rows, columns].to(self.basis)
        return torch.einsum("np,nij->pij", shares, self.basis)

    def grid(self, rows: int, columns: int) -> Tensor:
        """Return the mean kernels of equal regions, (rows, columns, k, k).

        Args:
            rows: Number of regions from top to bottom, at most h.
            columns: Number of regions from left to right, at most w.
        """
        shares = adaptive_avg_pool2d(self.weights.to(self.basis)[None], (rows, columns))[0]
        return torch.einsum("nrc,nij->rcij", shares, self.basis)

    def centred(self, scale: int) -> KernelField:
        """Shift all kernels alike, so that the centroid of the mean one lies on the LR pixel.

        Args:
            scale: HR pixels per LR pixel.

        Returns:
            The field in float64, its kernels wider where they were shifted.
        """
        mean, basis = self.mean().double(), self.basis.double()
        rest = centre_rest(len(mean), scale)
        row, column = centroid(mean)
        away = (rest - row, rest - column)
        if max(map(abs, away)) < _CENTRED:
            return KernelField(basis, self.weights)
        side = len(mean) + 2 * math.ceil(max(map(abs, away)))
        moved = [shift_kernel(pad_kernel(one, side), away) for one in basis]
        return KernelField(torch.stack(moved), self.weights)


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

    def __repr__(self) -> str:
        """Return size, noise and duration; the kernel itself is ``kernel``."""
        facts = ", ".join(f"{name} {value}" for name, value in self._facts().items() if value)
        return f"KernelEstimate({facts})"

    def _repr_html_(self) -> str:
        """Return the kernel, or those of a field at nine places, as pictures for a notebook."""
        shown = [kernel_picture(self.kernel, "kernel of the image")]
        if self.field is not None:
            side = [min(3, int(length)) for length in self.field.weights.shape[-2:]]
            grid = self.field.grid(side[0], side[1])
            shown += [
                kernel_picture(grid[row, column], f"region {row + 1}, {column + 1}")
                for row in range(side[0])
                for column in range(side[1])
            ]
        return html_block("KernelEstimate", self._facts(), pictures=shown, notes=self.notes)

    def _facts(self) -> dict[str, object]:
        return {
            "kernel": " x ".join(str(side) for side in self.kernel.shape),
            "field": "" if self.field is None else "one kernel for each pixel",
            "noise": "" if self.noise is None else f"{255 * self.noise:.2f} grey levels",
            "iterations": self.iterations or "",
            "seconds": f"{self.seconds:.1f}",
        }

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

    def mark_trained(self) -> Self:
        """Mark the weights, where it has some, as learned or loaded, and return it."""
        return self

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
        if scale < 1:
            raise GeometryError(f"{cls.__name__} is asked for scale {scale}: it must be 1 or more.")
        if cls.scales is not None and scale not in cls.scales:
            known = [str(one) for one in cls.scales]
            listed = " or ".join(filter(None, (", ".join(known[:-1]), known[-1])))
            raise GeometryError(f"{cls.__name__} estimates kernels of scale {listed}, got {scale}.")

    def prepare(self, scale: int) -> None:
        """Refuse, before the first image, what no image would change.

        A subclass extends it by what its files have to be.

        Args:
            scale: HR pixels per LR pixel.

        Raises:
            ConfigError: If a file is missing.
            GeometryError: If the estimator, or its file, lacks the scale.
        """
        self.check_scale(scale)

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


EstimatorLike: TypeAlias = Mapping[str, Any] | str | os.PathLike[str] | KernelEstimator
"""An estimator, its registered name, its config, or the path of a self-describing file."""


def estimator_from_config(cfg: EstimatorLike, **usual: Any) -> KernelEstimator:
    """Build an estimator.

    Args:
        cfg: A registered name in any case (``"kernelgan"``), ``dict(type=...)`` with constructor
            arguments, the path of a self-describing file or ``dict(checkpoint=path)``, or an
            estimator, which is returned unchanged.
        **usual: Arguments that hold where the config states none and the estimator takes them.

    Raises:
        ConfigError: If the name or an argument is unknown.
        CheckpointError: If the file is unreadable or holds no estimator.
    """
    if isinstance(cfg, KernelEstimator):
        return cfg
    path = _file_of(cfg)
    if path is not None:
        return _from_file(path)
    assert not isinstance(cfg, os.PathLike)
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
        cfg: A registered name in any case, ``dict(type=...)`` with constructor arguments, or a
            file as for :func:`estimator_from_config`.
        scale: The scale that it must have; None: any.
        place: Its key in the config, for messages.

    Returns:
        The estimator's class.

    Raises:
        ConfigError: If the name or an argument is unknown.
        GeometryError: If it lacks the scale.
    """
    path = _file_of(cfg)
    if path is not None:
        return type(_from_file(path))
    kind, settings = _named(cfg, place)
    check_arguments(kind, settings, place)
    if scale is not None:
        kind.check_scale(scale)
    return kind


def _file_of(cfg: Any) -> str | None:
    """Return the path of the file that a config names instead of a type, or None."""
    if isinstance(cfg, Mapping) and set(cfg) == {"checkpoint"}:
        return os.fspath(cfg["checkpoint"])
    named = isinstance(cfg, str | os.PathLike) and names_a_file(cfg)
    return os.fspath(cfg) if named else None


def _from_file(path: str) -> KernelEstimator:
    file = read_component(path)
    if file.kind != "estimator":
        raise CheckpointError(f"{path} holds a {file.kind} ({file.type}), wanted an estimator.")
    kind = ESTIMATORS.require(file.type, path)
    with within_budget(file.state, path, file.type):
        made = kind(**file.arguments)
    if not (isinstance(made, KernelEstimator) and isinstance(made, nn.Module)):
        raise CheckpointError(f"{path} holds a {file.type}, which is no estimator with weights.")
    load_state(made, file.state, path)
    made.eval().requires_grad_(False)
    return made.mark_trained()


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
