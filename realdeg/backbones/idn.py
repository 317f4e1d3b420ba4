"""IDN: blocks that distil features, and one large deconvolution added to bicubic."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect, shifted
from realdeg.backbones.parts.bicubic import bicubic_upsample
from realdeg.backbones.parts.classic import Number, initialise
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
            " names: IDN works on Y and loads the authors' Caffe weights."
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

    After three convolutions a slice of channels is set aside, and the rest passes three more.
    Their sum with the input and the slice is compressed to the input's width.

    Args:
        features: Channels D in and out.
        distilled: Channels d that are set aside, the first of the enhanced ones.

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

    Predicts the residual to MATLAB's bicubic interpolation of the LR image, which is part of the
    network, as in the paper. 552,769 parameters at every scale.

    The keys are those of the public PyTorch port, the computation is the authors' (Caffe): an
    activation after every convolution, the first channels of a slice kept, the output aligned with
    HR. Weights trained with that port have three colours and mean something else under the same
    names; they are refused.

    Args:
        scale: 2, 3 or 4.
        features: Channels D of a block's input.
        distilled: Channels d that a block sets aside.
        num_blocks: Distillation blocks.

    Shape:
        (B, 1, h, w) -> (B, 1, s*h, s*w)

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
    example_arguments = {"scale": 2, "features": 16, "distilled": 4, "num_blocks": 1}

    def __init__(
        self,
        scale: Scale = 4,
        features: Number = 64,
        distilled: Number = 16,
        num_blocks: Number = 4,
    ) -> None:
        super().__init__(scale=scale)
        widths = (features, features - distilled, features - 2 * distilled)
        if widths[2] < 1 or any(w % GROUPS for w in widths):
            raise ConfigError(
                f"IDN needs features > 2 * distilled and both multiples of {GROUPS}, got"
                f" {features} and {distilled}."
            )
        # Through the deconvolution LR pixel i affects the HR pixels s*i + s - 9 to s*i + s + 7.
        self.fblock = nn.Sequential(
            OrderedDict(module=_unit((1, features, 1), (features, features, 1)))
        )
        self.dblocks = nn.Sequential(
            *(DistillationBlock(features, distilled) for _ in range(num_blocks))
        )
        self.deconv = nn.ConvTranspose2d(features, 1, KERNEL, scale, padding=9 - scale)
        initialise(self, partial(nn.init.kaiming_normal_, a=SLOPE))

    def forward(self, lr: Tensor) -> Tensor:
        """Add the predicted detail to the interpolated image (B, 1, h, w) in [0, 1]."""
        height, width = self.output_size(*lr.shape[-2:])
        detail = self.deconv(self.dblocks(self.fblock(lr)))
        # The deconvolution's padding crops 9 - s pixels at the front, which aligns it with HR;
        # at the end s - 1 remain.
        return bicubic_upsample(lr, self.scale) + detail[..., :height, :width]
