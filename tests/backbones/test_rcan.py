from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import correlate

from realdeg.backbones import RCAN, load_weights
from realdeg.backbones.parts.common import MeanShift, Upsampler, pad_to_multiple
from realdeg.backbones.rcan import AttentionBlock
from realdeg.errors import CheckpointError, ConfigError, GeometryError


def count(**settings):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in RCAN(**settings).parameters())


def small(**settings):
    return RCAN(**{"num_groups": 2, "num_blocks": 2, "num_features": 8, "reduction": 2} | settings)


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({"scale": 2}, 15_444_643),
        ({"scale": 3}, 15_629_283),
        ({"scale": 4}, 15_592_355),
        ({"scale": 8}, 15_740_067),
        ({"same_size": True}, 15_618_275),
        ({"same_size": True, "unshuffle": 2}, 15_449_827),
        ({"same_size": True, "unshuffle": 1}, 15_296_931),
        ({"scale": 2, "unshuffle": 2}, 15_597_539),
        ({"preset": "rcan_100"}, 4_242_315),
        ({"preset": "rcan_100", "same_size": True}, 4_268_235),
        ({"preset": "rcan_100", "num_groups": 10, "num_blocks": 5}, 4_426_955),
        ({"num_groups": 5, "num_blocks": 9, "same_size": True}, 3_896_055),
    ],
)
def test_parameters(settings, parameters):
    assert count(**settings) == parameters


def test_published_keys():
    with torch.device("meta"):
        state = RCAN(scale=4).state_dict()
        same_size = RCAN(same_size=True).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    wanted = {"head.0": (64, 3, 3, 3), "body.10": (64, 64, 3, 3)}
    for g in range(10):
        for b in range(20):
            wanted[f"body.{g}.body.{b}.body.0"] = (64, 64, 3, 3)
            wanted[f"body.{g}.body.{b}.body.2"] = (64, 64, 3, 3)
            wanted[f"body.{g}.body.{b}.body.3.conv_du.0"] = (4, 64, 1, 1)
            wanted[f"body.{g}.body.{b}.body.3.conv_du.2"] = (64, 4, 1, 1)
        wanted[f"body.{g}.body.20"] = (64, 64, 3, 3)
    wanted |= {"tail.0.0": (256, 64, 3, 3), "tail.0.2": (256, 64, 3, 3), "tail.1": (3, 64, 3, 3)}
    wanted |= {"sub_mean": (3, 3, 1, 1), "add_mean": (3, 3, 1, 1)}
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    assert shapes == expected
    assert tuple(same_size["head.1.weight"].shape) == (64, 48, 3, 3)
    assert set(same_size) - set(state) == {"head.1.weight", "head.1.bias"}


def test_tail_keys_by_scale():
    for scale, indices in ((2, {0}), (3, {0}), (4, {0, 2}), (8, {0, 2, 4})):
        state = small(scale=scale).state_dict()
        found = {int(name.split(".")[2]) for name in state if name.startswith("tail.0.")}
        assert found == indices


def test_mean_shift_is_the_published_one():
    network = small()
    torch.testing.assert_close(
        network.sub_mean.bias, torch.tensor([-114.444, -111.4605, -103.02]), rtol=1e-6, atol=0
    )
    assert torch.equal(network.add_mean.weight[:, :, 0, 0], torch.eye(3))
    image = torch.rand(2, 3, 5, 4, dtype=torch.float64) * 255
    shift = MeanShift(255.0, -1).double()
    wanted = F.conv2d(image, shift.weight, shift.bias)
    torch.testing.assert_close(shift(image), wanted, rtol=0, atol=1e-12)
    wanted = image - 255 * torch.tensor([0.4488, 0.4371, 0.4040]).double().reshape(1, 3, 1, 1)
    torch.testing.assert_close(shift(image), wanted, rtol=0, atol=1e-5)
    assert not list(shift.parameters())
    both = MeanShift(255.0, 1)(MeanShift(255.0, -1)(image.float()))
    torch.testing.assert_close(both, image.float(), rtol=0, atol=1e-4)


def test_attention_block_equals_a_reference():
    torch.manual_seed(1)
    block = AttentionBlock(6, 2).double()
    x = torch.randn(2, 6, 5, 7, dtype=torch.float64)

    def convolve(image, layer):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
        return np.stack(
            [correlate(padded, w, mode="valid")[0] + b for w, b in zip(weight, bias, strict=True)]
        )

    first, _, second, attention = block.body
    down, _, up, _ = attention.conv_du
    for image, found in zip(x.numpy(), block(x).detach().numpy(), strict=True):
        features = convolve(np.maximum(convolve(image, first), 0), second)
        means = features.mean(axis=(1, 2))
        hidden = down.weight.detach().numpy()[:, :, 0, 0] @ means + down.bias.detach().numpy()
        hidden = np.maximum(hidden, 0)
        logits = up.weight.detach().numpy()[:, :, 0, 0] @ hidden + up.bias.detach().numpy()
        wanted = image + features / (1 + np.exp(-logits))[:, None, None]
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_same_size_pads_by_reflection_and_crops():
    torch.manual_seed(0)
    network = small(same_size=True).eval()
    lr = torch.rand(1, 3, 10, 7) * 255
    reflected = F.pad(lr, (0, 1, 0, 2), mode="reflect")
    with torch.no_grad():
        assert torch.equal(network(lr), network(reflected)[..., :10, :7])
    assert torch.equal(pad_to_multiple(lr, 1), lr)
    assert pad_to_multiple(torch.rand(1, 3, 1, 2), 4).shape == (1, 3, 4, 4)


