from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.parts.pyramid import pil_bicubic
from realdeg.backbones.prosr import STD, ProSR, ResidualDenseBlock
from realdeg.errors import CheckpointError, ConfigError, GeometryError

BLOCKS = [[2, 1], [1, 1], [1]]


def small(**settings):
    return ProSR(**{"scale": 8, "num_features": 6, "growth_rate": 3, "blocks": BLOCKS} | settings)


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({"scale": 2}, 9_470_403),
        ({"scale": 4}, 13_427_206),
        ({"scale": 8}, 15_537_609),
        ({"scale": 2, "preset": "prosrs"}, 849_047),
        ({"scale": 4, "preset": "prosrs"}, 1_671_560),
        ({"scale": 8, "preset": "prosrs"}, 2_550_191),
        ({"scale": 8, "preset": "prosrs", "block_compression": 0.5}, 3_148_352),
    ],
)
def test_parameters(settings, parameters):
    with torch.device("meta"):
        network = ProSR(**settings)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_keys_of_the_public_weights():
    with torch.device("meta"):
        state = ProSR(scale=8).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    wanted = {}
    for s, blocks in ((1, 9), (2, 3), (3, 1)):
        wanted[f"init_conv_{s}.conv.1"] = (160, 3, 3, 3)
        level = f"pyramid_residual_{s}"
        for b in range(1, blocks + 1):
            block = f"{level}.residual_denseblock_{b}"
            for i in range(8):
                layer = f"{block}.dense_block.denselayer{i + 1}"
                wanted[f"{layer}.conv_1"] = (160, 160 + 40 * i, 1, 1)
                wanted[f"{layer}.conv_2.conv.1"] = (40, 160, 3, 3)
            wanted[f"{block}.comp.conv1"] = (160, 480, 1, 1)
        if s > 1:
            wanted[f"{level}.compression_{s - 1}.conv1"] = (160, 160, 1, 1)
        wanted[f"{level}.final_conv.final_conv.conv.1"] = (160, 160, 3, 3)
        wanted[f"{level}_residual_upsampler.m.0.conv.1"] = (640, 160, 3, 3)
        wanted[f"reconst_{s}.final_conv.conv.1"] = (3, 160, 3, 3)
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {
        f"{name}.bias": shape[:1] for name, shape in wanted.items() if not name.endswith("conv1")
    }
    assert shapes == expected and len(shapes) == 455


def test_keys_of_the_small_network():
    with torch.device("meta"):
        state = ProSR(scale=8, preset="prosrs").state_dict()
    assert len(state) == 198
    for name, shape in (
        ("pyramid_residual_1.denseblock_1.dense.denselayer6.conv_1", (48, 84, 1, 1)),
        ("pyramid_residual_1.denseblock_3.comp.conv1", (46, 116, 1, 1)),
        ("pyramid_residual_1.final_conv.final_conv.conv.1", (118, 118, 3, 3)),
        ("pyramid_residual_1_residual_upsampler.m.0.conv.1", (472, 118, 3, 3)),
        ("pyramid_residual_2.compression_1.conv1", (59, 118, 1, 1)),
        ("pyramid_residual_3.final_conv.final_conv.conv.1", (134, 134, 3, 3)),
    ):
        assert tuple(state[f"{name}.weight"].shape) == shape


