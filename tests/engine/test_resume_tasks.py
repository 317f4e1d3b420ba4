"""Sixteen iterations equal eight, a resume and eight more, bit for bit, for every kind of training:
on pairs, on HR that is degraded in passing, with a degradation that learns, and adversarial."""

from __future__ import annotations

import os
import socket

import cv2
import numpy as np
import pytest
import torch

from realdeg.engine import RealdegRunner, read_checkpoint
from tests.engine.tiny import differences, final_state, start

NETWORK = dict(type="SRResNet", num_blocks=1, num_features=4)
ADAM = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3), clip_grad=dict(max_norm=1))
EMA = [dict(type="ComponentEMAHook", momentum=0.1)]
COSINE = dict(type="CosineAnnealingLR", T_max=16, by_epoch=False)
STEPS = dict(type="MultiStepLR", milestones=[5, 11], by_epoch=False)
DISCRIMINATOR = dict(type="PatchGANDiscriminator", width=4, halvings=1)
SHARP = [dict(type="L1Loss", name="pixel"), dict(type="L1Loss", name="usm", target="sharpened")]

SUPERVISED = dict(
    model=dict(type="SuperResolution", loss=dict(type="WeightedLoss", terms=SHARP)),
    optim_wrapper=ADAM,
    param_scheduler=[COSINE],
    pairs=True,
)
DEGRADED = dict(
    model=dict(
        type="SuperResolution",
        degradation=dict(type="BSRGAN"),
        degrade_in="workers",
    ),
    optim_wrapper=ADAM,
    param_scheduler=[STEPS],
)
JOINT = dict(
    model=dict(
        type="SuperResolution",
        degradation=dict(type="DirectNet", width=4, levels=1),
        train_degradation=True,
    ),
    optim_wrapper=ADAM,
    param_scheduler=[COSINE],
)
ADVERSARIAL = dict(
    model=dict(
        type="AdversarialSuperResolution",
        degradation=dict(type="AWGN"),
        loss=dict(type="WeightedLoss", terms=[*SHARP, dict(type="LDLLoss")]),
        discriminator=DISCRIMINATOR,
        gan_loss=dict(type="RelativisticGANLoss", weight=0.1),
        penalties=[dict(type="R1Penalty", every=3)],
        adversarial_from=2,
        discriminator_first=1,
    ),
    optim_wrapper=dict(
        constructor="MultiOptimizerConstructor", backbone_step=ADAM, discriminator_step=ADAM
    ),
    # A schedule for each player.
    param_scheduler=dict(backbone_step=[COSINE], discriminator_step=[STEPS]),
)
WGAN = dict(
    model=dict(
        type="AdversarialSuperResolution",
        degradation=dict(type="DirectNet", width=4, levels=1),
        train_degradation=True,
        discriminator=dict(DISCRIMINATOR, norm="none"),
        gan_loss=dict(type="WGANLoss", weight=0.1),
        penalties=[dict(type="GradientPenalty")],
        discriminator_steps=2,
        generator_every=2,
    ),
    optim_wrapper=dict(ADVERSARIAL["optim_wrapper"], degradation_step=ADAM),
    param_scheduler=STEPS,
)
KINDS = dict(
    supervised=SUPERVISED, degraded=DEGRADED, joint=JOINT, adversarial=ADVERSARIAL, wgan_gp=WGAN
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    drawn = np.random.default_rng(0)
    for name, side in (("hr", 64), ("lr", 32)):
        (folder / name).mkdir()
        for number in range(3):
            picture = drawn.integers(0, 256, (side, side, 3), np.uint8)
            cv2.imwrite(str(folder / name / f"{number}.png"), picture)
    return folder


def config(kind, work_dir, photos, workers, iterations, **changes) -> dict:
    chosen = dict(KINDS[kind])
    steps = [dict(type="PairedCrop", patch_size=32), dict(type="PackSample")]
    data = dict(type="HRFolderDataset", folder=str(photos / "hr"), transforms=steps)
    if chosen.pop("pairs", False):
        folders = dict(hr_dir=str(photos / "hr"), lr_dir=str(photos / "lr"))
        data = dict(type="PairedFolderDataset", **folders, transforms=steps)
    model = dict(backbone=NETWORK, scale=2, same_size=False) | chosen.pop("model")
    return dict(
        model=model,
        work_dir=str(work_dir),
        seed=5,
        device="cpu",
        model_wrapper_cfg=dict(type="ManualGradientSync"),
        train_dataloader=dict(
            dataset=data | dict(scale=2, same_size=False, seed=5),
            batch_size=2,
            num_workers=workers,
            sampler=dict(type="PositionSampler", batch_size=2, seed=5),
            collate_fn=dict(type="collate_batch"),
        ),
        train_cfg=dict(type="IterTrainLoop", max_iters=iterations),
        default_hooks=dict(checkpoint=dict(type="SaveCheckpointHook", interval=8)),
        custom_hooks=EMA,
        **chosen,
        **changes,
    )


def train(*args, **changes) -> RealdegRunner:
    runner = RealdegRunner.from_cfg(config(*args, **changes))
    try:
        runner.train()
    finally:
        runner.close()
    return runner


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_iterations_equal_eight_and_eight(tmp_path, photos, kind):
    train(kind, tmp_path / "whole", photos, 0, 16)
    train(kind, tmp_path / "parts", photos, 2, 8)
    half = read_checkpoint(tmp_path / "parts" / "iter_8.pth")
    train(kind, tmp_path / "parts", photos, 2, 16, resume=True)
    whole, parts = final_state(tmp_path / "whole"), final_state(tmp_path / "parts")
    assert differences(whole, parts) == []
    # Everything that learns has learned, and the average is of the network alone.
    for name, value in whole["state_dict"].items():
        if name.endswith(".weight"):
            assert not torch.equal(value, half["state_dict"][name]), name
    averaged = {name.split(".")[1] for name in whole["ema_state_dict"] if "." in name}
    assert averaged == {"backbone"}
    if "discriminator_step" in whole["optimizer"]:
        assert set(whole["param_schedulers"]) == set(whole["optimizer"])


def split(work_dir, photos, **changes) -> RealdegRunner:
    cfg = config("wgan_gp", work_dir, photos, 0, 4, **changes)
    cfg["model"]["backbone"] = dict(NETWORK, use_bn=False)
    cfg["train_dataloader"]["batch_size"] = 2 // int(os.environ.get("WORLD_SIZE", 1))
    runner = RealdegRunner.from_cfg(cfg)
    runner.train()
    runner.close()
    return runner


def test_two_processes_take_the_steps_of_one(tmp_path, photos, monkeypatch):
    """Three players and a penalty that draws; without batch normalisation."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = dict(WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    processes = [
        start(
            tmp_path / "two",
            env=dict(common, RANK=str(rank), LOCAL_RANK=str(rank)),
            function=split,
            photos=photos,
            launcher="pytorch",
        )
        for rank in range(2)
    ]
    split(tmp_path / "one", photos)
    for process in processes:
        process.join(60)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    one, two = (final_state(tmp_path / name, 4)["state_dict"] for name in ("one", "two"))
    assert set(one) == set(two)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-4, msg=name)
