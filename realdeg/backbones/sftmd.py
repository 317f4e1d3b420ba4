"""SFTMD: a residual network that is told the blur kernel in every block."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.readings import Reading, State, count, shape_of, size
from realdeg.degradations.primitives.kernel_code import gaussian_pca
from realdeg.degradations.primitives.kernels import pad_kernel
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import OddSize, Scale

KernelSize = Annotated[OddSize, Interval(ge=3, le=63)]
_HIDDEN = 32
_TOLERANCE = 1e-3  # of a kernel's sum


def scale_of(prefix: str) -> Reading:
    """Read the scale; ``prefix`` is a regular expression, before the names."""

    def read(state: State) -> int | None:
        first = shape_of(state, prefix + r"upscale\.0\.weight")
        if not first:
            return None
        # x4 has a second convolution and shuffle.
        second = shape_of(state, prefix + r"upscale\.3\.weight")
        return 4 if second else isqrt(first[0] // max(first[1], 1))

    return read


def length_of(name: str) -> Reading:
    """Read the length of codes from a basis (K, k * k)."""
    return lambda state: state[name].shape[0] if name in state else None


def side_of(name: str) -> Reading:
    """Read the side of kernels from a basis (K, k * k)."""
    return lambda state: isqrt(state[name].shape[-1]) if name in state else None


def _without_basis(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave the basis unknown, which the authors keep in a file of its own."""
    length = state["sft.mul_conv1.weight"].shape[1] - state["conv3.weight"].shape[0]
    return {**state, "basis": torch.zeros(length, 21**2), "mean_kernel": torch.zeros(21**2)}


_AUTHORS = Dialect(
    "yuanjunchai/IKC",
    marks=(r"SFT-residual1\.conv1\.weight", r"sft\.mul_conv1\.weight"),
    lacks=("basis",),
    drop=r"sft_branch\..*",
    convert=_without_basis,
)


class SFTLayer(nn.Module):
    """Scales and shifts features, as the features and the code say."""

    def __init__(self, features: int, code: int) -> None:
        super().__init__()
        self.mul_conv1 = nn.Conv2d(features + code, _HIDDEN, 3, padding=1)
        self.mul_conv2 = nn.Conv2d(_HIDDEN, features, 3, padding=1)
        self.add_conv1 = nn.Conv2d(features + code, _HIDDEN, 3, padding=1)
        self.add_conv2 = nn.Conv2d(_HIDDEN, features, 3, padding=1)
        self.leaky = nn.LeakyReLU(0.2)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Run on (B, C, h, w) and the code's map (B, K, h, w)."""
        both = torch.cat([features, code], 1)
        factor = self.mul_conv2(self.leaky(self.mul_conv1(both))).sigmoid()
        return features * factor + self.add_conv2(self.leaky(self.add_conv1(both)))


class SFTBlock(nn.Module):
    """Two convolutions, each behind an :class:`SFTLayer` and a ReLU, and a skip."""

    def __init__(self, features: int, code: int) -> None:
        super().__init__()
        self.sft1 = SFTLayer(features, code)
        self.sft2 = SFTLayer(features, code)
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Run on (B, C, h, w) and the code's map (B, K, h, w)."""
        inner = self.conv1(self.sft1(features, code).relu())
        return features + self.conv2(self.sft2(inner, code).relu())


