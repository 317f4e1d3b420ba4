from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.srvgg_compact import SRVGGNetCompact
from realdeg.errors import CheckpointError, ConfigError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"scale": 1}, 595_459),
        ({"same_size": True}, 595_459),
        ({"scale": 2}, 600_652),
        ({"scale": 3}, 609_307),
        ({"scale": 4}, 621_424),
        ({"scale": 4, "num_convs": 32}, 1_213_296),
        ({"scale": 2, "num_convs": 32}, 1_192_524),
        ({"scale": 2, "num_convs": 8}, 304_716),
        ({"scale": 2, "num_convs": 8, "num_features": 24}, 45_156),
    ],
)
def test_parameters(settings, count):
    assert parameters(on_meta(SRVGGNetCompact, **settings)) == count


def test_published_keys():
    expected = {"body.0.weight": (64, 3, 3, 3), "body.0.bias": (64,)}
    for k in range(17):
        expected[f"body.{2 * k + 1}.weight"] = (64,)
    for k in range(1, 17):
        expected |= {f"body.{2 * k}.weight": (64, 64, 3, 3), f"body.{2 * k}.bias": (64,)}
    expected |= {"body.34.weight": (48, 64, 3, 3), "body.34.bias": (48,)}
    assert shapes(on_meta(SRVGGNetCompact)) == expected
    assert "body.66.bias" in shapes(on_meta(SRVGGNetCompact, num_convs=32))


@pytest.mark.parametrize("activation", ["prelu", "relu", "leakyrelu"])
@pytest.mark.parametrize("scale", [1, 3])
def test_it_adds_the_nearest_neighbour(scale, activation):
    torch.manual_seed(0)
    settings = {"num_features": 4, "num_convs": 1, "activation": activation}
    network = SRVGGNetCompact(scale, **settings).double().eval()
    slope = {"prelu": 0.25, "relu": 0.0, "leakyrelu": 0.1}[activation]
    lr = torch.rand(2, 3, 5, 4, dtype=torch.float64)
    x = lr
    for layer in (network.body[0], network.body[2]):
        x = layer(x)
        x = torch.where(x > 0, x, slope * x)
    wanted = F.pixel_shuffle(network.body[4](x), scale)
    wanted = wanted + F.interpolate(lr, scale_factor=scale, mode="nearest")
    torch.testing.assert_close(network(lr), wanted)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"num_convs": 4}, "num_convs=3"),
        ({"num_features": 5}, "num_features=6"),
        ({"scale": 4}, "scale=2"),
    ],
)
def test_weights_of_another_form_are_refused_by_name(tmp_path, settings, match):
    path = tmp_path / "compact.pth"
    torch.save({"params": SRVGGNetCompact.example().state_dict()}, path)
    load_weights(SRVGGNetCompact.example(), path)
    with pytest.raises(CheckpointError, match=match):
        load_weights(SRVGGNetCompact(**{**SRVGGNetCompact.example().arguments, **settings}), path)


def test_halo_is_tight(reach):
    network = SRVGGNetCompact(scale=3, num_features=1, num_convs=2)
    assert reach(network) == network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = SRVGGNetCompact(scale=2, num_features=8, num_convs=2)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.8 * before


@pytest.mark.parametrize(
    "settings", [{"num_convs": 0}, {"activation": "prelux"}, {"colour": "lab"}]
)
def test_refusals(settings):
    with pytest.raises(ConfigError):
        SRVGGNetCompact(**settings)
