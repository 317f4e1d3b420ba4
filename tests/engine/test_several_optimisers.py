"""Two optimisers: a run cut in two ends where an unbroken one ends, and mistakes are named."""

from __future__ import annotations

import os
import socket

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODEL_WRAPPERS

import realdeg.engine
from realdeg.engine import RealdegRunner, read_checkpoint
from realdeg.engine.optimisers import MultiOptimizerConstructor
from realdeg.errors import CheckpointError, ConfigError, TrainingError
from realdeg.utils.component import read_component
from tests.engine.tiny import differences, final_state, start

ADAM = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, betas=(0.5, 0.999)))
DSGAN = dict(
    degradation=dict(type="DSGAN", width=4, num_blocks=1),
    discriminator=dict(type="DSGANDiscriminator", width=4),
    perceptual_loss=dict(type="LPIPSLoss", weight=0.0),
)
# Noise from seeds, batch normalisation and the vectors of spectral normalisation: all state counts.
HIGH_TO_LOW = dict(
    degradation=dict(type="HighToLow", width=4),
    discriminator=dict(type="BulatDiscriminator", width=4),
    loss=dict(type="MSELoss"),
    low_pass_size=1,
    gan_loss=dict(type="HingeGANLoss", weight=0.05),
    perceptual_loss=None,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (40, 40, 3), np.uint8))
    return folder


def config(work_dir, photos, model=DSGAN, iterations=6, **changes) -> dict:
    def part(size):
        steps = [dict(type="PairedCrop", patch_size=size), dict(type="PackSample")]
        return dict(type="HRFolderDataset", folder=str(photos), transforms=steps)

    processes = int(os.environ.get("WORLD_SIZE", 1))
    cfg = dict(
        model=dict(type="UnpairedDegradation", scale=2, same_size=False, **model),
        work_dir=str(work_dir),
        seed=5,
        device="cpu",
        model_wrapper_cfg=dict(type="ManualGradientSync"),
        train_dataloader=dict(
            dataset=dict(
                type="UnpairedDataset", datasets=[part(32), part(16)], real="hr", scale=2, seed=5
            ),
            batch_size=2 // processes,
            num_workers=0,
            sampler=dict(type="PositionSampler", batch_size=2, seed=5),
            collate_fn=dict(type="collate_unpaired"),
        ),
        train_cfg=dict(type="IterTrainLoop", max_iters=iterations),
        optim_wrapper=dict(
            constructor="MultiOptimizerConstructor", degradation_step=ADAM, discriminator_step=ADAM
        ),
        param_scheduler=dict(type="LinearLR", start_factor=1, end_factor=0.0, begin=2, end=8),
        default_hooks=dict(checkpoint=dict(type="SaveCheckpointHook", interval=3)),
    )
    cfg.update(changes)
    return cfg


def train(work_dir, photos, **changes) -> RealdegRunner:
    runner = RealdegRunner.from_cfg(config(work_dir, photos, **changes))
    try:
        runner.train()
    finally:
        runner.close()
    return runner


@pytest.mark.parametrize("model", [DSGAN, HIGH_TO_LOW], ids=["dsgan", "high_to_low"])
def test_six_iterations_equal_three_and_three(tmp_path, photos, model):
    train(tmp_path / "whole", photos, model=model)
    train(tmp_path / "parts", photos, model=model, iterations=3)
    train(tmp_path / "parts", photos, model=model, resume=True)
    whole, parts = (final_state(tmp_path / name, 6) for name in ("whole", "parts"))
    assert differences(whole, parts) == []
    # Plain data and tensors: this reading runs nothing.
    state = torch.load(tmp_path / "whole" / "iter_6.pth", weights_only=True)
    assert set(state["optimizer"]) == {"degradation_step", "discriminator_step"}
    assert set(state["param_schedulers"]) == set(state["optimizer"])
    assert any(name.startswith("discriminator.") for name in state["state_dict"])
    assert (
        "no perceptual term"
        in read_component(tmp_path / "whole" / "degradation.safetensors").meta["objective"]
    )
    moved = read_checkpoint(tmp_path / "parts" / "iter_3.pth")["state_dict"]
    assert differences(moved, whole["state_dict"]) != []


