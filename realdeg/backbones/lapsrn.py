"""LapSRN: a Laplacian pyramid that doubles the image level by level."""

from __future__ import annotations

import math
import re
from math import isqrt
from typing import Literal

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Outputs
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.pyramid import DoublingDeconv, bilinear_weight
from realdeg.backbones.readings import State, count, doublings, elements, has
from realdeg.degradations.primitives.resize import imresize
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale
from realdeg.utils.precision import full_precision

# Names of the outputs below full size by their reduction factor.
FRACTIONS: dict[int, str] = {2: "half", 4: "quarter"}


def _from_authors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Translate the authors' names, whose levels count down."""
    matches = {
        name: re.fullmatch(r"(?:level(\d+)_)?(input_conv|conv(\d+)|\w+)_([fb])", name)
        for name in state
    }
    known = [match for match in matches.values() if match]
    levels = max((int(match[1]) for match in known if match[1]), default=0)
    depth = max((int(match[3]) for match in known if match[3]), default=0)
    found = {}
    for name, match in matches.items():
        kind = "" if match is None else {"f": "weight", "b": "bias"}[match[4]]
        if match is not None and match[1]:
            level = levels + 1 - int(match[1])
            places = {
                "upconv": f"convt_F{level}.0.cov_block.{2 * depth}",
                "residual_conv": f"convt_R{level}",
                "img_up": f"convt_I{level}",
            }
            if match[3]:
                places[match[2]] = f"convt_F{level}.0.cov_block.{2 * int(match[3]) - 2}"
            place = places.get(match[2])
        else:
            place = "conv_input" if match is not None and match[2] == "input_conv" else None
        found[f"{place}.{kind}" if place else name] = state[name]
    return found


_AUTHORS = Dialect(
    "the authors' MatConvNet", marks=(r"input_conv_f",), convert=_from_authors, matconvnet=True
)
_width = elements("conv_input.weight", 9)  # for any order of axes


def _depth(state: State) -> int | None:
    layers = count(r"convt_F1\.0\.cov_block\.(\d+)\.weight")(state)
    return layers - 1 if layers else None


