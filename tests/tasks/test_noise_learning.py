"""Noise is learned by its likelihood: from clean pairs, behind a frozen mean, and jointly."""

import pytest
import torch

from realdeg import create_degradation
from realdeg.datasets.records import Record
from realdeg.degradations import Compose, GlobalKernel, LearnedNoise
from realdeg.errors import ConfigError, DataError
from realdeg.tasks import NoiseLearning
from realdeg.tasks.flat_pixels import edge_energy

SMALL = {"type": "LearnedNoise", "radius": 1, "knots": 3, "sigma": 2.0}
SMALL_DML = {"type": "DML", "width": 4, "levels": 1, "num_kernels": 2, "kernel_size": 5}


def smooth(count=4, side=48, seed=0):
    """Return photos of soft shades in every brightness."""
    generator = torch.Generator().manual_seed(seed)
    rough = torch.rand(count, 3, 3, 3, generator=generator)
    return torch.nn.functional.interpolate(rough, size=(side, side), mode="bicubic").clamp(0, 1)


def batch(hr, lr):
    count = len(hr)
    return {
        "hr": hr,
        "lr": lr,
        "paired": torch.ones(count, dtype=torch.bool),
        "key": [f"{index}" for index in range(count)],
        "meta": [{} for _ in range(count)],
        "seeds": list(range(count)),
    }


