"""The rules that end a training, against formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.zero_shot import SlopeRule, VarianceRule


class TestSlopeRule:
    def test_its_line_is_that_of_polyfit(self):
        errors = np.random.default_rng(0).random(8)
        rule, places = SlopeRule(spare=2), 50 * np.arange(8)
        for place, error in zip(places, errors, strict=True):
            rule.add(int(place), float(error))
        (slope, _), covariance = np.polyfit(places[-5:], errors[-5:], 1, cov=True)
        found = rule._fit()
        assert found == pytest.approx((slope, covariance[0, 0] ** 0.5), rel=1e-9)
        # NumPy until 1.15 divided by n - 4 instead of n - 2.
        rule.spare = 4
        assert rule._fit()[1] == pytest.approx(3**0.5 * found[1])

    def follow(self, error, iterations=3000):
        rule, changes = SlopeRule(), []
        for number in range(iterations):
            if number % 50 == 0:
                rule.add(number, error(number))
            if rule.check(number):
                changes.append(number)
            if rule.finished:
                break
        return rule, changes

    def test_a_level_error_ends_the_training_as_early_as_possible(self):
        noise = np.random.default_rng(0).normal(0, 1e-5, 3000)
        rule, changes = self.follow(lambda number: 1e-3 + noise[number])
        # Checks come every 60 iterations, changes more than 256 apart; 1e-3 falls to 1e-6 in 3.
        assert changes == [299, 599, 899]
        assert rule.finished and rule.rate == pytest.approx(1e-6)

    def test_a_falling_error_keeps_the_rate(self):
        noise = np.random.default_rng(0).normal(0, 1e-7, 3000)
        rule, changes = self.follow(lambda number: 1e-3 - 1e-7 * number + noise[number])
        assert not changes and rule.rate == 1e-3


class TestVarianceRule:
    def test_its_average_and_variance(self):
        values = torch.rand(30, 4, dtype=torch.float64)
        rule, weight = VarianceRule(0.8, None), 0.8
        for value in values:
            rule.add(value, 0.0)
        powers = weight ** torch.arange(29, -1, -1, dtype=torch.float64)
        wanted = (powers[:, None] * values).sum(0) / powers.sum()
        torch.testing.assert_close(rule.result, wanted)

    def test_it_keeps_the_average_of_the_calmest_time(self):
        draws = torch.Generator().manual_seed(0)
        rule = VarianceRule(0.9, 60)
        calm = torch.full((50,), 0.5)
        for number in range(400):
            # Wide at first, calm around iteration 150, wide again.
            width = 0.01 + abs(number - 150) / 300
            rule.add(calm + width * torch.randn(50, generator=draws), float(number))
            if rule.finished:
                break
        assert rule.finished and 140 < rule.error < 175 and number == rule.error + 60
        assert (rule.result - 0.5).abs().max() < 0.1

    def test_without_an_average_the_last_output_is_the_result(self):
        rule = VarianceRule(0.0, None)
        for number in range(5):
            rule.add(torch.tensor([float(number)]), float(number))
        assert rule.result.item() == 4 and rule.error == 4 and not rule.finished
