"""The mapping from the wide photo to the tele photo: a homography and radial distortion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

Model: TypeAlias = Literal["affine", "homography", "distortion"]
"""6, 8 or 10 numbers: the last adds two of radial distortion."""

MODELS: dict[Model, int] = {"affine": 6, "homography": 8, "distortion": 10}

# Tukey's constant, as in evaluation/alignment.py.
_TUKEY = 4.685
# Regions deviate by at least this (pixels of the wide photo), however well they agree.
_LEAST_DEVIATION = 0.01
_ROUNDS = 12
# A model must reduce the error of points that it was not fitted to by this factor: one that bends
# straight lines by more, as what it gains in the middle it may lose in the corners.
_GAIN: dict[Model, float] = {"affine": 0.8, "homography": 0.6, "distortion": 0.6}


@dataclass(frozen=True)
class Transform:
    """Where positions of the wide photo lie in the tele photo.

    ``q = H p`` for p = (row, column, 1), then ``c + (q - c) (1 + k1 r^2 + k2 r^4)`` where r is the
    distance of q from c over ``radius``.

    Args:
        matrix: H, shape (3, 3), with 1 in its last place.
        radial: k1 and k2.
        centre: c, the centre of the tele photo: row and column.
        radius: Half of the tele photo's diagonal in pixels.
    """

    matrix: np.ndarray
    radial: tuple[float, float] = (0.0, 0.0)
    centre: tuple[float, float] = (0.0, 0.0)
    radius: float = 1.0

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Map positions (..., 2) of the wide photo into the tele photo."""
        return self._bend(_project(self.matrix, places))

    def inverse(self, places: np.ndarray) -> np.ndarray:
        """Map positions (..., 2) of the tele photo into the wide photo."""
        if self.radial == (0.0, 0.0):
            return _project(np.linalg.inv(self.matrix), places)
        offset = (places - self.centre) / self.radius
        distance = np.hypot(offset[..., 0], offset[..., 1])
        found = distance.copy()
        first, second = self.radial
        for _ in range(8):
            square = found * found
            value = found * (1 + first * square + second * square * square) - distance
            found = found - value / (1 + 3 * first * square + 5 * second * square * square)
        share = np.where(distance > 0, found / np.maximum(distance, 1e-300), 1.0)
        return _project(
            np.linalg.inv(self.matrix), self.centre + self.radius * offset * share[..., None]
        )

    def after(self, matrix: np.ndarray) -> Transform:
        """Return the transform that first applies a (3, 3) matrix to the wide photo's positions."""
        product = self.matrix @ matrix
        return replace(self, matrix=product / product[2, 2])

    def scale_at(self, place: tuple[float, float]) -> float:
        """Return how many pixels of the tele photo one pixel of the wide photo covers there."""
        near = np.array([place, (place[0] + 1, place[1]), (place[0], place[1] + 1)], np.float64)
        zero, down, right = self(near)
        sides = np.stack([down - zero, right - zero])
        return math.sqrt(abs(float(np.linalg.det(sides))))

    def rotation_at(self, place: tuple[float, float]) -> float:
        """Return the clockwise rotation of the tele photo's content there, in degrees."""
        near = np.array([place, (place[0] + 1, place[1]), (place[0], place[1] + 1)], np.float64)
        zero, down, right = self(near)
        sine, cosine = (right - zero)[0] - (down - zero)[1], (right - zero)[1] + (down - zero)[0]
        return math.degrees(math.atan2(float(sine), float(cosine)))

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "matrix": self.matrix.tolist(),
            "radial": list(self.radial),
            "centre": list(self.centre),
            "radius": self.radius,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Transform:
        """Return the transform that :meth:`record` described."""
        return cls(
            np.array(record["matrix"], np.float64),
            (float(record["radial"][0]), float(record["radial"][1])),
            (float(record["centre"][0]), float(record["centre"][1])),
            float(record["radius"]),
        )

    def _bend(self, places: np.ndarray) -> np.ndarray:
        if self.radial == (0.0, 0.0):
            return places
        offset = (places - self.centre) / self.radius
        square = (offset * offset).sum(-1, keepdims=True)
        first, second = self.radial
        bent: np.ndarray = self.centre + self.radius * offset * (
            1 + first * square + second * square * square
        )
        return bent


def _project(matrix: np.ndarray, places: np.ndarray) -> np.ndarray:
    moved = places @ matrix[:2, :2].T + matrix[:2, 2]
    if not matrix[2, :2].any():
        return moved / matrix[2, 2]
    divisor = places @ matrix[2, :2] + matrix[2, 2]
    projected: np.ndarray = moved / divisor[..., None]
    return projected


@dataclass(frozen=True)
class Fit:
    """A transform that was fitted to points.

    Args:
        transform: The transform.
        model: Its kind; None: the start, unchanged.
        distance: How far each point is from it, shape (N,), in pixels of the wide photo.
        left_out: The same for a fit without that point.
    """

    transform: Transform
    model: Model | None
    distance: np.ndarray
    left_out: np.ndarray


