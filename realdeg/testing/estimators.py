"""The contract of estimators of blur kernels."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from realdeg.degradations.estimation import KernelEstimate, KernelEstimator, estimator_from_config
from realdeg.degradations.primitives.kernels import centre_rest, centroid
from realdeg.errors import GeometryError
from realdeg.registry import ESTIMATORS
from realdeg.testing.contract import Contract

_TOLERANCE = 1e-3
_CENTRED = 0.1


@dataclass(frozen=True)
class First:
    """An estimate that several tests look at.

    Args:
        image: The image.
        scale: A scale that the estimator serves.
        found: The estimate.
        reports: What it reported meanwhile.
    """

    image: Tensor
    scale: int
    found: KernelEstimate
    reports: list[tuple[int, int]]


_made: dict[str, First] = {}


class EstimatorContract(Contract, page="docs/estimating.md"):
    """What every estimator of kernels promises to zero-shot methods and commands.

    Without ``arguments`` the estimator under test is the class's own ``example()``, which must be
    tiny.
    """

    component: type[KernelEstimator]
    registry = ESTIMATORS

    @pytest.fixture
    def estimator(self) -> KernelEstimator:
        """The estimator under test."""
        if self.arguments:
            return self.component(**self.arguments)
        return self.component.example()

    @pytest.fixture
    def first(self, estimator: KernelEstimator) -> First:
        """The first estimate, which is made once for all tests."""
        key = json.dumps([self.component.__qualname__, estimator.arguments], default=str)
        if key not in _made:
            image, scale = textured(estimator), (estimator.scales or (2,))[0]
            reports: list[tuple[int, int]] = []
            found = estimator.estimate(image, scale, lambda *one: reports.append(one))
            _made[key] = First(image, scale, found, reports)
        return _made[key]

    def test_its_source_is_named(self) -> None:
        """The docstring names the paper and the program that it follows."""
        assert "Source:" in (self.component.__doc__ or ""), "the docstring names no source"

    def test_arguments_rebuild_it(self, estimator: KernelEstimator, first: First) -> None:
        """Constructor arguments are plain values, and rebuild an estimator with equal results."""
        arguments = json.loads(json.dumps(estimator.arguments))
        assert arguments == estimator.arguments
        again = estimator_from_config({"type": self.component.__name__, **arguments})
        found = again.estimate(first.image, first.scale)
        assert torch.equal(found.kernel, first.found.kernel)

    def test_kernels_keep_the_convention(self, estimator: KernelEstimator, first: First) -> None:
        """At every scale a kernel is square, sums to 1 and is centred on the LR pixels."""
        for scale in estimator.scales or (2, 3, 4):
            known = scale == first.scale
            found = first.found if known else estimator.estimate(first.image, scale)
            kernel = found.kernel.double()
            assert kernel.ndim == 2 and kernel.shape[0] == kernel.shape[1]
            assert kernel.isfinite().all() and not kernel.requires_grad
            assert float(kernel.sum()) == pytest.approx(1, abs=_TOLERANCE)
            rest = centre_rest(len(kernel), scale)
            assert centroid(kernel) == pytest.approx((rest, rest), abs=_CENTRED)
            assert found.seconds >= 0 and found.iterations >= 0
            assert found.noise is None or 0 <= found.noise < 1

    def test_fields_of_kernels(self, first: First) -> None:
        """A kernel for each pixel, where there is one, lies on the LR grid and sums to 1."""
        field = first.found.field
        if field is None:
            return
        count, side = field.basis.shape[0], field.basis.shape[-1]
        assert field.basis.shape == (count, side, side)
        assert field.weights.shape == (count, *first.image.shape[-2:])
        sums = torch.einsum("nhw,n->hw", field.weights, field.basis.sum((1, 2)))
        torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=_TOLERANCE)

    def test_what_it_leaves_alone(self, estimator: KernelEstimator, first: First) -> None:
        """The image, the global random state and the caller's gradients are left alone."""
        image = first.image.clone()
        torch.manual_seed(1)
        state = torch.get_rng_state()
        with torch.inference_mode():
            found = estimator.estimate(image.clone(), first.scale)
        assert torch.equal(found.kernel, first.found.kernel)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(textured(estimator), first.image)

    def test_luma_and_double(self, estimator: KernelEstimator, first: First) -> None:
        """It takes one channel as well as three, and float64."""
        luma = first.image[:, :1].double()
        assert estimator.estimate(luma, first.scale).kernel.isfinite().all()

    def test_progress(self, first: First) -> None:
        """Reports count upwards, to the number of iterations."""
        done = [one for one, _ in first.reports]
        assert done == sorted(done) and all(one <= most for one, most in first.reports)
        assert (done[-1] if done else 0) == first.found.iterations

    def test_refusals(self, estimator: KernelEstimator, first: First) -> None:
        """A missing scale, a small image and a batch are refused by name."""
        image, name, scale = first.image, type(estimator).__name__, first.scale
        if estimator.scales is not None:
            with pytest.raises(GeometryError, match=f"{name}.*61"):
                estimator.estimate(image, 61)
        with pytest.raises(GeometryError, match=f"{name}.*one image"):
            estimator.estimate(image.expand(2, -1, -1, -1), scale)
        small = estimator.smallest - 1
        if small:
            with pytest.raises(GeometryError, match=f"{name}.*{small} x"):
                estimator.estimate(image[..., :small, :], scale)


def textured(estimator: KernelEstimator) -> Tensor:
    """Return an image with edges and texture, a few pixels larger than the smallest."""
    height, width = max(estimator.smallest, 24), max(estimator.smallest, 24) + 6
    draws = torch.Generator().manual_seed(5)
    coarse = torch.rand(1, 3, height // 4 + 1, width // 4 + 2, generator=draws)
    blocks = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)[..., :height, :width]
    fine = torch.rand(1, 3, height, width, generator=draws)
    return 0.8 * blocks + 0.2 * fine
