"""MWCNN: a U-Net whose pooling is the Haar wavelet transform, which loses nothing."""

from __future__ import annotations

import math
import re
from typing import Literal

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import pad_to_multiple
from realdeg.backbones.readings import State, colour_of, size
from realdeg.degradations.primitives.wavelets import MWCNN_V1, MWCNN_V2, haar, inverse_haar
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

MULTIPLE = 8
EPSILON = 1e-5


class ConvBlock(nn.Module):
    """3 x 3 convolutions, one per dilation, each followed by batch norm (optional) and ReLU."""

    def __init__(
        self,
        incoming: int,
        outgoing: int,
        dilations: tuple[int, ...] = (1,),
        normalise: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, step in enumerate(dilations):
            entering = outgoing if index else incoming
            layers.append(nn.Conv2d(entering, outgoing, 3, padding=step, dilation=step))
            if normalise:
                layers.append(nn.BatchNorm2d(outgoing, eps=EPSILON))
            layers.append(nn.ReLU(inplace=True))
        self.body = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, incoming, h, w)."""
        return self.body(features)


# For each level of the graph, in the order of its layers: our part, and its number of layers.
_GRAPH = {
    "01": (("head", 1), ("d_l1", 3), ("i_l1", 3), ("tail", 1)),
    "02": (("d_l2", 4), ("i_l2", 4)),
    "03": (("pro_l3", 8),),
}


def _from_matconvnet(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the graph, LIEVE<level>_<kind><layer>."""
    places = {
        f"{level}_{index:02d}": place
        for level, parts in _GRAPH.items()
        for index, place in enumerate((p, i) for p, number in parts for i in range(number))
    }
    renamed = {}
    for name, value in state.items():
        match = re.fullmatch(r"LIEVE(\d\d)_(layer|mean|var|mom)(\d\d)([fb]?)", name)
        place = None if match is None else places.get(f"{match[1]}_{match[3]}")
        if match is None or place is None:
            renamed[name] = value
            continue
        part, index = place
        stem = f"tail.{index}." if part == "tail" else f"{part}.{index}.body."
        if match[2] == "layer":
            layer = stem if part == "tail" else f"{stem}0."
            if match[4] == "f":
                renamed[f"{layer}weight"] = value
            else:
                renamed[f"{layer}bias"] = value.flatten()
        elif match[2] in ("mean", "var"):  # their names for gain and offset
            kind = "weight" if match[2] == "mean" else "bias"
            renamed[f"{stem}1.{kind}"] = value.flatten()
        else:
            mean, deviation = value.reshape(-1, 2).unbind(1)
            renamed[f"{stem}1.running_mean"] = mean.contiguous()
            # The stored standard deviation includes epsilon.
            renamed[f"{stem}1.running_var"] = deviation.square() - EPSILON
            renamed[f"{stem}1.num_batches_tracked"] = torch.tensor(0)
    return renamed


def _version(state: State) -> str | None:
    if "head.0.body.0.weight" not in state:
        return None
    return "v2" if "d_l0.0.body.0.weight" in state else "v1"


def _colour(state: State) -> str | None:
    times = 4 if _version(state) == "v1" else 1  # the first version works on wavelet bands
    return colour_of("head.0.body.0.weight", 1, times)(state)