@BACKBONES.register_module()
class SFTMD(Backbone):
    """Super-resolution network for multiple degradations, with spatial feature transforms.

    ``cond`` is the code of the blur kernel, (B or 1, K), or a map of codes, (B or 1, K, h, w): its
    coefficients in a PCA basis, which belongs to the weights and is stored with them. A new network
    has that of :func:`~realdeg.degradations.primitives.kernel_code.gaussian_pca`, for isotropic
    Gaussians of sigma 0.2 to the scale. :meth:`encode` makes a code of a kernel. Without ``cond``
    the image is taken as not blurred. LR is reduced by bicubic interpolation after the blur.
    Results are not clipped; the authors' program clips them to 0 to 1, in training as well.

    It has 4,086,979, 4,271,619 and 4,234,691 parameters at x2, x3 and x4.

    Args:
        scale: 2, 3 or 4.
        num_features: Channels.
        num_blocks: Residual blocks.
        kernel_size: Side of the kernels in pixels, odd.
        code_length: Length K of a kernel's code.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If the code is longer than a kernel.

    Source:
        Gu, Lu, Zuo, Dong, Blind Super-Resolution with Iterative Kernel Correction, CVPR 2019. Keys
        follow yuanjunchai/IKC (codes/models/modules/sftmd_arch.py, 2a846cf), whose unused branch is
        left out.
    """

    scales: tuple[int, ...] | None = (2, 3, 4)
    takes_map = True

    basis: Tensor
    mean_kernel: Tensor

    dialects = (_AUTHORS,)
    form_readings = {
        "scale": scale_of(""),
        "num_features": size("conv3.weight"),
        "num_blocks": count(r"SFT-residual(\d+)\.conv1\.weight"),
        "kernel_size": side_of("basis"),
        "code_length": length_of("basis"),
    }
    example_arguments = {
        "scale": 2,
        "num_features": 4,
        "num_blocks": 2,
        "kernel_size": 5,
        "code_length": 3,
    }

    def __init__(
        self,
        scale: Scale = 4,
        num_features: Number = 64,
        num_blocks: Number = 16,
        kernel_size: KernelSize = 21,
        code_length: Number = 10,
    ) -> None:
        super().__init__(scale=scale)
        if code_length > kernel_size**2:
            raise ConfigError(
                f"code_length of SFTMD is {code_length}, and kernels of {kernel_size} x"
                f" {kernel_size} have {kernel_size**2} weights: take a shorter code."
            )
        n = num_features
        self.kernel_size, self.code_length, self.num_blocks = kernel_size, code_length, num_blocks
        self.conv1 = nn.Conv2d(3, n, 3, padding=1)
        self.conv2 = nn.Conv2d(n, n, 3, padding=1)
        self.conv3 = nn.Conv2d(n, n, 3, padding=1)
        for index in range(1, num_blocks + 1):
            self.add_module(f"SFT-residual{index}", SFTBlock(n, code_length))
        self.sft = SFTLayer(n, code_length)
        self.conv_mid = nn.Conv2d(n, n, 3, padding=1)
        layers: list[nn.Module] = []
        for step in [2, 2] if scale == 4 else [scale]:
            layers.append(nn.Conv2d(n, n * step**2, 3, padding=1))
            layers += [nn.PixelShuffle(step), nn.LeakyReLU(0.2)]
        self.upscale = nn.Sequential(*layers)
        self.conv_output = nn.Conv2d(n, 3, 9, padding=4)
        self.leaky = nn.LeakyReLU(0.2)
        with torch.device("cpu"):
            basis, mean = gaussian_pca(kernel_size, code_length, (0.2, float(scale)))
            self.register_buffer("basis", basis.float())
            self.register_buffer("mean_kernel", mean.float())

    def forward(self, lr: Tensor, *, cond: Tensor | None = None) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1], blurred as ``cond`` says."""
        code = self._delta() if cond is None else cond
        maps = code.to(lr) if code.ndim == 4 else code.to(lr)[:, :, None, None]
        told = maps.expand(lr.shape[0], -1, *lr.shape[-2:])
        first = self.leaky(self.conv2(self.leaky(self.conv1(lr))))
        first = self.conv3(first)
        features = first
        for index in range(1, self.num_blocks + 1):
            features = self.get_submodule(f"SFT-residual{index}")(features, told)
        features = self.conv_mid(self.sft(features + first, told))
        return self.conv_output(self.upscale(features))

    def encode(self, kernel: Tensor) -> Tensor:
        """Return the code of a blur kernel.

        Args:
            kernel: (k, k) on the HR grid, odd, at most ``kernel_size``, with sum 1.

        Returns:
            (K,).

        Raises:
            GeometryError: If the kernel has another size or sum.
            CheckpointError: If the basis of the weights is unknown.
        """
        side = self.kernel_size
        square = kernel.ndim == 2 and len({*kernel.shape}) == 1 and len(kernel) % 2 == 1
        if not square or len(kernel) > side:
            raise GeometryError(
                f"the kernel is {tuple(kernel.shape)}: SFTMD takes square kernels with an odd side"
                f" of at most {side}."
            )
        if not abs(float(kernel.sum()) - 1) <= _TOLERANCE:
            raise GeometryError(
                f"the kernel sums to {float(kernel.sum()):.4f}: divide it by its sum, as SFTMD was"
                " trained with kernels that keep the brightness."
            )
        if not bool(self.basis.any()):
            raise CheckpointError(
                "the basis of these SFTMD weights is unknown, so kernels cannot be encoded: the"
                " authors keep it in pca_matrix.pth. Train a network of your own."
            )
        return self.basis @ pad_kernel(kernel, side).to(self.basis).flatten()

    def decode(self, code: Tensor) -> Tensor:
        """Return the kernels (B, k, k) that codes (B, K) stand for, whose sum is not quite 1."""
        weights = self.mean_kernel + (code - self.basis @ self.mean_kernel) @ self.basis
        return weights.reshape(-1, self.kernel_size, self.kernel_size)

    @classmethod
    def told_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return that the kernel is told."""
        return ("kernel",)

    def condition_of(self, conditions: Mapping[str, Any]) -> Tensor | None:
        """Return the code of the blur that a degradation applied to one image.

        Args:
            conditions: What :meth:`realdeg.degradations.Degradation.condition` returned; of it,
                ``kernel`` is used.
        """
        kernel = conditions.get("kernel")
        return self._delta()[0] if kernel is None else self.encode(kernel)

    def check_input(
        self, lr: Tensor, scale: float | None = None, cond: Tensor | None = None
    ) -> None:
        """Refuse a condition of another shape, beside what every network refuses."""
        super().check_input(lr, scale, cond)
        if cond is None:
            return
        wanted = self.code_length
        fits = cond.ndim in (2, 4) and cond.shape[0] in (1, len(lr)) and cond.shape[1] == wanted
        if not fits or cond.shape[2:] not in ((), lr.shape[2:]):
            raise GeometryError(
                f"SFTMD is told {tuple(cond.shape)} of images {tuple(lr.shape)}: cond is a kernel's"
                f" code, (B or 1, {wanted}), or a map of codes, (B or 1, {wanted}, h, w)."
            )

    def _delta(self) -> Tensor:
        """Return the code (1, K) of a kernel that does not blur."""
        middle = self.kernel_size**2 // 2
        return self.basis[:, middle][None]
