from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.csnln import (
    CSNLN,
    CrossScaleAttention,
    InScaleAttention,
    MultiSourceProjection,
)
from realdeg.errors import ConfigError, GeometryError
from tests.backbones import naive_attention as naive
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


@pytest.mark.parametrize(("scale", "count"), [(2, 3_061_265), (3, 6_010_385), (4, 6_568_603)])
def test_parameters(scale, count):
    assert parameters(on_meta(CSNLN, scale=scale)) == count


@pytest.mark.parametrize(("scale", "side"), [(2, 6), (3, 9), (4, 6)])
def test_published_keys(scale, side):
    layers = {"tail.0": (3, 1536, 3, 3), "sub_mean": (3, 3, 1, 1), "add_mean": (3, 3, 1, 1)}
    wanted = {f"{name}.weight": shape for name, shape in layers.items()}
    wanted |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    projections = ["SEM.multi_source_projection"]
    blocks = {"head.0": (128, 3, 3, 3), "head.1": (128, 128, 3, 3)}
    large, largest = (128, 128, side, side), (128, 128, 8, 8)
    blocks |= {"SEM.down_sample_1": large, "SEM.error_encode": large}
    blocks["SEM.post_conv"] = (128, 128, 3, 3)
    if scale == 4:
        projections.append("SEM.multi_source_projection_2")
        for name in ("down_sample_3", "down_sample_4", "error_encode_2"):
            blocks[f"SEM.{name}"] = largest
    else:
        blocks["SEM.down_sample_2"] = large
    for name in projections:
        wanted[f"{name}.up_attention.escape_NaN"] = (1,)
        for part in ("up_attention.conv_match_", "down_attention.conv_match"):
            blocks |= {f"{name}.{part}{i}": (64, 128, 1, 1) for i in (1, 2)}
        for part in ("up_attention", "down_attention"):
            blocks[f"{name}.{part}.conv_assembly"] = (128, 128, 1, 1)
        blocks[f"{name}.upsample"] = large
        wanted[f"{name}.encoder.body.1.weight"] = (1,)
        for i in (0, 2):
            wanted[f"{name}.encoder.body.{i}.weight"] = (128, 128, 3, 3)
            wanted[f"{name}.encoder.body.{i}.bias"] = (128,)
    for name, shape in blocks.items():
        wanted[f"{name}.0.weight"], wanted[f"{name}.0.bias"] = shape, shape[:1]
        wanted[f"{name}.1.weight"] = (1,)
    assert shapes(on_meta(CSNLN, scale=scale)) == wanted


@pytest.mark.parametrize("factor", [2, 3])
def test_cross_scale_attention_equals_the_naive_form(factor):
    torch.manual_seed(0)
    layer = CrossScaleAttention(8, factor)
    features = torch.randn(2, 8, 6, 12)
    small = F.interpolate(features, scale_factor=1 / factor, mode="bilinear")
    wanted = naive.paste_matches(
        layer.conv_match_1(features),
        layer.conv_match_2(small),
        layer.conv_assembly(features),
        factor,
        layer.escape_NaN,
    )
    found = layer(features)
    assert found.shape == (2, 8, 6 * factor, 12 * factor)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_in_scale_attention_equals_the_naive_form():
    torch.manual_seed(0)
    layer = InScaleAttention(8)
    features = torch.randn(2, 8, 5, 6)
    parts = (layer.conv_match1, layer.conv_match2, layer.conv_assembly)
    tokens = [part(features).flatten(2).transpose(1, 2) for part in parts]
    wanted = naive.over_keys(*tokens).transpose(1, 2).reshape(2, 8, 5, 6)
    torch.testing.assert_close(layer(features), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_tail_sees_every_step(scale):
    torch.manual_seed(0)
    network = CSNLN(scale=scale, num_features=4, depth=3).eval()
    lr = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        low, highs = network.head(network.sub_mean(lr)), []
        for _ in range(3):
            highs.append(network.SEM(low))
            low = network.SEM.lower(highs[-1])
        wanted = network.add_mean(network.tail(torch.cat(highs, 1)))
        torch.testing.assert_close(network(lr), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("scale", "size"), [(2, (6, 8)), (3, (6, 9)), (4, (6, 8))])
def test_odd_sizes_are_reflected(scale, size):
    torch.manual_seed(0)
    network = CSNLN(scale=scale, num_features=4, depth=1).eval()
    lr = torch.rand(1, 3, 5, 7)
    with torch.no_grad():
        whole = network(F.pad(lr, (0, size[1] - 7, 0, size[0] - 5), mode="reflect"))
        assert torch.equal(network(lr), whole[..., : 5 * scale, : 7 * scale])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_local_halo(scale, reach):
    """With attentions that answer from where they ask, nothing looks further than said."""
    network = CSNLN(scale=scale, num_features=2, depth=2)
    for module in network.modules():
        if isinstance(module, MultiSourceProjection):
            module.up_attention = torch.nn.Upsample(scale_factor=network.size_multiple)
            module.down_attention = torch.nn.Identity()
    assert network.halo // 2 < reach(network.eval()) <= network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = CSNLN(scale=2, num_features=16, depth=2)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"num_features": 5}, ConfigError),
        ({"depth": 0}, ConfigError),
        ({"scale": 8}, GeometryError),
        ({"same_size": True}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        CSNLN(**settings)
