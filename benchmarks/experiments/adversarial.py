"""The adversarial experiment: one network, fine-tuned by each recipe at one budget."""

from __future__ import annotations

from collections.abc import Mapping

from runs import Run, Stage

L1_ITERATIONS = 1500
BUDGET = 400
"""Iterations of every fine-tuning."""

CONTROL = "L1, continued"
CONTENT = "ESRGAN without discriminator"
RECIPES: Mapping[str, str] = {
    CONTROL: "control.py",
    CONTENT: "content.py",
    "SRGAN": "srgan.py",
    "ESRGAN": "esrgan.py",
    "Real-ESRGAN, HAT": "real_esrgan.py",
    "SwinIR": "swinir.py",
    "BSRGAN": "bsrgan.py",
    "ESRGAN-FS": "esrgan_fs.py",
    "LDL": "ldl.py",
    "WGAN-GP": "wgan_gp.py",
}
VALUES = (
    "psnr[realsr-official]",
    "ssim[realsr-official]",
    "gmsd[realsr-official]",
    "st_lpips[alex-vST0.0]",
)
TESTS = {"test_evaluator.metrics.0.metrics": f"[{','.join(v.partition('[')[0] for v in VALUES)}]"}
BICUBIC = Run("bicubic", 0, (Stage("none", "bicubic.py", 0),), TESTS)
L1 = Run("L1", 0, (Stage("train", "l1.py", L1_ITERATIONS),), TESTS)


def fine_tunings(seeds: list[int]) -> list[Run]:
    """List every recipe for every seed; ``{l1}`` is the network that all start from."""
    start = {"backbone.start_from.checkpoint": "{l1}"}
    return [
        Run(label, seed, (Stage("train", config, BUDGET, start),), TESTS)
        for seed in seeds
        for label, config in RECIPES.items()
    ]
