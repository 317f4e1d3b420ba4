"""IDN: blocks that distil features, and one large deconvolution beside bicubic."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.parts.bicubic import bicubic_upsample
from realdeg.errors import CheckpointError, ConfigError
from realdeg.registry import BACKBONES

SLOPE = 0.05
GROUPS = 4
# Of the deconvolution, whose 17x17 kernel has its centre at 8.
KERNEL = 17


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

    def __init__(
        self,
        scale: int = 4,
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
        self.halo = 2 + 6 * num_blocks + max(KERNEL // 2 // scale, 1 + 7 // scale)
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

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Translate the Caffe layers' names and refuse the three-colour port's weights.

        Layers may be stored as ``conv1.weight`` and ``conv1.bias`` or, in a Caffe file's own way,
        as blobs ``conv1.0`` and ``conv1.1``.

        Raises:
            CheckpointError: If the weights are of three colours.
        """
        first = state.get("fblock.module.0.weight")
        if first is not None and first.ndim == 4 and first.shape[1] == 3:
            raise CheckpointError(
                f"the IDN weights in {where} are of the three-colour port, which computes something"
                " else under the same names: IDN works on Y and takes the authors' Caffe weights."
            )
        if not any(name.startswith("upsample.") for name in state):
            return dict(state)
        renamed = {}
        for name, value in state.items():
            new = _port_name(name)
            # Old Caffe files keep biases in four dimensions.
            renamed[new] = value.reshape(-1) if new.endswith(".bias") else value
        return renamed

    def _initialise(self) -> None:
        """Draw weights after He et al. (2015), fan-in, as the authors do; biases are zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def _port_name(name: str) -> str:
    """Return our name of a tensor of the authors' Caffe network."""
    layer, _, kind = name.rpartition(".")
    kind = {"0": "weight", "1": "bias"}.get(kind, kind)
    if layer in ("conv1", "conv2"):
        return f"fblock.module.{2 * int(layer[-1]) - 2}.{kind}"
    if layer == "upsample":
        return f"deconv.{kind}"
    if found := re.fullmatch(r"down(\d+)", layer):
        return f"dblocks.{int(found[1]) - 1}.compression.{kind}"
    if found := re.fullmatch(r"conv(\d+)_([1-6])", layer):
        index = int(found[2]) - 1
        half = "top" if index < 3 else "bottom"
        return f"dblocks.{int(found[1]) - 3}.enhancement_{half}.{2 * (index % 3)}.{kind}"
    return name
