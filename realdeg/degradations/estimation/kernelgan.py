"""A blur kernel from one photo alone, after KernelGAN (Bell-Kligler, Shocher and Irani, 2019).

Small patterns recur across scales of a photo. The estimated kernel is the one that makes patches of
the downsampled photo look like those of the photo: a linear generator downsamples crops, and a
critic compares their patches. It needs no other image, but is less accurate than pairs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from realdeg.degradations.primitives.kernel_moments import shift_to_centroid
from realdeg.degradations.primitives.kernel_priors import (
    boundary_penalty,
    boundary_weights,
    centre_penalty,
    sparsity_penalty,
    sum_penalty,
)
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.degradations.primitives.resize import imresize, keys_cubic
from realdeg.degradations.primitives.strong_gradients import crop_chances, strong_gradients
from realdeg.errors import ConfigError, DataError
from realdeg.utils.colour import to_colour
from realdeg.utils.streams import stream_seed

KERNEL_SIZE = 13
_WIDTH = 64
_SIDES = (7, 5, 3, 1, 1, 1)
_ITERATIONS = 3000
CROP = 64
_RATE = 2e-4
# Of 3000 iterations: steps after which the rates fall by 10 and the bicubic pull by 100.
_RATE_PERIOD, _BICUBIC_PERIOD = 750, 200
_BICUBIC_FLOOR = 5e-6
# Below this squared error the generator imitates bicubic well enough to be released.
_RELEASE = 0.4
_KEPT_TAPS = 40


@dataclass(frozen=True)
class KernelGANResult:
    """The result of :func:`kernelgan`.

    Args:
        kernel: Centred on the LR pixel, sum 1, float64, shape (k, k): 13 x 13 for scales 2 and 3,
            25 x 25 for scale 4. Its window starts as in :class:`Pool`.
        record: ``iterations``, ``bicubic_loss`` (final squared distance from bicubic, values from
            -1 to 1), ``released`` (whether the pull towards bicubic was dropped and the
            constraints on sparsity and centre applied, without which the kernel is unreliable),
            ``seconds``.
    """

    kernel: Tensor
    record: dict[str, Any] = field(default_factory=dict)


def kernelgan(
    image: Tensor,
    scale: int = 2,
    iterations: int = _ITERATIONS,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> KernelGANResult:
    """Estimate the kernel of a photo from the photo alone.

    As in the paper and its code: L1 distance of the critic's map from the label for both
    networks, crops drawn where gradients are strong, Adam (0.5, 0.999), noise of one grey level
    for the critic. The kernel for scale 4 is that for 2 combined with itself. Differences: scale 3,
    by a generator of stride 3, is not in the paper; the kernel is centred by bilinear interpolation
    instead of a spline; a shorter run shortens the schedule proportionally.

    Args:
        image: RGB or Y in [0, 1], shape (1, C, H, W), at least 64 pixels wide and high.
        scale: 2, 3 or 4.
        iterations: Steps of each network; 3000 in the paper.
        seed: Seed of initial values, crops and noise.
        progress: Called with the number of steps done, every 100.

    Returns:
        The kernel and a record of the run.

    Raises:
        ConfigError: If the scale is not 2, 3 or 4, or there are too few iterations.
        DataError: If the image is too small or has no texture.
    """
    if scale not in (2, 3, 4):
        raise ConfigError(f"KernelGAN estimates kernels of scale 2, 3 or 4, got {scale}.")
    if iterations < 100:
        raise ConfigError(f"KernelGAN needs at least 100 iterations, got {iterations}.")
    if image.ndim != 4 or image.shape[0] != 1 or min(image.shape[2:]) < CROP:
        raise DataError(
            f"KernelGAN takes one image of at least {CROP} x {CROP} pixels, got shape"
            f" {tuple(image.shape)}."
        )
    began = time.perf_counter()
    run = _Run(image, 3 if scale == 3 else 2, iterations, seed)
    for step in range(iterations):
        run.step(step)
        if progress is not None and (step + 1) % 100 == 0:
            progress(step + 1)
    kernel = _finished(run.generator.kernel().detach().cpu().double(), run.stride)
    if scale == 4:
        kernel = kernel_for_four(kernel)
    record = {
        "iterations": iterations,
        "bicubic_loss": round(run.bicubic_loss, 6),
        "released": run.constrained,
        "seconds": round(time.perf_counter() - began, 1),
    }
    return KernelGANResult(kernel, record)


def kernel_for_four(kernel: Tensor) -> Tensor:
    """Combine a kernel for scale 2 with itself, for scale 4.

    Args:
        kernel: For stride 2, odd side k, its centroid half a pixel beyond the window's middle.

    Returns:
        For stride 4: the 2k - 1 of 3k - 2 taps around the centroid, sum 1, float64.
    """
    size = int(kernel.shape[0])
    spread = kernel.new_zeros(2 * size - 1, 2 * size - 1).double()
    spread[::2, ::2] = kernel.double()
    whole = F.conv_transpose2d(kernel.double()[None, None], spread[None, None])[0, 0]
    # Windows start at 2 i - (k - 1) / 2 each, together at 4 i - 3 (k - 1) / 2; the smaller
    # window of stride 4 starts at 4 i + floor((4 - (2 k - 1)) / 2) = 4 i + 2 - k.
    first = 3 * (size - 1) // 2 + 2 - size
    cut = whole[first : first + 2 * size - 1, first : first + 2 * size - 1]
    return cut / cut.sum()


class _Run:
    """Both networks, their crops and the schedule of the constraints."""

    def __init__(self, image: Tensor, stride: int, iterations: int, seed: int) -> None:
        self.stride, self.iterations = stride, iterations
        self.rng = torch.Generator().manual_seed(stream_seed(seed, "kernelgan") % (1 << 62))
        generator, critic = build_networks(self.rng)
        self.generator, self.critic = generator.to(image.device), critic.to(image.device)
        rates = {"lr": _RATE, "betas": (0.5, 0.999)}
        self.optimisers = [
            torch.optim.Adam(network.parameters(), **rates)  # type: ignore[arg-type]
            for network in (self.generator, self.critic)
        ]
        self.image = image.expand(-1, 3, -1, -1).float() * 2 - 1
        self.small = (CROP - KERNEL_SIZE) // stride + 1
        crops = np.random.default_rng(stream_seed(seed, "crops"))
        fine, coarse = crop_weights(image, stride)
        self.large_crops = draw_crops(coarse, CROP, iterations, stride, crops)
        self.small_crops = draw_crops(fine, self.small, iterations, 1, crops)
        axis = torch.arange(KERNEL_SIZE, dtype=torch.float32) - (KERNEL_SIZE - 1) / 2
        self.rest = centre_rest(KERNEL_SIZE, stride)
        self.axis = axis.to(image.device)
        taps = keys_cubic((axis - self.rest) / stride)
        self.bicubic = torch.outer(taps, taps).div(taps.sum() ** 2).to(image.device)
        self.border = boundary_weights(KERNEL_SIZE).to(image.device)
        self.pull, self.sparse, self.centre = 5.0, 0.0, 0.0
        self.bicubic_loss, self.good, self.constrained = float("inf"), 0, False

    def step(self, step: int) -> None:
        """Train the generator, then the critic."""
        large = self._crop(self.large_crops[step], CROP)
        small = self._crop(self.small_crops[step], self.small)
        steps_generator, steps_critic = self.optimisers
        self.critic.requires_grad_(False)
        kernel = self.generator.kernel()
        shrunk = shrink(large, kernel, self.stride)
        distance = F.mse_loss(shrunk, shrink(large, self.bicubic, self.stride))
        loss = (self.critic(shrunk) - 1).abs().mean() + self.pull * distance
        steps_generator.zero_grad()
        (loss + self._constraints(kernel)).backward()
        steps_generator.step()
        self.critic.requires_grad_(True)
        with torch.no_grad():
            shrunk = self.generator(large, self.stride)
        real = (self.critic(small + self._noise(small)) - 1).abs().mean()
        fake = self.critic(shrunk + self._noise(shrunk)).abs().mean()
        steps_critic.zero_grad()
        ((real + fake) / 2).backward()
        steps_critic.step()
        self.bicubic_loss = float(distance.detach())
        self._schedule(step)

    def _constraints(self, kernel: Tensor) -> Tensor:
        total = 0.5 * sum_penalty(kernel) + 0.5 * boundary_penalty(kernel, self.border)
        if self.sparse:
            total = total + self.sparse * sparsity_penalty(kernel)
        if self.centre:
            total = total + self.centre * centre_penalty(kernel, self.rest, self.axis)
        return total

    def _schedule(self, step: int) -> None:
        if step == 0:
            return
        share = self.iterations / _ITERATIONS
        if step % max(1, round(_RATE_PERIOD * share)) == 0:
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    group["lr"] /= 10
        if self.good < 3:  # three good steps in a row release the generator
            self.good = self.good + 1 if self.bicubic_loss < _RELEASE else 0
        elif step % max(1, round(_BICUBIC_PERIOD * share)) == 0:
            self.pull = max(self.pull / 100, _BICUBIC_FLOOR)
            if self.pull < 5e-3 and not self.constrained:
                self.centre, self.sparse, self.constrained = 1.0, 5.0, True

    def _crop(self, corner: tuple[int, int], size: int) -> Tensor:
        top, left = corner
        return self.image[..., top : top + size, left : left + size]

    def _noise(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.rng).to(like) / 255


def crop_weights(image: Tensor, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where gradients are strong, in the photo and in its reduction, both (H, W).

    Args:
        image: (1, C, H, W).
        stride: HR pixels per LR pixel.

    Raises:
        DataError: If there are no gradients.
    """
    luma = to_colour(image, "y").double().cpu()
    height, width = int(luma.shape[2]), int(luma.shape[3])
    fine = strong_gradients(luma[0, 0].numpy())
    coarse = strong_gradients(imresize(luma, 1 / stride)[0, 0].numpy())
    if not (fine.any() and coarse.any()):
        raise DataError(
            "KernelGAN found no gradients in the image: a flat image reveals no kernel."
        )
    return fine, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)


