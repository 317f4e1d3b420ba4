"""KPN and LP-KPN, the same-size networks of RealSR."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.kpn import KPN
from realdeg.backbones.lpkpn import LPKPN, LaplacianPyramid
from realdeg.errors import ConfigError
from realdeg.losses import build_loss

TRUNK = (16 * 9 + 1) * 64 + 33 * (64 * 9 + 1) * 64


def branch(inputs: int, outputs: int) -> int:
    return (inputs * 9 + 1) * 64 + (64 * 9 + 1) * 64 + (64 * 9 + 1) * outputs


def count(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("kernel_size", "parameters"),
    [(5, 1_281_625), (7, 1_295_473), (13, 1_364_713), (19, 1_475_497)],
)
def test_parameters_of_kpn(kernel_size, parameters):
    with torch.device("meta"):
        network = KPN(kernel_size=kernel_size)
    assert count(network) == parameters == TRUNK + branch(4, kernel_size**2)


def test_parameters_of_lpkpn():
    with torch.device("meta"):
        network = LPKPN(scale=2, same_size=True)
    assert count(network) == 1_430_539 == TRUNK + sum(branch(c, 25) for c in (4, 16, 64))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert len(shapes) == 2 * (2 + 32 + 9)
    assert shapes["trunk.head.weight"] == (64, 16, 3, 3)
    assert shapes["trunk.body.15.conv2.weight"] == (64, 64, 3, 3)
    assert [shapes[f"branches.{i}.1.weight"][1] for i in range(3)] == [4, 16, 64]
    assert all(shapes[f"branches.{i}.5.weight"] == (25, 64, 3, 3) for i in range(3))


@pytest.mark.parametrize("cls", [KPN, LPKPN])
@pytest.mark.parametrize("same_size", [True, False])
def test_halo_is_exact(cls, same_size, reach):
    network = cls(scale=3, same_size=same_size, kernel_size=5, num_blocks=1, num_features=16)
    assert reach(network) == network.halo


@pytest.mark.parametrize("cls", [KPN, LPKPN])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 12), (13, 10)])
def test_a_kernel_of_one_tap_keeps_the_image(cls, size):
    """With kernels that are 1 in the middle everything else has to cancel, rims included."""
    network = cls.example()
    for name, parameter in network.named_parameters():
        with torch.no_grad():
            parameter.zero_()
            if name.endswith("5.bias"):
                parameter[parameter.numel() // 2] = 1
    image = torch.rand(2, 1, *size)
    output = network(image)
    torch.testing.assert_close(output if cls is KPN else output.sr, image)


def test_pyramid_is_the_papers():
    pyramid = LaplacianPyramid()
    image = torch.rand(2, 3, 8, 12)
    levels = pyramid(image)
    assert [tuple(level.shape[2:]) for level in levels] == [(8, 12), (4, 6), (2, 3)]
    torch.testing.assert_close(pyramid.join(levels), image)
    # Spelt out: filter, keep even places; put zeros between and filter, gain 4.
    taps = torch.tensor([1.0, 4, 6, 4, 1])
    kernel = (torch.outer(taps, taps) / 256)[None, None].repeat(3, 1, 1, 1)
    small = F.conv2d(image, kernel, padding=2, groups=3)[..., ::2, ::2]
    spread = torch.zeros_like(image)
    spread[..., ::2, ::2] = small
    large = F.conv2d(spread, 4 * kernel, padding=2, groups=3)
    torch.testing.assert_close(levels[0], image - large)


def test_levels_and_their_targets():
    network = LPKPN.example()
    hr = torch.rand(2, 1, 9, 14)
    outputs, targets = network(hr), network.targets(hr)
    assert {name: value.shape for name, value in outputs.aux.items()} == {
        name: value.shape for name, value in targets.items()
    }
    assert not any(value.requires_grad for value in targets.values())


@pytest.mark.parametrize(
    ("cls", "loss"),
    [
        (KPN, {"type": "MSELoss"}),
        # The released training: the sum of squares of each level counts alike.
        (
            LPKPN,
            {
                "type": "WeightedLoss",
                "terms": [{"type": "MSELoss"}],
                "outputs": {"level_0": 1.0, "level_1": 1 / 4, "level_2": 1 / 16},
            },
        ),
    ],
)
def test_learns(cls, loss):
    torch.manual_seed(0)
    network, criterion = cls.example(), build_loss(loss)
    hr = F.interpolate(torch.rand(2, 1, 6, 6), scale_factor=4, mode="bicubic")
    lr = F.avg_pool2d(F.pad(hr, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    history = []
    for _ in range(30):
        outputs = network(lr)
        found = criterion(outputs, hr if cls is KPN else {"sr": hr} | network.targets(hr))
        value = sum(found.values()) if isinstance(found, dict) else found
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        history.append(value.item())
    assert history[-1] < 0.5 * history[0]


def test_colour_shares_kernels():
    network = LPKPN(scale=2, same_size=True, num_blocks=1, num_features=16, colour="rgb")
    assert network(torch.rand(1, 3, 6, 5)).sr.shape == (1, 3, 6, 5)


@pytest.mark.parametrize("cls", [KPN, LPKPN])
def test_refusals(cls):
    for settings in ({"kernel_size": 4}, {"num_features": 24}, {"num_blocks": -1}, {"colour": "x"}):
        with pytest.raises(ConfigError):
            cls(**settings)
