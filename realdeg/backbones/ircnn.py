"""IRCNN: a dilated network that predicts the noise of an image."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import check_counts, draw_he
from realdeg.backbones.parts.common import pre_upsampling_halo
from realdeg.errors import CheckpointError, ConfigError
from realdeg.registry import BACKBONES

DILATIONS: tuple[int, ...] = (1, 2, 3, 4, 3, 2, 1)
LEVELS = 25
"""Networks in a published file, one for each noise level 2, 4, ..., 50 of 255."""


def denoiser_level(sigma: float) -> int:
    """Return which network of a published file is for a noise level.

    Args:
        sigma: Standard deviation of the noise, in units of 1/255.

    Returns:
        0 to 24, as the files count.
    """
    # Logarithmic steps miss whole numbers by a last bit, and the next network would be taken.
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
    and takes off what it holds for noise. The paper instead plugs 25 of them, one for each noise
    level, into an optimisation: :class:`~realdeg.backbones.ircnn_hqs.IRCNNHQS`.

    185,857 parameters in grey, 188,163 in colour.

    Args:
        scale: How much resolution is lost; tells only how far an LR pixel reaches.
        same_size: The LR image lies on the HR grid.
        width: Channels of the hidden layers.
        colour: ``"y"`` (grey) or ``"rgb"``.
        sigma: Noise level that the network is for, in units of 1/255: which of the 25 networks
            of a published file is loaded.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Raises:
        ConfigError: If width, colour or noise level make no network.

    Source:
        Zhang, Zuo, Gu, Zhang, Learning Deep CNN Denoiser Prior for Image Restoration, CVPR 2017.
        Keys follow ircnn_gray.pth and ircnn_color.pth of cszn/DPIR.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    def __init__(
        self,
        scale: int = 4,
        same_size: bool = False,
        width: int = 64,
        colour: Colour = "y",
        sigma: float = 15.0,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        check_counts("IRCNN", width=width)
        if not 0 < sigma < math.inf:
            raise ConfigError(f"sigma of IRCNN is {sigma!r}: it must be above 0, such as 15.")
        self.sigma = sigma
        self.halo = pre_upsampling_halo(sum(DILATIONS), scale, same_size)
        self.model = dilated_layers(self.channels, width)
        draw_he(self)

    @classmethod
    def example(cls) -> IRCNN:
        """Return a network 6 wide."""
        return cls(scale=2, width=6)

    def forward(self, lr: Tensor) -> Tensor:
        """Take the predicted noise off the image (B, C, H, W) in [0, 1]."""
        return lr - self.model(lr)

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Pick the network of this noise level out of the 25 of a published file."""
        if not is_set_of_denoisers(state):
            check_depth(state, "model.", where)
            return dict(state)
        return one_of(state, denoiser_level(self.sigma), where)


def is_set_of_denoisers(state: Mapping[str, Tensor]) -> bool:
    """Say whether tensors are named as in a file of 25 networks: ``7.model.0.weight``."""
    return bool(state) and all(re.match(r"\d+\.model\.\d+\.", name) for name in state)


def one_of(state: Mapping[str, Tensor], level: int, where: str) -> dict[str, Tensor]:
    """Return the tensors of one network of a file of 25.

    Args:
        state: All tensors, named ``7.model.0.weight``.
        level: Which network, from 0.
        where: The file, for messages.

    Returns:
        The tensors, named ``model.0.weight``.

    Raises:
        CheckpointError: If the file has no such network, or its networks are of another form.
    """
    prefix = f"{level}."
    found = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    if not found:
        raise CheckpointError(
            f"{where} holds no denoiser number {level} (noise level {2 * level + 2} of 255)."
        )
    check_depth(found, "model.", where)
    return found


def check_depth(state: Mapping[str, Tensor], prefix: str, where: str) -> None:
    """Refuse DnCNN, whose names are the same but for the number of layers.

    Args:
        state: Tensors of one network.
        prefix: What stands before the number of the layer.
        where: The file, for messages.

    Raises:
        CheckpointError: If there is another number of convolutions.
    """
    found = sum(name.startswith(prefix) and name.endswith(".weight") for name in state)
    if found and found != len(DILATIONS):
        raise CheckpointError(
            f"the weights in {where} have {found} convolutions, IRCNN has {len(DILATIONS)}: they"
            " are of another denoiser with the same names, DnCNN perhaps."
        )