def draw_crops(
    weights: np.ndarray, size: int, count: int, grid: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw corners of crops; strong gradients in the middle make a crop more likely.

    Args:
        weights: Gradient strengths, (H, W).
        size: Side of the crops.
        count: Number of crops.
        grid: Rows and columns of corners are multiples of it.
        rng: The random generator.

    Returns:
        (row, column) of each crop. All are equally likely where no crop has strong gradients in
        its middle, as in create_probability_map of sefibk/KernelGAN.
    """
    chances = crop_chances(weights, (size, size), size // 2, grid)
    drawn = rng.choice(chances.size, count, p=chances.ravel())
    across = chances.shape[1]
    return [(int(n) // across * grid, int(n) % across * grid) for n in drawn]


def _finished(kernel: Tensor, stride: int) -> Tensor:
    """Drop all but the strongest taps, as KernelGAN does, and centre the rest."""
    strongest = kernel.flatten().sort(descending=True).values
    kernel = (kernel - 0.75 * strongest[_KEPT_TAPS]).clamp(min=0)
    rest = centre_rest(KERNEL_SIZE, stride)
    try:
        return shift_to_centroid(kernel / kernel.sum(), (rest, rest))
    except ValueError as error:
        raise DataError(
            "KernelGAN's kernel left its window: the photo reveals no kernel, or the run was too"
            " short."
        ) from error


class LinearGenerator(nn.Module):
    """Six convolutions without activations (7, 5, 3, 1, 1, 1; 64 wide), folded to their kernel.

    A chain of linear convolutions is one convolution. Folding the chain from its single output
    costs a million multiplications, running it over a crop 1.5 billion. Values and gradients are
    equal up to rounding.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = [1] + [_WIDTH] * (len(_SIDES) - 1) + [1]
        self.layers = nn.ParameterList(
            nn.Parameter(torch.empty(out, into, side, side))
            for into, out, side in zip(widths, widths[1:], _SIDES, strict=False)
        )

    def kernel(self) -> Tensor:
        """Return the correlation kernel of the whole chain, shape (13, 13)."""
        folded: Tensor = self.layers[-1]
        for weight in reversed(list(self.layers)[:-1]):
            folded = F.conv_transpose2d(folded, weight)
        return folded[0, 0]

    def forward(self, x: Tensor, stride: int) -> Tensor:
        """Downsample each channel: (1, C, H, W) to (1, C, h, w), whole windows only."""
        return shrink(x, self.kernel(), stride)


class PatchCritic(nn.Module):
    """Scores each 7 x 7 patch: one 7 x 7 convolution, then 1 x 1 ones, spectrally normalised.

    Shape:
        (1, 3, H, W) to (1, 1, H - 6, W - 6) in (0, 1): how real the patch looks.
    """

    def __init__(self, hidden: int = 5) -> None:
        super().__init__()
        blocks: list[nn.Module] = [nn.Conv2d(3, _WIDTH, 7)]
        for _ in range(hidden):
            blocks += [nn.Conv2d(_WIDTH, _WIDTH, 1), nn.BatchNorm2d(_WIDTH), nn.ReLU()]
        blocks += [nn.Conv2d(_WIDTH, 1, 1), nn.Sigmoid()]
        self.layers = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Score the patches."""
        made: Tensor = self.layers(x)
        return made


def build_networks(generator: torch.Generator) -> tuple[LinearGenerator, PatchCritic]:
    """Build both networks with KernelGAN's initial values, drawn from a random generator.

    Weights are Xavier normal with gain 0.1, those of batch normalisation normal(1, 0.02).
    """
    # torch draws its initial values, and spectral normalisation its vectors, from the global random
    # generator, whose state is restored.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(int(torch.randint(1 << 31, (), generator=generator)))
        linear, critic = LinearGenerator(), PatchCritic()
        for weight in linear.layers:
            _xavier(weight, generator)
        for index, module in enumerate(critic.layers):
            if isinstance(module, nn.Conv2d):
                _xavier(module.weight, generator)
                assert module.bias is not None
                module.bias.zero_()
                critic.layers[index] = spectral_norm(module)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(1 + 0.02 * torch.randn(_WIDTH, generator=generator))
    return linear, critic


def shrink(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Correlate each channel with a kernel at every ``stride``-th pixel, whole windows only."""
    return F.conv2d(x.transpose(0, 1), kernel[None, None], stride=stride).transpose(0, 1)


def _xavier(weight: Tensor, generator: torch.Generator) -> None:
    area = weight.shape[2] * weight.shape[3]
    deviation = 0.1 * math.sqrt(2 / (area * (weight.shape[0] + weight.shape[1])))
    weight.copy_(deviation * torch.randn(weight.shape, generator=generator))
