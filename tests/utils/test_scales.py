from __future__ import annotations

import math

import pytest

from realdeg.utils.scales import as_scale, divides, hr_length, lr_length


@pytest.mark.parametrize("scale", range(1, 9))
def test_whole_scales_are_integer_division(scale):
    for length in range(1, 60):
        assert hr_length(length, scale) == length * scale
        assert lr_length(length, scale) == length // scale
        assert divides(length, scale) == (length % scale == 0)


def test_real_scales_are_exact_to_the_hundredth():
    for hundredths in range(101, 500, 7):
        scale = hundredths / 100
        for lr in range(1, 120):
            hr = hr_length(lr, scale)
            assert hr == lr * hundredths // 100
            assert divides(hr, scale) and lr_length(hr, scale) == lr
            # MATLAB's rule for the size of a reduced image leads back.
            assert math.ceil(hr * (1 / scale) - 1e-9) == lr
        for hr in range(5, 120):
            lr = lr_length(hr, scale)
            assert hr_length(lr, scale) <= hr < hr_length(lr + 1, scale)


def test_as_scale():
    assert [as_scale(value) for value in (2, 2.0, 2.5)] == [2, 2, 2.5]
    assert isinstance(as_scale(2.0), int)
