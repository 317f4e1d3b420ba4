"""RealSR's registration: an affine transform with gain and offset by reweighted least squares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from realdeg.degradations.primitives.resize import imresize
from realdeg.registration.warp import grid, prepare, sample

# 1 / (|r| + 0.1) turns squares into absolute values, in 8-bit levels.
_LEVEL = 0.1
_DAMPING = 1e-4
_SETTLED = 1e-4
# Smaller levels of the pyramid hold no picture.
_LEAST_SIDE = 8


@dataclass(frozen=True)
class Refinement:
    """What was found.

    Args:
        matrix: Positions (row, column, 1) of the reference to those of the image, shape (3, 3).
        gain: What the warped image is multiplied by, and
        offset: what is then added, in levels.
        iterations: Solved systems, over all levels.
    """

    matrix: np.ndarray
    gain: float
    offset: float
    iterations: int


def refine(image: np.ndarray, reference: np.ndarray) -> Refinement:
    """Minimise the absolute difference of a warped image and a reference.

    The constants are those of RealSR: ``fix(log2(sqrt(H W)) - 3) - 1`` halvings, three solved
    systems and one more for two halvings at each level, weights ``1 / (|r| + 0.1)``, damping of
    1e-4 of the diagonal, and a relative change of 1e-4 ends a level.

    Args:
        image: Luma in 8-bit levels, shape (H, W).
        reference: Luma of the same size.

    Source:
        Cai et al., Toward Real-World Single Image Super-Resolution, ICCV 2019, section 3.3;
        constants from the ``Alignment`` folder of csjcai/RealSR.
    """
    height, width = reference.shape
    halvings = max(0, int(math.log2(math.sqrt(height * width)) - 3) - 1)
    while halvings and min(height, width) >> halvings < _LEAST_SIDE:
        halvings -= 1
    tau = np.zeros(6)
    weight: np.ndarray | None = None
    gain, offset, solved = 1.0, 0.0, 0
    for level in range(halvings, -1, -1):
        small = [_reduce(one, level) for one in (image, reference)]
        if weight is not None:
            weight = _resize(weight, small[1].shape)
            tau[4:] *= 2
        tau, weight, gain, offset, used = _solve(small[0], small[1], tau, weight, halvings)
        solved += used
    return Refinement(_matrix(tau, reference.shape), gain, offset, solved)


def _solve(
    image: np.ndarray,
    reference: np.ndarray,
    tau: np.ndarray,
    weight: np.ndarray | None,
    halvings: int,
) -> tuple[np.ndarray, np.ndarray, float, float, int]:
    places = grid(reference.shape)
    middle = [round(side / 2) for side in reference.shape]
    x, y = places[..., 0] - middle[0], places[..., 1] - middle[1]
    weight = np.ones(reference.shape) if weight is None else weight
    before, solved = math.inf, 0
    prepared = prepare(image[..., None], "bicubic")
    gain, offset = 1.0, 0.0
    # One more pass only measures the last step's gain and offset.
    for round_ in range(3 + halvings // 2 + 1):
        matrix = _matrix(tau, reference.shape)
        at = places @ matrix[:2, :2].T + matrix[:2, 2]
        inside = ((at >= 0) & (at <= np.array(image.shape) - 1.0)).all(-1)
        if inside.sum() < 16:
            break
        moved = sample(prepared, at)[..., 0].astype(np.float64)
        spread = float(moved[inside].std())
        gain = float(reference[inside].std()) / spread if spread > 0 else 1.0
        offset = float(reference[inside].mean()) - gain * float(moved[inside].mean())
        fitted = gain * moved + offset
        rest = reference - fitted
        now = float(np.abs(rest[inside]).mean())
        if round_ == 3 + halvings // 2 or abs(before - now) < _SETTLED * max(now, 1e-9):
            break
        before = now
        padded = np.pad(fitted, 1, mode="edge")
        down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
        right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
        columns = np.stack([x * down, x * right, y * down, y * right, down, right]).reshape(6, -1)
        weighed = columns * (weight * inside).reshape(-1)
        normal = weighed @ columns.T
        normal[np.diag_indices(6)] *= 1 + _DAMPING
        tau = tau + np.linalg.lstsq(normal, weighed @ rest.reshape(-1), None)[0]
        weight = 1 / (np.abs(rest) + _LEVEL)
        solved += 1
    return tau, weight, gain, offset, solved


def _matrix(tau: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Return x' = (1 + t1) x + t3 y + t5, y' = t2 x + (1 + t4) y + t6, about the middle."""
    linear = np.array([[1 + tau[0], tau[2]], [tau[1], 1 + tau[3]]])
    middle = np.array([round(side / 2) for side in size[:2]], np.float64)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle + tau[4:] - linear @ middle
    return matrix


def _reduce(image: np.ndarray, level: int) -> np.ndarray:
    if level == 0:
        return image.astype(np.float64)
    tensor = torch.from_numpy(np.ascontiguousarray(image, np.float64))[None, None]
    reduced: np.ndarray = imresize(tensor, 0.5**level)[0, 0].numpy()
    return reduced


def _resize(weight: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    import cv2

    resized = cv2.resize(weight, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.maximum(resized, 0)
