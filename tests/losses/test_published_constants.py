"""The constants of papers and public code that losses have as defaults or fixed values.

A row: where the value is in realdeg, the value, and who published it. Weights that recipes set are
compared in the tests of the recipes.
"""

from __future__ import annotations

import numpy as np
import pytest

from realdeg.degradations.primitives.kernel_priors import BOUNDARY_HEIGHT
from realdeg.losses.content import CONTENT_PRESETS
from realdeg.registry import LOSSES
from realdeg.utils.arguments import arguments_of
from realdeg.utils.st_lpips import ShiftTolerantLPIPS
from realdeg.utils.structural_similarity import MS_SSIM_LEAST_SIDE, SCALE_WEIGHTS, side_of
from realdeg.utils.trunk_files import PUBLISHED
from realdeg.utils.trunks import IMAGENET_MEAN, IMAGENET_STD, TRUNKS


def default(loss, argument):
    """Return an argument's default."""
    return arguments_of(LOSSES.require(loss)).parameters[argument].default


def index(trunk, layer):
    """Return a layer's position, which is its index in torchvision's ``features``."""
    return TRUNKS[trunk].layers().index(layer)


CYCLEGAN = "Zhu et al., ICCV 2017; junyanz/pytorch-CycleGAN-and-pix2pix"
FFL = "Jiang et al., ICCV 2021; EndlessSora/focal-frequency-loss 352f69d"
FSSR = "Fritsche et al., ICCVW 2019; ManuelFritsche/real-world-sr 4be7851"
KERNELGAN = "Bell-Kligler et al., NeurIPS 2019"
LAPSRN = "Lai et al., CVPR 2017"
BASICSR = "XPixelGroup/BasicSR 8d56e3a (PerceptualLoss)"
EDSR = "sanghyun-son/EDSR-PyTorch"
ENHANCENET = "Sajjadi et al., ICCV 2017"
ESRGAN = "Wang et al., ECCVW 2018"
LPIPS = "Zhang et al., CVPR 2018"
REAL_ESRGAN = "Wang et al., ICCVW 2021; SwinIR's and BSRGAN's are the same"
SRGAN = "Ledig et al., CVPR 2017"
TORCHVISION = "pytorch/vision, models/vgg.py (features)"
WAVELET_SRNET = "Huang et al., ICCV 2017; hhb072/WaveletSRNet f021990"
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
    *(
        (index("vgg19", layer), position, TORCHVISION)
        for layer, position in {
            **{"conv1_1": 0, "relu1_1": 1, "conv1_2": 2, "relu1_2": 3, "pool1": 4},
            **{"conv2_1": 5, "relu2_1": 6, "conv2_2": 7, "relu2_2": 8, "pool2": 9},
            **{"conv3_1": 10, "relu3_1": 11, "conv3_4": 16, "relu3_4": 17, "pool3": 18},
            **{"conv4_1": 19, "relu4_1": 20, "conv4_4": 25, "relu4_4": 26, "pool4": 27},
            **{"conv5_1": 28, "relu5_1": 29, "conv5_4": 34, "relu5_4": 35, "pool5": 36},
        }.items()
    ),
    *(
        (index("vgg16", layer), position, TORCHVISION)
        for layer, position in {
            **{"conv1_2": 2, "pool1": 4, "conv2_2": 7, "pool2": 9, "conv3_3": 14, "pool3": 16},
            **{"conv4_3": 21, "relu4_3": 22, "pool4": 23, "conv5_3": 28, "pool5": 30},
        }.items()
    ),
    (IMAGENET_MEAN, (0.485, 0.456, 0.406), TORCHVISION),
    (IMAGENET_STD, (0.229, 0.224, 0.225), TORCHVISION),
    (PUBLISHED["vgg19"], "vgg19-dcbb9e9d.pth", TORCHVISION),
    (PUBLISHED["vgg16"], "vgg16-397923af.pth", TORCHVISION),
    (PUBLISHED["alexnet"], "alexnet-owt-7be5be79.pth", TORCHVISION),
    (
        CONTENT_PRESETS["srgan_vgg54"],
        dict(layers={"conv5_4": 1}, before_relu=False, criterion="mse", divisor=12.75),
        SRGAN,
    ),
    (
        CONTENT_PRESETS["srgan_vgg22"],
        dict(layers={"conv2_2": 1}, before_relu=False, criterion="mse", divisor=12.75),
        SRGAN,
    ),
    (CONTENT_PRESETS["edsr_vgg54"], dict(layers={"conv5_4": 1}, criterion="mse"), EDSR),
    (CONTENT_PRESETS["edsr_vgg22"], dict(layers={"conv2_2": 1}, criterion="mse"), EDSR),
    (CONTENT_PRESETS["esrgan"], dict(layers={"conv5_4": 1}, criterion="l1"), ESRGAN),
    (
        CONTENT_PRESETS["real_esrgan"],
        dict(
            layers={"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1, "conv4_4": 1, "conv5_4": 1},
            criterion="l1",
        ),
        REAL_ESRGAN,
    ),
    (
        CONTENT_PRESETS["enhancenet"],
        dict(layers={"pool2": 0.2, "pool5": 0.02}, criterion="mse", normalise_features=True),
        ENHANCENET,
    ),
    (default("ContentLoss", "layers"), {"conv5_4": 1}, ESRGAN),
    (default("ContentLoss", "criterion"), "l1", BASICSR),
    (default("ContentLoss", "before_relu"), True, ESRGAN),
    (default("WaveletTextureLoss", "alpha"), 1.2, WAVELET_SRNET),
    (default("WaveletTextureLoss", "margin"), 0, WAVELET_SRNET),
    (default("WaveletTextureLoss", "channels"), 3, WAVELET_SRNET),
    (default("WaveletTextureLoss", "weight"), 1, WAVELET_SRNET),
    (
        [round(v, 3) for v in ShiftTolerantLPIPS("alex").shift.flatten().tolist()],
        [-0.030, -0.088, -0.188],
        LPIPS,
    ),
    (
        [round(v, 3) for v in ShiftTolerantLPIPS("alex").scale.flatten().tolist()],
        [0.458, 0.448, 0.450],
        LPIPS,
    ),
]


@pytest.mark.parametrize(("found", "published", "source"), ROWS)
def test_published(found, published, source):
    assert found == published, source


def test_the_exponents_of_ms_ssim_sum_to_one():
    assert np.sum(SCALE_WEIGHTS) == pytest.approx(1, abs=1e-3)
