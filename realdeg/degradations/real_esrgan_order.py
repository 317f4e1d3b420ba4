"""One order of Real-ESRGAN's degradation: its settings, and how a kernel and noise are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from realdeg.degradations.pipeline import StepList
from realdeg.errors import ConfigError, nearest

Range = Sequence[float]

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
    """Settings of blur, resizing, noise and JPEG, once through.

    Args:
        blur_probability: How often there is a blur.
        kernel_sizes: Sides that kernels may have, odd, in pixels.
        sinc_probability: How often the kernel is a sinc.
        blur_sigma: Range of standard deviations, in pixels.
        generalised_beta: Range of the generalised Gaussian's shape; either side of 1 is as likely.
        plateau_beta: Range of the plateau's steepness; exactly its first end half of the time.
        resize_probabilities: Of enlarging, shrinking and neither.
        resize_range: Least and greatest factor.
        gaussian_probability: How often the noise is Gaussian; it is Poisson's otherwise.
        noise_sigma: Range of standard deviations, in grey levels of 0 to 255.
        poisson_scale: Range of the factor of Poisson noise.
        grey_probability: How often the noise is grey.
        jpeg_quality: Range of qualities.
    """

    blur_probability: float = 1.0
    kernel_sizes: Sequence[int] = (7, 9, 11, 13, 15, 17, 19, 21)
    sinc_probability: float = 0.1
    blur_sigma: Range = (0.2, 3.0)
    generalised_beta: Range = (0.5, 4.0)
    plateau_beta: Range = (1.0, 2.0)
    resize_probabilities: Sequence[float] = (0.2, 0.7, 0.1)
    resize_range: Range = (0.15, 1.5)
    gaussian_probability: float = 0.5
    noise_sigma: Range = (1.0, 30.0)
    poisson_scale: Range = (0.05, 3.0)
    grey_probability: float = 0.4
    jpeg_quality: Range = (30.0, 95.0)

    def __post_init__(self) -> None:
        for name in ("blur", "sinc", "gaussian", "grey"):
            value = getattr(self, f"{name}_probability")
            if not _is_number(value) or not 0 <= value <= 1:
                raise ConfigError(f"{name}_probability is from 0 to 1, got {value!r}.")
        for name, (low, high) in _BOUNDS.items():
            check_range(name, getattr(self, name), low, high)
        if not self.resize_range[0] <= 1 <= self.resize_range[1]:
            raise ConfigError(f"resize_range holds 1, got {self.resize_range!r}.")
        if not self.generalised_beta[0] <= 1 <= self.generalised_beta[1]:
            raise ConfigError(f"generalised_beta holds 1, got {self.generalised_beta!r}.")
        sizes = self.kernel_sizes
        if not sizes or not all(isinstance(k, int) and 1 <= k <= 101 and k % 2 for k in sizes):
            raise ConfigError(f"kernel_sizes are odd whole numbers from 1 to 101, got {sizes!r}.")
        shares = self.resize_probabilities
        if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 1):
            raise ConfigError(
                f"resize_probabilities are three (up, down, keep) that sum to 1, got {shares!r}."
            )


_BOUNDS = {
    "blur_sigma": (1e-3, 50.0),
    "generalised_beta": (0.05, 50.0),
    "plateau_beta": (0.05, 50.0),
    "resize_range": (0.01, 2.0),
    "noise_sigma": (0.0, 255.0),
    "poisson_scale": (0.0, 100.0),
    "jpeg_quality": (1.0, 100.0),
}


def change_order(order: Order, changes: Mapping[str, Any] | None, place: str) -> Order:
    """Return an order with some settings changed.

    Args:
        order: The settings to start from.
        changes: Settings by their names.
        place: The argument they were given by, for messages.

    Returns:
        The changed settings.

    Raises:
        ConfigError: If a setting is unknown or of a wrong value.
    """
    if not changes:
        return order
    known = [field.name for field in fields(Order)]
    for name in changes:
        if name not in known:
            raise ConfigError(
                f"{place} has no setting '{name}'; it has {', '.join(known)}."
                f"{nearest(str(name), known)}"
            )
    try:
        return Order(**{**asdict(order), **changes})
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"{place}: {error}") from error


def check_range(name: str, value: Range, low: float, high: float) -> None:
    """Refuse what is no range.

    Args:
        name: The setting.
        value: What was given.
        low: Bound below.
        high: Bound above.

    Raises:
        ConfigError: If it is not two numbers in order within the bounds.
    """
    fits = (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(_is_number(end) for end in value)
        and low <= value[0] <= value[1] <= high
    )
    if not fits:
        raise ConfigError(f"{name} is two numbers from {low:g} to {high:g}, got {value!r}.")


def draw_uniform(rng: np.random.Generator, bounds: Range) -> float:
    """Draw a uniform number.

    Args:
        rng: The image's random numbers.
        bounds: (low, high).

    Returns:
        The number.
    """
    return rng.uniform(float(bounds[0]), float(bounds[1]))


def draw_kernel(rng: np.random.Generator, order: Order) -> dict[str, Any]:
    """Draw a blur kernel: a sinc now and then, else one of six shapes.

    Args:
        rng: The image's random numbers.
        order: Its settings.

    Returns:
        The kernel's record.
    """
    size = int(order.kernel_sizes[int(rng.integers(len(order.kernel_sizes)))])
    if rng.random() < order.sinc_probability:
        # A small window cannot hold the rings of a low cut-off.
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
    """Draw a resizing factor.

    Args:
        rng: The image's random numbers.
        order: Its settings.

    Returns:
        Above 1 to enlarge, below 1 to shrink.
    """
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
    """Append Gaussian or Poisson noise.

    Args:
        rng: The image's random numbers.
        steps: What the noise is appended to.
        order: Its settings.
    """
    gaussian = rng.random() < order.gaussian_probability
    grey = bool(rng.random() < order.grey_probability)
    if gaussian:
        sigma = draw_uniform(rng, order.noise_sigma)
        steps.add_noise("gaussian_noise", kind="grey" if grey else "white", sigma=sigma)
    else:
        scale = draw_uniform(rng, order.poisson_scale)
        steps.add_noise("poisson_noise", peak="levels", scale=scale, grey=grey)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
