"""DAN: a restorer and an estimator of the kernel, which take turns."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Annotated, Any, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Outputs
from realdeg.backbones.blind import BlindBackbone, as_kernel
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number, Repeats
from realdeg.backbones.parts.dan import EstimatorV1, EstimatorV2, RestorerV1, RestorerV2
from realdeg.backbones.readings import Reading, State, count, shape_of, size
from realdeg.degradations.primitives.kernel_code import gaussian_pca
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import OddSize, Scale

Kernels = Literal["isotropic", "anisotropic"]

# The kernels of settings 1 and 2, for gaussian_pca.
_FAMILIES: dict[str, dict[str, Any]] = {
    "isotropic": {"sigma": (0.2, 4.0)},
    "anisotropic": {"sigma": (0.6, 5.0), "anisotropic": True, "disturbance": 0.25},
}

# The files hold the basis, and neither the mean kernel nor how it was made.
_AUTHORS = Dialect(
    "greatlog/DAN", marks=(r"init_ker_map",), lacks=("mean_kernel",), keeps="mean_kernel"
)


def _scale(state: State) -> int | None:
    first = shape_of(state, r"Restorer\.upscale\.0\.weight")
    if not first:
        return None
    # x4 has a second convolution and shuffle.
    return 4 if "Restorer.upscale.4.weight" in state else isqrt(first[0] // first[1])


def _shape(name: str, axis: int) -> Reading:
    return lambda state: int(state[name].shape[axis]) if name in state else None


_FORM: dict[str, Reading] = {
    "scale": _scale,
    "num_features": size("Restorer.fusion.weight"),
    "kernel_size": _shape("init_kernel", -1),
    "code_length": _shape("encoder", -1),
}


class _DAN(BlindBackbone):
    """What both versions share: the basis, and the kernel that they start from."""

    colour = "rgb"
    scales = (2, 3, 4)
    reduction = "bicubic"

    encoder: Tensor
    init_kernel: Tensor
    init_ker_map: Tensor
    mean_kernel: Tensor

    dialects = (_AUTHORS,)

    Restorer: nn.Module
    Estimator: nn.Module

    def _start(self, kernels: str, kernel_size: int, code_length: int, rounds: int) -> None:
        if code_length > kernel_size**2:
            raise ConfigError(
                f"code_length of {type(self).__name__} is {code_length}, and kernels of"
                f" {kernel_size} x {kernel_size} have {kernel_size**2} weights: take a shorter"
                " code."
            )
        self.kernel_size, self.rounds = kernel_size, rounds
        with torch.device("cpu"):
            basis, mean = gaussian_pca(kernel_size, code_length, **_FAMILIES[kernels])
            kernel = torch.zeros(1, kernel_size, kernel_size)
            kernel[:, kernel_size // 2, kernel_size // 2] = 1
            self.register_buffer("encoder", basis.T.float().contiguous()[None])
            self.register_buffer("init_kernel", kernel)
            self.register_buffer("init_ker_map", self.encode(kernel))
            self.register_buffer("mean_kernel", mean.float())

    def encode(self, kernel: Tensor) -> Tensor:
        """Return the codes (B, K) of kernels (B, k, k)."""
        return kernel.flatten(1) @ self.encoder[0]

    def decode(self, code: Tensor) -> Tensor:
        """Return the kernels (B, 1, k, k) with sum 1 that codes (B, K) stand for."""
        basis, mean = self.encoder[0], self.mean_kernel
        weights = mean + (code - mean @ basis) @ basis.T
        return as_kernel(weights.reshape(-1, self.kernel_size, self.kernel_size))


@BACKBONES.register_module()
class DANv1(_DAN):
    """A restorer that sees a code of the kernel, and an estimator that sees its result, in turns.

    Four rounds, with the same weights in each and without gradient from one to the next. Estimates
    are codes: the kernel's coefficients in a PCA basis, which belongs to the weights. A new network
    has that of :func:`~realdeg.degradations.primitives.kernel_code.gaussian_pca`. It starts from
    the code of a kernel that does not blur. LR is reduced by bicubic interpolation after the blur.

    It has 4,181,799, 4,366,439 and 4,329,511 parameters at x2, x3 and x4.

    Args:
        scale: 2, 3 or 4.
        num_features: Channels of the restorer.
        num_blocks: Blocks of the restorer.
        rounds: Number of rounds.
        kernel_size: Side of the kernels in pixels, odd: 21, and 11 in setting 2 at x2.
        code_length: Length of a kernel's code.
        kernels: The kernels that a new network's basis is made for: ``"isotropic"`` (setting 1) or
            ``"anisotropic"`` (setting 2).
        estimator_features: Channels of the estimator, for LR and for the image each.
        estimator_blocks: Blocks of the estimator.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w); ``estimates`` (B, T, K), ``images`` (B, T, 3, s*h, s*w)

    Raises:
        ConfigError: If the code is longer than a kernel.
        GeometryError: If there is no such scale.

    Source:
        Luo, Huang, Li, Wang, Tan, Unfolding the Alternating Optimization for Blind Super
        Resolution, NeurIPS 2020. Keys follow greatlog/DAN (4c4de00), DANv1.
    """

    form_readings = _FORM | {
        "num_blocks": count(r"Restorer\.body\.(\d+)\.body\.0\.weight"),
        "estimator_features": size("Estimator.head_LR.weight"),
        "estimator_blocks": count(r"Estimator\.body\.(\d+)\.body\.0\.weight"),
    }
    example_arguments = {
        "scale": 2,
        "num_features": 4,
        "num_blocks": 2,
        "rounds": 2,
        "kernel_size": 5,
        "code_length": 3,
        "estimator_features": 4,
        "estimator_blocks": 1,
    }

    def __init__(
        self,
        scale: Scale = 4,
        num_features: Number = 64,
        num_blocks: Number = 40,
        rounds: Repeats = 4,
        kernel_size: Annotated[OddSize, Interval(ge=3, le=63)] = 21,
        code_length: Number = 10,
        kernels: Kernels = "isotropic",
        estimator_features: Number = 32,
        estimator_blocks: Number = 5,
    ) -> None:
        super().__init__(scale=scale)
        self.Restorer = RestorerV1(scale, num_features, num_blocks, code_length)
        self.Estimator = EstimatorV1(scale, estimator_features, estimator_blocks, code_length)
        self._start(kernels, kernel_size, code_length, rounds)

    def forward(self, lr: Tensor) -> Outputs:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        code = self.init_ker_map.to(lr).expand(lr.shape[0], -1)
        codes, images = [], []
        for _ in range(self.rounds):
            images.append(self.Restorer(lr, code.detach()))
            code = self.Estimator(images[-1].detach(), lr)
            codes.append(code)
        aux = {"estimates": torch.stack(codes, 1), "images": torch.stack(images, 1)}
        return Outputs(images[-1], aux)

    def target_of(self, conditions: Mapping[str, Any]) -> Tensor:
        """Return the code (K,) of the kernel of one image's degradation."""
        return self.encode(self.told_kernel(conditions)[None].to(self.encoder))[0]

    def kernel_of(self, estimate: Tensor) -> Tensor:
        """Return the kernels (B, 1, k, k) of codes (B, K)."""
        return self.decode(estimate)


