"""Whole reductions as one kernel, against the degradations themselves."""

from __future__ import annotations

import pytest
import torch

from realdeg.degradations import SRMD, Bicubic, BlurDown, Compose, KernelPool
from realdeg.degradations.blur_kinds import KINDS
from realdeg.degradations.primitives.kernel_moments import centroid
from realdeg.degradations.primitives.reduction_kernels import bicubic_kernel, placed
from realdeg.zero_shot.reductions import reduce


def told(degradation, hr):
    (trace,) = degradation.sample(hr, [5])
    return degradation.replay(hr, [trace]), degradation.condition(trace)


def check(degradation, side=96):
    """Reduce by the kernel that is told, and compare away from the borders."""
    scale = degradation.scale
    hr = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    lr, condition = told(degradation, hr)
    kernel = condition["reduction"]
    assert kernel.shape[-1] % 2 == 1 and float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    found = reduce(hr, lr.shape[-2:], kernel)
    edge = kernel.shape[-1] // (2 * scale) + 1
    inner = (..., slice(edge, -edge), slice(edge, -edge))
    assert lr[inner].numel()
    torch.testing.assert_close(found[inner], lr[inner], rtol=0, atol=2e-6)
    return condition


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "DPSR"])
def test_blur_down(kind, scale):
    check(BlurDown(scale, kind=kind, rounding="none"))


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_blur_after_the_reduction(scale):
    kernel = {"shape": "gaussian", "size": 5, "sigma_x": 0.8, "sigma_y": 1.3, "angle": 0.5}
    check(BlurDown(scale, kind="DPSR", kernel=kernel))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_others(scale):
    check(Bicubic(scale))
    check(SRMD(scale, sigma=0, rounding=False))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pools(scale):
    check(KernelPool(scale))


def test_where_there_is_no_such_kernel():
    hr = torch.rand(1, 1, 48, 48)
    for degradation in (
        BlurDown(2, True, kind="IKC"),
        SRMD(2, True),
        Bicubic(2, True),
        Bicubic(1.5),
        BlurDown(2, kind="DPSR", reduction="nearest"),
    ):
        assert "reduction" not in told(degradation, hr)[1]


def test_two_parts_that_filter():
    """Neither of their kernels is the whole way; a part that adds noise changes nothing."""
    hr = torch.rand(1, 1, 48, 48)
    blur, noise = {"type": "BlurDown", "kind": "IKC"}, {"type": "AWGN", "sigma": 5}
    _, both = told(Compose([blur, noise], scale=2), hr)
    assert both["noise_level"] == pytest.approx(5 / 255) and "reduction" in both
    parts = [BlurDown(1), BlurDown(2, kind="IKC")]
    _, found = told(Compose(parts, scale=2), hr)
    assert "kernel" in found and "reduction" not in found


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5])
def test_bicubic_is_centred(scale):
    assert max(map(abs, centroid(bicubic_kernel(scale)))) < 1e-12


def test_placing():
    kernel = torch.rand(2, 2)
    found = placed(kernel, 1, 4, least=7)
    window = (4 - 7) // 2
    assert found.shape == (7, 7)
    assert torch.equal(found[1 - window : 3 - window, 1 - window : 3 - window], kernel)
    assert float(found.sum()) == pytest.approx(float(kernel.sum()))
    assert torch.equal(placed(found, window, 4), found)
