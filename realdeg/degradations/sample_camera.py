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
from realdeg.degradations.primitives import field_position
from realdeg.degradations.trace import Seed, Trace, TraceParams, place_of
from realdeg.errors import DataError
from realdeg.ops import pad, pad_amounts, pixel_kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Fraction, NonNegative
from realdeg.utils.colour import GREY_WEIGHTS, luma_of
from realdeg.utils.place import Place
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

    A lens may be added, which sees no content: ``radial`` widens the kernels towards the corners of
    the photo, most along the radius, and ``lateral`` shifts red outwards and blue inwards. Both
    follow the distance from the optical axis, so a crop needs its place in the photo
    (``uses_place``); an image without one counts as a whole photo.

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
        radial: Growth of the blur with the square of the radius, 0 (none) to 1: in the corners
            widths grow by ``exp(0.1 * radial)`` across the radius, ``exp(0.9 * radial)`` along it.
        lateral: Shift of red against green, and of green against blue, in the corners, in HR
            pixels; it grows linearly with the radius.

    Shape:
        (B, C, H, W) to (B, C, H / stride, W / stride), C = 1 (Y) or 3 (RGB); all channels get the
        same kernels, computed from Y, but for the shift of ``lateral``.

    Raises:
        GeometryError: If the scale is above 4.
        ConfigError: If another argument is out of range.
    """

    differentiable = False  # the kernels follow the content, and the sensor rounds

    unstated = ("kernel",)
    later_arguments = ("radial", "lateral")

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
        radial: Fraction = 0.0,
        lateral: Annotated[float, Interval(ge=0, le=4)] = 0.0,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        self.kernel_size = kernel_size
        self.content = float(content)
        self.position = float(position)
        self.noise = noise
        self.shot = float(shot)
        self.read = float(read)
        self.quantise = quantise
        self.radial, self.lateral = float(radial), float(lateral)

    @property
    def needs_rgb(self) -> bool:
        """Whether R, G and B get kernels of their own."""
        return self.lateral > 0

    @property
    def uses_place(self) -> bool:
        """Whether there is a lens, whose blur follows the place in the photo."""
        return self.radial > 0 or self.lateral > 0

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
    def kernels_at(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None = None
    ) -> Tensor:
        """Return the true kernels at given LR pixels; see :meth:`Degradation.kernels_at`.

        Args:
            hr: One HR image, shape (1, C, H, W).
            points: (row, column) of LR pixels.
            place: Where the image lies in its photo; None: it is the photo.

        Returns:
            Correlation kernels of sum 1, shape (P, k, k).

        Raises:
            DataError: If a point lies outside the LR image, or there is not exactly one image.
        """
        return _grey(self._chosen(hr, points, place))

    @torch.no_grad()
    def channel_kernels_at(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None = None
    ) -> Tensor:
        """Return the true kernels of R, G and B, shape (P, 3, k, k); see :meth:`kernels_at`."""
        return torch.stack(self._chosen(hr, points, place), 1).expand(-1, 3, -1, -1)

    def _chosen(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None
    ) -> list[Tensor]:
        by_channel = self._by_channel(self._one(hr), place)
        height, width = by_channel[0].shape[1:]
        for row, column in points:
            if not (0 <= row < height and 0 <= column < width):
                raise DataError(
                    f"SampleCamera: point ({row}, {column}) lies outside the LR image of"
                    f" {height} x {width} pixels."
                )
        rows, columns = ([point[axis] for point in points] for axis in (0, 1))
        taps = (self.kernel_size, self.kernel_size)
        chosen = [self._kernels(optics[:, rows, columns][:, None]) for optics in by_channel]
        return [torch.unflatten(one[:, 0].t(), 1, taps).contiguous() for one in chosen]

    @torch.no_grad()
    def kernel_field(self, hr: Tensor) -> Tensor:
        """Return the true kernel of every LR pixel; this needs k * k numbers per pixel.

        Args:
            hr: One HR image, a whole photo, shape (1, C, H, W).

        Returns:
            Correlation kernels of sum 1, shape (H / stride, W / stride, k, k).
        """
        field = _grey([self._kernels(one) for one in self._by_channel(self._one(hr), None)])
        taps = (self.kernel_size, self.kernel_size)
        return torch.unflatten(field.permute(1, 2, 0), 2, taps).contiguous()

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

    def _by_channel(self, hr: Tensor, place: Place | None) -> list[Tensor]:
        """Return the blur parameters of R, G and B, or one for all: each of :meth:`_optics`."""
        if not self.uses_place:
            return [self._optics(hr, None)]
        self.check_place(hr, place)
        optics = self._optics(hr, place)
        at = place or Place.whole(hr.shape[2], hr.shape[3])
        size = (int(optics.shape[1]), int(optics.shape[2]))
        radius, x, y = field_position(at, size, hr.device)
        # S times exp(radial * r^2) everywhere, and stretched along the radius.
        widened = torch.stack([0.5 * radius**2, 0.4 * (x**2 - y**2), 0.8 * x * y])
        optics[:3] += self.radial * widened
        if not self.lateral:
            return [optics]
        moved = torch.zeros_like(optics)
        moved[4], moved[5] = self.lateral * y, self.lateral * x
        return [optics + moved, optics, optics - moved]

    def _optics(self, hr: Tensor, place: Place | None) -> Tensor:
        """Return the blur parameters at each LR pixel of a scene (1, C, H, W), shape (6, h, w).

        They are log width, horizontal and diagonal stretch (half the logarithm of S is
        [[width + a, b], [b, width - a]]), log shape, and the shift by rows and columns.
        """
        u, v, edge, diagonal, rise_row, rise_column = self._content(hr)
        rows, columns = (
            (torch.arange(n, device=hr.device, dtype=torch.float32) + 0.5) * (2 / n) - 1
            for n in u.shape
        )
        if place is not None:  # of the photo, which the image is a part of
            rows = (place.top + (rows + 1) / 2 * place.height) * (2 / place.photo_height) - 1
            columns = (place.left + (columns + 1) / 2 * place.width) * (2 / place.photo_width) - 1
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
        image = self._blur(hr, place_of(trace) if self.uses_place else None)
        if self.noise:
            # Drawn by NumPy on the CPU, so that a seed gives the same field on every device.
            generator = np.random.default_rng(trace.read(SensorNoise).noise_seed)
            field = generator.standard_normal(tuple(image.shape), dtype=np.float32)
            deviation = (self.shot * image.clamp_min(0) + self.read).sqrt()
            image = image + deviation * torch.from_numpy(field).to(image)
        image = image.clamp(0, 1)
        return (image * 255 + 0.5).floor() / 255 if self.quantise else image

    def _blur(self, hr: Tensor, place: Place | None) -> Tensor:
        """Apply the kernel field to one image."""
        by_channel = self._by_channel(hr, place)
        if len(by_channel) == 1:
            return self._filtered(hr, by_channel[0])
        planes = hr.expand(-1, 3, -1, -1).split(1, 1)
        blurred = [self._filtered(*pair) for pair in zip(planes, by_channel, strict=True)]
        return torch.cat(blurred, 1) if hr.shape[1] == 3 else _grey(blurred)

    def _filtered(self, hr: Tensor, optics: Tensor) -> Tensor:
        """Apply kernels to an image, in strips of rows to bound memory."""
        k, stride = self.kernel_size, self.stride
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


def _grey(channels: list[Tensor]) -> Tensor:
    """Return what one channel stands for, or what a grey image gets of R, G and B."""
    if len(channels) == 1:
        return channels[0]
    return torch.stack([w * one for w, one in zip(GREY_WEIGHTS, channels, strict=True)]).sum(0)


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
