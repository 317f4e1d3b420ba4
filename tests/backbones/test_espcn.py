from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.espcn import ESPCN
from realdeg.errors import ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


@pytest.mark.parametrize(("scale", "count"), [(2, 21_284), (3, 22_729), (4, 24_752)])
def test_parameters_and_published_keys(scale, count):
    network = on_meta(ESPCN, scale=scale)
    assert parameters(network) == count
    assert shapes(network) == {
        "first_part.0.weight": (64, 1, 5, 5),
        "first_part.0.bias": (64,),
        "first_part.2.weight": (32, 64, 3, 3),
        "first_part.2.bias": (32,),
        "last_part.0.weight": (scale**2, 32, 3, 3),
        "last_part.0.bias": (scale**2,),
    }


def test_equals_its_layers():
    torch.manual_seed(0)
    network = ESPCN(scale=3, features=4).double()
    lr = torch.rand(1, 1, 5, 4, dtype=torch.float64)
    first, _, second, _ = network.first_part
    x = torch.tanh(F.conv2d(lr, first.weight, first.bias, padding=2))
    x = torch.tanh(F.conv2d(x, second.weight, second.bias, padding=1))
    last = network.last_part[0]
    x = F.conv2d(x, last.weight, last.bias, padding=1)
    found = network(lr)
    # Channel 3*a + b is row a and column b of a pixel's block; nothing bounds the output.
    for a in range(3):
        for b in range(3):
            torch.testing.assert_close(found[0, 0, a::3, b::3], x[0, 3 * a + b])


def test_initialisation():
    torch.manual_seed(0)
    network = ESPCN()
    assert network.last_part[0].weight.std().item() == pytest.approx(0.001, rel=0.05)
    std = network.first_part[2].weight.std().item()
    assert std == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.05)
    assert all(not p.any() for name, p in network.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_halo_is_tight(scale, reach):
    network = ESPCN(scale=scale, features=2)
    assert reach(network) == network.halo == 4


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_learns(scale):
    torch.manual_seed(0)
    before, after = losses_of_training(ESPCN(scale=scale, features=16), F.mse_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"colour": "lab"}, ConfigError),
        ({"features": 3}, ConfigError),
        ({"scale": 8}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        ESPCN(**settings)
