"""Parts that the CARN family shares."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from realdeg.backbones.parts.common import MeanShift, upsampling_steps


def body(*layers: nn.Module) -> nn.Sequential:
    """Chain layers under the key ``body``, as in the family's weights."""
    return nn.Sequential(OrderedDict(body=nn.Sequential(*layers)))


def shifter(sign: int) -> nn.Sequential:
    """Return the DIV2K mean shift on [0, 1] under the family's key ``shifter``; sign -1 or +1."""
    return nn.Sequential(OrderedDict(shifter=MeanShift(1.0, sign)))


class Residual(nn.Module):
    """Two 3x3 convolutions and the input added, or the mobile form: two grouped ones and a 1x1.

    Args:
        features: Channels.
        groups: Groups of the 3x3 convolutions.
        mobile: Whether a 1x1 convolution follows.

    Source:
        CARN, figure 4 and section 3.3.
    """

    def __init__(self, features: int, groups: int = 1, mobile: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(features, features, 3, padding=1, groups=groups),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, padding=1, groups=groups),
        ]
        if mobile:
            layers += [nn.ReLU(inplace=True), nn.Conv2d(features, features, 1)]
        self.body = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return torch.relu_(self.body(features) + features)


def fusion(features: int, inputs: int) -> nn.Sequential:
    """Return CARN's fusion of several cascade outputs: a 1x1 convolution and a ReLU."""
    return body(nn.Conv2d(inputs * features, features, 1), nn.ReLU(inplace=True))


def cascade(features: Tensor, blocks: Sequence[nn.Module], fusions: Sequence[nn.Module]) -> Tensor:
    """Run blocks in turn, each on the fusion of everything before it; return the last fusion.

    Args:
        features: (B, C, H, W).
        blocks: From C channels to C.
        fusions: The i-th from (i + 2) C channels to C.
    """
    stacked = features
    for block, fuse in zip(blocks, fusions, strict=True):
        stacked = torch.cat([stacked, block(features)], 1)
        features = fuse(stacked)
    return features


class Cascade(nn.Module):
    """Three blocks in cascade (the paper's cascading block, when they are residual blocks).

    Args:
        block: Makes one block.
        fuse: Makes the fusion of that many inputs.
        shared: The three are one and the same block.

    Source:
        CARN, figure 3.
    """

    def __init__(
        self,
        block: Callable[[], nn.Module],
        fuse: Callable[[int], nn.Module],
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.shared = shared
        self.b1 = block()
        if not shared:
            self.b2, self.b3 = block(), block()
        self.c1, self.c2, self.c3 = fuse(2), fuse(3), fuse(4)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        blocks = [self.b1] * 3 if self.shared else [self.b1, self.b2, self.b3]
        return cascade(features, blocks, [self.c1, self.c2, self.c3])


class ReLUUpsampler(nn.Module):
    """Convolution, ReLU and pixel shuffle per step of a factor of 3 or a power of two."""

    def __init__(self, factor: int, features: int, groups: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for step in upsampling_steps(factor):
            layers += [
                nn.Conv2d(features, step**2 * features, 3, padding=1, groups=groups),
                nn.ReLU(inplace=True),
                nn.PixelShuffle(step),
            ]
        self.body = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return self.body(features)


class ScaleHeads(nn.Module):
    """One upsampler for each scale, one of which is used in a call.

    Args:
        factors: Upsampler by name (``"up2"``, or ``"up"`` where there is one only) and its factor.
        features: Channels.
        groups: Groups of the convolutions.
    """

    def __init__(self, factors: dict[str, int], features: int, groups: int = 1) -> None:
        super().__init__()
        for name, factor in factors.items():
            self.add_module(name, ReLUUpsampler(factor, features, groups))

    def forward(self, features: Tensor, name: str) -> Tensor:
        """Run the upsampler of that name on (B, C, h, w)."""
        return self.get_submodule(name)(features)
