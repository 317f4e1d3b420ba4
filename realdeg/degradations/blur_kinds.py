"""The settings of published "blur, then reduce" degradations, by name.

Each kind names its source; where a paper and its code differ, it states which is followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from realdeg.degradations.kernel_draw import KernelSpec

ORDERS = ("blur_first", "reduce_first")
REDUCTIONS = ("bicubic", "nearest", "s_fold")
ROUNDINGS = ("none", "blurred", "result")

# Published for x2, x3 and x4; other scales take the nearest of these.
_UPPER_SIGMA = {2: 2.0, 3: 3.0, 4: 4.0}

EIGHT_WIDTHS = {
    scale: tuple(round(low + step * (high - low) / 7, 4) for step in range(8))
    for scale, (low, high) in {2: (0.8, 1.6), 3: (1.35, 2.4), 4: (1.8, 3.2)}.items()
}
"""The widths (standard deviations, HR pixels) of the test kernels "Gaussian8" at x2, x3 and x4."""


@dataclass(frozen=True)
class BlurKind:
    """The settings that one name stands for.

    Args:
        kernel: Returns the family of kernels for a scale.
        order: ``"blur_first"`` or ``"reduce_first"``.
        padding: How the image is continued beyond its border for the blur.
        reduction: ``"bicubic"`` (MATLAB's, antialiased), ``"nearest"`` (MATLAB's: pixel
            ``s i + floor(s / 2)``) or ``"s_fold"`` (pixel ``s i``).
        rounding: Whether the blurred image or the result is rounded to 8 bit, or ``"none"``.
        source: Where the settings are published.
    """

    kernel: Callable[[int], KernelSpec]
    order: str
    padding: str
    reduction: str
    rounding: str
    source: str


def _near(scale: int, low: int = 2, high: int = 4) -> int:
    return min(max(scale, low), high)


def _benchmark(scale: int) -> KernelSpec:
    return {"shape": "gaussian", "size": 7, "sigma_x": 1.6}


def _four_widths(scale: int) -> KernelSpec:
    return {"shape": "gaussian", "size": 25, "sigma_x": {"one_of": [0.7, 1.2, 1.6, 2.0]}}


def _released_srmd(scale: int) -> KernelSpec:
    return {
        "shape": "gaussian_variance",
        "size": 15,
        "variance_x": [0.1, 10.0],
        "variance_y": [0.1, "variance_x"],
        "angle": [0.0, math.pi],
    }


def _isotropic(scale: int) -> KernelSpec:
    return {"shape": "gaussian", "size": 21, "sigma_x": [0.2, _UPPER_SIGMA[_near(scale)]]}


def _isotropic_of_dan(scale: int) -> KernelSpec:
    return {"shape": "gaussian", "size": 21, "sigma_x": [0.2, 4.0]}


def _anisotropic_of_dan(scale: int) -> KernelSpec:
    return {
        "shape": "gaussian",
        "size": {2: 11, 3: 21, 4: 31}[_near(scale)],
        "sigma_x": [0.6, 5.0],
        "sigma_y": [0.6, 5.0],
        "angle": [-math.pi, math.pi],
        "disturbance": 0.25,
    }


def _random_of_kernelgan(scale: int) -> KernelSpec:
    variance = [0.175 * scale, 2.5 * scale]
    return {
        "shape": "gaussian_variance",
        "size": (5 * scale + 1) | 1,  # 11 at x2 and 21 at x4 are published; odd at any scale
        "variance_x": variance,
        "variance_y": variance,
        "angle": [0.0, math.pi],
        # Factors of 1 - 0.4 to 1 + 0.4, divided by 0.6: the sum of the kernel becomes 1 anyway.
        "disturbance": 4 / 3,
        "recentre": True,
        "centre": scale / 2,
    }


def _eight_widths(scale: int) -> KernelSpec:
    widths = list(EIGHT_WIDTHS[_near(scale)])
    return {"shape": "gaussian", "size": 21, "sigma_x": {"one_of": widths}}


def _flow_prior(scale: int) -> KernelSpec:
    variance = [0.175 * scale, min(2.5 * scale, 10.0)]
    return {
        "shape": "gaussian_variance",
        "size": min(4 * scale + 3, 21),
        "variance_x": variance,
        "variance_y": variance,
        "angle": [0.0, math.pi],
        "centre": -(scale - 1) / 2,
    }


def _anisotropic_of_kxnet(scale: int) -> KernelSpec:
    return {
        "shape": "gaussian",
        "size": {2: 11, 3: 15, 4: 21}[_near(scale)],
        "sigma_x": [0.6, 5.0],
        "sigma_y": [0.6, 5.0],
        "angle": [0.0, math.pi],
    }


KINDS: dict[str, BlurKind] = {
    "BD": BlurKind(
        *(_benchmark, "blur_first", "replicate", "nearest", "blurred"),
        source="the x3 benchmark 'BD', script of RDN (Zhang et al., CVPR 2018)",
    ),
    "s-fold": BlurKind(
        *(_four_widths, "blur_first", "circular", "s_fold", "none"),
        source="the classical degradation of KAIR; the isotropic widths of its 12 test kernels",
    ),
    "SRMD": BlurKind(
        *(_released_srmd, "blur_first", "replicate", "bicubic", "result"),
        source="the training code of SRMD (Zhang, Zuo, Zhang, CVPR 2018), without its noise",
    ),
    "DPSR": BlurKind(
        *(_four_widths, "reduce_first", "circular", "bicubic", "none"),
        source="the order of DPSR (Zhang, Zuo, Zhang, CVPR 2019) as in KAIR",
    ),
    "IKC": BlurKind(
        *(_isotropic, "blur_first", "reflect", "bicubic", "none"),
        source="IKC (Gu et al., CVPR 2019); the same ranges as DAN's paper, setting 1",
    ),
    "DAN": BlurKind(
        *(_isotropic_of_dan, "blur_first", "reflect", "bicubic", "none"),
        source="DAN (Luo et al., NeurIPS 2020), setting 1 as in its code: 0.2 to 4 at any scale",
    ),
    "DAN-2": BlurKind(
        *(_anisotropic_of_dan, "blur_first", "reflect", "bicubic", "none"),
        source="DAN, setting 2, made for DIV2KRK; sizes of the test settings of DANv2",
    ),
    "DIV2KRK": BlurKind(
        *(_random_of_kernelgan, "blur_first", "symmetric", "s_fold", "none"),
        source="the generator of KernelGAN's test sets (assafshocher/BlindSR_dataset_generator,"
        " def9187): noise of 40 % (the paper has 25 %), LR half a pixel beside bicubic LR",
    ),
    "Gaussian8": BlurKind(
        *(_eight_widths, "blur_first", "reflect", "bicubic", "none"),
        source="the eight test kernels of IKC (Gu et al., CVPR 2019)",
    ),
    "FKP": BlurKind(
        *(_flow_prior, "blur_first", "circular", "s_fold", "none"),
        source="FKP (Liang et al., CVPR 2021): centroid at (k - s) / 2, so LR is mirrored",
    ),
    "KXNet": BlurKind(
        *(_isotropic, "blur_first", "reflect", "s_fold", "none"),
        source="KXNet (Fu et al., ECCV 2022), setting 1",
    ),
    "KXNet-2": BlurKind(
        *(_anisotropic_of_kxnet, "blur_first", "reflect", "s_fold", "none"),
        source="KXNet, setting 2, without its noise of 0 to 25 grey levels",
    ),
}
"""Every named kind."""