def test_averages_of_a_whole_task_go_on_as_those_of_the_component(tmp_path, photos):
    """Averaging changes no training: raw weights, the discriminator's too, are as without it."""
    whole = [dict(type="EMAHook", momentum=0.1)]
    ours = [dict(type="ComponentEMAHook", momentum=0.1)]
    train(tmp_path / "none", photos)
    train(tmp_path / "run", photos, iterations=3, custom_hooks=whole)
    train(tmp_path / "run", photos, resume=True, custom_hooks=ours)
    none, run = final_state(tmp_path / "none", 6), final_state(tmp_path / "run", 6)
    averaged = {name.removeprefix("module.") for name in run["ema_state_dict"]} - {"steps"}
    assert averaged == {name for name in none["state_dict"] if name.startswith("degradation.")}
    for name, value in none["state_dict"].items():
        ema = run["ema_state_dict"].get(f"module.{name}")
        assert torch.equal(run["state_dict"][name] if ema is None else ema, value), name
    weight = next(name for name in averaged if name.endswith("weight"))
    assert not torch.equal(run["state_dict"][weight], none["state_dict"][weight])
    # The averages that mmengine's hook had are those that go on.
    train(tmp_path / "all", photos, custom_hooks=ours)
    expected = final_state(tmp_path / "all", 6)["state_dict"]
    assert differences(run["state_dict"], expected) == []


def test_both_rates_follow_the_schedule(tmp_path, photos):
    runner = train(tmp_path / "run", photos, iterations=5)
    for wrapper in runner.optim_wrapper.values():
        # Constant until 2, then by a fifth of 1e-3 for each of the 5 steps from 1 to 0.
        assert wrapper.get_lr()["lr"] == [pytest.approx(1e-3 * (1 - 3 / 5))]


def test_the_state_of_other_optimisers_is_refused(tmp_path, photos):
    train(tmp_path / "run", photos, iterations=3)
    file = tmp_path / "run" / "iter_3.pth"
    state = read_checkpoint(file)
    del state["optimizer"]["discriminator_step"]
    torch.save(state, file)
    with pytest.raises(CheckpointError, match="does not fit the config's optimiser"):
        train(tmp_path / "run", photos, resume=True)


def test_what_is_changed_for_one_of_two_optimisers_wins_and_is_listed(tmp_path, photos, capsys):
    from realdeg.engine.setup import describe_setup

    train(tmp_path / "parts", photos, iterations=3)
    cfg = config(tmp_path / "parts", photos, iterations=5, resume=True)
    other = dict(type="Adam", lr=5e-4, eps=1e-6)
    cfg["optim_wrapper"]["discriminator_step"] = {**ADAM, "optimizer": other}
    runner = RealdegRunner.from_cfg(cfg)
    runner.train()
    runner.close()
    rates = {name: wrapper.get_lr()["lr"][0] for name, wrapper in runner.optim_wrapper.items()}
    settings = describe_setup(runner)["optimizer"]["discriminator_step"]["groups"][0]
    assert settings["eps"] == 1e-6
    assert rates["discriminator_step"] == pytest.approx(rates["degradation_step"] / 2)
    said = capsys.readouterr().out
    assert "optim_wrapper.discriminator_step.optimizer.lr: 0.0005, was 0.001" in said
    assert "degradation_step.optimizer" not in said
    cfg = config(tmp_path / "parts", photos, iterations=6, resume=True)
    other = dict(type="SGD", lr=5e-4)
    cfg["optim_wrapper"]["discriminator_step"] = {**ADAM, "optimizer": other}
    runner = RealdegRunner.from_cfg(cfg)
    with pytest.raises(CheckpointError, match="state for discriminator_step in .* of Adam"):
        runner.train()
    runner.close()


def test_a_loss_that_is_not_finite_stops_before_the_step(tmp_path, photos):
    model = {**DSGAN, "gan_loss": dict(type="CrossEntropyGANLoss", weight=1e39)}
    with pytest.raises(TrainingError, match="'loss_gan' is inf"):
        train(tmp_path / "run", photos, model=model)
    assert not list((tmp_path / "run").glob("iter_*"))