@BACKBONES.register_module()
class MWCNN(Backbone):
    """Multi-level wavelet CNN, three levels deep.

    ``"v2"`` (the extended paper's, the one with PyTorch weights) first convolves at full size,
    dilates, and adds features of equal size after each inverse transform. ``"v1"`` (CVPRW)
    transforms the image itself, normalises, and adds bands before each inverse transform. With
    Y images they have 24,927,809 (24,930,115 in RGB) and 16,158,308 parameters.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        version: ``"v2"`` or ``"v1"``.
        width: Channels of the first level; None: 64 (v2) or 160 (v1).
        colour: ``"y"`` as in the papers, or ``"rgb"``.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Liu, Zhang, Zhang, Lin, Zuo, Multi-level Wavelet-CNN for Image Restoration, CVPRW 2018
        (lpj0/MWCNN), and Liu, Zhang, Lian, Zuo, Multi-Level Wavelet Convolutional Neural Networks,
        IEEE Access 2019. Keys follow lpj-github-io/MWCNNv2; v1 has similar keys, and loads the
        MatConvNet files.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"
    size_multiple = MULTIPLE

    dialects = (Dialect("lpj0/MWCNN", marks=(r"LIEVE01_layer00f",), convert=_from_matconvnet),)
    form_readings = {
        "version": _version,
        "width": size("head.0.body.0.weight"),
        "colour": _colour,
    }
    example_arguments = {"scale": 2, "width": 2, "colour": "rgb"}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        version: Literal["v1", "v2"] = "v2",
        width: Number | None = None,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.version = version
        self.form = MWCNN_V2 if version == "v2" else MWCNN_V1
        features = (64 if version == "v2" else 160) if width is None else width
        if version == "v2":
            self._build_v2(features)
        else:
            self._build_v1(features)

    def _build_v2(self, n: int) -> None:
        self.head = nn.Sequential(ConvBlock(self.channels, n))
        self.d_l0 = nn.Sequential(ConvBlock(n, n, (2, 1)))
        self.d_l1 = nn.Sequential(ConvBlock(4 * n, 2 * n), ConvBlock(2 * n, 2 * n, (2, 1)))
        self.d_l2 = nn.Sequential(ConvBlock(8 * n, 4 * n), ConvBlock(4 * n, 4 * n, (2, 1)))
        self.pro_l3 = nn.Sequential(
            ConvBlock(16 * n, 8 * n),
            ConvBlock(8 * n, 8 * n, (2, 3)),
            ConvBlock(8 * n, 8 * n, (3, 2)),
            ConvBlock(8 * n, 16 * n),
        )
        self.i_l2 = nn.Sequential(ConvBlock(4 * n, 4 * n, (2, 1)), ConvBlock(4 * n, 8 * n))
        self.i_l1 = nn.Sequential(ConvBlock(2 * n, 2 * n, (2, 1)), ConvBlock(2 * n, 4 * n))
        self.i_l0 = nn.Sequential(ConvBlock(n, n, (2, 1)))
        self.tail = nn.Sequential(nn.Conv2d(n, self.channels, 3, padding=1))

    def _build_v1(self, n: int) -> None:
        deep = n * 8 // 5  # 256 at the paper's 160

        def chain(incoming: int, inner: int, number: int, outgoing: int = 0) -> nn.Sequential:
            sizes = [incoming, *[inner] * number, *([outgoing] if outgoing else [])]
            pairs = zip(sizes, sizes[1:], strict=False)
            return nn.Sequential(*(ConvBlock(a, b, normalise=True) for a, b in pairs))

        bands = 4 * self.channels
        self.head = nn.Sequential(ConvBlock(bands, n))
        self.d_l1 = chain(n, n, 3)
        self.d_l2 = chain(4 * n, deep, 4)
        self.pro_l3 = chain(4 * deep, deep, 7, 4 * deep)
        self.i_l2 = chain(deep, deep, 3, 4 * n)
        self.i_l1 = chain(n, n, 3)
        self.tail = nn.Sequential(nn.Conv2d(n, bands, 3, padding=1))
        _initialise_v1(self)

    def forward(self, lr: Tensor) -> Tensor:
        """Sharpen the interpolated image (B, C, H, W) in [0, 1]."""
        height, width = lr.shape[-2:]
        image = pad_to_multiple(lr, MULTIPLE)
        image = self._run_v2(image) if self.version == "v2" else self._run_v1(image)
        return image[..., :height, :width]

    def _run_v2(self, image: Tensor) -> Tensor:
        level0 = self.d_l0(self.head(image))
        level1 = self.d_l1(haar(level0, self.form))
        level2 = self.d_l2(haar(level1, self.form))
        features = self.pro_l3(haar(level2, self.form))
        features = inverse_haar(features, self.form).add_(level2)
        features = inverse_haar(self.i_l2(features), self.form).add_(level1)
        features = inverse_haar(self.i_l1(features), self.form).add_(level0)
        return image + self.tail(self.i_l0(features))

    def _run_v1(self, image: Tensor) -> Tensor:
        # The authors' numbers: white is 2 and black is -2.
        bands1 = haar(4 * image - 2, self.form)
        bands2 = haar(self.d_l1(self.head(bands1)), self.form)
        bands3 = haar(self.d_l2(bands2), self.form)
        features = inverse_haar(bands3 + self.pro_l3(bands3), self.form)
        features = inverse_haar(bands2 + self.i_l2(features), self.form)
        image = inverse_haar(bands1 + self.tail(self.i_l1(features)), self.form)
        return (image + 2) / 4


def _initialise_v1(network: MWCNN) -> None:
    """Draw weights as the authors' code does: orthogonal filters, small random gains."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.orthogonal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, std=math.sqrt(2 / (9 * module.num_features)))
            with torch.no_grad():
                # Move gains away from zero, keeping their sign.
                sign = torch.where(module.weight < 0, -1.0, 1.0)
                module.weight.copy_(sign * module.weight.abs().clamp(min=0.03))
