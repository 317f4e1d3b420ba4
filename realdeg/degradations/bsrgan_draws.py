"""The draws shared by BSRGAN and BSRGAN+, as in the helper functions of their released code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from realdeg.degradations.pipeline import StepList

CV2_MODES = ("cv2_linear", "cv2_cubic", "cv2_area")

# sqrt(1e-8) pixels: as narrow as a delta. The released code divides by 0 for a width of 0.
_LEAST_VARIANCE = 1e-8
_CORRELATED_LEVEL = 25 / 255
_GREY, _WHITE = 0.4, 0.6


def draw_mode(rng: np.random.Generator) -> str:
    """Draw one of OpenCV's bilinear, bicubic and area interpolations."""
    return CV2_MODES[int(rng.integers(3))]


def draw_blur(rng: np.random.Generator, steps: StepList, scale: int) -> None:
    """Append a Gaussian blur, anisotropic with probability 0.5; ``scale`` is what remains.

    The released code bounds the *variances* of anisotropic kernels (scale + 4 pixels squared)
    and the *standard deviation* of isotropic ones (0.2 scale + 2 pixels).
    """
    kernel: dict[str, Any]
    if rng.random() < 0.5:
        variances = np.maximum((scale + 4) * rng.random(2), _LEAST_VARIANCE).tolist()
        kernel = {
            "shape": "gaussian_variance",
            "variance_x": variances[0],
            "variance_y": variances[1],
            "angle": math.pi * rng.random(),
        }
    else:
        sigma = max((2 + 0.2 * scale) * rng.random(), math.sqrt(_LEAST_VARIANCE))
        kernel = {"shape": "gaussian", "sigma_x": sigma}
    kernel["size"] = 2 * int(rng.integers(2, 12)) + 3
    steps.add("blur", kernel=kernel)


def draw_noise(rng: np.random.Generator, steps: StepList, op: str, levels: tuple[int, int]) -> None:
    """Append ``"gaussian_noise"`` or ``"speckle_noise"``: 40 % white, 40 % grey, 20 % correlated.

    ``levels`` are the lowest and highest standard deviation in whole grey levels.
    """
    sigma = float(rng.integers(levels[0], levels[1] + 1))
    branch = rng.random()
    if branch > _WHITE:
        steps.add_noise(op, kind="white", sigma=sigma)
    elif branch < _GREY:
        steps.add_noise(op, kind="grey", sigma=sigma)
    else:
        steps.add_noise(op, kind="correlated", covariance=_draw_covariance(rng))


def draw_jpeg(rng: np.random.Generator, steps: StepList, qualities: tuple[int, int]) -> None:
    """Append a JPEG with a quality drawn uniformly between the two given."""
    steps.add("jpeg", quality=int(rng.integers(qualities[0], qualities[1] + 1)))


def _draw_covariance(rng: np.random.Generator) -> list[list[float]]:
    """Return |L^2 U' D U| with L fixed, U orthogonal and D uniform, as in the code."""
    eigenvalues = rng.random(3)
    basis = np.linalg.svd(rng.random((3, 3)))[0]
    covariance = np.abs(_CORRELATED_LEVEL**2 * basis.T @ np.diag(eigenvalues) @ basis)
    # Linear algebra libraries differ in the last digits; traces should not.
    rows: list[list[float]] = np.round((covariance + covariance.T) / 2, 10).tolist()
    return rows
