"""What a user tells a network of an image's degradation, as the code that it takes."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.apis.arrays import take_apart
from realdeg.apis.trace_conditions import TraceConditions
from realdeg.backbones.base import Backbone
from realdeg.backbones.blind import BlindBackbone
from realdeg.degradations.estimation import (
    EstimatorLike,
    KernelEstimate,
    KernelEstimator,
    KernelField,
    estimator_from_config,
    fit_gaussian,
    noise_level,
    representatives,
)
from realdeg.degradations.primitives.kernels import (
    centre_rest,
    centred,
    gaussian_kernel,
    pad_kernel,
)
from realdeg.errors import ConfigError, DataError, as_given
from realdeg.utils.component import plain
from realdeg.zero_shot.kernel_file import read_kernel

logger = logging.getLogger(__name__)

Auto = Literal["auto"]

_WIDEST = 10.0
_USUAL_SIDE = 15
_ANY_SIZE = (512, 512)  # of an image that no network finds too small
_MOST_KERNELS = 16  # of a field, besides its mean: explaining each by a Gaussian takes its time
_LOST = 0.02  # of a kernel, outside of the window that a network takes


@dataclass(frozen=True)
class Told:
    """What is stated of the degradation of images.

    Args:
        kernel_width: Standard deviation of a Gaussian blur in HR pixels, 0 (no blur) to 10;
            ``"auto"``: the Gaussian nearest to an estimated kernel.
        noise: Standard deviation of the noise in grey levels of 0 to 255; ``"auto"``: estimated by
            :func:`~realdeg.degradations.estimation.noise_level`.
        kernel: A file for :func:`~realdeg.zero_shot.kernel_file.read_kernel`, or ``"auto"``: an
            estimated kernel.
        trace: A file of traces, or the manifest of ``realdeg degrade``.
        estimator: The estimator of ``"auto"``: a name, a config or an object.
    """

    kernel_width: float | Auto | None = None
    noise: float | Auto | None = None
    kernel: str | os.PathLike[str] | None = None
    trace: str | os.PathLike[str] | None = None
    estimator: EstimatorLike = "KernelGAN"

    def stated(self) -> dict[str, Any]:
        """Return what is stated, by argument."""
        values = {
            "kernel_width": self.kernel_width,
            "noise": self.noise,
            "kernel": None if self.kernel is None else os.fspath(self.kernel),
            "trace": None if self.trace is None else os.fspath(self.trace),
        }
        return {name: value for name, value in values.items() if value is not None}


class ImageConditions(Protocol):
    """Makes ``cond`` for each image of a folder, as :class:`Teller` does."""

    def settings(self) -> dict[str, Any]:
        """Return what determines it, as plain data for a manifest."""

    def of(self, image: NDArray[Any], name: str) -> tuple[Tensor | None, dict[str, Any]]:
        """Return ``cond`` of an image with a name, and a record for the manifest."""


class Teller:
    """Makes ``cond`` of a network from what is stated of an image, or estimated.

    Args:
        backbone: The network.
        told: What is stated.

    Attributes:
        per_image: Whether ``cond`` differs from image to image.

    Raises:
        ConfigError: If the network is not told such a thing, a number is out of range, or two
            statements contradict each other.
        DataError: If a file holds no kernel or no traces.
        GeometryError: If the estimator lacks the scale, or the network does not take the kernel.
        CheckpointError: If the network's weights cannot encode kernels.
    """

    def __init__(self, backbone: Backbone, told: Told) -> None:
        self._backbone, self._told = backbone, told
        self._scale = 1 if backbone.same_size else int(backbone.scale)
        self._check()
        self._traces = None if told.trace is None else TraceConditions(told.trace)
        self._kernel = None
        self._said_mean = False
        if told.kernel is not None and told.kernel != "auto":
            # A code's kernels are those before bicubic reduction, around a pixel.
            grid = 1 if self._before_reduction else self._scale
            self._kernel = read_kernel(told.kernel, grid)
        self._estimator: KernelEstimator | None = None
        if "auto" in (told.kernel, told.kernel_width):
            self._estimator = estimator_from_config(told.estimator)
            self._estimator.prepare(self._scale)
        self.per_image = self._traces is not None or "auto" in told.stated().values()
        self._constant = None if self.per_image else self._cond(self._conditions(), {})
        if self._constant is not None:
            self._check_constant(self._constant)

    @property
    def constant(self) -> Tensor | None:
        """``cond`` of every image, None if nothing is stated or it differs between images."""
        return self._constant

    def settings(self) -> dict[str, Any]:
        """Return what determines ``cond``, as plain data for a manifest."""
        stated = self._told.stated()
        if self._estimator is not None:
            name = type(self._estimator).__name__
            stated["estimator"] = {"type": name, **plain(self._estimator.arguments)}
        return stated

    def of(self, image: NDArray[Any], name: str) -> tuple[Tensor | None, dict[str, Any]]:
        """Return ``cond`` of an image, and a record of what was told.

        Args:
            image: H x W or H x W x C, as for :class:`~realdeg.SuperResolver`.
            name: Its name, by which a trace is found.

        Raises:
            DataError: If the image reveals no kernel or noise, or has no trace.
            GeometryError: If the image is too small for the estimator, or the network does not
                take the kernel.
        """
        if not self.per_image:
            return self._constant, {}
        record: dict[str, Any] = {}
        if self._traces is not None:
            conditions = self._of_trace(name)
        else:
            conditions = self._conditions(take_apart(image).rgb, record)
        field = conditions.pop("field", None)
        if field is not None:
            return self._map(field, conditions, record), record
        return self._cond(conditions, record), record

    @property
    def _coded(self) -> bool:
        return type(self._backbone).condition_of is not Backbone.condition_of

    @property
    def _before_reduction(self) -> bool:
        return self._coded and not self._backbone.told_reduction

    def _check(self) -> None:
        told, stated, name = self._told, self._told.stated(), type(self._backbone).__name__
        if not stated:
            return
        if not (self._coded or self._backbone.takes_kernel):
            why = "SRMD and USRNet are told blur and noise"
            if isinstance(self._backbone, BlindBackbone):
                why = "it finds the kernel itself"
            raise ConfigError(
                f"{name} is not told the degradation of an image: leave out {as_given(**stated)}"
                f" ({why})."
            )
        limits = {"kernel_width": _WIDEST, "noise": 255.0}
        for key, limit in limits.items():
            value = stated.get(key)
            if value is None or value == "auto":
                continue
            if not (math.isfinite(value) and 0 <= value <= limit):
                raise ConfigError(f"{as_given(**{key: value})}: it lies between 0 and {limit:g}.")
        if len(stated) > 1 and (told.trace is not None or "noise" not in stated):
            raise ConfigError(f"{as_given(**stated)} state the same thing: leave out all but one.")
        if told.noise and not self._coded:
            raise ConfigError(
                f"{name} is told the kernel alone: leave out {as_given(noise=told.noise)}, and give"
                " the noise as its argument, backbone.noise, where it has one."
            )
        if told.noise and not getattr(self._backbone, "noise", True) and self._before_reduction:
            raise ConfigError(
                f"these {name} weights are of noise-free LR and are not told noise: leave out"
                f" {as_given(noise=told.noise)}, or use weights of noisy LR."
            )

    def _check_constant(self, cond: Tensor) -> None:
        """Refuse at once what the network would refuse for every image."""
        backbone = self._backbone
        backbone.check_input(torch.zeros(()).expand(1, backbone.channels, *_ANY_SIZE), cond=cond)

    def _conditions(
        self, image: Tensor | None = None, record: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what is stated or estimated, as ``Degradation.condition`` would."""
        told, record = self._told, {} if record is None else record
        found: dict[str, Any] = {}
        if told.noise == "auto":
            assert image is not None
            found["noise_level"] = noise_level(image)
            record["noise"] = round(255 * found["noise_level"], 3)
        elif told.noise is not None:
            found["noise_level"] = told.noise / 255
        key = "kernel" if self._before_reduction else "reduction"
        if self._estimator is not None:
            assert image is not None
            estimate = self._estimator.estimate(image, self._scale)
            found[key] = self._estimated(estimate, record)
            if estimate.field is not None and self._tells_fields():
                found["field"] = estimate.field
        elif self._kernel is not None:
            found[key] = self._kernel
        elif told.kernel_width:
            assert not isinstance(told.kernel_width, str)
            found[key] = self._gaussian(told.kernel_width)
        return found

    def _estimated(self, found: KernelEstimate, record: dict[str, Any]) -> Tensor:
        record["estimator"] = type(self._estimator).__name__
        record["seconds"] = round(found.seconds, 1)
        if found.notes:
            record["notes"] = list(found.notes)
            for note in found.notes:
                logger.warning("%s: %s", record["estimator"], note)
        return self._as_told(found.kernel, record)

    def _as_told(self, kernel: Tensor, record: dict[str, Any]) -> Tensor:
        """Return the kernel of a whole reduction as this network is told it."""
        width_alone = self._told.kernel_width == "auto"
        if not (width_alone or self._before_reduction):
            return kernel
        fitted = fit_gaussian(kernel, self._scale, isotropic=width_alone)
        record["sigma"] = [round(fitted.sigma_x, 3), round(fitted.sigma_y, 3)]
        record["angle"] = round(fitted.angle, 3)
        if self._before_reduction:
            return fitted.kernel(int(getattr(self._backbone, "kernel_size", _USUAL_SIDE)))
        return self._gaussian(fitted.sigma_x)

    def _tells_fields(self) -> bool:
        if not self._backbone.takes_map and not self._said_mean:
            name = type(self._backbone).__name__
            logger.info("%s is told one kernel for an image: the mean of its field", name)
            self._said_mean = True
        return self._backbone.takes_map

    def _map(
        self, field: KernelField, conditions: Mapping[str, Any], record: dict[str, Any]
    ) -> Tensor:
        """Return a map of codes, (1, K, h, w): each pixel is told of its representative kernel."""
        found = representatives(field, _MOST_KERNELS)
        key = "kernel" if self._before_reduction else "reduction"
        codes = []
        for kernel in found.kernels:
            code = self._cond({**conditions, key: self._as_told(kernel, {})}, {})
            assert code is not None
            codes.append(code[0])
        record["kernels"] = len(codes)
        record["kernel_distance"] = round(found.distance, 4)
        return torch.stack(codes)[found.nearest].permute(2, 0, 1)[None].contiguous()

    def _gaussian(self, width: float) -> Tensor:
        if self._before_reduction:
            side = int(getattr(self._backbone, "kernel_size", _USUAL_SIDE))
            return gaussian_kernel(side, width)
        side = max(_USUAL_SIDE, 2 * math.ceil(3 * width) + 1)
        rest = centre_rest(side, self._scale)
        return gaussian_kernel(side, max(width, 0.3), centre=(rest, rest))

    def _of_trace(self, name: str) -> dict[str, Any]:
        assert self._traces is not None
        found = self._traces.of(name)
        if self._before_reduction or "reduction" in found:
            return found
        if "kernel" not in found:
            raise DataError(
                f"the trace of {name} does not state the kernel of the whole reduction, which"
                f" {type(self._backbone).__name__} is told."
            )
        return found | {"reduction": centred(found["kernel"], self._scale)}

    def _cond(self, conditions: dict[str, Any], record: dict[str, Any]) -> Tensor | None:
        if not self._told.stated():
            return None
        backbone = self._backbone
        if self._coded:
            if self._before_reduction and conditions.get("kernel") is not None:
                side = int(getattr(backbone, "kernel_size", _USUAL_SIDE))
                conditions = conditions | {"kernel": _within(conditions["kernel"], side, backbone)}
            code = backbone.condition_of(conditions)
            return None if code is None else code[None]
        kernel = conditions.get("reduction")
        return None if kernel is None else backbone.cond_of_kernel(kernel)


def _within(kernel: Tensor, side: int, backbone: Backbone) -> Tensor:
    """Cut a kernel to an odd window of at most ``side`` pixels around its middle."""
    size = int(kernel.shape[-1])
    if size % 2 == 0:
        size += 1
        kernel = centred(pad_kernel(kernel, size), 1)
        size = int(kernel.shape[-1])
    if size <= side:
        return kernel
    cut = (size - side) // 2
    inner = kernel[cut : cut + side, cut : cut + side]
    lost = float(kernel.abs().sum() - inner.abs().sum())
    if lost > _LOST:
        raise DataError(
            f"the kernel is {size} x {size} pixels, and {type(backbone).__name__} takes at most"
            f" {side} x {side}, outside of which {lost:.0%} of it lie: it is too wide for these"
            " weights."
        )
    return inner / inner.sum()
