"""Blur kernels against their formulas, written out pixel by pixel."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import j1

from realdeg.degradations.primitives import (
    centroid,
    delta_kernel,
    disk_kernel,
    filter_image,
    gaussian_kernel,
    gaussian_kernel_from_variance,
    generalised_gaussian_kernel,
    make_kernel,
    motion_kernel,
    pad_kernel,
    plateau_kernel,
    second_moments,
    shift_kernel,
    shift_to_centroid,
    sinc_kernel,
)

SIGMAS = {"sigma_x": 2.5, "sigma_y": 1.2, "angle": 0.6}
RECORDS = [
    {"shape": "gaussian", "size": 21, "sigma_x": 1.6},
    {"shape": "gaussian", "size": 12, **SIGMAS, "centre": [0.5, -0.25]},
    {"shape": "gaussian_variance", "size": 15, "variance_x": 6.0, "variance_y": 0.7, "angle": 1.0},
    {"shape": "generalised", "size": 21, **SIGMAS, "beta": 0.6},
    {"shape": "plateau", "size": 21, **SIGMAS, "beta": 1.7},
    {"shape": "sinc", "size": 21, "cutoff": 1.5},
    {"shape": "motion", "size": 21, "length": 13.0, "angle": 0.4, "curvature": 0.05},
    {"shape": "disk", "size": 15, "radius": 4.3},
    {"shape": "delta", "size": 7},
]


def _by_pixel(size: int, value) -> torch.Tensor:
    middle = (size - 1) / 2
    kernel = torch.tensor(
        [[value(r - middle, c - middle) for c in range(size)] for r in range(size)],
        dtype=torch.float64,
    )
    return kernel / kernel.sum()


def _distance(row: float, column: float, sigma_x: float, sigma_y: float, angle: float) -> float:
    """x' inverse(covariance) x, with the covariance built from its eigenvectors."""
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    covariance = turn @ np.diag([sigma_x**2, sigma_y**2]) @ turn.T
    position = np.array([column, row])
    return float(position @ np.linalg.inv(covariance) @ position)


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: r["shape"])
def test_every_kernel_is_float64_and_sums_to_one(record):
    kernel = make_kernel(record)
    assert kernel.dtype == torch.float64 and kernel.shape == (record["size"], record["size"])
    assert abs(float(kernel.sum()) - 1) < 1e-12
    again = make_kernel(json.loads(json.dumps(record)))
    assert torch.equal(kernel, again)


def test_gaussian_equals_its_formula():
    expected = _by_pixel(13, lambda r, c: math.exp(-0.5 * _distance(r, c, **SIGMAS)))
    torch.testing.assert_close(gaussian_kernel(13, **SIGMAS), expected)
    by_variance = gaussian_kernel_from_variance(13, 2.5**2, 1.2**2, 0.6)
    torch.testing.assert_close(by_variance, expected)


def test_generalised_gaussian_and_plateau_equal_their_formulas():
    def bell(r, c):
        return math.exp(-0.5 * _distance(r, c, **SIGMAS) ** 0.7)

    def plateau(r, c):
        return 1 / (1 + _distance(r, c, **SIGMAS) ** 1.6)

    torch.testing.assert_close(
        generalised_gaussian_kernel(11, **SIGMAS, beta=0.7), _by_pixel(11, bell)
    )
    torch.testing.assert_close(plateau_kernel(11, **SIGMAS, beta=1.6), _by_pixel(11, plateau))
    torch.testing.assert_close(
        generalised_gaussian_kernel(11, **SIGMAS, beta=1), gaussian_kernel(11, **SIGMAS)
    )


@pytest.mark.parametrize(("size", "cutoff"), [(7, math.pi / 3), (21, math.pi), (21, 1.234)])
def test_sinc_equals_its_formula(size, cutoff):
    def value(r, c):
        radius = math.hypot(r, c)
        if radius == 0:
            return cutoff**2 / (4 * math.pi)
        return cutoff * j1(cutoff * radius) / (2 * math.pi * radius)

    torch.testing.assert_close(sinc_kernel(size, cutoff), _by_pixel(size, value))


