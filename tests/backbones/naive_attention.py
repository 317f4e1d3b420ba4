"""Attention as the public code computes it: every score at once. For comparison only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.backbones.san import EmbeddedGaussian


def covariance(features: Tensor) -> Tensor:
    """Centre by a matrix of pixels x pixels."""
    tokens = features.flatten(2)
    pixels = tokens.shape[2]
    centring = torch.eye(pixels, dtype=tokens.dtype) / pixels - 1 / pixels**2
    return tokens @ centring @ tokens.transpose(1, 2)


def over_keys(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return (query @ key.transpose(1, 2)).softmax(2) @ value


def over_queries(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return (query @ key.transpose(1, 2)).softmax(1) @ value


def gaussian(layer: EmbeddedGaussian, features: Tensor) -> Tensor:
    """One quarter of SAN's region attention."""
    query = layer.theta(features).flatten(2).transpose(1, 2)
    key = F.max_pool2d(layer.phi[0](features), 2).flatten(2).transpose(1, 2)
    value = F.max_pool2d(layer.g[0](features), 2).flatten(2).transpose(1, 2)
    found = over_keys(query, key, value).transpose(1, 2)
    return features + layer.W(found.reshape(*found.shape[:2], *features.shape[2:]))


def paste_matches(query: Tensor, key: Tensor, value: Tensor, factor: int, floor: Tensor) -> Tensor:
    """Score by convolving with every patch, paste by a transposed convolution."""
    results = []
    for q, k, v in zip(query, key, value, strict=True):
        small = F.unfold(k[None], 3, padding=1)[0].T.reshape(-1, len(k), 3, 3)
        small = small / small.square().sum((1, 2, 3), keepdim=True).sqrt().maximum(floor)
        large = F.unfold(v[None], 3 * factor, padding=factor, stride=factor)[0].T
        large = large.reshape(-1, len(v), 3 * factor, 3 * factor)
        scores = (10 * F.conv2d(q[None], small, padding=1)).softmax(1)
        results.append(F.conv_transpose2d(scores, large, stride=factor, padding=factor) / 6)
    return torch.cat(results)
