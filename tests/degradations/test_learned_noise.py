"""LearnedNoise: level by brightness, correlation, luma, decay, and what is refused."""

import numpy as np
import pytest
import torch

from realdeg.degradations import LearnedNoise, Trace, learned_noise
from realdeg.degradations.primitives.autoregression import response
from realdeg.degradations.primitives.autoregression_fit import Fit
from realdeg.errors import ConfigError, DataError


def _lively(seed=0, **settings):
    noise = LearnedNoise(1, **settings).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter, spread in ((noise.log_sigma, 0.5), (noise.taps, 0.04), (noise.within, 0.3)):
            parameter.add_(torch.randn(parameter.shape, generator=generator) * spread)
    return noise


def test_the_level_follows_the_brightness():
    noise = LearnedNoise(1, knots=3, radius=0, colour=False).eval()
    with torch.no_grad():
        noise.log_sigma.copy_(torch.tensor([[1.0, 4, 8], [2, 2, 2], [3, 1, 3]]).log())
    ramp = torch.linspace(0.2, 0.8, 5).view(1, 1, 5, 1).expand(1, 3, 5, 4000)
    made = (noise(ramp, [3]) - ramp)[0] * 255
    expected = noise.deviations(torch.linspace(0.2, 0.8, 5))
    torch.testing.assert_close(made.double().std(2), expected, rtol=0.05, atol=0)
    # Between two brightnesses the logarithm is interpolated.
    quarter = noise.deviations(torch.tensor([0.25]))[0, 0]
    assert float(quarter) == pytest.approx((4 + 1 / 12) ** 0.5, rel=1e-6)
    assert noise.condition(noise.sample(ramp, [1])[0])["noise_level"] == pytest.approx(
        ((16 + 4 + 1 + 3 / 12) / 3) ** 0.5 / 255
    )


def test_the_correlation_is_that_of_the_response_from_the_first_row_on():
    noise = _lively(radius=2, sigma=6.0, knots=1)
    grey = torch.full((48, 3, 12, 24), 0.5)
    made = (noise(grey, range(48)) - grey).double() * 255
    expected = noise.deviations(torch.tensor([0.5]))[:, 0]
    for rows in (made[:, :, :2], made[:, :, -2:]):
        torch.testing.assert_close(rows.std((0, 2, 3)), expected, rtol=0.08, atol=0)
    taps, within = (x.detach().numpy() for x in noise.weights())
    shape = response(taps, within, 20)
    wanted = (shape[0, :, :, 1:] * shape[1, :, :, :-1]).sum() / np.sqrt(
        (shape[0] ** 2).sum() * (shape[1] ** 2).sum()
    )
    red, green = made[:, 0, :, 1:].flatten(), made[:, 1, :, :-1].flatten()
    found = torch.corrcoef(torch.stack([red, green]).detach())[0, 1].item()
    assert found == pytest.approx(wanted, abs=0.03)


def test_its_own_images_are_likelier_than_under_other_numbers():
    noise, other = _lively(0, sigma=1.5), _lively(1, sigma=1.5)
    hr = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    made = noise(hr, [1, 2])
    assert torch.equal((made * 255).round() / 255, made)
    with torch.no_grad():
        own = noise.log_likelihood(hr, made).mean()
        assert own > other.log_likelihood(hr, made).mean() + 0.05
        flat = hr.mean(1, keepdim=True).expand_as(hr) > 0.5
        chosen = noise.log_likelihood(hr, made, chosen=flat)
        torch.testing.assert_close(chosen, noise.log_likelihood(hr, made)[flat])


