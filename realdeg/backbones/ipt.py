"""IPT: a transformer over the patches of a tile, with convolutions before and after."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.attention import from_blocks, to_blocks
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import MeanShift, Upsampler
from realdeg.backbones.parts.edsr import ResBlock
from realdeg.backbones.parts.tiles import pad_to_size, run_tiled
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class Attention(nn.Module):
    """Multi-head attention without biases.

    Source:
        Vaswani et al., Attention Is All You Need, NeurIPS 2017.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.out_proj = nn.Linear(width, width, bias=False)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend from (B, n, width) to (B, m, width)."""
        weights = self.in_proj_weight.chunk(3)
        parts = [
            F.linear(tokens, weight).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for tokens, weight in zip((query, key, value), weights, strict=True)
        ]
        found = F.scaled_dot_product_attention(*parts)
        return self.out_proj(found.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Self-attention and two linear layers, each after a norm and with a skip connection."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        nn.init.kaiming_uniform_(self.self_attn.in_proj_weight, a=math.sqrt(5))

    def forward(self, tokens: Tensor) -> Tensor:
        """Run on (B, n, width)."""
        normed = self.norm1(tokens)
        tokens = tokens + self.self_attn(normed, normed, normed)
        return tokens + self.linear2(F.relu(self.linear1(self.norm2(tokens))))


class DecoderLayer(nn.Module):
    """Self-attention, attention to the encoder's tokens, and two linear layers."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.multihead_attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, memory: Tensor, task: Tensor) -> Tensor:
        """Decode tokens (B, n, width), given the encoder's and the task's embedding (n, width)."""
        normed = self.norm1(tokens)
        placed = normed + task
        tokens = tokens + self.self_attn(placed, placed, normed)
        tokens = tokens + self.multihead_attn(self.norm2(tokens) + task, memory, memory)
        return tokens + self.linear2(F.relu(self.linear1(self.norm3(tokens))))


class Layers(nn.Module):
    """Layers under the key ``layers``."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


class PositionEncoding(nn.Module):
    """A learned vector of length ``width`` for each position."""

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        self.pe = nn.Embedding(places, width)
        self.register_buffer("position_ids", torch.arange(places).expand(1, -1).clone())

    def forward(self, tokens: Tensor) -> Tensor:
        """Add the vectors to (B, places, width)."""
        return tokens + self.pe.weight


class Transformer(nn.Module):
    """Patches of a feature map to tokens, through encoder and decoder, and back.

    Args:
        tile: The map's side in pixels.
        patch: The patches' side in pixels.
        channels: The map's channels.
        heads: Number of heads.
        layers: Layers of the encoder, and of the decoder.
    """

    def __init__(self, tile: int, patch: int, channels: int, heads: int, layers: int) -> None:
        super().__init__()
        self.patch, self.places = patch, (tile // patch) ** 2
        width = channels * patch**2
        hidden = 4 * width
        self.linear_encoding = nn.Linear(width, width)
        # Keys 0 and 3: the published network has dropout between, which is never used.
        self.mlp_head = nn.Sequential(
            OrderedDict(
                [
                    ("0", nn.Linear(width, hidden)),
                    ("2", nn.ReLU(inplace=True)),
                    ("3", nn.Linear(hidden, width)),
                ]
            )
        )
        self.query_embed = nn.Embedding(1, width * self.places)
        self.encoder = Layers([EncoderLayer(width, heads, hidden) for _ in range(layers)])
        self.decoder = Layers([DecoderLayer(width, heads, hidden) for _ in range(layers)])
        self.position_encoding = PositionEncoding(self.places, width)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, tile, tile)."""
        patches = to_blocks(features, self.patch)
        tokens = patches.flatten(1, 2)
        tokens = self.position_encoding(tokens + self.linear_encoding(tokens))
        for layer in self.encoder.layers:
            tokens = layer(tokens)
        memory, task = tokens, self.query_embed.weight.reshape(self.places, -1)
        for layer in self.decoder.layers:
            tokens = layer(tokens, memory, task)
        tokens = tokens + self.mlp_head(tokens)
        return from_blocks(tokens.reshape(patches.shape), self.patch)


@BACKBONES.register_module()
class IPT(Backbone):
    """Image processing transformer, for one task.

    It works on tiles of one size. Larger images are cut into overlapping tiles whose central parts
    are averaged, exactly as for the published results; smaller images are padded by reflection.
    Training uses patches of the tile's size.

    Args:
        scale: 2, 3 or 4.
        same_size: The LR image lies on the HR grid: no upsampling, as in the authors' denoisers.
        tile: The tiles' side in pixels: a multiple of 4 and of ``patch``.
        patch: The side of the patches that become tokens, in pixels.
        num_features: Channels of the convolutions.
        heads: Number of heads; divides ``num_features * patch ** 2``.
        layers: Layers of the encoder, and of the decoder.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w), or the same size.

    Source:
        Chen, Wang, Guo, Xu, Deng, Liu, Ma, Xu, Xu, Gao, Pre-Trained Image Processing Transformer,
        CVPR 2021. Keys follow huawei-noah/Pretrained-IPT.
    """

    colour = "rgb"
    value_range = 255.0
    scales = (2, 3, 4)
    upsample = "post"
    same_size_form = "native"
    example_arguments = {"scale": 2, "tile": 12, "num_features": 4, "heads": 3, "layers": 1}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        tile: Number = 48,
        patch: Number = 3,
        num_features: Number = 64,
        heads: Number = 12,
        layers: Number = 12,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        if tile % 4 or tile % patch or num_features * patch**2 % heads:
            raise ConfigError(
                "IPT needs tiles that are a multiple of 4 and of its patches, and heads that divide"
                f" num_features * patch ** 2, got {tile} and {patch} pixels, {heads} heads and"
                f" {num_features} features."
            )
        self.tile, self.size_multiple, self.halo = tile, tile // 4, tile - 1
        self.factor = 1 if same_size else scale
        self.sub_mean = MeanShift(255.0, -1)
        self.add_mean = MeanShift(255.0, +1)
        self.head = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(3, num_features, 3, padding=1),
                    ResBlock(num_features, kernel_size=5),
                    ResBlock(num_features, kernel_size=5),
                )
            ]
        )
        self.body = Transformer(tile, patch, num_features, heads, layers)
        self.tail = nn.ModuleList(
            [
                nn.Sequential(
                    Upsampler(self.factor, num_features), nn.Conv2d(num_features, 3, 3, padding=1)
                )
            ]
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 255]."""
        height, width = self.output_size(*lr.shape[-2:])
        image = self.sub_mean(pad_to_size(lr, self.tile))
        image = run_tiled(self._run, image, self.tile, self.factor)
        return self.add_mean(image[..., :height, :width])

    def _run(self, tiles: Tensor) -> Tensor:
        features = self.head[0](tiles)
        return self.tail[0](self.body(features) + features)
