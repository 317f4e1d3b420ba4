from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.mslapsrn import MSLapSRN
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError, GeometryError

NAMES = {"conv_input": "input_conv", "transpose": "upconv", "predict": "residual_conv"}


def small(**settings):
    return MSLapSRN(**{"depth": 2, "recursions": 2, "width": 4} | settings)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("recursions", [2, 5, 8])
def test_parameters(scale, recursions):
    with torch.device("meta"):
        network = MSLapSRN(scale=scale, recursions=recursions)
    assert sum(parameter.numel() for parameter in network.parameters()) == 222_801


def test_keys_of_the_public_weights():
    with torch.device("meta"):
        network = MSLapSRN()
    wanted = {
        "conv_input.weight": (64, 1, 3, 3),
        "transpose.weight": (64, 64, 3, 3),
        "predict.weight": (1, 64, 3, 3),
    }
    for i in range(5):
        wanted[f"features.recursive_block.block.conv_{i}.weight"] = (64, 64, 3, 3)
    biases = {
        name.replace("weight", "bias"): (1,) if name.startswith("predict") else (64,)
        for name in wanted
    }
    wanted |= biases | {"scale_img.weight": (1, 1, 4, 4)}
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == wanted
    assert len(wanted) == 17


def test_matconvnet_names(tmp_path):
    network, path = small(), tmp_path / "w.pth"
    state = network.state_dict()
    stored = {"img_up_f": state["scale_img.weight"][0, 0]}
    layers = NAMES | {f"features.recursive_block.block.conv_{i}": f"conv{i + 1}" for i in (0, 1)}
    for ours, theirs in layers.items():
        stored[f"{theirs}_f"] = state[f"{ours}.weight"].permute(2, 3, 1, 0)
        stored[f"{theirs}_b"] = state[f"{ours}.bias"][:, None]
    torch.save(stored, path)
    again = small()
    load_weights(again, path)
    for name, value in state.items():
        assert torch.equal(again.state_dict()[name], value), name


@pytest.mark.parametrize("port", [False, True])
@pytest.mark.parametrize("skip", ["source", "previous", "none"])
def test_equals_a_reference(port, skip):
    torch.manual_seed(0)
    network = small(skip=skip, port=port).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    w = network.state_dict()
    lr = torch.rand(1, 1, 5, 4, dtype=torch.float64)

    def convolve(x, name):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    features, image, images = convolve(lr, "conv_input"), lr, []
    for _ in range(2):
        source = features
        for _ in range(2):
            block = features
            for i in (0, 1):
                name = f"features.recursive_block.block.conv_{i}"
                block = convolve(F.leaky_relu(block, 0.2), name)
            features = block + {"source": source, "previous": features, "none": 0}[skip]
        features = F.conv_transpose2d(
            F.leaky_relu(features, 0.2), w["transpose.weight"], w["transpose.bias"], stride=2
        )[..., :-1, :-1]
        image = F.conv_transpose2d(image, w["scale_img.weight"], stride=2, padding=1)
        made = image + convolve(features, "predict")
        images.append(made.clamp(0, 1) if port else made)
        image = image if port else made
    found = network(lr)
    torch.testing.assert_close(found.sr, images[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(found.aux["half"], images[0], rtol=0, atol=1e-12)


def test_every_call_may_name_its_scale():
    network = small(scale=8)
    lr, hr = torch.rand(1, 1, 4, 6), torch.rand(1, 1, 32, 48)
    eight = network(lr)
    assert eight.sr.shape == (1, 1, 32, 48)
    # A level's name says how much smaller than HR it is, so targets fit every call.
    assert torch.equal(eight.aux["half"], network(lr, scale=4).sr)
    assert torch.equal(eight.aux["quarter"], network(lr, scale=2).sr)
    assert torch.equal(network(lr, scale=4).aux["half"], network(lr, scale=2).sr)
    torch.testing.assert_close(network(lr, scale=3.0).sr, imresize(network(lr, scale=4).sr, 0.75))
    for name, target in network.targets(hr).items():
        assert eight.aux[name].shape == target.shape
    with pytest.raises(GeometryError, match=r"scale 5: this instance serves 2, 3, 4, 8"):
        network(lr, scale=5)


def test_halo_is_tight(reach):
    for scale in (2, 3, 4, 8):
        network = MSLapSRN(scale=scale, depth=1, recursions=2, width=2)
        assert reach(network) == network.halo, scale


@pytest.mark.parametrize("settings", [{"depth": 0}, {"recursions": 0}, {"skip": "sources"}])
def test_refusals(settings):
    with pytest.raises(ConfigError):
        MSLapSRN(**settings)