def test_dense_block_equals_a_reference():
    torch.manual_seed(0)
    block = ResidualDenseBlock(4, 3, 2).double()
    w = block.state_dict()
    x = torch.rand(1, 4, 5, 6, dtype=torch.float64)
    features = x
    for i in (1, 2):
        layer = f"dense_block.denselayer{i}"
        inner = F.conv2d(features, w[f"{layer}.conv_1.weight"], w[f"{layer}.conv_1.bias"])
        inner = F.pad(inner.relu(), (1, 1, 1, 1), mode="reflect")
        inner = F.conv2d(
            inner, w[f"{layer}.conv_2.conv.1.weight"], w[f"{layer}.conv_2.conv.1.bias"]
        )
        features = torch.cat([features, inner], 1)
    wanted = x + 0.2 * F.conv2d(features, w["comp.conv1.weight"])
    torch.testing.assert_close(block(x), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("preset", ["prosr", "prosrs"])
def test_every_call_may_name_its_scale(preset):
    network = small(preset=preset)
    lr = torch.rand(2, 3, 5, 7)
    for scale in (2, 4, 8):
        assert network(lr, scale=scale).shape == (2, 3, 5 * scale, 7 * scale)
    assert torch.equal(network(lr), network(lr, scale=8))
    with pytest.raises(GeometryError, match="serves 2, 4"):
        small(scale=4)(lr, scale=8)


def test_an_untouched_residual_leaves_the_bicubic_image():
    network = small(scale=2)
    for parameter in network.reconst_1.parameters():
        torch.nn.init.zeros_(parameter)
    lr = torch.rand(1, 3, 6, 5)
    torch.testing.assert_close(network(lr), pil_bicubic(lr, 2), rtol=0, atol=1e-6)


def residual(network, lr, scale):
    return (network(lr, scale=scale) - pil_bicubic(lr, scale)) / STD


@pytest.mark.parametrize("preset", ["prosr", "prosrs"])
def test_growing_keeps_what_was_learned(preset):
    torch.manual_seed(0)
    lr = torch.rand(2, 3, 6, 5, dtype=torch.float64)
    network = small(scale=2, preset=preset).double()
    with torch.no_grad():
        while network.scale < 8:
            scale = network.scale
            grown = network.grow()
            assert grown.scale == 2 * scale
            for below in (s for s in (2, 4) if s <= scale):
                assert torch.equal(grown(lr, scale=below), network(lr, scale=below))
            wanted = F.interpolate(
                residual(network, lr, scale), scale_factor=2, mode="bilinear", align_corners=True
            )
            found = residual(grown, lr, 2 * scale)
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9)
            grown.blend = 1.0
            assert not torch.allclose(residual(grown, lr, 2 * scale), wanted, atol=1e-3)
            network = grown
    with pytest.raises(GeometryError, match="does not grow"):
        network.grow()


def test_curriculum():
    network = small()
    states = [
        (0.0, (2,), 2, 1.0),
        (0.12, (2,), 2, 1.0),
        (0.185, (2, 4), 4, 0.5),
        (0.25, (2, 4), 4, 1.0),
        (0.4, (2, 4), 4, 1.0),
        (0.525, (2, 4, 8), 8, 0.5),
        (0.6, (2, 4, 8), 8, 1.0),
        (1.0, (2, 4, 8), 8, 1.0),
    ]
    for progress, scales, newest, blend in states:
        assert network.set_progress(progress) == scales
        assert network.newest == newest and network.blend == pytest.approx(blend)
    assert small(scale=4).set_progress(0.5) == (2, 4)
    lr = torch.rand(1, 3, 4, 4)
    whole = network(lr, scale=4)
    network.set_progress(0.5)  # blends x8 only
    assert torch.equal(network(lr, scale=4), whole)


def test_larger_weights_load_without_their_upper_levels(tmp_path):
    large, path = small(), tmp_path / "w.pth"
    torch.save({"state_dict": large.state_dict(), "params": {}, "class_name": "ProSR"}, path)
    network = small(scale=4)
    load_weights(network, path)
    lr = torch.rand(1, 3, 4, 5)
    assert torch.equal(network(lr), large(lr, scale=4))
    torch.save(network.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"scale=4, .* and this network scale=8"):
        load_weights(large, path)


def test_halo_is_tight(reach):
    for scale in (2, 4, 8):
        network = ProSR(scale=scale, num_features=2, growth_rate=1, blocks=[[1], [1], [1]])
        assert reach(network) == network.halo, scale


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "prosrx"},
        {"blocks": [[2]]},
        {"blocks": [[2], [], [1]]},
        {"blocks": [[2], [0], [1]]},
        {"num_features": 0},
        {"block_compression": 0.0},
    ],
)
def test_refusals(settings):
    with pytest.raises(ConfigError):
        ProSR(**{"scale": 8} | settings)
