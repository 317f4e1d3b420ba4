"""Find the weights of an autoregression by least squares, from sums over pixels."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.primitives.autoregression import number_of_taps, past_offsets

# Side of the squares that belong to one half or the other, as on a chessboard.
_SQUARE = 16
# Shares of the sum of squares that are added to those of the past; the one that predicts the other
# half best is taken.
_RIDGES = (1e-3, 1e-2, 1e-1, 1.0)


class Fit(NamedTuple):
    """What least squares found."""

    taps: Tensor
    """Weights of the past, shape (3, 3, N)."""
    within: Tensor
    """Weights within the pixel, shape (3,)."""
    left: Tensor
    """The mean square of what they do not predict where they were not fitted, shape (3,)."""

    def between_levels(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights between values that are divided by a level of their channel, (3,)."""
        ratio = levels / levels[:, None]
        within = self.within * torch.stack([ratio[0, 1], ratio[2, 1], ratio[2, 0]])
        return self.taps * ratio[:, :, None], within


def regression_sums(seen: Tensor, wanted: Tensor, weight: Tensor, radius: int) -> Tensor:
    """Return what least squares need to know of some images; it may be added up over images.

    Args:
        seen: What is predicted from, shape (B, 3, H, W).
        wanted: What is predicted, of the same shape.
        weight: How much each pixel counts, 0 or more, shape (B, 1, H, W).
        radius: How many rows and columns the past reaches back.

    Returns:
        Weighted sums of the products of any two of: the past (channel by channel), the pixel's own
        red and green, the three values that are predicted, and 1; of two halves of each image,
        shape (2, P, P). Float64, on the CPU, as not every accelerator has float64.
    """
    height, width = seen.shape[2:]
    counted = weight[:, 0] > 0
    padded = F.pad(seen, (radius, radius, radius, 0))
    past = [
        padded[..., radius + row :, radius + column :][..., :height, :width]
        for row, column in past_offsets(radius)
    ]
    here = [image.movedim(1, 0)[:, counted] for image in (seen[:, :2], wanted)]
    before = torch.stack([image.movedim(1, 0)[:, counted] for image in past], 1) if past else None
    parts = [*([] if before is None else [before.flatten(0, 1)]), *here]
    table = torch.cat([*parts, torch.ones_like(here[0][:1])]).cpu().double()
    rows, columns = (torch.arange(side) // _SQUARE for side in (height, width))
    square = (rows[:, None] + columns).expand(counted.shape)[counted.cpu()]
    given = weight[:, 0][counted].cpu().double()
    return torch.stack([(table * (given * (square % 2 == half))) @ table.T for half in (0, 1)])


def fit_autoregression(sums: Tensor, radius: int, colour: bool = True) -> Fit | None:
    """Return weights of ridge regression.

    How far weights are shrunk is decided by how well those of one half predict the other, and they
    stay 0 where that is no better: flat pixels may be few.

    Args:
        sums: Of :func:`regression_sums`.
        radius: As there.
        colour: Whether the channels are predicted from each other.

    Returns:
        None if there are no pixels in one of the halves.
    """
    count = number_of_taps(radius)
    red, green, goals = 3 * count, 3 * count + 1, 3 * count + 2
    taps, within, left = (sums.new_zeros(shape) for shape in ((3, 3, count), 3, 3))
    # In the order of ``within``: red from green, blue from green and from red.
    pairs = {0: ([green], [0]), 1: ([], []), 2: ([green, red], [1, 2])}
    whole = sums.sum(0)
    for channel in range(3):
        sources = range(3) if colour else range(channel, channel + 1)
        here, places = pairs[channel] if colour else ([], [])
        past = [source * count + tap for source in sources for tap in range(count)]
        chosen, goal = [*past, *here], goals + channel
        if not bool(sums.isfinite().all() and (sums[:, goal, goal] > 0).all()):
            return None
        rests = {
            ridge: sum(
                _rest(other, chosen, goal, _solved(own, chosen, goal, ridge))
                for own, other in (sums, sums.flip(0))
            )
            for ridge in _RIDGES
        }
        best = min(rests, key=lambda ridge: rests[ridge])
        left[channel] = min(rests[best], float(whole[goal, goal])) / whole[-1, -1]
        if rests[best] < float(whole[goal, goal]):
            found = _solved(whole, chosen, goal, best)
            taps[channel, list(sources)] = found[: len(past)].view(len(sources), count)
            within[places] = found[len(past) :]
    return Fit(taps, within, left)


def _solved(sums: Tensor, chosen: list[int], goal: int, ridge: float) -> Tensor:
    added = torch.eye(len(chosen)).to(sums) * (ridge * sums[goal, goal])
    return torch.linalg.solve(sums[chosen][:, chosen] + added, sums[chosen, goal])


def _rest(sums: Tensor, chosen: list[int], goal: int, weights: Tensor) -> float:
    """Return the sum of squares that weights leave."""
    rest = sums[goal, goal] - 2 * weights @ sums[chosen, goal]
    return float(rest + weights @ sums[chosen][:, chosen] @ weights)
