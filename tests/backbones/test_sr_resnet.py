from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.msr_resnet import MSRResNet
from realdeg.backbones.sr_resnet import SRResNet
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 1_547_350),
        ({"bias": True}, 1_549_462),
        ({"bias": True, "channel_slopes": True}, 1_550_659),
        ({"scale": 2}, 1_399_637),
        ({"scale": 2, "bias": True}, 1_401_749),
        ({"scale": 8}, 1_695_063),
        ({"scale": 8, "bias": True}, 1_697_175),
        # 33 normalisations of 64 channels, a gain and an offset each
        ({"bias": True, "use_bn": False}, 1_549_462 - 33 * 64 * 2),
    ],
)
def test_parameters(settings, count):
    assert parameters(on_meta(SRResNet, **settings)) == count


@pytest.mark.parametrize(("scale", "count"), [(2, 1_369_859), (3, 1_554_499), (4, 1_517_571)])
def test_parameters_of_the_modified_one(scale, count):
    assert parameters(on_meta(MSRResNet, scale=scale)) == count


def test_published_keys():
    found = shapes(on_meta(SRResNet))
    assert found["conv1.0.weight"] == (64, 3, 9, 9) and found["conv1.1.weight"] == (1,)
    for i in range(16):
        for k in (0, 3):
            assert found[f"trunk.{i}.rcb.{k}.weight"] == (64, 64, 3, 3)
            assert f"trunk.{i}.rcb.{k}.bias" not in found
        assert found[f"trunk.{i}.rcb.1.running_var"] == (64,)
        assert found[f"trunk.{i}.rcb.2.weight"] == (1,)
    assert found["conv2.0.weight"] == (64, 64, 3, 3) and found["conv2.1.bias"] == (64,)
    for k in (0, 1):
        assert found[f"upsampling.{k}.upsample_block.0.weight"] == (256, 64, 3, 3)
        assert found[f"upsampling.{k}.upsample_block.2.weight"] == (1,)
    assert found["conv3.weight"] == (3, 64, 9, 9)
    assert len(found) == 3 + 16 * 13 + 6 + 2 * 3 + 2


def test_published_keys_of_the_modified_one():
    wanted = {"conv_first": (64, 3, 3, 3)}
    for i in range(16):
        wanted |= {f"body.{i}.conv{k}": (64, 64, 3, 3) for k in (1, 2)}
    wanted |= {f"upconv{k}": (256, 64, 3, 3) for k in (1, 2)}
    wanted |= {"conv_hr": (64, 64, 3, 3), "conv_last": (3, 64, 3, 3)}
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    assert shapes(on_meta(MSRResNet)) == expected
    third = shapes(on_meta(MSRResNet, scale=3))
    assert third["upconv1.weight"] == (576, 64, 3, 3) and "upconv2.weight" not in third


def test_older_names_of_the_same_collection(tmp_path):
    source, network = SRResNet.example(), SRResNet.example()
    path = tmp_path / "old.pth"
    old = {re.sub(r"^conv(\d)", r"conv_block\1", k): v for k, v in source.state_dict().items()}
    torch.save({"state_dict": old}, path)
    load_weights(network, path)
    assert torch.equal(network.conv3.weight, source.conv3.weight)


def test_the_tanh_dialect(tmp_path):
    torch.manual_seed(0)
    settings = {"scale": 4, "num_features": 4, "num_blocks": 5, "bias": True}
    source = SRResNet(tanh=True, **settings).eval()
    parts = ("conv1", "bn1", "prelu", "conv2", "bn2")
    foreign = {}
    for name, value in source.state_dict().items():
        place = name.split(".")
        if place[0] == "trunk":
            name = ".".join([f"block{int(place[1]) + 2}", parts[int(place[3])], place[4]])
        elif place[0] == "upsampling":
            name = f"block8.{place[1]}.{'conv' if place[3] == '0' else 'prelu'}.{place[4]}"
        else:
            number = {"conv1": "block1", "conv2": "block7", "conv3": "block8.2"}[place[0]]
            name = ".".join([number, *place[1:]])
        foreign[name] = value
    assert "block6.bn2.running_mean" in foreign and "block8.2.weight" in foreign
    path = tmp_path / "netG.pth"
    torch.save(foreign, path)
    network = SRResNet(tanh=True, **settings).eval()
    load_weights(network, path)
    lr = torch.rand(1, 3, 6, 5)
    assert torch.equal(network(lr), source(lr))
    with pytest.raises(CheckpointError, match="tanh=True"):
        load_weights(SRResNet(**settings), path)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"bias": True}, "bias=False"),
        ({"channel_slopes": True}, "=False"),
        ({"use_bn": False}, "use_bn=True"),
    ],
)
def test_the_other_readings_are_refused_by_name(tmp_path, settings, match):
    path = tmp_path / "srresnet.pth"
    torch.save(SRResNet.example().state_dict(), path)
    with pytest.raises(CheckpointError, match=match):
        load_weights(SRResNet(**{**SRResNet.example().arguments, **settings}), path)