def test_sinc_passes_below_its_cutoff_and_stops_above():
    response = torch.fft.rfft2(sinc_kernel(127, 1.5), s=(512, 512)).abs()[0]
    frequency = torch.arange(257) / 512 * 2 * math.pi
    assert (response[frequency < 1.2] - 1).abs().max() < 0.05
    assert response[frequency > 1.8].max() < 0.05


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.5, 4.3])
def test_disk_is_the_area_of_each_pixel_inside_the_circle(radius):
    fine = (np.arange(11 * 100) + 0.5) / 100 - 5.5
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2).astype(float)
    area = inside.reshape(11, 100, 11, 100).mean((1, 3))
    expected = torch.from_numpy(area / area.sum())
    torch.testing.assert_close(disk_kernel(11, radius), expected, atol=2e-4, rtol=0)


def test_straight_motion_along_a_row():
    kernel = motion_kernel(9, 5.0, 0.0)
    assert torch.equal(kernel[[0, 1, 2, 3, 5, 6, 7, 8]], torch.zeros(8, 9, dtype=torch.float64))
    # An even path of length L has variance L² / 12; bilinear weights widen it by 1 / 6.
    moments = second_moments(kernel)
    assert abs(float(moments[1, 1]) - (25 / 12 + 1 / 6)) < 0.01
    torch.testing.assert_close(kernel[4], kernel[4].flip(0))


def test_motion_turns_downwards_and_an_arc_bends():
    moments = second_moments(motion_kernel(21, 12.0, math.pi / 4))
    assert moments[0, 1] > 5  # rows grow with columns
    torch.testing.assert_close(moments[0, 0], moments[1, 1])
    # The middle of an arc that bends downwards lies above its own centroid.
    arc = motion_kernel(21, 14.0, 0.0, 0.15)
    rows = torch.arange(21, dtype=torch.float64) - 10
    middle = arc[:, 10] / arc[:, 10].sum()
    ends = arc[:, [3, 4, 16, 17]].sum(1)
    assert float(middle @ rows) < -0.5 and float(ends @ rows / ends.sum()) > 1
    assert max(map(abs, centroid(arc))) < 1e-9


