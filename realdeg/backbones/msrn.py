"""MSRN: blocks of two kernel sizes whose outputs are all kept."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import MeanShift, Upsampler
from realdeg.backbones.readings import count, has, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class MultiScaleBlock(nn.Module):
    """Two rounds of 3x3 and 5x5 convolutions side by side, each seeing both before it.

    Source:
        MSRN, section 3.1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv_3_1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_3_2 = nn.Conv2d(2 * features, 2 * features, 3, padding=1)
        self.conv_5_1 = nn.Conv2d(features, features, 5, padding=2)
        self.conv_5_2 = nn.Conv2d(2 * features, 2 * features, 5, padding=2)
        self.confusion = nn.Conv2d(4 * features, features, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        once = torch.cat([self.conv_3_1(features), self.conv_5_1(features)], 1).relu_()
        twice = torch.cat([self.conv_3_2(once), self.conv_5_2(once)], 1).relu_()
        return self.confusion(twice) + features


@BACKBONES.register_module()
class MSRN(Backbone):
    """Multi-scale residual network.

    Here "scale" means kernel size. The outputs of all blocks and of the head are concatenated
    (blocks first) before they are upsampled. With the 24 numbers of the mean shift it has
    5,930,331 parameters at x2, 6,114,971 at x3, 6,078,043 at x4 and 6,225,755 at x8.

    Args:
        scale: 2, 3, 4 or 8.
        features: Channels.
        num_blocks: Multi-scale blocks.
        mean_shift: Work on [0, 255] with the DIV2K mean subtracted, as the authors' weights do;
            otherwise on [0, 1]. Weights that contain the mean's tensors but were trained without
            them load with ``ignore=("sub_mean.", "add_mean.")``.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Li, Fang, Mei, Zhang, Multi-scale Residual Network for Image Super-Resolution, ECCV 2018.
        Keys follow MIVRC/MSRN-PyTorch (its RGB version; the older one on Y is another network).
    """

    value_range: float = 255.0
    scales: tuple[int, ...] | None = (2, 3, 4, 8)

    form_readings = {
        "scale": shuffled(r"tail\.2\.\d+\.weight", size("head.0.weight")),
        "features": size("head.0.weight"),
        "num_blocks": count(r"body\.(\d+)\.confusion\.weight"),
        "mean_shift": has("sub_mean.bias", given="tail.3.weight"),
    }
    example_arguments = {"scale": 2, "features": 3, "num_blocks": 2}

    def __init__(
        self,
        scale: Scale = 4,
        features: Number = 64,
        num_blocks: Number = 8,
        mean_shift: bool = True,
    ) -> None:
        super().__init__(scale=scale)
        self.value_range = 255.0 if mean_shift else 1.0
        self.sub_mean = MeanShift(255.0, -1) if mean_shift else None
        self.add_mean = MeanShift(255.0, +1) if mean_shift else None
        self.head = nn.Sequential(nn.Conv2d(3, features, 3, padding=1))
        self.body = nn.ModuleList(MultiScaleBlock(features) for _ in range(num_blocks))
        self.tail = nn.Sequential(
            nn.Conv2d((num_blocks + 1) * features, features, 1),
            nn.Conv2d(features, features, 3, padding=1),
            Upsampler(scale, features),
            nn.Conv2d(features, 3, 3, padding=1),
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, ``value_range``]."""
        head = self.head(lr if self.sub_mean is None else self.sub_mean(lr))
        features, outputs = head, []
        for block in self.body:
            features = block(features)
            outputs.append(features)
        image = self.tail(torch.cat([*outputs, head], 1))
        return image if self.add_mean is None else self.add_mean(image)
