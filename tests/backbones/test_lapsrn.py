from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import Outputs, load_weights
from realdeg.backbones.lapsrn import LapSRN
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import CheckpointError, ConfigError, GeometryError


def count(**settings):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in LapSRN(**settings).parameters())


def small(**settings):
    return LapSRN(**{"depth": 2, "width": 4} | settings)


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({"scale": 2}, 407_441),
        ({"scale": 4}, 814_242),
        ({"scale": 3}, 814_242),
        ({"scale": 8}, 667_123),
        ({"scale": 8, "depth": 10}, 1_221_043),
        ({"scale": 2, "bias": False}, 406_672),
        ({"scale": 4, "bias": False}, 812_768),
        ({"scale": 4, "bias": False, "feature_kernel": 4}, 870_112),
    ],
)
def test_parameters(settings, parameters):
    assert count(**settings) == parameters


def test_keys_of_the_public_weights():
    with torch.device("meta"):
        network = LapSRN(scale=4, bias=False, feature_kernel=4)
    wanted = {"conv_input.weight": (64, 1, 3, 3)}
    for level in (1, 2):
        wanted[f"convt_I{level}.weight"] = (1, 1, 4, 4)
        wanted[f"convt_R{level}.weight"] = (1, 64, 3, 3)
        for i in range(10):
            wanted[f"convt_F{level}.0.cov_block.{2 * i}.weight"] = (64, 64, 3, 3)
        wanted[f"convt_F{level}.0.cov_block.20.weight"] = (64, 64, 4, 4)
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == wanted
    assert len(wanted) == 27


def matconvnet(network):
    """The network's tensors as the authors' files store them."""
    state, levels = network.state_dict(), network.levels

    def stored(name):
        value = state[name]
        return value.permute(2, 3, 1, 0).squeeze(-1) if value.ndim == 4 else value[None]

    pairs = [("input_conv", "conv_input")]
    for level in range(1, levels + 1):
        theirs = f"level{levels + 1 - level}_"
        for i in range(network.depth):
            pairs.append((f"{theirs}conv{i + 1}", f"convt_F{level}.0.cov_block.{2 * i}"))
        pairs.append((f"{theirs}upconv", f"convt_F{level}.0.cov_block.{2 * network.depth}"))
        pairs.append((f"{theirs}residual_conv", f"convt_R{level}"))
        pairs.append((f"{theirs}img_up", f"convt_I{level}"))
    found = {}
    for theirs, ours in pairs:
        found[f"{theirs}_f"] = stored(f"{ours}.weight")
        if f"{ours}.bias" in state:
            found[f"{theirs}_b"] = stored(f"{ours}.bias")
    return found


def test_matconvnet_names(tmp_path):
    network, path = small(scale=4), tmp_path / "w.pth"
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    torch.save(matconvnet(network), path)
    again = small(scale=4)
    load_weights(again, path)
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


