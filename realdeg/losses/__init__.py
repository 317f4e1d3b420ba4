"""Losses: one file per family, each called as ``loss(prediction, target)``."""

from __future__ import annotations

from realdeg.losses.adversarial import (
    AdversarialLoss,
    CrossEntropyGANLoss,
    HingeGANLoss,
    LSGANLoss,
    RelativisticGANLoss,
    WGANLoss,
)
from realdeg.losses.base import Loss
from realdeg.losses.build import build_loss
from realdeg.losses.content import CONTENT_PRESETS, ContentLoss
from realdeg.losses.cross_entropy import CrossEntropyLoss
from realdeg.losses.features import FeatureLoss
from realdeg.losses.penalties import GradientPenalty, Penalty, R1Penalty
from realdeg.losses.perceptual import LPIPSLoss
from realdeg.losses.pixel import CharbonnierLoss, L1Loss, MSELoss
from realdeg.losses.texture import TextureLoss, WaveletTextureLoss
from realdeg.losses.weighted import WeightedLoss

__all__ = [
    "CONTENT_PRESETS",
    "AdversarialLoss",
    "CharbonnierLoss",
    "ContentLoss",
    "CrossEntropyGANLoss",
    "CrossEntropyLoss",
    "FeatureLoss",
    "GradientPenalty",
    "HingeGANLoss",
    "L1Loss",
    "LPIPSLoss",
    "LSGANLoss",
    "Loss",
    "MSELoss",
    "TextureLoss",
    "WaveletTextureLoss",
    "Penalty",
    "R1Penalty",
    "RelativisticGANLoss",
    "WGANLoss",
    "WeightedLoss",
    "build_loss",
]
