from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.depthwise_sr import DepthwiseSR, SeparableBlock
from realdeg.errors import ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


@pytest.mark.parametrize(("scale", "count"), [(2, 341_763), (3, 526_403), (4, 489_475)])
def test_parameters(scale, count):
    network = on_meta(DepthwiseSR, scale=scale)
    assert parameters(network) == count
    block = 2 * (64 * 9 + 64 + 64 * 64 + 64)
    step = {2: 64 * 9 * 256 + 256, 3: 64 * 9 * 576 + 576, 4: 2 * (64 * 9 * 256 + 256)}[scale]
    ends = (3 * 9 * 64 + 64) + (64 * 9 * 64 + 64) + (64 * 9 * 3 + 3)
    assert count == 16 * block + step + ends


def test_keys():
    found = shapes(on_meta(DepthwiseSR))
    assert found["head.0.weight"] == (64, 3, 3, 3)
    assert found["body.15.dw2.weight"] == (64, 1, 3, 3)
    assert found["body.0.pw1.weight"] == (64, 64, 1, 1)
    assert found["body.16.weight"] == (64, 64, 3, 3)
    assert found["tail.0.2.weight"] == (256, 64, 3, 3)
    assert found["tail.1.weight"] == (3, 64, 3, 3)
    assert len(found) == 142


def test_block_equals_its_layers():
    torch.manual_seed(0)
    block = SeparableBlock(3).double()
    x = torch.randn(1, 3, 5, 4, dtype=torch.float64)
    first = torch.einsum("oi,bihw->bohw", block.pw1.weight[..., 0, 0], block.dw1(x))
    first = (first + block.pw1.bias.reshape(1, -1, 1, 1)).clamp(min=0)
    torch.testing.assert_close(block(x), x + block.pw2(block.dw2(first)))
    alone = F.conv2d(x[:, 1:2], block.dw1.weight[1:2], block.dw1.bias[1:2], padding=1)
    torch.testing.assert_close(block.dw1(x)[:, 1:2], alone)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_halo_is_tight(scale, reach):
    network = DepthwiseSR(scale=scale, features=2, num_blocks=1)
    assert reach(network) == network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = DepthwiseSR(scale=2, features=12, num_blocks=1)
    before, after = losses_of_training(network, F.l1_loss, lr=1e-2)
    assert after < 0.9 * before


def test_it_says_that_it_is_a_concept():
    assert "reproduces no paper" in DepthwiseSR.__doc__


@pytest.mark.parametrize(
    ("settings", "error"), [({"features": 0}, ConfigError), ({"scale": 8}, GeometryError)]
)
def test_refusals(settings, error):
    with pytest.raises(error):
        DepthwiseSR(**settings)
