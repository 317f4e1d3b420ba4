from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from realdeg.backbones import VDSR, load_weights
from realdeg.errors import CheckpointError, ConfigError


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameters():
    with torch.device("meta"):
        assert count(VDSR()) == 665_921
        assert count(VDSR(bias=False)) == 664_704
        assert count(VDSR(colour="rgb")) == 665_921 + 4 * 9 * 64 + 2


def test_keys_of_the_public_weights():
    with torch.device("meta"):
        network = VDSR(bias=False)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    wanted = {f"residual_layer.{i}.conv.weight": (64, 64, 3, 3) for i in range(18)}
    wanted |= {"input.weight": (64, 1, 3, 3), "output.weight": (1, 64, 3, 3)}
    assert shapes == wanted


def test_equals_a_reference():
    torch.manual_seed(0)
    network = VDSR(depth=3, width=4, scale=2).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    lr = torch.rand(1, 1, 6, 5, dtype=torch.float64)

    def convolve(image, layer):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
        return np.stack(
            [correlate(padded, w, mode="valid")[0] + b for w, b in zip(weight, bias, strict=True)]
        )

    features = np.maximum(convolve(lr[0].numpy(), network.input), 0)
    features = np.maximum(convolve(features, network.residual_layer[0].conv), 0)
    wanted = lr[0].numpy() + convolve(features, network.output)
    np.testing.assert_allclose(network(lr)[0].detach().numpy(), wanted, atol=1e-12)


def test_initialisation_is_he():
    torch.manual_seed(0)
    network = VDSR(depth=4, width=64)
    std = network.residual_layer[0].conv.weight.std().item()
    assert std == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.02)
    assert all(m.bias.abs().sum() == 0 for m in network.modules() if hasattr(m, "weight"))


@pytest.mark.parametrize(
    ("scale", "same_size", "halo"), [(2, False, 12), (3, False, 8), (4, False, 7), (4, True, 20)]
)
def test_halo(scale, same_size, halo):
    with torch.device("meta"):
        assert VDSR(scale=scale, same_size=same_size).halo == halo


def test_halo_is_tight(reach):
    for geometry in ({"scale": 2}, {"scale": 3}, {"scale": 4}, {"scale": 4, "same_size": True}):
        network = VDSR(depth=5, width=2, **geometry)
        assert reach(network) == network.halo


def test_weights_with_and_without_biases_are_not_mixed(tmp_path):
    path = tmp_path / "vdsr.pth"
    plain = VDSR(depth=3, width=4, bias=False)
    torch.save(plain.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"build it with VDSR\(bias=False\)"):
        load_weights(VDSR(depth=3, width=4), path)
    again = VDSR(depth=3, width=4, bias=False)
    load_weights(again, path)
    assert torch.equal(again.input.weight, plain.input.weight)


@pytest.mark.parametrize("settings", [{"depth": 1}, {"width": 0}, {"colour": "lab"}])
def test_refusals(settings):
    with pytest.raises(ConfigError):
        VDSR(**settings)


def edsr_names(state):
    """Name a state dict of a VDSR the way EDSR-PyTorch does, written out by hand."""
    renamed = {k: v for k, v in state.items() if "_mean." in k}
    for kind in ("weight", "bias"):
        renamed[f"body.0.0.{kind}"] = state[f"input.{kind}"]
        renamed[f"body.1.0.{kind}"] = state[f"residual_layer.0.conv.{kind}"]
        renamed[f"body.2.0.{kind}"] = state[f"residual_layer.1.conv.{kind}"]
        renamed[f"body.3.0.{kind}"] = state[f"output.{kind}"]
    return renamed


def test_edsr_variant(tmp_path):
    """It works on [0, 255] without the mean; the residual is added before the mean is."""
    source = VDSR(depth=4, width=4, colour="rgb", mean_shift=True)
    assert source.value_range == 255
    torch.save(edsr_names(source.state_dict()), tmp_path / "vdsr.pt")
    target = VDSR(depth=4, width=4, colour="rgb", mean_shift=True)
    load_weights(target, tmp_path / "vdsr.pt")
    image = 255 * torch.rand(1, 3, 6, 5)
    mean = 255 * torch.tensor([0.4488, 0.4371, 0.4040]).reshape(3, 1, 1)
    plain = VDSR(depth=4, width=4, colour="rgb")
    plain.load_state_dict({k: v for k, v in source.state_dict().items() if "_mean" not in k})
    with torch.no_grad():
        torch.testing.assert_close(target(image), source(image))
        torch.testing.assert_close(target(image), plain(image - mean) + mean)
    with pytest.raises(CheckpointError, match=r"VDSR\(mean_shift=True\)"):
        load_weights(VDSR(depth=4, width=4, colour="rgb"), tmp_path / "vdsr.pt")


def test_one_network_serves_every_scale():
    network = VDSR.example()
    image = torch.rand(1, 1, 9, 8)
    assert torch.equal(network(image, scale=3), network(image))