def test_a_trained_normalisation_is_that_of_its_running_statistics():
    torch.manual_seed(0)
    network = SRResNet.example()
    lr = torch.rand(2, 3, 8, 8)
    for _ in range(100):
        network.train()(lr)
    assert network.conv2[1].running_mean.abs().sum() > 0
    torch.testing.assert_close(network.eval()(lr), network.train()(lr), rtol=0.1, atol=0.1)


def test_without_normalisation_it_equals_one_that_changes_nothing():
    torch.manual_seed(0)
    settings = {"scale": 4, "num_features": 4, "num_blocks": 2, "bias": True}
    plain = SRResNet(use_bn=False, **settings).eval()
    network = SRResNet(**settings).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.0
    assert network.load_state_dict(plain.state_dict(), strict=False).unexpected_keys == []
    lr = torch.rand(1, 3, 5, 4)
    torch.testing.assert_close(network(lr), plain(lr))
    # It starts near the network without its trunk, so that depth does not multiply the features.
    first = plain.conv1(lr)
    assert (plain.trunk(first) - first).std() < 0.1 * first.std()


def test_the_modified_one_adds_the_bilinear_image():
    network = MSRResNet(scale=4, num_features=4, num_blocks=1).eval()
    torch.nn.init.zeros_(network.conv_last.weight)
    lr = torch.rand(1, 3, 5, 4)
    wanted = F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(lr), wanted)


def test_the_modified_one_equals_its_layers():
    torch.manual_seed(0)
    network = MSRResNet(scale=4, num_features=4, num_blocks=1).double().eval()
    lr = torch.rand(1, 3, 5, 4, dtype=torch.float64)

    def leaky(x):
        return torch.where(x > 0, x, 0.1 * x)

    x = leaky(network.conv_first(lr))
    block = network.body[0]
    x = x + block.conv2(block.conv1(x).clamp(min=0))
    x = leaky(F.pixel_shuffle(network.upconv1(x), 2))
    x = leaky(F.pixel_shuffle(network.upconv2(x), 2))
    x = network.conv_last(leaky(network.conv_hr(x)))
    wanted = x + F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(lr), wanted)


def test_mmagics_modified_one_has_no_activation_after_its_shuffles(tmp_path):
    settings = {"scale": 4, "num_features": 4, "num_blocks": 1}
    source = MSRResNet(leaky_steps=False, **settings)
    foreign = {}
    for name, value in source.state_dict().items():
        name = re.sub(r"^body\.", "trunk_net.", name)
        foreign["generator." + re.sub(r"^upconv(\d)", r"upsample\1.upsample_conv", name)] = value
    path = tmp_path / "msrresnet.pth"
    torch.save({"meta": {}, "state_dict": foreign}, path)
    network = MSRResNet(leaky_steps=False, **settings)
    load_weights(network, path)
    assert torch.equal(network.upconv2.weight, source.upconv2.weight)
    with pytest.raises(CheckpointError, match="leaky_steps=False"):
        load_weights(MSRResNet(**settings), path)


@pytest.mark.parametrize(("cls", "scale"), [(SRResNet, 4), (MSRResNet, 3), (MSRResNet, 4)])
def test_halo_is_tight(cls, scale, reach):
    network = cls(scale=scale, num_features=1, num_blocks=1).eval()
    assert reach(network) == network.halo


@pytest.mark.parametrize("cls", [SRResNet, MSRResNet])
def test_it_learns(cls):
    torch.manual_seed(0)
    network = cls(scale=2, num_features=8, num_blocks=1)
    loss = F.mse_loss if cls is SRResNet else F.l1_loss
    before, after = losses_of_training(network, loss)
    assert after < 0.95 * before  # the modified one starts at the bilinear image


@pytest.mark.parametrize("cls", [SRResNet, MSRResNet])
def test_refusals(cls):
    with pytest.raises(ConfigError):
        cls(num_blocks=0)
    with pytest.raises(GeometryError):
        cls(scale=5)