@pytest.mark.parametrize("size", [6, 9])
def test_delta_changes_nothing(size):
    x = torch.rand(1, 2, 12, 10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(filter_image(x, delta_kernel(size)), x, atol=1e-6, rtol=0)
    assert max(map(abs, centroid(motion_kernel(9, 0.0, 0.3)))) < 1e-12


@settings(max_examples=60, deadline=None)
@given(
    st.integers(11, 25),
    st.floats(0.5, 1.5),
    st.floats(0.5, 1.5),
    st.floats(-math.pi, math.pi),
    st.floats(-1.5, 1.5),
    st.floats(-1.5, 1.5),
)
def test_a_gaussian_is_moved_to_any_centroid(size, sigma_x, sigma_y, angle, row, column):
    kernel = gaussian_kernel(size, sigma_x, sigma_y, angle)
    moved = shift_to_centroid(kernel, (row, column))
    got = centroid(moved)
    assert max(abs(got[0] - row), abs(got[1] - column)) < 1e-3
    assert abs(float(moved.sum()) - 1) < 1e-12


def test_shift_moves_the_mass_and_widens_it_as_it_says():
    kernel = gaussian_kernel(25, 1.5)
    moved = shift_kernel(kernel, (1.5, -0.25))
    assert centroid(moved) == pytest.approx((1.5, -0.25), abs=1e-6)
    wider = second_moments(moved) - second_moments(kernel)
    expected = torch.diag(torch.tensor([0.25, 0.25 * 0.75], dtype=torch.float64))
    torch.testing.assert_close(wider, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(shift_kernel(kernel, (2, 0))[2:], kernel[:-2], atol=1e-9, rtol=0)


def test_moments_are_those_of_the_covariance():
    turn = torch.tensor([[math.cos(0.6), -math.sin(0.6)], [math.sin(0.6), math.cos(0.6)]])
    covariance = turn @ torch.diag(torch.tensor([2.5**2, 1.2**2])) @ turn.T
    moments = second_moments(gaussian_kernel(41, **SIGMAS))
    # The covariance is in (column, row) order, the moments in (row, column).
    torch.testing.assert_close(moments.flip(0, 1).float(), covariance, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("k", "size"), [(5, 9), (5, 8), (4, 9), (4, 8)])
def test_padding_a_kernel_changes_no_pixel(k, size):
    generator = torch.Generator().manual_seed(1)
    kernel = torch.rand(k, k, dtype=torch.float64, generator=generator)
    x = torch.rand(1, 1, 20, 20, generator=generator)
    padded = pad_kernel(kernel / kernel.sum(), size)
    assert padded.shape == (size, size)
    torch.testing.assert_close(filter_image(x, padded), filter_image(x, kernel / kernel.sum()))


def test_the_centre_pixel_is_where_the_record_says():
    kernel = make_kernel({"shape": "gaussian", "size": 21, "sigma_x": 2.0, "centre": [1.5, 0]})
    assert centroid(kernel) == pytest.approx((1.5, 0), abs=1e-4)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"shape": "hexagon"}, "shape"),
        ({"shape": ["gaussian"]}, "shape"),
        ({"shape": None}, "shape"),
        ({"size": 0}, "size"),
        ({"size": 10**9}, "size"),
        ({"size": 7.5}, "size"),
        ({"size": True}, "size"),
        ({"size": None}, "size"),
        ({"sigma_x": -1.0}, "sigma_x"),
        ({"sigma_x": float("nan")}, "sigma_x"),
        ({"sigma_x": float("inf")}, "sigma_x"),
        ({"sigma_x": "__import__('os')"}, "sigma_x"),
        ({"sigma_x": None}, "sigma_x"),
        ({"angle": 1e300}, "angle"),
        ({"angle": [0.0]}, "angle"),
        ({"beta": True}, "beta"),
        ({"beta": 10**400}, "beta"),
        ({"extra": 1}, "extra"),
        ({5: 1}, "5"),
    ],
)
def test_a_hostile_record_is_refused_by_name(change, named):
    record = {"shape": "generalised", "size": 9, **SIGMAS, "beta": 1.0, **change}
    with pytest.raises(ValueError, match=named):
        make_kernel(record)


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({"shape": "gaussian", "size": 9, "sigma_x": 1.0, "centre": [1]}, "centre"),
        ({"shape": "gaussian", "size": 9, "sigma_x": 1.0, "centre": "ab"}, "centre"),
        ({"shape": "gaussian", "size": 9, "sigma_x": 1.0, "centre": [1, "b"]}, "centre"),
        ({"shape": "sinc", "size": 9, "cutoff": 4.0}, "cutoff"),
        ({"shape": "motion", "size": 9, "length": 30.0, "angle": 0.0}, "leaves"),
        ({"shape": "motion", "size": 9, "length": 1e9, "angle": 0.0}, "length"),
        ({"shape": "disk", "size": 9, "radius": 0.0}, "radius"),
        ({"shape": "generalised", "size": 8, "sigma_x": 1e-8, "sigma_y": 1e-8, "angle": 0.0,
          "beta": 60.0}, "vanishes"),
    ],
)  # fmt: skip
def test_more_hostile_records(record, named):
    with pytest.raises(ValueError, match=named):
        make_kernel(record)


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian_kernel(5, 0.0),
        lambda: gaussian_kernel(0, 1.0),
        lambda: gaussian_kernel_from_variance(5, -1.0),
        lambda: plateau_kernel(5, 1.0, 1.0, 0.0, 0.0),
        lambda: sinc_kernel(5, 0.0),
        lambda: motion_kernel(5, -1.0, 0.0),
        lambda: disk_kernel(5, math.inf),
        lambda: delta_kernel(0),
        lambda: pad_kernel(torch.ones(5, 5), 3),
        lambda: pad_kernel(torch.ones(5, 4), 9),
        lambda: centroid(torch.zeros(3, 3)),
        lambda: shift_kernel(delta_kernel(5), (9.0, 0.0)),
        lambda: shift_kernel(delta_kernel(5), (math.nan, 0.0)),
        lambda: shift_to_centroid(gaussian_kernel(7, 3.0), (3.5, 0.0)),
    ],
)
def test_impossible_arguments_are_refused(call):
    with pytest.raises(ValueError, match="."):
        call()
