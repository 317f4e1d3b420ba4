"""A normalizing flow between items and standard normal codes: RealNVP with normalisation."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

_MOMENTUM, _EPSILON = 0.1, 1e-5


class NormalizingFlow(nn.Module):
    """Pairs of a masked affine coupling and a batch normalisation.

    Each coupling keeps every second number and scales and shifts the others by what two small
    networks make of the kept ones; the next coupling keeps the others. Names in the state dict are
    those of the published weights.

    Args:
        size: Numbers per item.
        hidden: Width of the couplings' networks.
        blocks: Number of pairs.
        layers: Hidden layers of the couplings' networks, beside the first.

    Source:
        FKP/network.py of JingyunLiang/FKP, commit 127c121, after NICE (Dinh et al., 2014) and
        RealNVP (Dinh et al., ICLR 2017).
    """

    def __init__(self, size: int, hidden: int, blocks: int, layers: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for number in range(blocks):
            parts += [_Coupling(size, hidden, layers, number % 2), _Normalisation(size)]
        self.net = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map items to codes.

        Args:
            x: Shape (B, size). In training mode the statistics are the batch's.

        Returns:
            The codes, shape (B, size), and the logarithm of the map's determinant, shape (B,).
        """
        total = x.new_zeros(x.shape[0])
        for part in self._parts():
            x, change = part(x)
            total = total + change
        return x, total

    def inverse(self, code: Tensor) -> Tensor:
        """Map codes (B, size) to items, with the running statistics."""
        for part in reversed(self._parts()):
            code = part.inverse(code)
        return code

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Return the logarithm of the density at items (B, size), in nats, shape (B,)."""
        code, determinant = self(x)
        normal = -0.5 * code.square().sum(1) - 0.5 * code.shape[1] * math.log(2 * math.pi)
        return cast(Tensor, normal + determinant)

    def _parts(self) -> list[_Coupling | _Normalisation]:
        return cast("list[_Coupling | _Normalisation]", list(self.net))


class _Coupling(nn.Module):
    mask: Tensor

    def __init__(self, size: int, hidden: int, layers: int, first: int) -> None:
        super().__init__()
        mask = (torch.arange(size) + first) % 2
        self.register_buffer("mask", mask.float(), persistent=False)
        self.s_net = _network(size, hidden, layers, nn.Tanh)
        self.t_net = _network(size, hidden, layers, nn.ReLU)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept = x * self.mask
        scale, shift = self._of(kept)
        return kept + (1 - self.mask) * (x - shift) * torch.exp(-scale), -scale.sum(1)

    def inverse(self, code: Tensor) -> Tensor:
        kept = code * self.mask
        scale, shift = self._of(kept)
        return kept + (1 - self.mask) * (code * torch.exp(scale) + shift)

    def _of(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logarithm of the scale, 0 for what is kept, and the shift."""
        return (1 - self.mask) * self.s_net(kept), self.t_net(kept)


class _Normalisation(nn.Module):
    """Normalises each number over the batch, with the variance's unbiased estimate."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_gamma = nn.Parameter(torch.zeros(size))
        self.beta = nn.Parameter(torch.zeros(size))
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = x.mean(0), x.var(0)
            self.running_mean.lerp_(mean.detach(), _MOMENTUM)
            self.running_var.lerp_(variance.detach(), _MOMENTUM)
        variance = variance + _EPSILON
        made = torch.exp(self.log_gamma) * (x - mean) / variance.sqrt() + self.beta
        return made, (self.log_gamma - 0.5 * variance.log()).sum()

    def inverse(self, code: Tensor) -> Tensor:
        spread = (self.running_var + _EPSILON).sqrt()
        return (code - self.beta) * torch.exp(-self.log_gamma) * spread + self.running_mean


def _network(size: int, hidden: int, layers: int, activation: type[nn.Module]) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Linear(size, hidden)]
    for _ in range(layers):
        parts += [activation(), nn.Linear(hidden, hidden)]
    return nn.Sequential(*parts, activation(), nn.Linear(hidden, size))
