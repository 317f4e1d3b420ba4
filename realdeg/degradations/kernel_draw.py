"""Families of blur kernels: what may be drawn, and the record of a drawn kernel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.primitives.kernels import make_kernel
from realdeg.errors import ConfigError
from realdeg.utils.streams import stream_seed

KernelSpec = Mapping[str, Any]
"""A kernel's ``shape`` and ``size`` and the arguments of that shape, as in
:func:`~realdeg.degradations.primitives.kernels.make_kernel`. A number may be replaced by
``[low, high]`` (drawn uniformly; a bound may be the name of another argument) or
``{"one_of": [...]}``. ``centre`` is one number for both axes, or ``"aligned"``. ``disturbance`` d
multiplies each weight by its own factor from 1 to 1 + d. ``recentre=True`` then moves the centroid
to the centre, from which factors and the window displace it."""

_FIXED = ("shape", "size", "centre", "disturbance", "recentre")
LARGEST_DISTURBANCE = 10.0


def check_spec(spec: KernelSpec, owner: str) -> None:
    """Check that every member of a family of kernels can be built.

    Args:
        spec: The family.
        owner: The class that takes it, for the message.

    Raises:
        ConfigError: If a field is missing, unknown or out of range, or the size is even.
    """
    size, disturbance = spec.get("size"), spec.get("disturbance", 0)
    if isinstance(size, int) and size % 2 == 0:
        raise ConfigError(
            f"{owner}: a kernel of even size {size} is half a pixel off its pixel; use an odd size."
        )
    if not _is_number(disturbance) or not 0 <= disturbance <= LARGEST_DISTURBANCE:
        raise ConfigError(
            f"{owner}: a kernel's disturbance is from 0 to {LARGEST_DISTURBANCE:g}, got"
            f" {disturbance!r}."
        )
    recentre = spec.get("recentre", False)
    if not isinstance(recentre, bool):
        raise ConfigError(f"{owner}: a kernel's recentre is True or False, got {recentre!r}.")
    centre = spec.get("centre", 0)
    if centre != "aligned" and not _is_number(centre):
        raise ConfigError(
            f"{owner}: a kernel's centre is a number of pixels or 'aligned', got {centre!r}."
        )
    drawn = [name for name in spec if name not in _FIXED]
    ends = {name: _ends(spec, name, owner) for name in drawn}
    # Every corner of the ranges must give a kernel.
    for values in itertools.product(*ends.values()):
        record = {key: spec[key] for key in ("shape", "size") if key in spec}
        if "centre" in spec and centre != "aligned":
            record["centre"] = [centre, centre]
        record.update(zip(drawn, values, strict=True))
        try:
            make_kernel(record)
        except (ValueError, OverflowError) as error:
            raise ConfigError(f"{owner}: {error}.") from error


def draw_kernel(spec: KernelSpec, seed: int, centre: float = 0.0) -> dict[str, Any]:
    """Draw a kernel of a family.

    Each argument has its own random stream, so their order in a config does not matter.

    Args:
        spec: The family, checked by :func:`check_spec`.
        seed: The image's seed.
        centre: Displacement of the centroid, in pixels along both axes.

    Returns:
        A record for ``make_kernel``.
    """
    record: dict[str, Any] = {"shape": spec["shape"], "size": int(spec["size"])}
    for name in spec:
        if name not in _FIXED:
            record[name] = _draw(spec, name, seed)
    if centre:
        record["centre"] = [centre, centre]
    return record


def disturb(kernel: Tensor, strength: float, seed: int) -> Tensor:
    """Multiply each weight by its own factor from 1 to 1 + strength; the sum stays 1.

    As for the anisotropic kernels of Bell-Kligler et al. (KernelGAN, NeurIPS 2019) and Luo et al.
    (DAN, NeurIPS 2020).

    Args:
        kernel: Shape (k, k), float64.
        strength: The largest disturbance.
        seed: Seed of the factors.

    Returns:
        Shape (k, k), float64.
    """
    field = np.random.default_rng(seed).random(tuple(kernel.shape))
    kernel = kernel * (1 + strength * torch.from_numpy(field))
    return kernel / kernel.sum()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _choices(value: Any) -> Any:
    return value.get("one_of") if isinstance(value, Mapping) and len(value) == 1 else None


def _ends(spec: KernelSpec, name: str, owner: str) -> list[float]:
    """Return the smallest and the largest value of a field."""
    value = spec[name]
    numbers: list[Any] = [value]
    if isinstance(value, Mapping):
        choices = _choices(value)
        numbers = list(choices) if isinstance(choices, list | tuple) else []
    elif isinstance(value, list | tuple):
        numbers = []
        for bound in value if len(value) == 2 else ():
            named = isinstance(bound, str) and bound in spec and bound not in _FIXED
            # A bound may name a drawn field, but not one whose bounds are names themselves.
            if named and not _refers(spec[bound]):
                numbers += _ends(spec, bound, owner)
            else:
                numbers.append(bound)
        if not _refers(value) and all(map(_is_number, numbers)) and numbers != sorted(numbers):
            numbers = []
    if not numbers or not all(map(_is_number, numbers)):
        raise ConfigError(
            f"{owner}: a kernel's {name} is a number, [low, high] or dict(one_of=[...]), got"
            f" {value!r}."
        )
    return sorted({min(numbers), max(numbers)})


def _refers(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(bound, str) for bound in value)


def _draw(spec: KernelSpec, name: str, seed: int) -> float:
    value = spec[name]
    rng = np.random.default_rng(stream_seed(seed, "kernel", name))
    choices = _choices(value)
    if choices is not None:
        return float(choices[int(rng.integers(len(choices)))])
    if isinstance(value, list | tuple):
        low, high = (
            _draw(spec, bound, seed) if isinstance(bound, str) else float(bound) for bound in value
        )
        return float(low + (high - low) * rng.random())
    return float(value)
