"""The sizes of the demo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LEARN_RECIPE = "dml/dml_n8_realsr_x4_cpu"
TRAIN_RECIPE = "vdsr/vdsr_realsr_x4"
PROTOCOL = "realsr-official"
LR_PROTOCOL = "lr-fidelity"

# Training sets, in the order of the table.
SOURCES = {
    "bicubic": "HR + bicubic",
    "real": "real pairs",
    "synthetic": "HR + DML + noise",
    "mixed": "real and synthetic",
}


@dataclass(frozen=True)
class Plan:
    """The sizes of a run.

    Args:
        learn_iterations: Iterations of the degradation.
        learn_patch: Side of its training patches, in HR pixels.
        train_iterations: Iterations of each network.
        train_patch: Side of its training patches, in HR pixels.
        batch: Patches per iteration.
        degradation: Arguments of DML that differ from the recipe.
        backbone: Arguments of VDSR that differ from the recipe.
        sigma: Noise added to synthetic LR, in grey levels of 0 to 255.
        points: Random pixels of each test image at which kernels are compared.
    """

    learn_iterations: int = 600
    learn_patch: int = 96
    train_iterations: int = 1500
    train_patch: int = 48
    batch: int = 8
    degradation: dict[str, Any] = field(default_factory=lambda: dict(width=16, levels=3))
    backbone: dict[str, Any] = field(default_factory=lambda: dict(depth=8, width=32))
    sigma: float = 5.0
    points: int = 256


FULL = Plan()
"""About four minutes on two CPU cores."""

QUICK = Plan(
    learn_iterations=4,
    learn_patch=48,
    train_iterations=2,
    train_patch=32,
    batch=2,
    degradation=dict(width=8, levels=2),
    backbone=dict(depth=3, width=8),
    points=8,
)
"""Takes seconds and only shows that everything runs."""
