"""Iterative back-projection: correct an image until its degradation gives the LR image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from typing_extensions import Self

from realdeg.degradations.base import Degradation, DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.utils.argument_types import Count, Positive
from realdeg.utils.arguments import Arguments, arguments_of
from realdeg.utils.component import component_hash, plain
from realdeg.utils.geometry import check_geometry

BackKernel = Literal["bicubic", "adjoint"]

# The size and number of trial traces that show whether a degradation draws.
_TRIAL = (3, 64, 64)
_TRIALS = 16
# Overshoots at edges stay far below this value; degradations refuse 16.
_DIVERGED = 8.0


class BackProjection:
    """Corrects a super-resolved image by the difference that its degradation has to the LR image.

    Each iteration computes ``sr + step * up(lr - degrade(sr))``. The image is neither clipped nor
    rounded in between: values below 0 and above 1 are part of the solution.

    Args:
        degradation: How the LR image came about, as for :func:`realdeg.create_degradation`. It
            must not draw: noise cannot be inverted, so give the blur and the reduction without it.
        iterations: The number of corrections.
        step: The length of a correction, relative to the full difference.
        kernel: How the difference is enlarged. ``"bicubic"``: by bicubic interpolation; on the HR
            grid it is added as it is. ``"adjoint"``: by the transposed degradation times the
            number of HR pixels per LR pixel, as gradient descent on the squared difference does.
        scale: The scale of the degradation; None: its own.
        same_size: Whether LR lies on the HR grid; None: as the degradation states.

    Raises:
        ConfigError: If an argument is out of range; if the degradation draws, is untrained, or is
            not differentiable and ``kernel`` is ``"adjoint"``.
        GeometryError: If the degradation has another scale or grid.

    Source:
        Irani, Peleg, Improving resolution by image registration, CVGIP 1991; Timofte, Rothe, Van
        Gool, Seven ways to improve example-based single image super resolution, CVPR 2016.

    Examples:
        >>> import torch
        >>> project = BackProjection("Bicubic", iterations=20, scale=2)
        >>> lr = torch.rand(1, 1, 6, 8)
        >>> sr = project(torch.zeros(1, 1, 12, 16), lr)
        >>> bool(project.difference(sr, lr) < 0.01)
        True
    """

    def __init__(
        self,
        degradation: DegradationLike,
        iterations: Count = 10,
        step: Positive = 1.0,
        kernel: BackKernel = "bicubic",
        scale: float | None = None,
        same_size: bool | None = None,
    ) -> None:
        given = {"iterations": iterations, "step": step, "kernel": kernel}
        _takes().check(given, "the back-projection")
        built = degradation_from_config(degradation, scale, same_size)
        name = type(built).__name__
        for part in built.modules():
            if isinstance(part, Degradation) and not part.is_trained:
                raise ConfigError(
                    f"the back-projection's degradation, {type(part).__name__}, is untrained: give"
                    " the degradation.safetensors that its training wrote."
                )
        if _draws(built):
            raise ConfigError(
                f"the back-projection's degradation, {built.describe()}, draws at random, and what"
                " is drawn cannot be inverted: give its fixed part, without noise and choices."
            )
        if kernel == "adjoint" and not built.differentiable:
            raise ConfigError(
                f"the back-projection's degradation, {name}, has no gradient: use"
                " kernel='bicubic', or another degradation."
            )
        self.degradation = built.eval().requires_grad_(False)
        self.iterations, self.step, self.kernel = iterations, float(step), kernel

    @classmethod
    def from_config(
        cls, cfg: Mapping[str, Any], place: str, scale: float, same_size: bool
    ) -> BackProjection:
        """Build it from a dict with the arguments of the class.

        Args:
            cfg: ``dict(degradation=..., iterations=10)``.
            place: Its key in the config, for messages.
            scale: The scale of the network.
            same_size: The grid of the network.

        Raises:
            ConfigError: Naming the place.
            GeometryError: If the degradation has another scale or grid.
        """
        takes = _takes()
        unknown = [name for name in cfg if name in ("scale", "same_size")]
        if unknown:
            raise ConfigError(f"'{place}.{unknown[0]}' is that of the network: remove it.")
        takes.check(cfg, "the back-projection", place)
        if "degradation" not in cfg:
            raise ConfigError(
                f"'{place}' needs a degradation: dict(degradation=dict(type='Bicubic'),"
                " iterations=10)."
            )
        if isinstance(cfg["degradation"], Mapping):  # its own scale would be replaced
            what = f"'{place}.degradation'"
            check_geometry(cfg["degradation"], scale, same_size, what)
        try:
            return cls(**cfg, scale=scale, same_size=same_size)
        except ConfigError as error:
            raise ConfigError(f"'{place}': {error}") from error

    def __call__(self, sr: Tensor, lr: Tensor) -> Tensor:
        """Correct an image.

        Args:
            sr: (B, C, H, W), about in [0, 1].
            lr: (B, C, h, w) in [0, 1], what it should be degraded to.

        Returns:
            (B, C, H, W), not clipped.

        Raises:
            DataError: If the corrections grow instead of falling.
            GeometryError: If the degradation of ``sr`` has not the size of ``lr``.
        """
        with torch.no_grad():
            for number in range(1, self.iterations + 1):
                sr = sr + self.step * self._correction(sr, lr)
                if not float(sr.abs().amax()) < _DIVERGED:
                    raise DataError(
                        f"the back-projection diverges: after {number} iterations the image has"
                        f" values beyond {_DIVERGED:g}, where white is 1. Take a smaller step than"
                        f" {self.step:g}, or kernel='adjoint' with one."
                    )
            return sr

    def difference(self, sr: Tensor, lr: Tensor) -> Tensor:
        """Return the root mean square of ``lr - degrade(sr)`` as a scalar.

        Args:
            sr: (B, C, H, W).
            lr: (B, C, h, w).
        """
        with torch.no_grad():
            return (lr - self._degraded(sr, lr)).square().mean().sqrt()

    @property
    def reach(self) -> int:
        """How many LR pixels around a pixel one iteration sees.

        Of a learned degradation only the kernel's window is counted, not its network.
        """
        border = self.degradation.border
        if self.kernel == "adjoint":
            return 2 * border
        return border + (2 if self.degradation.stride > 1 else 0)

    def to(self, device: torch.device) -> Self:
        """Move the degradation to a device, and return the object."""
        self.degradation.to(device)
        return self

    def check(self, name: str, scale: float, same_size: bool, colour: str) -> None:
        """Refuse a network that does not fit the degradation.

        Args:
            name: The network's name.
            scale: Its scale.
            same_size: Its grid.
            colour: ``"y"`` or ``"rgb"``.

        Raises:
            ConfigError: If the degradation needs colour and the network has none.
            GeometryError: If scale or grid differ.
        """
        own = self.degradation
        check_geometry(own, scale, same_size, f"the back-projection's {type(own).__name__}")
        if own.needs_rgb and colour != "rgb":
            raise ConfigError(
                f"the back-projection's degradation, {type(own).__name__}, needs colour, and {name}"
                " works on luma: use a network of RGB, or a degradation that takes luma."
            )

    def describe(self) -> str:
        """Return a short phrase for reports."""
        more = "" if self.step == 1 else f" of step {self.step:g}"
        more += "" if self.kernel == "bicubic" else f", {self.kernel}"
        name = type(self.degradation).__name__
        return f"back-projection ({name}, {self.iterations} iterations{more})"

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain data for a manifest."""
        own = self.degradation
        name = type(own).__name__
        return {
            "degradation": {
                "type": name,
                "hash": component_hash(name, _named(own.arguments), own.state_dict()),
            },
            "iterations": self.iterations,
            "step": self.step,
            "kernel": self.kernel,
        }

    def _degraded(self, sr: Tensor, lr: Tensor) -> Tensor:
        made = self.degradation(sr, [0] * sr.shape[0])
        if made.shape != lr.shape:
            raise GeometryError(
                f"{type(self.degradation).__name__} makes {tuple(made.shape)} of the network's"
                f" {tuple(sr.shape)}, and the LR image is {tuple(lr.shape)}: the scale of the"
                " back-projection's degradation is not that of this image."
            )
        return made

    def _correction(self, sr: Tensor, lr: Tensor) -> Tensor:
        """Return the enlarged difference to the LR image."""
        if self.kernel == "adjoint":
            with torch.enable_grad():
                image = sr.detach().requires_grad_()
                made = self._degraded(image, lr)
                difference = (lr - made).detach()
                (gradient,) = torch.autograd.grad(made, image, difference)
            return gradient * self.degradation.stride**2
        difference = lr - self._degraded(sr, lr)
        if difference.shape == sr.shape:
            return difference
        size = (int(sr.shape[-2]), int(sr.shape[-1]))
        return imresize(difference, size=size)


def _takes() -> Arguments:
    constructor: Any = BackProjection
    return arguments_of(constructor)


def _draws(degradation: Degradation) -> bool:
    """Return whether traces of different seeds differ."""
    side = math.lcm(_TRIAL[-1], max(1, int(degradation.stride)))
    size = (_TRIAL[0], side, side)
    traces = [degradation.sample_one(size, seed).to_dict() for seed in range(_TRIALS)]
    return any(trace != traces[0] for trace in traces)


def _named(value: Any) -> Any:
    """Replace degradation objects, which containers may have been given, by their hashes."""
    if isinstance(value, Degradation):
        return value.hash()
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item) for item in value]
    return plain(value)
