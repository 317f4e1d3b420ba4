from __future__ import annotations

import math

import pytest
import torch

from realdeg.backbones.parts.pixelcnn import GatedPrior
from realdeg.backbones.pixel_recursive import PixelRecursiveSR, _chances
from realdeg.errors import ConfigError
from realdeg.losses import build_loss

SIZES = {"layers": 2, "features": 7, "hidden": 10, "cond_features": 5, "cond_blocks": 1}


def tiny(**settings) -> PixelRecursiveSR:
    torch.manual_seed(1)
    network = PixelRecursiveSR(**{**SIZES, **settings}).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)  # distributions that are far from flat
    return network


def test_parameters_and_keys():
    with torch.device("meta"):
        network = PixelRecursiveSR()

    def count(module):
        return sum(parameter.numel() for parameter in module.parameters())

    assert count(network.prior) == 6_196_992
    assert count(network.cond) == 379_200
    assert count(network) == 6_576_192
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for name, shape in {
        "prior.conv_in": (64, 3, 7, 7),
        "prior.layers.19.v_conv": (128, 64, 5, 5),
        "prior.layers.19.v2h": (128, 128, 1, 1),
        "prior.layers.19.h_conv": (128, 64, 1, 5),
        "prior.layers.19.h_out": (64, 64, 1, 1),
        "prior.conv_mid": (1024, 64, 1, 1),
        "prior.conv_out": (768, 1024, 1, 1),
        "cond.conv_in": (32, 3, 1, 1),
        "cond.res2.5.conv2": (32, 32, 3, 3),
        "cond.deconv1": (32, 32, 3, 3),
        "cond.conv_out": (768, 32, 1, 1),
    }.items():
        assert shapes.pop(f"{name}.weight") == shape
    assert not any("mask" in name for name in shapes)
    assert shapes["cond.res0.0.bn1.weight"] == (32,)


@pytest.mark.parametrize("colour_order", [True, False])
def test_prior_sees_only_what_came_before(colour_order):
    # Wide enough that no pixel is lost to units that happen to be silent.
    torch.manual_seed(0)
    prior = GatedPrior(2, 24, 24, colour_order).double()
    image = torch.rand(1, 3, 9, 8, dtype=torch.float64, requires_grad=True)
    logits = prior(image)
    assert logits.shape == (1, 256, 3, 9, 8)
    row, column = 6, 4
    for colour in range(3):
        (found,) = torch.autograd.grad(
            logits[0, :, colour, row, column].square().sum(), image, retain_graph=True
        )
        sees = found[0] != 0
        assert not sees[:, row + 1 :].any() and not sees[:, row, column + 1 :].any()
        own = [True] * colour + [False] * (3 - colour) if colour_order else [False] * 3
        assert sees[:, row, column].tolist() == own
        # No blind spot: everything close by that came before.
        assert sees[:, row, column - 3 : column].all()
        assert sees[:, row - 3 : row, column - 3 : column + 4].all()


@pytest.mark.parametrize("colour_order", [True, False])
@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"sampling": "mean"}])
def test_sampling_equals_a_whole_pass_per_pixel(colour_order, settings):
    network = tiny(colour_order=colour_order, **settings)
    lr = torch.rand(2, 3, 1, 2, dtype=torch.float64)
    found = network.sample(lr, seeds=[3, 4])
    with torch.no_grad():
        conditioning = network.cond(lr - 0.5)
        height, width = conditioning.shape[-2:]
        chances = _chances([3, 4], height, width)
        # What is not drawn yet is noise: it must not matter.
        image = torch.rand(2, 3, height, width, dtype=torch.float64)
        for place in range(height * width * 3):
            row, column, colour = place // (3 * width), place // 3 % width, place % 3
            logits = (network.prior(image - 0.5) + conditioning)[:, :, colour, row, column]
            chance = chances[:, row, column, colour : colour + 1]
            levels = network._choose(logits[:, None], chance, network.temperature)
            image[:, colour, row, column] = levels[:, 0].double() / 255
    assert torch.equal(found, image)


