"""MS-LapSRN: LapSRN with one level for all levels and one recursive block in it."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Outputs
from realdeg.backbones.dialects import Dialect, shifted
from realdeg.backbones.lapsrn import pyramid_outputs, pyramid_targets
from realdeg.backbones.parts.classic import Number, Repeats
from realdeg.backbones.parts.pyramid import DoublingDeconv, bilinear_weight
from realdeg.backbones.readings import count, elements
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale
from realdeg.utils.precision import full_precision

SKIPS: tuple[str, ...] = ("source", "previous", "none")
_AUTHORS = Dialect(
    "the authors' MatConvNet",
    marks=(r"input_conv_f",),
    rename=(
        (r"_f$", ".weight"),
        (r"_b$", ".bias"),
        (r"^conv(\d+)\.", shifted("features.recursive_block.block.conv_{}.", -1)),
        (r"^input_conv\.", "conv_input."),
        (r"^upconv\.", "transpose."),
        (r"^residual_conv\.", "predict."),
        (r"^img_up\.", "scale_img."),
    ),
    matconvnet=True,
)


class RecursiveBlock(nn.Module):
    """Leaky ReLU and convolution, ``depth`` times."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i in range(depth):
            # Not in place on the block's input, which the skip connection needs.
            layers[f"relu_{i}"] = nn.LeakyReLU(0.2, inplace=i > 0)
            layers[f"conv_{i}"] = nn.Conv2d(width, width, 3, padding=1)
        self.block = nn.Sequential(layers)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return self.block(features)


class FeatureEmbedding(nn.Module):
    """One block, run several times, each time with a skip connection.

    Args:
        depth: Convolutions of the block.
        width: Channels.
        recursions: How many times it runs.
        skip: ``"source"`` adds the level's input, ``"previous"`` the block's, ``"none"`` nothing.
    """

    def __init__(self, depth: int, width: int, recursions: int, skip: str) -> None:
        super().__init__()
        self.recursive_block = RecursiveBlock(depth, width)
        self.recursions, self.skip = recursions, skip

    def forward(self, source: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        features = source
        for _ in range(self.recursions):
            output = self.recursive_block(features)
            if self.skip != "none":
                output = output.add_(source if self.skip == "source" else features)
            features = output
        return features


@BACKBONES.register_module()
class MSLapSRN(Backbone):
    """Multi-scale Laplacian pyramid network with shared weights.

    All levels share one set of weights, and one network serves the scales 2, 4 and 8: each call may
    name its own (``network(lr, scale=2)``). x3 is x4 reduced to three quarters. Outputs are those
    of LapSRN. 222,801 parameters at any scale and number of recursions.

    Args:
        scale: The scale of calls that name none: 2, 3, 4 or 8.
        depth: Convolutions of the recursive block.
        recursions: Runs of the block per level: 8 in the paper's best (D5R8), 5 or 2 in others.
        width: Channels.
        skip: ``"source"`` (the paper's choice), ``"previous"`` (distinct source) or ``"none"``.
        port: Compute as lorenzomammana/MSLapSRN-pytorch does, for its weights: residuals are not
            passed on to the next level's image, and outputs are clamped to [0, 1].

    Shape:
        (B, 1, h, w) -> (B, 1, s*h, s*w)

    Source:
        Lai, Huang, Ahuja, Yang, Fast and Accurate Image Super-Resolution with Deep Laplacian
        Pyramid Networks, TPAMI 2018. Keys follow lorenzomammana/MSLapSRN-pytorch; the authors'
        MatConvNet names are understood too.
    """

    colour = "y"
    scales = (2, 3, 4, 8)
    upsample = "progressive"

    dialects = (_AUTHORS,)
    form_readings = {
        "depth": count(r"features\.recursive_block\.block\.conv_(\d+)\.weight"),
        "width": elements("conv_input.weight", 9),
    }
    example_arguments = {"scale": 4, "depth": 1, "recursions": 2, "width": 4}

    def __init__(
        self,
        scale: Scale = 4,
        depth: Number = 5,
        recursions: Repeats = 8,
        width: Number = 64,
        skip: Annotated[str, Choice(*SKIPS)] = "source",
        port: bool = False,
    ) -> None:
        super().__init__(scale=scale)
        self.served = self.scales
        self.port = port
        self.conv_input = nn.Conv2d(1, width, 3, padding=1)
        self.features = FeatureEmbedding(depth, width, recursions, skip)
        self.transpose = DoublingDeconv(width, width, 3)
        self.scale_img = DoublingDeconv(1, 1, 4, bias=False)
        self.predict = nn.Conv2d(width, 1, 3, padding=1)
        self._initialise()

    def forward(self, lr: Tensor, *, scale: float | None = None) -> Outputs:
        """Super-resolve (B, 1, h, w) in [0, 1] by any of the scales and return every level."""
        factor = self.scale if scale is None else int(scale)
        features, image, images = self.conv_input(lr), lr, []
        for _ in range(math.ceil(math.log2(factor))):
            features = self.features(features)
            features = self.transpose(F.leaky_relu(features, 0.2))
            residual = self.predict(features)
            with full_precision(lr):
                image = self.scale_img(image)
                made = image + residual
            images.append(made.clamp(0, 1) if self.port else made)
            if not self.port:
                image = made
        return pyramid_outputs(images, lr, factor)

    def targets(self, hr: Tensor) -> dict[str, Tensor]:
        """Reduce HR (bicubic) for the levels below full size, for calls of any scale."""
        return pyramid_targets(hr, 8)

    def _initialise(self) -> None:
        """Draw weights as the authors do; the image's deconvolution interpolates bilinearly."""
        std = math.sqrt(2 / (9 * self.conv_input.out_channels))
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
                nn.init.normal_(module.weight, std=1e-3 if name == "conv_input" else std)
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.scale_img.weight.copy_(bilinear_weight(4).expand_as(self.scale_img.weight))
