"""The priors of blur kernels against their formulas, and KernelGAN's use of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.config import load_config
from realdeg.degradations.estimation.kernelgan import _Run
from realdeg.degradations.primitives.kernels import gaussian_kernel
from realdeg.errors import ConfigError, GeometryError
from realdeg.losses import (
    KernelBoundaryLoss,
    KernelCentreLoss,
    KernelSparsityLoss,
    KernelSumLoss,
    WeightedLoss,
    build_loss,
)
from realdeg.registry import LOSSES
from realdeg.testing import RegulariserContract
from realdeg.testing.losses import noise


class TestPriors(RegulariserContract):
    @pytest.fixture(
        params=["KernelSumLoss", "KernelBoundaryLoss", "KernelSparsityLoss", "KernelCentreLoss"],
        autouse=True,
    )
    def each(self, request):
        self.component = LOSSES.get(request.param)

    def pair(self, batch=2, height=5, width=5):
        size = max(height, width) if height > 5 else 5
        return noise(batch, size, size, seed=1), noise(batch, size, size, seed=2)

    def test_is_a_term_among_others(self):
        """A prior of kernels is no term for images, and the sentence says so."""
        name = self.component.__name__
        with pytest.raises(ConfigError, match=f"'terms.0' is {name}, a kernel loss; wanted an im"):
            WeightedLoss([self.config])


KERNELS = noise(3, 7, 7, seed=4) - 0.2


def test_sum():
    wanted = np.abs(1 - KERNELS.numpy().sum((1, 2)))
    assert KernelSumLoss(weight=1.0)(KERNELS).item() == pytest.approx(wanted.mean(), rel=1e-12)
    assert KernelSumLoss()(KERNELS[0]).item() == pytest.approx(0.5 * wanted[0], rel=1e-12)
    assert KernelSumLoss()(torch.full((5, 5), 1 / 25)).item() == pytest.approx(0, abs=1e-6)


def test_boundary():
    weights = np.zeros((7, 7))
    for i in range(7):
        for j in range(7):
            if not (2 <= i < 5 and 2 <= j < 5):
                bell = np.exp(-((i - 3) ** 2 + (j - 3) ** 2) / (2 * 7**2))
                weights[i, j] = 30 * (1 - bell)
    wanted = np.abs(KERNELS.numpy() * weights).mean()
    assert KernelBoundaryLoss(weight=1.0)(KERNELS).item() == pytest.approx(wanted, rel=1e-6)
    inner = torch.zeros(7, 7)
    inner[2:5, 2:5] = 1 / 9
    assert KernelBoundaryLoss()(inner).item() == 0
    assert KernelBoundaryLoss(margin=3)(inner).item() > 0


def test_sparsity():
    wanted = (np.abs(KERNELS.numpy()) ** 0.2).mean()
    assert KernelSparsityLoss(weight=1.0)(KERNELS).item() == pytest.approx(wanted, rel=1e-12)
    few, many = torch.zeros(5, 5), torch.full((5, 5), 1 / 25)
    few[2, 2] = 1
    assert KernelSparsityLoss()(few) < KernelSparsityLoss()(many)


@pytest.mark.parametrize(("scale", "rest"), [(1, 0.0), (2, 0.5), (3, 0.0)])
def test_centre(scale, rest):
    found = KernelCentreLoss(scale=scale)(KERNELS.abs()).item()
    wanted = []
    for kernel in KERNELS.abs().numpy():
        axis = np.arange(7) - 3
        mass = kernel / kernel.sum()
        place = (mass.sum(1) * axis).sum(), (mass.sum(0) * axis).sum()
        wanted.append(np.mean([(one - rest) ** 2 for one in place]))
    assert found == pytest.approx(np.mean(wanted), rel=1e-10)
    centred = gaussian_kernel(15, 1.2, centre=(rest, rest))
    assert KernelCentreLoss(scale=scale)(centred).item() == pytest.approx(0, abs=1e-6)


def test_kernelgan_uses_them():
    """Its constraints are the sum of the four losses with its weights."""
    run = _Run(noise(1, 3, 70, 70).float(), 2, 100, seed=0)
    kernel = noise(13, 13, seed=8).float()
    first = KernelSumLoss()(kernel) + KernelBoundaryLoss()(kernel)
    assert run._constraints(kernel).item() == pytest.approx(first.item(), rel=1e-6)
    run.centre, run.sparse = 1.0, 5.0  # as its schedule sets them
    both = first + KernelSparsityLoss()(kernel) + KernelCentreLoss(scale=2)(kernel)
    assert run._constraints(kernel).item() == pytest.approx(both.item(), rel=1e-6)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (1, 3, 5, 5)])
def test_images_are_refused(shape):
    with pytest.raises(GeometryError, match=r"kernels \(k, k\) or \(K, k, k\)"):
        build_loss({"type": "KernelSumLoss"})(torch.zeros(shape))


def test_they_are_no_loss_of_a_task():
    with pytest.raises(ConfigError, match="'model.loss' is KernelSumLoss, a kernel loss; wanted"):
        load_config("dml/dml_n8_realsr_x4", {"model.loss": dict(type="KernelSumLoss")})
