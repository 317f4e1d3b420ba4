"""USRNet: a data step that knows the kernel and a network that cleans, in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import MOST, Number, Repeats, initialise, numbers_of
from realdeg.backbones.parts.data_step import Blur, data_step, sampling_blur
from realdeg.backbones.readings import State, colour_of, count, presets, shape_of, size
from realdeg.degradations.primitives.kernels import centred
from realdeg.degradations.primitives.reduction_kernels import bicubic_kernel, placed
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, OddSize, Scale
from realdeg.utils.precision import full_precision

SCALES = (1, 2, 3, 4)
# Iterations, channels of the hyper-parameter network, channels of the U-Net's levels, blocks.
PRESETS: dict[str, tuple[int, int, str, int]] = {
    "usrnet": (8, 64, "64-128-256-512", 2),
    "tiny": (6, 32, "16-32-64-64", 2),
}
MULTIPLE = 8
_LEAST_WEIGHT = 1e-6
_LARGEST_KERNEL = 255
_TOLERANCE = 1e-3  # of a kernel's sum
_CONTINUED = 32  # HR pixels by which an image is continued

_blocks = count(r"p\.m_body\.(\d+)\.res\.0\.weight")


def _widths(state: State) -> str | None:
    blocks = _blocks(state)
    names = ["m_head", *(rf"m_down{level}\.{blocks}" for level in (1, 2, 3))]
    shapes = [shape_of(state, rf"p\.{name}\.weight") for name in names]
    return "-".join(str(shape[0]) for shape in shapes) if all(shapes) else None


class ResBlock(nn.Module):
    """Two 3x3 convolutions without biases, a ReLU between them, and a skip."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.res = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, padding=1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features + self.res(features)


class ResUNet(nn.Module):
    """The prior: a U-Net of residual blocks in four levels, told the noise level as a channel.

    Levels are joined by convolutions of stride 2 and size 2, and skips are added.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: int) -> None:
        super().__init__()

        def chain(features: int) -> list[nn.Module]:
            return [ResBlock(features) for _ in range(blocks)]

        a, b, c, d = widths
        shape: dict[str, Any] = {"kernel_size": 2, "stride": 2, "bias": False}
        self.m_head = nn.Conv2d(channels + 1, a, 3, padding=1, bias=False)
        self.m_down1 = nn.Sequential(*chain(a), nn.Conv2d(a, b, **shape))
        self.m_down2 = nn.Sequential(*chain(b), nn.Conv2d(b, c, **shape))
        self.m_down3 = nn.Sequential(*chain(c), nn.Conv2d(c, d, **shape))
        self.m_body = nn.Sequential(*chain(d))
        self.m_up3 = nn.Sequential(nn.ConvTranspose2d(d, c, **shape), *chain(c))
        self.m_up2 = nn.Sequential(nn.ConvTranspose2d(c, b, **shape), *chain(b))
        self.m_up1 = nn.Sequential(nn.ConvTranspose2d(b, a, **shape), *chain(a))
        self.m_tail = nn.Conv2d(a, channels, 3, padding=1, bias=False)

    def forward(self, image: Tensor, level: Tensor) -> Tensor:
        """Clean an image (B, C, H, W) of noise of a level (B or 1, 1, 1, 1)."""
        height, width = image.shape[-2:]
        x = torch.cat([image, level.expand(image.shape[0], 1, height, width)], 1)
        bottom, right = ((n + MULTIPLE - 1) // MULTIPLE * MULTIPLE - n for n in (height, width))
        x1 = self.m_head(F.pad(x, (0, right, 0, bottom), mode="replicate"))
        x2 = self.m_down1(x1)
        x3 = self.m_down2(x2)
        x4 = self.m_down3(x3)
        x = self.m_up3(self.m_body(x4) + x4)
        x = self.m_up1(self.m_up2(x + x3) + x2)
        return self.m_tail(x + x1)[..., :height, :width]


class HyPaNet(nn.Module):
    """Chooses each iteration's two numbers by the noise level and the scale."""

    def __init__(self, outputs: int, features: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Conv2d(2, features, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, outputs, 1),
            nn.Softplus(),
        )

    def forward(self, known: Tensor) -> Tensor:
        """Run on noise level and scale (B, 2, 1, 1); the results are above 0."""
        return self.mlp(known) + _LEAST_WEIGHT


