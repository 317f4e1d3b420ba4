from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.idn import IDN
from realdeg.backbones.parts.bicubic import bicubic_upsample
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes

# The authors' Caffe layers by our names.
CAFFE = {"fblock.module.0": "conv1", "fblock.module.2": "conv2", "deconv": "upsample"}
for block in range(4):
    CAFFE[f"dblocks.{block}.compression"] = f"down{block + 1}"
    for number in range(3):
        top, bottom = (f"dblocks.{block}.enhancement_{half}" for half in ("top", "bottom"))
        CAFFE[f"{top}.{2 * number}"] = f"conv{block + 3}_{number + 1}"
        CAFFE[f"{bottom}.{2 * number}"] = f"conv{block + 3}_{number + 4}"


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_parameters_and_published_keys(scale):
    network = on_meta(IDN, scale=scale)
    assert parameters(network) == 552_769
    found = shapes(network)
    assert set(found) == {f"{name}.{kind}" for name in CAFFE for kind in ("weight", "bias")}
    assert len(found) == 62
    wanted = {
        "fblock.module.0.weight": (64, 1, 3, 3),
        "dblocks.0.enhancement_top.0.weight": (48, 64, 3, 3),
        "dblocks.0.enhancement_top.2.weight": (32, 12, 3, 3),
        "dblocks.1.enhancement_top.4.weight": (64, 32, 3, 3),
        "dblocks.2.enhancement_bottom.0.weight": (64, 48, 3, 3),
        "dblocks.3.enhancement_bottom.2.weight": (48, 16, 3, 3),
        "dblocks.3.enhancement_bottom.4.weight": (80, 48, 3, 3),
        "dblocks.3.compression.weight": (64, 80, 1, 1),
        "deconv.weight": (64, 1, 17, 17),
        "deconv.bias": (1,),
    }
    assert {name: found[name] for name in wanted} == wanted


def test_equals_its_layers():
    torch.manual_seed(0)
    network = IDN(scale=3, features=16, distilled=4, num_blocks=1).double()
    lr = torch.rand(1, 1, 4, 5, dtype=torch.float64)

    def step(image, conv, groups=1):
        padding = conv.weight.shape[-1] // 2
        out = F.conv2d(image, conv.weight, conv.bias, padding=padding, groups=groups)
        return torch.where(out >= 0, out, 0.05 * out)

    r = step(step(lr, network.fblock.module[0]), network.fblock.module[2])
    block = network.dblocks[0]
    t = r
    for index, groups in ((0, 1), (2, 4), (4, 1)):
        t = step(t, block.enhancement_top[index], groups)
    u = t[:, 4:]
    for index, groups in ((0, 1), (2, 4), (4, 1)):
        u = step(u, block.enhancement_bottom[index], groups)
    r = step(u + torch.cat([r, t[:, :4]], 1), block.compression)
    full = F.conv_transpose2d(r, network.deconv.weight, network.deconv.bias, stride=3)
    wanted = full[..., 6 : 6 + 12, 6 : 6 + 15] + imresize(lr, size=(12, 15))
    torch.testing.assert_close(network(lr), wanted)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 3)])
def test_the_interpolation_is_matlabs(factor, size):
    image = torch.rand(2, 3, *size, dtype=torch.float64)
    wanted = imresize(image, size=(factor * size[0], factor * size[1]))
    torch.testing.assert_close(bicubic_upsample(image, factor), wanted)


def test_the_interpolation_keeps_its_precision_under_autocast():
    image = torch.rand(1, 1, 6, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(bicubic_upsample(image, 2), bicubic_upsample(image.clone(), 2))
        assert bicubic_upsample(image, 2).dtype == torch.float32


@pytest.mark.parametrize("numbers", [False, True])
def test_caffe_names_load(numbers, tmp_path):
    torch.manual_seed(0)
    source, network = IDN(), IDN()
    ends = {"weight": "0", "bias": "1"} if numbers else {"weight": "weight", "bias": "bias"}
    foreign = {}
    for name, value in source.state_dict().items():
        layer, _, kind = name.rpartition(".")
        value = value.reshape(1, 1, 1, -1) if kind == "bias" else value
        foreign[f"{CAFFE[layer]}.{ends[kind]}"] = value
    path = tmp_path / "idn.pth"
    torch.save(foreign, path)
    load_weights(network, path)
    for name, value in source.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


def test_the_three_colour_port_is_refused(tmp_path):
    path = tmp_path / "idn.pth"
    state = IDN().state_dict()
    state["fblock.module.0.weight"] = torch.zeros(64, 3, 3, 3)
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="three-colour port"):
        load_weights(IDN(), path)


def test_initialisation_is_he():
    torch.manual_seed(0)
    network = IDN()
    std = network.dblocks[0].enhancement_top[0].weight.std().item()
    assert std == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.05)
    assert all(not p.any() for name, p in network.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize(("scale", "halo"), [(2, 12), (3, 11), (4, 10)])
def test_halo_is_tight(scale, halo, reach):
    network = IDN(scale=scale, features=16, distilled=4, num_blocks=1)
    assert reach(network) == network.halo == halo


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_learns(scale):
    torch.manual_seed(0)
    network = IDN(scale=scale, features=16, distilled=4, num_blocks=1)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"features": 30}, ConfigError),
        ({"distilled": 32}, ConfigError),
        ({"distilled": 6}, ConfigError),
        ({"num_blocks": 0}, ConfigError),
        ({"scale": 8}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        IDN(**settings)
