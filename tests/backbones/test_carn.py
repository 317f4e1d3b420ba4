from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.carn import CARN
from realdeg.backbones.carnm import CARNM
from realdeg.backbones.pcarn import PCARN
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.utils.colour import rgb_to_y
from tests.backbones.judging import (
    decibels,
    losses_of_training,
    on_meta,
    parameters,
    rounded,
    set5,
    shapes,
    stored,
    weights_only,
)


@pytest.mark.parametrize(
    ("cls", "settings", "count"),
    [
        (CARN, {}, 1_591_939),
        (CARN, {"scale": 2, "multi_scale": False}, 964_163),
        (CARN, {"scale": 3, "multi_scale": False}, 1_148_803),
        (CARN, {"scale": 4, "multi_scale": False}, 1_111_875),
        (CARNM, {}, 414_787),
        (CARNM, {"scale": 2, "multi_scale": False}, 257_027),
        (CARNM, {"scale": 3, "multi_scale": False}, 303_427),
        (CARNM, {"scale": 4, "multi_scale": False}, 294_147),
        (PCARN, {}, 1_591_939),
        (PCARN, {"mobile": True}, 414_787),
    ],
)
def test_parameters(cls, settings, count):
    network = on_meta(cls, **settings)
    assert (parameters(network), stored(network)) == (count, count + 24)


def test_the_papers_412k_are_without_biases():
    assert weights_only(on_meta(CARNM)) == 412_032


def cascade_keys(prefix: str, fusion: str) -> dict[str, tuple[int, ...]]:
    return {f"{prefix}c{i}{fusion}": (64, 64 * (i + 1), 1, 1) for i in (1, 2, 3)}


