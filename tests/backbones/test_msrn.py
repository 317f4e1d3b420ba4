from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.msrn import MSRN, MultiScaleBlock
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes, stored


@pytest.mark.parametrize(
    ("scale", "count"), [(2, 5_930_331), (3, 6_114_971), (4, 6_078_043), (8, 6_225_755)]
)
def test_parameters(scale, count):
    network = on_meta(MSRN, scale=scale)
    assert (stored(network), parameters(network)) == (count, count - 24)


def test_published_keys():
    wanted = {"sub_mean": (3, 3, 1, 1), "add_mean": (3, 3, 1, 1), "head.0": (64, 3, 3, 3)}
    for i in range(8):
        wanted[f"body.{i}.conv_3_1"] = (64, 64, 3, 3)
        wanted[f"body.{i}.conv_3_2"] = (128, 128, 3, 3)
        wanted[f"body.{i}.conv_5_1"] = (64, 64, 5, 5)
        wanted[f"body.{i}.conv_5_2"] = (128, 128, 5, 5)
        wanted[f"body.{i}.confusion"] = (64, 256, 1, 1)
    wanted |= {"tail.0": (64, 576, 1, 1), "tail.1": (64, 64, 3, 3), "tail.3": (3, 64, 3, 3)}
    wanted |= {"tail.2.0": (256, 64, 3, 3), "tail.2.2": (256, 64, 3, 3)}
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    assert len(expected) == 96
    assert shapes(on_meta(MSRN, scale=4)) == expected
    third = shapes(on_meta(MSRN, scale=3))
    assert third["tail.2.0.weight"] == (576, 64, 3, 3) and len(third) == 94
    assert len(shapes(on_meta(MSRN, scale=8))) == 98


def test_block_equals_its_layers():
    torch.manual_seed(0)
    block = MultiScaleBlock(3).double()
    x = torch.randn(1, 3, 6, 5, dtype=torch.float64)

    def step(image, conv):
        return F.conv2d(image, conv.weight, conv.bias, padding=conv.weight.shape[-1] // 2)

    once = torch.cat([step(x, block.conv_3_1), step(x, block.conv_5_1)], 1).clamp(min=0)
    twice = torch.cat([step(once, block.conv_3_2), step(once, block.conv_5_2)], 1).clamp(min=0)
    torch.testing.assert_close(block(x), x + step(twice, block.confusion))


def test_the_blocks_come_first_and_the_head_last():
    torch.manual_seed(0)
    network = MSRN.example().eval()
    seen = []
    network.tail.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    lr = torch.rand(1, 3, 5, 4) * 255
    with torch.no_grad():
        network(lr)
        head = network.head(network.sub_mean(lr))
        first = network.body[0](head)
    torch.testing.assert_close(seen[0], torch.cat([first, network.body[1](first), head], 1))


def test_value_range(tmp_path):
    assert MSRN.example().value_range == 255
    plain = MSRN(scale=2, features=3, num_blocks=1, mean_shift=False)
    assert plain.value_range == 1
    assert not any("mean" in name for name in plain.state_dict())
    path = tmp_path / "msrn.pth"
    shifted = MSRN(scale=2, features=3, num_blocks=1)
    torch.save(shifted.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"build it with MSRN\(mean_shift=True\)"):
        load_weights(plain, path)
    load_weights(plain, path, ignore=("sub_mean.", "add_mean."))
    assert torch.equal(plain.head[0].weight, shifted.head[0].weight)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_halo_is_tight(scale, reach):
    network = MSRN(scale=scale, features=1, num_blocks=1)
    assert reach(network) == network.halo


@pytest.mark.parametrize("scale", [2, 3])
def test_it_learns(scale):
    torch.manual_seed(0)
    network = MSRN(scale=scale, features=8, num_blocks=1, mean_shift=False)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"), [({"num_blocks": 0}, ConfigError), ({"scale": 5}, GeometryError)]
)
def test_refusals(settings, error):
    with pytest.raises(error):
        MSRN(**settings)
