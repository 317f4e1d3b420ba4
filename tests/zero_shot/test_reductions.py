"""Kernels and reductions of zero-shot methods, against plain sums."""

from __future__ import annotations

import math

import pytest
import torch

from realdeg.degradations.primitives.kernel_moments import centroid
from realdeg.degradations.primitives.kernels import centre_rest, centred
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError
from realdeg.zero_shot.dip import lanczos_reduce
from realdeg.zero_shot.reductions import recorded_kernel, reduce


@pytest.mark.parametrize(("scale", "side"), [(2, 5), (2, 4), (3, 5), (4, 7), (4, 3)])
def test_a_kernel_is_a_sum_over_its_window(scale, side):
    draws = torch.Generator().manual_seed(0)
    image = torch.rand(1, 2, 5 * scale, 4 * scale, generator=draws, dtype=torch.float64)
    kernel = torch.rand(side, side, generator=draws, dtype=torch.float64)
    found = reduce(image, (5, 4), kernel)
    first = math.floor((scale - side) / 2)

    def mirrored(place, length):
        place = -1 - place if place < 0 else place
        return 2 * length - 1 - place if place >= length else place

    for row, column in ((0, 0), (4, 3), (2, 1)):
        wanted = torch.zeros(2, dtype=torch.float64)
        for i in range(side):
            for j in range(side):
                y = mirrored(scale * row + first + i, 5 * scale)
                x = mirrored(scale * column + first + j, 4 * scale)
                wanted += kernel[i, j] * image[0, :, y, x]
        torch.testing.assert_close(found[0, :, row, column], wanted)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [15, 16])
def test_a_recorded_gaussian_does_not_shift(scale, size):
    kernel = recorded_kernel({"shape": "gaussian", "size": size, "sigma_x": 1.5}, scale, "k")
    # A ramp: LR pixel i lies at HR coordinate s i + (s - 1) / 2.
    ramp = torch.arange(12.0 * scale, dtype=torch.float64).expand(1, 1, 12 * scale, -1)
    found = reduce(ramp, (12, 12), kernel)[0, 0, 0]
    wanted = scale * torch.arange(12.0, dtype=torch.float64) + (scale - 1) / 2
    torch.testing.assert_close(found[4:-4], wanted[4:-4], rtol=0, atol=2e-3)


def test_other_kernels_are_centred_once():
    kernel = torch.zeros(7, 7, dtype=torch.float64)
    kernel[2, 4] = 1
    moved, rest = centred(kernel, 2), centre_rest(9, 2)
    assert centroid(moved) == pytest.approx((rest, rest), abs=2e-3)
    assert torch.equal(centred(moved, 2), moved)


@pytest.mark.parametrize(
    ("record", "problem"),
    [({"shape": "cube"}, "shape"), ({"shape": "gaussian", "size": 5}, "sigma_x")],
)
def test_a_wrong_record_is_refused(record, problem):
    with pytest.raises(ConfigError, match=f"kernel of ZSSR: .*{problem}"):
        recorded_kernel(record, 2, "kernel of ZSSR")


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_lanczos(scale):
    """The published kernel: 4 s taps, half a pixel off, and 4 s + 1 for odd scales."""
    half, taps = (0.5, 4 * scale) if scale % 2 == 0 else (0.0, 4 * scale + 1)
    centre = (4 * scale + 2) / 2
    line = []
    for i in range(1, taps + 1):
        d = abs(i + half - centre) / scale
        value = 2 * math.sin(math.pi * d) * math.sin(math.pi * d / 2) if d else 1
        line.append(value / (math.pi * d) ** 2 if d else 1.0)
    wanted = torch.tensor(line, dtype=torch.float64)
    image = torch.zeros(1, 1, 9 * scale, 9 * scale, dtype=torch.float64)
    found = torch.zeros(taps, dtype=torch.float64)
    first = 4 * scale - (taps - scale) // 2  # of LR pixel 4
    for i in range(taps):
        image.zero_()
        image[0, 0, :, first + i] = 1
        found[i] = lanczos_reduce(image, scale)[0, 0, 4, 4]
    torch.testing.assert_close(found, wanted / wanted.sum())


def test_lanczos_is_near_bicubic_and_keeps_brightness():
    image = imresize(torch.rand(1, 3, 8, 8, dtype=torch.float64), size=(32, 32))
    difference = lanczos_reduce(image, 4) - imresize(image, size=(8, 8))
    assert difference[..., 1:-1, 1:-1].abs().max() < 0.05
    flat = torch.full((1, 1, 16, 16), 0.3, dtype=torch.float64)
    torch.testing.assert_close(lanczos_reduce(flat, 4), flat[..., :4, :4])