def both(names: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    expected = {f"{name}.weight": shape for name, shape in names.items()}
    return expected | {f"{name}.bias": shape[:1] for name, shape in names.items()}


def outer(groups: int) -> dict[str, tuple[int, ...]]:
    inputs = 64 // groups
    return {
        "sub_mean.shifter": (3, 3, 1, 1),
        "add_mean.shifter": (3, 3, 1, 1),
        "entry": (64, 3, 3, 3),
        "upsample.up2.body.0": (256, inputs, 3, 3),
        "upsample.up3.body.0": (576, inputs, 3, 3),
        "upsample.up4.body.0": (256, inputs, 3, 3),
        "upsample.up4.body.3": (256, inputs, 3, 3),
        "exit": (3, 64, 3, 3),
    }


def test_published_keys_of_carn():
    wanted = outer(1) | cascade_keys("", ".body.0")
    for i in (1, 2, 3):
        wanted |= cascade_keys(f"b{i}.", ".body.0")
        wanted |= {f"b{i}.b{j}.body.{k}": (64, 64, 3, 3) for j in (1, 2, 3) for k in (0, 2)}
    assert len(both(wanted)) == 76
    assert shapes(on_meta(CARN)) == both(wanted)


def test_published_keys_of_carn_m():
    wanted = outer(4) | cascade_keys("", ".body.0")
    for i in (1, 2, 3):
        wanted |= cascade_keys(f"b{i}.", ".body.0")
        wanted |= {f"b{i}.b1.body.{k}": (64, 16, 3, 3) for k in (0, 2)}
        wanted |= {f"b{i}.b1.body.4": (64, 64, 1, 1)}
    assert len(both(wanted)) == 58
    assert shapes(on_meta(CARNM)) == both(wanted)


@pytest.mark.parametrize("mobile", [False, True])
def test_published_keys_of_pcarn(mobile):
    wanted = outer(4 if mobile else 1) | cascade_keys("", "")
    for i in (1, 2, 3):
        wanted |= cascade_keys(f"b{i}.", "")
        for j in (1,) if mobile else (1, 2, 3):
            inputs = 16 if mobile else 64
            wanted |= {f"b{i}.b{j}.conv{k}": (64, inputs, 3, 3) for k in (1, 2)}
            wanted |= {f"b{i}.b{j}.pw": (64, 64, 1, 1)} if mobile else {}
    assert len(both(wanted)) == (58 if mobile else 76)
    assert shapes(on_meta(PCARN, mobile=mobile)) == both(wanted)


def test_keys_of_one_scale():
    found = {n for n in shapes(on_meta(CARN, multi_scale=False)) if n.startswith("upsample")}
    assert found == {f"upsample.up.body.{i}.{k}" for i in (0, 3) for k in ("weight", "bias")}


def test_published_keys_hold_inside_another_module():
    outside = torch.nn.ModuleDict({"backbone": CARN(features=4)})
    again = copy.deepcopy(outside)
    torch.nn.init.zeros_(again["backbone"].heads.up2.body[0].weight)
    state = outside.state_dict()
    assert "backbone.upsample.up2.body.0.weight" in state
    assert not any(".heads." in name for name in state)
    kept = list(state)
    again.load_state_dict(state)
    assert list(state) == kept
    for name, value in again.state_dict().items():
        assert torch.equal(value, state[name])


@pytest.mark.parametrize("cls", [CARN, CARNM, PCARN])
def test_equals_its_layers(cls):
    torch.manual_seed(0)
    network = cls(scale=2, features=4, multi_scale=False).double()
    lr = torch.rand(1, 3, 5, 4, dtype=torch.float64)
    relu = torch.relu

    def residual(block, x):
        if cls is PCARN:
            return relu(block.conv2(relu(block.conv1(x))) + x)
        first, _, second, *more = block.body
        inner = second(relu(first(x)))
        return relu((more[1](relu(inner)) if more else inner) + x)

    def cascade(x, blocks, fusions):
        stack, out = [x], x
        for block, fuse in zip(blocks, fusions, strict=True):
            stack.append(block(out))
            joined = torch.cat(stack, 1)
            out = fuse(joined) if cls is PCARN else relu(fuse.body[0](joined))
        return out

    def inside(part):
        names = ("b1",) * 3 if cls is CARNM else ("b1", "b2", "b3")
        blocks = [getattr(part, name) for name in names]
        wrapped = [lambda x, block=block: residual(block, x) for block in blocks]
        return lambda x: cascade(x, wrapped, [part.c1, part.c2, part.c3])

    entry = network.entry(network.sub_mean(lr))
    blocks = [inside(part) for part in (network.b1, network.b2, network.b3)]
    x = cascade(entry, blocks, [network.c1, network.c2, network.c3])
    x = x + entry if cls is PCARN else x
    x = F.pixel_shuffle(relu(network.heads.up.body[0](x)), 2)
    torch.testing.assert_close(network(lr), network.add_mean(network.exit(x)))


@pytest.mark.parametrize("cls", [CARN, CARNM, PCARN])
def test_one_network_of_three_scales(cls):
    torch.manual_seed(0)
    network = cls(scale=3, features=4).eval()
    lr = torch.rand(2, 3, 5, 6)
    with torch.no_grad():
        for scale in (2, 3, 4):
            assert network(lr, scale=scale).shape == (2, 3, *network.output_size(5, 6, scale))
        assert torch.equal(network(lr), network(lr, scale=3))
        assert torch.equal(network(lr, scale=2.0), network(lr, scale=2))
    with pytest.raises(GeometryError, match="scale 8: this instance serves 2, 3, 4"):
        network(lr, scale=8)
    with pytest.raises(GeometryError, match="built for scale 2 and is called with scale 3"):
        cls(scale=2, features=4, multi_scale=False)(lr, scale=3)


def test_every_scale_trains_its_own_upsampler_and_the_trunk():
    network = CARN(features=4)
    network(torch.rand(1, 3, 6, 6), scale=2).square().sum().backward()
    assert network.heads.get_submodule("up2").body[0].weight.grad is not None
    assert network.heads.get_submodule("up3").body[0].weight.grad is None
    assert network.b1.b1.body[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("cls", [CARN, CARNM, PCARN])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_halo_is_tight(cls, scale, reach):
    network = cls(scale=scale, features=4, multi_scale=False)
    assert reach(network) == network.halo == 21
    assert cls(features=4).halo == 21


@pytest.mark.parametrize("cls", [CARN, CARNM, PCARN])
def test_it_learns(cls):
    torch.manual_seed(0)
    network = cls(scale=2, features=16, multi_scale=False)
    before, after = losses_of_training(network, F.l1_loss, lr=5e-3)
    assert after < 0.7 * before


class TestDialects:
    def saved(self, tmp_path, state):
        path = tmp_path / "carn.pth"
        torch.save(state, path)
        return path

    def test_mean_shift_without_shifter(self, tmp_path):
        source, network = CARN(features=4), CARN(features=4)
        state = {name.replace(".shifter", ""): v for name, v in source.state_dict().items()}
        load_weights(network, self.saved(tmp_path, state))
        assert torch.equal(network.entry.weight, source.entry.weight)

    def test_one_scale_out_of_three(self, tmp_path):
        source = CARN(features=4, scale=3).eval()
        network = CARN(features=4, scale=3, multi_scale=False).eval()
        load_weights(network, self.saved(tmp_path, source.state_dict()))
        lr = torch.rand(1, 3, 4, 5)
        assert torch.equal(network(lr), source(lr))

    def test_one_scale_into_three_is_refused(self, tmp_path):
        path = self.saved(tmp_path, CARN(features=4, multi_scale=False).state_dict())
        with pytest.raises(CheckpointError, match="multi_scale=False"):
            load_weights(CARN(features=4), path)

    def test_related_networks_are_named(self, tmp_path):
        path = self.saved(tmp_path, CARNM(features=4).state_dict())
        with pytest.raises(CheckpointError, match=r"build it with CARN\(groups=4, mobile=True\)"):
            load_weights(CARN(features=4), path)
        with pytest.raises(CheckpointError, match="of a CARN"):
            load_weights(PCARN(features=4), path)
        path = self.saved(tmp_path, CARN(features=4).state_dict())
        with pytest.raises(CheckpointError, match="are of CARN: build CARN"):
            load_weights(CARNM(features=4), path)
        path = self.saved(tmp_path, PCARN(features=4).state_dict())
        with pytest.raises(CheckpointError, match="are of a PCARN"):
            load_weights(CARN(features=4), path)
        with pytest.raises(CheckpointError, match=r"build it with PCARN\(groups=1, mobile=False\)"):
            load_weights(PCARN(features=4, mobile=True), path)

    def test_a_shared_block_that_is_stored_three_times(self, tmp_path):
        source, network = PCARN(features=4, mobile=True), PCARN(features=4, mobile=True)
        state = source.state_dict()
        for name in list(state):
            if ".b1." in name:
                for other in ("b2", "b3"):
                    state[name.replace(".b1.", f".{other}.")] = state[name].clone()
        assert len(state) == 94
        load_weights(network, self.saved(tmp_path, state))
        assert torch.equal(network.b3.b1.pw.weight, source.b3.b1.pw.weight)
        state["b2.b3.conv1.bias"] += 1
        with pytest.raises(CheckpointError, match=r"a different b2\.b3"):
            load_weights(network, self.saved(tmp_path, state))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"features": 6}, ConfigError),
        ({"groups": 0}, ConfigError),
        ({"scale": 8}, GeometryError),
        ({"same_size": True}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        CARNM(**settings)


@pytest.mark.parametrize(
    ("scale", "verified"),
    [(2, 37.62), (3, 34.03), (4, 31.86)],
)
def test_published_weights(real_data, scale, verified):
    """Set5, MATLAB's rgb2ycbcr on 8-bit images (a rounded Y), border = scale."""
    network = CARNM(scale=scale).eval()
    path = real_data / "weights" / "carn_m.pth"
    shift = network.sub_mean.shifter.bias.clone()
    load_weights(network, path)
    torch.testing.assert_close(network.sub_mean.shifter.bias, shift)
    found = []
    for lr, hr in set5(real_data, scale):
        with torch.no_grad():
            sr = rounded(network(lr))
        found.append(decibels(rounded(rgb_to_y(sr)), rounded(rgb_to_y(hr)), scale))
    assert sum(found) / 5 == pytest.approx(verified, abs=0.02)