def fit_transform(wide: np.ndarray, tele: np.ndarray, start: Transform, model: Model) -> Fit:
    """Fit a transform to corresponding points, with Tukey's weights.

    Args:
        wide: Positions in the wide photo, shape (N, 2).
        tele: The same points in the tele photo, shape (N, 2).
        start: A transform near the solution.
        model: How many numbers are fitted; fewer if there are not twice as many points as that.
    """
    possible = [one for one in MODELS if len(wide) >= MODELS[one] and MODELS[one] <= MODELS[model]]
    return _fit(wide, tele, start, possible[-1] if possible else "affine")


def choose_model(wide: np.ndarray, tele: np.ndarray, start: Transform) -> Fit:
    """Fit the transform that is as simple as the points allow.

    A richer model is taken if points that are left out of its fit deviate less: by a fifth, or by
    two fifths if it is not affine. Of each distance only what is within four deviations counts, so
    that outliers choose nothing.

    Args:
        wide: Positions in the wide photo, shape (N, 2).
        tele: The same points in the tele photo, shape (N, 2).
        start: A transform near the solution, which is kept if no model is better.
    """
    middle = wide.mean(0)
    scale = start.scale_at((float(middle[0]), float(middle[1])))
    away = np.hypot(*((tele - start(wide)) / scale).T)
    fits = [Fit(start, None, away, away)]
    fits += [_fit(wide, tele, start, one) for one in MODELS if len(wide) >= 1.5 * MODELS[one]]
    least = min(float(np.median(one.left_out)) for one in fits) / 1.1774
    bound = 4 * max(least, _LEAST_DEVIATION)
    best = fits[0]
    for one in fits[1:]:
        gain = _GAIN[one.model or "affine"]
        if _bounded(one.left_out, bound) < gain * _bounded(best.left_out, bound):
            best = one
    return best


def _bounded(distance: np.ndarray, bound: float) -> float:
    return float(np.sqrt(np.mean(np.minimum(distance, bound) ** 2)))


def _fit(wide: np.ndarray, tele: np.ndarray, start: Transform, model: Model) -> Fit:
    # Normalised, so that every number has the same effect.
    middle, reach = wide.mean(0), max(float(np.abs(wide - wide.mean(0)).max()), 1.0)
    enlarge = np.array([[reach, 0, middle[0]], [0, reach, middle[1]], [0, 0, 1.0]])
    shrink = np.linalg.inv(enlarge)
    scale = start.scale_at((float(middle[0]), float(middle[1])))
    keep = model == "distortion"

    def build(numbers: np.ndarray) -> Transform:
        change = np.eye(3)
        change.flat[: min(len(numbers), 8)] += numbers[:8]
        radial = (float(numbers[8]), float(numbers[9])) if keep else (0.0, 0.0)
        straight = replace(start, radial=radial)
        return straight.after(enlarge @ change @ shrink)

    count = MODELS[model]
    numbers = np.zeros(count)
    if keep:
        numbers[8:] = start.radial
    weight = np.ones(len(wide))
    jacobian = np.zeros((2 * len(wide), count))
    error = np.zeros((2, len(wide)))
    step = 1e-6
    for round_ in range(_ROUNDS):
        for _ in range(2):
            error = ((tele - build(numbers)(wide)) / scale).T
            for column in range(count):
                shifted = numbers.copy()
                shifted[column] += step
                back = numbers.copy()
                back[column] -= step
                change = (build(shifted)(wide) - build(back)(wide)) / (2 * step * scale)
                jacobian[:, column] = change.T.reshape(-1)
            root = np.sqrt(np.concatenate([weight, weight]))
            solution = np.linalg.lstsq(jacobian * root[:, None], error.reshape(-1) * root, None)
            numbers = numbers + solution[0]
        error = ((tele - build(numbers)(wide)) / scale).T
        distance = np.hypot(*error)
        # The median length of a two-dimensional normal error is 1.18 deviations.
        deviation = max(float(np.median(distance)) / 1.1774, _LEAST_DEVIATION)
        last, weight = weight, np.clip(1 - (distance / (_TUKEY * deviation)) ** 2, 0, None) ** 2
        if float(weight.sum()) < count / 2 + 1:
            weight = last
            break
        if round_ and np.abs(weight - last).max() < 1e-3:
            break
    both = np.concatenate([weight, weight])
    normal = np.linalg.pinv((jacobian * both[:, None]).T @ jacobian)
    leverage = np.einsum("ij,jk,ik->i", jacobian, normal, jacobian) * both
    left_out = error.reshape(-1) / np.clip(1 - leverage, 0.05, None)
    distance = np.hypot(*error)
    return Fit(build(numbers), model, distance, np.hypot(*left_out.reshape(2, -1)))
