"""Every downsampler puts its pixels where it says, to 0.01 HR pixels.

For registered degradations that is part of their contract.
"""

from __future__ import annotations

import pytest

from realdeg.degradations.primitives import (
    MODES,
    centroid,
    filter_image,
    gaussian_kernel,
    resample,
    s_fold,
    sampling_offset,
    shift_to_centroid,
)
from realdeg.testing.alignment import assert_offset, phase_offset, ramp_offset


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("mode", MODES)
def test_resampling_lies_where_it_says(mode, scale):
    def down(x):
        return resample(x, (x.shape[-2] // scale, x.shape[-1] // scale), mode)

    assert_offset(down, scale, sampling_offset(mode, scale))


@pytest.mark.parametrize(("scale", "start"), [(2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (4, 3)])
def test_s_fold_lies_at_its_first_pixel(scale, start):
    assert_offset(lambda x: s_fold(x, scale, start), scale, float(start))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_kernel_moved_by_half_a_block_makes_s_fold_lie_in_the_middle(scale):
    middle = (scale - 1) / 2
    kernel = shift_to_centroid(gaussian_kernel(21, 2.0, 1.2, 0.7), (middle, middle))

    def down(x):
        return s_fold(filter_image(x, kernel), scale)

    assert_offset(down, scale, middle)


@pytest.mark.parametrize("k", [10, 11, 12, 13])
def test_rows_and_columns_are_told_apart(k):
    kernel = gaussian_kernel(k, 1.2, centre=(0.7, -0.4))
    # An even window lies half a pixel up and left of its pixel.
    rest = (k - 1) / 2 - k // 2
    row, column = centroid(kernel)
    assert_offset(lambda x: filter_image(x, kernel), 1, (row + rest, column + rest))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.37, -1.25), (-0.02, 0.02)])
def test_the_measurement_itself_finds_a_known_shift(shift):
    kernel = gaussian_kernel(23, 2.0, centre=shift)
    known = centroid(kernel)
    for measure in (ramp_offset, phase_offset):
        got = measure(lambda x: filter_image(x, kernel), 1)
        assert max(abs(a - b) for a, b in zip(got, known, strict=True)) < 0.002


def test_a_wrong_declaration_is_found():
    with pytest.raises(AssertionError, match="declared"):
        assert_offset(lambda x: s_fold(x, 2), 2, 0.5)
