"""The encoder-decoder of the deep image prior, whose levels are joined by narrow skips."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.2


class SkipNetwork(nn.Module):
    """The network "skip": every level halves the image, and gives its decoder a few channels.

    Each level: a convolution of stride 2 and another one downwards; bilinear enlargement, joined
    with the skip (1 x 1), batch normalisation, a convolution and a 1 x 1 one upwards. All are
    followed by batch normalisation and a leaky ReLU of slope 0.2, borders are mirrored, and the
    last layer is a sigmoid.

    Args:
        inputs: Channels of the noise.
        channels: Channels of the image.
        width: Channels downwards and upwards.
        skip: Channels of the skips.
        levels: Number of levels.
        similar_from: The first level, from 0, whose encoder compares all its places with each
            other (FKP's DIP has it from 2); None: none does.

    Shape:
        (1, ``inputs``, H, W) -> (1, ``channels``, H, W) with H and W above ``2**levels``.

    Source:
        models/skip.py of DmitryUlyanov/deep-image-prior (skip_n33d = skip_n33u = 128,
        skip_n11 = 4, num_scales = 5, upsample_mode "bilinear"); with comparisons
        DIPFKP/model/networks.py of JingyunLiang/FKP, commit 127c121.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        width: int,
        skip: int,
        levels: int,
        similar_from: int | None = None,
    ) -> None:
        super().__init__()
        first = levels if similar_from is None else similar_from
        parts = [_Level(width if n else inputs, width, skip, n >= first) for n in range(levels)]
        self.levels = nn.ModuleList(parts)
        self.last = nn.Conv2d(width, channels, 1)

    def forward(self, noise: Tensor) -> Tensor:
        """Return an image in (0, 1)."""
        seen = [noise]
        for level in self._parts():
            seen.append(level.down(seen[-1]))
        x = seen.pop()
        for level in reversed(self._parts()):
            x = level.up(x, seen.pop())
        return torch.sigmoid(self.last(x))

    def _parts(self) -> list[_Level]:
        return cast("list[_Level]", list(self.levels))


class _Level(nn.Module):
    def __init__(self, into: int, width: int, skip: int, similar: bool) -> None:
        super().__init__()
        compared = [_Similar(width)] if similar else []
        self.encoder = nn.Sequential(_layer(into, width, 3, 2), *compared, _layer(width, width, 3))
        self.skip = _layer(into, skip, 1)
        self.joined = nn.BatchNorm2d(width + skip)
        self.decoder = nn.Sequential(_layer(width + skip, width, 3), _layer(width, width, 1))

    def down(self, x: Tensor) -> Tensor:
        made: Tensor = self.encoder(x)
        return made

    def up(self, deeper: Tensor, x: Tensor) -> Tensor:
        deeper = F.interpolate(deeper, scale_factor=2, mode="bilinear", align_corners=False)
        # An odd side was rounded up on the way down: its middle is kept, as in the program.
        top, left = ((a - b) // 2 for a, b in zip(deeper.shape[-2:], x.shape[-2:], strict=True))
        deeper = deeper[..., top : top + x.shape[-2], left : left + x.shape[-1]]
        made: Tensor = self.decoder(self.joined(torch.cat([self.skip(x), deeper], dim=1)))
        return made


class _Similar(nn.Module):
    """Adds to each place the mean of all places, weighted by their similarity to it.

    The dot-product form of Wang et al., Non-local Neural Networks, CVPR 2018, with every second row
    and column of the places that are compared with. It begins as the identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(width // 2, 1)
        self.value, self.key, self.query = (nn.Conv2d(width, inner, 1) for _ in range(3))
        self.out = nn.Sequential(nn.Conv2d(inner, width, 1), nn.BatchNorm2d(width))
        normalisation = self.out[1]
        assert isinstance(normalisation, nn.BatchNorm2d)
        nn.init.zeros_(normalisation.weight)

    def forward(self, x: Tensor) -> Tensor:
        value, key = (F.max_pool2d(part(x), 2).flatten(2) for part in (self.value, self.key))
        likeness = self.query(x).flatten(2).transpose(1, 2) @ key / key.shape[2]
        mean = value @ likeness.transpose(1, 2)
        made: Tensor = self.out(mean.unflatten(2, x.shape[2:]))
        return x + made


def _layer(into: int, out: int, side: int, stride: int = 1) -> nn.Sequential:
    # For 1 x 1 convolutions the padding is 0.
    convolution = nn.Conv2d(
        into, out, side, stride, padding=side // 2, padding_mode="reflect" if side > 1 else "zeros"
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.LeakyReLU(_SLOPE))
