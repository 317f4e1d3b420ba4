"""KXNet: steps of an alternating minimisation over kernel and image, unrolled into a network."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from realdeg.backbones.base import Outputs
from realdeg.backbones.blind import BlindBackbone
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.readings import State, count, shape_of, size
from realdeg.degradations.primitives.borders import pad
from realdeg.degradations.primitives.kernels import gaussian_kernel
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import OddSize, Scale
from realdeg.utils.precision import full_precision

Auxiliary = Literal["isotropic", "anisotropic"]

_SHARE = 0.1  # of a residual branch
_SMALLEST = 1e-5  # weight of a kernel before it is normalised
_COPIES = 3  # of the kernel, beside its auxiliary maps
# Widths along both axes and angle.
_OVALS = [
    (first, second, turn * math.pi / 4)
    for first in (1.0, 2.5, 4.0)
    for second in (3.5, 5.0)
    for turn in range(4)
]

# kernel_map0 shares its memory with kernel_map, so both hold the trained maps.
_AUTHORS = Dialect("jiahong-fu/KXNet", marks=(r"kernel_map0",), drop=r"kernel_map0")


class ProximalNet(nn.Module):
    """Residual pairs of convolutions and a last one, around the input.

    Args:
        channels: Channels in and out.
        pairs: Number of pairs.
        letter: ``"x"`` or ``"k"``, for the public names of the layers.
    """

    def __init__(self, channels: int, pairs: int, letter: str) -> None:
        super().__init__()
        self.pairs = [f"res{letter}{number}" for number in range(1, pairs + 1)]
        self.last = f"res{letter}{pairs + 1}"
        for name in self.pairs:
            self.add_module(
                name,
                nn.Sequential(
                    nn.Conv2d(channels, channels, 3, padding=1),
                    nn.ReLU(),
                    nn.Conv2d(channels, channels, 3, padding=1),
                ),
            )
        self.add_module(self.last, nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1)))

    def forward(self, given: Tensor) -> Tensor:
        """Run on (B, C, h, w); the result is not negative."""
        features = given
        for name in self.pairs:
            features = torch.relu(features + _SHARE * self.get_submodule(name)(features))
        return torch.relu(given + _SHARE * self.get_submodule(self.last)(features))


class KernelStage(nn.Module):
    """A gradient step on the kernel, and a network in place of the kernel's prior."""

    def __init__(self, maps: int, pairs: int) -> None:
        super().__init__()
        self.K_ProNet = ProximalNet(_COPIES + maps, pairs, "k")

    def forward(self, kernel: Tensor, maps: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next kernel (B, 1, k, k) and auxiliary maps (B, N, k, k)."""
        copies = (kernel - gradient / 10).expand(-1, _COPIES, -1, -1)
        made = self.K_ProNet(torch.cat([copies, maps.to(copies)], 1)).to(kernel)
        positive = torch.relu(made[:, :_COPIES].mean(1, keepdim=True) + _SMALLEST)
        return positive / positive.sum((-2, -1), keepdim=True), made[:, _COPIES:]


class ImageStage(nn.Module):
    """A network in place of the image's prior, which is shown the back-projected error."""

    def __init__(self, channels: int, pairs: int) -> None:
        super().__init__()
        self.X_ProNet = ProximalNet(channels, pairs, "x")

    def forward(
        self, image: Tensor, error: Tensor, lr: Tensor, maps: Tensor, scale: int
    ) -> tuple[Tensor, Tensor]:
        """Return the next image (B, C, H, W) and auxiliary maps (B, N, h, w)."""
        small = [F.pixel_unshuffle(each, scale) for each in (image, error)]
        width = small[0].shape[1]
        made = self.X_ProNet(torch.cat([*small, lr, maps.to(lr)], 1)).to(lr)
        return F.pixel_shuffle(made[:, :width], scale), made[:, 2 * width + lr.shape[1] :]


def _scale(state: State) -> int | None:
    shape, maps = shape_of(state, r"X_stage\.0\.X_ProNet\.resx1\.0\.weight"), _maps(state)
    if not shape or maps is None:
        return None
    squared = (shape[0] - maps - 3) // 6
    return next((s for s in (2, 3, 4) if s * s == squared), None)


def _side(state: State) -> int | None:
    return state["kernel_map"].shape[-1] if "kernel_map" in state else None


_maps = size("AV_X_ker")


@BACKBONES.register_module()
class KXNet(BlindBackbone):
    """Kernel and image in turns: 19 stages, each a step on the kernel and one on the image.

    A stage takes a gradient step of ``|blur(x, k)[::s, ::s] - y|^2 / 2`` on the kernel, divided by
    the number of LR values, and hands the result with auxiliary maps to a small network. The image
    stage sees the image, the back-projected error and LR as channels of the LR grid, with further
    auxiliary maps. LR is every s-th pixel of the blurred image, from the first.

    The image starts as the bicubic enlargement, the kernel as a Gaussian of width 1. It has
    6,505,363, 13,343,653 and 27,571,195 parameters at x2, x3 and x4 for kernels of 21 x 21.

    Args:
        scale: 2, 3 or 4.
        stages: Number of stages.
        kernel_size: Side of the kernels in pixels, odd; setting 2 has 11, 15 and 21.
        auxiliary: The Gaussians that the kernel's auxiliary maps start from: ``"isotropic"``,
            widths from 0.2 to 4 (setting 1), or ``"anisotropic"``, 24 of widths 1, 2.5, 4 by 3.5, 5
            in four directions (setting 2), of which the first ``kernel_maps`` are taken.
        kernel_maps: Auxiliary maps of the kernel; at most 24 where anisotropic.
        image_maps: Auxiliary maps of the image.
        pairs: Residual pairs of convolutions in a stage's networks.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w); ``estimates`` (B, T, k, k), ``images`` (B, T, 3, s*h, s*w)

    Raises:
        ConfigError: If an argument is out of range.
        GeometryError: If there is no such scale.

    Source:
        Fu, Wang, Xie, Zhao, Meng, Xu, KXNet: A Model-Driven Deep Neural Network for Blind
        Super-Resolution, ECCV 2022. Keys follow jiahong-fu/KXNet (15d61a7). ``eta_stage``, the
        image step's length, is in its files but used nowhere.
    """

    colour = "rgb"
    scales = (2, 3, 4)
    reduction = "s_fold"

    kernel: Tensor
    eta_stage: Tensor

    dialects = (_AUTHORS,)
    form_readings = {
        "scale": _scale,
        "stages": count(r"X_stage\.(\d+)\.X_ProNet\.resx1\.0\.weight"),
        "kernel_size": _side,
        "kernel_maps": lambda s: len(s["kernel_map"]) if "kernel_map" in s else None,
        "image_maps": _maps,
        "pairs": count(r"X_stage\.0\.X_ProNet\.resx(\d+)\.0\.weight", plus=-1),
    }
    example_arguments = {
        "scale": 2,
        "stages": 2,
        "kernel_size": 5,
        "kernel_maps": 2,
        "image_maps": 2,
        "pairs": 1,
    }

    def __init__(
        self,
        scale: Scale = 4,
        stages: Annotated[Number, Interval(le=256)] = 19,
        kernel_size: Annotated[OddSize, Interval(ge=3, le=63)] = 21,
        auxiliary: Auxiliary = "isotropic",
        kernel_maps: Number = 24,
        image_maps: Number = 32,
        pairs: Annotated[Number, Interval(le=256)] = 4,
    ) -> None:
        super().__init__(scale=scale)
        self.kernel_size, self.rounds = kernel_size, stages
        with torch.device("cpu"):
            started = auxiliary_kernels(kernel_size, auxiliary, kernel_maps)
            first = gaussian_kernel(kernel_size, 1.0).float()[None, None]
        width = 2 * 3 * scale**2 + 3 + image_maps
        self.X_stage = nn.ModuleList(ImageStage(width, pairs) for _ in range(stages))
        self.K_stage = nn.ModuleList(KernelStage(len(started), pairs) for _ in range(stages))
        stencil = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
        self.AV_X_ker = nn.Parameter(stencil.expand(image_maps, 3, -1, -1).clone())
        self.kernel_map = nn.Parameter(started.to(self.AV_X_ker.device))
        self.gamma_stage = nn.Parameter(torch.ones(stages, 1))
        self.register_buffer("eta_stage", torch.ones(stages, 1))
        self.register_buffer("kernel", first.to(self.AV_X_ker.device), persistent=False)
        # For one kernel; its estimates see everything. The convolutions of all stages follow each
        # other, each with two blurs in between.
        self.halo = stages * (2 * pairs + 1 + 2 * -(-kernel_size // (2 * scale))) + 3

    def forward(self, lr: Tensor) -> Outputs:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        if not len(lr):
            return self._nothing(lr)
        image = F.interpolate(lr, scale_factor=self.scale, mode="bicubic", align_corners=False)
        kernel = self.kernel.to(lr).expand(len(lr), -1, -1, -1)
        image_maps = F.conv2d(lr, self.AV_X_ker, padding=1)
        kernel_maps = self.kernel_map.expand(len(lr), -1, -1, -1)
        kernels, images, reach = [], [], self.kernel_size // 2
        for number, (of_kernel, of_image) in enumerate(
            zip(self.K_stage, self.X_stage, strict=True)
        ):
            with full_precision(lr):
                wide = pad(image, (reach, reach), (reach, reach), "reflect")
                gradient = kernel_gradient(wide, lr, kernel, self.scale)
                gradient = self.gamma_stage[number].to(lr) * gradient
            kernel, kernel_maps = of_kernel(kernel, kernel_maps, gradient)
            with full_precision(lr):
                error = back_projected(wide, lr, kernel, self.scale)
            image, image_maps = of_image(image, error, lr, image_maps, self.scale)
            kernels.append(kernel[:, 0])
            images.append(image)
        aux = {"estimates": torch.stack(kernels, 1), "images": torch.stack(images, 1)}
        return Outputs(image, aux)

    def _nothing(self, lr: Tensor) -> Outputs:
        """Return the outputs of an empty batch, which torch's convolutions of groups refuse."""
        height, width = (self.scale * side for side in lr.shape[-2:])
        images = lr.new_empty(0, self.rounds, 3, height, width)
        kernels = lr.new_empty(0, self.rounds, *(self.kernel_size,) * 2)
        return Outputs(images[:, -1], {"estimates": kernels, "images": images})


def kernel_gradient(wide: Tensor, lr: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Return the gradient of the squared error on the kernel, divided by the number of LR values.

    Args:
        wide: The image, padded by k // 2 on each side, (B, C, H + k - 1, W + k - 1).
        lr: LR, (B, C, h, w).
        kernel: (B, 1, k, k).
        scale: HR pixels per LR pixel.

    Returns:
        Of ``sum((blur(x, k)[::s, ::s] - y)^2) / (2 C h w)``, (B, 1, k, k).
    """
    batch, channels, height, width = lr.shape
    side = kernel.shape[-1]
    missing = reduced(wide, kernel, scale) - lr
    # The gradient of a convolution on its weight, which needs no copy of all windows.
    each = conv2d_weight(
        wide.reshape(1, batch * channels, *wide.shape[-2:]),
        (batch * channels, 1, side, side),
        missing.reshape(1, batch * channels, height, width),
        stride=scale,
        groups=batch * channels,
    )
    return each.reshape(batch, channels, side, side).mean(1, keepdim=True) / (height * width)


def back_projected(wide: Tensor, lr: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Return the error of LR, spread over the HR pixels that it was made of.

    Args:
        wide: As for :func:`kernel_gradient`.
        lr: LR, (B, C, h, w).
        kernel: (B, 1, k, k).
        scale: HR pixels per LR pixel.

    Returns:
        (B, C, H, W): the weighted mean, at each HR pixel, of the errors of the LR pixels that saw
        it.
    """
    error = reduced(wide, kernel, scale) - lr
    # All channels share a kernel, so one channel of ones counts for all.
    spread = _spread(torch.cat([error, torch.ones_like(error[:, :1])], 1), kernel, scale)
    return spread[:, :-1] / (spread[:, -1:] + 1e-10)


def reduced(wide: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Blur a padded image and keep every s-th pixel, (B, C, h, w)."""
    batch, channels, height, width = wide.shape
    weight = kernel.expand(-1, channels, -1, -1).reshape(batch * channels, 1, *kernel.shape[-2:])
    each = wide.reshape(1, batch * channels, height, width)
    small = F.conv2d(each, weight, stride=scale, groups=batch * channels)
    return small.reshape(batch, channels, *small.shape[-2:])


def _spread(small: Tensor, kernel: Tensor, scale: int) -> Tensor:
    batch, channels, height, width = small.shape
    weight = kernel.expand(-1, channels, -1, -1).reshape(batch * channels, 1, *kernel.shape[-2:])
    each = small.reshape(1, batch * channels, height, width)
    large = F.conv_transpose2d(
        each,
        weight,
        stride=scale,
        padding=kernel.shape[-1] // 2,
        output_padding=scale - 1,
        groups=batch * channels,
    )
    return large.reshape(batch, channels, scale * height, scale * width)


def auxiliary_kernels(kernel_size: int, kind: Auxiliary = "isotropic", number: int = 24) -> Tensor:
    """Return the Gaussians that KXNet's auxiliary maps of the kernel start from.

    Args:
        kernel_size: Side k in pixels.
        kind: ``"isotropic"`` or ``"anisotropic"``.
        number: How many; of the 24 anisotropic ones the first.

    Returns:
        (number, k, k), float32.

    Raises:
        ConfigError: If there are not so many.

    Source:
        codes/scripts/generate_auxiker.py of jiahong-fu/KXNet.
    """
    if kind == "isotropic":
        widths = torch.linspace(0.2, 4.0, number, dtype=torch.float64).tolist()
        return torch.stack([gaussian_kernel(kernel_size, width) for width in widths]).float()
    if number > len(_OVALS):
        raise ConfigError(
            f"KXNet has {len(_OVALS)} anisotropic auxiliary kernels, and kernel_maps is {number}:"
            " set it to that or less, or auxiliary='isotropic'."
        )
    return torch.stack([gaussian_kernel(kernel_size, *oval) for oval in _OVALS[:number]]).float()
