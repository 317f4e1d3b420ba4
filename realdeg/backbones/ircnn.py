"""IRCNN: a dilated network that predicts the noise of an image."""

from __future__ import annotations

import math
import re
from collections import Counter

from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number, draw_he
from realdeg.backbones.readings import colour_of, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Positive, Scale

DILATIONS: tuple[int, ...] = (1, 2, 3, 4, 3, 2, 1)
LEVELS = 25
"""Networks in a published file, for the noise levels 2, 4, ..., 50 (of 255)."""


def _refuse_dncnn(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Refuse DnCNN, which has the same names but another number of layers."""
    layers = Counter(
        match[1] for name in state if (match := re.fullmatch(r"(.*?)model\.\d+\.weight", name))
    )
    for found in layers.values():
        if found != len(DILATIONS):
            raise ValueError(
                f"have {found} convolutions, IRCNN has {len(DILATIONS)}: they are of another"
                " denoiser with the same names, DnCNN perhaps."
            )
    return state


DENOISERS = Dialect("cszn/DPIR", parts=r"\d+\.model\.", convert=_refuse_dncnn)
DENOISER_READINGS = {
    "width": size(r"(nets\.)?(\d+\.)?model\.0\.weight"),
    "colour": colour_of(r"(nets\.)?(\d+\.)?model\.0\.weight", 1),
}


def denoiser_level(sigma: float) -> int:
    """Return the index (0 to 24) of the network in a published file for a noise level.

    Args:
        sigma: Standard deviation of the noise, in units of 1/255.
    """
    # Logarithmic steps miss whole numbers by a rounding error, which would select the next network.
    return min(LEVELS, max(1, math.ceil(sigma / 2 - 1e-9))) - 1


def dilated_layers(channels: int, width: int) -> nn.Sequential:
    """Return seven 3x3 convolutions, dilated by 1, 2, 3, 4, 3, 2, 1, with ReLUs between.

    Args:
        channels: Channels in and out.
        width: Channels of the hidden layers.
    """
    layers: list[nn.Module] = []
    sizes = [channels, *[width] * (len(DILATIONS) - 1), channels]
    for a, b, step in zip(sizes, sizes[1:], DILATIONS, strict=False):
        layers += [nn.Conv2d(a, b, 3, padding=step, dilation=step), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


@BACKBONES.register_module()
class IRCNN(Backbone):
    """The dilated denoiser: seven convolutions that see 33 pixels and predict the noise.

    It keeps the image's size, so as a super-resolution network it runs on the interpolated image
    and subtracts what it considers noise. The paper instead uses 25 of them, one for each noise
    level, in an optimisation: :class:`~realdeg.backbones.ircnn_hqs.IRCNNHQS`.

    185,857 parameters in grey, 188,163 in colour.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        width: Channels of the hidden layers.
        colour: ``"y"`` (grey) or ``"rgb"``.
        sigma: Noise level in units of 1/255: selects one of the 25 networks of a published file.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Zhang, Zuo, Gu, Zhang, Learning Deep CNN Denoiser Prior for Image Restoration, CVPR 2017.
        Keys follow ircnn_gray.pth and ircnn_color.pth of cszn/DPIR.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    dialects = (DENOISERS,)
    form_readings = DENOISER_READINGS
    example_arguments = {"scale": 2, "width": 6}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        width: Number = 64,
        colour: Colour = "y",
        sigma: Positive = 15.0,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.sigma = sigma
        self.model = dilated_layers(self.channels, width)
        draw_he(self)

    def parts_of(self) -> dict[str, str]:
        """Return this noise level's network, one of 25 in a published file."""
        return {f"{denoiser_level(self.sigma)}.": ""}

    def forward(self, lr: Tensor) -> Tensor:
        """Subtract the predicted noise from the image (B, C, H, W) in [0, 1]."""
        return lr - self.model(lr)
