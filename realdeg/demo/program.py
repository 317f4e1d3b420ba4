"""The steps of the demo."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from realdeg.apis import Degrader
from realdeg.datasets import SampleDataset
from realdeg.degradations import Degradation
from realdeg.demo.console import Steps
from realdeg.demo.plan import FULL, LEARN_RECIPE, LR_PROTOCOL, QUICK, SOURCES, TRAIN_RECIPE, Plan
from realdeg.demo.results import measure_lr, measure_networks, write_figure, write_table
from realdeg.demo.training import (
    folder_pairs,
    learning,
    mixture,
    sample_pairs,
    super_resolution,
    train,
)
from realdeg.evaluation.kernel_error import compare_with_truth
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.image import to_tensor

SCALE = 4


def run_demo(out: str | os.PathLike[str], *, quick: bool = False, seed: int = 0) -> Path:
    """Learn the simulated camera, synthesise pairs, train four networks and compare them.

    Args:
        out: Folder for all output; existing files of the same names are replaced.
        quick: Run for seconds instead of minutes, only to show that everything works.
        seed: The random seed.

    Returns:
        The folder: ``comparison.png``, ``table.md``, ``camera/degradation.safetensors``, the
        synthetic LR images and the networks.

    Raises:
        OutputError: If the folder cannot be written.
    """
    folder = ensure_writable_dir(out)
    plan = QUICK if quick else FULL
    steps = Steps(total=5)
    test = SampleDataset(split="test", scale=SCALE, same_size=True)
    photo = SampleDataset(split="train", scale=SCALE, same_size=True).records[0].hr
    assert isinstance(photo, Path)
    hr_folder = photo.parent

    steps.heading("learn the camera from pairs")
    steps.say(f"recipe {LEARN_RECIPE}: 8 basis kernels and a network that mixes them")
    weights, distances = _learn(plan, folder / "camera", test, steps, seed)

    steps.heading("synthesise LR images")
    learned = Degrader(
        dict(
            type="Compose",
            parts=[dict(checkpoint=str(weights)), dict(type="AWGN", sigma=plan.sigma)],
        ),
        scale=SCALE,
        same_size=True,
    )
    bicubic = Degrader("Bicubic", scale=SCALE, same_size=True)
    for degrader, name in ((learned, "synthetic"), (bicubic, "bicubic")):
        done = degrader.degrade_folder(
            hr_folder, folder / f"lr_{name}", seed=seed, overwrite=True, progress=False
        )
        steps.say(f"{len(done.made)} images in {done.folder}: {degrader.degradation.describe()}")

    steps.heading("train the same network on four training sets")
    steps.say(f"recipe {TRAIN_RECIPE}, made small: {plan.backbone}")
    real = sample_pairs(plan.train_patch)
    sets = {
        "real": real,
        "bicubic": folder_pairs(hr_folder, folder / "lr_bicubic", plan.train_patch),
        "synthetic": folder_pairs(hr_folder, folder / "lr_synthetic", plan.train_patch),
    }
    sets["mixed"] = mixture(real, sets["synthetic"])
    networks = {}
    for name, source in SOURCES.items():
        runner = super_resolution(plan, sets[name], folder / "networks" / name, seed)
        networks[name] = train(runner, steps, f"{source:<20}")

    steps.heading("test on images that no step has seen")
    scores, images = measure_networks(networks, test)
    for one in scores:
        steps.say(f"{one.source:<20} PSNR {one.psnr:.2f} dB   SSIM {one.ssim:.4f}")

    steps.heading("summarise")
    figure = write_figure(folder / "comparison.png", images, scores)
    table = write_table(folder / "table.md", scores, distances, quick=quick)
    steps.say(f"figure: {figure}")
    steps.say(f"table:  {table}")
    return folder


def _learn(
    plan: Plan, folder: Path, test: SampleDataset, steps: Steps, seed: int
) -> tuple[Path, list[str]]:
    """Learn the camera; return its weights and sentences about its distance from the truth."""
    runner = learning(plan, folder, seed)
    model: Degradation = runner.model.degradation
    before = _kernel_distance(model, test, plan.points)
    before_lr = measure_lr(model, test)
    weights = train(runner, steps, "DML")
    after, after_lr = _kernel_distance(model, test, plan.points), measure_lr(model, test)
    plain = measure_lr(Degrader("Bicubic", scale=SCALE, same_size=True).degradation, test)
    sentences = [
        "distance of the kernels from the true ones on unseen images, textured pixels"
        f" (||k - k*|| / ||k*||): {before:.2f} before learning, {after:.2f} after",
        f"generated LR against the camera's LR, psnr[{LR_PROTOCOL}]: {before_lr:.2f} dB before,"
        f" {after_lr:.2f} dB after, {plain:.2f} dB by bicubic reduction",
    ]
    for sentence in sentences:
        steps.say(sentence)
    return weights, sentences


@torch.no_grad()
def _kernel_distance(model: Degradation, test: SampleDataset, points: int) -> float:
    was_training = model.training
    model.eval()
    images = {}
    for index, key in enumerate(test.keys):
        images[key] = to_tensor(test.load(index)["hr"])
    found = compare_with_truth(model, test.camera, images, points_per_image=points)
    model.train(was_training)
    return found["textured_relative_mean"]