def _feature_kernel(state: State) -> int | None:
    layer = state.get(f"convt_F1.0.cov_block.{2 * (_depth(state) or 0)}.weight")
    width = _width(state)
    return isqrt(layer.numel() // width**2) if layer is not None and width else None


class FeatureBlock(nn.Module):
    """Convolutions and the transposed convolution to the next level, each with a leaky ReLU."""

    def __init__(self, depth: int, width: int, kernel: int, bias: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [
                nn.Conv2d(width, width, 3, padding=1, bias=bias),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers += [DoublingDeconv(width, width, kernel, bias), nn.LeakyReLU(0.2)]
        self.cov_block = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Double (B, C, h, w)."""
        return self.cov_block(features)


@BACKBONES.register_module()
class LapSRN(Backbone):
    """Laplacian pyramid super-resolution network.

    Every level doubles features and image by transposed convolutions and adds a predicted
    residual to the image. All levels' images are outputs: the last as ``sr``, smaller ones as
    ``half`` and ``quarter`` (of the HR size), which are compared with the downsampled HR image.
    Scale 3 is the x4 network's result, reduced to three quarters.

    The default is the authors' released form (3x3 feature deconvolution, biases): 407,441
    parameters at x2, 814,242 at x4, 667,123 at x8 (5 convolutions per level there). The paper
    counts weights only: 406,672 and 812,768.

    Args:
        scale: 2, 3, 4 or 8.
        depth: Convolutions per level; None: 10, or the released network's 5 at scale 8.
        width: Channels.
        feature_kernel: Kernel of the feature deconvolution: 3 (released) or 4 (the paper's figure
            and the PyTorch port).
        bias: Whether layers have biases; the PyTorch port has none.

    Shape:
        (B, 1, h, w) -> (B, 1, s*h, s*w)

    Source:
        Lai, Huang, Ahuja, Yang, Deep Laplacian Pyramid Networks for Fast and Accurate
        Super-Resolution, CVPR 2017. Keys follow twtygqyy/pytorch-LapSRN, whose weights are
        ``LapSRN(scale=4, feature_kernel=4, bias=False)``; the authors' MatConvNet names are
        supported, too.
    """

    colour = "y"
    scales = (2, 3, 4, 8)
    upsample = "progressive"

    dialects = (_AUTHORS,)
    form_readings = {
        "scale": doublings(r"convt_R(\d+)\.weight"),
        "depth": _depth,
        "width": _width,
        "feature_kernel": _feature_kernel,
        "bias": has("conv_input.bias", given="conv_input.weight"),
    }
    form_subset = ("scale",)  # x3 uses the network of x4
    example_arguments = {"scale": 4, "depth": 1, "width": 4}

    def __init__(
        self,
        scale: Scale = 4,
        depth: Number | None = None,
        width: Number = 64,
        feature_kernel: Literal[3, 4] = 3,
        bias: bool = True,
    ) -> None:
        super().__init__(scale=scale)
        depth = (5 if scale == 8 else 10) if depth is None else depth
        self.depth = depth
        self.levels = math.ceil(math.log2(scale))
        self.conv_input = nn.Conv2d(1, width, 3, padding=1, bias=bias)
        for level in range(1, self.levels + 1):
            block = FeatureBlock(depth, width, feature_kernel, bias)
            self.add_module(f"convt_F{level}", nn.Sequential(block))
            self.add_module(f"convt_I{level}", DoublingDeconv(1, 1, 4, bias=False))
            self.add_module(f"convt_R{level}", nn.Conv2d(width, 1, 3, padding=1, bias=bias))
        self._initialise()

    def forward(self, lr: Tensor) -> Outputs:
        """Super-resolve (B, 1, h, w) in [0, 1] and return every level."""
        features = torch.nn.functional.leaky_relu(self.conv_input(lr), 0.2, inplace=True)
        image, images = lr, []
        for level in range(1, self.levels + 1):
            features = self.get_submodule(f"convt_F{level}")(features)
            residual = self.get_submodule(f"convt_R{level}")(features)
            with full_precision(lr):
                image = self.get_submodule(f"convt_I{level}")(image) + residual
            images.append(image)
        return pyramid_outputs(images, lr, self.scale)

    def targets(self, hr: Tensor) -> dict[str, Tensor]:
        """Return HR, downsampled (bicubic) for the levels below full size."""
        return pyramid_targets(hr, self.scale)

    def _initialise(self) -> None:
        """Initialise as the authors do; the image's deconvolutions interpolate bilinearly."""
        for name, module in self.named_modules():
            if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                continue
            if name.startswith("convt_I"):
                with torch.no_grad():
                    module.weight.copy_(bilinear_weight(4).expand_as(module.weight))
                continue
            std = (
                1e-3 if name == "conv_input" else math.sqrt(2 / (9 * self.conv_input.out_channels))
            )
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def pyramid_outputs(images: list[Tensor], lr: Tensor, scale: int) -> Outputs:
    """Name the images of a pyramid that doubles at every level.

    Args:
        images: The levels, coarsest first, each (B, C, 2^l h, 2^l w).
        lr: The input (B, C, h, w).
        scale: The requested scale; 3 is the x4 level after antialiased bicubic downsampling.

    Returns:
        The image of that scale as ``sr``; smaller levels as ``half`` and ``quarter``.
    """
    if scale == 3:
        height, width = lr.shape[-2:]
        with full_precision(lr):
            return Outputs(imresize(images[-1], size=(3 * height, 3 * width)))
    last = len(images) - 1
    aux = {FRACTIONS[2 ** (last - i)]: image for i, image in enumerate(images[:-1])}
    return Outputs(images[-1], aux)


def pyramid_targets(hr: Tensor, scale: int) -> dict[str, Tensor]:
    """Return the targets of the levels below full size.

    Args:
        hr: The HR image (B, C, H, W), its sides multiples of the scale.
        scale: The largest scale of the pyramid; 3 has no levels to compare.
    """
    if scale == 3:
        return {}
    height, width = hr.shape[-2:]
    return {
        name: imresize(hr, size=(max(height // factor, 1), max(width // factor, 1)))
        for factor, name in FRACTIONS.items()
        if factor < scale
    }
