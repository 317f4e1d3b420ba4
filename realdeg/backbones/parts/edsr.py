"""What the networks that grew out of EDSR share: mean, head, body, tail, and their dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Rule
from realdeg.backbones.parts.classic import draw_he
from realdeg.backbones.parts.common import (
    DIV2K_MEAN,
    MeanShift,
    Upsampler,
    pad_to_multiple,
)
from realdeg.backbones.readings import Reading, State, colour_of, has, shape_of, shuffled, size
from realdeg.errors import ConfigError

# BasicSR's names outside the blocks; head.1 follows a pixel unshuffle.
BASICSR_NAMES: tuple[Rule, ...] = (
    (r"^conv_first\.", "head.{head}."),
    (r"^conv_after_body\.", "body.{body}."),
    (r"^upsample\.", "tail.0."),
    (r"^conv_last\.", "tail.1."),
)
BASICSR_KEEPS = r"(sub|add)_mean\..*"
"""What BasicSR and mmagic do outside the network."""


def basicsr_head(state: State) -> int:
    """Return the index of the first convolution in the head, from BasicSR's names."""
    return 0 if colour_of("conv_first.weight", 1)(state) else 1


def read_value_range(state: State) -> float | None:
    """Read the value range from a mean shift."""
    bias = state.get("sub_mean.bias")
    if bias is None or bias.numel() != 3:
        return None
    return float(f"{float(-bias.double().mean()) / (sum(DIV2K_MEAN) / 3):.4g}")


MEAN_READINGS: Mapping[str, Reading] = {
    "mean_shift": has("sub_mean.bias", given=r"tail\.[01]\.weight"),
    "value_range": read_value_range,
}


def _folded(state: State) -> int | None:
    """Read the factor of the pixel unshuffle at the input."""
    image, head = shape_of(state, "tail.1.weight"), shape_of(state, "head.1.weight")
    if not image:
        return None
    return isqrt(head[1] // max(image[0], 1)) if head else 1


def _gain(state: State) -> int | None:
    """Read output over input size."""
    fold = _folded(state)
    factor = shuffled(r"tail\.0\.\d+\.weight", size("tail.1.weight", 1))(state)
    return factor // fold if fold and factor else None


def _scale(state: State) -> int | None:
    gain = _gain(state)
    return gain if gain != 1 else None  # equal sizes do not determine the scale


def _same_size(state: State) -> bool | None:
    gain = _gain(state)
    return None if gain is None else gain == 1


class ResBlock(nn.Module):
    """Convolution, ReLU, convolution, scaled, and the input added.

    Args:
        features: Channels.
        kernel_size: Side of the kernels, odd.
        res_scale: The factor of the residual.

    Source:
        EDSR, section 3.1; the factor from its section 3.3.
    """

    def __init__(self, features: int, kernel_size: int = 3, res_scale: float = 1.0) -> None:
        super().__init__()
        self.res_scale = res_scale
        pad = kernel_size // 2
        self.body = nn.Sequential(
            nn.Conv2d(features, features, kernel_size, padding=pad),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, kernel_size, padding=pad),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return torch.add(features, self.body(features), alpha=self.res_scale)


class EDSRFamily(Backbone):
    """Subtract the mean, convolution, body with a long skip, sub-pixel upsampling, add the mean.

    A subclass calls :meth:`assemble` with its blocks. In RGB the networks work on [0, 255] and
    subtract the DIV2K mean, as the published weights require; in Y on [0, 1] without a mean. If LR
    and HR have the same size, the input is rearranged to a coarser grid first (pixel unshuffle)
    and the tail upsamples back.

    Source:
        Lim, Son, Kim, Nah, Lee, Enhanced Deep Residual Networks for Single Image
        Super-Resolution, CVPRW 2017, with the input's unshuffle after the community's RCAN.
    """

    colour: Colour = "rgb"
    value_range: float = 255.0
    scales: tuple[int, ...] | None = (2, 3, 4, 8)
    upsample = "post"
    same_size_form = "unshuffle"
    form_readings = {
        "scale": _scale,
        "same_size": _same_size,
        "unshuffle": _folded,
        "num_features": size(r"head\.[01]\.weight"),
        "colour": colour_of("tail.1.weight", 0),
    }
    meaning_readings = MEAN_READINGS

    def assemble(
        self,
        blocks: Sequence[nn.Module],
        features: int,
        mean_shift: bool | None,
        value_range: float | None,
        unshuffle: int | None,
    ) -> None:
        """Create the layers and the metadata that depend on them.

        Args:
            blocks: The body without its last convolution.
            features: Channels.
            mean_shift: Subtract the mean colour; None: in RGB yes, in Y no.
            value_range: The value of white; None: 255 with mean shift, otherwise 1.
            unshuffle: Factor of the pixel unshuffle at the input; None: 4 with ``same_size``,
                otherwise 1.
        """
        shift = self.colour == "rgb" if mean_shift is None else mean_shift
        fold = (4 if self.same_size else 1) if unshuffle is None else unshuffle
        name = type(self).__name__
        if shift and self.colour != "rgb":
            raise ConfigError(
                f"{name}(mean_shift=True) shifts three colours: use it with colour='rgb'."
            )
        self.value_range = (255.0 if shift else 1.0) if value_range is None else value_range
        self.num_features, self.last = features, len(blocks)
        self.unshuffle = self.size_multiple = fold
        factor = fold * (1 if self.same_size else self.scale)

        self.sub_mean = MeanShift(self.value_range, -1) if shift else None
        self.add_mean = MeanShift(self.value_range, +1) if shift else None
        first = nn.Conv2d(self.channels * fold**2, features, 3, padding=1)
        # The convolution's key is head.1 in the unshuffled form and head.0 otherwise.
        self.head = nn.Sequential(*([nn.PixelUnshuffle(fold)] if fold > 1 else []), first)
        self.body = nn.Sequential(*blocks, nn.Conv2d(features, features, 3, padding=1))
        self.tail = nn.Sequential(
            Upsampler(factor, features),
            nn.Conv2d(features, self.channels, 3, padding=1),
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, ``value_range``]."""
        height, width = self.output_size(*lr.shape[-2:])
        image = pad_to_multiple(lr, self.unshuffle)
        if self.sub_mean is not None:
            image = self.sub_mean(image)
        features = self.head(image)
        image = self.tail(self.body(features).add(features))
        if self.add_mean is not None:
            image = self.add_mean(image)
        return image[..., :height, :width]


def draw_small(network: nn.Module, factor: float = 0.1) -> None:
    """Initialise convolutions after He et al., times a factor (ESRGAN's), and biases with zero."""
    draw_he(network)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.mul_(factor)