def test_a_batch_of_excess_is_left_out_by_the_player_whose_loss_it_is(tmp_path, photos):
    """The discriminator's loss explodes in iteration 4: it keeps its weights, the other steps."""
    hook = dict(type="FiniteLossHook", skip_threshold=50, window=2)
    hooks = dict(finite=hook, checkpoint=dict(type="SaveCheckpointHook", interval=1, keep=6))
    runner = RealdegRunner.from_cfg(
        config(tmp_path / "run", photos, iterations=4, default_hooks=hooks)
    )
    usual, calls = runner.model.gan_loss.discriminator, []

    def explode(*args):
        calls.append(1)
        return usual(*args) * (1e4 if len(calls) == 4 else 1)

    runner.model.gan_loss.discriminator = explode
    runner.train()
    runner.close()
    before, after = (read_checkpoint(tmp_path / "run" / f"iter_{number}.pth") for number in (3, 4))
    assert after["skipped_batches"]["count"] == 1
    moved = {
        name.partition(".")[0]
        for name, value in before["state_dict"].items()
        if not torch.equal(value, after["state_dict"][name])
        and "running" not in name
        and "num_batches" not in name
    }
    assert moved == {"degradation"}
    steps = {
        name: {float(item["step"]) for item in state["state"].values()}
        for name, state in after["optimizer"].items()
    }
    assert steps == {"degradation_step": {4.0}, "discriminator_step": {3.0}}


def test_wrong_optimisers_are_named(tmp_path, photos):
    def attempt(**optimisers):
        cfg = dict(constructor="MultiOptimizerConstructor", **optimisers)
        train(tmp_path / "run", photos, optim_wrapper=cfg)

    with pytest.raises(ConfigError, match="no part 'critic'"):
        attempt(degradation_step=ADAM, critic_step=ADAM)
    with pytest.raises(ConfigError, match="'<part of the task>_step'"):
        attempt(degradation=ADAM)
    with pytest.raises(ConfigError, match="accumulative_counts"):
        attempt(degradation_step=dict(ADAM, accumulative_counts=2), discriminator_step=ADAM)
    with pytest.raises(ConfigError, match="two optimisers"):
        attempt(degradation_step=ADAM)
    with pytest.raises(ConfigError, match="names no optimiser"):
        attempt()
    with pytest.raises(ConfigError, match="paramwise_cfg"):
        MultiOptimizerConstructor(dict(degradation_step=ADAM), dict(bias_lr_mult=2))
    with pytest.raises(ConfigError, match="two optimisers"):
        train(tmp_path / "run", photos, optim_wrapper=dict(ADAM))


def test_two_processes_take_the_same_steps(tmp_path, photos, monkeypatch):
    """Gradients are averaged: without batch normalisation, two processes equal one."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    model = {**HIGH_TO_LOW, "degradation": DSGAN["degradation"]}
    train(tmp_path / "alone", photos, model=model)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = dict(WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    processes = [
        start(
            tmp_path / "two",
            env=dict(common, RANK=str(rank), LOCAL_RANK=str(rank)),
            function=train,
            photos=photos,
            model=model,
            launcher="pytorch",
        )
        for rank in range(2)
    ]
    for process in processes:
        process.join(60)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    one, two = (final_state(tmp_path / name, 6)["state_dict"] for name in ("alone", "two"))
    assert set(one) == set(two)
    for name, value in one.items():
        assert (two[name] - value).abs().max() < 1e-4, name


def test_names_of_former_configs_still_build(work_dir, photos):
    cfg = config(work_dir, photos, iterations=1)
    cfg["optim_wrapper"]["constructor"] = "SeveralOptimisers"
    with pytest.warns(DeprecationWarning, match="use MultiOptimizerConstructor"):
        RealdegRunner.from_cfg(cfg).train()
    with pytest.warns(DeprecationWarning, match="use ManualGradientSync"):
        MODEL_WRAPPERS.build(dict(type="StepsForItself", module=torch.nn.Identity()))
    with pytest.warns(DeprecationWarning, match="MultiOptimizerConstructor"):
        assert realdeg.engine.SeveralOptimisers is MultiOptimizerConstructor
    runner = RealdegRunner.from_cfg(config(work_dir, photos, iterations=1))
    with pytest.warns(DeprecationWarning, match="resume_from"):
        runner.go_on_from("iter_1.pth")
    assert runner.load_from == "iter_1.pth"
