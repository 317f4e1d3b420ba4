"""Methods that learn without pairs, at one budget, between bicubic LR and real pairs.

Every network is EDSR of 32 channels and 4 blocks, trained for as many iterations on 8 patches of 32
LR pixels; the RealSR V3 crops give HR of 40 scenes and LR of the same 40, which only "real pairs"
and "DML" use as pairs. All are measured on the pairs of 10 others. Degradations are trained by
their own recipes for two CPU cores, before the network or with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from runs import Run, Stage

from realdeg.config import list_configs

ITERATIONS = 600
"""Of every network."""

DEGRADATION = 1500
"""Of degradations that are trained before their network."""

VALUES = ("psnr[realsr-official]", "ssim[realsr-official]")
TESTS = {"test_evaluator.metrics.0.metrics": f"[{','.join(v.partition('[')[0] for v in VALUES)}]"}
INTERPOLATION = "bicubic interpolation"
BICUBIC = "bicubic LR"
REAL = "real pairs"
BEFORE: Mapping[str, str] = {
    "DSGAN": "dsgan/dsgan_realsrv3crops_x4_cpu",
    "PDM": "pdm/pdm_realsrv3crops_x4_cpu",
    "DML, from pairs": "dml/dml_n8_realsrv3crops_x4_cpu",
}
"""Recipes of degradations that are fixed while the network is trained."""

JOINT: Mapping[str, str] = {
    "PDM, jointly": "pdm/pdm_edsr_realsrv3crops_x4_cpu",
    "Bulat et al., jointly": "low_to_high/low_to_high_edsr_realsrv3crops_x4_cpu",
}
"""Recipes that train degradation and network together."""

CINCGAN = ("CinCGAN", "cincgan/cincgan_realsrv3crops_x4_cpu")
ORDER = [INTERPOLATION, BICUBIC, "DSGAN", "PDM", *JOINT, CINCGAN[0], "DML, from pairs", REAL]
"""The labels in the order of the table."""


def unpaired_runs(seeds: list[int]) -> list[Run]:
    """List the runs; recipes that this version does not have are left out.

    Args:
        seeds: Of every random stream.
    """
    shipped = set(list_configs())
    runs = [Run(INTERPOLATION, 0, (Stage("none", "bicubic.py", 0),), TESTS)]
    for seed in seeds:
        bicubic = Stage("bicubic", "unpaired_degraded.py", ITERATIONS)
        runs.append(Run(BICUBIC, seed, (bicubic,), TESTS))
        for label, recipe in BEFORE.items():
            learned = {"degradation": "{degradation}"}
            first = Stage("degradation", recipe, DEGRADATION)
            then = Stage("train", "unpaired_degraded.py", ITERATIONS, learned)
            runs.append(Run(label, seed, (first, then), TESTS))
        for label, recipe in JOINT.items():
            if recipe in shipped:
                runs.append(Run(label, seed, (Stage("train", recipe, ITERATIONS),), TESTS))
        label, recipe = CINCGAN
        if recipe in shipped:
            start = {"backbone.enlarger.start_from.checkpoint": "{bicubic}"}
            cycle = Stage("train", recipe, ITERATIONS, start)
            runs.append(Run(label, seed, (bicubic, cycle), TESTS))
        runs.append(Run(REAL, seed, (Stage("train", "unpaired_pairs.py", ITERATIONS),), TESTS))
    return runs
