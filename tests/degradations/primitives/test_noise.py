"""Noise: its distribution, its reproducibility, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from realdeg.degradations.primitives.noise import (
    _poisson_counts,
    gaussian_noise,
    level_peaks,
    luminance,
    poisson_noise,
    shot_read_noise,
    speckle_noise,
    white_noise,
)


def _images(batch: int = 2, channels: int = 3, size: int = 64) -> torch.Tensor:
    return torch.rand(batch, channels, size, size, generator=torch.Generator().manual_seed(1))


class TestWhiteNoise:
    def test_is_standard_normal(self):
        field = white_noise((3, 300, 301), 5)
        assert field.dtype == torch.float32 and field.shape == (3, 300, 301)
        assert stats.kstest(field.flatten().numpy(), "norm").pvalue > 0.01
        # The two halves share radii, so their squares must still be independent.
        first, second = field.flatten()[:135450], field.flatten()[135450:]
        for power in (1, 2):
            pair = np.corrcoef(first.numpy() ** power, second.numpy() ** power)
            assert abs(pair[0, 1]) < 0.012  # more than 4 standard errors of 135,450 pairs
        neighbours = (field[..., 1:] * field[..., :-1]).mean()
        assert abs(neighbours) < 0.01

    def test_tails(self):
        field = white_noise((2_000_000,), 9)
        beyond = int((field.abs() > 4).sum())
        assert 95 < beyond < 160  # 126.7 are expected, the deviation is 11.3

    def test_a_seed_keeps_its_meaning(self):
        kept = torch.tensor([-1.6711580, -0.4325634, -0.2387047, -0.5590584, -1.4686021])
        torch.testing.assert_close(white_noise((5,), 1234), kept, atol=2e-6, rtol=0)

    def test_every_bit_of_the_seed_counts(self):
        fields = {tuple(white_noise((4,), seed).tolist()) for seed in (7, 7 + 2**32, 7 + 2**62)}
        assert len(fields) == 3

    @pytest.mark.parametrize("seed", [-1, 2**64])
    def test_a_bad_seed_is_refused(self, seed):
        with pytest.raises(ValueError, match="a seed is from 0"):
            white_noise((2,), seed)


class TestGaussian:
    def test_each_image_has_its_own_level_and_field(self):
        x = _images()
        before = x.clone()
        y = gaussian_noise(x, [0.1, 0.02], [3, 4])
        assert torch.equal(x, before)
        noise = y - x
        assert noise[0].std().item() == pytest.approx(0.1, rel=0.03)
        assert noise[1].std().item() == pytest.approx(0.02, rel=0.03)
        assert (y > 1).any() and (y < 0).any()  # nothing is clipped
        correlation = np.corrcoef(noise[0].flatten(1).numpy())
        assert abs(correlation[~np.eye(3, dtype=bool)]).max() < 0.06

    def test_an_image_does_not_depend_on_its_batch(self):
        x = _images()
        kinds = ["white", "grey"]
        both = gaussian_noise(x, torch.tensor([0.1, 0.2]), [3, 4], kinds)
        alone = gaussian_noise(x[1:], [0.2], [4], "grey")
        torch.testing.assert_close(both[1:], alone, atol=1e-7, rtol=0)
        noise = (both - x)[1]
        torch.testing.assert_close(noise[0], noise[2], atol=1e-6, rtol=0)

    def test_correlated_noise_has_the_covariance_of_the_released_code(self):
        # No covariance: an eigenvalue is negative. NumPy's sampler takes its absolute value.
        matrix = np.array([[0.01, 0.02, 0.0], [0.02, 0.02, 0.01], [0.0, 0.01, 0.015]])
        values, vectors = np.linalg.eigh(matrix)
        assert values.min() < 0
        wanted = (vectors * abs(values)) @ vectors.T
        x = torch.zeros(1, 3, 200, 200)
        noise = gaussian_noise(x, [0.5], [8], "correlated", torch.tensor(matrix)[None])
        found = np.cov(noise[0].flatten(1).numpy())
        np.testing.assert_allclose(found, wanted, atol=6e-4)
        grey = gaussian_noise(x[:, :1], [0], [8], "correlated", torch.tensor(matrix)[None])
        torch.testing.assert_close(grey[0], luminance(noise[0]), atol=1e-6, rtol=0)

    def test_speckle_is_multiplied(self):
        x = _images()
        noise = gaussian_noise(x, [0.1, 0.1], [1, 2]) - x
        torch.testing.assert_close(
            speckle_noise(x, [0.1, 0.1], [1, 2]), x + x * noise, atol=1e-6, rtol=0
        )
        x = x.requires_grad_()
        speckle_noise(x, [0.1, 0.1], [1, 2], "grey").sum().backward()
        assert x.grad is not None and x.grad.std() > 0.05


def test_shot_read_variance_is_a_line():
    levels = torch.linspace(0, 1, 11).view(1, 1, 11, 1).expand(1, 1, 11, 20000).contiguous()
    noise = shot_read_noise(levels, [0.01], [0.002], [3]) - levels
    variances = noise[0, 0].var(1).numpy()
    np.testing.assert_allclose(variances, 0.01 * np.linspace(0, 1, 11) + 0.002, rtol=0.05)
    x = _images().requires_grad_()
    shot_read_noise(x, [0.01, 0], [0, 0], [3, 4]).sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


class TestPoisson:
    @pytest.mark.parametrize("mean", [0.02, 0.7, 3.0, 7.9, 8.0, 13.0, 60.0, 256.0, 5000.3])
    def test_counts_are_quantiles(self, mean):
        number = 100_001
        probability = (np.arange(number) + 0.5) / number
        normal = stats.norm.ppf(probability).astype(np.float32)
        counts = _poisson_counts(np.full(number, mean, np.float32), normal)
        cumulative = stats.poisson.cdf(np.arange(int(mean + 10 * mean**0.5) + 20), mean)
        exact = np.searchsorted(cumulative, probability)
        assert abs(counts - exact).max() <= 1
        assert (counts != exact).mean() < (0.03 if mean > 1000 else 0.003)
        found = np.bincount(counts.astype(int), minlength=int(exact.max()) + 20) / number
        wanted = stats.poisson.pmf(np.arange(len(found)), mean)
        # The grid of probabilities itself is coarser than the promised 5e-4 for wide spreads.
        assert 0.5 * abs(found - wanted).sum() < 5e-4 + len(np.unique(counts)) / number

    def test_mean_and_variance(self):
        x = torch.full((2, 3, 128, 128), 100 / 255)
        noise = poisson_noise(x, [50.0, 400.0], [1, 2], scales=[1.0, 2.0]) - x
        for image, peak, scale in zip(noise, (50, 400), (1, 2), strict=True):
            assert abs(image.mean().item()) < 3e-3
            variance = scale**2 * (100 / 255) / peak
            assert image.var().item() == pytest.approx(variance, rel=0.04)

    def test_the_mean_is_rounded_to_levels(self):
        x = torch.full((1, 3, 8, 8), 0.5005)  # 127.6 of 255, and the other one 127.9
        noise = poisson_noise(x, [90.0], [1]) - x
        other = poisson_noise(x + 1e-3, [90.0], [1]) - (x + 1e-3)
        torch.testing.assert_close(noise, other, atol=1e-6, rtol=0)
        # Without rounding the noisy image itself is a count.
        photons = poisson_noise(x, [90.0], [1], levels=None) * 90
        torch.testing.assert_close(photons, photons.round(), atol=1e-4, rtol=0)

    def test_grey_noise_is_equal_in_all_channels(self):
        x = _images()
        noise = poisson_noise(x, [100.0, 100.0], [1, 2], grey=[True, False]) - x
        torch.testing.assert_close(noise[0, 0], noise[0, 1], atol=1e-6, rtol=0)
        assert (noise[1, 0] - noise[1, 1]).abs().max() > 0.05

    def test_a_last_digit_changes_no_other_count(self):
        """Rejection samplers fail this: one pixel shifts the random numbers of all others."""
        generator = torch.Generator().manual_seed(2)
        mean = (torch.rand(50_000, generator=generator) * 40).numpy()
        normal = white_noise((50_000,), 3).numpy()
        shifted = mean * np.float32(1 + 1e-6)
        difference = abs(_poisson_counts(mean, normal) - _poisson_counts(shifted, normal))
        assert difference.max() <= 1 and (difference > 0).mean() < 1e-3

    def test_nothing_is_counted_in_the_dark(self):
        x = torch.zeros(1, 3, 16, 16)
        assert torch.equal(poisson_noise(x, [1000.0], [1]), x)

    def test_level_peaks(self):
        x = torch.zeros(2, 3, 4, 4)
        x[0, 0, 0, :3] = torch.tensor([1, 2, 3]) / 255
        x[1] = torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1) / 255
        assert level_peaks(x) == [4.0, 4.0]
        assert level_peaks(x, [False, True]) == [4.0, 1.0]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: gaussian_noise(x, [0.1], [1, 2]), "1 values of sigma"),
        (lambda x: gaussian_noise(x, [0.1, -1], [1, 2]), "sigma is a number"),
        (lambda x: gaussian_noise(x, [0.1, float("nan")], [1, 2]), "sigma is a number"),
        (lambda x: gaussian_noise(x, [0.1, 0.1], [1]), "1 seeds"),
        (lambda x: gaussian_noise(x, [0.1, 0.1], [1, 2], "pink"), "kinds of noise"),
        (lambda x: gaussian_noise(x, [0, 0], [1, 2], "correlated"), "covariances"),
        (
            lambda x: gaussian_noise(
                x, [0, 0], [1, 2], "correlated", torch.arange(18.0).view(2, 3, 3)
            ),
            "symmetric",
        ),
        (lambda x: poisson_noise(x, [0, 1], [1, 2]), "peaks are above 0"),
        (lambda x: poisson_noise(x, [1, 1e9], [1, 2]), "peak is a number"),
        (lambda x: poisson_noise(x, [1, 1], [1, 2], grey=[True]), "grey flags"),
        (lambda x: shot_read_noise(x, [1, -1], [1, 1], [1, 2]), "shot is a number"),
        (lambda x: gaussian_noise(x[0], [0.1], [1]), "noise takes"),
    ],
)
def test_bad_arguments_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call(_images(size=4))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_another_device_gets_the_same_noise():
    x = _images()
    calls = (
        lambda x: gaussian_noise(x, [0.1, 0.2], [1, 2]),
        lambda x: speckle_noise(x, [0.1, 0.2], [1, 2], "grey"),
        lambda x: shot_read_noise(x, [0.01, 0.02], [1e-4, 1e-5], [1, 2]),
        lambda x: poisson_noise(x, [100, 20], [1, 2], [True, False]),
    )
    for call in calls:
        torch.testing.assert_close(call(x.cuda()).cpu(), call(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["gaussian", "speckle", "shot", "poisson"])
def test_empty_batch(name):
    x = torch.zeros(0, 3, 4, 4)
    calls = {
        "gaussian": lambda: gaussian_noise(x, [], []),
        "speckle": lambda: speckle_noise(x, [], []),
        "shot": lambda: shot_read_noise(x, [], [], []),
        "poisson": lambda: poisson_noise(x, [], []),
    }
    assert calls[name]().shape == x.shape
