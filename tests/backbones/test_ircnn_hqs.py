from __future__ import annotations

import math

import pytest
import torch

from realdeg.backbones.ircnn import IRCNN
from realdeg.backbones.ircnn_hqs import FORMS, IRCNNHQS
from realdeg.backbones.parts.data_step import Blur, data_step
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import CheckpointError, ConfigError, GeometryError

KERNEL_FORMS = [form for form in FORMS if form != "back_projection"]


def silent(**settings):
    """A network whose denoisers find no noise, so that only the data step acts."""
    network = IRCNNHQS(**{"width": 2} | settings).double().eval()
    with torch.no_grad():
        for net in network.nets.values():
            net.model[12].weight.zero_()
    return network


def shrink(image, kernel, factor):
    """Blur an image that repeats itself and take every factor-th pixel, by the definition."""
    found = torch.zeros_like(image)
    height, width = kernel.shape[-2:]
    for i in range(height):
        for j in range(width):
            moved = torch.roll(image, (i - height // 2, j - width // 2), (-2, -1))
            found += kernel[..., i, j, None, None] * moved
    return found[..., ::factor, ::factor]


@pytest.mark.parametrize(("size", "factor"), [((6, 4), 2), ((3, 6), 3), ((5, 4), 1)])
def test_data_step_solves_the_least_squares_problem(size, factor):
    """Against the dense solution, with a kernel that is not symmetric and larger than the image."""
    torch.manual_seed(0)
    kernel = torch.rand(1, 1, 7, 5, dtype=torch.float64)
    kernel /= kernel.sum()
    z = torch.rand(1, 1, *size, dtype=torch.float64)
    y = torch.rand(1, 1, size[0] // factor, size[1] // factor, dtype=torch.float64)
    found = data_step(z, y, Blur.of(kernel, z, factor), 0.01, factor)

    count = z.numel()
    basis = torch.eye(count, dtype=torch.float64).reshape(count, 1, *size)
    matrix = shrink(basis, kernel, factor).reshape(count, -1).T
    left = matrix.T @ matrix + 0.01 * torch.eye(count, dtype=torch.float64)
    right = matrix.T @ y.flatten() + 0.01 * z.flatten()
    torch.testing.assert_close(found.flatten(), torch.linalg.solve(left, right))


@pytest.mark.parametrize("form", KERNEL_FORMS)
@pytest.mark.parametrize("scale", [2, 3])
def test_result_blurs_to_the_lr_image(form, scale):
    torch.manual_seed(0)
    network = silent(form=form, scale=scale)
    hr = torch.rand(1, network.channels, 12, 18, dtype=torch.float64)
    kernel = network.kernel.double()
    lr = shrink(hr, kernel, scale)
    with torch.no_grad():
        found = network(lr)
    assert found.shape == hr.shape
    assert (shrink(found, kernel, scale) - lr).abs().max() < 1e-3
    # The same kernel said in the call, and one of its own for each image.
    with torch.no_grad():
        torch.testing.assert_close(network(lr, cond=kernel), found)
        both = network(lr.repeat(2, 1, 1, 1), cond=torch.cat([kernel, kernel.flip(-1)]))
    torch.testing.assert_close(both[:1], found)


@pytest.mark.parametrize("kernel_sigma", [None, 1.6])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_back_projection_shrinks_to_the_lr_image(scale, kernel_sigma):
    torch.manual_seed(0)
    network = silent(scale=scale, kernel_sigma=kernel_sigma)
    smooth = imresize(torch.rand(1, 1, 5, 6, dtype=torch.float64), 4.0)
    lr = imresize(smooth, 0.5)
    with torch.no_grad():
        found = network(lr)
        again = network._shrink(found) if kernel_sigma else imresize(found, 1 / scale)
    assert (again - lr).abs().max() < 0.02 * lr.abs().max()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_blur_of_back_projection_lies_in_the_middle_of_blocks(scale):
    network = silent(scale=scale, kernel_sigma=1.2).double()
    ramp = torch.arange(12.0 * scale, dtype=torch.float64).expand(1, 1, 12 * scale, -1)
    wanted = torch.arange(12, dtype=torch.float64) * scale + (scale - 1) / 2
    inner = slice(4, 8)  # away from the replicated border
    torch.testing.assert_close(network._shrink(ramp)[0, 0, 5, inner], wanted[inner])


def test_schedules():
    """The numbers of the published programs, x3."""
    with torch.device("meta"):
        a, b, c, d = (IRCNNHQS(scale=3, form=form) for form in FORMS)
    assert [len(network.sigmas) for network in (a, b, c, d)] == [30, 30, 8, 24]
    assert [round(network.sigmas[0]) for network in (a, b, c, d)] == [36, 49, 36, 49]
    assert all(network.sigmas[-1] == pytest.approx(3) for network in (a, b, c, d))
    ratios = [now / before for before, now in zip(b.sigmas, b.sigmas[1:], strict=False)]
    assert max(ratios) == pytest.approx(min(ratios))
    assert b.rhos[0] == pytest.approx((0.5 / 255) ** 2 / 3 * 255**2 / 49**2)
    assert d.rhos[-1] == pytest.approx(0.23 * (0.255 / 3) ** 2)
    assert (b.levels[0], b.levels[-1], c.levels[0]) == (24, 1, 17)
    assert [network.colour for network in (a, b, c, d)] == ["y", "y", "rgb", "rgb"]


def test_noise_and_colour_change_the_schedule():
    with torch.device("meta"):
        noisy = IRCNNHQS(form="polyphase", noise=5.0, scale=2)
        coloured = IRCNNHQS(form="polyphase", colour="rgb", scale=2)
    assert noisy.rhos[0] == pytest.approx((7 / 49) ** 2 / 3)
    assert noisy.sigmas[-1] == pytest.approx(5)
    assert coloured.sigmas[-1] == pytest.approx(6)


def test_each_iteration_has_its_own_denoiser():
    """And in form D each sees the image in another orientation, turned back afterwards."""
    torch.manual_seed(0)
    network = IRCNNHQS(form="dpir", scale=1, width=2, iterations=9).eval()
    seen = []
    for net in network.nets.values():
        net.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    for net in network.nets.values():
        torch.nn.init.zeros_(net.model[12].weight)
    delta = torch.zeros(1, 1, 1, 1)
    delta[...] = 1  # no blur: every data step returns nearly the image itself
    image = torch.rand(1, 3, 5, 5)
    with torch.no_grad():
        result = network(image, cond=delta)
    torch.testing.assert_close(result, image, atol=1e-5, rtol=0)
    assert len(seen) == 9
    orientations = {tuple(given.flatten().mul(1000).round().tolist()) for given in seen[:8]}
    assert len(orientations) == 8
    torch.testing.assert_close(seen[8], seen[0])


def test_form_d_starts_where_its_samples_lie():
    """LR pixel i is HR pixel s * i there, and not the middle of a block."""
    network = IRCNNHQS(form="dpir", scale=4, width=2)
    ramp = torch.arange(8.0).expand(1, 3, 8, -1)
    start = network._start(ramp)[0, 0, 10, ::4]
    torch.testing.assert_close(start[2:6], torch.arange(2.0, 6.0), atol=1e-5, rtol=0)


def test_weights_of_a_published_file():
    networks = [IRCNN(width=3) for _ in range(25)]
    state = {
        f"{i}.{name}": value
        for i, network in enumerate(networks)
        for name, value in network.state_dict().items()
    }
    target = IRCNNHQS(scale=2, width=3)
    target.load_state_dict(target.adapt_state(state, "ircnn_gray.pth"))
    for index, net in target.nets.items():
        assert torch.equal(net.model[12].weight, networks[int(index)].model[12].weight)
    own = target.state_dict()
    assert target.adapt_state(own, "own.safetensors").keys() == own.keys()
    del state["0.model.0.weight"]
    with pytest.raises(CheckpointError, match="6 convolutions"):
        target.adapt_state(state, "broken.pth")


def test_parameters():
    with torch.device("meta"):
        network = IRCNNHQS(scale=4)
    used = len({min(25, math.ceil(s / 2 - 1e-9)) for s in network.sigmas})
    assert sum(p.numel() for p in network.parameters()) == used * 185_857


def test_back_projection_beats_bicubic_interpolation():
    """Even with denoisers that do nothing."""
    torch.manual_seed(1)
    hr = imresize(torch.rand(1, 1, 16, 16, dtype=torch.float64), 3.0)
    lr = imresize(hr, 0.5)
    with torch.no_grad():
        found = silent(scale=2)(lr)
    assert (found - hr).square().mean() < 0.5 * (imresize(lr, 2.0) - hr).square().mean()


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"form": "dpri"}, ConfigError, "Did you mean 'dpir'"),
        ({"same_size": True}, GeometryError, "form='polyphase'"),
        ({"form": "dpir", "kernel_size": 8}, ConfigError, "odd"),
        ({"kernel_sigma": 0.0}, ConfigError, "kernel_sigma"),
        ({"noise": -1.0}, ConfigError, "0 or more"),
        ({"iterations": 0}, ConfigError, "iterations"),
    ],
)
def test_refusals(settings, error, words):
    with pytest.raises(error, match=words):
        IRCNNHQS(width=2, **settings)


def test_kernels_are_checked():
    lr = torch.rand(2, 1, 4, 4)
    with pytest.raises(GeometryError, match="bicubic and Gaussian"):
        IRCNNHQS(width=2)(lr, cond=torch.ones(1, 1, 3, 3))
    for size in ((1, 1, 4, 4), (3, 1, 3, 3), (2, 9), (1, 3, 3, 3)):
        with pytest.raises(GeometryError, match="k odd"):
            IRCNNHQS.example()(lr, cond=torch.ones(size))
