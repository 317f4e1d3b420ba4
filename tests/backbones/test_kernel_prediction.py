"""KPN and LP-KPN, the same-size networks of RealSR."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.base import Outputs
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


# The released training: the sum of squares of each level counts alike.
LEVELS = {
    "type": "WeightedLoss",
    "terms": [{"type": "MSELoss"}],
    "outputs": {"level_0": 1.0, "level_1": 1 / 4, "level_2": 1 / 16},
}


def errors_while_learning(network, loss: dict) -> tuple[float, list[float]]:
    """Undo a blur for 40 steps; return the squared error of the input, and of each step."""
    hr = F.interpolate(torch.rand(2, 1, 6, 6), scale_factor=4, mode="bicubic")
    lr = F.avg_pool2d(F.pad(hr, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
    criterion, optimiser = build_loss(loss), torch.optim.Adam(network.parameters(), 1e-3)
    targets, history = {"sr": hr} | network.targets(hr), []
    for _ in range(40):
        outputs = network(lr)
        found = criterion(outputs, targets if isinstance(outputs, Outputs) else hr)
        value = sum(found.values()) if isinstance(found, dict) else found
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        sr = outputs.sr if isinstance(outputs, Outputs) else outputs
        history.append(F.mse_loss(sr.detach(), hr).item())
    return F.mse_loss(lr, hr).item(), history


@pytest.mark.parametrize(("cls", "loss"), [(KPN, {"type": "MSELoss"}), (LPKPN, LEVELS)])
def test_learns_from_the_identity(cls, loss):
    torch.manual_seed(0)
    before, history = errors_while_learning(cls.example(), loss)
    assert abs(history[0] - before) < 0.1 * before
    assert max(history) < 10 * before  # the first steps do not throw the start away
    assert history[-1] < 0.9 * before


@pytest.mark.parametrize(("cls", "loss"), [(KPN, {"type": "MSELoss"}), (LPKPN, LEVELS)])
def test_the_released_start_has_nothing_to_do_with_the_image(cls, loss):
    torch.manual_seed(0)
    settings = {**cls.example().arguments, "init": "msra"}
    before, history = errors_while_learning(cls(**settings), loss)
    assert history[0] > 10 * before
    assert before < history[-1] < 0.5 * history[0]


@pytest.mark.parametrize("cls", [KPN, LPKPN])
def test_the_identity_starts_at_any_depth_and_width(cls):
    """The largest kernels and a deep trunk: what sums up over both stays small."""
    torch.manual_seed(0)
    image = torch.rand(1, 1, 24, 20)
    network = cls(scale=4, kernel_size=19, num_blocks=16, num_features=32)
    with torch.no_grad():
        outputs = network(image)
    sr = outputs.sr if isinstance(outputs, Outputs) else outputs
    assert F.mse_loss(sr, image) < 0.05**2
    for name, parameter in network.named_parameters():
        assert parameter.abs().sum() > 0 or name.endswith("bias"), name


def test_colour_shares_kernels():
    network = LPKPN(scale=2, same_size=True, num_blocks=1, num_features=16, colour="rgb")
    assert network(torch.rand(1, 3, 6, 5)).sr.shape == (1, 3, 6, 5)


@pytest.mark.parametrize("cls", [KPN, LPKPN])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel_size": 4}, "kernel_size is 4, wanted a whole number, 1 or more that is odd."),
        ({"kernel_size": -1}, "{}: kernel_size is -1, wanted a whole number, 1 or more"),
        ({"num_features": 24}, "num_features of {} is 24: it must be divisible by 16."),
        ({"num_blocks": -1}, "{}: num_blocks is -1, wanted a whole number, 0 or more."),
        ({"colour": "x"}, "{}: colour is 'x', wanted 'y' or 'rgb'."),
        ({"init": "zero"}, "{}: init is 'zero', wanted 'identity' or 'msra'."),
    ],
)
def test_refusals(cls, settings, message):
    with pytest.raises(ConfigError) as caught:
        cls(**settings)
    assert message.format(cls.__name__) in str(caught.value)
    assert cls.__name__ in str(caught.value)
