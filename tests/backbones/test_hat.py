from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.hat import HAT
from realdeg.backbones.parts.hat import OverlapAttention, overlap_index
from realdeg.errors import ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes
from tests.backbones.test_swinir import same_picture_in_spandrel, shaken

SMALL = {"groups": 2, "blocks": 2, "width": 12, "heads": 2, "squeeze": 4}


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"scale": 2}, 20_624_795),
        ({"scale": 3}, 20_809_435),
        ({}, 20_772_507),
        ({"preset": "hat_s"}, 9_621_183),
        ({"preset": "hat_l"}, 40_846_575),
    ],
)
def test_parameters(settings, count):
    assert parameters(on_meta(HAT, **settings)) == count


def test_published_keys():
    found = shapes(on_meta(HAT))
    group = "layers.5.residual_group."
    wanted = {
        "relative_position_index_SA": (256, 256),
        "relative_position_index_OCA": (256, 576),
        group + "blocks.5.attn.relative_position_bias_table": (961, 6),
        group + "blocks.5.attn.qkv.weight": (540, 180),
        group + "blocks.5.conv_block.cab.0.weight": (60, 180, 3, 3),
        group + "blocks.5.conv_block.cab.2.weight": (180, 60, 3, 3),
        group + "blocks.5.conv_block.cab.3.attention.1.weight": (6, 180, 1, 1),
        group + "blocks.5.conv_block.cab.3.attention.3.weight": (180, 6, 1, 1),
        group + "overlap_attn.relative_position_bias_table": (1521, 6),
        group + "overlap_attn.qkv.weight": (540, 180),
        group + "overlap_attn.mlp.fc1.weight": (360, 180),
        "layers.5.conv.weight": (180, 180, 3, 3),
        "upsample.2.weight": (256, 64, 3, 3),
    }
    assert {name: found[name] for name in wanted} == wanted
    assert len(found) == 2 + 6 * (6 * 21 + 13 + 2) + 16
    assert not any("mask" in name for name in found)


def test_overlapping_attention_equals_the_naive_form():
    """Every window by itself, its keys cut from the padded image."""
    torch.manual_seed(0)
    window, margin, heads, channels = 4, 1, 2, 6
    layer = shaken(OverlapAttention(channels, heads, window, margin, 2.0)).double()
    index = overlap_index(window, margin)
    image = torch.randn(2, 8, 12, channels, dtype=torch.float64)
    found = layer(image, index)

    query, key, value = layer.qkv(layer.norm1(image)).chunk(3, -1)
    key, value = (F.pad(x, (0, 0, margin, margin, margin, margin)) for x in (key, value))
    side = window + 2 * margin
    attended = torch.empty_like(image)
    for y in range(0, 8, window):
        for x in range(0, 12, window):
            for head in range(heads):
                part = slice(head * 3, head * 3 + 3)
                q = query[:, y : y + window, x : x + window, part].flatten(1, 2)
                k = key[:, y : y + side, x : x + side, part].flatten(1, 2)
                v = value[:, y : y + side, x : x + side, part].flatten(1, 2)
                bias = layer.relative_position_bias_table[:, head][index]
                scores = (q @ k.transpose(1, 2) * 3**-0.5 + bias).softmax(-1)
                attended[:, y : y + window, x : x + window, part] = (scores @ v).unflatten(
                    1, (window, window)
                )
    wanted = layer.proj(attended) + image
    wanted = wanted + layer.mlp(layer.norm2(wanted))
    torch.testing.assert_close(found, wanted)


def test_overlap_index_is_the_published_one():
    index = overlap_index(16, 4)
    assert index[0, 0] == -7 * 39 - 7  # negative: it reads the table from its end
    assert index.min() == -22 * 39 - 22 and index.max() == 16 * 39 + 16
    assert len((index % 1521).unique()) == len(index.unique()) == 39**2


def test_odd_sizes_are_reflected():
    network = shaken(HAT.example())
    lr = torch.rand(1, 3, 6, 9)
    with torch.no_grad():
        whole = network(F.pad(lr, (0, 3, 0, 2), mode="reflect"))
        torch.testing.assert_close(network(lr), whole[..., :12, :18])


@pytest.mark.parametrize("scale", [2, 3])
def test_local_halo_without_the_global_pooling(scale, reach):
    network = HAT(
        scale=scale,
        groups=1,
        blocks=2,
        width=4,
        heads=1,
        window=4,
        compress=2,
        squeeze=2,
        head_features=2,
    ).eval()
    for block in network.layers[0].residual_group.blocks:
        torch.nn.init.zeros_(block.conv_block.cab[3].attention[3].weight)
    assert reach(network) == network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = HAT(scale=2, groups=1, blocks=2, width=16, heads=2, window=4, compress=4, squeeze=4)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize("form", [{"scale": 4}, {"scale": 3, "width": 24, "preset": "hat_s"}])
def test_spandrel_gives_the_same_picture(tmp_path, form):
    form = {**SMALL, **form}
    same_picture_in_spandrel(lambda: HAT(**form), tmp_path, torch.rand(1, 3, 32, 48))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"preset": "hat_m"}, ConfigError),
        ({"squeeze": 200}, ConfigError),
        ({"overlap": 0.2}, ConfigError),
        ({"heads": 7}, ConfigError),
        ({"scale": 5}, GeometryError),
        ({"same_size": True}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        HAT(**settings)
