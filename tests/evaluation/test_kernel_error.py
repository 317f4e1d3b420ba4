import math

import numpy as np
import pytest
import torch
from torch import nn

from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.evaluation.kernel_error import (
    centroid,
    compare_with_truth,
    covariance,
    kernel_error_map,
    kernel_errors,
    match_support,
    residual_energy,
)


def bell(size=15, sigma=1.5, shift=(0.0, 0.0)):
    taps = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    rows = torch.exp(-((taps - shift[0]) ** 2) / (2 * sigma**2))
    columns = torch.exp(-((taps - shift[1]) ** 2) / (2 * sigma**2))
    kernel = rows[:, None] * columns
    return (kernel / kernel.sum())[None]


class Kernels(nn.Module):
    """Gives each LR pixel a bell whose width depends on the pixel's brightness."""

    def __init__(self, shift=0.0, gain=1.0, size=15, scale=2, same_size=True):
        super().__init__()
        self.scale, self.same_size, self.border = scale, same_size, 2
        self.stride = 1 if same_size else scale
        self.shift, self.gain, self.size = shift, gain, size

    def kernels_at(self, hr, points):
        widths = [
            1 + hr[0, 0, row * self.stride, column * self.stride].item() for row, column in points
        ]
        stack = [bell(self.size, width, (self.shift, 0)) * self.gain for width in widths]
        return torch.cat(stack).float()


class NoKernels(Kernels):
    def kernels_at(self, hr, points):
        raise NotImplementedError


def picture(seed=0, size=32):
    image = np.random.default_rng(seed).random((1, size, size))
    image[:, : size // 2] = 0.5  # the upper half is flat
    return torch.from_numpy(image).float()


def test_truth_has_no_error():
    for values in kernel_errors(bell(), bell()).values():
        assert values.tolist() == [0]


def test_a_shift_of_one_pixel():
    errors = kernel_errors(torch.roll(bell(), 1, dims=1), bell())
    assert errors["centroid"].item() == pytest.approx(1, abs=1e-4)
    # Rolled by one, the outermost row (5e-6 of the mass) comes in on the other side.
    assert errors["second_moment"].item() < 0.01
    assert errors["gain"].item() == pytest.approx(0, abs=1e-12)


def test_gain_is_told_from_shape():
    errors = kernel_errors(1.25 * bell(), bell())
    assert errors["relative"].item() == pytest.approx(0.25)
    assert errors["gain"].item() == pytest.approx(0.25)
    assert errors["relative_unit_sum"].item() == pytest.approx(0, abs=1e-12)
    assert errors["centroid"].item() == pytest.approx(0, abs=1e-9)


def test_moments_of_a_bell():
    kernel = bell(31, 2.0, (0.5, -0.25))
    torch.testing.assert_close(centroid(kernel), torch.tensor([[0.5, -0.25]]).double())
    torch.testing.assert_close(
        covariance(kernel), 4 * torch.eye(2).double()[None], atol=1e-6, rtol=0
    )
    wider = kernel_errors(bell(31, 3.0), bell(31, 2.0))["second_moment"].item()
    assert wider == pytest.approx(5 * math.sqrt(2), rel=1e-4)


def test_a_kernel_without_mass_stays_finite():
    errors = kernel_errors(torch.zeros(1, 15, 15), bell())
    assert errors["relative"].item() == pytest.approx(1)
    assert all(values.isfinite().all() for values in errors.values())


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("small", [2, 3, 4, 7])
def test_supports_are_matched_on_the_hr_grid(small, stride):
    truth = torch.zeros(1, 8, 8)
    own, other = (stride - small) // 2, (stride - 8) // 2
    truth[0, own - other, own - other] = 1  # HR pixel of the small window's first tap
    kernel = torch.zeros(1, small, small)
    kernel[0, 0, 0] = 1
    first, second = match_support(kernel, truth, stride)
    assert torch.equal(first, second)
    second, first = match_support(truth, kernel, stride)
    assert torch.equal(first, second)


def test_residual_energy():
    generator = torch.Generator().manual_seed(0)
    bases = torch.randn(3, 5, 5, generator=generator)
    mixed = torch.einsum("pm,mij->pij", torch.randn(40, 3, generator=generator), bases)
    residual = residual_energy(mixed, (0, 2, 3))
    assert residual[0] == pytest.approx(1)
    assert residual[2] > 1e-3
    assert residual[3] == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("same_size", [True, False])
def test_compare_with_truth(same_size):
    camera = Kernels(same_size=same_size)
    images = {"a": picture(0), "b": picture(1)[None]}
    result = compare_with_truth(camera, camera, images, points_per_image=20)
    assert result["points"] == 40
    assert result["relative_mean"] == result["centroid_median"] == 0
    assert 0.1 < result["constant_relative_mean"] < 1
    assert 0.3 < result["textured_share"] < 1
    assert result["response_rmse"] == 0 < result["constant_response_rmse"]
    shifted = Kernels(shift=1.0, gain=1.1, size=17, same_size=same_size)
    result = compare_with_truth(shifted, camera, images, points_per_image=20)
    assert result["centroid_mean"] == pytest.approx(1, abs=0.02)
    assert result["gain_median"] == pytest.approx(0.1, abs=1e-4)
    assert result["textured_centroid_mean"] == pytest.approx(1, abs=0.02)
    again = compare_with_truth(shifted, camera, images, points_per_image=20)
    assert again == result
    other = compare_with_truth(shifted, camera, images, points_per_image=20, seed=1)
    assert other["relative_mean"] != result["relative_mean"]


@pytest.mark.parametrize("same_size", [True, False])
def test_response_is_the_error_of_the_lr(same_size):
    camera = Kernels(same_size=same_size)
    flat = torch.full((1, 40, 40), 0.5)
    result = compare_with_truth(Kernels(gain=1.02, same_size=same_size), camera, [flat], 20)
    assert result["response_rmse"] == pytest.approx(255 * 0.5 * 0.02, rel=1e-3)
    assert result["textured_share"] == 0
    assert math.isnan(result["textured_relative_mean"])


def test_error_map():
    camera = Kernels()
    assert kernel_error_map(camera, camera, picture(size=10), step=2).max() == 0
    drawn = kernel_error_map(Kernels(gain=1.5), camera, picture(size=9), step=2)
    assert drawn.shape == (5, 5)
    torch.testing.assert_close(drawn, torch.full((5, 5), 0.5), atol=1e-5, rtol=0)
    drawn = kernel_error_map(Kernels(shift=1.0), camera, picture(size=9), 3, "centroid")
    torch.testing.assert_close(drawn, torch.ones(3, 3), atol=0.02, rtol=0)


def test_refusals():
    camera = Kernels()
    with pytest.raises(GeometryError, match="scale 4"):
        compare_with_truth(Kernels(scale=4), camera, [picture()])
    with pytest.raises(ConfigError, match="NoKernels"):
        compare_with_truth(NoKernels(), camera, [picture()])
    with pytest.raises(ConfigError, match="centroid"):
        kernel_error_map(camera, camera, picture(size=4), error="sharpness")
    with pytest.raises(DataError, match="one image"):
        compare_with_truth(camera, camera, [])
    with pytest.raises(DataError, match="compared"):
        kernel_errors(bell(), bell().expand(2, -1, -1))
    with pytest.raises(DataError, match="P, k, k"):
        kernel_errors(bell()[0], bell())
