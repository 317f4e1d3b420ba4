"""RCAN: residual groups of channel-attention blocks, for larger and for same-size output."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from realdeg.backbones.base import CHANNELS, Backbone, Colour
from realdeg.backbones.parts import (
    DIV2K_MEAN,
    MeanShift,
    Upsampler,
    pad_to_multiple,
    post_upsampling_halo,
)
from realdeg.errors import CheckpointError, ConfigError, nearest
from realdeg.registry import BACKBONES

# Groups x blocks. The DML paper trains "RCAN with 100 convolutional layers" and does not say how
# they divide; 5 x 10 has 100 convolutions inside its blocks and is the usual small RCAN.
PRESETS: dict[str, tuple[int, int]] = {"rcan": (10, 20), "rcan_100": (5, 10)}


class ChannelAttention(nn.Module):
    """Weigh each channel by a number in (0, 1) computed from the means of all.

    Args:
        features: Channels.
        reduction: How many times fewer channels the bottleneck has.

    Source:
        RCAN, equations 6 to 8.
    """

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.conv_du = nn.Sequential(
            nn.Conv2d(features, features // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(features // reduction, features, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Weigh (B, C, H, W)."""
        return features * self.conv_du(self.avg_pool(features))


class AttentionBlock(nn.Module):
    """Convolution, ReLU, convolution, channel attention, and the input added (the paper's RCAB).

    Args:
        features: Channels.
        reduction: See :class:`ChannelAttention`.

    Source:
        RCAN, equation 9.
    """

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(features, features, 3, padding=1),
            ChannelAttention(features, reduction),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features + self.body(features)


