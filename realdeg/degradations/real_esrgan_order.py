"""One order of Real-ESRGAN's degradation: its settings and draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval, Le, MinLen

from realdeg.degradations.pipeline import StepList
from realdeg.errors import ConfigError
from realdeg.utils.argument_types import Fraction, OddSize, Range
from realdeg.utils.arguments import check_arguments

RESIZE_MODES = ("torch_area", "torch_bilinear", "torch_bicubic")
_SHAPES = (
    # shape, isotropic, probability
    ("gaussian", True, 0.45),
    ("gaussian", False, 0.25),
    ("generalised", True, 0.12),
    ("generalised", False, 0.03),
    ("plateau", True, 0.12),
    ("plateau", False, 0.03),
)
_CUMULATIVE = np.cumsum([probability for _, _, probability in _SHAPES])


@dataclass(frozen=True)
class Order:
    """Settings of one round of blur, resizing, noise and JPEG.

    Args:
        blur_probability: Probability of a blur.
        kernel_sizes: Possible sides of kernels, odd, in pixels.
        sinc_probability: Probability that the kernel is a sinc.
        blur_sigma: Range of standard deviations, in pixels.
        generalised_beta: Range of the generalised Gaussian's shape; both sides of 1 are equally
            likely.
        plateau_beta: Range of the plateau's steepness; its lower end with probability 0.5.
        resize_probabilities: Of upsampling, downsampling and neither.
        resize_range: Smallest and largest factor.
        gaussian_probability: Probability that the noise is Gaussian rather than Poisson.
        noise_sigma: Range of standard deviations, in grey levels of 0 to 255.
        poisson_scale: Range of the factor of Poisson noise.
        grey_probability: Probability that the noise is grey.
        jpeg_quality: Range of qualities.
    """

    blur_probability: Fraction = 1.0
    kernel_sizes: Annotated[Sequence[OddSize], MinLen(1), Le(101)] = (7, 9, 11, 13, 15, 17, 19, 21)
    sinc_probability: Fraction = 0.1
    blur_sigma: Annotated[Range, Interval(ge=1e-3, le=50)] = (0.2, 3.0)
    generalised_beta: Annotated[Range, Interval(ge=0.05, le=50)] = (0.5, 4.0)
    plateau_beta: Annotated[Range, Interval(ge=0.05, le=50)] = (1.0, 2.0)
    resize_probabilities: tuple[Fraction, Fraction, Fraction] = (0.2, 0.7, 0.1)
    resize_range: Annotated[Range, Interval(ge=0.01, le=2)] = (0.15, 1.5)
    gaussian_probability: Fraction = 0.5
    noise_sigma: Annotated[Range, Interval(ge=0, le=255)] = (1.0, 30.0)
    poisson_scale: Annotated[Range, Interval(ge=0, le=100)] = (0.05, 3.0)
    grey_probability: Fraction = 0.4
    jpeg_quality: Annotated[Range, Interval(ge=1, le=100)] = (30.0, 95.0)


def change_order(order: Order, changes: Mapping[str, Any] | None, place: str) -> Order:
    """Return an order with some settings overridden, raising ConfigError for invalid ones.

    ``place`` is the argument that holds the changes, for messages.
    """
    check_arguments(Order, changes or {}, place)
    changed = replace(order, **(changes or {}))
    for name in ("resize_range", "generalised_beta"):
        low, high = getattr(changed, name)
        if not low <= 1 <= high:
            raise ConfigError(f"'{place}.{name}' is {(low, high)}, wanted a range that holds 1.")
    if not math.isclose(sum(changed.resize_probabilities), 1):
        raise ConfigError(
            f"'{place}.resize_probabilities' is {changed.resize_probabilities!r}, wanted three"
            " numbers (up, down, keep) that sum to 1."
        )
    return changed


def draw_uniform(rng: np.random.Generator, bounds: Range) -> float:
    """Draw a uniform number between two bounds."""
    return rng.uniform(float(bounds[0]), float(bounds[1]))


def draw_kernel(rng: np.random.Generator, order: Order) -> dict[str, Any]:
    """Draw the record of a blur kernel, a sinc or one of six shapes."""
    size = int(order.kernel_sizes[int(rng.integers(len(order.kernel_sizes)))])
    if rng.random() < order.sinc_probability:
        # A small window cannot hold the ringing of a low cut-off.
        cutoff = rng.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi)
        return {"shape": "sinc", "size": size, "cutoff": cutoff}
    pick = int(np.searchsorted(_CUMULATIVE, rng.random() * _CUMULATIVE[-1], side="right"))
    shape, isotropic, _ = _SHAPES[min(pick, len(_SHAPES) - 1)]
    sigma = draw_uniform(rng, order.blur_sigma)
    record: dict[str, Any] = {"shape": shape, "size": size, "sigma_x": sigma}
    if isotropic:
        record |= {} if shape == "gaussian" else {"sigma_y": sigma, "angle": 0.0}
    else:
        record["sigma_y"] = draw_uniform(rng, order.blur_sigma)
        record["angle"] = rng.uniform(-math.pi, math.pi)
    if shape != "gaussian":
        low, high = order.generalised_beta if shape == "generalised" else order.plateau_beta
        middle = 1.0 if shape == "generalised" else low
        record["beta"] = (
            rng.uniform(low, middle) if rng.random() < 0.5 else rng.uniform(middle, high)
        )
    return record


def draw_factor(rng: np.random.Generator, order: Order) -> float:
    """Draw a resizing factor."""
    up, down, _ = order.resize_probabilities
    branch = rng.random()
    if branch < up:
        return rng.uniform(1, order.resize_range[1])
    if branch < up + down:
        return rng.uniform(order.resize_range[0], 1)
    return 1.0


def draw_mode(rng: np.random.Generator) -> str:
    """Draw one of torch's area, bilinear and bicubic interpolations."""
    return RESIZE_MODES[int(rng.integers(3))]


def draw_noise(rng: np.random.Generator, steps: StepList, order: Order) -> None:
    """Append Gaussian or Poisson noise."""
    gaussian = rng.random() < order.gaussian_probability
    grey = bool(rng.random() < order.grey_probability)
    if gaussian:
        sigma = draw_uniform(rng, order.noise_sigma)
        steps.add_noise("gaussian_noise", kind="grey" if grey else "white", sigma=sigma)
    else:
        scale = draw_uniform(rng, order.poisson_scale)
        steps.add_noise("poisson_noise", peak="levels", scale=scale, grey=grey)


# Wang et al., ICCVW 2021, and options/train_realesrgan_x4plus.yml of the released code.
FIRST = Order()
SECOND = Order(
    blur_probability=0.8,
    blur_sigma=(0.2, 1.5),
    resize_probabilities=(0.3, 0.4, 0.3),
    resize_range=(0.3, 1.2),
    noise_sigma=(1.0, 25.0),
    poisson_scale=(0.05, 2.5),
)
