"""Losses: one file per family, each called as ``loss(prediction, target)``."""

from __future__ import annotations

from realdeg.losses.base import Loss
from realdeg.losses.build import build_loss
from realdeg.losses.cross_entropy import CrossEntropyLoss
from realdeg.losses.pixel import CharbonnierLoss, L1Loss, MSELoss
from realdeg.losses.weighted import WeightedLoss

__all__ = [
    "CharbonnierLoss",
    "CrossEntropyLoss",
    "L1Loss",
    "Loss",
    "MSELoss",
    "WeightedLoss",
    "build_loss",
]
