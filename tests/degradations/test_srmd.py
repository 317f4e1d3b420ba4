"""SRMD: its draws, its order of operations, its kernels, and the code that networks are told."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from realdeg.degradations import Trace
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives.kernel_code import (
    code_maps,
    decode_kernel,
    degradation_pca,
    encode_kernel,
)
from realdeg.degradations.primitives.kernels import make_kernel
from realdeg.degradations.primitives.noise import white_noise
from realdeg.degradations.srmd import SRMD
from realdeg.errors import ConfigError, DataError


def _hr(batch=2, size=48):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(4))


def _records(degradation, number=2000):
    return [degradation.sample_one((3, 8, 8), seed).params for seed in range(number)]


def _by_eigenvalues(l1: float, l2: float, angle: float, size: int = 15) -> np.ndarray:
    """The construction of the released anisotropic_Gaussian.m, written down once more."""
    v = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ [1, 0]
    vectors = np.array([[v[0], v[1]], [v[1], -v[0]]])
    sigma = vectors @ np.diag([l1, l2]) @ np.linalg.inv(vectors)
    axis = np.arange(size) - size // 2
    x, y = np.meshgrid(axis, axis)
    points = np.stack([x.ravel(), y.ravel()], 1)
    kernel = np.exp(-0.5 * np.einsum("ni,ij,nj->n", points, np.linalg.inv(sigma), points))
    return (kernel / kernel.sum()).reshape(size, size)


def test_kernels_equal_the_eigenvalue_construction():
    degradation = SRMD(3, settings="code")
    for params in _records(degradation, 200):
        record = params["kernel"]
        expected = _by_eigenvalues(record["variance_x"], record["variance_y"], record["angle"])
        np.testing.assert_allclose(make_kernel(record).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("scale", "width", "eigenvalue"), [(2, 2, 6), (3, 3, 8), (4, 4, 10)])
def test_the_papers_ranges(scale, width, eigenvalue):
    records = _records(SRMD(scale))
    kernels = [params["kernel"] for params in records]
    isotropic = [kernel["sigma_x"] for kernel in kernels if kernel["shape"] == "gaussian"]
    assert stats.binomtest(len(isotropic), len(kernels), 0.5).pvalue > 1e-3
    grid = [round(0.2 + 0.1 * i, 1) for i in range(round((width - 0.2) / 0.1) + 1)]
    assert set(isotropic) == set(grid)
    assert stats.chisquare([isotropic.count(value) for value in grid]).pvalue > 1e-3
    others = [kernel for kernel in kernels if kernel["shape"] == "gaussian_variance"]
    first = [kernel["variance_x"] for kernel in others]
    share = [(kernel["variance_y"] - 0.5) / (kernel["variance_x"] - 0.5) for kernel in others]
    angles = [kernel["angle"] for kernel in others]
    assert stats.kstest(first, "uniform", (0.5, eigenvalue - 0.5)).pvalue > 1e-3
    assert stats.kstest(share, "uniform").pvalue > 1e-3
    assert stats.kstest(angles, "uniform", (0, math.pi)).pvalue > 1e-3
    sigmas = [params["sigma"] for params in records]
    assert stats.kstest(sigmas, "uniform", (0, 75)).pvalue > 1e-3


def test_the_codes_ranges_do_not_depend_on_the_scale():
    for scale in (2, 4):
        kernels = [params["kernel"] for params in _records(SRMD(scale, settings="code"))]
        assert {kernel["shape"] for kernel in kernels} == {"gaussian_variance"}
        first = [kernel["variance_x"] for kernel in kernels]
        share = [(kernel["variance_y"] - 0.1) / (kernel["variance_x"] - 0.1) for kernel in kernels]
        assert stats.kstest(first, "uniform", (0.1, 9.9)).pvalue > 1e-3
        assert stats.kstest(share, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("same_size", [False, True])
def test_it_blurs_reduces_rounds_and_adds_noise_in_this_order(same_size):
    degradation = SRMD(2, same_size, sigma=(60, 75))
    hr = _hr(1)
    trace = degradation.sample(hr, [3])[0]
    kernel = make_kernel(trace.params["kernel"]).numpy()
    blurred = np.stack(
        [ndimage.correlate(c, kernel, mode="nearest") for c in hr[0].double().numpy()]
    )
    small = imresize(torch.from_numpy(blurred)[None], 0.5)
    small = (small * 255 + 0.5).floor().clamp(0, 255) / 255
    noise = white_noise((3, 24, 24), trace.params["noise_seed"])
    expected = small + noise[None].double() * trace.params["sigma"] / 255
    assert expected.min() < 0 and expected.max() > 1  # nothing is clipped
    if same_size:
        expected = imresize(expected, size=(48, 48))
    found = degradation.replay(hr, [trace]).double()
    # In float32 a value beside a half may be rounded the other way.
    assert ((found - expected).abs() < 2e-6).float().mean() > (0.98 if same_size else 0.999)


def test_options_of_rounding_clipping_and_noise():
    hr = _hr(1)
    clipped = SRMD(2, clip=True, sigma=(50, 50))(hr, [1])
    assert clipped.min() == 0 and clipped.max() == 1
    levels = SRMD(2, sigma=0)(hr, [1]) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    smooth = SRMD(2, sigma=(0, 0), rounding=False)
    assert smooth.differentiable and not SRMD(2).differentiable
    torch.testing.assert_close(smooth(hr, [1]) * 255, levels, atol=0.501, rtol=0)
    x = _hr(1, 16).requires_grad_()
    smooth(x, [1]).sum().backward()
    assert x.grad.abs().min() > 0


def test_the_basis_is_orthonormal_deterministic_and_keeps_the_energy():
    basis = degradation_pca()
    assert basis.shape == (15, 225)
    torch.testing.assert_close(basis @ basis.T, torch.eye(15, dtype=torch.float64))
    # Ascending eigenvalues: the last vector holds most of any Gaussian.
    kernels = [params["kernel"] for params in _records(SRMD(4, settings="code"), 500)]
    stack = torch.stack([make_kernel(kernel).T.reshape(-1) for kernel in kernels])
    energies = (stack @ basis.T).square().sum(0)
    assert energies[14] > energies[13] > energies[:13].max() > energies[:5].max()
    assert energies.sum() / stack.square().sum() > 0.998
    degradation_pca.cache_clear()
    assert torch.equal(degradation_pca(), basis)
    assert degradation_pca(15, 15, 1).shape == (15, 225)
    span = torch.linalg.svdvals(degradation_pca(15, 15, 1) @ basis.T)
    assert span.min() > 0.9  # other kernels, almost the same space
    with pytest.raises(ValueError, match="no 10 dimensions"):
        degradation_pca(3, 10)


def test_a_code_is_the_projection_of_a_kernel_laid_out_column_by_column():
    basis = degradation_pca()
    kernel = make_kernel(
        {
            "shape": "gaussian_variance",
            "size": 15,
            "variance_x": 6.0,
            "variance_y": 1.0,
            "angle": 0.3,
        }
    )
    code = encode_kernel(kernel, basis)
    by_columns = sum(
        basis[:, 15 * column + row] * kernel[row, column]
        for row in range(15)
        for column in range(15)
    )
    torch.testing.assert_close(code, by_columns)
    back = decode_kernel(code, basis, 15)
    assert (back - kernel).norm() / kernel.norm() < 0.1
    assert (back.T - kernel).norm() / kernel.norm() > 0.3
    with pytest.raises(ValueError, match="does not fit"):
        encode_kernel(kernel[:9, :9], basis)
    with pytest.raises(ValueError, match="do not fit"):
        decode_kernel(code[:5], basis, 15)


def test_networks_are_told_code_maps_and_noise_level():
    degradation = SRMD(4)
    trace = degradation.sample_one((3, 48, 64), 8)
    told = degradation.condition(trace)
    assert told["noise_level"] == trace.params["sigma"] / 255
    assert told["code"].shape == (16,) and told["code"].dtype == torch.float32
    assert float(told["code"][15]) == pytest.approx(told["noise_level"])
    expected = encode_kernel(make_kernel(trace.params["kernel"]), degradation_pca())
    torch.testing.assert_close(told["code"][:15], expected.float())
    assert told["maps"].shape == (16, 12, 16)
    assert torch.equal(told["maps"], told["code"].view(16, 1, 1).expand(16, 12, 16))
    assert torch.equal(code_maps(told["code"][None], 12, 16)[0], told["maps"])
    assert SRMD(4, True).condition(SRMD(4, True).sample_one((3, 48, 64), 8))["maps"].shape[1] == 48


@pytest.mark.parametrize(
    "changes",
    [
        {"sigma": -1},
        {"sigma": 1e9},
        {"sigma": float("nan")},
        {"sigma": 10**400},
        {"sigma": "5"},
        {"sigma": None},
        {"noise_seed": -1},
        {"noise_seed": 2**64},
        {"noise_seed": 1.5},
        {"noise_seed": True},
        {"kernel": {}},
        {"kernel": {"shape": "gaussian", "size": 13, "sigma_x": 1.0}},
        {"kernel": {"shape": "gaussian", "size": 15, "sigma_x": -1.0}},
        {"kernel": np.ones((2, 2))},
    ],
    ids=str,
)
def test_a_hostile_trace_meets_one_sentence(changes):
    degradation = SRMD(2)
    hr = _hr(1)
    trace = degradation.sample(hr, [0])[0]
    hostile = Trace("SRMD", {**trace.params, **changes}, trace.size)
    with pytest.raises(DataError) as caught:
        degradation.replay(hr, [hostile])
    assert len(str(caught.value)) < 400
    if "noise_seed" not in changes:
        with pytest.raises(DataError):
            degradation.condition(hostile)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kernel_size": 14}, "odd"),
        ({"kernel_size": 99}, "from 3 to 63 that is odd"),
        ({"settings": "mine"}, "'paper' or 'code'"),
        ({"isotropic_probability": 2}, "isotropic_probability"),
        ({"sigma": (5, 1)}, "from 0 to 255"),
        ({"sigma": (0,)}, "a list of 2 numbers from 0 to 255 in ascending order"),
        ({"sigma": (0, float("nan"))}, "is nan, wanted a number"),
    ],
)
def test_settings_that_make_no_sense_are_named(arguments, words):
    with pytest.raises(ConfigError, match=words):
        SRMD(4, **arguments)
