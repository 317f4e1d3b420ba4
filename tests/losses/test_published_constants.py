"""The constants of papers and public code that losses have as defaults or fixed values.

A row: where the value is in realdeg, the value, and who published it. Weights that recipes set are
compared in the tests of the recipes.
"""

from __future__ import annotations

import numpy as np
import pytest

from realdeg.degradations.primitives.kernel_priors import BOUNDARY_HEIGHT
from realdeg.registry import LOSSES
from realdeg.utils.arguments import arguments_of
from realdeg.utils.structural_similarity import MS_SSIM_LEAST_SIDE, SCALE_WEIGHTS, side_of


def default(loss, argument):
    """Return an argument's default."""
    return arguments_of(LOSSES.require(loss)).parameters[argument].default


CYCLEGAN = "Zhu et al., ICCV 2017; junyanz/pytorch-CycleGAN-and-pix2pix"
FFL = "Jiang et al., ICCV 2021; EndlessSora/focal-frequency-loss 352f69d"
FSSR = "Fritsche et al., ICCVW 2019; ManuelFritsche/real-world-sr 4be7851"
KERNELGAN = "Bell-Kligler et al., NeurIPS 2019"
LAPSRN = "Lai et al., CVPR 2017"
LDL = "Liang et al., CVPR 2022; csjliang/LDL 2d22ddd"
MS_SSIM = "Wang, Simoncelli, Bovik, Asilomar 2003"

ROWS = [
    (default("CharbonnierLoss", "eps"), 1e-3, LAPSRN),
    (default("CycleLoss", "weight"), 10, CYCLEGAN),
    (default("CycleLoss", "criterion"), "l1", CYCLEGAN),
    (default("IdentityLoss", "weight"), 0.5 * 10, CYCLEGAN),
    (SCALE_WEIGHTS, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333), MS_SSIM),
    (MS_SSIM_LEAST_SIDE, 176, MS_SSIM),
    (side_of("gaussian-11"), 11, "Wang et al., IEEE TIP 2004"),
    (default("FocalFrequencyLoss", "weight"), 1, FFL),
    (default("FocalFrequencyLoss", "alpha"), 1, FFL),
    (default("FocalFrequencyLoss", "patch_factor"), 1, FFL),
    (default("FocalFrequencyLoss", "ave_spectrum"), False, FFL),
    (default("FocalFrequencyLoss", "log_matrix"), False, FFL),
    (default("FocalFrequencyLoss", "batch_matrix"), False, FFL),
    (default("FilteredLoss", "filter"), "average", FSSR),
    (default("FilteredLoss", "size"), 9, FSSR),
    (default("FilteredLoss", "border"), "zero", FSSR),
    (default("LDLLoss", "weight"), 1, LDL),
    (default("LDLLoss", "size"), 7, LDL),
    (default("KernelSumLoss", "weight"), 0.5, KERNELGAN),
    (default("KernelBoundaryLoss", "weight"), 0.5, KERNELGAN),
    (default("KernelBoundaryLoss", "margin"), 2, KERNELGAN),
    (BOUNDARY_HEIGHT, 30, KERNELGAN),
    (default("KernelSparsityLoss", "weight"), 5, KERNELGAN),
    (default("KernelSparsityLoss", "power"), 0.2, KERNELGAN),
    (default("KernelCentreLoss", "weight"), 1, KERNELGAN),
]


@pytest.mark.parametrize(("found", "published", "source"), ROWS)
def test_published(found, published, source):
    assert found == published, source


def test_the_exponents_of_ms_ssim_sum_to_one():
    assert np.sum(SCALE_WEIGHTS) == pytest.approx(1, abs=1e-3)
