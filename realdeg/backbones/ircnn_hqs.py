"""Super-resolution by denoisers in half-quadratic splitting, without training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.ircnn import (
    DENOISER_READINGS,
    DENOISERS,
    DILATIONS,
    denoiser_level,
    dilated_layers,
)
from realdeg.backbones.parts.bicubic import bicubic_upsample
from realdeg.backbones.parts.classic import Number, Repeats, draw_he
from realdeg.backbones.parts.data_step import Blur, data_step, sampling_blur
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, NonNegative, OddSize, Positive, Scale
from realdeg.utils.precision import full_precision

Start = Literal["bicubic", "nearest", "aligned"]

BACK_PROJECTIONS = 5
STEP = 1.75


@dataclass(frozen=True)
class Form:
    """The parameters in which the published programs differ.

    Attributes:
        colour: The colour that the program works in.
        iterations: Number of data steps, each followed by a denoiser.
        first: Noise level of the first denoiser, in units of 1/255; None: 12 times the scale.
        noise: Lower bound of the noise assumed in LR, in units of 1/255.
        margin: What is added to the true noise, if there is any.
        trust: Weight of the prior against the data: rho = trust * (noise / sigma)**2.
        start: The initial image.
        turn: Whether the denoiser sees another of the eight orientations in every iteration.
    """

    colour: Colour
    iterations: int
    first: float | None
    noise: float
    margin: float
    trust: float
    start: Start
    turn: bool


FORMS: dict[str, Form] = {
    "back_projection": Form("y", 30, None, 0.5, 0.0, 0.0, "bicubic", False),
    "polyphase": Form("y", 30, 49.0, 0.5, 2.0, 1 / 3, "bicubic", False),
    "closed_form": Form("rgb", 8, None, 0.5, 2.0, 1 / 3, "nearest", False),
    "dpir": Form("rgb", 24, 49.0, 0.255, 0.0, 0.23, "aligned", True),
}


class Denoiser(nn.Module):
    """One of the networks, under the published names."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.model = dilated_layers(channels, width)

    def forward(self, image: Tensor) -> Tensor:
        """Subtract the predicted noise from (B, C, H, W)."""
        return image - self.model(image)


