"""CinCGAN's stages in whole runs: cut in two, and in two processes."""

from __future__ import annotations

import os
import socket

import cv2
import numpy as np
import pytest
import torch

from realdeg.engine import RealdegRunner, read_checkpoint
from realdeg.utils.component import read_component
from tests.engine.tiny import differences, final_state, start
from tests.tasks.test_cincgan import ADAM, BACKBONE, BOTH, G3, JUDGE, SIX, TRANSLATOR


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (88, 88, 3), np.uint8))
    return folder


def train(work_dir, photos, iterations=6, workers=0, model=None, net=None, **changes):
    def part(size):
        steps = [dict(type="PairedCrop", patch_size=size), dict(type="PackSample")]
        return dict(type="HRFolderDataset", folder=str(photos), transforms=steps)

    net = {**TRANSLATOR, **(net or {})}
    model = {
        **dict(type="CinCGAN", scale=4, same_size=False, backbone={**BACKBONE, "cleaner": net}),
        **dict(degradation={**net, "type": G3["type"]}, reverse=net, lr_discriminator=JUDGE),
        "hr_discriminator": {**JUDGE, "form": "hr"},
        **(model or {}),
    }
    players = [*SIX, *(n for n in model if n == "reverse_discriminator")]
    cfg = dict(
        model=model,
        work_dir=str(work_dir),
        seed=5,
        device="cpu",
        model_wrapper_cfg=dict(type="ManualGradientSync"),
        train_dataloader=dict(
            dataset=dict(
                type="UnpairedDataset", datasets=[part(80), part(20)], real="hr", scale=4, seed=5
            ),
            batch_size=2 // int(os.environ.get("WORLD_SIZE", 1)),
            num_workers=workers,
            sampler=dict(type="PositionSampler", batch_size=2, seed=5),
            collate_fn=dict(type="collate_unpaired"),
        ),
        train_cfg=dict(type="IterTrainLoop", max_iters=iterations),
        optim_wrapper=dict(
            constructor="MultiOptimizerConstructor", **{f"{n}_step": ADAM for n in players}
        ),
        param_scheduler=dict(type="LinearLR", start_factor=1, end_factor=0.0, begin=2, end=8),
        default_hooks=dict(checkpoint=dict(type="SaveCheckpointHook", interval=3)),
        **changes,
    )
    runner = RealdegRunner.from_cfg(cfg)
    try:
        runner.train()
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("model", "workers"),
    [
        (dict(inner_first=4), 0),  # the stage begins after the cut
        (dict(inner_first=3, then="outer", **BOTH), 2),  # at the cut
        (dict(inner_first=2, penalties=[dict(type="GradientPenalty")]), 0),  # before it
    ],
    ids=["after", "at", "before"],
)
def test_six_iterations_equal_three_and_three_across_a_stage(tmp_path, photos, model, workers):
    train(tmp_path / "whole", photos, model=model)
    train(tmp_path / "parts", photos, 3, workers, model)
    half = read_checkpoint(tmp_path / "parts" / "iter_3.pth")["state_dict"]
    train(tmp_path / "parts", photos, 6, workers, model, resume=True)
    whole, parts = (final_state(tmp_path / name, 6) for name in ("whole", "parts"))
    assert differences(whole, parts) == []
    assert len(whole["optimizer"]) == (7 if BOTH.items() <= model.items() else 6)
    moved = {
        name.split(".")[1 if name.startswith("backbone") else 0]
        for name, value in whole["state_dict"].items()
        if not torch.equal(value, half[name])
    }
    assert ("cleaner" in moved) == (model.get("then") != "outer")
    assert {"enlarger", "degradation", "hr_discriminator"} <= moved
    for kind in ("backbone", "degradation"):
        found = [read_component(tmp_path / n / f"{kind}.safetensors") for n in ("whole", "parts")]
        assert found[0].hash == found[1].hash


def split(work_dir, photos, **changes):
    plain = {"type": "PatchGANDiscriminator", "width": 2, "norm": "none", "halvings": 1}
    model = dict(lr_discriminator=plain, hr_discriminator=plain, inner_first=1)
    train(work_dir, photos, 3, model=model, net={"use_bn": False}, **changes)


def test_two_processes_take_the_steps_of_one(tmp_path, photos, monkeypatch):
    """Without batch normalisation, whose statistics are those of a process."""
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
        process.join(120)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    one, two = (final_state(tmp_path / name, 3)["state_dict"] for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-4, msg=name)
