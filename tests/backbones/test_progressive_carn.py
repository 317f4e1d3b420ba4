from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.carn import CARN
from realdeg.backbones.progressive_carn import ProgressiveCARN
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


@pytest.mark.parametrize(("scale", "count"), [(2, 964_163), (4, 1_924_803), (8, 2_885_443)])
def test_parameters(scale, count):
    assert parameters(on_meta(ProgressiveCARN, scale=scale)) == count


def test_the_first_stage_is_carn():
    first = shapes(on_meta(ProgressiveCARN, scale=2))
    carn = shapes(on_meta(CARN, scale=2, multi_scale=False))
    renamed = {
        name.replace("groups.0.", "").replace("upsample.", "upsample.up."): shape
        for name, shape in first.items()
    }
    assert renamed == carn


def test_keys():
    found = shapes(on_meta(ProgressiveCARN, scale=8))
    assert found["groups.2.b3.b1.body.2.weight"] == (64, 64, 3, 3)
    assert found["groups.1.c3.body.0.weight"] == (64, 256, 1, 1)
    assert {n for n in found if n.startswith("upsample") and n.endswith("weight")} == {
        f"upsample.body.{i}.weight" for i in (0, 3, 6)
    }
    assert len(found) == 194


def test_growth_keeps_what_was_learned():
    torch.manual_seed(0)
    stages = [ProgressiveCARN.example().eval()]
    lr = torch.rand(2, 3, 5, 6)
    for scale in (4, 8):
        small = stages[-1]
        with torch.no_grad():  # learned, that is, no longer what a seed gives
            for parameter in small.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))
        grown = small.grow()
        stages.append(grown)
        assert grown.scale == scale and grown.arguments["scale"] == scale
        assert not grown.training
        before, after = small.state_dict(), grown.state_dict()
        for name, value in before.items():
            if name.startswith(grown.new_prefixes):
                continue
            assert torch.equal(after[name], value), name
        assert {n.split(".")[0] for n in before if not n.startswith(grown.new_prefixes)} == {
            "sub_mean",
            "entry",
            "groups",
            "add_mean",
        }
        # Hence everything up to the appended cascade computes what it did.
        with torch.no_grad():
            old = small.groups(small.entry(small.sub_mean(lr)))
            new = grown.groups[:-1](grown.entry(grown.sub_mean(lr)))
        assert torch.equal(old, new)
        assert grown(lr).shape == (2, 3, 5 * scale, 6 * scale)
        # The stages go on apart from each other.
        with torch.no_grad():
            grown.entry.weight.zero_()
        assert before["entry.weight"].abs().sum() > 0
    with pytest.raises(GeometryError, match="cannot grow"):
        stages[-1].grow()


def test_growth_keeps_the_number_type():
    assert ProgressiveCARN.example().double().grow().exit.weight.dtype == torch.float64


def test_growth_through_a_file(tmp_path):
    path = tmp_path / "x2.pth"
    small, large = ProgressiveCARN.example(), ProgressiveCARN(scale=4, features=8)
    torch.save(small.state_dict(), path)
    with pytest.raises(CheckpointError, match="missing groups"):
        load_weights(large, path)
    head = large.exit.weight.clone()
    load_weights(large, path, ignore=large.new_prefixes)
    assert torch.equal(large.groups[0].c1.body[0].weight, small.groups[0].c1.body[0].weight)
    assert torch.equal(large.exit.weight, head)


@pytest.mark.parametrize("scale", [2, 4])
def test_halo_is_tight(scale, reach):
    network = ProgressiveCARN(scale=scale, features=1)
    assert reach(network) == network.halo


@pytest.mark.parametrize("scale", [2, 4])
def test_it_learns(scale):
    torch.manual_seed(0)
    network = ProgressiveCARN(scale=scale, features=16)
    before, after = losses_of_training(network, F.l1_loss, lr=5e-3)
    assert after < 0.85 * before


@pytest.mark.parametrize(
    ("settings", "error"), [({"features": 0}, ConfigError), ({"scale": 3}, GeometryError)]
)
def test_refusals(settings, error):
    with pytest.raises(error):
        ProgressiveCARN(**settings)
