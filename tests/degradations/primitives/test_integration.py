"""Integration and splines against SciPy, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from realdeg.degradations.primitives.integration import integrate_adaptive, integrate_fixed
from realdeg.degradations.primitives.spline import natural_spline
from realdeg.errors import DataError

STATE = torch.linspace(-1, 1, 9, dtype=torch.float64)


def _bent(state: torch.Tensor, time: float) -> torch.Tensor:
    return torch.sin(5 * state + time) - state


@pytest.mark.parametrize("end", [0.05, 0.4, 1.0])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_adaptive_steps_are_scipys(end, tolerance):
    calls = []

    def velocity(state, time):
        calls.append(time)
        return _bent(state, time)

    found = integrate_adaptive(velocity, STATE, 1e-3, end, tolerance)
    theirs = solve_ivp(
        lambda t, y: _bent(torch.from_numpy(y), t).numpy(),
        (1e-3, end),
        STATE.numpy(),
        rtol=tolerance,
        atol=tolerance,
    )
    np.testing.assert_allclose(found.numpy(), theirs.y[:, -1], atol=1e-13)
    assert len(calls) == theirs.nfev


@pytest.mark.parametrize("order", [1, 4])
def test_fixed_steps_have_their_order(order):
    exact = integrate_adaptive(_bent, STATE, 0, 1, 1e-12)
    errors = [
        float((integrate_fixed(_bent, STATE, 0, 1, steps, order) - exact).abs().max())
        for steps in (20, 40)
    ]
    assert 0.8 * 2**order < errors[0] / errors[1] < 1.25 * 2**order


def test_the_gradient_passes_through_the_steps():
    def end(state):
        return integrate_adaptive(_bent, state, 0, 0.5, 1e-9).sum()

    state = STATE.clone().requires_grad_()
    end(state).backward()
    moved = 1e-5 * torch.eye(9, dtype=torch.float64)
    slopes = [(end(STATE + row) - end(STATE - row)) / 2e-5 for row in moved]
    torch.testing.assert_close(state.grad, torch.stack(slopes), atol=1e-6, rtol=1e-6)


def test_what_cannot_be_integrated_is_named():
    for velocity in (lambda state, _: 9 * state**3, lambda state, _: 1 / (state - 1)):
        with pytest.raises(DataError, match="steps of any size, or is not finite"):
            integrate_adaptive(velocity, STATE, 0, 1)
    still = integrate_adaptive(_bent, STATE, 1.0, 0.5)
    assert still is STATE
    assert integrate_adaptive(_bent, STATE[:0], 0, 1).numel() == 0


@pytest.mark.parametrize("positions", [[0, 1], [0, 1 / 3, 1], [0, 0.1, 0.4, 0.7, 1.3]])
def test_the_natural_spline_is_scipys(positions):
    rng = np.random.default_rng(2)
    knots = rng.standard_normal((len(positions), 6, 2, 3))
    times = np.array([0, 0.2, positions[1], 0.6, 0.999, 1]) * min(1, positions[-1])
    found = natural_spline(torch.from_numpy(knots), positions, torch.from_numpy(times))
    theirs = CubicSpline(positions, knots, bc_type="natural")
    for order, value in enumerate(found):
        for image, time in enumerate(times):
            # At a knot the third derivative is that of the segment after it.
            if order == 3 and time == positions[-1]:
                continue
            wanted = theirs(time, order)[image]
            np.testing.assert_allclose(value[image].numpy(), wanted, atol=1e-11)
