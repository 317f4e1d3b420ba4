"""Low-to-High: the second stage of Bulat et al., which super-resolves faces."""

from __future__ import annotations

from math import ceil
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import MOST, Number
from realdeg.backbones.readings import count, doublings, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

_AUTHORS = Dialect(
    "jingyang2017/Face-and-Image-super-resolution",
    marks=(r"layers_in\.weight", r"a[12]\.0\.weight"),
    # Their network has the skip connections of all levels, used or not.
    spare=r"a[12]\..*",
)


@BACKBONES.register_module()
class LowToHigh(Backbone):
    """Residual network in levels, each of which ends in a bilinear enlargement by 2.

    A level is a sequence of pre-activation residual blocks with a connection around all of them.
    Most blocks are at the input's size. Channels shrink from level to level (256, 128, 96), and so
    does the tail: a 3 x 3 and two 1 x 1 convolutions, then (tanh + 1) / 2. 15,478,019 parameters
    at x4. Running means of the normalisation are part of the weights.

    Enlargement aligns the corners of the image, so a tile is not enlarged exactly as the same part
    of the whole image.

    Args:
        scale: 2, 4 or 8; the paper's is 4. The authors' code provides for a third level, 8, which
            it does not use.
        width: Channels of the first level; the others have 1/2 and 3/8 of it.
        num_blocks: Blocks of the first level.
        later_blocks: Blocks of each later level.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Bulat, Yang, Tzimiropoulos, To learn image super-resolution, use a GAN to learn how to do
        image degradation first, ECCV 2018 (jingyang2017/Face-and-Image-super-resolution at
        0351b5f, model.py, GEN_DEEP). Names in the state dict are those of that code.
    """

    scales: tuple[int, ...] | None = (2, 4, 8)
    whole_image: bool = True

    dialects = (_AUTHORS,)
    form_readings = {
        "scale": doublings(r"layers_set_final_up\.(\d+)\.3\.weight"),
        "width": size("layers_in.weight"),
        "num_blocks": count(r"layers_set_final\.0\.(\d+)\.conv1\.weight"),
        "later_blocks": count(r"layers_set_final\.1\.(\d+)\.conv1\.weight"),
    }
    example_arguments = {"scale": 2, "width": 8, "num_blocks": 1, "later_blocks": 1}

    def __init__(
        self,
        scale: Scale = 4,
        width: Annotated[int, Interval(ge=4, le=MOST)] = 256,
        num_blocks: Number = 12,
        later_blocks: Number = 3,
    ) -> None:
        super().__init__(scale=scale)
        self.levels = int(scale).bit_length() - 1
        widths = [width, width // 2, 3 * width // 8]
        before = [width, *widths]
        self.layers_in = nn.Conv2d(3, width, 3, padding=1, bias=False)
        for level in range(1, self.levels):
            skip = nn.Sequential(nn.Conv2d(before[level], widths[level], 1))
            self.add_module(f"a{level}", skip)
        self.layers_set_final = nn.ModuleList()
        self.layers_set_final_up = nn.ModuleList()
        for level, features in enumerate(widths[: self.levels]):
            repeats = later_blocks if level else num_blocks
            blocks = [
                _Block(before[level] if n == 0 else features, features) for n in range(repeats)
            ]
            self.layers_set_final.append(nn.Sequential(*blocks))
            self.layers_set_final_up.append(
                nn.Sequential(
                    nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
                    nn.BatchNorm2d(features),
                    nn.ReLU(),
                    nn.ConvTranspose2d(features, features, 1),
                )
            )
        # Convolutions of a level and its enlargement, each of 2**level pixels to one of the input.
        reach = [1 + 2 * num_blocks + 1]
        reach += [(2 * later_blocks + 1) / 2**level for level in range(1, self.levels)]
        self.halo = ceil(sum(reach) + 1 / 2**self.levels)
        last = widths[-1]
        self.main = nn.Sequential(
            nn.Conv2d(widths[self.levels - 1], last, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(last, last, 1),
            nn.ReLU(),
            nn.Conv2d(last, 3, 1),
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]; the network works on [-1, 1]."""
        x = self.layers_in(2 * lr - 1)
        stages = zip(self.layers_set_final, self.layers_set_final_up, strict=True)
        for level, (blocks, enlarge) in enumerate(stages):
            skip = getattr(self, f"a{level}")(x) if level else x
            x = enlarge(blocks(x) + skip)
        return torch.tanh(self.main(x)).add(1).div(2)


class _Block(nn.Module):
    """Normalisation, ReLU and convolution, twice, beside the input or a 1 x 1 convolution of it."""

    def __init__(self, inputs: int, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, features, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(features)
        self.skip = None if inputs == features else nn.Conv2d(inputs, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(F.relu(self.bn1(x)))
        inner = self.conv2(F.relu(self.bn2(inner)))
        return inner + (x if self.skip is None else self.skip(x))