def train(task, given, steps=90, rate=0.06):
    optimiser = torch.optim.Adam([p for p in task.parameters() if p.requires_grad], lr=rate)
    task.train()
    for _ in range(steps):
        loss = sum(task.losses(given).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return float(loss.detach())


def made(degradation, hr):
    with torch.no_grad():
        return degradation(hr, range(len(hr)))


def camera():
    """Return noise whose deviation rises from 1 to 6 levels, half shared by the channels."""
    noise = LearnedNoise(1, radius=1, knots=3).eval()
    with torch.no_grad():
        noise.log_sigma.copy_(torch.tensor([1.0, 3.0, 6.0]).log().expand(3, 3))
        noise.taps[range(3), range(3), -1] = 0.4
        noise.within.fill_(0.3)
    return noise


def test_level_and_correlation_of_a_known_camera_are_found():
    truth, hr = camera(), smooth()
    given = batch(hr, made(truth, hr))
    pure = dict(structure=False, drift=0, smoothness=0)
    task = NoiseLearning(SMALL, scale=1, flat_share=1.0, **pure)
    train(task, given)
    found = task.degradation
    torch.testing.assert_close(found.log_sigma, truth.log_sigma, rtol=0, atol=0.12)
    torch.testing.assert_close(found.taps, truth.taps, rtol=0, atol=0.08)
    torch.testing.assert_close(found.within, truth.within, rtol=0, atol=0.08)
    held = smooth(2, seed=9)
    seen = made(truth, held)
    scores = [noise.log_likelihood(held, seen).mean() for noise in (found.eval(), truth)]
    assert (scores[1] - scores[0]).item() < 0.01


ALL_PIXELS = dict(flat_share=1.0, structure=False)


@pytest.mark.parametrize("settings", [ALL_PIXELS, dict(flat_share=0.3)], ids=["all", "flat"])
@pytest.mark.parametrize("truth", [0.5, 4.0, 15.0])
def test_a_short_run_finds_any_level_from_any_start(truth, settings):
    """A rate of 0.03 moves the logarithm by no more than 0.9 in 30 iterations."""
    camera = LearnedNoise(1, radius=0, colour=False, sigma=truth).eval()
    hr = 0.2 + 0.6 * smooth()
    given = batch(hr, made(camera, hr))
    found = []
    for sigma in (0.3, 60.0):
        task = NoiseLearning({**SMALL, "sigma": sigma}, scale=1, **settings)
        train(task, given, 30, 0.03)
        found.append(task.degradation.deviations(torch.tensor([0.3, 0.5, 0.7])))
    expected = torch.full_like(found[0], (truth**2 + 1 / 12) ** 0.5)
    rtol = 0.03 if settings is ALL_PIXELS else 0.1  # a third of the pixels
    torch.testing.assert_close(found[0], expected, rtol=rtol, atol=0)
    # The drift that is removed before the start weighs flat pixels by the argument.
    torch.testing.assert_close(found[0], found[1], rtol=0.02, atol=0)


def test_training_starts_at_the_scale_of_the_first_batch_and_only_there():
    truth, hr = LearnedNoise(1, radius=1, knots=1, sigma=5.0).eval(), smooth()
    with torch.no_grad():
        truth.taps[range(3), range(3), -1] = 0.5
    given = batch(hr, made(truth, hr))
    task = NoiseLearning(SMALL, scale=1, **ALL_PIXELS)
    stated = task.noise.log_sigma.detach().clone()
    task.eval().losses(given)
    assert not task.started and torch.equal(task.noise.log_sigma, stated)
    task.train().losses(given)
    assert task.started
    # The correlation is found as well, so the level is that of what it does not predict.
    level = task.noise.log_sigma.exp()
    torch.testing.assert_close(level, torch.full((3, 3), 5.0), rtol=0.15, atol=0)
    torch.testing.assert_close(task.noise.taps, truth.taps, rtol=0, atol=0.08)
    first = task.noise.log_sigma.detach().clone()
    louder = batch(hr, made(LearnedNoise(1, sigma=20.0).eval(), hr))
    task.losses(louder)
    assert torch.equal(task.noise.log_sigma, first)
    # A run that goes on does not start again, however its weights have moved.
    again = NoiseLearning(SMALL, scale=1, **ALL_PIXELS).train()
    again.load_state_dict(task.state_dict())
    again.losses(louder)
    assert again.started and torch.equal(again.noise.log_sigma, first)


def test_the_smooth_noise_of_enlarged_lr_is_found_in_a_short_run():
    """From no correlation, 30 iterations end at 1.45 nats, as more white noise than is there."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(4, 3, 12, 12, generator=generator)
    enlarged = torch.nn.functional.interpolate(coarse, size=(48, 48), mode="bilinear")
    hr = 0.3 + 0.4 * smooth()
    lr = ((hr + 5 * enlarged / 255) * 255).round() / 255
    task = NoiseLearning({**SMALL, "radius": 2}, scale=1, drift=0, **ALL_PIXELS)
    assert train(task, batch(hr, lr), 30, 0.03) < 1.1


def test_noise_that_was_trained_already_is_not_started_again(tmp_path):
    hr = smooth()
    given = batch(hr, made(camera(), hr))
    known = LearnedNoise(1, radius=1, knots=3, sigma=11.0)
    known.mark_trained()
    known.save(tmp_path / "noise.safetensors")
    task = NoiseLearning({"checkpoint": str(tmp_path / "noise.safetensors")}, scale=1).train()
    start = task.structure.detach().clone()
    task.losses(given)
    assert task.started and torch.equal(task.structure, start)
    torch.testing.assert_close(task.noise.log_sigma, known.log_sigma, rtol=0, atol=0)


def test_the_variance_of_edges_starts_lower_only_where_residuals_say_so():
    generator = torch.Generator().manual_seed(0)
    hr = 0.3 + 0.4 * smooth()
    hr = (hr + 0.03 * torch.randn(hr.shape, generator=generator)).clamp(0, 1)
    energy = edge_energy(hr)
    found = {}
    for name, factor, sigma in (("wrong", 1.0, 1.0), ("right", 0.0, 1.0), ("unknown", 0.0, 200.0)):
        spread = (sigma**2 + factor * energy).sqrt() / 255
        lr = hr + spread * torch.randn(hr.shape, generator=generator)
        task = NoiseLearning({**SMALL, "rounding": False}, scale=1, flat_share=0.9, drift=0)
        task.train().losses(batch(hr, lr))
        found[name] = task.structure.detach().exp()
        if name == "right":
            level = task.noise.log_sigma.detach().exp()
            torch.testing.assert_close(level, torch.ones(3, 3), rtol=0.3, atol=0)
    assert found["right"].max() < 0.02
    for name in ("wrong", "unknown"):
        torch.testing.assert_close(found[name], torch.full((3,), 0.1))


def test_an_error_of_the_mean_at_edges_is_not_taken_for_noise():
    """HR moved by half a pixel: the residual at edges is many times the noise."""
    truth = LearnedNoise(1, radius=0, colour=False, sigma=1.0).eval()
    hr = smooth(side=64)
    hr[..., ::16] = 1 - hr[..., ::16]
    moved = (hr + hr.roll(1, 3)) / 2
    given = batch(hr, made(truth, moved))
    wrong = float(((given["lr"] - hr) * 255)[..., 2:-2].std())
    task = NoiseLearning({**SMALL, "knots": 1}, scale=1)
    train(task, given, 60)
    task.degradation.settle()  # as the export does
    level = task.degradation.deviations(torch.tensor([0.5])).mean()
    assert wrong > 15 and float(level) == pytest.approx(1.04, rel=0.25)


def test_noise_below_the_rounding_does_not_collapse():
    """Where real LR is the rounded mean the likelihood has no pole, and stays finite."""
    hr = (smooth() * 255).round() / 255
    task = NoiseLearning({**SMALL, "sigma": 0.3}, scale=1, flat_share=1.0, structure=False)
    assert 0 <= train(task, batch(hr, hr), 60) < 0.1
    assert task.degradation.unpredictable(hr).min() >= 0.05
    assert all(parameter.isfinite().all() for parameter in task.parameters())


def test_behind_a_frozen_mean_only_noise_is_trained(tmp_path):
    kernel = GlobalKernel(2, False, kernel_size=3)
    with torch.no_grad():
        kernel.kernel.fill_(1 / 9)
    kernel.mark_trained()
    kernel.save(tmp_path / "mean.safetensors")
    parts = [{"checkpoint": str(tmp_path / "mean.safetensors")}, SMALL]
    chain = {"type": "Compose", "parts": parts}
    task = NoiseLearning(chain, scale=2, same_size=False, flat_share=1.0)
    hr = smooth(side=64)
    lr = made(Compose([kernel, camera()], 2), hr)
    start = sum(task.losses(batch(hr, lr)).values()).item()
    assert train(task, batch(hr, lr), 40) < start
    assert not any(p.requires_grad for p in task.members[0].parameters())
    path = tmp_path / "degradation.safetensors"
    task.export(path, {})
    again = create_degradation(str(path))
    assert again.is_trained and torch.equal(again(hr, range(4)), task.eval().output(batch(hr, lr)))
    (prediction, *_) = task.predict(batch(hr, lr))
    assert prediction["prediction"].shape == (3, 32, 32)


def test_joint_training_leaves_the_mean_to_its_own_loss():
    torch.manual_seed(0)
    parts = [SMALL_DML, SMALL]
    config = {"type": "Compose", "parts": parts}
    task = NoiseLearning(config, mean="joint", scale=2, same_size=False).train()
    hr = smooth(side=64)
    losses = task.losses(batch(hr, hr[..., ::2, ::2].mul(255).round() / 255))
    assert set(losses) == {"loss", "loss_likelihood", "loss_smoothness"}
    losses["loss_likelihood"].backward(retain_graph=True)
    mean, noise = task.members
    assert all(p.grad is None for p in mean.parameters())
    assert all(p.grad is not None for p in noise.parameters())
    losses["loss"].backward()
    assert any(p.grad.abs().sum() > 0 for p in mean.parameters())


def test_a_brightness_without_pixels_follows_its_neighbours():
    truth = LearnedNoise(1, radius=0, colour=False, sigma=4.0).eval()
    hr = smooth() * 0.5
    given = batch(hr, made(truth, hr))
    task = NoiseLearning(SMALL, scale=1, flat_share=1.0, structure=False)
    train(task, given, 60)
    found = task.degradation.unpredictable(torch.ones(1, 3, 1, 1))
    torch.testing.assert_close(found, torch.full_like(found, 4.0), rtol=0.25, atol=0)
    assert float(task.noise.roughness().detach()) < 0.1


def test_edge_energy_is_the_squared_slope():
    ramp = (torch.arange(16) * 3 / 255).view(1, 1, 1, 16).expand(1, 3, 16, 16)
    found = edge_energy(ramp)[..., 4:-4, 4:-4]
    torch.testing.assert_close(found, torch.full_like(found, 9.0))


class _Data:
    def __init__(self, side, count=2):
        self.records = [Record(f"{i}", f"{i}h", f"{i}l", {}) for i in range(count)]
        self.side = side

    def size_of(self, path):
        assert str(path).endswith("l")
        return self.side, self.side


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="the last part is AWGN"):
        NoiseLearning({"type": "Compose", "parts": [SMALL, {"type": "AWGN"}]}, scale=1)
    with pytest.raises(ConfigError, match=r"OneOf chooses among them"):
        NoiseLearning({"type": "OneOf", "parts": [SMALL, {"type": "AWGN"}]}, scale=1)
    with pytest.raises(ConfigError, match=r"the last part is Bicubic"):
        NoiseLearning("Bicubic", scale=2)
    with pytest.raises(ConfigError, match=r"DML, before the noise, is untrained.*'joint'"):
        task = NoiseLearning({"type": "Compose", "parts": [SMALL_DML, SMALL]}, scale=2)
        task.losses(batch(smooth(), smooth()[..., ::2, ::2]))
    with pytest.raises(ConfigError, match=r"flat_share is 0"):
        NoiseLearning(SMALL, scale=1, flat_share=0)
    task, hr = NoiseLearning(SMALL, scale=1), smooth()
    with pytest.raises(DataError, match=r"off a level.*rounding=False"):
        task.losses(batch(hr, hr + 0.4 / 255))
    with pytest.raises(DataError, match="needs real pairs"):
        task.losses({**batch(hr, hr), "lr": None})
    with pytest.raises(DataError, match=r"patches of 4 x 4 LR pixels vanish"):
        NoiseLearning(SMALL, scale=1, border=2).losses(batch(hr[..., :4, :4], hr[..., :4, :4]))
    needed = task.noise.least_pixels
    assert needed == 50 * (9 + 36 + 3)
    with pytest.raises(DataError, match=rf"2 pairs with 800 LR pixels.*needs {needed}"):
        task.check_data(_Data(20))
    task.check_data(_Data(40))
