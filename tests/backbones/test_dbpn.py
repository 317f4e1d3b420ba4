from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.dbpn import DBPN
from realdeg.backbones.parts.pyramid import pil_bicubic
from realdeg.errors import ConfigError, GeometryError

COUNTS = {
    "dbpn": (5_953_526, 10_426_358, 23_205_878),
    "dbpnll": (8_811_086, 15_348_302, 34_026_062),
    "dbpns": (1_354_766, 2_386_958, 5_336_078),
    "dbpn_res_mr64_3": (5_946_614, 10_419_446, 23_198_966),
}


def small(**settings):
    return DBPN(**{"scale": 2, "stages": 4, "num_features": 3, "stem_features": 4} | settings)


@pytest.mark.parametrize("preset", COUNTS)
def test_parameters(preset):
    for scale, parameters in zip((2, 4, 8), COUNTS[preset], strict=True):
        with torch.device("meta"):
            network = DBPN(scale=scale, preset=preset)
        assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_keys_of_the_public_weights():
    with torch.device("meta"):
        state = DBPN(scale=4).state_dict()
    wanted = {"feat0.conv": (256, 3, 3, 3), "feat1.conv": (64, 256, 1, 1)}
    for i in range(1, 8):
        for name in ("up_conv1.deconv", "up_conv2.conv", "up_conv3.deconv"):
            wanted[f"up{i}.{name}"] = (64, 64, 8, 8)
        if i > 2:
            wanted[f"up{i}.conv.conv"] = (64, 64 * (i - 1), 1, 1)
    for i in range(1, 7):
        for name in ("down_conv1.conv", "down_conv2.deconv", "down_conv3.conv"):
            wanted[f"down{i}.{name}"] = (64, 64, 8, 8)
        if i > 1:
            wanted[f"down{i}.conv.conv"] = (64, 64 * i, 1, 1)
    expected = {"output_conv.conv.weight": (3, 448, 3, 3), "output_conv.conv.bias": (3,)}
    for name, shape in wanted.items():
        expected |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        expected[f"{name.rsplit('.', 1)[0]}.act.weight"] = (1,)
    assert {name: tuple(value.shape) for name, value in state.items()} == expected
    assert len(expected) == 155


def reference(network, lr):
    """The network's equations, spelled out."""
    w = network.state_dict()
    shape = {"stride": network.scale, "padding": 2}

    def conv(x, name, **settings):
        x = F.conv2d(x, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], **settings)
        return F.prelu(x, w[f"{name}.act.weight"]) if f"{name}.act.weight" in w else x

    def deconv(x, name):
        weight, bias = w[f"{name}.deconv.weight"], w[f"{name}.deconv.bias"]
        return F.prelu(F.conv_transpose2d(x, weight, bias, **shape), w[f"{name}.act.weight"])

    def up(x, i):
        name = f"up{i}"
        x = conv(x, f"{name}.conv") if f"{name}.conv.conv.weight" in w else x
        high = deconv(x, f"{name}.up_conv1")
        low = conv(high, f"{name}.up_conv2", **shape)
        return high + deconv(low - x, f"{name}.up_conv3")

    def down(x, i):
        name = f"down{i}"
        x = conv(x, f"{name}.conv") if f"{name}.conv.conv.weight" in w else x
        low = conv(x, f"{name}.down_conv1", **shape)
        high = deconv(low, f"{name}.down_conv2")
        return low + conv(high - x, f"{name}.down_conv3", **shape)

    low, results = conv(conv(lr, "feat0", padding=1), "feat1"), []
    for _ in range(network.iterations):
        h1 = up(low, 1)
        l1 = down(h1, 1)
        h2 = up(l1, 2)
        l2 = down(torch.cat([h2, h1], 1), 2)
        h3 = up(torch.cat([l2, l1], 1), 3)
        low = down(torch.cat([h3, h2, h1], 1), 3)
        h4 = up(torch.cat([low, l2, l1], 1), 4)
        results.append(h4)
    seen = [h4, h3, h2, h1] if network.iterations == 1 else results
    return conv(torch.cat(seen, 1), "output_conv", padding=1)


@pytest.mark.parametrize("iterations", [1, 3])
def test_equals_a_reference(iterations):
    torch.manual_seed(0)
    network = small(iterations=iterations).double()
    lr = torch.rand(1, 3, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(network(lr), reference(network, lr), rtol=1e-10, atol=1e-10)
    added = small(iterations=iterations, residual=True).double()
    added.load_state_dict(network.state_dict())
    torch.testing.assert_close(added(lr), network(lr) + pil_bicubic(lr, 2))


def test_res_mr_adds_the_bicubic_image():
    with torch.device("meta"):
        assert DBPN(preset="dbpn_res_mr64_3").residual
        assert not DBPN().residual and not DBPN(preset="dbpnll").residual


def test_data_parallel_weights(tmp_path):
    network, path = small(), tmp_path / "w.pth"
    torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, path)
    again = small()
    load_weights(again, path)
    lr = torch.rand(1, 3, 4, 4)
    assert torch.equal(again(lr), network(lr))


def test_initialisation_is_he():
    torch.manual_seed(0)
    network = DBPN(preset="dbpns", scale=2)
    std = network.up1.up_conv1.deconv.weight.std().item()
    assert std == pytest.approx(math.sqrt(2 / (36 * 64)), rel=0.05)
    assert network.feat0.act.weight.item() == 0.25


def test_halo_is_tight(reach):
    for scale in (2, 4, 8):
        network = DBPN(scale=scale, stages=2, num_features=1, stem_features=1)
        assert reach(network) == network.halo, scale
    network = small(stages=3, iterations=2, num_features=1, stem_features=1, residual=True)
    assert reach(network) == network.halo


def test_refusals():
    for settings in ({"preset": "dbpnl"}, {"stages": 1}, {"iterations": 2, "stages": 2}):
        with pytest.raises(ConfigError):
            DBPN(**settings)
    with pytest.raises(GeometryError, match="scale 3"):
        DBPN(scale=3)
