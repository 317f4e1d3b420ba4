"""IDN: blocks that distil features, and one large deconvolution beside bicubic."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect, shifted
from realdeg.backbones.parts.bicubic import bicubic_upsample
from realdeg.backbones.readings import State, colour_of, count, shape_of, size
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

SLOPE = 0.05
GROUPS = 4
# Of the deconvolution, whose 17x17 kernel has its centre at 8.
KERNEL = 17


def _refuse_three_colours(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if colour_of("fblock.module.0.weight", 1)(state) == "rgb":
        raise ValueError(
            "are of the three-colour port of IDN, which computes something else under the same"
            " names: IDN works on Y and takes the authors' Caffe weights."
        )
    return state


_PORT = Dialect(
    "yjn870/IDN-pytorch", marks=(r"fblock\.module\.0\.weight",), convert=_refuse_three_colours
)
# Blobs of a Caffe file have numbers: 0 is the weight and 1 the bias.
_CAFFE = Dialect(
    "Zheng222/IDN-Caffe",
    marks=(r"upsample\.\w+",),
    rename=(
        (r"\.0$", ".weight"),
        (r"\.1$", ".bias"),
        (r"^conv1\.", "fblock.module.0."),
        (r"^conv2\.", "fblock.module.2."),
        (r"^upsample\.", "deconv."),
        (r"^down(\d+)\.", shifted("dblocks.{}.compression.", -1)),
        *(
            (
                rf"^conv(\d+)_{3 * half + index + 1}\.",
                shifted(f"dblocks.{{}}.enhancement_{name}.{2 * index}.", -3),
            )
            for half, name in enumerate(("top", "bottom"))
            for index in range(3)
        ),
    ),
)


def _distilled(state: State) -> int | None:
    shape = shape_of(state, "dblocks.0.compression.weight")
    return shape[1] - shape[0] if shape else None


def _unit(*widths: tuple[int, int, int]) -> nn.Sequential:
    """Return 3x3 convolutions (channels in, out, groups), each with its leaky ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs, groups in widths:
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=1, groups=groups),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
    return nn.Sequential(*layers)


class DistillationBlock(nn.Module):
    """An enhancement unit and a compression unit.

    After three convolutions a slice of channels is put aside, the rest goes through three more,
    and their sum with the input and the slice is compressed to the input's width.

    Args:
        features: Channels D in and out.
        distilled: Channels d that are put aside, the first of the enhanced ones.

    Shape:
        (B, D, H, W) -> (B, D, H, W)

    Source:
        IDN, section 3.2. The first channels are kept, as in the authors' Caffe definition.
    """

    def __init__(self, features: int, distilled: int) -> None:
        super().__init__()
        self.distilled = distilled
        less = features - distilled
        self.enhancement_top = _unit(
            (features, less, 1), (less, less - distilled, GROUPS), (less - distilled, features, 1)
        )
        self.enhancement_bottom = _unit(
            (less, features, 1), (features, less, GROUPS), (less, features + distilled, 1)
        )
        self.compression = nn.Conv2d(features + distilled, features, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, D, H, W)."""
        enhanced = self.enhancement_top(features)
        kept = enhanced[:, : self.distilled]
        further = self.enhancement_bottom(enhanced[:, self.distilled :])
        further = further + torch.cat([features, kept], 1)
        return F.leaky_relu_(self.compression(further), SLOPE)


@BACKBONES.register_module()
class IDN(Backbone):
    """Information distillation network.

    Predicts what MATLAB's bicubic interpolation of the LR image lacks; the interpolation is part
    of the network, as in the paper. 552,769 parameters at every scale.

    The keys are those of the public PyTorch port, the computation is the authors' (Caffe): an
    activation after every convolution, the first channels of a slice kept, the output aligned with
    HR. Weights trained in that port are of three colours and compute something else under the same
    names; they are refused.

    Args:
        scale: 2, 3 or 4.
        features: Channels D of a block's input.
        distilled: Channels d that a block puts aside.
        num_blocks: Distillation blocks.

    Shape:
        (B, 1, h, w) -> (B, 1, s*h, s*w)

    Raises:
        ConfigError: If the sizes make no network.

    Source:
        Hui, Wang, Gao, Fast and Accurate Single Image Super-Resolution via Information Distillation
        Network, CVPR 2018. Computation follows Zheng222/IDN-Caffe, keys yjn870/IDN-pytorch.
    """

    colour: Colour = "y"
    scales: tuple[int, ...] | None = (2, 3, 4)
    upsample = "post"

    dialects = (_PORT, _CAFFE)
    form_readings = {
        "features": size("fblock.module.0.weight"),
        "distilled": _distilled,
        "num_blocks": count(r"dblocks\.(\d+)\.compression\.weight"),
    }

    def __init__(
        self,
        scale: Scale = 4,
        features: int = 64,
        distilled: int = 16,
        num_blocks: int = 4,
    ) -> None:
        super().__init__(scale=scale)
        widths = (features, features - distilled, features - 2 * distilled)
        if distilled < 1 or num_blocks < 1 or widths[2] < 1 or any(w % GROUPS for w in widths):
            raise ConfigError(
                "IDN needs num_blocks >= 1, features > 2 * distilled and both multiples of"
                f" {GROUPS}, got {num_blocks}, {features} and {distilled}."
            )
        # The deconvolution lets LR pixel i reach the HR pixels s*i + s - 9 to s*i + s + 7.
        self.fblock = nn.Sequential(
            OrderedDict(module=_unit((1, features, 1), (features, features, 1)))
        )
        self.dblocks = nn.Sequential(
            *(DistillationBlock(features, distilled) for _ in range(num_blocks))
        )
        self.deconv = nn.ConvTranspose2d(features, 1, KERNEL, scale, padding=9 - scale)
        self._initialise()

    @classmethod
    def example(cls) -> IDN:
        """Return a x2 network of 1 block, 16 wide."""
        return cls(scale=2, features=16, distilled=4, num_blocks=1)

    def forward(self, lr: Tensor) -> Tensor:
        """Add the predicted detail to the interpolated image (B, 1, h, w) in [0, 1]."""
        height, width = self.output_size(*lr.shape[-2:])
        detail = self.deconv(self.dblocks(self.fblock(lr)))
        # The deconvolution's padding takes 9 - s pixels off the front, which aligns it with HR;
        # at the end s - 1 are left over.
        return bicubic_upsample(lr, self.scale) + detail[..., :height, :width]

    def _initialise(self) -> None:
        """Draw weights after He et al. (2015), fan-in, as the authors do; biases are zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