def test_seeds_and_temperature():
    network = tiny()
    lr = torch.rand(1, 3, 1, 2, dtype=torch.float64).repeat(2, 1, 1, 1)
    both = network.sample(lr, seeds=[5, 6])
    assert not torch.equal(both[0], both[1])
    assert torch.equal(both[1:], network.sample(lr[:1], seeds=[6]))
    assert torch.equal((both * 255).round() / 255, both)
    # forward draws every image with the network's own seed.
    drawn = network(lr).sr
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[:1], network(lr[:1]).sr)
    cold = network.sample(lr, seeds=[5, 6], temperature=0)
    assert torch.equal(cold[0], cold[1])
    nearly = network.sample(lr, seeds=[5, 6], temperature=1e-4)
    assert torch.equal(nearly, cold)
    assert network.sample(lr[:0]).shape == (0, 3, 4, 8)


def test_draws_follow_the_distribution():
    network = tiny()
    logits = torch.full((1, 1, 256), -math.inf, dtype=torch.float64)
    logits[..., 10], logits[..., 200] = math.log(0.25), math.log(0.75)
    chance = torch.linspace(0.0005, 0.9995, 1000, dtype=torch.float64)[:, None]
    levels = network._choose(logits.expand(1000, 1, 256), chance, 1.0)
    assert (levels == 10).sum() == 250 and (levels == 200).sum() == 750


def test_forward_is_teacher_forced():
    network = tiny().train()
    assert network.teacher_forced
    hr = torch.rand(2, 3, 8, 4, dtype=torch.float64).mul(255).round() / 255
    outputs = network(torch.rand(2, 3, 2, 1, dtype=torch.float64), cond=hr)
    assert outputs.sr.shape == hr.shape
    targets = network.targets(hr)
    assert set(targets) == set(outputs.aux)
    assert torch.equal(targets["logits"].double() / 255, hr)
    # The last pixel is not seen by any, and changes nothing.
    other = hr.clone()
    other[..., -1, -1] = 0
    torch.manual_seed(0)
    again = network.eval()(torch.zeros(2, 3, 2, 1, dtype=torch.float64), cond=hr)
    changed = network(torch.zeros(2, 3, 2, 1, dtype=torch.float64), cond=other)
    assert torch.equal(again.aux["logits"][:, :, 0], changed.aux["logits"][:, :, 0])


def test_learns():
    torch.manual_seed(0)
    network = PixelRecursiveSR(**SIZES).train()
    hr = torch.rand(2, 3, 2, 2).repeat_interleave(8, -1).repeat_interleave(8, -2)
    lr = hr[..., ::4, ::4]
    loss = build_loss(
        {
            "type": "WeightedLoss",
            "terms": [{"type": "CrossEntropyLoss"}],
            "outputs": {"*logits": 1.0},
        }
    )
    optimiser = torch.optim.RMSprop(network.parameters(), 1e-3, alpha=0.95, momentum=0.9)
    history = []
    for _ in range(30):
        values = loss(network(lr, cond=hr), network.targets(hr))
        total = sum(values.values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        history.append(total.item())
    assert set(values) == {"loss_cross_entropy.logits", "loss_cross_entropy.conditioning_logits"}
    assert history[-1] < 0.8 * history[0]


@pytest.mark.parametrize(
    "settings",
    [{"sampling": "dream"}, {"temperature": -1}, {"temperature": math.nan}, {"layers": 0}],
)
def test_refusals(settings):
    with pytest.raises(ConfigError):
        PixelRecursiveSR(**{**SIZES, **settings})


def test_one_seed_per_image():
    with pytest.raises(ConfigError, match="2 seeds were given for 1"):
        tiny().sample(torch.rand(1, 3, 1, 1, dtype=torch.float64), seeds=[1, 2])
