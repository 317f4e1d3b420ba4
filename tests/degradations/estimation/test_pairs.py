"""Kernels of patches of pairs, against kernels that are known."""

from __future__ import annotations

import pytest
import torch

from realdeg.degradations.estimation import PairCriteria, common_kernel, patch_kernels
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.degradations.primitives.kernel_moments import centroid
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.ops import kernel_apply

# (scale, same_size): the smallest that show both grids.
GRIDS = [(2, False), (2, True)]


def scene(seed: int, side: int = 160) -> torch.Tensor:
    """Edges at all angles over noise: something to see at every frequency."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, side, side, generator=generator)
    coarse = torch.rand(1, 1, side // 8, side // 8, generator=generator)
    blocks = torch.nn.functional.interpolate(coarse, scale_factor=8, mode="nearest")
    return (0.3 * noise + 0.7 * blocks).expand(1, 3, -1, -1).contiguous()


def expose(hr: torch.Tensor, kernel: torch.Tensor, stride: int, sigma: float = 0.0) -> torch.Tensor:
    """Blur and subsample, add noise of so many grey levels, round to 8 bit."""
    ones = hr.new_ones(1, 1, hr.shape[2] // stride, hr.shape[3] // stride)
    lr = kernel_apply(hr, ones, kernel.float()[None], stride, "reflect")
    noise = torch.randn(lr.shape, generator=torch.Generator().manual_seed(7)) * sigma / 255
    return ((lr + noise).clamp(0, 1) * 255).round() / 255


def _camera(number: int, stride: int, size: int = 13, off: float = 0.0) -> torch.Tensor:
    rest = centre_rest(size, stride) + off
    widths = ((1.0, 1.0), (1.6, 0.8), (0.8, 1.4))[number % 3]
    return gaussian_kernel(size, *widths, 0.5 * number, (rest, rest))


def _relative(found: torch.Tensor, truth: torch.Tensor) -> float:
    return float((found - truth).norm() / truth.norm())


@pytest.mark.parametrize(("scale", "same_size"), GRIDS)
def test_each_photos_own_kernel_is_found(scale, same_size):
    stride = 1 if same_size else scale
    truths = [_camera(n, stride) for n in range(3)]
    pairs = [(scene(n), expose(scene(n), k, stride, 1.0)) for n, k in enumerate(truths)]
    common = common_kernel(pairs, scale, same_size)
    assert common.kernel_size == 13 and common.is_trained
    own, shared = [], []
    for (hr, lr), truth in zip(pairs, truths, strict=True):
        for found in patch_kernels(hr, lr, common, 48):
            assert found.rejection is None and found.kernel is not None
            own.append(_relative(found.kernel, truth))
            shared.append(_relative(common.kernel.detach().double(), truth))
    assert sum(own) / len(own) < 0.08
    # What a pool is for: one kernel for all is several times further off.
    assert sum(own) < 0.4 * sum(shared)


def test_kernels_are_centred_and_of_unit_sum_and_the_record_says_what_they_were():
    # A quarter pixel of misregistration and a fifth stop of exposure.
    hr = scene(1)
    truth = _camera(1, 2, off=0.25)
    pair = (hr, expose(hr, 0.95 * truth, 2))
    common = common_kernel([pair, pair], 2, False)
    (found, *_) = patch_kernels(*pair, common, 48)
    assert found.kernel is not None
    assert float(found.kernel.sum()) == pytest.approx(1, abs=1e-9)
    assert centroid(found.kernel) == pytest.approx((0.5, 0.5), abs=2e-3)
    assert found.record["gain"] == pytest.approx(0.95, abs=0.01)
    assert found.record["shift"] == pytest.approx([0.25, 0.25], abs=0.05)
    assert found.record["width"] == pytest.approx((1.6**2 / 2 + 0.8**2 / 2) ** 0.5, rel=0.1)
    (kept, *_) = patch_kernels(*pair, common, 48, centre=False)
    assert kept.kernel is not None
    assert centroid(kept.kernel) == pytest.approx((0.75, 0.75), abs=0.05)


def test_each_criterion_refuses_what_it_is_for():
    hr = scene(2)
    sound = (hr, expose(hr, _camera(0, 2), 2))
    common = common_kernel([sound, sound], 2, False)

    def faults(lr: torch.Tensor, hr: torch.Tensor = hr, **criteria: float) -> set[str | None]:
        found = patch_kernels(hr, lr, common, 32, PairCriteria(**criteria))
        return {item.rejection for item in found}

    assert faults(sound[1]) == {None}
    flat = torch.full_like(hr, 0.4)
    assert faults(sound[1] * 0 + 0.4, flat) == {"flat"}
    assert faults(sound[1] * 0.7) == {"gain"}
    assert faults(sound[1].roll((2, 2), (2, 3))) <= {"shift", "residual"}
    other = expose(scene(3), _camera(0, 2), 2)
    assert None not in faults(other)
    # Sharpened by an unsharp mask: a kernel with a deep negative ring.
    soft = expose(hr, gaussian_kernel(13, 2.5, centre=(0.5, 0.5)), 2)
    assert faults(4 * sound[1] - 3 * soft, largest_negative=0.1) == {"negative"}


def test_mistakes_are_named():
    hr = scene(0, 64)
    lr = expose(hr, _camera(0, 2), 2)
    with pytest.raises(DataError, match="no pairs"):
        common_kernel([], 2, False)
    with pytest.raises(GeometryError):
        common_kernel([(hr, lr)], 4, False)
    common = common_kernel([(hr, lr)], 2, False)
    with pytest.raises(DataError, match="smaller than a patch"):
        patch_kernels(hr, lr, common, 32)
    with pytest.raises(ConfigError, match="even number"):
        patch_kernels(hr, lr, common, 15)
