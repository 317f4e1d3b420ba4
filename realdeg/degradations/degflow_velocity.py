"""DegFlow's velocity of a latent over time: the network NCSN++ of score models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)
_LONGEST = 10_000.0  # the longest period of the time's sines over the shortest
_HALF = math.sqrt(0.5)  # a sum of two is divided by the root of 2, which keeps its variance


class LatentVelocity(nn.Module):
    """Predicts by how much a latent changes per time: NCSN++ with BigGAN's residual blocks.

    A U-Net: at each level residual blocks and a halving, attention over all pixels in the middle,
    and the way back with the features of the way down. Each block adds a vector made of the time.
    Its last convolution starts at almost 0, so an untrained one leaves a latent where it is. Names
    in the state dict are those of the authors' NCSNpp, without its unused buffer ``sigmas``.

    Args:
        channels: Channels of the latent.
        width: Channels at the first level.
        multipliers: Channels of each level over ``width``; there is one halving less.
        blocks: Residual blocks of each level on the way down; one more on the way up.
        dropout: Share of a block's features that is set to 0 in training.

    Shape:
        (B, channels, h, w) and times (B,) to (B, channels, h, w); sides divisible by
        ``reduction``.

    Source:
        Song et al., ICLR 2021 (score_sde), in the form of present091/DegFlow, commit d3ee421,
        models/ncsn/ncsnpp.py with configs/models/rf.yaml.
    """

    def __init__(
        self,
        channels: int = 4,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width, self.blocks, self.levels = width, blocks, len(multipliers)

        def block(entering: int, leaving: int, change: str = "") -> _Block:
            return _Block(entering, leaving, 4 * width, dropout, change)

        modules: list[nn.Module] = [
            _initialised(nn.Linear(width, 4 * width)),
            _initialised(nn.Linear(4 * width, 4 * width)),
            _convolution(channels, width),
        ]
        now, kept = width, [width]
        for level, factor in enumerate(multipliers):
            for _ in range(blocks):
                modules.append(block(now, factor * width))
                now = factor * width
                kept.append(now)
            if level < self.levels - 1:
                modules.append(block(now, now, "down"))
                kept.append(now)
        modules += [block(now, now), _Attention(now), block(now, now)]
        for level, factor in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                modules.append(block(now + kept.pop(), factor * width))
                now = factor * width
            if level:
                modules.append(block(now, now, "up"))
        modules += [_norm(now), _convolution(now, channels, 0.0)]
        self.all_modules = nn.ModuleList(modules)

    @property
    def reduction(self) -> int:
        """What the sides of a latent have to be divisible by."""
        return int(2 ** (self.levels - 1))

    def forward(self, latent: Tensor, time: Tensor) -> Tensor:
        """Return the velocity.

        Args:
            latent: Shape (B, channels, h, w).
            time: Shape (B,), from 0 (HR) to 1 (the most degraded).
        """
        parts = iter(self.all_modules)
        # NCSN++ counts a thousand steps.
        moment = next(parts)(_sines(999 * time, self.width).to(latent))
        moment = next(parts)(F.silu(moment))
        x = next(parts)(latent)
        kept = [x]
        for level in range(self.levels):
            for _ in range(self.blocks):
                x = next(parts)(x, moment)
                kept.append(x)
            if level < self.levels - 1:
                x = next(parts)(x, moment)
                kept.append(x)
        x = next(parts)(x, moment)
        x = next(parts)(x)
        x = next(parts)(x, moment)
        for level in reversed(range(self.levels)):
            for _ in range(self.blocks + 1):
                x = next(parts)(torch.cat([x, kept.pop()], 1), moment)
            if level:
                x = next(parts)(x, moment)
        x = F.silu(next(parts)(x))
        velocity: Tensor = next(parts)(x)
        return velocity


class _Block(nn.Module):
    def __init__(
        self, entering: int, leaving: int, moment: int, dropout: float, change: str
    ) -> None:
        super().__init__()
        self.change = change
        self.GroupNorm_0 = _norm(entering)
        self.Conv_0 = _convolution(entering, leaving)
        self.Dense_0 = _initialised(nn.Linear(moment, leaving))
        self.GroupNorm_1 = _norm(leaving)
        self.Dropout_0 = nn.Dropout(dropout)
        self.Conv_1 = _convolution(leaving, leaving, 0.0)
        self.Conv_2: nn.Module = nn.Identity()
        if entering != leaving or change:
            self.Conv_2 = _initialised(nn.Conv2d(entering, leaving, 1))

    def forward(self, x: Tensor, moment: Tensor) -> Tensor:
        change = self._resized(F.silu(self.GroupNorm_0(x)))
        change = self.Conv_0(change) + self.Dense_0(F.silu(moment))[:, :, None, None]
        change = self.Conv_1(self.Dropout_0(F.silu(self.GroupNorm_1(change))))
        made: Tensor = (self.Conv_2(self._resized(x)) + change) * _HALF
        return made

    def _resized(self, x: Tensor) -> Tensor:
        if self.change == "up":
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return F.avg_pool2d(x, 2) if self.change == "down" else x


class _Attention(nn.Module):
    """Each pixel looks at all others, one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.GroupNorm_0 = _norm(width)
        self.NIN_0, self.NIN_1, self.NIN_2 = (_Pointwise(width, 0.1) for _ in range(3))
        self.NIN_3 = _Pointwise(width, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        batch, width, height, columns = x.shape
        pixels = self.GroupNorm_0(x).flatten(2).transpose(1, 2)
        query, key, value = (part(pixels) for part in (self.NIN_0, self.NIN_1, self.NIN_2))
        seen = self.NIN_3(F.scaled_dot_product_attention(query, key, value))
        made: Tensor = (x + seen.transpose(1, 2).reshape(batch, width, height, columns)) * _HALF
        return made


class _Pointwise(nn.Module):
    """A matrix applied to each pixel's channels, stored as (in, out)."""

    def __init__(self, width: int, gain: float) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.empty(width, width))
        self.b = nn.Parameter(torch.zeros(width))
        nn.init.xavier_uniform_(self.W, gain=_root(gain))

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels @ self.W + self.b


def _sines(time: Tensor, width: int) -> Tensor:
    """Return sines, then cosines, of periods from short to long, float32, shape (B, width)."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=time.device)
    rate = torch.exp(steps * (-math.log(_LONGEST) / max(half - 1, 1)))
    angle = time.float()[:, None] * rate
    return F.pad(torch.cat([angle.sin(), angle.cos()], 1), (0, width % 2))


def _norm(width: int) -> nn.GroupNorm:
    # min(width // 4, 32) groups for the published widths; fewer where they do not divide.
    groups = next(n for n in range(max(min(width // 4, 32), 1), 0, -1) if width % n == 0)
    return nn.GroupNorm(groups, width, eps=1e-6)


def _convolution(entering: int, leaving: int, gain: float = 1.0) -> nn.Conv2d:
    return _initialised(nn.Conv2d(entering, leaving, 3, padding=1), gain)


def _initialised(layer: _Layer, gain: float = 1.0) -> _Layer:
    nn.init.xavier_uniform_(layer.weight, gain=_root(gain))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _root(gain: float) -> float:
    """Return the factor of Xavier's bound whose variance is ``gain`` times as large."""
    # The authors' "0" is almost 0, so that every layer has a gradient from the first step on.
    return math.sqrt(gain or 1e-10)
