from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.fsrcnn import FSRCNN
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import (
    decibels,
    losses_of_training,
    on_meta,
    parameters,
    shapes,
    weights_only,
)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_parameters(scale):
    network = on_meta(FSRCNN, scale=scale)
    assert (weights_only(network), parameters(network)) == (12_464, 12_809)
    small = on_meta(FSRCNN, scale=scale, preset="fsrcnn_s")
    assert (weights_only(small), parameters(small)) == (3_937, 4_086)


def test_published_keys():
    wanted = {"first_part.0": (56, 1, 5, 5), "mid_part.0": (12, 56, 1, 1)}
    wanted |= {f"mid_part.{i}": (12, 12, 3, 3) for i in (2, 4, 6, 8)}
    wanted |= {"mid_part.10": (56, 12, 1, 1), "last_part": (56, 1, 9, 9)}
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    expected |= {"last_part.bias": (1,), "first_part.1.weight": (56,), "mid_part.11.weight": (56,)}
    expected |= {f"mid_part.{i}.weight": (12,) for i in (1, 3, 5, 7, 9)}
    assert len(expected) == 23
    assert shapes(on_meta(FSRCNN)) == expected


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_deconvolution_is_aligned_as_published(scale):
    """The kernel's centre, index 4, falls on HR pixel scale * i."""
    network = FSRCNN(scale=scale, features=1, shrunk=1, mapping=0)
    with torch.no_grad():
        network.last_part.weight.zero_()
        network.last_part.weight[0, 0, 4, 4] = 1
        spread = network.last_part(torch.ones(1, 1, 3, 2))
    assert spread.shape == (1, 1, 3 * scale, 2 * scale)
    assert torch.equal(spread[..., ::scale, ::scale], torch.ones(1, 1, 3, 2))
    assert spread.sum() == 6


def test_equals_its_layers():
    torch.manual_seed(0)
    network = FSRCNN.example().double()
    lr = torch.rand(1, 1, 5, 4, dtype=torch.float64)
    x = lr
    layers = [*network.first_part, *network.mid_part]
    for conv, act in zip(layers[::2], layers[1::2], strict=True):
        x = F.conv2d(x, conv.weight, conv.bias, padding=conv.weight.shape[-1] // 2)
        x = torch.where(x >= 0, x, x * act.weight.reshape(1, -1, 1, 1))
    x = F.conv_transpose2d(x, network.last_part.weight, network.last_part.bias, stride=2)
    torch.testing.assert_close(network(lr), x[..., 4:14, 4:12])


def test_initialisation():
    torch.manual_seed(0)
    network = FSRCNN()
    std = network.first_part[0].weight.std().item()
    assert std == pytest.approx(math.sqrt(2 / (56 * 25)), rel=0.06)
    assert network.last_part.weight.std().item() == pytest.approx(0.001, rel=0.06)
    assert torch.equal(network.mid_part[1].weight, torch.full((12,), 0.25))
    assert network.first_part[0].bias.abs().sum() == 0


@pytest.mark.parametrize(("scale", "halo"), [(2, 8), (3, 8), (4, 7)])
def test_halo_is_tight(scale, halo, reach):
    network = FSRCNN(scale=scale, features=2, shrunk=2)
    assert network.halo == halo == reach(network)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_learns(scale):
    torch.manual_seed(0)
    network = FSRCNN(scale=scale, features=12, shrunk=6, mapping=1)
    before, after = losses_of_training(network, F.mse_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"preset": "fsrcnn_m"}, ConfigError),
        ({"colour": "lab"}, ConfigError),
        ({"features": 0}, ConfigError),
        ({"mapping": -1}, ConfigError),
        ({"scale": 8}, GeometryError),
        ({"same_size": True}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        FSRCNN(**settings)


def test_untrained_weights_are_of_no_scale(tmp_path):
    path = tmp_path / "fsrcnn.pth"
    torch.save(FSRCNN(scale=2).state_dict(), path)
    load_weights(FSRCNN(scale=3), path)


def test_weights_of_another_scale_are_named(real_data):
    path = real_data / "weights" / "fsrcnn_x3.pth"
    with pytest.raises(
        CheckpointError, match=r"scale=3 and this network scale=4: build it with FSRCNN\(scale=3\)"
    ):
        load_weights(FSRCNN(scale=4), path)


@pytest.mark.parametrize(("scale", "published"), [(2, 37.12), (3, 33.22), (4, 30.50)])
def test_published_weights(real_data, scale, published):
    """The port's own protocol and numbers (yjn870/FSRCNN-pytorch, README).

    HR resized, not cropped, to a multiple of the scale; Pillow's bicubic to 8 bit; Y with
    coefficients divided by 256; no border, no rounding of the result.
    """
    pillow = pytest.importorskip("PIL.Image")
    network = FSRCNN(scale=scale).eval()
    load_weights(network, real_data / "weights" / f"fsrcnn_x{scale}.pth")

    def luma(image):
        rgb = torch.from_numpy(np.asarray(image).astype(np.float32))
        weights = torch.tensor([64.738, 129.057, 25.064]) / 256
        return ((16 + rgb @ weights) / 255)[None, None]

    found = []
    for file in sorted((real_data / "Set5" / "HR" / "x2").glob("*.png")):
        image = pillow.open(file).convert("RGB")
        small = (image.width // scale, image.height // scale)
        hr = image.resize((small[0] * scale, small[1] * scale), pillow.BICUBIC)
        with torch.no_grad():
            sr = network(luma(hr.resize(small, pillow.BICUBIC))).clamp(0, 1)
        found.append(decibels(sr, luma(hr), border=0))
    assert len(found) == 5
    assert sum(found) / 5 == pytest.approx(published, abs=0.02)