class ResidualGroup(nn.Module):
    """Attention blocks, a convolution, and the input added.

    Args:
        num_blocks: Attention blocks.
        features: Channels.
        reduction: See :class:`ChannelAttention`.
    """

    def __init__(self, num_blocks: int, features: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(AttentionBlock(features, reduction) for _ in range(num_blocks)),
            nn.Conv2d(features, features, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        return features + self.body(features)


@BACKBONES.register_module()
class RCAN(Backbone):
    """Residual channel attention network.

    In RGB it works on [0, 255] and takes the DIV2K mean off, as the published weights want; in Y
    on [0, 1] without a mean. Where LR and HR have the same size, the input is rearranged to a
    coarser grid first (pixel unshuffle) and the tail upsamples back.

    Args:
        scale: How much resolution is lost.
        same_size: The LR image lies on the HR grid.
        preset: ``"rcan"`` (10 groups of 20 blocks, the paper's) or ``"rcan_100"`` (5 groups of 10,
            a reading of the DML paper's "RCAN with 100 convolutional layers").
        num_groups: Residual groups; None: the preset's.
        num_blocks: Attention blocks per group; None: the preset's.
        num_features: Channels.
        reduction: How many times fewer channels the attention's bottleneck has.
        colour: ``"rgb"`` or ``"y"``.
        mean_shift: Take the mean colour off; None: in RGB yes, in Y no.
        value_range: The number that stands for white; None: 255 with mean shift, otherwise 1.
        unshuffle: Factor of the pixel unshuffle at the input; None: 4 where ``same_size`` holds,
            otherwise 1. The tail's factor is ``unshuffle``, times ``scale`` where sizes differ.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Raises:
        ConfigError: If preset, colour or sizes make no network.
        GeometryError: If the tail would need a factor that does not exist.

    Source:
        Zhang, Li, Li, Wang, Zhong, Fu, Image Super-Resolution Using Very Deep Residual Channel
        Attention Networks, ECCV 2018. The "100 layers" are from Xiao, Yong, Zhang, Degradation
        Model Learning for Real-World Single Image Super-resolution, ACCV 2020.
    """

    colour: Colour = "rgb"
    value_range: float = 255.0
    scales: tuple[int, ...] | None = (2, 3, 4, 8)
    upsample = "post"
    same_size_form = "unshuffle"
    whole_image = True

    def __init__(
        self,
        scale: int = 4,
        same_size: bool = False,
        preset: str = "rcan",
        num_groups: int | None = None,
        num_blocks: int | None = None,
        num_features: int = 64,
        reduction: int = 16,
        colour: Colour = "rgb",
        mean_shift: bool | None = None,
        value_range: float | None = None,
        unshuffle: int | None = None,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        if preset not in PRESETS:
            raise ConfigError(
                f"RCAN has no preset '{preset}': it has {', '.join(PRESETS)}."
                f"{nearest(preset, set(PRESETS))}"
            )
        groups = PRESETS[preset][0] if num_groups is None else num_groups
        blocks = PRESETS[preset][1] if num_blocks is None else num_blocks
        shift = colour == "rgb" if mean_shift is None else mean_shift
        fold = (4 if same_size else 1) if unshuffle is None else unshuffle
        _check_settings(groups, blocks, num_features, reduction, colour, shift, fold)

        self.colour = colour
        self.value_range = (255.0 if shift else 1.0) if value_range is None else value_range
        self.num_groups, self.num_blocks = groups, blocks
        self.unshuffle = self.size_multiple = fold
        factor = fold * (1 if same_size else scale)
        radius = 1 + groups * (2 * blocks + 1) + 1
        self.halo = post_upsampling_halo(radius, factor, fold)

        self.sub_mean = MeanShift(self.value_range, -1) if shift else None
        self.add_mean = MeanShift(self.value_range, +1) if shift else None
        first = nn.Conv2d(self.channels * fold**2, num_features, 3, padding=1)
        # The convolution's key is head.1 in the unshuffled form and head.0 otherwise.
        self.head = nn.Sequential(*([nn.PixelUnshuffle(fold)] if fold > 1 else []), first)
        self.body = nn.Sequential(
            *(ResidualGroup(blocks, num_features, reduction) for _ in range(groups)),
            nn.Conv2d(num_features, num_features, 3, padding=1),
        )
        self.tail = nn.Sequential(
            Upsampler(factor, num_features),
            nn.Conv2d(num_features, self.channels, 3, padding=1),
        )

    @classmethod
    def example(cls) -> RCAN:
        """Return a network of 2 groups of 1 block, 8 wide."""
        return cls(scale=2, num_groups=2, num_blocks=1, num_features=8, reduction=2)

    def forward(
        self, lr: Tensor, *, scale: float | None = None, cond: Tensor | None = None
    ) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, ``value_range``]."""
        self.check_input(lr, scale, cond)
        height, width = self.output_size(*lr.shape[-2:])
        image = pad_to_multiple(lr, self.unshuffle)
        if self.sub_mean is not None:
            image = self.sub_mean(image)
        features = self.head(image)
        features = features + self.body(features)
        image = self.tail(features)
        if self.add_mean is not None:
            image = self.add_mean(image)
        return image[..., :height, :width]

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Translate BasicSR's names and refuse weights of another value range.

        BasicSR keeps the mean outside its state dict but computes on the same numbers, so its
        weights are ours under other names. Weights in the published names without ``sub_mean``
        were trained on [0, 1].
        """
        own_shift = {
            f"{name}.{key}": value
            for name, part in (("sub_mean", self.sub_mean), ("add_mean", self.add_mean))
            if part is not None
            for key, value in part.state_dict().items()
        }
        if "conv_first.weight" in state:
            return {self._published_name(name): value for name, value in state.items()} | own_shift
        bias = state.get("sub_mean.bias")
        if (bias is not None) != bool(own_shift) and "tail.1.weight" in state:
            raise CheckpointError(
                f"the RCAN weights in {where} were trained {'without' if bias is None else 'with'}"
                f" a mean shift: build it with RCAN(mean_shift={bias is not None})."
            )
        if bias is not None and bias.numel() == 3:
            trained = float(-bias.double().mean()) / (sum(DIV2K_MEAN) / 3)
            if abs(trained - self.value_range) > 0.01 * self.value_range:
                raise CheckpointError(
                    f"the RCAN weights in {where} were trained on the value range {trained:.4g}:"
                    f" build it with RCAN(value_range={trained:.4g}), not {self.value_range:g}."
                )
        return dict(state)

    def _published_name(self, name: str) -> str:
        """Return the published name of a tensor in BasicSR's dialect."""
        for pattern, replacement in (
            (r"^conv_first\.", f"head.{len(self.head) - 1}."),
            (r"^conv_after_body\.", f"body.{self.num_groups}."),
            (r"^upsample\.", "tail.0."),
            (r"^conv_last\.", "tail.1."),
            (r"^body\.(\d+)\.conv\.", rf"body.\1.body.{self.num_blocks}."),
            (r"^(body\.\d+)\.residual_group\.(\d+)\.rcab\.", r"\1.body.\2.body."),
            (r"\.body\.3\.attention\.1\.", ".body.3.conv_du.0."),
            (r"\.body\.3\.attention\.3\.", ".body.3.conv_du.2."),
        ):
            name = re.sub(pattern, replacement, name)
        return name


def _check_settings(
    groups: int, blocks: int, features: int, reduction: int, colour: str, shift: bool, fold: int
) -> None:
    """Refuse settings that make no network."""
    if colour not in CHANNELS:
        raise ConfigError(f"colour of RCAN is {colour!r}: it must be 'y' or 'rgb'.")
    if shift and colour != "rgb":
        raise ConfigError("RCAN(mean_shift=True) shifts three colours: use it with colour='rgb'.")
    if min(groups, blocks, reduction, fold) < 1 or features < reduction:
        raise ConfigError(
            "RCAN needs num_groups, num_blocks, reduction and unshuffle of 1 or more and"
            f" num_features >= reduction, got {groups}, {blocks}, {reduction}, {fold} and"
            f" {features}."
        )
