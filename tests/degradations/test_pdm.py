"""PDM: what the authors' code computes, its codes, kernels, noise and rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from realdeg.degradations import PDM
from realdeg.degradations.primitives.kernel_moments import centroid
from realdeg.degradations.primitives.noise import white_noise
from realdeg.degradations.primitives.rounding import round_as, round_by_sines
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import round_to_8_bit

SMALL = dict(kernel_width=4, kernel_blocks=1, noise_width=4, noise_blocks=1)


@pytest.fixture(autouse=True)
def same_start():
    """Small networks at random may be dead; every test begins with the same living ones."""
    torch.manual_seed(0)


def _hr(batch: int = 2, height: int = 24, width: int = 36) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)


def _lively(degradation: PDM, spread: float = 0.5) -> PDM:
    """Give every number its own value, running averages as well."""
    generator = torch.Generator().manual_seed(7)
    for name, value in degradation.state_dict().items():
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=generator).to(value) * spread
            value.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return degradation


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    side, (height, width) = weight.shape[-1], x.shape[1:]
    padded = np.pad(x, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
    out = np.zeros((len(weight), height, width)) + bias[:, None, None]
    for dy in range(side):
        for dx in range(side):
            moved = padded[:, dy : dy + height, dx : dx + width]
            out += np.tensordot(weight[:, :, dy, dx], moved, 1)
    return out


def _network(x: np.ndarray, state: dict, name: str, blocks: int) -> np.ndarray:
    """Run a code's network in the order of archs/deg_arch.py, without its softmax."""

    def convolution(x, key):
        return _convolve(x, state[f"{key}.weight"], state[f"{key}.bias"])

    def normalised(x, key):
        mean, variance, gain, bias = (
            state[f"{key}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gain + bias

    x = np.maximum(normalised(convolution(x, f"{name}.0"), f"{name}.1"), 0)
    for block in range(3, 3 + blocks):
        inner = convolution(x, f"{name}.{block}.body.0")
        inner = np.maximum(normalised(inner, f"{name}.{block}.body.1"), 0)
        x = x + convolution(inner, f"{name}.{block}.body.3")
    return convolution(x, f"{name}.{3 + blocks}")


def _expected(degradation: PDM, hr: np.ndarray, trace: Trace, scale: int) -> np.ndarray:
    """Degrade one image by slow loops, with windows around HR pixels ``scale * i``."""
    state = {name: value.numpy() for name, value in degradation.state_dict().items()}
    size = degradation.kernel_size
    code = white_noise((degradation.kernel_code, 1, 1), trace.params["kernel_seed"]).double()
    taps = _network(code.numpy(), state, "deg_kernel.deg_kernel", 1)[:, 0, 0]
    kernel = (np.exp(taps) / np.exp(taps).sum()).reshape(size, size)
    padded = np.pad(hr, ((0, 0), (size // 2,) * 2, (size // 2,) * 2), mode="reflect")
    lr = np.zeros((3, hr.shape[1] // scale, hr.shape[2] // scale))
    for i in range(lr.shape[1]):
        for j in range(lr.shape[2]):
            window = padded[:, scale * i : scale * i + size, scale * j : scale * j + size]
            lr[:, i, j] = (window * kernel).sum((1, 2))
    spatial = degradation.noise_spatial
    size_of_code = (degradation.noise_code, *(lr.shape[1:] if spatial else (1, 1)))
    code = white_noise(size_of_code, trace.params["noise_seed"]).double().numpy()
    if degradation.noise_from_image:
        code = np.concatenate([lr, np.broadcast_to(code, (len(code), *lr.shape[1:]))])
    return lr + _network(code, state, "deg_noise.deg_noise", 1)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("noise", [(True, True), (False, True), (True, False), (False, False)])
def test_it_is_the_authors_forward_for_given_codes(scale, noise):
    spatial, sees = noise
    made = PDM(
        scale, kernel_size=7, window="first_pixel", noise_spatial=spatial, noise_from_image=sees,
        noise_channels=1 if spatial else 3, **SMALL,
    )  # fmt: skip
    degradation = _lively(made.double()).eval()
    assert degradation.offset == 0
    hr = _hr()
    traces = degradation.sample(hr, [3, 4])
    lr = degradation.replay(hr, traces).detach().numpy()
    for image, trace, found in zip(hr.numpy(), traces, lr, strict=True):
        np.testing.assert_allclose(
            found, _expected(degradation, image, trace, scale), atol=1e-9, rtol=1e-9
        )


def test_sizes_and_names_are_the_authors():
    joint = PDM(4, kernel_start="flat").state_dict()
    assert joint["deg_kernel.deg_kernel.0.weight"].shape == (64, 3, 1, 1)
    assert joint["deg_kernel.deg_kernel.10.body.3.bias"].shape == (64,)
    assert joint["deg_kernel.deg_kernel.11.weight"].shape == (121, 64, 1, 1)
    assert joint["deg_noise.deg_noise.0.weight"].shape == (64, 6, 3, 3)
    assert joint["deg_noise.deg_noise.11.weight"].shape == (3, 64, 1, 1)
    assert "deg_noise.deg_noise.3.body.1.running_var" in joint
    assert not joint["deg_noise.deg_noise.11.weight"].any()
    # A softmax of one 1 among zeros: nearly a box.
    kernel = PDM(4, kernel_start="flat").eval().kernels([1])[0]
    assert float(kernel[5, 5].detach()) == pytest.approx(math.e / (math.e + 120))
    assert float(kernel[0, 0].detach()) == pytest.approx(1 / (math.e + 120))
    normal = PDM(4, noise_start="normal", noise_channels=1).state_dict()
    assert normal["deg_noise.deg_noise.11.weight"].std() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("same_size", [False, True])
@pytest.mark.parametrize("size", [11, 12])
def test_the_first_kernels_are_centred_gaussians(scale, same_size, size):
    degradation = PDM(scale, same_size, kernel_size=size, noise=False, **SMALL).eval()
    (kernel,) = degradation.kernels([5])
    stride = 1 if same_size else scale
    first = (stride - size) // 2  # where the window of LR pixel 0 begins
    for place in centroid(kernel.double()):
        at = first + (size - 1) / 2 + float(place)
        assert at == pytest.approx(degradation.offset, abs=0.05)


@pytest.mark.parametrize(
    "settings", [{}, dict(kernel_from_image=True), dict(kernel_spatial=True, kernel_code=2)]
)
def test_kernels_are_positive_with_sum_one(settings):
    degradation = _lively(PDM(2, kernel_size=7, **settings, **SMALL)).eval()
    hr = _hr().float()
    made = degradation.parts(hr, [1, 2])
    kernels = made["kernel"].reshape(2, -1, 7, 7)
    assert kernels.shape[1] == (1 if not settings else 12 * 18)
    assert kernels.min() > 0
    torch.testing.assert_close(kernels.sum((2, 3)), torch.ones(kernels.shape[:2]))
    # They differ between images, as their codes do, and are the same for the same seed.
    assert (kernels[0] - kernels[1]).abs().max() > 1e-4
    again = degradation.parts(hr, [1, 3])
    assert torch.equal(again["lr"][0], made["lr"][0])
    assert not torch.equal(again["lr"][1], made["lr"][1])
    if settings:
        assert (kernels[0, 0] - kernels[0, 1]).abs().max() > 1e-4
        with pytest.raises(ConfigError, match="kernels_at"):
            degradation.kernels([1])
        assert degradation.condition(degradation.sample(hr, [1, 2])[0]) == {}
    else:
        assert torch.equal(degradation.kernels([1, 2]), kernels[:, 0])
        traces = degradation.sample(hr, [1, 2])
        told = degradation.condition(traces[1])["kernel"]
        torch.testing.assert_close(told, kernels[1, 0])
    mean = degradation.kernels_at(hr[:1], [(0, 0), (5, 9)])
    assert mean.shape == (2, 7, 7) and (settings != {}) == bool((mean[0] != mean[1]).any())


def test_kernels_at_are_those_that_are_applied():
    degradation = _lively(
        PDM(2, kernel_size=5, kernel_code=0, kernel_from_image=True, noise=False, **SMALL)
    ).eval()
    hr = _hr(1).float()
    (kernel,) = degradation.kernels_at(hr, [(4, 6)])
    top, left = 2 * 4 + (2 - 5) // 2, 2 * 6 + (2 - 5) // 2
    window = hr[0, :, top : top + 5, left : left + 5]
    torch.testing.assert_close((window * kernel).sum((1, 2)), degradation(hr)[0, :, 4, 6])


def test_noise_is_drawn_per_pixel_or_per_image():
    grey = torch.full((2, 3, 64, 64), 0.5)
    per_pixel = _lively(PDM(2, **SMALL)).eval().parts(grey, [1, 2])["noise"]
    assert per_pixel.shape == (2, 3, 32, 32) and per_pixel.std((2, 3)).min() > 1e-3
    # Pixels further apart than the networks see are independent.
    field = per_pixel[0, 0] - per_pixel[0, 0].mean()
    far = (field[:, :16] * field[:, 16:]).mean() / field.var()
    assert far.abs() < 0.3
    # Images have the same distribution: the same network makes both.
    means, spread = per_pixel.mean((2, 3)), per_pixel.std((2, 3)).max()
    assert (means[0] - means[1]).abs().max() < 0.3 * spread
    per_image = _lively(PDM(2, noise_spatial=False, **SMALL)).eval().parts(grey, [1, 2])["noise"]
    assert per_image[..., 4:-4, 4:-4].std((2, 3)).max() < 1e-6
    assert (per_image[0] - per_image[1]).abs().max() > 1e-3


def test_the_noise_does_not_teach_the_kernel():
    degradation = _lively(PDM(2, **SMALL))
    degradation.parts(_hr().float(), [1, 2])["noise"].square().sum().backward()
    assert all(p.grad is None for p in degradation.deg_kernel.parameters())
    assert any(p.grad.abs().sum() > 0 for p in degradation.deg_noise.parameters())


def test_its_own_losses_in_training():
    degradation = _lively(PDM(2, kernel_size=5, noise_weight=10, centre_weight=2, **SMALL))
    hr = _hr().float()
    lr, terms = degradation.for_training(hr, [1, 2])
    made = degradation.parts(hr, [1, 2])
    torch.testing.assert_close(lr, made["lr"])
    torch.testing.assert_close(terms["noise"], 10 * made["noise"].square().mean())
    axis = torch.arange(5.0) - 2 - 0.5  # the LR pixel lies half a pixel beyond the middle
    distances = [
        ((kernel.sum(0) * axis).sum().square() + (kernel.sum(1) * axis).sum().square()) / 2
        for kernel in made["kernel"]
    ]
    torch.testing.assert_close(terms["centre"], 2 * torch.stack(distances).mean())
    assert PDM(2, noise=False, **SMALL).for_training(hr, [1, 2])[1] == {}


def test_a_gradient_passes_the_rounding():
    hr = _hr().float()
    plain, rounded = (
        _lively(PDM(2, rounding=rounding, **SMALL)).eval()
        for rounding in ("none", "straight_through")
    )
    lr = plain(hr, [1, 2])
    # Values beyond 0 and 1 are clipped as well; their gradient passes.
    assert lr.min() < 0 or lr.max() > 1
    assert torch.equal(rounded(hr, [1, 2]), round_to_8_bit(lr))
    weight = torch.rand(lr.shape)
    gradients = []
    for degradation in (plain, rounded):
        (degradation(hr, [1, 2]) * weight).sum().backward()
        gradients.append([p.grad for p in degradation.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_sines_approach_rounding():
    images = torch.linspace(0, 1, 4001, dtype=torch.float64, requires_grad=True)
    smooth = round_by_sines(images)
    error = (smooth.detach() - (images.detach() * 255).round() / 255) * 255
    before = (images.detach() - (images.detach() * 255).round() / 255) * 255
    assert error.square().mean().sqrt() < 0.5 * before.square().mean().sqrt()
    torch.autograd.gradcheck(round_by_sines, images[1000:1020].detach().requires_grad_())
    (slope,) = torch.autograd.grad(
        round_by_sines(half := torch.tensor(10.5 / 255, dtype=torch.float64).requires_grad_()), half
    )
    assert slope == pytest.approx(11)
    assert round_as(images, "none") is images


def test_one_code_alone_is_normalised_by_the_running_averages():
    degradation = _lively(PDM(2, noise=False, **SMALL))
    hr = _hr(1).float()
    assert torch.equal(degradation.train()(hr, [1]), degradation.eval()(hr, [1]))


@pytest.mark.parametrize(
    "settings",
    [
        dict(noise=False),
        dict(noise_spatial=False),
        dict(noise_spatial=False, kernel_from_image=True),
        dict(noise=False, window="first_pixel"),
        dict(noise=False, same_size=True, kernel_from_image=True),
    ],
)
def test_the_border_is_as_wide_as_it_says(settings):
    degradation = _lively(PDM(4, kernel_size=9, **SMALL, **settings).double()).eval()
    hr = _hr(1, 128, 96)
    stride = degradation.stride
    inner = degradation(hr[..., 32:-32, 32:], [5])
    shift, rim = 32 // stride, degradation.border
    differs = (inner - degradation(hr, [5])[..., shift:-shift, shift:]).abs().amax((0, 1))
    assert differs[rim:-rim, rim:].max() < 1e-12 < differs.max()


@pytest.mark.parametrize("value", [-1, 2**64, "1", 1.0, True, None])
@pytest.mark.parametrize("name", ["kernel_seed", "noise_seed"])
def test_hostile_traces(name, value):
    degradation = PDM(4, **SMALL).eval()
    hr = _hr(1, 16, 16).float()
    (trace,) = degradation.sample(hr, [1])
    bad = Trace(trace.type, {**trace.params, name: value}, trace.size)
    with pytest.raises(DataError, match=name):
        degradation.replay(hr, [bad])
    params = {key: held for key, held in trace.params.items() if key != name}
    with pytest.raises(DataError, match=f"lacks '{name}'"):
        degradation.replay(hr, [Trace(trace.type, params, trace.size)])


def test_refusals():
    with pytest.raises(ConfigError, match="kernel would depend on nothing"):
        PDM(4, kernel_code=0)
    with pytest.raises(ConfigError, match="noise would depend on nothing"):
        PDM(4, noise_code=0, noise_from_image=False)
    with pytest.raises(ConfigError, match="centre_weight"):
        PDM(4, kernel_from_image=True, centre_weight=1.0)
    with pytest.raises(ConfigError, match="rounding"):
        PDM(4, rounding="up")
    with pytest.raises(ConfigError, match="kernel_side is 4"):
        PDM(4, kernel_side=4)
    with pytest.raises(ConfigError, match="noise_channels"):
        PDM(4, noise_channels=2)
    with pytest.raises(DataError, match="1 seeds"):
        PDM(4, **SMALL)(_hr(2, 16, 16), [1])
    with pytest.raises((DataError, ValueError), match="reflect padding .* use a larger image"):
        PDM(4, kernel_size=21, **SMALL)(_hr(1, 8, 8).float(), [1])
