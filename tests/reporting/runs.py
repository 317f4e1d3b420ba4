"""Runs and pictures made up for the tests of the page: nothing is trained."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from realdeg.reporting import Basis, Gallery, KernelField, Layer, Pictures, Plot, Shot
from realdeg.runs import Curve, RunRecord, Session, TestedImage, TestReport

EVIL = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'&"


def report(seed, name="pair", complete=True):
    values = {"psnr[y]": 30.0 + seed, "ssim[y]": 0.9 + seed / 100}
    return TestReport(
        file=Path("test/report.json"),
        title="t",
        dataset="three pairs",
        sample=False,
        complete=complete,
        unfinished="" if complete else "1 of 3 images is measured.",
        checkpoint="net.safetensors",
        checkpoint_hash="0123",
        facts={"Seed": seed},
        mean=values,
        missing={},
        protocols={"y": {"name": "y", "colour": "y", "border": 4}},
        images=(TestedImage(name, 1, values),),
    )


def run(label="plain", seed=0, points=7, reports=None, validation=True, **changes):
    steps = tuple(range(1, points + 1))
    start = datetime(2026, 1, 31, 12)
    curves = {
        "train/loss": Curve(steps, tuple(1.0 / step for step in steps)),
        "train/lr": Curve(steps, (1e-3,) * points),
        "train/time": Curve(steps, (0.1,) * points),
    }
    if validation:
        curves["val/psnr[y]"] = Curve((1, points), (28.0 + seed, 29.5 + seed))
    made = {
        "folder": Path("work_dirs") / f"run {seed}",
        "label": label,
        "config": {"seed": seed, "model": {"type": "T", "loss": [{"type": "L1Loss"}]}},
        "recipe": "dml/x",
        "seed": seed,
        "sample": False,
        "curves": curves,
        "reports": (report(seed),) if reports is None else reports,
        "sessions": (Session("s", start, start + timedelta(seconds=90), ended_well=True),),
        "environment": {"torch": "2"},
        "iterations": points,
        "planned": points,
        "finished": True,
        "weights": (),
        "pictures": (),
    }
    return RunRecord(**{**made, **changes})


def noise(side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def pictures(name="one"):
    layers = (
        Layer("HR", noise(64)),
        Layer("LR", noise(16, 1)),
        Layer("bicubic", noise(64, 2), "20.00 dB"),
        Layer(name, noise(64, 3), "21.00 dB"),
    )
    shots = (Shot(f"first {name}", "64 x 64", layers), Shot("second", "", layers))
    kernels = np.random.default_rng(4).normal(size=(9, 5, 5))
    maps = np.random.default_rng(5).uniform(size=(2, 8, 8))
    return Pictures(
        galleries=[Gallery("Super-resolved", "A note.", shots, "bicubic", name)],
        fields=[KernelField("first", noise(64), 3, 3, {name: kernels, "true camera": -kernels})],
        bases=[Basis(name, noise(16), kernels[:2], maps)],
        spectra=[Plot("transfer", "cycles", "contrast", {name: ([0.1, 0.2], [1.0, 0.5])})],
        left_out=[f"No images of {name}: none."],
    )
