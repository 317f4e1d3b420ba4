"""DML, DirectNet, DirectKPN: what their papers say, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.degradations import DML, DirectKPN, DirectNet, EncoderDecoder
from realdeg.degradations.dml import gaussian_bank
from realdeg.errors import ConfigError
from realdeg.utils.colour import rgb_to_y
from tests.ops import reference


def _hr(channels: int = 1, size: int = 32) -> torch.Tensor:
    return torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("same_size", [True, False])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_dml_is_its_equation(scale, same_size):
    """Eqs. 2 and 3: the inner product of sum_m C(m) phi_m with the window of each pixel."""
    degradation = DML(scale, same_size, num_kernels=3, kernel_size=5, width=4, levels=1)
    hr = _hr(size=24)
    stride = 1 if same_size else scale
    with torch.no_grad():
        weights, lr = degradation.weights(hr), degradation(hr)
        expected = reference.kernel_apply(hr, weights, degradation.bases, stride, "reflect")
        np.testing.assert_allclose(lr.numpy(), expected, atol=1e-5)
        points = [(2, 3), (4, 1)]
        kernels = degradation.kernels_at(hr, points)
    windows = reference.windows(hr[0, 0].double().numpy(), 5, stride, "reflect")
    for (row, column), kernel in zip(points, kernels, strict=True):
        product = (kernel.double().numpy() * windows[row, column]).sum()
        assert abs(product - float(lr[0, 0, row, column])) < 1e-5


def test_random_initialisation_is_the_paper_s():
    degradation = DML(same_size=True, width=4)
    assert degradation.bases.shape == (8, 15, 15)
    assert (degradation.bases >= 0).all()
    torch.testing.assert_close(degradation.bases.sum((1, 2)), torch.ones(8))
    # The literal reading starts at sigmoid(0) = 0.5 for each of 8 bases: four times too bright.
    flat = torch.full((1, 1, 32, 32), 0.0)
    torch.testing.assert_close(degradation.weights(flat), torch.full((1, 8, 32, 32), 0.5))


@pytest.mark.parametrize("num_kernels", [1, 4, 8, 16])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_gaussian_bank_is_centred_on_the_lr_pixel(num_kernels, stride):
    for kernel_size in (14, 15):
        bank = gaussian_bank(num_kernels, kernel_size, stride).double()
        torch.testing.assert_close(bank.sum((1, 2)), torch.ones(num_kernels).double())
        start = (stride - kernel_size) // 2
        position = torch.arange(kernel_size) + start
        # The sharpest ones are aliased by the grid; the rest must be exact.
        for kernel in bank[num_kernels // 3 :]:
            centroid = (kernel.sum(1) * position).sum(), (kernel.sum(0) * position).sum()
            for value in centroid:
                assert abs(float(value) - (stride - 1) / 2) < 1e-5
    if num_kernels > 1:
        assert torch.linalg.matrix_rank(bank.flatten(1)) == num_kernels


def test_bank_keeps_brightness_at_step_zero():
    degradation = DML(same_size=True, width=4, init="gaussian_bank")
    flat = torch.zeros(1, 1, 32, 32)
    torch.testing.assert_close(degradation.weights(flat).sum(1), torch.ones(1, 32, 32))


@pytest.mark.parametrize("activation", ["sigmoid_normalised", "softmax"])
def test_normalised_weights_sum_to_one(activation):
    degradation = DML(same_size=True, width=4, activation=activation)
    torch.testing.assert_close(degradation.weights(_hr()).sum(1), torch.ones(1, 32, 32))


def test_bases_can_be_kept_positive_and_normalised():
    degradation = DML(same_size=True, width=4, renormalise=True, nonnegative=True)
    with torch.no_grad():
        degradation.bases.sub_(0.004)
    bases = degradation.effective_bases()
    assert (bases >= 0).all()
    torch.testing.assert_close(bases.sum((1, 2)), torch.ones(8))


@pytest.mark.parametrize("cls", [DML, DirectNet, DirectKPN])
def test_rgb_gets_the_field_of_luma(cls):
    """Y of the degraded RGB is the degraded Y, for fields that keep brightness."""
    arguments = {"activation": "softmax"} if cls is DML else {}
    if cls is DirectKPN:
        arguments = {"normalise": "softmax", "kernel_size": 5}
    degradation = cls(same_size=True, width=4, levels=1, **arguments)
    hr = _hr(3)
    torch.testing.assert_close(
        rgb_to_y(degradation(hr)), degradation(rgb_to_y(hr)), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("lr_grid", ["unshuffle", "pool"])
@pytest.mark.parametrize("cls", [DML, DirectNet, DirectKPN])
def test_lr_grid_forms(cls, lr_grid):
    degradation = cls(scale=3, width=4, levels=1, lr_grid=lr_grid)
    assert degradation(_hr(3, 33)).shape == (1, 3, 11, 11)


def test_direct_nets_start_near_identity():
    hr = _hr()
    assert torch.equal(DirectNet(same_size=True, width=4, zero_init=True)(hr), hr)
    kpn = DirectKPN(same_size=True, width=4)
    with torch.no_grad():
        kpn.network.last.weight.zero_()
    torch.testing.assert_close(kpn(hr), hr)


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("levels", [0, 1, 4])
def test_encoder_decoder_takes_any_size(levels, skips):
    network = EncoderDecoder(3, 1, width=2, levels=levels, skips=skips)
    for height, width in ((1, 1), (7, 19), (16, 32)):
        assert network(torch.rand(1, 1, height, width)).shape == (1, 3, height, width)


def test_each_learns_a_known_blur():
    """A camera that is a plain 3 x 3 box: every learner must come close in a few steps."""
    torch.manual_seed(0)
    box = torch.zeros(1, 1, 15, 15)
    box[..., 6:9, 6:9] = 1 / 9
    for cls, arguments in (
        (DML, {"init": "gaussian_bank", "num_kernels": 4}),
        (DML, {"init": "random", "num_kernels": 4}),
        (DirectKPN, {"kernel_size": 5}),
        (DirectNet, {}),
    ):
        degradation = cls(same_size=True, width=8, levels=1, **arguments)
        optimiser = torch.optim.Adam(degradation.parameters(), 3e-3)
        history = []
        for _ in range(60):
            hr = torch.rand(4, 1, 32, 32)
            target = torch.nn.functional.conv2d(hr, box, padding=7)[..., 8:-8, 8:-8]
            loss = (degradation(hr)[..., 8:-8, 8:-8] - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            history.append(loss.item())
        assert np.mean(history[-5:]) < 0.5 * np.mean(history[:2]), cls.__name__


@pytest.mark.parametrize(
    ("cls", "arguments", "words"),
    [
        (DML, {"num_kernels": 0}, "num_kernels"),
        (DML, {"activation": "tanh"}, "activation"),
        (DML, {"init": "delta"}, "init"),
        (DML, {"padding": "valid"}, "padding"),
        (DML, {"lr_grid": "x"}, "lr_grid"),
        (DML, {"kernel_size": 0}, "kernel_size"),
        (DML, {"xavier": "x"}, "xavier"),
        (DirectNet, {"width": 0}, "width"),
        (DirectKPN, {"normalise": "x"}, "normalise"),
    ],
)
def test_bad_arguments_are_named(cls, arguments, words):
    with pytest.raises(ConfigError, match=words):
        cls(**arguments)
