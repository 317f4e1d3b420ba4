"""The deep image prior: its network and how it fits."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.degradations.estimation.skip_network import SkipNetwork
from realdeg.degradations.primitives.resize import imresize
from realdeg.zero_shot import DIP


def picture(side):
    generator = torch.Generator().manual_seed(1)
    return imresize(torch.rand(1, 3, 4, 4, generator=generator), size=(side, side)).clamp(0, 1)


def test_the_network_is_the_published_one():
    network = SkipNetwork(32, 3, 128, 4, 5)
    # By hand: five levels, of convolutions with biases and batch normalisations.
    down = sum(9 * into * 128 + 128 + 9 * 128 * 128 + 128 + 4 * 128 for into in (32, *[128] * 4))
    skips = sum(4 * into + 4 + 8 for into in (32, *[128] * 4))
    up = 5 * (2 * 132 + 9 * 132 * 128 + 128 + 128 * 128 + 128 + 4 * 128)
    assert sum(p.numel() for p in network.parameters()) == down + skips + up + 128 * 3 + 3
    assert network(torch.rand(1, 32, 67, 70)).shape == (1, 3, 67, 70)


@pytest.mark.parametrize("kernel", ["lanczos", "bicubic", {"shape": "gaussian", "size": 9}])
def test_it_fits_the_image(kernel):
    if isinstance(kernel, dict):
        kernel = {**kernel, "sigma_x": 1.2}
    method = DIP(2, kernel, iterations=80, width=12, levels=2, inputs=8, average=0.9)
    lr = picture(16)
    made = method(lr)
    reached = method.trainings[0].error
    flat = float(F.mse_loss(lr.mean((2, 3), keepdim=True).expand_as(lr), lr))
    assert reached < 0.25 * flat
    assert float(F.mse_loss(imresize(made, size=(16, 16)), lr)) < 0.25 * flat


def test_defaults_by_scale():
    four, eight = DIP(4), DIP(8)
    assert (four.iterations, four.jitter, eight.iterations, eight.jitter) == (
        2000,
        0.03,
        4000,
        0.05,
    )
    assert DIP(4).smallest == 16 and DIP(2, average=0).patience is None


def test_patience_ends_it():
    method = DIP(2, iterations=60, width=4, levels=1, inputs=2, average=0.5, patience=1)
    method(picture(8))
    (training,) = method.trainings
    assert training.ended == "converged" and training.iterations < 60
