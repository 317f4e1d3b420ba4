"""Experiments without a discriminator: batch normalisation, and x4 from x2."""

from __future__ import annotations

from typing import Any

import torch
from runs import Run, Stage
from torch import Tensor, nn

from realdeg import create_backbone

SIZE = {"num_features": 32, "num_blocks": 8}
# LR pixels of a patch, and patches.
NORM_PATCH, PATCH, BATCH = 16, 24, 8

NORM: dict[str, dict[str, Any]] = {
    "with batch normalisation": {"type": "SRResNet", **SIZE},
    "without": {"type": "SRResNet", **SIZE, "bias": True, "use_bn": False},
}
NORM_ITERATIONS = 800
# The network, the patches and the batch of the paper; only its cost is measured.
PAPER: dict[str, dict[str, Any]] = {
    f"{label}, as in the paper": {**form, "num_features": 64, "num_blocks": 16}
    for label, form in NORM.items()
}


def dotted(backbone: dict[str, Any]) -> dict[str, Any]:
    """Return a backbone as dotted options."""
    return {f"backbone.{key}": value for key, value in backbone.items()}


def norm_runs(seeds: list[int]) -> list[Run]:
    """List SRResNet with and without normalisation, for as many iterations."""
    return [
        Run(
            label,
            seed,
            (
                Stage(
                    "train",
                    "bsds_x4.py",
                    NORM_ITERATIONS,
                    {"patch_size": 4 * NORM_PATCH, **dotted(form)},
                ),
            ),
        )
        for seed in seeds
        for label, form in NORM.items()
    ]


class Step:
    """One training iteration of a network on random patches.

    Args:
        backbone: Its type and arguments.
        patch: LR pixels of a patch's side.
        batch: Patches.
    """

    def __init__(
        self, backbone: dict[str, Any], patch: int = NORM_PATCH, batch: int = BATCH
    ) -> None:
        torch.manual_seed(0)
        arguments = dict(backbone)
        self.network = create_backbone(arguments.pop("type"), scale=4, **arguments).train()
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.lr = torch.rand(batch, 3, patch, patch)
        self.hr = torch.rand(batch, 3, 4 * patch, 4 * patch)

    def __call__(self) -> None:
        """Run forward, backward and the optimiser."""
        self.optimiser.zero_grad()
        nn.functional.l1_loss(self.network(self.lr), self.hr).backward()
        self.optimiser.step()


def norm_steps() -> dict[str, Step]:
    """Return a step of each form at the size of the experiment."""
    return {label: Step(form) for label, form in NORM.items()}


def paper_steps() -> dict[str, Step]:
    """Return a step of each form at the paper's size: 16 patches of 24 LR pixels."""
    return {label: Step(form, patch=24, batch=16) for label, form in PAPER.items()}


def multiply_adds(backbone: dict[str, Any], scale: int) -> float:
    """Return the millions of multiply-adds of all convolutions per LR pixel, forward."""
    arguments = dict(backbone)
    network = create_backbone(arguments.pop("type"), scale=scale, **arguments).eval()
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += module.weight.numel() * output.shape[-1] * output.shape[-2]

    hooks = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.no_grad():
        network(torch.rand(1, 3, PATCH, PATCH))
    for hook in hooks:
        hook.remove()
    return total / PATCH**2 / 1e6


EDSR: dict[str, Any] = {"type": "EDSR", **SIZE}
SCRATCH_ITERATIONS = 1200
FIRST = "{previous}"


def curriculum_runs(seeds: list[int]) -> list[Run]:
    """List x4 from scratch and x4 from x2, at equal multiply-adds (half of them at x2)."""
    half = SCRATCH_ITERATIONS // 2
    two = 10 * round(half * multiply_adds(EDSR, 4) / multiply_adds(EDSR, 2) / 10)
    start = {"backbone.start_from.checkpoint": FIRST, "backbone.start_from.ignore": "('tail.',)"}
    runs = []
    for seed in seeds:
        runs += [
            Run("x4 from scratch", seed, (Stage("x4", "bsds_x4.py", SCRATCH_ITERATIONS),)),
            Run(
                "x2, then x4",
                seed,
                (Stage("x2", "bsds_x2.py", two), Stage("x4", "bsds_x4.py", half, start)),
            ),
        ]
    return runs
