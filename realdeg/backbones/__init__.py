"""Super-resolution networks: one file per network, all under one contract (:mod:`.base`)."""

from __future__ import annotations

from realdeg.backbones.base import Backbone, Outputs
from realdeg.backbones.build import build_backbone
from realdeg.backbones.rcan import RCAN
from realdeg.backbones.vdsr import VDSR
from realdeg.backbones.weights import load_weights, read_weights

__all__ = [
    "RCAN",
    "VDSR",
    "Backbone",
    "Outputs",
    "build_backbone",
    "load_weights",
    "read_weights",
]
