from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import Outputs, load_weights
from realdeg.backbones.srfbn import SRFBN
from realdeg.errors import CheckpointError, ConfigError

COUNTS = {
    "srfbn": (2_140_534, 2_832_758, 3_631_478, 7_891_318),
    "srfbn_s": (282_442, 375_626, 483_146, 1_056_586),
}
KERNELS = {2: (6, 2, 2), 3: (7, 3, 2), 4: (8, 4, 2), 8: (12, 8, 2)}


def small(**settings):
    return SRFBN(**{"scale": 2, "num_features": 4, "num_groups": 3, "num_steps": 3} | settings)


@pytest.mark.parametrize("preset", COUNTS)
def test_parameters(preset):
    """The paper counts the two frozen mean shifts (24 numbers), which are no parameters here."""
    for scale, parameters in zip((2, 3, 4, 8), COUNTS[preset], strict=True):
        with torch.device("meta"):
            network = SRFBN(scale=scale, preset=preset)
        assert sum(parameter.numel() for parameter in network.parameters()) == parameters - 24
        assert sum(value.numel() for value in network.state_dict().values()) == parameters


def test_keys_of_the_public_weights():
    with torch.device("meta"):
        state = SRFBN(scale=4).state_dict()
    wanted = {"conv_in": (256, 3, 3, 3), "feat_in": (64, 256, 1, 1), "out": (64, 64, 8, 8)}
    wanted |= {"block.compress_in": (64, 128, 1, 1), "block.compress_out": (64, 384, 1, 1)}
    for i in range(6):
        wanted |= {f"block.{name}Blocks.{i}": (64, 64, 8, 8) for name in ("up", "down")}
    for i in range(5):
        shape = (64, 64 * (i + 2), 1, 1)
        wanted |= {f"block.{name}tranBlocks.{i}": shape for name in ("up", "down")}
    expected = {"conv_out.0.weight": (3, 64, 3, 3), "conv_out.0.bias": (3,)}
    for name in ("sub_mean", "add_mean"):
        expected |= {f"{name}.weight": (3, 3, 1, 1), f"{name}.bias": (3,)}
    for name, shape in wanted.items():
        expected |= {f"{name}.0.weight": shape, f"{name}.0.bias": shape[:1]}
        expected[f"{name}.1.weight"] = (1,)
    assert {name: tuple(value.shape) for name, value in state.items()} == expected
    assert len(expected) == 87


def reference(network, lr):
    """The network's equations, spelled out; every step's image."""
    w = network.state_dict()
    _, stride, padding = KERNELS[network.scale]

    def conv(x, name, **settings):
        x = F.conv2d(x, w[f"{name}.0.weight"], w[f"{name}.0.bias"], **settings)
        return F.prelu(x, w[f"{name}.1.weight"]) if f"{name}.1.weight" in w else x

    def up(x, name):
        weight, bias = w[f"{name}.0.weight"], w[f"{name}.0.bias"]
        x = F.conv_transpose2d(x, weight, bias, stride=stride, padding=padding)
        return F.prelu(x, w[f"{name}.1.weight"])

    mean = 255 * torch.tensor([0.4488, 0.4371, 0.4040], dtype=torch.float64).reshape(1, 3, 1, 1)
    image = lr - mean
    base = F.interpolate(image, scale_factor=network.scale, mode="bilinear")
    features = conv(conv(image, "conv_in", padding=1), "feat_in")
    hidden, images = features, []
    for _ in range(network.num_steps):
        lows = [conv(torch.cat([features, hidden], 1), "block.compress_in")]
        highs = []
        for g in range(network.num_groups):
            low = torch.cat(lows, 1)
            low = conv(low, f"block.uptranBlocks.{g - 1}") if g else low
            highs.append(up(low, f"block.upBlocks.{g}"))
            high = torch.cat(highs, 1)
            high = conv(high, f"block.downtranBlocks.{g - 1}") if g else high
            lows.append(conv(high, f"block.downBlocks.{g}", stride=stride, padding=padding))
        hidden = conv(torch.cat(lows[1:], 1), "block.compress_out")
        images.append(base + conv(up(hidden, "out"), "conv_out", padding=1) + mean)
    return images


@pytest.mark.parametrize("scale", [2, 3])
def test_equals_a_reference(scale):
    torch.manual_seed(0)
    network = small(scale=scale).double().train()
    lr = 255 * torch.rand(1, 3, 5, 4, dtype=torch.float64)
    wanted, found = reference(network, lr), network(lr)
    assert isinstance(found, Outputs) and set(found.aux) == {"step_1", "step_2"}
    # Means are stored in single precision.
    torch.testing.assert_close(found.sr, wanted[2], rtol=0, atol=1e-4)
    for step in (1, 2):
        close = {"rtol": 0, "atol": 1e-4}
        torch.testing.assert_close(255 * found.aux[f"step_{step}"], wanted[step - 1], **close)
    alone = network.eval()(lr)
    assert torch.equal(alone, found.sr)


def test_targets_are_in_the_outputs_own_numbers():
    network = small().train()
    lr, hr = 255 * torch.rand(1, 3, 4, 4), 255 * torch.rand(1, 3, 8, 8)
    targets = network.targets(hr)
    assert set(targets) == set(network(lr).aux)
    torch.testing.assert_close(targets["step_1"], hr / 255)
    assert small(num_steps=1).train()(lr).aux == {}


def test_initialisation():
    network = SRFBN(scale=2, preset="srfbn_s")
    assert network.block.upBlocks[0][1].weight.item() == pytest.approx(0.2)
    assert network.conv_in[0].bias.abs().sum() == 0


def test_other_scales_are_refused_by_name(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"state_dict": small(scale=3).state_dict()}, path)
    with pytest.raises(CheckpointError, match=r"scale=2: build it with SRFBN\(scale=3\)"):
        load_weights(small(), path)
    load_weights(small(scale=3), path)


def test_halo_is_tight(reach):
    for scale in (2, 3, 4, 8):
        network = SRFBN(scale=scale, num_features=2, num_groups=1, num_steps=2)
        assert reach(network) == network.halo, scale
    assert reach(small(num_groups=2, num_steps=1)) == small(num_groups=2, num_steps=1).halo


@pytest.mark.parametrize("settings", [{"preset": "srfbn-s"}, {"num_steps": 0}, {"num_groups": 0}])
def test_refusals(settings):
    with pytest.raises(ConfigError):
        SRFBN(**settings)