@BACKBONES.register_module()
class DANv2(_DAN):
    """DAN with two paths, of the image and of the kernel, whose estimator gives the kernel itself.

    As :class:`DANv1`, but blocks process both paths, and the estimator ends in a softmax over the
    kernel's weights. The restorer sees the kernel's code.

    It has 4,540,028, 4,733,116 and 4,707,708 parameters at x2, x3 and x4 for kernels of 21 x 21.

    Args:
        scale: 2, 3 or 4.
        num_features: Channels of the restorer.
        num_blocks: Blocks of each of the restorer's groups.
        num_groups: Groups of the restorer.
        rounds: Number of rounds.
        kernel_size: Side of the kernels in pixels, odd: 21, and in setting 2 11 (x2) and 31 (x4).
        code_length: Length of a kernel's code: 10, and 15 in setting 2 at x4.
        kernels: The kernels that a new network's basis is made for: ``"isotropic"`` (setting 1) or
            ``"anisotropic"`` (setting 2).
        estimator_features: Channels of the estimator, for LR and for the image each.
        estimator_blocks: Blocks of the estimator.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w); ``estimates`` (B, T, k, k), ``images`` (B, T, 3, s*h, s*w)

    Raises:
        ConfigError: If the code is longer than a kernel.
        GeometryError: If there is no such scale.

    Source:
        Luo, Huang, Li, Wang, Tan, End-to-end Alternating Optimization for Blind Super Resolution,
        arXiv 2105.06878 (2021). Keys follow greatlog/DAN (4c4de00), DANv2.
    """

    form_readings = _FORM | {
        "num_blocks": count(r"Restorer\.body\.0\.body\.(\d+)\.body1\.0\.weight"),
        "num_groups": count(r"Restorer\.body\.(\d+)\.body\.0\.body1\.0\.weight"),
        "estimator_features": size("Estimator.head_LR.0.weight"),
        "estimator_blocks": count(r"Estimator\.body\.body\.(\d+)\.body1\.0\.weight"),
    }
    example_arguments = {
        "scale": 2,
        "num_features": 4,
        "num_blocks": 1,
        "num_groups": 2,
        "rounds": 2,
        "kernel_size": 5,
        "code_length": 3,
        "estimator_features": 4,
        "estimator_blocks": 1,
    }

    def __init__(
        self,
        scale: Scale = 4,
        num_features: Number = 64,
        num_blocks: Number = 10,
        num_groups: Number = 5,
        rounds: Repeats = 4,
        kernel_size: Annotated[OddSize, Interval(ge=3, le=63)] = 21,
        code_length: Number = 10,
        kernels: Kernels = "isotropic",
        estimator_features: Number = 32,
        estimator_blocks: Number = 5,
    ) -> None:
        super().__init__(scale=scale)
        self.Restorer = RestorerV2(scale, num_features, num_blocks, num_groups, code_length)
        self.Estimator = EstimatorV2(scale, estimator_features, estimator_blocks, kernel_size)
        self._start(kernels, kernel_size, code_length, rounds)

    def forward(self, lr: Tensor) -> Outputs:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        code = self.init_ker_map.to(lr).expand(lr.shape[0], -1)
        kernels, images = [], []
        for _ in range(self.rounds):
            images.append(self.Restorer(lr, code.detach()))
            kernel = self.Estimator(images[-1].detach(), lr)
            code = self.encode(kernel.to(self.encoder)).to(lr)
            kernels.append(kernel.unflatten(1, (self.kernel_size, self.kernel_size)))
        aux = {"estimates": torch.stack(kernels, 1), "images": torch.stack(images, 1)}
        return Outputs(images[-1], aux)
