from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.rrdbnet import DenseBlock, RRDBNet
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


def small(**settings) -> RRDBNet:
    return RRDBNet(**{"num_blocks": 2, "num_features": 4, "growth": 2} | settings)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 16_697_987),
        ({"scale": 2}, 16_703_171),
        ({"scale": 1}, 16_723_907),
        ({"same_size": True}, 16_723_907),
        ({"num_blocks": 6}, 4_467_779),
        ({"num_blocks": 16}, 11_662_019),
    ],
)
def test_parameters(settings, count):
    assert parameters(on_meta(RRDBNet, **settings)) == count


def test_published_keys():
    wanted = {"conv_first": (64, 3, 3, 3)}
    for i in range(23):
        for k in (1, 2, 3):
            for c in range(1, 6):
                place = f"body.{i}.rdb{k}.conv{c}"
                wanted[place] = (32 if c < 5 else 64, 64 + 32 * (c - 1), 3, 3)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        wanted[name] = (64, 64, 3, 3)
    wanted["conv_last"] = (3, 64, 3, 3)
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    found = shapes(on_meta(RRDBNet))
    assert found == expected
    assert list(found)[-1] == "conv_last.bias"
    assert shapes(on_meta(RRDBNet, scale=2))["conv_first.weight"] == (64, 12, 3, 3)
    assert shapes(on_meta(RRDBNet, scale=1))["conv_first.weight"] == (64, 48, 3, 3)
    assert set(shapes(on_meta(RRDBNet, scale=2))) == set(found)


def new(name: str) -> str:
    """Name a tensor as the ESRGAN repository does."""
    name = re.sub(r"^body\.(\d+)\.rdb", r"RRDB_trunk.\1.RDB", name)
    name = re.sub(r"^conv_body", "trunk_conv", name)
    return re.sub(r"^conv_up", "upconv", name).replace("conv_hr", "HRconv")


def old(name: str, blocks: int, steps: int) -> str:
    """Name a tensor as the older architecture does."""
    part, _, rest = name.partition(".")
    numbers = {"conv_first": "0", "conv_body": f"1.sub.{blocks}"}
    numbers |= {f"conv_up{k}": f"{3 * k}" for k in range(1, steps + 1)}
    numbers |= {"conv_hr": f"{3 * steps + 2}", "conv_last": f"{3 * steps + 4}"}
    if part in numbers:
        return f"model.{numbers[part]}.{rest}"
    block, dense, conv, kind = rest.split(".")
    return f"model.1.sub.{block}.{dense.upper()}.{conv}.0.{kind}"


@pytest.mark.parametrize("dialect", ["newer", "mmagic", "new", "old"])
@pytest.mark.parametrize("settings", [{}, {"scale": 2}, {"scale": 8}, {"scale": 2, "unshuffle": 1}])
def test_dialects(tmp_path, dialect, settings):
    torch.manual_seed(0)
    source, network = small(**settings).eval(), small(**settings).eval()
    names = {
        "newer": lambda name: name,
        "mmagic": lambda name: f"generator.{name}",
        "new": new,
        "old": lambda name: old(name, 2, source.steps),
    }
    foreign = {names[dialect](name): value for name, value in source.state_dict().items()}
    path = tmp_path / "esrgan.pth"
    torch.save({"params_ema": foreign} if dialect == "newer" else foreign, path)
    load_weights(network, path)
    lr = torch.rand(1, 3, 6, 4)
    assert torch.equal(network(lr), source(lr))


def test_facts_of_the_older_names():
    assert old("body.22.rdb3.conv5.bias", 23, 2) == "model.1.sub.22.RDB3.conv5.0.bias"
    assert old("conv_body.weight", 23, 2) == "model.1.sub.23.weight"
    assert [old(f"{n}.bias", 23, 2) for n in ("conv_up1", "conv_up2", "conv_hr", "conv_last")] == [
        f"model.{k}.bias" for k in (3, 6, 8, 10)
    ]


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"num_blocks": 3}, "num_blocks=2"),
        ({"num_features": 5}, "num_features=4"),
        ({"scale": 2}, "unshuffle=1"),
        ({"scale": 2, "unshuffle": 1}, "scale=4 and this network scale=2"),
    ],
)
def test_weights_of_another_form_are_refused_by_name(tmp_path, settings, match):
    path = tmp_path / "esrgan.pth"
    torch.save(small().state_dict(), path)
    with pytest.raises(CheckpointError, match=match):
        load_weights(small(**settings), path)


def test_esrgan_plus_is_refused_by_name(tmp_path):
    path = tmp_path / "plus.pth"
    foreign = {old(name, 2, 2): value for name, value in small().state_dict().items()}
    foreign["model.1.sub.0.RDB1.conv1x1.weight"] = torch.zeros(2, 4, 1, 1)
    torch.save(foreign, path)
    with pytest.raises(CheckpointError, match="ESRGAN+"):
        load_weights(small(), path)


def test_dense_block_equals_its_layers():
    torch.manual_seed(0)
    block = DenseBlock(4, 3).double()
    x = torch.randn(1, 4, 6, 5, dtype=torch.float64)
    seen = [x]
    for number in range(1, 5):
        y = block.get_submodule(f"conv{number}")(torch.cat(seen, 1))
        seen.append(torch.where(y > 0, y, 0.2 * y))
    torch.testing.assert_close(block(x), x + 0.2 * block.conv5(torch.cat(seen, 1)))


def test_dense_blocks_start_small():
    torch.manual_seed(0)
    block = DenseBlock(64, 32)
    assert block.conv1.weight.std().item() == pytest.approx(0.1 * (2 / (64 * 9)) ** 0.5, rel=0.03)
    assert not block.conv5.bias.any()


def test_an_odd_size_is_padded_by_reflection():
    torch.manual_seed(0)
    network = small(same_size=True).eval()
    lr = torch.rand(1, 3, 10, 7)
    reflected = F.pad(lr, (0, 1, 0, 2), mode="reflect")
    with torch.no_grad():
        assert torch.equal(network(lr), network(reflected)[..., :10, :7])


@pytest.mark.parametrize(
    "settings", [{"scale": 1}, {"scale": 2}, {"scale": 4}, {"scale": 2, "unshuffle": 1}]
)
def test_halo_is_tight(settings, reach):
    network = small(num_blocks=1, num_features=1, growth=1, **settings)
    assert reach(network) == network.halo


@pytest.mark.parametrize("scale", [2, 4])
def test_it_learns(scale):
    torch.manual_seed(0)
    network = small(scale=scale, num_features=8, num_blocks=1)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.8 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"num_blocks": 0}, ConfigError),
        ({"unshuffle": 0}, ConfigError),
        ({"unshuffle": 3}, GeometryError),
        ({"scale": 3}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        RRDBNet(**settings)
