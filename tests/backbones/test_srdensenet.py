from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.srdensenet import SRDenseNet
from realdeg.errors import ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


def test_parameters_and_published_keys():
    network = on_meta(SRDenseNet)
    assert parameters(network) == 2_659_585
    wanted = {"conv.conv": (128, 1, 3, 3), "bottleneck.0": (256, 1152, 1, 1)}
    for b in range(8):
        wanted[f"dense_blocks.{b}.block.0.conv"] = (16, 128 * (b + 1), 3, 3)
        for layer in range(1, 8):
            wanted[f"dense_blocks.{b}.block.{layer}.conv"] = (16, 16 * layer, 3, 3)
    wanted |= {"deconv.0": (256, 256, 3, 3), "deconv.2": (256, 256, 3, 3)}
    wanted["reconstruction"] = (1, 256, 3, 3)
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    assert len(expected) == 138
    assert shapes(network) == expected


def test_only_a_blocks_first_layer_sees_what_was_before_it():
    torch.manual_seed(0)
    block = SRDenseNet(growth=2, num_blocks=1, num_layers=3, bottleneck=4).dense_blocks[0].double()
    x = torch.rand(1, 6, 4, 5, dtype=torch.float64)

    def layer(index, image):
        conv = block.block[index].conv
        return F.conv2d(image, conv.weight, conv.bias, padding=1).clamp(min=0)

    first = layer(0, x)
    second = layer(1, first)
    third = layer(2, torch.cat([first, second], 1))
    torch.testing.assert_close(block(x), torch.cat([x, first, second, third], 1))


def test_initialisation_is_he():
    torch.manual_seed(0)
    network = SRDenseNet(num_blocks=1)
    std = network.dense_blocks[0].block[0].conv.weight.std().item()
    assert std == pytest.approx(math.sqrt(2 / (128 * 9)), rel=0.05)
    assert all(not p.any() for name, p in network.named_parameters() if name.endswith("bias"))


def test_halo_is_tight(reach):
    network = SRDenseNet(growth=1, num_blocks=2, num_layers=3, bottleneck=2)
    assert reach(network) == network.halo == 8
    assert on_meta(SRDenseNet).halo == 66


def test_it_learns():
    torch.manual_seed(0)
    network = SRDenseNet(growth=4, num_blocks=2, num_layers=2, bottleneck=8)
    before, after = losses_of_training(network, F.mse_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"colour": "lab"}, ConfigError),
        ({"num_layers": 0}, ConfigError),
        ({"scale": 2}, GeometryError),
        ({"scale": 3}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        SRDenseNet(**settings)