@BACKBONES.register_module()
class IRCNNHQS(Backbone):
    """Half-quadratic splitting: fit the image to LR, denoise it, and repeat with less noise.

    The degradation is an input, not learned. Four programs were published:

    - ``"back_projection"`` (A): LR was made by bicubic interpolation, or, with ``kernel_sigma``,
      by a Gaussian blur sampled in the middle of each block. 30 iterations: five steps of
      x + 1.75 up(y - down(x)), then the denoiser, from 12 * scale to scale (of 255).
    - ``"polyphase"`` (B): blur, then every scale-th pixel, exactly inverted; 30 iterations from 49.
    - ``"closed_form"`` (C): the same degradation in colour; 8 iterations from 12 * scale.
    - ``"dpir"`` (D): the same with other weights and rotated images; 24 iterations from 49.

    B, C and D solve the same least-squares problem, so they share one step (in the Fourier domain
    of the LR grid, hence with a periodic image). Their first LR pixel is the centre of the blur on
    the first HR pixel, not the middle of a block.

    Args:
        scale: 1 (which only blurs) to 64.
        same_size: The LR image lies on the HR grid: it is deblurred (not form A).
        form: One of the four.
        kernel_sigma: Width of the Gaussian blur in HR pixels; None: 1.6, and in form A bicubic.
        kernel_size: Size of the blur in HR pixels, odd; None: 7. Form A chooses its own.
            A call accepts any other kernel as ``cond``, (B or 1, 1, k, k) with k odd.
        noise: Standard deviation of the noise in LR, in units of 1/255.
        iterations: Number of iterations; None: the form's.
        last_sigma: Noise level of the last denoiser, in units of 1/255; None: the scale (three
            times that in form B in colour), or the noise if that is larger.
        colour: ``"y"`` or ``"rgb"``; None: the form's.
        width: Channels of the denoisers.

    Shape:
        (B, 1 or 3, h, w) -> (B, 1 or 3, s*h, s*w), or the same size.

    Raises:
        ConfigError: If a parameter is out of range.
        GeometryError: If form A is used with ``same_size``.

    Source:
        Zhang, Zuo, Gu, Zhang, Learning Deep CNN Denoiser Prior for Image Restoration, CVPR 2017
        (cszn/IRCNN); the data step of B after Chan, Wang, Elgendy, Plug-and-Play ADMM, TCI 2017,
        of C after Zhao et al., Fast Single Image Super-Resolution, TIP 2016; D: Zhang et al.,
        Plug-and-Play Image Restoration with Deep Denoiser Prior, TPAMI 2021 (cszn/DPIR), here with
        the networks of IRCNN. Only the networks in use are kept, as ``nets.{i}``, with the index i
        of ircnn_gray.pth and ircnn_color.pth.
    """

    colour: Colour = "y"
    upsample = "post"
    same_size_form = "native"
    whole_image = True
    takes_kernel = True

    kernel: Tensor

    dialects = (DENOISERS,)
    form_readings = DENOISER_READINGS
    example_arguments = {
        "scale": 2,
        "form": "polyphase",
        "kernel_size": 3,
        "iterations": 2,
        "width": 4,
    }

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        form: Annotated[str, Choice(*FORMS)] = "back_projection",
        kernel_sigma: Positive | None = None,
        kernel_size: OddSize | None = None,
        noise: NonNegative = 0.0,
        iterations: Repeats | None = None,
        last_sigma: NonNegative | None = None,
        colour: Colour | None = None,
        width: Number = 64,
    ) -> None:
        plan = FORMS[form]
        super().__init__(
            scale=scale, same_size=same_size, colour=plan.colour if colour is None else colour
        )
        self.factor = 1 if same_size else scale
        self.projects = form == "back_projection"
        if self.projects and same_size:
            raise GeometryError(
                "IRCNNHQS(form='back_projection') inverts bicubic downsampling and cannot be used"
                " where LR and HR have the same size: use form='polyphase'."
            )
        rounds = plan.iterations if iterations is None else iterations
        size = 7 if kernel_size is None else kernel_size
        if last_sigma is None:
            last_sigma = 3.0 * self.factor if (form, self.colour) == ("polyphase", "rgb") else 0.0
        self.plan = plan

        first = 12.0 * self.factor if plan.first is None else plan.first
        last = last_sigma if last_sigma > 0 else max(float(self.factor), noise)
        self.sigmas = _logarithmic(first, last, rounds)
        level = max(plan.noise, noise + plan.margin if noise > 0 else 0.0)
        self.rhos = [plan.trust * (level / sigma) ** 2 for sigma in self.sigmas]

        self.blurs = kernel_sigma is not None
        sigma = 1.6 if kernel_sigma is None else kernel_sigma
        if self.projects:
            size = _centred_size(scale, sigma)
        self.register_buffer("kernel", _gaussian(size, sigma), persistent=False)
        # For one denoiser; iterations add to it, and the blur is periodic.
        self.halo = -(-(sum(DILATIONS) + size) // self.factor) + 2

        self.levels = [denoiser_level(sigma) for sigma in self.sigmas]
        self.nets = nn.ModuleDict(
            {str(i): Denoiser(self.channels, width) for i in sorted(set(self.levels))}
        )
        draw_he(self)

    def parts_of(self) -> dict[str, str]:
        """Return the networks in use, of 25 in a published file."""
        return {f"{index}.": f"nets.{index}." for index in self.nets}

    def forward(self, lr: Tensor, *, cond: Tensor | None = None) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1]; ``cond`` is the blur kernel (B or 1, 1, k, k)."""
        image = self._start(lr)
        if self.projects:
            return self._iterate(image, lr, None)
        kernel = self.kernel if cond is None else cond
        return self._iterate(image, lr, Blur.of(kernel.to(lr), image, self.factor))

    def cond_of_kernel(self, kernel: Tensor) -> Tensor:
        """Return ``cond`` for a kernel that is correlated and centred on the LR pixels."""
        return sampling_blur(kernel[None, None].float(), self.factor)

    def check_input(
        self, lr: Tensor, scale: float | None = None, cond: Tensor | None = None
    ) -> None:
        """Refuse invalid kernels in ``cond``, too."""
        super().check_input(lr, scale, cond)
        if cond is None:
            return
        if self.projects:
            raise GeometryError(
                "IRCNNHQS(form='back_projection') supports bicubic and Gaussian downsampling only:"
                " use form='polyphase' for a kernel given as cond=."
            )
        fits = cond.ndim == 4 and cond.shape[0] in (1, lr.shape[0]) and cond.shape[1] == 1
        if not fits or not all(size % 2 for size in cond.shape[-2:]):
            raise GeometryError(
                f"cond of IRCNNHQS is a blur kernel (B or 1, 1, k, k) with k odd, got"
                f" {tuple(cond.shape)}."
            )

    def _start(self, lr: Tensor) -> Tensor:
        """Return the first image on the HR grid."""
        if self.factor == 1:
            return lr
        if self.plan.start == "nearest":
            return F.interpolate(lr, scale_factor=self.factor, mode="nearest")
        image = bicubic_upsample(lr, self.factor)
        return _align(image, self.factor) if self.plan.start == "aligned" else image

    def _iterate(self, image: Tensor, lr: Tensor, blur: Blur | None) -> Tensor:
        for index, (level, rho) in enumerate(zip(self.levels, self.rhos, strict=True)):
            with full_precision(lr):
                if blur is None:
                    image = self._project(image, lr)
                else:
                    image = data_step(image, lr, blur, rho, self.factor)
            turn = index % 8 if self.plan.turn else 0
            image = _turn_back(self.nets[str(level)](_turn(image, turn)), turn)
        return image

    def _project(self, image: Tensor, lr: Tensor) -> Tensor:
        """Take steps towards images whose downsampled version is LR."""
        small = (lr.shape[-2], lr.shape[-1])
        for _ in range(BACK_PROJECTIONS):
            missing = lr - (self._shrink(image) if self.blurs else imresize(image, size=small))
            image = image + STEP * bicubic_upsample(missing, self.factor)
        return image

    def _shrink(self, image: Tensor) -> Tensor:
        """Blur, borders replicated, and sample the middle of each block."""
        kernel = self.kernel.to(image)
        pad = (kernel.shape[-1] - self.factor) // 2
        padded = F.pad(image, (pad, pad, pad, pad), mode="replicate")
        weight = kernel.expand(image.shape[1], -1, -1, -1)
        return F.conv2d(padded, weight, stride=self.factor, groups=image.shape[1])


def _align(image: Tensor, factor: int) -> Tensor:
    """Shift an interpolated image so that LR pixels lie on the first pixels of blocks."""
    for axis in (-2, -1):
        size = image.shape[axis]
        place = torch.arange(size, device=image.device) + (factor - 1) / 2
        low = place.floor().long()
        share = (place - low).to(image.dtype).reshape((-1, 1) if axis == -2 else (-1,))
        first = image.index_select(axis, low.clamp(max=size - 1))
        image = torch.lerp(first, image.index_select(axis, (low + 1).clamp(max=size - 1)), share)
    return image


def _turn(image: Tensor, number: int) -> Tensor:
    """Return one of the eight orientations."""
    turned = torch.rot90(image, number % 4, (-2, -1))
    return turned.flip(-2) if number > 3 else turned


def _turn_back(image: Tensor, number: int) -> Tensor:
    upright = image.flip(-2) if number > 3 else image
    return torch.rot90(upright, -(number % 4), (-2, -1))


def _gaussian(size: int, sigma: float) -> Tensor:
    place = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    line = torch.exp(-place.square() / (2 * sigma**2))
    return (line[:, None] * line / line.sum() ** 2).float()[None, None]


def _centred_size(scale: int, sigma: float) -> int:
    """Return the size of form A's blur, odd or even like the scale, to be centred on blocks."""
    if (scale, sigma) == (3, 1.6):
        return 7
    return max(2 * math.ceil(3 * sigma) + (1 if scale % 2 else 2), scale)


def _logarithmic(first: float, last: float, count: int) -> list[float]:
    if count == 1:
        return [last]
    ratio = last / first
    return [first * ratio ** (i / (count - 1)) for i in range(count)]