def test_colour_y():
    network = small(colour="y", same_size=True)
    assert network.value_range == 1.0 and network.sub_mean is None
    assert not any("mean" in name for name in network.state_dict())
    assert network(torch.rand(1, 1, 9, 5)).shape == (1, 1, 9, 5)
    assert RCAN.value_range == 255.0 and small().value_range == 255.0
    assert small(mean_shift=False).value_range == 1.0


def test_halo_is_tight_without_the_global_pooling(reach):
    for geometry in (
        {"scale": 2},
        {"scale": 3},
        {"scale": 4},
        {"scale": 8},
        {"same_size": True},
        {"same_size": True, "unshuffle": 1},
        {"scale": 2, "unshuffle": 2},
    ):
        network = RCAN(num_groups=1, num_blocks=1, num_features=2, reduction=1, **geometry)
        torch.nn.init.zeros_(network.body[0].body[0].body[3].conv_du[2].weight)
        assert reach(network) == network.halo, geometry
    with torch.device("meta"):
        assert RCAN(scale=4).halo == 414


@pytest.mark.parametrize("settings", [{}, {"same_size": True}, {"scale": 2, "unshuffle": 2}])
def test_basicsr_names(tmp_path, settings):
    torch.manual_seed(0)
    source, network = small(**settings).eval(), small(**settings).eval()
    foreign = {}
    for name, value in source.state_dict().items():
        name = re.sub(r"^body\.(\d)\.body\.2\.", r"body.\1.conv.", name)
        name = re.sub(r"^body\.(\d)\.body\.(\d)\.body\.", r"body.\1.residual_group.\2.rcab.", name)
        name = name.replace("conv_du.0", "attention.1").replace("conv_du.2", "attention.3")
        name = re.sub(r"^body\.2\.", "conv_after_body.", name)
        name = re.sub(r"^head\.\d\.", "conv_first.", name)
        name = name.replace("tail.0.", "upsample.").replace("tail.1.", "conv_last.")
        if "mean" not in name:
            foreign[name] = value
    path = tmp_path / "rcan.pth"
    torch.save({"params": foreign}, path)
    load_weights(network, path)
    lr = torch.rand(1, 3, 5, 6) * 255
    assert torch.equal(network(lr), source(lr))
    with pytest.raises(CheckpointError, match="mean_shift=True"):
        load_weights(small(mean_shift=False, **settings), path)
    with pytest.raises(CheckpointError, match="num_groups=2 and this network num_groups=3"):
        load_weights(small(num_groups=3, **settings), path)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"num_groups": 3}, "num_groups=2"),
        ({"num_blocks": 1}, "num_blocks=2"),
        ({"num_features": 6}, "num_features=8"),
        ({"same_size": True}, r"build it with RCAN\(same_size=False, unshuffle=1\)"),
        ({"mean_shift": False}, "mean_shift=True"),
        ({"value_range": 1.0}, "value_range=255"),
    ],
)
def test_weights_of_another_form_are_refused_by_name(tmp_path, settings, match):
    path = tmp_path / "rcan.pth"
    torch.save(small().state_dict(), path)
    with pytest.raises(CheckpointError, match=match):
        load_weights(small(**settings), path)
    torch.save(small(same_size=True).state_dict(), path)
    with pytest.raises(CheckpointError, match=r"build it with RCAN\(same_size=True, unshuffle=4\)"):
        load_weights(small(), path)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"preset": "rcan_101"}, ConfigError),
        ({"colour": "lab"}, ConfigError),
        ({"colour": "y", "mean_shift": True}, ConfigError),
        ({"num_groups": 0}, ConfigError),
        ({"num_features": 8}, ConfigError),
        ({"scale": 5}, GeometryError),
        ({"scale": 3, "unshuffle": 2}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        RCAN(**settings)


def test_upsampler_of_one_is_empty():
    assert len(Upsampler(1, 4)) == 0
    assert Upsampler(3, 4)(torch.zeros(1, 4, 2, 5)).shape == (1, 4, 6, 15)
    with pytest.raises(GeometryError, match="6"):
        Upsampler(6, 4)