@BACKBONES.register_module()
class USRNet(Backbone):
    """Deep unfolding network: for any blur kernel, any noise level and several scales.

    Each iteration has a data step, which minimises ``|y - (k * x) sampled|^2 + alpha |x - z|^2``
    exactly in the Fourier domain, and a prior, a U-Net that cleans x at a noise level beta. A small
    network chooses alpha and beta of all iterations by the noise level and the scale. The same
    weights serve all scales.

    ``cond`` is the degradation: the kernel (B or 1, 1, k, k), or kernel and noise level together
    as (B or 1, k * k + 1), the kernel row by row and the standard deviation last, 1 being white.
    The kernel stands for the whole way from HR to LR, on the HR grid: correlated at every s-th
    pixel, its window centred on the LR pixel (the window of
    :func:`~realdeg.degradations.primitives.kernels.centre_rest`), so results are aligned with HR
    wherever the kernel's centroid lies on the LR pixel. Without ``cond`` it is MATLAB's bicubic
    reduction. The authors' programs convolve, and sample the first pixel of each block:
    :meth:`of_first_pixels` turns their kernels round.

    17,016,016 parameters, ``"tiny"`` 590,332.

    Args:
        scale: 1 (which only deblurs and denoises) to 4; a call may name any of them.
        same_size: The LR image lies on the HR grid: it is deblurred.
        preset: ``"usrnet"`` or ``"tiny"``; weights of USRGAN and USRGAN-tiny fit as well.
        noise: Standard deviation of the noise where ``cond`` does not state it, in units of 1/255.
        border: ``"circular"``: the image repeats itself, as in the authors' tests; ``"extended"``:
            it is first continued smoothly towards its opposite border, as they do for real photos,
            here by straight lines.
        kernel_size: The side of kernels that :meth:`condition_of` returns, in HR pixels, odd. 47
            holds those of all kinds of ``BlurDown`` but DPSR; the authors' have 25.
        iterations: Number of data steps, each followed by the prior; None: the preset's.
        widths: Channels of the four levels, such as ``"16-32-64-64"``; None: the preset's.
        num_blocks: Residual blocks per level; None: the preset's.
        hyper_features: Channels of the network that chooses alpha and beta; None: the preset's.
        colour: ``"rgb"`` or ``"y"``.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Source:
        Zhang, Van Gool, Timofte, Deep Unfolding Network for Image Super-Resolution, CVPR 2020.
        Keys follow cszn/USRNet (models/network_usrnet.py, cbdf4ca), also in cszn/KAIR and
        JingyunLiang/FKP (NonblindSR/usrnet.py, 127c121); initialised as in KAIR's
        options/train_usrnet.json.
    """

    scales: tuple[int, ...] | None = SCALES
    same_size_form = "native"
    upsample = "iterative"
    size_multiple = MULTIPLE
    whole_image = True
    told_reduction = True

    dialects = (
        Dialect(
            "cszn/DPIR",
            marks=(r"m_head\.weight", r"m_body\.\d+\.res\.0\.weight"),
            refused="of DRUNet, a denoiser like the one inside USRNet, without USRNet's own steps.",
        ),
    )
    form_readings = {
        "iterations": size(r"h\.mlp\.4\.weight", divided_by=2),
        "widths": _widths,
        "num_blocks": _blocks,
        "hyper_features": size(r"h\.mlp\.0\.weight"),
        "colour": colour_of(r"p\.m_tail\.weight", 0),
    }
    form_presets = presets(PRESETS, iterations=0, hyper_features=1, widths=2, num_blocks=3)
    example_arguments = {
        "scale": 2,
        "iterations": 2,
        "widths": "4-6-4-4",
        "num_blocks": 1,
        "hyper_features": 4,
        "kernel_size": 9,
    }

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        preset: Annotated[str, Choice(*PRESETS)] = "usrnet",
        noise: Annotated[float, Interval(ge=0, le=255)] = 0.0,
        border: Literal["circular", "extended"] = "extended",
        kernel_size: Annotated[OddSize, Interval(le=_LARGEST_KERNEL)] = 47,
        iterations: Repeats | None = None,
        widths: str | None = None,
        num_blocks: Number | None = None,
        hyper_features: Number | None = None,
        colour: Colour = "rgb",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        usual = PRESETS[preset]
        self.served = SCALES
        self.level, self.border, self.kernel_size = noise / 255, border, kernel_size
        self.iterations = usual[0] if iterations is None else iterations
        hyper = usual[1] if hyper_features is None else hyper_features
        features = numbers_of(usual[2] if widths is None else widths, "widths")
        if len(features) != 4 or not all(1 <= each <= MOST for each in features):
            raise ConfigError(
                f"widths of USRNet is {widths!r}: write the channels of its four levels, such as"
                " '16-32-64-64'."
            )
        blocks = usual[3] if num_blocks is None else num_blocks
        self.p = ResUNet(self.channels, features, blocks)
        self.h = HyPaNet(2 * self.iterations, hyper)
        # For one prior; iterations add to it, and the data step is periodic.
        self.halo = -(-(44 * blocks + 16 + 25) // (1 if same_size else scale))
        initialise(self, lambda weight: nn.init.orthogonal_(weight, gain=0.2))

    def forward(
        self, lr: Tensor, *, scale: float | None = None, cond: Tensor | None = None
    ) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1], degraded as ``cond`` says."""
        factor = 1 if self.same_size else int(self.scale if scale is None else scale)
        kernel, level = self._told(lr, factor, cond)
        height, width = lr.shape[-2:]
        if self.border == "extended":
            lr = _extended(lr, -(-_CONTINUED // factor))
        image = lr if factor == 1 else F.interpolate(lr, scale_factor=factor, mode="nearest")
        with full_precision(lr):
            numbers = self.h(torch.cat([level, torch.full_like(level, factor)], 1))
            blur = Blur.of(sampling_blur(kernel, factor), image, factor)
        weights, levels = numbers.chunk(2, 1)
        for weight, level in zip(weights.split(1, 1), levels.split(1, 1), strict=True):
            with full_precision(lr):
                image = data_step(image, lr, blur, weight, factor)
            image = self.p(image, level).to(lr)
        return image[..., : height * factor, : width * factor]

    def _told(self, lr: Tensor, factor: int, cond: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return kernel (B or 1, 1, k, k) and noise level (B or 1, 1, 1, 1)."""
        if cond is None:
            cond = bicubic_kernel(factor)[None, None]
        cond = cond.to(lr)
        if cond.ndim == 4:
            return cond, lr.new_full((cond.shape[0], 1, 1, 1), self.level)
        side = isqrt(cond.shape[1])
        return cond[:, :-1].view(-1, 1, side, side), cond[:, -1].view(-1, 1, 1, 1)

    @classmethod
    def told_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return that kernel and noise are told."""
        return ("kernel", "noise_level")

    def condition_of(self, conditions: Mapping[str, Any]) -> Tensor | None:
        """Return kernel and noise level of what a degradation did to one image.

        Args:
            conditions: What :meth:`realdeg.degradations.Degradation.condition` returned. Of it,
                ``reduction`` is used, the kernel of the whole reduction; where that is missing
                ``kernel``, moved onto the LR pixels of ``scale``, or bicubic reduction; and
                ``noise_level``, or else ``noise`` of the constructor.

        Returns:
            (k * k + 1,) with k = ``kernel_size``.

        Raises:
            GeometryError: If the kernel is larger, or does not sum to 1.
        """
        factor, side = 1 if self.same_size else self.scale, self.kernel_size
        kernel: Tensor | None = conditions.get("reduction")
        if kernel is None:
            blur: Tensor | None = conditions.get("kernel")
            kernel = bicubic_kernel(factor) if blur is None else blur
            _check_kernel(kernel[None, None])
            kernel = kernel if blur is None else centred(kernel, factor)
        _check_kernel(kernel[None, None])
        whole = placed(kernel, (factor - int(kernel.shape[-1])) // 2, factor, side)
        if whole.shape[-1] > side:
            raise GeometryError(
                f"the kernel from HR to LR is {tuple(kernel.shape)}, and this USRNet is told"
                f" kernels of {side} x {side}: build it with kernel_size={whole.shape[-1]} or more."
            )
        level = float(conditions.get("noise_level", self.level))
        return torch.cat([whole.reshape(-1).float(), torch.tensor([level])])

    @staticmethod
    def of_first_pixels(kernel: Tensor, scale: int) -> Tensor:
        """Return a kernel of the authors' convention in that of ``cond``.

        Args:
            kernel: (k, k): LR is every scale-th pixel, from the first, of HR convolved with it.
            scale: HR pixels per LR pixel.

        Returns:
            (n, n), n odd.
        """
        side = int(kernel.shape[-1])
        # The tap under the first pixel of a block is k // 2, before the kernel is turned round.
        return placed(kernel.flip(0, 1), side // 2 + 1 - side, scale)

    def check_input(
        self, lr: Tensor, scale: float | None = None, cond: Tensor | None = None
    ) -> None:
        """Refuse a condition of another shape, and kernels that do not sum to 1."""
        super().check_input(lr, scale, cond)
        if cond is None:
            return
        fits = cond.shape[0] in (1, lr.shape[0])
        if cond.ndim == 4:
            fits, kernel = fits and cond.shape[1] == 1, cond
        else:
            side = isqrt(max(cond.shape[-1] - 1, 0))
            fits = fits and cond.ndim == 2 and side > 0 and side**2 + 1 == cond.shape[-1]
            kernel = cond[:, :-1].reshape(-1, 1, side, side) if fits else cond
        if not fits:
            raise GeometryError(
                f"USRNet is told {tuple(cond.shape)} of images {tuple(lr.shape)}: cond is a blur"
                " kernel (B or 1, 1, k, k), or kernel and noise level (B or 1, k * k + 1)."
            )
        _check_kernel(kernel)


def _check_kernel(kernel: Tensor) -> None:
    """Refuse kernels (B, 1, k, k) of a wrong size or sum."""
    height, width = kernel.shape[-2:]
    if kernel.ndim != 4 or height != width or not 1 <= height <= _LARGEST_KERNEL:
        raise GeometryError(
            f"the kernel is {tuple(kernel.shape[-2:])}: USRNet takes square kernels of at most"
            f" {_LARGEST_KERNEL} x {_LARGEST_KERNEL}."
        )
    sums = kernel.sum((-2, -1))
    if not bool(((sums - 1).abs() <= _TOLERANCE).all()):
        raise GeometryError(
            f"the kernel sums to {float(sums.flatten()[0]):.4f}: divide it by its sum, because"
            " USRNet was trained with kernels that keep the brightness."
        )


def _extended(image: Tensor, amount: int) -> Tensor:
    """Continue an image at the bottom and right, so that it repeats itself without a jump."""
    share = torch.arange(1, amount + 1, device=image.device, dtype=image.dtype) / (amount + 1)
    for axis, shape in ((-2, (-1, 1)), (-1, (-1,))):
        first, last = image.narrow(axis, 0, 1), image.narrow(axis, image.shape[axis] - 1, 1)
        image = torch.cat([image, torch.lerp(last, first, share.view(shape))], axis)
    return image
