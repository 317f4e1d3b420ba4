"""Runs that learn noise: going on bit for bit, and stopping where the likelihood diverges."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realdeg.engine import RealdegRunner, read_checkpoint
from realdeg.errors import TrainingError
from tests.engine.tiny import differences, final_state


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    drawn = np.random.default_rng(0)
    for name in ("hr", "lr"):
        (folder / name).mkdir()
    for number in range(3):
        rough = drawn.integers(40, 216, (3, 3, 3)).astype(np.float32)
        clean = cv2.resize(rough, (48, 48), interpolation=cv2.INTER_CUBIC).clip(0, 255).round()
        noisy = (clean + drawn.normal(0, 6, clean.shape)).round().clip(0, 255)
        for name, picture in (("hr", clean), ("lr", noisy)):
            cv2.imwrite(str(folder / name / f"{number}.png"), picture.astype(np.uint8))
    return folder


def run(work_dir, photos, iterations, rate=0.03, **changes) -> RealdegRunner:
    grid = dict(scale=1, same_size=False)
    steps = [dict(type="PairedCrop", patch_size=32), dict(type="PackSample")]
    data = dict(
        type="PairedFolderDataset",
        hr_dir=str(photos / "hr"),
        lr_dir=str(photos / "lr"),
        transforms=steps,
        seed=5,
        **grid,
    )
    noise = dict(type="LearnedNoise", radius=1, knots=3)
    cfg = dict(
        model=dict(type="NoiseLearning", degradation=noise, flat_share=0.5, **grid),
        work_dir=str(work_dir),
        seed=5,
        device="cpu",
        train_dataloader=dict(
            dataset=data,
            batch_size=2,
            num_workers=0,
            sampler=dict(type="PositionSampler", batch_size=2, seed=5),
            collate_fn=dict(type="collate_batch"),
        ),
        optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=rate)),
        train_cfg=dict(type="IterTrainLoop", max_iters=iterations),
        default_hooks=dict(checkpoint=dict(type="SaveCheckpointHook", interval=4)),
        **changes,
    )
    runner = RealdegRunner.from_cfg(cfg)
    try:
        runner.train()
    finally:
        runner.close()
    return runner


def test_a_run_that_goes_on_does_not_start_the_level_again(tmp_path, photos):
    run(tmp_path / "whole", photos, 8)
    run(tmp_path / "parts", photos, 4)
    half = read_checkpoint(tmp_path / "parts" / "iter_4.pth")["state_dict"]
    assert bool(half["started"])
    run(tmp_path / "parts", photos, 8, resume=True)
    whole, parts = (final_state(tmp_path / name, 8) for name in ("whole", "parts"))
    assert differences(whole, parts) == []
    level = whole["state_dict"]["degradation.log_sigma"].exp()
    assert 5 < float(level.min()) and float(level.max()) < 7


def test_a_likelihood_that_diverges_stops_the_run_with_its_name(tmp_path, photos):
    with pytest.raises(TrainingError, match=r"'loss_likelihood' is (nan|inf)") as caught:
        run(tmp_path, photos, 8, rate=1e12)
    assert "loss_smoothness" not in str(caught.value)
    assert not list(tmp_path.glob("*.safetensors"))
