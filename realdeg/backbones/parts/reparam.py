"""Convolutions that are trained as several branches and run as one."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.utils.precision import full_precision


class Conv3XC(nn.Module):
    """A 3x3 convolution that is trained as 1x1, 3x3 and 1x1 in sequence, parallel to a 1x1.

    Training runs the branches, evaluation the equivalent single convolution. It is merged in every
    call, so it is never outdated. (Zeros are padded before the first 1x1 convolution, so both agree
    up to the border.) State dicts hold the branches (``sk``, ``conv``) and the merged convolution
    (``eval_conv``), which is not loaded.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        gain: Factor by which the branches are wider inside.
        fused: Have only the merged convolution.

    Source:
        Wan et al., Swift Parameter-free Attention Network for Efficient Super-Resolution, CVPRW
        2024.
    """

    def __init__(
        self, in_channels: int, out_channels: int, gain: int = 2, fused: bool = False
    ) -> None:
        super().__init__()
        self.fused = fused
        if fused:
            self.eval_conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
            return
        inner, outer = gain * in_channels, gain * out_channels
        self.sk = nn.Conv2d(in_channels, out_channels, 1)
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, inner, 1),
            nn.Conv2d(inner, outer, 3),
            nn.Conv2d(outer, out_channels, 1),
        )
        self.register_state_dict_post_hook(_write_merged)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_drop_merged)  # type: ignore[no-untyped-call]

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, in_channels, H, W)."""
        if self.fused:
            return self.eval_conv(features)
        if self.training:
            return self.conv(F.pad(features, (1, 1, 1, 1))).add(self.sk(features))
        weight, bias = self.merged()
        return F.conv2d(features, weight, bias, padding=1)

    def merged(self) -> tuple[Tensor, Tensor]:
        """Return weight (out, in, 3, 3) and bias (out) of the merged convolution."""
        return merge_branches(*self.conv.parameters(), *self.sk.parameters())


def merge_branches(
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
    w3: Tensor,
    b3: Tensor,
    skip_weight: Tensor,
    skip_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """Merge 1x1, 3x3 and 1x1 convolutions in sequence, parallel to a 1x1, into one 3x3.

    Weights are (out, in, k, k) and biases (out), as is the result.
    """
    # Mixed precision would round these sums and save nothing: the products are small.
    with full_precision(w1):
        behind = torch.tensordot(w3.flatten(1), w2, 1)
        weight = torch.einsum("omkl,mi->oikl", behind, w1.flatten(1))
        bias = behind.sum((2, 3)) @ b1 + w3.flatten(1) @ b2 + b3
        return weight + F.pad(skip_weight, (1, 1, 1, 1)), bias + skip_bias


def _write_merged(
    module: Conv3XC, state: MutableMapping[str, Tensor], prefix: str, metadata: Any
) -> None:
    with torch.no_grad():
        weight, bias = module.merged()
    state[f"{prefix}eval_conv.weight"], state[f"{prefix}eval_conv.bias"] = weight, bias


def _drop_merged(
    module: Conv3XC, state: MutableMapping[str, Tensor], prefix: str, *rest: Any
) -> None:
    for kind in ("weight", "bias"):
        state.pop(f"{prefix}eval_conv.{kind}", None)
