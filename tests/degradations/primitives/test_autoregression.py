"""Autoregressive noise: its likelihood against an exact Gaussian density, and its draws."""

import itertools
import math

import numpy as np
import pytest
import torch

from realdeg.degradations.primitives.autoregression import (
    draw,
    log_bin_probability,
    log_density,
    number_of_taps,
    past_offsets,
    predict,
    radius_of,
    response,
    variance_gains,
)


def _weights(radius, seed=0, strength=0.1):
    generator = torch.Generator().manual_seed(seed)
    count = number_of_taps(radius)
    taps = torch.randn(3, 3, count, generator=generator, dtype=torch.float64) * strength
    within = torch.randn(3, generator=generator, dtype=torch.float64) * 0.5
    return taps, within


@pytest.mark.parametrize("radius", range(6))
def test_the_past_is_what_was_drawn_before(radius):
    offsets = past_offsets(radius)
    assert len(offsets) == number_of_taps(radius) and radius_of(len(offsets)) == radius
    assert len(set(offsets)) == len(offsets)
    for down, right in offsets:
        assert max(abs(right), -down) <= radius
        assert down < 0 or (down == 0 and right < 0)


def _matrix(taps, within, height, width):
    """Return the prediction as a matrix of all values by all values, by a slow loop."""
    size = 3 * height * width
    matrix = np.zeros((size, size))

    def place(channel, row, column):
        return (channel * height + row) * width + column

    offsets = past_offsets(radius_of(taps.shape[2]))
    for row, column in itertools.product(range(height), range(width)):
        for out, into in itertools.product(range(3), range(3)):
            for number, (down, right) in enumerate(offsets):
                if 0 <= row + down and 0 <= column + right < width:
                    at = place(into, row + down, column + right)
                    matrix[place(out, row, column), at] = taps[out, into, number]
        red, green, blue = (place(channel, row, column) for channel in range(3))
        matrix[red, green], matrix[blue, green], matrix[blue, red] = within
    return matrix


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_the_likelihood_is_that_of_the_joint_gaussian(radius):
    """Summed over an image it is the density of N(m, D (1 - A)^-1 (1 - A)^-T D), in float64."""
    taps, within = _weights(radius)
    generator = torch.Generator().manual_seed(1)
    mean, noise = torch.randn(2, 1, 3, 3, 4, generator=generator, dtype=torch.float64) * 20
    spread = torch.rand(1, 3, 3, 4, generator=generator, dtype=torch.float64) + 0.5
    scaled = noise / spread
    found = log_density(mean + noise, mean + spread * predict(scaled, taps, within), spread).sum()
    matrix = _matrix(taps.numpy(), within.numpy(), 3, 4)
    root = spread.numpy().reshape(-1, 1) * np.linalg.inv(np.eye(len(matrix)) - matrix)
    value = noise.numpy().reshape(-1)
    expected = -0.5 * value @ np.linalg.solve(root @ root.T, value)
    expected -= 0.5 * np.linalg.slogdet(root @ root.T)[1] + 0.5 * len(value) * math.log(2 * math.pi)
    assert float(found) == pytest.approx(expected, rel=1e-10)


def test_probabilities_of_all_rounded_images_sum_to_1():
    """Of one pixel with 4 levels in 3 channels, and of two neighbours in one channel."""
    taps, within = _weights(1, strength=0.3)
    mean = torch.tensor([0.4, 1.7, 2.9], dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    spread = torch.tensor([0.6, 0.3, 1.5], dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    total = 0.0
    images = torch.tensor(list(itertools.product(range(4), repeat=6)), dtype=torch.float64)
    images = images.view(-1, 3, 1, 2)
    centre = mean + spread * predict((images - mean) / spread, taps, within)
    total = log_bin_probability(images, centre, spread, 3).sum((1, 2, 3)).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-12)


def test_probabilities_of_bins_are_those_of_the_normal_distribution():
    normal = torch.distributions.Normal(torch.tensor(100.3, dtype=torch.float64), 0.7)
    levels = torch.arange(96, 106, dtype=torch.float64)
    found = log_bin_probability(
        levels, torch.full_like(levels, 100.3), torch.full_like(levels, 0.7)
    )
    expected = normal.cdf(levels + 0.5) - normal.cdf(levels - 0.5)
    torch.testing.assert_close(found.exp(), expected, rtol=1e-9, atol=1e-15)
    ends = log_bin_probability(
        torch.tensor([0.0, 255.0, 0.0, 255.0]),
        torch.tensor([-9.0, 264.0, 400.0, -200.0]),
        torch.tensor([1.0, 1.0, 20.0, 20.0]),
    )
    assert (ends[:2] > -1e-6).all() and ends.isfinite().all() and (ends[2:] < -50).all()


@pytest.mark.parametrize("level", [0.0, 7.0, 255.0])
@pytest.mark.parametrize("mean", [-200.0, 0.0, 7.2, 255.0, 500.0])
@pytest.mark.parametrize("deviation", [0.05, 1.0, 100.0])
def test_the_likelihood_of_a_bin_is_finite_everywhere(level, mean, deviation):
    values = torch.tensor([mean, deviation], requires_grad=True)
    found = log_bin_probability(torch.tensor(level), values[0], values[1])
    found.backward()
    assert math.isfinite(found.item()) and found.item() <= 0
    assert values.grad.isfinite().all()


@pytest.mark.parametrize(("radius", "levels"), [(0, 255), (1, 255), (2, None), (3, 255)])
def test_draws_are_what_a_loop_over_pixels_gives(radius, levels):
    taps, within = (x.numpy() for x in _weights(radius, strength=0.08))
    rng = np.random.default_rng(2)
    mean = rng.uniform(0, 255, (2, 3, 5, 7))
    spread = rng.uniform(0.5, 9, mean.shape)
    normal = rng.standard_normal(mean.shape)
    found = draw(mean, spread, normal, taps, within, levels)
    for image in range(2):
        past = np.zeros((3, 5, 7))
        for row, column in itertools.product(range(5), range(7)):
            for channel in (1, 0, 2):
                value = normal[image, channel, row, column]
                for number, (down, right) in enumerate(past_offsets(radius)):
                    if 0 <= row + down and 0 <= column + right < 7:
                        seen = past[:, row + down, column + right]
                        value += taps[channel, :, number] @ seen
                if channel == 0:
                    value += within[0] * past[1, row, column]
                if channel == 2:
                    value += within[1] * past[1, row, column] + within[2] * past[0, row, column]
                expected = mean[image, channel, row, column]
                deviation = spread[image, channel, row, column]
                drawn = expected + deviation * value
                if levels is not None:
                    drawn = min(max(round(drawn), 0), levels)
                past[channel, row, column] = (drawn - expected) / deviation
                assert found[image, channel, row, column] == pytest.approx(drawn, abs=1e-9)


def test_the_response_is_the_column_of_the_inverse():
    taps, within = (x.numpy() for x in _weights(1, strength=0.1))
    found = response(taps, within, 3)
    matrix = np.linalg.inv(np.eye(3 * 3 * 7) - _matrix(taps, within, 3, 7))
    columns = matrix.reshape(3, 3, 7, 3, 3, 7)[:, :, :, :, 0, 3]
    np.testing.assert_allclose(found, columns.transpose(0, 3, 1, 2), atol=1e-12)


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_the_variance_is_the_energy_of_the_response(radius):
    taps, within = _weights(radius, strength=0.03)
    energy = np.square(response(taps.numpy(), within.numpy(), 24)).sum((1, 2, 3))
    np.testing.assert_allclose(variance_gains(taps, within).numpy(), energy, rtol=1e-5)