def test_a_variance_that_is_no_noise_widens_and_takes_the_past_out():
    noise = _lively(0)
    mean, real = torch.rand(2, 1, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    wide = torch.full_like(mean, 1e8)
    with torch.no_grad():
        found = noise.log_likelihood(mean, real, wide)
        sigma = (noise.unpredictable(mean).square() + wide).sqrt()
        levels = (real * 255).round()
        expected = torch.distributions.Normal(mean * 255, sigma).log_prob(levels)
    inner = (levels > 0) & (levels < 255)
    torch.testing.assert_close(found[inner], expected[inner], rtol=0, atol=2e-3)


def test_what_is_predicted_from_is_shrunk_by_the_share_of_all_of_the_noise():
    """An error as large as the unpredictable part of smooth noise is small beside the noise."""
    noise = LearnedNoise(1, radius=1, knots=1, colour=False, sigma=2.0, rounding=False).eval()
    with torch.no_grad():
        noise.taps[:, :, -1] = 0.97
    generator = torch.Generator().manual_seed(0)
    mean = torch.full((4, 3, 40, 64), 0.5)
    with torch.no_grad():
        error = 2 * torch.randn(mean.shape, generator=generator)
        real = noise(mean, range(4)) + error / 255
        excess = torch.full_like(mean, 4.0)
        found = noise.log_likelihood(mean, real, excess)[..., 1:].mean()
        levels = (real - mean) * 255
        halved = levels[..., :-1] * 0.97 / 2  # by the share of the unpredictable part
        expected = torch.distributions.Normal(halved, 8**0.5).log_prob(levels[..., 1:]).mean()
    assert found > expected + 0.5


def test_a_start_whose_correlation_does_not_decay_is_not_taken(monkeypatch):
    """Where each value is eight times the one beside it, no shortening ends that."""
    noise = LearnedNoise(1, radius=1, knots=1)
    former = {name: value.clone() for name, value in noise.state_dict().items()}
    grows = Fit(torch.full((3, 3, 4), 8.0), torch.zeros(3), torch.full((3,), 0.5))
    monkeypatch.setattr(learned_noise, "fit_autoregression", lambda *_: grows)
    noise.start_correlation(torch.zeros(2, 18, 18))
    for name, value in noise.state_dict().items():
        assert torch.equal(value, former[name])


def test_luma_is_that_of_the_grey_images_noise():
    noise = _lively(0, sigma=5.0)
    luma = torch.full((1, 1, 16, 16), 0.5)
    grey = ((luma * 255 - 16) / 219).expand(-1, 3, -1, -1)
    difference = (noise(grey, [7]) - grey)[0] * torch.tensor([65.481, 128.553, 24.966]).view(
        3, 1, 1
    )
    expected = luma[0] + difference.sum(0, keepdim=True) / 255
    torch.testing.assert_close(noise(luma, [7])[0], expected, rtol=0, atol=1e-6)


def test_a_gradient_passes_rounding_and_reaches_the_level():
    noise = _lively(0).train()
    hr = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0)).requires_grad_()
    noise(hr, [0]).sum().backward()
    torch.testing.assert_close(hr.grad, torch.ones_like(hr))
    assert all(parameter.grad.abs().sum() > 0 for parameter in noise.parameters())


def test_unrounded_noise_is_not_rounded():
    noise = _lively(0, rounding=False, clip=False)
    black = torch.zeros(1, 3, 16, 16)
    made = noise(black, [0]) * 255
    assert made.min() < 0 and not torch.equal(made.round(), made)
    assert _lively(0, rounding=False)(black, [0]).min() == 0


def test_a_correlation_without_end_is_shortened():
    noise = LearnedNoise(1, radius=1, colour=False).eval()
    with torch.no_grad():
        noise.taps.fill_(0.27)
    with pytest.raises(DataError, match=r"does not decay within 48 pixels.*smaller radius"):
        noise.gains()
    assert 0.5 <= noise.settle() < 1 and noise.gains().isfinite().all()
    assert noise.settle() == 1.0
    with torch.no_grad():
        noise.taps.fill_(9.0)
    with pytest.raises(DataError, match="does not decay"):
        noise.settle()


def test_bad_arguments_and_traces_are_named():
    with pytest.raises(ConfigError, match=r"radius is 9"):
        LearnedNoise(radius=9)
    with pytest.raises(ConfigError, match=r"knots is 0"):
        LearnedNoise(knots=0)
    with pytest.raises(ConfigError, match=r"sigma is 0"):
        LearnedNoise(sigma=0)
    noise, hr = LearnedNoise(1).eval(), torch.rand(1, 3, 8, 8)
    trace = noise.sample(hr, [1])[0]
    with pytest.raises(DataError, match="noise_seed"):
        noise.replay(hr, [Trace(trace.type, {**trace.params, "noise_seed": -1}, trace.size)])
    with pytest.raises(DataError, match="lacks 'noise_seed'"):
        noise.replay(hr, [Trace(trace.type, noise.trace_params(), trace.size)])
