"""A simulated camera whose blur is known at every pixel: the ground truth of the sample set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Interval, Le
from torch import Tensor

from realdeg.degradations.base import Degradation, Scale
from realdeg.degradations.trace import Seed, Trace, TraceParams
from realdeg.errors import DataError
from realdeg.ops import pad, pad_amounts, pixel_kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Fraction, NonNegative
from realdeg.utils.colour import luma_of
from realdeg.utils.streams import stream_seed

# Standard deviation, in HR pixels, of the window in which local content is measured.
_CONTENT_SIGMA = 4.0
_CONTENT_RADIUS = 12
# Variance, in HR pixels squared, of the sensor pixel's aperture, which keeps kernels well sampled.
_APERTURE = 0.25
_LARGEST_SCALE = 4
# LR pixels whose kernels are in memory at a time: about 7 MiB of kernels of 15 x 15.
_PIXELS_AT_ONCE = 8192


@dataclass(frozen=True)
class SensorNoise(TraceParams):
    """The sensor's noise.

    Args:
        noise_seed: The seed of the field.
    """

    noise_seed: Seed


@DEGRADATIONS.register_module()
class SampleCamera(Degradation):
    r"""Blurs every pixel with its own kernel, adds sensor noise and rounds to 8 bit.

    The kernel at a pixel is a generalised Gaussian,
    ``exp(-(c q)^b)`` with ``q = d^T S^-1 d / 2``, sampled at the HR pixels and divided by its sum.
    ``c = gamma(2/b) / gamma(1/b)`` makes S the covariance for every shape b. Width, stretch,
    direction, shape and shift depend on the local content: luminance, contrast and gradients in a
    Gaussian window of 4 pixels, so a network can learn them from Y. Width, direction and shift also
    depend weakly on the position. The kernels are not spanned by a few fixed bases (measured in
    ``docs/sample.md``).

    A mirrored scene gives the mirrored image, so flips are valid augmentation. Rotation by 90
    degrees is not, as the camera treats rows and columns differently.

    Args:
        scale: Downscaling factor, 1 to 4; the blur widens with it.
        same_size: Whether LR lies on the HR grid.
        kernel_size: Side k of the square support, in HR pixels, 3 to 31.
        content: Strength of the dependence on content, 0 (none) to 1.
        position: Strength of the dependence on position, 0 (none) to 1.
        noise: Whether noise of variance ``shot * x + read`` is added (x: the blurred value).
        shot: Signal-dependent part of the variance, for values in [0, 1].
        read: Constant part of the variance.
        quantise: Whether the result is rounded to 8 bit.

    Shape:
        (B, C, H, W) to (B, C, H / stride, W / stride), C = 1 (Y) or 3 (RGB); all
        channels get the same kernels, computed from Y.

    Raises:
        GeometryError: If the scale is above 4.
        ConfigError: If another argument is out of range.
    """

    differentiable = False  # the kernels follow the content, and the sensor rounds

    unstated = ("kernel",)

    def __init__(
        self,
        scale: Annotated[Scale, Le(_LARGEST_SCALE)] = 4,
        same_size: bool = False,
        kernel_size: Annotated[int, Interval(ge=3, le=31)] = 15,
        content: Fraction = 1.0,
        position: Fraction = 1.0,
        noise: bool = True,
        shot: NonNegative = 1e-4,
        read: NonNegative = 1e-5,
        quantise: bool = True,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        self.kernel_size = kernel_size
        self.content = float(content)
        self.position = float(position)
        self.noise = noise
        self.shot = float(shot)
        self.read = float(read)
        self.quantise = quantise

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding influences."""
        return -(-max(self.kernel_size, _CONTENT_RADIUS + self.stride) // self.stride)

    def trace_params(self) -> dict[str, Any]:
        """Return the camera's settings: only the same camera can replay a trace."""
        return dict(self.arguments)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the seed of the noise."""
        params = self.trace_params()
        if self.noise:
            params |= SensorNoise(stream_seed(seed, "noise")).to_params()
        return Trace(type(self).__name__, params, size)

    @torch.no_grad()
    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Expose each image with the noise of its trace."""
        if not hr.shape[0]:
            return hr[..., :: self.stride, :: self.stride]
        pairs = zip(torch.split(hr, 1), traces, strict=True)
        return torch.cat([self._expose(image, trace) for image, trace in pairs])

    @torch.no_grad()
    def kernels_at(self, hr: Tensor, points: Sequence[tuple[int, int]]) -> Tensor:
        """Return the true kernels at given LR pixels; see :meth:`Degradation.kernels_at`.

        Args:
            hr: One HR image, shape (1, C, H, W).
            points: (row, column) of LR pixels.

        Returns:
            Correlation kernels of sum 1, shape (P, k, k).

        Raises:
            DataError: If a point lies outside the LR image, or there is not exactly one image.
        """
        optics = self._optics(self._one(hr))
        height, width = optics.shape[1:]
        for row, column in points:
            if not (0 <= row < height and 0 <= column < width):
                raise DataError(
                    f"SampleCamera: point ({row}, {column}) lies outside the LR image of"
                    f" {height} x {width} pixels."
                )
        rows, columns = ([point[axis] for point in points] for axis in (0, 1))
        chosen = self._kernels(optics[:, rows, columns][:, None])
        taps = (self.kernel_size, self.kernel_size)
        return torch.unflatten(chosen[:, 0].t(), 1, taps).contiguous()

    @torch.no_grad()
    def kernel_field(self, hr: Tensor) -> Tensor:
        """Return the true kernel of every LR pixel; this needs k * k numbers per pixel.

        Args:
            hr: One HR image, shape (1, C, H, W).

        Returns:
            Correlation kernels of sum 1, shape (H / stride, W / stride, k, k).
        """
        optics = self._optics(self._one(hr))
        taps = (self.kernel_size, self.kernel_size)
        return torch.unflatten(self._kernels(optics).permute(1, 2, 0), 2, taps).contiguous()

    def describe(self) -> str:
        """Return a one-line description."""
        noise = f"noise variance {self.shot:g} x + {self.read:g}" if self.noise else "no noise"
        return f"{super().describe()}, {self.kernel_size} x {self.kernel_size} kernels, {noise}"

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the noise's standard deviation at mid-grey, in [0, 1]."""
        return {"noise_level": math.sqrt(0.5 * self.shot + self.read) if self.noise else 0.0}

    def _one(self, hr: Tensor) -> Tensor:
        self.check_input(hr)
        if hr.shape[0] != 1:
            raise DataError(f"SampleCamera gives the kernels of one image, got {hr.shape[0]}.")
        return hr

    def _optics(self, hr: Tensor) -> Tensor:
        """Return the blur parameters at each LR pixel of a scene (1, C, H, W), shape (6, h, w).

        They are log width, horizontal and diagonal stretch (half the logarithm of S is
        [[width + a, b], [b, width - a]]), log shape, and the shift by rows and columns.
        """
        u, v, edge, diagonal, rise_row, rise_column = self._content(hr)
        rows, columns = (
            (torch.arange(n, device=hr.device, dtype=torch.float32) + 0.5) * (2 / n) - 1
            for n in u.shape
        )
        row, column = torch.meshgrid(rows, columns, indexing="ij")
        radius = (row * row + column * column) / 2  # 0 at the centre, 1 in the corners
        wave = 2 * math.pi * u
        content, position = self.content, self.position
        # High contrast is sharper (the camera focuses there), the border softer (field curvature).
        log_width = math.log(0.45 + 0.25 * self.scale) + (
            content * 0.35 * (1 - 2 * v) + position * 0.12 * (radius - 0.35)
        )
        # Longer across edges; wide or high by luminance; radial towards the border.
        a = content * (0.55 * wave.cos() + 0.45 * edge) + position * 0.05 * (column**2 - row**2)
        b = content * 0.45 * diagonal + position * 0.1 * row * column
        log_shape = content * 0.5 * wave.sin()
        # Where stride - k is odd the window's centre is half a pixel off the LR pixel's centre.
        start = math.floor((self.stride - self.kernel_size) / 2)
        rest = self.offset - start - (self.kernel_size - 1) / 2
        # Shifted towards the light, plus distortion.
        pull = content * 0.4 / (torch.hypot(rise_row, rise_column) + 0.02)
        down = rest + pull * rise_row + position * 0.15 * row
        right = rest + pull * rise_column + position * 0.15 * column
        return torch.stack([log_width, a, b, log_shape, down, right])

    def _content(self, hr: Tensor) -> Tensor:
        """Describe the scene around each LR pixel, shape (6, h, w), from Y alone.

        Luminance and contrast in [0, 1]; how horizontal or vertical (1 or -1) and how diagonal the
        gradients are (structure tensor); gradient of the luminance by rows and by columns.
        """
        luma = (luma_of(hr).float() * 255 - 16) / 219
        by_row, by_column = _gradient(luma)
        features = torch.cat(
            [luma, luma * luma, by_column**2 - by_row**2, 2 * by_row * by_column]
            + [by_column**2 + by_row**2]
        )
        mean, square, edge, diagonal, power = torch.split(_gaussian(features), 1)
        spread = (square - mean * mean).clamp_min(0).sqrt()
        power = power + 1e-4
        features = torch.cat(
            [mean, spread / (spread + 0.1), edge / power, diagonal / power, *_gradient(mean)]
        )
        # Means of blocks are centred on the LR pixels.
        return F.avg_pool2d(features, self.stride)[:, 0] if self.stride > 1 else features[:, 0]

    def _kernels(self, optics: Tensor) -> Tensor:
        """Sample the kernels of blur parameters (6, h, w): shape (k * k, h, w)."""
        log_width, a, b, log_shape, down, right = optics
        # Exponential of the matrix: covariance of columns (x, rightwards) and rows (y, downwards).
        area, stretch = (2 * log_width).exp(), torch.hypot(a, b).clamp_min(1e-6)
        even, odd = area * (2 * stretch).cosh(), area * (2 * stretch).sinh() / stretch
        xx, yy, xy = even + odd * a + _APERTURE, even - odd * a + _APERTURE, odd * b
        taps = torch.arange(self.kernel_size, device=optics.device) - (self.kernel_size - 1) / 2
        x, y = taps.view(1, -1, 1, 1) - right, taps.view(-1, 1, 1, 1) - down
        shape = log_shape.exp()
        moment = torch.lgamma(2 / shape) - torch.lgamma(1 / shape)  # log c
        scaling = moment.exp() / (2 * (xx * yy - xy * xy))
        q = (yy * scaling) * (x * x) + (xx * scaling) * (y * y) - (2 * xy * scaling) * (x * y)
        # q ** shape by the logarithm: several times faster than a power of two tensors.
        kernels: Tensor = q.clamp_min_(1e-12).log_().mul_(shape).exp_().neg_().exp_().flatten(0, 1)
        return kernels.div_(kernels.sum(0))

    def _expose(self, hr: Tensor, trace: Trace) -> Tensor:
        image = self._blur(hr)
        if self.noise:
            # Drawn by NumPy on the CPU, so that a seed gives the same field on every device.
            generator = np.random.default_rng(trace.read(SensorNoise).noise_seed)
            field = generator.standard_normal(tuple(image.shape), dtype=np.float32)
            deviation = (self.shot * image.clamp_min(0) + self.read).sqrt()
            image = image + deviation * torch.from_numpy(field).to(image)
        image = image.clamp(0, 1)
        return (image * 255 + 0.5).floor() / 255 if self.quantise else image

    def _blur(self, hr: Tensor) -> Tensor:
        """Apply the kernel field to one image, in strips of rows to bound memory."""
        k, stride = self.kernel_size, self.stride
        optics = self._optics(hr)
        height, width = optics.shape[1:]
        # An image smaller than half a window cannot be mirrored; its last pixels are repeated.
        mirrored = min(hr.shape[2:]) > max(pad_amounts(k, stride, "reflect"))
        padded = pad(hr, k, stride, "reflect" if mirrored else "replicate")
        rows = max(1, _PIXELS_AT_ONCE // width)
        strips = []
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            kernels = self._kernels(optics[:, top:bottom])
            window = padded[:, :, top * stride : (bottom - 1) * stride + k]
            window = window[..., : (width - 1) * stride + k]
            strips.append(pixel_kernel_apply(window, kernels[None], stride, "valid"))
        return torch.cat(strips, 2)


def _gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences of (1, 1, H, W) by rows and by columns, 0 beyond the border."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    by_row = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return by_row, (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2


def _gaussian(x: Tensor) -> Tensor:
    """Smooth (N, 1, H, W) with the content window and replicate padding."""
    radius = _CONTENT_RADIUS
    taps = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    window = (-0.5 * (taps / _CONTENT_SIGMA) ** 2).exp()
    window = window / window.sum()
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode="replicate"), window.view(1, 1, 1, -1))
    return F.conv2d(F.pad(x, (0, 0, radius, radius), mode="replicate"), window.view(1, 1, -1, 1))
