"""Noise whose level and correlation were learned from the residuals of real pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Gt, Interval
from torch import Tensor, nn

from realdeg.degradations.base import Degradation, Scale
from realdeg.degradations.bicubic import bicubic_border, reduce_bicubic
from realdeg.degradations.primitives.autoregression import (
    draw,
    log_bin_probability,
    log_density,
    number_of_taps,
    past_offsets,
    predict,
    response_energy,
    variance_gains,
)
from realdeg.degradations.primitives.autoregression_fit import fit_autoregression, regression_sums
from realdeg.degradations.primitives.noise import white_noise
from realdeg.degradations.primitives.noise_levels import levels_by_brightness
from realdeg.degradations.trace import Seed, Trace, TraceParams
from realdeg.errors import DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.colour import grey_of, weights_of_one_channel
from realdeg.utils.streams import stream_seed

# Grey levels: rounding to 8 bit hides what is below.
_LEAST_SIGMA, _LARGEST_SIGMA = 0.05, 255.0
# Rounding leaves so little of less noise that a likelihood has no slope.
_LEAST_START = 0.2
# The share of the variance that least squares leave unpredictable, at least.
_LEAST_SHARE = 1e-3
# Pixels that are drawn before the image begins, so that its first rows have a past.
_BEFORE = 16
_SIDE = 48
_SHORTER = (1.0, 0.99, 0.98, 0.96, 0.93, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
# Pixels with three values each, for every number that is learned.
_PIXELS_PER_NUMBER = 50
# The variance of rounding to 8 bit, in grey levels.
_ROUNDING = 1 / 12


@dataclass(frozen=True)
class LearnedNoiseParams(TraceParams):
    """The field of an image.

    Args:
        noise_seed: The seed of the field.
    """

    noise_seed: Seed


@DEGRADATIONS.register_module()
class LearnedNoise(Degradation):
    """Adds noise of a learned level, which depends on the brightness, and of learned correlation.

    In each channel the standard deviation is a function of that channel's brightness, a table
    whose logarithm is interpolated. Divided by it, each value is predicted from the values before
    it, in a window of ``radius`` rows and columns and in all channels (an autoregressive field),
    and what is left is independent and Gaussian. So the likelihood is exact, and :func:`draw`
    makes images of the same distribution, rounding included. A few hundred numbers are learned.

    The task ``NoiseLearning`` trains it on what LR has that a trained degradation before it, or the
    clean photo of a noise pair, does not have. As a part of a container it keeps the grid (scale
    1); on its own it first reduces by bicubic interpolation. The field is drawn on the CPU, so that
    every device gets the same.

    Args:
        scale: Downscaling factor, applied before the noise.
        same_size: Whether LR lies on the HR grid.
        knots: Brightnesses of the table, equally spaced from black to white.
        radius: How many rows and columns the correlation reaches back; 0 is white noise. LR that
            was enlarged, as in RealSR V2, needs more than LR that was not.
        colour: Whether the channels are correlated.
        sigma: The standard deviation before training, in grey levels of 0 to 255. Training starts
            at that of the first batch's residuals instead.
        rounding: Whether real LR, and so the noisy image, is rounded to 8 bit.
        clip: Whether the result is clipped to [0, 1] where it is not rounded.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``;
        C = 1 gets the luma of the noise of a grey image, which is not rounded again.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Ours. Noise that depends on the signal: Foi et al., IEEE TIP 2008. A likelihood of a
        camera's noise: Abdelhamed et al., Noise Flow, ICCV 2019.
    """

    unstated = ()

    same_grid_part: ClassVar[bool] = True
    fitting: ClassVar[Literal["gradient", "closed_form"] | None] = "gradient"

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        knots: Annotated[int, Interval(ge=1, le=256)] = 9,
        radius: Annotated[int, Interval(ge=0, le=8)] = 3,
        colour: bool = True,
        sigma: Annotated[float, Gt(0), Interval(le=_LARGEST_SIGMA)] = 1.0,
        rounding: bool = True,
        clip: bool = True,
    ) -> None:
        super().__init__(scale, same_size)
        self.radius, self.colour = radius, colour
        self.rounding, self.clip = rounding, clip
        self.log_sigma = nn.Parameter(torch.full((3, knots), math.log(sigma)))
        self.taps = nn.Parameter(torch.zeros(3, 3 if colour else 1, number_of_taps(radius)))
        self.within = nn.Parameter(torch.zeros(3 if colour else 0))

    @property
    def border(self) -> int:
        """LR pixels at each border that depend on the padding."""
        return bicubic_border(self.scale, self.same_size)

    @property
    def least_pixels(self) -> int:
        """LR pixels that training needs: 50 for every number that is learned."""
        return _PIXELS_PER_NUMBER * sum(parameter.numel() for parameter in self.parameters())

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return the weights of the past, shape (3, 3, N), and within the pixel, shape (3,)."""
        if self.colour:
            return self.taps, self.within
        return torch.diag_embed(self.taps[:, 0].t()).permute(1, 2, 0), self.log_sigma.new_zeros(3)

    def unpredictable(self, mean: Tensor) -> Tensor:
        """Return the standard deviation of what cannot be predicted from the pixels before.

        Args:
            mean: Images without noise, RGB in [0, 1], shape (B, 3, H, W).

        Returns:
            Grey levels of 0 to 255, of the same shape.
        """
        table = self.log_sigma
        last = table.shape[1] - 1
        # What is not a number stays so, and is named by its loss; but it is no place in the table.
        place = mean.detach().clamp(0, 1) * last
        below = place.nan_to_num().floor().clamp_max(max(last - 1, 0)).long()
        share = place - below
        first = torch.arange(3, device=mean.device).view(1, 3, 1, 1) * table.shape[1]
        flat = table.flatten()
        low = flat[first + below]
        if last:
            low = torch.lerp(low, flat[first + below + 1], share.to(low.dtype))
        return low.exp().clamp(_LEAST_SIGMA, _LARGEST_SIGMA)

    @torch.no_grad()
    def start_level(self, brightness: Tensor, residual: Tensor) -> None:
        """Set the level to that of residuals, as training begins.

        Args:
            brightness: Of R, G and B without noise, in [0, 1], shape (3, N), N at least 1.
            residual: What real images differ by, in grey levels, of the same shape.
        """
        found = levels_by_brightness(brightness, residual, self.log_sigma.shape[1]).square()
        variance = found - _ROUNDING * self.rounding
        sigma = variance.clamp(_LEAST_START**2, _LARGEST_SIGMA**2).sqrt()
        self.log_sigma.copy_(sigma.log())

    @torch.no_grad()
    def correlation_sums(
        self, mean: Tensor, real: Tensor, excess: Tensor | None, weight: Tensor
    ) -> Tensor:
        """Return what :meth:`start_correlation` needs to know of images; it may be added up.

        Args as for :meth:`log_likelihood`, and how much each pixel counts, shape (B, 1, H, W).
        """
        noise = (real - mean) * 255 / self.unpredictable(mean)
        return regression_sums(noise * self._share(mean, excess), noise, weight, self.radius)

    @torch.no_grad()
    def start_correlation(self, sums: Tensor) -> None:
        """Set the correlation to that of residuals, as training begins, after the level.

        Takes the result of :meth:`correlation_sums`. The level becomes that of what is
        unpredictable. Nothing changes where pixels are too few, or the correlation does not decay.
        """
        fit = fit_autoregression(sums, self.radius, self.colour)
        if fit is None or not (self.radius or self.colour):
            return
        former = {name: value.clone() for name, value in self.state_dict().items()}
        rounding = _ROUNDING * self.rounding / self.log_sigma.exp().square().mean(1).cpu()
        lower = (fit.left - rounding).clamp(_LEAST_SHARE, 1).sqrt()
        self.log_sigma.add_(lower.log().to(self.log_sigma)[:, None])
        self.log_sigma.clamp_min_(math.log(_LEAST_START))
        taps, within = fit.between_levels(lower)
        self.taps.copy_(taps if self.colour else taps.diagonal().t()[:, None])
        self.within.copy_(within[: len(self.within)])
        try:
            self.settle()
        except DataError:
            self.load_state_dict(former)

    def roughness(self) -> Tensor:
        """Return the squared steps of the logarithm of the table, summed, a mean over channels."""
        return self.log_sigma.diff(dim=1).square().sum(1).mean()

    def log_likelihood(
        self,
        mean: Tensor,
        real: Tensor,
        excess: Tensor | None = None,
        chosen: Tensor | None = None,
    ) -> Tensor:
        """Return the logarithm of the likelihood of every value of real images, in nats.

        The sum over an image is the logarithm of its probability, where the image is rounded, or
        of its density in grey levels. The first ``radius`` rows and columns lack a part of their
        past; leave them out of means.

        Args:
            mean: Images without noise, RGB in [0, 1], shape (B, 3, H, W).
            real: The same images with noise.
            excess: A variance in grey levels squared, of that shape, of differences that are no
                noise, such as those of a displacement. It widens the distribution, and what is
                predicted from is shrunk by the share of the noise in the variance. It is not drawn.
            chosen: Which values to return, booleans of that shape; None: all of them.

        Returns:
            Shape (B, 3, H, W), or (N,) of the chosen values.
        """
        levels, expected = real * 255, mean * 255
        if self.rounding:
            levels = levels.round()
        sigma = self.unpredictable(mean)
        noise = (levels - expected) / sigma * self._share(mean, excess)
        deviation = sigma if excess is None else (sigma.square() + excess).sqrt()
        centre = expected + sigma * predict(noise, *self.weights())
        if chosen is not None:
            levels, centre, deviation = (x[chosen] for x in (levels, centre, deviation))
        if self.rounding:
            return log_bin_probability(levels, centre, deviation)
        return log_density(levels, centre, deviation)

    def marginal_variance(self, mean: Tensor) -> Tensor:
        """Return the variance of each value by itself, before rounding.

        Args:
            mean: Images without noise, RGB in [0, 1], shape (B, 3, H, W).

        Returns:
            Grey levels squared, of the same shape.
        """
        gains = variance_gains(*self.weights()).view(1, 3, 1, 1)
        return self.unpredictable(mean).square() * gains

    def _share(self, mean: Tensor, excess: Tensor | None) -> Tensor | float:
        """Return the share of the noise in the variance of what is predicted from."""
        if excess is None:
            return 1.0
        # Of all of the noise: where it is smooth, its unpredictable part is little of it. Without a
        # gradient, which would raise the share by a correlation that does not decay.
        whole = self.marginal_variance(mean).detach()
        return whole / (whole + excess)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the seed of the field."""
        drawn = LearnedNoiseParams(stream_seed(seed, "noise"))
        return Trace(type(self).__name__, {**self.trace_params(), **drawn.to_params()}, size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Add each image's noise."""
        return self._add(hr, [trace.read(LearnedNoiseParams).noise_seed for trace in traces])

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Draw and degrade: equal to sample and replay, but without hashing the weights."""
        if seeds is None:
            seeds = torch.randint(2**62, (hr.shape[0],)).tolist()
        self.check_input(hr)
        self.check_seeds(hr, seeds)
        return self._add(hr, [stream_seed(int(seed), "noise") for seed in seeds])

    def _add(self, hr: Tensor, seeds: Sequence[int]) -> Tensor:
        lr = reduce_bicubic(hr, self.scale, self.same_size)
        if not len(seeds):
            return lr
        if lr.shape[1] == 3:
            return self._noisy(lr, seeds)
        rgb = grey_of(lr).expand(-1, 3, -1, -1)
        noise = self._noisy(rgb, seeds) - rgb
        luma = torch.einsum("c,bchw->bhw", noise.new_tensor(weights_of_one_channel()), noise)
        lr = lr + luma[:, None]
        return lr.clamp(0, 1) if self.clip else lr

    def _noisy(self, mean: Tensor, seeds: Sequence[int]) -> Tensor:
        """Draw noisy images of RGB images without noise (B, 3, H, W)."""
        made, normal = self._drawn(mean, seeds)
        if not self.rounding and self.clip:
            made = made.clamp(0, 1)
        if not torch.is_grad_enabled():
            return made
        # The gradient is that of one step: the past is given, and rounding passes it on.
        sigma = self.unpredictable(mean)
        past = ((made - mean.detach()) * 255 / sigma).detach()
        step = mean + sigma * (predict(past, *self.weights()) + normal) / 255
        return made + (step - step.detach())

    @torch.no_grad()
    def _drawn(self, mean: Tensor, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the noisy images and the independent values that they were made of."""
        before = _BEFORE if self.radius else 0
        inner = (..., slice(before, None), slice(before, before + mean.shape[3]))
        # Black and white have no other noise in front of the image than in it.
        given = F.pad(mean.detach(), (before, before, before, 0), mode="replicate")
        normal = torch.stack([white_noise(given.shape[1:], seed) for seed in seeds])
        sigma = self.unpredictable(given)
        image, spread, fresh, taps, within = (
            x.double().cpu().numpy() for x in (given * 255, sigma, normal, *self.weights())
        )
        levels = 255 if self.rounding else None
        made = torch.from_numpy(draw(image, spread, fresh, taps, within, levels)[inner].copy())
        return (made / 255).to(mean), normal[inner].to(mean)

    @torch.no_grad()
    def settle(self) -> float:
        """Shorten a correlation that does not decay, as training ends.

        Every weight of the past is multiplied by a number below 1 to the power of its distance,
        which moves the roots inwards: the expansion of bandwidth of linear prediction (Tohkura,
        Itakura, Hashimoto, IEEE Trans. ASSP 26, 1978).

        Returns:
            That number; 1 where nothing was changed.

        Raises:
            DataError: If even the shortest correlation does not decay.
        """
        learned = self.taps.detach().clone()
        distance = (
            torch.tensor(past_offsets(self.radius), dtype=learned.dtype).view(-1, 2).norm(dim=1)
        )
        for factor in _SHORTER:
            self.taps.copy_(learned * factor ** distance.to(learned))
            if self._energies() is not None:
                return factor
        self.taps.copy_(learned)
        self.gains()
        raise AssertionError("gains() refuses what does not decay")

    @torch.no_grad()
    def gains(self) -> Tensor:
        """Return the noise's standard deviation over that of its unpredictable part, shape (3,).

        Raises:
            DataError: If the correlation does not decay, so that noise would grow without end.
        """
        energies = self._energies()
        if energies is None:
            raise DataError(
                "the correlation that LearnedNoise has learned does not decay within"
                f" {_SIDE} pixels, so its noise would grow: train it on more pixels, or with a"
                " smaller radius."
            )
        return torch.from_numpy(np.sqrt(energies))

    def _energies(self) -> np.ndarray | None:
        """Return the energy of the response of each channel; None if it does not decay."""
        taps, within = (x.detach().double().cpu().numpy() for x in self.weights())
        return response_energy(taps, within, _SIDE)

    def deviations(self, brightness: Tensor) -> Tensor:
        """Return the standard deviation of the noise, rounding included, by brightness.

        Args:
            brightness: Values in [0, 1], shape (N,).

        Returns:
            Grey levels of 0 to 255 of R, G and B, shape (3, N), float64.
        """
        grey = brightness.view(1, 1, 1, -1).expand(1, 3, 1, -1).to(self.log_sigma)
        variance = self.unpredictable(grey)[0, :, 0].detach().double().cpu().square()
        return (variance + _ROUNDING * self.rounding).sqrt() * self.gains()[:, None]

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the standard deviation at mid-grey in [0, 1], the root mean square of R, G, B."""
        level = self.deviations(torch.tensor([0.5])).square().mean().sqrt()
        return {"noise_level": float(level) / 255}

    def describe(self) -> str:
        """Return a one-line description."""
        reach = f"correlated over {self.radius} pixels" if self.radius else "white"
        return f"{super().describe()}, noise that depends on the brightness, {reach}"
