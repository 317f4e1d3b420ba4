"""PDM: distributions of blur kernels and of noise, learned from unpaired photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.bicubic import bicubic_border, reduce_bicubic
from realdeg.degradations.generator import GeneratorDegradation
from realdeg.degradations.pdm_networks import (
    KernelNetwork,
    KernelStart,
    NoiseNetwork,
    NoiseStart,
    codes_for,
    reach_of,
    squares,
)
from realdeg.degradations.primitives.kernel_priors import centre_penalty
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.degradations.primitives.rounding import Rounding, round_as
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.degradations.windowed import Padding, WindowSize
from realdeg.errors import ConfigError
from realdeg.ops import kernel_apply, pixel_kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count, NonNegative, OddSize, Whole
from realdeg.utils.colour import grey_of, one_channel_of
from realdeg.utils.precision import full_precision
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class CodeSeeds(TraceParams):
    """The codes of an image.

    Args:
        kernel_seed: The seed of the kernel's code, 64 bits.
        noise_seed: The seed of the noise's code, 64 bits.
    """

    kernel_seed: Annotated[int, Interval(ge=0, lt=2**64)]
    noise_seed: Annotated[int, Interval(ge=0, lt=2**64)]


@DEGRADATIONS.register_module()
class PDM(GeneratorDegradation):
    """A random kernel and random noise, whose distributions two networks have learned.

    Draws the seeds of two normal codes. One network turns the first into a blur kernel: positive,
    with sum 1, one for the whole image, or one per LR pixel where it sees the image or a code per
    pixel. The kernel filters HR and keeps every ``scale``-th pixel. The other network turns the
    second code and the filtered image into noise, which is added. It is learned from LR photos
    without HR: with the task ``UnpairedDegradation``, or together with a super-resolution network.

    The defaults are those of the authors' joint training for NTIRE 2020, track 1, but for the
    first kernels. The networks normalise by the batch while they are trained, and by running
    averages afterwards; the authors' code uses the batch's then as well.

    A discriminator cannot see where LR lies on the HR grid, so training may displace the kernels;
    ``centre_weight`` holds them in place.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid.
        kernel_size: Side of the kernels in HR pixels; 11 or 21.
        kernel_code: Length of the kernel's code; 3 or 64. 0 leaves the image alone.
        kernel_width: Channels of its network.
        kernel_blocks: Residual blocks of its network; 8 or 16.
        kernel_spatial: Whether each LR pixel has a code of its own. The authors' code can only do
            this at scale 1.
        kernel_from_image: Whether the network also sees the bicubically reduced image.
        kernel_side: Side of its convolutions where ``kernel_spatial``, else it is 1.
        kernel_start: The first kernels: a mild ``"gaussian"`` around the LR pixel, for short
            training; ``"flat"``, the authors', in which the middle tap has e times the weight of
            each other one, so that LR is very blurred at first; or ``"random"``.
        noise: Whether there is noise.
        noise_code: Length of the noise's code; 3. 0 leaves the image alone.
        noise_width: Channels of its network; 32 or 64.
        noise_blocks: Residual blocks of its network; 8 or 16.
        noise_spatial: Whether each LR pixel has a code of its own. Without, noise is a change of
            colours, the same at all pixels of the same colour.
        noise_from_image: Whether the network also sees the filtered image.
        noise_side: Side of its convolutions where ``noise_spatial``, else it is 1.
        noise_channels: 3, or 1 for noise that R, G and B share.
        noise_start: The last layer's weights at first: ``"zero"``, or ``"normal"`` with variance 1.
        noise_weight: Weight of the mean square of the noise among the losses of training: 100, or 1
            or 10 for other tracks.
        centre_weight: Weight of the squared distance of a kernel's centroid from the LR pixel, in
            HR pixels, among these losses, where an image has one kernel. The authors have no such
            term.
        rounding: How LR is rounded to 8 bit: ``"none"``, ``"sines"`` (smoothly; the authors',
            where there is no noise), or ``"straight_through"`` (clipped and rounded as in files; a
            gradient passes unchanged).
        window: Where LR pixel i takes its kernel: ``"centred"`` on its block of HR pixels, or on
            the ``"first_pixel"`` of the block, as in the authors' code, which displaces LR.
        padding: Border handling of the filtering, as in :func:`realdeg.ops.kernel_apply`.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``;
        C = 1 is treated as the grey image of that luma.

    Raises:
        ConfigError: If an argument is out of range, or a network would get neither code nor image.

    Source:
        Luo, Huang, Li, Wang, Tan, Learning the Degradation Distribution for Blind Image
        Super-Resolution, CVPR 2022, arXiv 2203.04962 (greatlog/UnpairedSR at 771312e,
        codes/config/PDM-SR). Names in the state dict are those of the authors' code.
    """

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kernel_size: WindowSize = 11,
        kernel_code: Whole = 3,
        kernel_width: Count = 64,
        kernel_blocks: Whole = 8,
        kernel_spatial: bool = False,
        kernel_from_image: bool = False,
        kernel_side: OddSize = 3,
        kernel_start: KernelStart = "gaussian",
        noise: bool = True,
        noise_code: Whole = 3,
        noise_width: Count = 64,
        noise_blocks: Whole = 8,
        noise_spatial: bool = True,
        noise_from_image: bool = True,
        noise_side: OddSize = 3,
        noise_channels: Literal[1, 3] = 3,
        noise_start: NoiseStart = "zero",
        noise_weight: NonNegative = 100.0,
        centre_weight: NonNegative = 0.0,
        rounding: Rounding = "none",
        window: Literal["centred", "first_pixel"] = "centred",
        padding: Padding = "reflect",
    ) -> None:
        super().__init__(scale, same_size)
        for part, code, sees in (
            ("kernel", kernel_code, kernel_from_image),
            ("noise", noise_code, noise_from_image or not noise),
        ):
            if not code and not sees:
                raise ConfigError(
                    f"PDM: {part}_code is 0 and {part}_from_image is False, so the {part} would"
                    " depend on nothing: give a code, or let the network see the image."
                )
        self.kernel_size, self.kernel_code, self.noise_code = kernel_size, kernel_code, noise_code
        self.kernel_spatial, self.kernel_from_image = kernel_spatial, kernel_from_image
        self.noise_spatial, self.noise_from_image = noise_spatial, noise_from_image
        self.noise_weight, self.centre_weight = float(noise_weight), float(centre_weight)
        if centre_weight and not self.one_kernel:
            raise ConfigError(
                "PDM: centre_weight holds one kernel per image in place, and here each LR pixel has"
                " its own (kernel_spatial, kernel_from_image): set centre_weight=0."
            )
        self.rounding: Rounding = rounding
        self.window, self.padding = window, padding
        self.deg_kernel = KernelNetwork(
            kernel_code + 3 * kernel_from_image,
            kernel_width,
            kernel_blocks,
            kernel_size,
            kernel_side if kernel_spatial else 1,
            kernel_start,
            self.stride if window == "centred" else 1,
            0.4 * self.scale,
        )
        self.deg_noise: NoiseNetwork | None = None
        if noise:
            self.deg_noise = NoiseNetwork(
                noise_code + 3 * noise_from_image,
                noise_width,
                noise_blocks,
                noise_channels,
                noise_side if noise_spatial else 1,
                noise_start,
            )

    @classmethod
    def example(cls, scale: int = 4, same_size: bool = False) -> PDM:
        """Return a small instance that is quick to run."""
        small = {"kernel_width": 4, "kernel_blocks": 1, "noise_width": 4, "noise_blocks": 1}
        return cls(scale, same_size, **small)  # type: ignore[arg-type]

    @property
    def one_kernel(self) -> bool:
        """Whether no network that makes kernels sees the image or a code per pixel."""
        return not (self.kernel_spatial or self.kernel_from_image)

    @property
    def offset(self) -> float:
        """HR coordinate at which LR pixel 0 is centred, if the kernels are."""
        return 0.0 if self.window == "first_pixel" else super().offset

    @property
    def _displaced(self) -> int:
        """HR pixels by which the authors' windows begin before those of this package."""
        return (self.stride - 1) // 2 if self.window == "first_pixel" else 0

    @property
    def border(self) -> int:
        """LR pixels at each border whose windows, or what the networks see, reach beyond."""
        window = self.kernel_size + 2 * self._displaced
        own = -(-(window - 1) // (2 * self.stride))
        if self.kernel_from_image:
            own = max(own, bicubic_border(self.scale, self.same_size) + reach_of(self.deg_kernel))
        if self.deg_noise is not None and self.noise_from_image:
            own += reach_of(self.deg_noise)
        return own

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the seeds of the codes."""
        params: dict[str, Any] = self.trace_params() | _seeds(seed).to_params()
        return Trace(type(self).__name__, params, size)

    def clean(self, hr: Tensor) -> Tensor:
        """Return the bicubic reduction, enlarged again when ``same_size``."""
        return reduce_bicubic(hr, self.scale, self.same_size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Degrade with each image's codes."""
        return self._make(hr, [trace.read(CodeSeeds) for trace in traces])["lr"]

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Draw and degrade: equal to sample and replay, but without hashing the weights."""
        if seeds is None:
            seeds = torch.randint(2**62, (hr.shape[0],)).tolist()
        return self.parts(hr, seeds)["lr"]

    def for_training(self, hr: Tensor, seeds: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Degrade a training batch, and judge its noise and kernels.

        Args:
            hr: HR batch, shape (B, C, H, W).
            seeds: One per image.

        Returns:
            The LR batch, and the weighted losses ``noise`` and ``centre``, as far as their weights
            are above 0.
        """
        made = self.parts(hr, seeds)
        terms: dict[str, Tensor] = {}
        if self.noise_weight and "noise" in made:
            terms["noise"] = self.noise_weight * made["noise"].float().square().mean()
        if self.centre_weight and "kernel" in made:
            kernels = made["kernel"].float()
            rest = centre_rest(kernels.shape[-1], self.stride)
            terms["centre"] = self.centre_weight * centre_penalty(kernels, rest).mean()
        return made["lr"], terms

    def parts(self, hr: Tensor, seeds: Sequence[int]) -> dict[str, Tensor]:
        """Degrade a batch differentiably, and return what LR is made of.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).
            seeds: One seed per image.

        Returns:
            ``lr``; ``kernel``, shape (B, k, k), or (B * h * w, k, k) for a kernel per LR pixel; and
            ``noise``, shape (B, 1 or 3, h or 1, w or 1), if there is noise.
        """
        self.check_input(hr)
        self.check_seeds(hr, seeds)
        return self._make(hr, [_seeds(int(seed)) for seed in seeds])

    def _make(self, hr: Tensor, seeds: Sequence[CodeSeeds]) -> dict[str, Tensor]:
        if not hr.shape[0]:
            return {"lr": hr[..., :: self.stride, :: self.stride]}
        rgb = hr if hr.shape[1] == 3 else grey_of(hr).expand(-1, 3, -1, -1)
        taps = self.taps(rgb, [one.kernel_seed for one in seeds])
        made = {"kernel": squares(taps)}
        with full_precision(rgb):
            if self.one_kernel:
                height, width = (length // self.stride for length in rgb.shape[2:])
                ones = rgb.new_ones(rgb.shape[0], 1, height, width)
                bases = made["kernel"][:, None].to(rgb.dtype)
                lr = kernel_apply(rgb, ones, bases, self.stride, self.padding)
            else:
                lr = pixel_kernel_apply(rgb, taps.to(rgb.dtype), self.stride, self.padding)
        if self.deg_noise is not None:
            # As in the authors' code, the noise does not teach the kernel.
            image = lr.detach() if self.noise_from_image else None
            drawn = [one.noise_seed for one in seeds]
            codes = codes_for(lr, drawn, self.noise_code, self.noise_spatial, image)
            made["noise"] = self.deg_noise(codes)
            lr = lr + made["noise"]
        lr = round_as(lr, self.rounding)
        return {"lr": lr if hr.shape[1] == 3 else one_channel_of(lr), **made}

    def taps(self, rgb: Tensor, seeds: Sequence[int] | None) -> Tensor:
        """Return kernels in the window of :func:`realdeg.ops.kernel_apply`.

        Args:
            rgb: HR batch, shape (B, 3, H, W).
            seeds: The seed of each image's code; None: the mean of all codes, 0.

        Returns:
            Shape (B, k * k, h, w), or (B, k * k, 1, 1) for one kernel per image.
        """
        image = self.clean(rgb) if self.kernel_from_image else None
        like = rgb[..., :: self.stride, :: self.stride] if image is None else image
        codes = codes_for(like, seeds, self.kernel_code, self.kernel_spatial, image)
        return self._in_window(self.deg_kernel(codes))

    def kernels(self, seeds: Sequence[int]) -> Tensor:
        """Return the kernels of images, where one filters the whole image.

        Args:
            seeds: The images' seeds.

        Returns:
            Shape (N, k, k), each with sum 1; the window is that of :meth:`kernels_at`.

        Raises:
            ConfigError: If the kernels depend on the image or on the place.
        """
        if not self.one_kernel:
            raise ConfigError(
                "PDM: these kernels depend on the image or on the place in it"
                " (kernel_from_image, kernel_spatial): take kernels_at(hr, points)."
            )
        return self._kernels([_seeds(int(seed)).kernel_seed for seed in seeds])

    def kernels_at(self, hr: Tensor, points: Sequence[tuple[int, int]]) -> Tensor:
        """Return the kernels of the mean code at given LR pixels, shape (P, k, k)."""
        rgb = hr if hr.shape[1] == 3 else grey_of(hr).expand(-1, 3, -1, -1)
        taps = self.taps(rgb, None)[0]
        rows, columns = zip(*points, strict=True)
        if taps.shape[1] * taps.shape[2] == 1:
            taps = taps.expand(-1, max(rows) + 1, max(columns) + 1)
        return squares(taps[:, list(rows), list(columns)][None, :, :, None])

    @torch.no_grad()
    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the kernel, ``{"kernel": (k, k) float32}``, where it is the same everywhere."""
        if not self.one_kernel:
            return {}
        return {"kernel": self._kernels([trace.read(CodeSeeds).kernel_seed])[0].float().cpu()}

    def describe(self) -> str:
        """Return a one-line description."""
        one = "one kernel" if self.one_kernel else "a kernel per pixel"
        noise = "no noise" if self.deg_noise is None else "noise"
        size = self.kernel_size
        return f"{super().describe()}, {one} of {size} x {size} and {noise} from random codes"

    def _in_window(self, taps: Tensor) -> Tensor:
        """Bring kernels of the authors' window into this package's, by zeros after the taps."""
        more = 2 * self._displaced
        if not more:
            return taps
        size = (self.kernel_size, self.kernel_size)
        wider = F.pad(taps.permute(0, 2, 3, 1).unflatten(3, size), (0, more, 0, more))
        return wider.flatten(3).permute(0, 3, 1, 2)

    def _kernels(self, drawn: Sequence[int]) -> Tensor:
        """Return one kernel for each seed of a code, shape (N, k, k)."""
        like = next(self.deg_kernel.parameters()).new_zeros(len(drawn), 3, 1, 1)
        return squares(self._in_window(self.deg_kernel(codes_for(like, drawn, self.kernel_code))))


def _seeds(seed: int) -> CodeSeeds:
    return CodeSeeds(stream_seed(seed, "kernel"), stream_seed(seed, "noise"))
