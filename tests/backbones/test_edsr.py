from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.edsr import EDSR
from realdeg.backbones.parts.edsr import ResBlock
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes, stored


def small(**settings) -> EDSR:
    return EDSR(**{"scale": 2, "num_blocks": 2, "num_features": 4} | settings)


@pytest.mark.parametrize(
    ("preset", "scale", "count"),
    [
        ("baseline", 2, 1_369_859),
        ("baseline", 3, 1_554_499),
        ("baseline", 4, 1_517_571),
        ("full", 2, 40_729_603),
        ("full", 3, 43_680_003),
        ("full", 4, 43_089_923),
    ],
)
def test_parameters(preset, scale, count):
    network = on_meta(EDSR, scale=scale, preset=preset)
    assert (parameters(network), stored(network)) == (count, count + 24)


def test_scale_alone_gives_the_baseline():
    network = on_meta(EDSR, scale=4)
    assert parameters(network) == 1_517_571 and network.value_range == 255
    assert network.body[0].res_scale == 1
    assert on_meta(EDSR, preset="full").body[0].res_scale == 0.1


@pytest.mark.parametrize(("preset", "width", "blocks"), [("baseline", 64, 16), ("full", 256, 32)])
def test_published_keys(preset, width, blocks):
    wanted = {"sub_mean": (3, 3, 1, 1), "add_mean": (3, 3, 1, 1), "head.0": (width, 3, 3, 3)}
    for i in range(blocks):
        for k in (0, 2):
            wanted[f"body.{i}.body.{k}"] = (width, width, 3, 3)
    wanted[f"body.{blocks}"] = (width, width, 3, 3)
    wanted |= {f"tail.0.{k}": (4 * width, width, 3, 3) for k in (0, 2)}
    wanted["tail.1"] = (3, width, 3, 3)
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    assert shapes(on_meta(EDSR, preset=preset)) == expected


def test_block_equals_its_layers():
    torch.manual_seed(0)
    block = ResBlock(3, 5, 0.1).double()
    x = torch.randn(1, 3, 6, 5, dtype=torch.float64)
    first, _, second = block.body
    hidden = F.conv2d(x, first.weight, first.bias, padding=2).clamp(min=0)
    wanted = x + 0.1 * F.conv2d(hidden, second.weight, second.bias, padding=2)
    torch.testing.assert_close(block(x), wanted)


def test_the_mean_is_taken_off_and_added():
    network = small()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).reshape(1, 3, 1, 1) * 255
    torch.testing.assert_close(network(torch.rand(1, 3, 4, 4)), mean.expand(1, 3, 8, 8))


def foreign(network: EDSR, *, mmagic: bool) -> dict[str, torch.Tensor]:
    """Write the weights as BasicSR or mmagic do."""
    renamed = {}
    for name, value in network.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "head":
            name = f"conv_first.{rest[2:]}"
        elif part == "body" and ".body." in rest:
            name = name.replace(".body.0.", ".conv1.").replace(".body.2.", ".conv2.")
        elif part == "body":
            name = f"conv_after_body.{rest.split('.')[1]}"
        elif name.startswith("tail.0."):
            number, kind = rest.split(".")[1:]
            name = f"upsample.{number}.{kind}"
            if mmagic:
                name = f"upsample.{int(number) // 2}.upsample_conv.{kind}"
        elif part == "tail":
            name = f"conv_last.{rest[2:]}"
        else:
            continue  # the mean is not stored
        renamed[f"generator.{name}" if mmagic else name] = value
    return renamed


@pytest.mark.parametrize("mmagic", [False, True])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_dialects(tmp_path, mmagic, scale):
    torch.manual_seed(0)
    settings = {"scale": scale, "value_range": 1.0 if mmagic else None}
    source = small(**settings)
    path = tmp_path / "edsr.pth"
    torch.save({"state_dict": foreign(source, mmagic=mmagic)}, path)
    network = small(**settings)
    load_weights(network, path)
    lr = torch.rand(1, 3, 5, 4) * source.value_range
    assert torch.equal(network(lr), source(lr))
    with pytest.raises(CheckpointError, match="value_range="):
        load_weights(small(scale=scale, value_range=255.0 if mmagic else 1.0), path)
    with pytest.raises(CheckpointError, match="mean_shift=True"):
        load_weights(small(scale=scale, mean_shift=False), path)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"num_features": 5}, "num_features=4"),
        ({"num_blocks": 3}, "num_blocks=2"),
        ({"value_range": 1.0}, "value_range=255"),
        ({"mean_shift": False}, "mean_shift=True"),
        ({"same_size": True}, "unshuffle=1"),
    ],
)
def test_weights_of_another_form_are_refused_by_name(tmp_path, settings, match):
    path = tmp_path / "edsr.pth"
    torch.save(small().state_dict(), path)
    with pytest.raises(CheckpointError, match=match):
        load_weights(small(**settings), path)


def test_x4_starts_from_x2(tmp_path):
    source, network = small(), small(scale=4)
    path = tmp_path / "x2.pth"
    torch.save(source.state_dict(), path)
    load_weights(network, path, ignore=("tail.",))
    assert torch.equal(network.body[0].body[0].weight, source.body[0].body[0].weight)


def test_same_size_and_y():
    network = small(same_size=True, colour="y")
    assert network.unshuffle == 4 and network.value_range == 1
    assert network(torch.rand(1, 1, 9, 5)).shape == (1, 1, 9, 5)
    assert network.head[1].weight.shape == (4, 16, 3, 3)


@pytest.mark.parametrize(
    "geometry",
    [{"scale": 2}, {"scale": 3}, {"scale": 4}, {"same_size": True}, {"unshuffle": 2}],
)
def test_halo_is_tight(geometry, reach):
    network = small(num_blocks=1, num_features=1, **geometry)
    assert reach(network) == network.halo


@pytest.mark.parametrize("preset", ["baseline", "full"])
def test_it_learns(preset):
    torch.manual_seed(0)
    network = small(preset=preset, num_features=8, mean_shift=False)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.8 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"preset": "baselin"}, ConfigError),
        ({"num_blocks": 0}, ConfigError),
        ({"num_features": 0}, ConfigError),
        ({"colour": "lab"}, ConfigError),
        ({"colour": "y", "mean_shift": True}, ConfigError),
        ({"unshuffle": 0}, ConfigError),
        ({"scale": 5}, GeometryError),
        ({"scale": 3, "unshuffle": 2}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        small(**settings)
