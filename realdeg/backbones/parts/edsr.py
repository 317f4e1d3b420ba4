"""What the networks that grew out of EDSR share: mean, head, body, tail, and their dialects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.classic import check_counts, draw_he
from realdeg.backbones.parts.common import (
    DIV2K_MEAN,
    MeanShift,
    Upsampler,
    pad_to_multiple,
    post_upsampling_halo,
)
from realdeg.errors import CheckpointError, ConfigError

# BasicSR's names outside the blocks, with the places that depend on the instance in braces.
BASICSR_NAMES: tuple[tuple[str, str], ...] = (
    (r"^conv_first\.", "head.{head}."),
    (r"^conv_after_body\.", "body.{body}."),
    (r"^upsample\.", "tail.0."),
    (r"^conv_last\.", "tail.1."),
)


class ResBlock(nn.Module):
    """Convolution, ReLU, convolution, scaled, and the input added.

    Args:
        features: Channels.
        kernel_size: Side of the kernels, odd.
        res_scale: What the residual is multiplied by.

    Shape:
        (B, C, H, W) -> (B, C, H, W)

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
    """Mean off, a convolution, a body with a long skip, sub-pixel upsampling, mean on.

    A subclass calls :meth:`assemble` with its blocks. In RGB the networks work on [0, 255] and
    take the DIV2K mean off, as the published weights want; in Y on [0, 1] without a mean. Where LR
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

    def assemble(
        self,
        blocks: Sequence[nn.Module],
        features: int,
        radius: int,
        mean_shift: bool | None,
        value_range: float | None,
        unshuffle: int | None,
    ) -> None:
        """Make the layers and the metadata that depend on them.

        Args:
            blocks: The body without its last convolution.
            features: Channels.
            radius: How far the blocks see to one side, on their own grid.
            mean_shift: Take the mean colour off; None: in RGB yes, in Y no.
            value_range: The number that stands for white; None: 255 with mean shift, otherwise 1.
            unshuffle: Factor of the pixel unshuffle at the input; None: 4 where ``same_size``
                holds, otherwise 1.

        Raises:
            ConfigError: If the settings make no network.
            GeometryError: If the tail would need a factor that does not exist.
        """
        shift = self.colour == "rgb" if mean_shift is None else mean_shift
        fold = (4 if self.same_size else 1) if unshuffle is None else unshuffle
        name = type(self).__name__
        if shift and self.colour != "rgb":
            raise ConfigError(
                f"{name}(mean_shift=True) shifts three colours: use it with colour='rgb'."
            )
        check_counts(name, num_features=features, unshuffle=fold)
        self.value_range = (255.0 if shift else 1.0) if value_range is None else value_range
        self.num_features, self.last = features, len(blocks)
        self.unshuffle = self.size_multiple = fold
        factor = fold * (1 if self.same_size else self.scale)
        self.halo = post_upsampling_halo(1 + radius + 1, factor, fold)

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

    def from_basicsr(
        self, state: Mapping[str, Tensor], blocks: Sequence[tuple[str, str]]
    ) -> dict[str, Tensor]:
        """Translate BasicSR's names, which keep the mean outside the state dict.

        Args:
            state: The tensors under BasicSR's names.
            blocks: Patterns and replacements for the names inside the blocks.
        """
        places = {"head": len(self.head) - 1, "body": self.last}
        around = [(pattern, text.format(**places)) for pattern, text in BASICSR_NAMES]
        renamed = {renaming(name, [*around, *blocks]): value for name, value in state.items()}
        for name, part in (("sub_mean", self.sub_mean), ("add_mean", self.add_mean)):
            if part is not None:
                renamed |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
        return renamed

    def check_form(self, state: Mapping[str, Tensor], where: str) -> None:
        """Refuse weights under our names whose head is another, saying which arguments fit.

        Args:
            state: The tensors under our names.
            where: The file they come from, for messages.

        Raises:
            CheckpointError: If unshuffle, channels of the image or features differ.
        """
        name = type(self).__name__
        folded = "head.1.weight" in state
        weight = state.get("head.1.weight" if folded else "head.0.weight")
        if weight is None or weight.ndim != 4:
            return
        fold = round((weight.shape[1] / self.channels) ** 0.5)
        if fold != self.unshuffle and fold**2 * self.channels == weight.shape[1]:
            raise CheckpointError(
                f"the {name} weights in {where} have their input"
                f" {f'unshuffled by {fold}' if folded else 'as it is'}:"
                f" build it with {name}(unshuffle={fold})."
            )
        if weight.shape[0] != self.num_features:
            raise CheckpointError(
                f"the {name} weights in {where} have {weight.shape[0]} channels: build it with"
                f" {name}(num_features={weight.shape[0]}) or the preset that has as many."
            )


def renaming(name: str, patterns: Sequence[tuple[str, str]]) -> str:
    """Apply regular expressions to a name, one after the other.

    Args:
        name: The foreign name.
        patterns: Patterns and replacements.
    """
    for pattern, replacement in patterns:
        name = re.sub(pattern, replacement, name)
    return name


def without_prefix(state: Mapping[str, Tensor], prefix: str = "generator.") -> dict[str, Tensor]:
    """Take a network out of a state dict that holds it under a prefix, as mmagic's files do.

    Args:
        state: The tensors as they were stored.
        prefix: The network's prefix.

    Returns:
        The tensors under the prefix, without it; all of them where none has it.
    """
    found = {k.removeprefix(prefix): value for k, value in state.items() if k.startswith(prefix)}
    return found or dict(state)


def check_mean_shift(
    network: Backbone, shift: MeanShift | None, state: Mapping[str, Tensor], where: str
) -> None:
    """Refuse weights that were trained with another mean shift or value range.

    Args:
        network: The network to fill.
        shift: Its ``sub_mean``, or None.
        state: The tensors under our names; without ``sub_mean`` they were trained without.
        where: The file they come from, for messages.

    Raises:
        CheckpointError: If mean shift or value range differ.
    """
    name = type(network).__name__
    bias = state.get("sub_mean.bias")
    if (bias is None) != (shift is None):
        raise CheckpointError(
            f"the {name} weights in {where} were trained {'without' if bias is None else 'with'}"
            f" a mean shift: build it with {name}(mean_shift={bias is not None})."
        )
    if bias is not None and bias.numel() == 3:
        trained = float(-bias.double().mean()) / (sum(DIV2K_MEAN) / 3)
        if abs(trained - network.value_range) > 0.01 * network.value_range:
            raise CheckpointError(
                f"the {name} weights in {where} were trained on the value range {trained:.4g}:"
                f" build it with {name}(value_range={trained:.4g}), not {network.value_range:g}."
            )


def draw_small(network: nn.Module, factor: float = 0.1) -> None:
    """Draw convolutions after He et al. and make them smaller; biases start at zero.

    Args:
        network: The network or the part of it to draw anew.
        factor: What the weights are multiplied by; the ESRGAN paper's is 0.1.
    """
    draw_he(network)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.mul_(factor)
