"""Learned degradations whose network is told more than the image: its place, or a random code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from realdeg.degradations.learned import LearnedDegradation
from realdeg.degradations.primitives import field_position
from realdeg.degradations.trace import Seed, Trace, TraceParams, place_of
from realdeg.errors import DataError
from realdeg.utils.colour import luma_of
from realdeg.utils.place import Place
from realdeg.utils.streams import stream_seed

WithoutPlace = Literal["refuse", "centre"]
# The position is told as radius, x and y.
_POSITION = 3
# Channels of the small network that reads a code off a pair.
_WIDTH = 16
# Bounds of log variances, within which exponentials and gradients stay finite.
_LOG_VARIANCE = (-12.0, 6.0)
_FIRST_LOG_VARIANCE = -4.0
# Half a grey level of contrast, and the energy below which a feature is nothing but rounding.
_LEAST_CONTRAST, _LEAST_ENERGY = 0.5 / 255, 1e-4


@dataclass(frozen=True)
class LatentCode(TraceParams):
    """The random code of an image.

    Args:
        code_seed: Its seed.
    """

    code_seed: Seed


class ToldDegradation(LearnedDegradation):
    """Beside the image, the network reads channels with the position and a random code.

    Subclasses set ``position``, ``without_place`` and ``latent`` before they build the network with
    ``conditions=self.condition_channels``, call :meth:`make_reader`, and implement
    :meth:`generate` with the argument ``conditions``.
    """

    position: bool
    without_place: WithoutPlace
    latent: int

    @property
    def uses_place(self) -> bool:
        """Whether the network sees the position in the photo."""
        return self.position

    @property
    def condition_channels(self) -> int:
        """Channels that the network is told beside the image."""
        return _POSITION * self.position + self.latent

    def make_reader(self) -> None:
        """Build the network that reads codes off pairs in training, if there are codes."""
        if self.latent:
            self.reader = CodeReader(self.stride, self.latent)

    def placed(self, trace: Trace, place: Place | None) -> Trace:
        """Return a trace with the image's place; see :meth:`Degradation.placed`."""
        self.refuse_unknown([place])
        return super().placed(trace, place)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the seed of the code, if there is one."""
        params = self.trace_params()
        if self.latent:
            params |= LatentCode(stream_seed(seed, "code")).to_params()
        return Trace(type(self).__name__, params, size)

    def generate(self, hr: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Degrade a batch, differentiably for training.

        Args:
            hr: HR batch, shape (B, C, H, W).
            conditions: From :meth:`conditions`.
        """
        raise NotImplementedError

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Degrade a batch of unknown place; only codes are drawn from the seeds."""
        if seeds is None and self.latent:
            seeds = torch.randint(2**62, (hr.shape[0],)).tolist()
        return self.forward_at(hr, seeds or (), None)

    def forward_at(
        self, hr: Tensor, seeds: Sequence[int], places: Sequence[Place | None] | None
    ) -> Tensor:
        """Degrade a batch without building traces; see :meth:`Degradation.forward_at`."""
        self.check_input(hr)
        if self.latent:
            self.check_seeds(hr, seeds)
        codes = [stream_seed(int(seed), "code") for seed in seeds] if self.latent else None
        return self.generate(hr, self.conditions(hr, places, self.codes(hr, codes)))

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Degrade a batch; the traces hold places and the seeds of codes, where they are used."""
        places = [place_of(trace) for trace in traces] if self.position else None
        seeds = [trace.read(LatentCode).code_seed for trace in traces] if self.latent else None
        return self.generate(hr, self.conditions(hr, places, self.codes(hr, seeds)))

    def codes(self, hr: Tensor, seeds: Sequence[int] | None) -> Tensor | None:
        """Return the codes of some seeds, standard normal, shape (B, latent); None without."""
        if not self.latent or seeds is None:
            return None
        # Drawn by NumPy on the CPU, so that a seed gives the same code on every device.
        drawn = [np.random.default_rng(seed).standard_normal(self.latent) for seed in seeds]
        array = np.asarray(drawn, np.float32).reshape(len(seeds), self.latent)
        return torch.from_numpy(array).to(hr)

    def conditions(
        self,
        hr: Tensor,
        places: Sequence[Place | None] | None,
        codes: Tensor | None = None,
    ) -> Tensor | None:
        """Return what the network is told beside the image.

        Args:
            hr: HR batch, shape (B, C, H, W).
            places: Where each image lies in its photo; None where that is not known.
            codes: Codes, shape (B, latent); None: 0, the middle of their distribution.

        Returns:
            Shape (B, condition_channels, h, w) on the grid of the network; None if it is told
            nothing.

        Raises:
            DataError: If a place is needed and not known.
        """
        if self.position:
            self.refuse_unknown(self.check_places(hr, places))
        return self.told(hr, places, codes)

    def told(
        self,
        hr: Tensor,
        places: Sequence[Place | None] | None = None,
        codes: Tensor | None = None,
    ) -> Tensor | None:
        """Return :meth:`conditions`, of the optical axis where a place is not known."""
        if not self.condition_channels:
            return None
        count, scale_in = hr.shape[0], self.network.scale_in
        size = (hr.shape[2] // scale_in, hr.shape[3] // scale_in)
        maps = [hr.new_zeros(count, 0, *size)]
        if self.position:
            at = hr.new_zeros(count, _POSITION, *size)
            for number, place in enumerate(places or ()):
                if place is not None:
                    at[number] = field_position(place, size, hr.device).to(hr)
            maps.append(at)
        if self.latent:
            code = hr.new_zeros(count, self.latent) if codes is None else codes
            maps.append(code[:, :, None, None].expand(-1, -1, *size))
        return torch.cat(maps, 1)

    def with_posterior(
        self,
        hr: Tensor,
        lr: Tensor,
        seeds: Sequence[int],
        places: Sequence[Place | None] | None,
    ) -> tuple[Tensor, Tensor]:
        """Generate LR with codes read off the pairs, as a conditional variational autoencoder does.

        Args:
            hr: HR batch, shape (B, C, H, W).
            lr: The real LR, shape (B, C, h, w).
            seeds: One per image, for the draw around what was read.
            places: As for :meth:`conditions`.

        Returns:
            LR, and the divergence of each image's posterior from the standard normal prior, in
            nats, shape (B,).

        Source:
            Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014, appendix B; Sohn, Lee
            and Yan, Learning Structured Output Representation using Deep Conditional Generative
            Models, NeurIPS 2015.
        """
        mean, log_variance = self.reader(luma_of(hr), luma_of(lr))
        noise = self.codes(hr, [stream_seed(int(seed), "posterior") for seed in seeds])
        assert noise is not None
        code = mean + noise * (log_variance / 2).exp()
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return self.generate(hr, self.conditions(hr, places, code)), divergence

    def refuse_unknown(self, places: Sequence[Place | None]) -> None:
        """Raise DataError if a place is not known and ``without_place`` is ``"refuse"``."""
        if self.without_place == "refuse" and any(place is None for place in places):
            raise DataError(
                f"{type(self).__name__} depends on where an image lies in its photo, and that is"
                " not known here: give whole photos (whole_photos=True for a data set of them), or"
                " set without_place='centre' to degrade the image as if on the optical axis."
            )


class CodeReader(nn.Module):
    """Reads the mean and log variance of an image's code off HR and LR; used in training alone.

    Args:
        stride: HR pixels per LR pixel.
        latent: Numbers in a code.
    """

    def __init__(self, stride: int, latent: int) -> None:
        super().__init__()
        self.stride = stride
        self.features = nn.Sequential(
            nn.Conv2d(stride**2 + 1, _WIDTH, 5, padding=2),
            nn.Softplus(beta=20),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
        )
        self.last = nn.Linear(_WIDTH, 2 * latent)
        # Codes that begin as random as the prior would teach the field to ignore them.
        with torch.no_grad():
            self.last.bias[latent:] = _FIRST_LOG_VARIANCE

    def forward(self, hr: Tensor, lr: Tensor) -> tuple[Tensor, Tensor]:
        """Read the luma of pairs, (B, 1, H, W) and (B, 1, h, w): two tensors (B, latent)."""
        seen = torch.cat([nn.functional.pixel_unshuffle(hr, self.stride), lr], 1)
        seen = seen - seen.mean((2, 3), keepdim=True)
        # Contrast as such says little: blur shows in the ratio of what passes different filters.
        seen = seen / (seen[:, -1:].std((1, 2, 3), keepdim=True) + _LEAST_CONTRAST)
        energy = self.features(seen).square().mean((2, 3))
        mean, log_variance = self.last((energy + _LEAST_ENERGY).log()).chunk(2, 1)
        return mean, log_variance.clamp(*_LOG_VARIANCE)
