"""Integration of an ordinary differential equation, differentiable."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from realdeg.errors import DataError

Velocity = Callable[[Tensor, float], Tensor]
"""The derivative of a state at a time; it has the state's shape."""

# Dormand and Prince's pair of orders 5 and 4: times, weights of the stages before, and what the
# difference of both orders weighs each stage with.
_TIMES = (0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1)
_STAGES: tuple[tuple[float, ...], ...] = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
)
_RESULT = (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
_ERROR = (-71 / 57600, 0, 71 / 16695, -71 / 1920, 17253 / 339200, -22 / 525, 1 / 40)
_SAFETY, _LEAST, _MOST = 0.9, 0.2, 10.0


def integrate_fixed(
    velocity: Velocity, state: Tensor, start: float, end: float, steps: int, order: int = 4
) -> Tensor:
    """Integrate in equal steps.

    Args:
        velocity: The derivative.
        state: The state at ``start``, any shape.
        start: The first time.
        end: The last time.
        steps: Number of steps, 1 or more.
        order: 4 for the classical method of Runge and Kutta, four evaluations each; 1 for Euler's.

    Returns:
        The state at ``end``.
    """
    step = (end - start) / steps
    for number in range(steps):
        time = start + number * step
        first = velocity(state, time)
        if order == 1:
            state = state + step * first
            continue
        second = velocity(state + step / 2 * first, time + step / 2)
        third = velocity(state + step / 2 * second, time + step / 2)
        fourth = velocity(state + step * third, time + step)
        state = state + step / 6 * (first + 2 * second + 2 * third + fourth)
    return state


def integrate_adaptive(
    velocity: Velocity, state: Tensor, start: float, end: float, tolerance: float = 1e-5
) -> Tensor:
    """Integrate by Dormand and Prince's method, whose steps follow the estimated error.

    Steps are chosen as SciPy's ``solve_ivp(method="RK45")`` does, with ``rtol`` and ``atol`` both
    ``tolerance``, from the root of the mean squared error over the whole state. So the batch
    decides on the steps: give one image at a time if it must not depend on others.

    Args:
        velocity: The derivative.
        state: The state at ``start``, any shape.
        start: The first time.
        end: The last time, not before ``start``.
        tolerance: Error of a step that is allowed, relative and absolute.

    Returns:
        The state at ``end``.

    Raises:
        DataError: If the state becomes infinite, or steps become too small.
    """
    if end <= start or not state.numel():
        return state
    time, first = start, velocity(state, start)
    step = _first_step(velocity, state, first, start, end, tolerance)
    rejected = False
    while time < end:
        # A time's own spacing of numbers is the least that a step can be.
        if not step > 10 * (math.nextafter(time, math.inf) - time):
            raise _too_fast(time)
        step = min(step, end - time)
        made, last, error = _try_step(velocity, state, first, time, step)
        with torch.no_grad():
            allowed = tolerance * (1 + torch.maximum(state.abs(), made.abs()))
            size = _rms(step * error / allowed)
        if not size < 1:  # NaN is refused, too
            step *= max(_LEAST, _SAFETY * size**-0.2) if math.isfinite(size) else _LEAST
            rejected = True
            continue
        time = end if step == end - time else time + step
        growth = _MOST if size == 0 else min(_MOST, _SAFETY * size**-0.2)
        step *= min(1.0, growth) if rejected else growth
        state, first, rejected = made, last, False
    return state


def _try_step(
    velocity: Velocity, state: Tensor, first: Tensor, time: float, step: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the next state, the velocity there and the estimated error per time."""
    stages = [first]
    for share, weights in zip(_TIMES[1:], _STAGES, strict=True):
        stages.append(velocity(state + step * _mixed(stages, weights), time + share * step))
    made = state + step * _mixed(stages, _RESULT)
    last = velocity(made, time + step)
    return made, last, _mixed([*stages, last], _ERROR)


def _first_step(
    velocity: Velocity, state: Tensor, first: Tensor, start: float, end: float, tolerance: float
) -> float:
    """Choose a first step, as Hairer, Norsett and Wanner do (II.4)."""
    with torch.no_grad():
        allowed = tolerance * (1 + state.abs())
        size, speed = _rms(state / allowed), _rms(first / allowed)
        if not math.isfinite(size + speed):
            raise _too_fast(start)
        step = 1e-6 if size < 1e-5 or speed < 1e-5 else 0.01 * size / speed
        step = min(step, end - start)
        there = velocity(state + step * first, start + step)
        bend = _rms((there - first) / allowed) / step
        both = max(speed, bend)
        second = max(1e-6, step * 1e-3) if both <= 1e-15 else (0.01 / both) ** 0.2
        return min(100 * step, second, end - start)


def _too_fast(time: float) -> DataError:
    return DataError(
        f"the velocity of the flow changes too fast at time {time:.4g} for steps of any size, or"
        " is not finite: the flow diverged in training; take other weights, or solver='rk4'."
    )


def _mixed(stages: list[Tensor], weights: tuple[float, ...]) -> Tensor:
    made = weights[0] * stages[0]
    for weight, stage in zip(weights[1:], stages[1:], strict=True):
        made = made + weight * stage if weight else made
    return made


def _rms(x: Tensor) -> float:
    return float(x.detach().square().mean().sqrt())
