"""KernelGAN's parts, and what it finds where the kernel is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from realdeg.datasets import SampleDataset
from realdeg.degradations.estimation import kernelgan
from realdeg.degradations.estimation.kernelgan import (
    build_networks,
    crop_weights,
    draw_crops,
    kernel_for_four,
    shrink,
)
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.degradations.primitives.kernel_moments import centroid
from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import to_tensor
from tests.degradations.estimation.test_pairs import expose, scene


def test_the_folded_chain_is_the_chain():
    """Same values and same gradients as six convolutions in a row."""
    generator, _ = build_networks(torch.Generator().manual_seed(0))
    generator = generator.double()
    x = torch.randn(1, 3, 40, 36, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = x.transpose(0, 1)
    for weight in list(generator.layers)[:-1]:
        y = F.conv2d(y, weight)
    y = F.conv2d(y, generator.layers[-1], stride=2).transpose(0, 1)
    folded = generator(x, 2)
    assert folded.shape == y.shape == (1, 3, 14, 12)
    torch.testing.assert_close(folded, y, rtol=1e-10, atol=0)
    wanted = torch.autograd.grad(y.square().sum(), list(generator.layers))
    found = torch.autograd.grad(folded.square().sum(), list(generator.layers))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=0)


def test_networks_come_from_their_seed_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build_networks(torch.Generator().manual_seed(3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = build_networks(torch.Generator().manual_seed(3))
    for one, other in zip(first, second, strict=True):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name
    critic = first[1]
    assert critic(torch.rand(1, 3, 26, 26)).shape == (1, 1, 20, 20)


def test_the_kernel_for_four_is_two_steps_of_two():
    kernel = gaussian_kernel(13, 1.1, 0.7, 0.4, (0.5, 0.5))
    four = kernel_for_four(kernel)
    assert four.shape == (25, 25)
    assert centroid(four) == pytest.approx((0.5, 0.5), abs=1e-3)
    x = torch.rand(1, 1, 90, 90, dtype=torch.float64)
    twice = shrink(shrink(x, kernel, 2), kernel, 2)
    # Each step's first window starts at 0, so LR pixel 0 lies at 6 + 2 * 6 = 18 for a stride of
    # 4, whose window of 25 starts at 18 + 2 - 13.
    once = shrink(x[..., 7:, 7:], four, 4)
    side = min(twice.shape[-1], once.shape[-1])
    torch.testing.assert_close(once[..., :side, :side], twice[..., :side, :side], atol=2e-5, rtol=0)


def test_a_short_run_is_repeatable_and_sound():
    lr = expose(scene(0, 192), gaussian_kernel(13, 1.2, centre=(0.5, 0.5)), 2)
    first, second = (kernelgan(lr, 2, 100, seed=4) for _ in range(2))
    assert torch.equal(first.kernel, second.kernel)
    assert not torch.equal(first.kernel, kernelgan(lr, 2, 100, seed=5).kernel)
    assert first.kernel.shape == (13, 13) and (first.kernel >= 0).all()
    assert float(first.kernel.sum()) == pytest.approx(1, abs=1e-9)
    assert centroid(first.kernel) == pytest.approx((0.5, 0.5), abs=2e-3)
    assert first.record["released"] and first.record["iterations"] == 100
    assert kernelgan(lr, 3, 100).kernel.shape == (13, 13)
    assert kernelgan(lr, 4, 100).kernel.shape == (25, 25)


def test_mistakes_are_named():
    lr = torch.rand(1, 3, 80, 80)
    with pytest.raises(ConfigError, match="scale 2, 3 or 4"):
        kernelgan(lr, 8)
    with pytest.raises(ConfigError, match="at least 100"):
        kernelgan(lr, 2, 10)
    with pytest.raises(DataError, match="at least 64 x 64"):
        kernelgan(lr[..., :60, :], 2)
    with pytest.raises(DataError, match="no gradients"):
        kernelgan(torch.full((1, 3, 80, 80), 0.5), 2)


def test_crops_lie_where_gradients_are_strongest():
    """Faint texture everywhere counts for nothing beside edges, as in the published program."""
    draws = torch.Generator().manual_seed(0)
    image = 0.5 + 0.05 * torch.rand(1, 3, 120, 120, generator=draws)
    image[..., 80:104, 80:104] = torch.rand(1, 3, 24, 24, generator=draws)
    for weights in crop_weights(image, 2):
        assert weights.shape == (120, 120) and weights[70:114, 70:114].sum() == weights.sum()
    fine, _ = crop_weights(image, 2)
    corners = draw_crops(fine, 26, 50, 1, np.random.default_rng(0))
    assert all(min(corner) > 50 for corner in corners)
    # Texture at the border alone is in the middle of no crop: all are equally likely.
    image = torch.full((1, 3, 64, 64), 0.5)
    image[..., 6:12, :] = torch.rand(1, 3, 6, 64, generator=draws)
    fine, coarse = crop_weights(image, 2)
    assert draw_crops(coarse, 64, 3, 2, np.random.default_rng(0)) == [(0, 0)] * 3


@pytest.mark.slow
def test_a_known_kernel_is_found_better_than_bicubic_would_be():
    hr = to_tensor(SampleDataset(split="train", scale=2, mode="hr").load(1)["hr"])[None]
    truth = gaussian_kernel(13, 1.6, 1.0, 0.7, (0.5, 0.5))
    lr = expose(hr[..., : hr.shape[2] // 2 * 2, : hr.shape[3] // 2 * 2], truth, 2)
    found = kernelgan(lr, 2)
    assert found.record["released"]
    delta = torch.zeros(13, 13, dtype=torch.float64)
    delta[6:8, 6:8] = 0.25  # sharper than the truth, as bicubic is
    error, yardstick = ((k - truth).norm() / truth.norm() for k in (found.kernel, delta))
    assert error < 0.6 * yardstick
