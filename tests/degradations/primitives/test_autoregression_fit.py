"""Weights of an autoregression by least squares."""

import torch

from realdeg.degradations import LearnedNoise
from realdeg.degradations.primitives.autoregression import predict
from realdeg.degradations.primitives.autoregression_fit import (
    fit_autoregression,
    regression_sums,
)


def _field(radius=1, colour=True, sigma=9.0):
    """Return drawn noise, in units of what is unpredictable, and what draws it."""
    noise = LearnedNoise(1, radius=radius, colour=colour, knots=1, sigma=sigma, rounding=False)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        noise.taps.copy_(0.08 * torch.randn(noise.taps.shape, generator=generator))
        noise.taps[range(3), range(3) if colour else [0] * 3, -1] = 0.6
        noise.within.fill_(0.4)
    grey = torch.full((6, 3, 48, 48), 0.5)
    with torch.no_grad():
        return (noise.eval()(grey, range(6)) - grey) * 255 / sigma, noise


def test_weights_and_what_they_leave_are_those_of_the_field():
    for colour in (True, False):
        values, truth = _field(colour=colour)
        inside = torch.zeros(6, 1, 48, 48)
        inside[..., 1:, 1:-1] = 1
        fit = fit_autoregression(regression_sums(values, values, inside, 1), 1, colour)
        taps, within = (x.detach() for x in truth.weights())
        torch.testing.assert_close(fit.taps.float(), taps, rtol=0, atol=0.04)
        torch.testing.assert_close(fit.within.float(), within, rtol=0, atol=0.04)
        torch.testing.assert_close(fit.left, torch.ones(3).double(), rtol=0.05, atol=0)
        # The same sums as of the prediction that is trained.
        rest = values - predict(values, fit.taps.float(), fit.within.float())
        mean = (rest.square() * inside).sum((0, 2, 3)) / inside.sum()
        torch.testing.assert_close(mean.double(), fit.left, rtol=0.02, atol=0)


def test_weights_are_between_values_of_the_levels_that_are_given():
    values, _ = _field()
    inside = torch.zeros(6, 1, 48, 48)
    inside[..., 1:, 1:-1] = 1
    levels = torch.tensor([0.5, 2.0, 1.0])
    apart = values * levels.view(1, 3, 1, 1)
    plain, scaled = (
        fit_autoregression(regression_sums(x, x, inside, 1), 1) for x in (values, apart)
    )
    taps, within = scaled.between_levels(levels.double())
    torch.testing.assert_close(taps, plain.taps, rtol=0, atol=0.01)
    torch.testing.assert_close(within, plain.within, rtol=0, atol=0.01)


def test_chance_is_not_learned_from_few_pixels():
    values = torch.randn(2, 3, 34, 34, generator=torch.Generator().manual_seed(0))
    few = torch.zeros(2, 1, 34, 34)
    few[:, :, 6:28:2, 6:28:2] = 1
    fit = fit_autoregression(regression_sums(values, values, few, 5), 5)
    # 242 pixels, 180 weights: without a bound they would explain three quarters.
    assert fit.taps.square().sum() < 0.1
    assert 0.8 < fit.left.min() and fit.left.max() < 1.2
    assert fit_autoregression(regression_sums(values, values, 0 * few, 5), 5) is None
    assert fit_autoregression(regression_sums(values * torch.nan, values, few, 5), 5) is None