@pytest.mark.parametrize("kernel", [3, 4])
def test_equals_a_reference(kernel):
    torch.manual_seed(0)
    network = small(scale=4, feature_kernel=kernel).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    w = network.state_dict()
    lr = torch.rand(1, 1, 5, 4, dtype=torch.float64)

    def double(x, name):
        h, width = x.shape[-2:]
        first = 1 if w[f"{name}.weight"].shape[-1] == 4 else 0
        x = F.conv_transpose2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), stride=2)
        return x[..., first : first + 2 * h, first : first + 2 * width]

    def convolve(x, name):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    features, image, images = F.leaky_relu(convolve(lr, "conv_input"), 0.2), lr, []
    for level in (1, 2):
        for i in (0, 2):
            features = F.leaky_relu(convolve(features, f"convt_F{level}.0.cov_block.{i}"), 0.2)
        features = F.leaky_relu(double(features, f"convt_F{level}.0.cov_block.4"), 0.2)
        image = double(image, f"convt_I{level}") + convolve(features, f"convt_R{level}")
        images.append(image)
    found = network(lr)
    torch.testing.assert_close(found.sr, images[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(found.aux["half"], images[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_outputs_and_targets(scale):
    network = small(scale=scale)
    lr, hr = torch.rand(2, 1, 5, 7), torch.rand(2, 1, 5 * scale, 7 * scale)
    found, targets = network(lr), network.targets(hr)
    assert isinstance(found, Outputs) and found.sr.shape == hr.shape
    assert (
        set(found.aux)
        == set(targets)
        == {2: set(), 3: set(), 4: {"half"}}.get(scale, {"half", "quarter"})
    )
    for name, image in found.aux.items():
        assert image.shape == targets[name].shape
    if scale == 8:
        torch.testing.assert_close(targets["quarter"], imresize(hr, 0.25))
        assert torch.equal(found.aux["quarter"], small_below(network, lr))


def small_below(network, lr):
    """The first level of a network, by a network of one level."""
    below = small(scale=2)
    state = network.state_dict()
    below.load_state_dict({name: state[name] for name in below.state_dict()})
    return below(lr).sr


def test_scale_3_is_scale_4_shrunk():
    network, four = small(scale=3), small(scale=4)
    four.load_state_dict(network.state_dict())
    lr = torch.rand(1, 1, 8, 6)
    torch.testing.assert_close(network(lr).sr, imresize(four(lr).sr, 0.75))


def test_initialisation():
    torch.manual_seed(0)
    network = LapSRN(scale=2)
    block = network.get_submodule("convt_F1.0.cov_block")
    assert network.conv_input.weight.std().item() == pytest.approx(1e-3, rel=0.1)
    for index in (0, 20):
        std = block[index].weight.std().item()
        assert std == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.02)
    lr = torch.rand(1, 1, 6, 6)
    wanted = F.interpolate(lr, scale_factor=2, mode="bilinear")
    found = network.convt_I1(lr)
    torch.testing.assert_close(found[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1])
    assert network.conv_input.bias.abs().sum() == 0


def test_halo_is_tight(reach):
    for scale in (2, 3, 4, 8):
        for kernel in (3, 4):
            network = LapSRN(scale=scale, depth=1, width=2, feature_kernel=kernel)
            assert reach(network) == network.halo, (scale, kernel)


def test_image_keeps_its_precision_under_autocast():
    network = small(scale=3)
    torch.nn.init.zeros_(network.get_submodule("convt_R1").weight)
    torch.nn.init.zeros_(network.get_submodule("convt_R2").weight)
    lr = torch.rand(1, 1, 6, 6)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(lr).sr
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, network(lr).sr)


@pytest.mark.parametrize(
    ("saved", "built", "words"),
    [
        ({"scale": 2}, {"scale": 4}, r"LapSRN\(scale=2\)"),
        ({"scale": 8}, {"scale": 4}, r"LapSRN\(scale=8\)"),
        ({"bias": False}, {}, r"build it with LapSRN\(bias=False\)"),
        ({"feature_kernel": 4}, {}, "feature_kernel=4"),
        ({"width": 6}, {}, r"LapSRN\(width=6\)"),
    ],
)
def test_other_weights_are_refused(tmp_path, saved, built, words):
    torch.save(small(**saved).state_dict(), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=words):
        load_weights(small(**built), tmp_path / "w.pth")


@pytest.mark.parametrize(("saved", "built"), [(2, 4), (4, 2), (8, 2)])
def test_matconvnet_files_of_other_scales_are_refused_by_name(tmp_path, saved, built):
    torch.save(matconvnet(small(scale=saved)), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=rf"LapSRN\(scale={saved}\)"):
        load_weights(small(scale=built), tmp_path / "w.pth")


def test_refusals():
    with pytest.raises(GeometryError, match="scale 5"):
        LapSRN(scale=5)
    with pytest.raises(GeometryError, match="same size"):
        LapSRN(same_size=True)
    for settings in ({"depth": 0}, {"width": 0}, {"feature_kernel": 5}):
        with pytest.raises(ConfigError):
            LapSRN(**settings)
