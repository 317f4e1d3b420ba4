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
from realdeg.losses.artifacts import LDLLoss, artifact_map
from realdeg.losses.base import Loss, Regulariser
from realdeg.losses.build import build_loss
from realdeg.losses.content import CONTENT_PRESETS, ContentLoss
from realdeg.losses.cross_entropy import CrossEntropyLoss
from realdeg.losses.cycle import CycleLoss, IdentityLoss
from realdeg.losses.features import FeatureLoss
from realdeg.losses.frequency import FilteredLoss, FocalFrequencyLoss
from realdeg.losses.kernel_priors import (
    KernelBoundaryLoss,
    KernelCentreLoss,
    KernelSparsityLoss,
    KernelSumLoss,
)
from realdeg.losses.penalties import GradientPenalty, Penalty, R1Penalty
from realdeg.losses.perceptual import LPIPSLoss
from realdeg.losses.pixel import CharbonnierLoss, L1Loss, MSELoss, NormLoss
from realdeg.losses.structure import MSSSIMLoss, SSIMLoss
from realdeg.losses.texture import TextureLoss, WaveletTextureLoss
from realdeg.losses.variation import TVLoss
from realdeg.losses.weighted import WeightedLoss

__all__ = [
    "CONTENT_PRESETS",
    "AdversarialLoss",
    "CharbonnierLoss",
    "ContentLoss",
    "CrossEntropyGANLoss",
    "CrossEntropyLoss",
    "CycleLoss",
    "FeatureLoss",
    "FilteredLoss",
    "FocalFrequencyLoss",
    "GradientPenalty",
    "HingeGANLoss",
    "IdentityLoss",
    "KernelBoundaryLoss",
    "KernelCentreLoss",
    "KernelSparsityLoss",
    "KernelSumLoss",
    "L1Loss",
    "LDLLoss",
    "LPIPSLoss",
    "LSGANLoss",
    "Loss",
    "MSELoss",
    "MSSSIMLoss",
    "NormLoss",
    "Penalty",
    "R1Penalty",
    "Regulariser",
    "RelativisticGANLoss",
    "SSIMLoss",
    "TVLoss",
    "TextureLoss",
    "WGANLoss",
    "WaveletTextureLoss",
    "WeightedLoss",
    "artifact_map",
    "build_loss",
]
