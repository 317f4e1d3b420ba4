from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.mdsr import MDSR
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes, stored


def small(**settings) -> MDSR:
    return MDSR(**{"num_blocks": 1, "num_features": 4} | settings)


@pytest.mark.parametrize(("preset", "count"), [("baseline", 3_227_203), ("full", 7_953_987)])
def test_parameters(preset, count):
    network = on_meta(MDSR, preset=preset)
    assert (parameters(network), stored(network)) == (count, count + 24)


def test_published_keys():
    wanted = {"sub_mean": (3, 3, 1, 1), "add_mean": (3, 3, 1, 1), "head.0": (64, 3, 3, 3)}
    for scale in range(3):
        for block in range(2):
            for k in (0, 2):
                wanted[f"pre_process.{scale}.{block}.body.{k}"] = (64, 64, 5, 5)
    for i in range(80):
        wanted |= {f"body.{i}.body.{k}": (64, 64, 3, 3) for k in (0, 2)}
    wanted |= {"body.80": (64, 64, 3, 3), "tail.0": (3, 64, 3, 3)}
    wanted |= {"upsample.0.0": (256, 64, 3, 3), "upsample.1.0": (576, 64, 3, 3)}
    wanted |= {"upsample.2.0": (256, 64, 3, 3), "upsample.2.2": (256, 64, 3, 3)}
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    assert shapes(on_meta(MDSR, preset="full")) == expected


def test_a_call_chooses_its_scale():
    torch.manual_seed(0)
    network = small(scale=3).eval()
    lr = torch.rand(2, 3, 5, 7) * 255
    for scale in (2, 3, 4):
        output = network(lr, scale=scale)
        assert output.shape[-2:] == network.output_size(5, 7, scale) == (5 * scale, 7 * scale)
    assert torch.equal(network(lr), network(lr, scale=3))
    with pytest.raises(GeometryError, match="scale 8"):
        network(lr, scale=8)


def test_the_long_skip_starts_behind_the_entry():
    torch.manual_seed(0)
    network = small(mean_shift=False).double().eval()
    lr = torch.rand(1, 3, 5, 4, dtype=torch.float64)
    entry = network.pre_process[1](network.head(lr))
    wanted = network.tail(network.upsamplers[1](network.body(entry) + entry))
    torch.testing.assert_close(network(lr, scale=3), wanted)


def test_only_the_chosen_scale_gets_gradients():
    network = small()
    network(torch.rand(1, 3, 4, 4), scale=2).sum().backward()
    touched = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert touched == {"head", "pre_process", "body", "upsamplers", "tail"}
    assert network.pre_process[0][0].body[0].weight.grad is not None
    assert network.pre_process[1][0].body[0].weight.grad is None


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_one_scale_out_of_three(tmp_path, scale):
    torch.manual_seed(0)
    source, network = small().eval(), small(scale=scale, multi_scale=False).eval()
    path = tmp_path / "mdsr.pth"
    torch.save(source.state_dict(), path)
    load_weights(network, path)
    lr = torch.rand(1, 3, 5, 4) * 255
    assert torch.equal(network(lr), source(lr, scale=scale))
    torch.save(network.state_dict(), path)
    load_weights(network, path)
    with pytest.raises(CheckpointError, match="multi_scale=False"):
        load_weights(source, path)


def test_another_mean_is_refused_by_name(tmp_path):
    path = tmp_path / "mdsr.pth"
    torch.save(small().state_dict(), path)
    with pytest.raises(CheckpointError, match="mean_shift=True"):
        load_weights(small(mean_shift=False), path)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_halo_is_tight(scale, reach):
    network = small(scale=scale, num_features=1, multi_scale=False)
    assert reach(network) == network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = small(scale=3, num_features=8, mean_shift=False)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.8 * before


def test_refusals():
    with pytest.raises(ConfigError, match="baseline"):
        MDSR(preset="base")
    with pytest.raises(ConfigError):
        MDSR(num_blocks=0)
    with pytest.raises(GeometryError):
        MDSR(scale=8)
