"""Where the training of noise starts: at the scale that the first batch's residuals have."""

from __future__ import annotations

from typing import Protocol

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from realdeg.degradations.primitives.noise_levels import robust_variance
from realdeg.tasks.flat_pixels import edge_energy

# What is left to the noise, at least, where edges seem to explain everything.
_LEFT = 0.25
# The square of a displacement, in pixels, from which structure starts at least.
_LEAST = 1e-3
# Standard errors, of independent values, by which a batch has to contradict what is usual.
_ERRORS = 3.0


class StartingNoise(Protocol):
    """Noise whose level can be set to that of residuals, such as ``LearnedNoise``."""

    log_sigma: nn.Parameter

    def start_level(self, brightness: Tensor, residual: Tensor) -> None:
        """Set the level by brightness."""

    def correlation_sums(
        self, mean: Tensor, real: Tensor, excess: Tensor | None, weight: Tensor
    ) -> Tensor:
        """Return what the start of the correlation needs to know of images."""

    def start_correlation(self, sums: Tensor) -> None:
        """Set the correlation, and lower the level to that of what it does not predict."""


@torch.no_grad()
def start_from_residuals(
    noise: StartingNoise,
    structure: nn.Parameter | None,
    mean: Tensor,
    real: Tensor,
    chosen: Tensor,
) -> None:
    """Set the level of the noise, and how much variance edges add, to what a batch shows.

    Without it, Adam moves the logarithm of a level by at most the rate in each iteration, so a
    short run would end between the argument ``sigma`` and the truth. Several processes take the
    mean of what they find.

    Args:
        noise: The noise.
        structure: Logarithms of the variance per squared gradient, of R, G and B; or None.
        mean: Images without noise and with the drift, RGB in [0, 1], shape (B, 3, H, W).
        real: The same with noise.
        chosen: The pixels that count, booleans of shape (B, 1, H, W), at least one.
    """
    mask = chosen[:, 0]
    # On the CPU, as not every accelerator has float64.
    brightness, residual = (
        image.movedim(1, 0)[:, mask].cpu().double() for image in (mean, (real - mean) * 255)
    )
    if structure is not None:
        energy = edge_energy(mean).movedim(1, 0)[:, mask].cpu().double()
        usual = structure.detach().cpu().double().exp()
        factor, share = _explained_by_edges(residual, energy, usual)
        structure.copy_(factor.log())
        all_reduce(structure.data, "mean")
        residual = residual * share.sqrt()
    noise.start_level(brightness, residual)
    all_reduce(noise.log_sigma.data, "mean")


@torch.no_grad()
def start_correlation(
    noise: StartingNoise, mean: Tensor, real: Tensor, excess: Tensor | None, weight: Tensor
) -> None:
    """Set the correlation by least squares, once the level is that of residuals.

    Neighbours in smooth noise are almost alike, so its likelihood is a long narrow valley: some
    hundred steps of Adam from no correlation end at a level of what is unpredictable that is three
    times too high, which is drawn as white noise. Several processes add up what they find.

    Args:
        noise: The noise.
        mean: As for :func:`start_from_residuals`.
        real: Likewise.
        excess: The variance that is no noise, in grey levels squared, of that shape; or None.
        weight: How much each pixel counts, shape (B, 1, H, W).
    """
    sums = noise.correlation_sums(mean, real, excess, weight)
    all_reduce(sums)
    noise.start_correlation(sums)


def _explained_by_edges(residual: Tensor, energy: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
    """Return the variance per squared gradient, (3,), and the share of the noise, (3, N).

    The variance is a line over the squared gradient, through the half of the pixels with smaller
    gradients and the half with larger ones. Only a line that is less steep than usual is taken
    over, where more than chance says so: noise that gives too much to the edges when training
    starts learns a correlation that is theirs, which need not decay.
    """
    count = residual.shape[1]
    order = energy.argsort(1)
    halves = order[:, : max(count // 2, 1)], order[:, count // 2 :]
    low, high = (robust_variance(residual.gather(1, half)) for half in halves)
    near, far = (energy.gather(1, half).mean(1) for half in halves)
    apart = (far - near).clamp_min(torch.finfo(energy.dtype).tiny)
    slope = (high - low) / apart
    error = _ERRORS * 2 * torch.maximum(low, high) / count**0.5 / apart
    slope = torch.minimum(usual, (slope + error).clamp_min(_LEAST))
    level = torch.maximum(low - slope * near, _LEFT * low)
    share = level[:, None] / (level[:, None] + slope[:, None] * energy)
    return slope, share.nan_to_num(1.0)
