"""Levels of noise from residuals: outliers, whole numbers, and brightnesses that nobody saw."""

import pytest
import torch

from realdeg.degradations.primitives.noise_levels import levels_by_brightness, robust_variance


def _normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.5, 4.0, 15.0])
def test_whole_numbers_have_the_variance_of_rounding_as_well(sigma):
    found = robust_variance((_normal(20_000) * sigma).round())
    assert float(found) == pytest.approx(sigma**2 + 1 / 12, rel=0.04)


def test_a_few_outliers_hardly_count():
    values = _normal(2, 20_000) * torch.tensor([[1.0], [3.0]])
    values[:, ::25] *= 60
    assert values.square().mean(1).min() > 100
    found = robust_variance(values)
    torch.testing.assert_close(found.sqrt(), torch.tensor([1.0, 3.0]).double(), rtol=0.2, atol=0)


def test_weights_choose_what_counts():
    values = torch.cat([_normal(5000), 9 * _normal(5000, seed=1)])
    weights = torch.zeros(3, 10_000, dtype=torch.float64)
    weights[0, :5000] = 2
    weights[1, 5000:] = 0.5
    low, high, nothing = robust_variance(values.expand(3, -1), weights)
    assert float(low) == pytest.approx(1, rel=0.06) and float(high) == pytest.approx(81, rel=0.06)
    assert float(nothing) == 0


def test_levels_follow_the_brightness_and_neighbours_where_nobody_saw_any():
    brightness = torch.linspace(0, 0.5, 30_000).expand(3, -1)
    slope = torch.tensor([[1.0], [0.0], [2.0]])
    found = levels_by_brightness(brightness, _normal(3, 30_000) * (1 + slope * brightness), 5)
    expected = 1 + slope * torch.tensor([0, 0.25, 0.5, 0.5, 0.5])
    # A level is that of all values within a knot's reach, so a steep end is a little too high.
    torch.testing.assert_close(found, expected.double(), rtol=0.2, atol=0)
    assert torch.equal(found[:, 3], found[:, 2])


def test_few_values_give_one_level_for_all():
    few = levels_by_brightness(torch.rand(3, 90), 4 * _normal(3, 90), 9)
    assert torch.equal(few, few[:1, :1].expand(3, 9))
    assert float(few[0, 0]) == pytest.approx(4, rel=0.15)
    (alone,) = levels_by_brightness(torch.full((1, 500), 0.3), 4 * _normal(1, 500), 1)
    assert float(alone) == pytest.approx(4, rel=0.1)
