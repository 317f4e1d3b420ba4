"""What the config says now wins on resume where it was changed; what cannot go on is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS

import realdeg
from realdeg.engine import RealdegRunner, read_checkpoint
from realdeg.errors import CheckpointError
from tests.engine.tiny import differences, final_state, tiny_config, train

EMA = [dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=0.1)]
WARM_UP = dict(type="LinearLR", start_factor=0.01, begin=0, end=3)
OLD = [dict(type="MultiStepLR", milestones=[2, 4], gamma=0.5, end=1000)]
# Every scheduler that a recipe uses, and the other ones of mmengine that count iterations.
SCHEDULES: dict[str, list[dict[str, Any]]] = {
    "other milestones": [dict(type="MultiStepLR", milestones=[3, 10], gamma=0.5)],
    "other gamma": [dict(type="MultiStepLR", milestones=[2, 4], gamma=0.1)],
    "cosine": [dict(type="CosineAnnealingLR", T_max=16, eta_min=1e-3)],
    "warm-up and cosine": [
        WARM_UP,
        dict(type="CosineAnnealingLR", T_max=13, eta_min=1e-3, begin=3, end=16),
    ],
    "exponential": [dict(type="ExponentialLR", gamma=0.9)],
    "steps": [dict(type="StepLR", step_size=3, gamma=0.7)],
    "linear": [dict(type="LinearLR", start_factor=1, end_factor=0.0, begin=2, end=16)],
    "polynomial": [dict(type="PolyLR", power=2, eta_min=1e-3, begin=0, end=16)],
    "constant": [dict(type="ConstantLR", factor=0.5, begin=0, end=6)],
    "restarts": [
        dict(type="CosineRestartLR", periods=[6, 10], restart_weights=[1, 0.5], eta_min=1e-3)
    ],
    "one cycle": [dict(type="OneCycleLR", eta_max=0.1, total_steps=20)],
    "momentum too": [
        dict(type="CosineAnnealingLR", T_max=16),
        dict(type="CosineAnnealingMomentum", T_max=16, eta_min=0.5),
    ],
    "none": [],
}


def adam(**options: Any) -> dict:
    return dict(type="OptimWrapper", optimizer=dict(type="Adam", **{"lr": 0.05, **options}))


def rates(folder: Path, iteration: int) -> list[Any]:
    """What is scheduled, as a checkpoint has it."""
    state = read_checkpoint(folder / f"iter_{iteration}.pth")
    keys = ("lr", "initial_lr", "betas", "weight_decay")
    groups = state["optimizer"]["param_groups"]
    return [[group.get(key) for key in keys] for group in groups] + [
        {key: value for key, value in item.items() if key not in ("base_values", "verbose")}
        for item in state.get("param_schedulers", [])
    ]


def begun(folder: Path, **changes: Any) -> None:
    """A run of 6 iterations out of 8, whose schedule has come to an end."""
    settings = dict(param_scheduler=OLD, optim_wrapper=adam())
    train(
        folder,
        iterations=6,
        save=dict(interval=2),
        val_cfg=None,
        **{**settings, **changes},
        **QUIET,
    )


QUIET: dict[str, Any] = dict(val_dataloader=None, val_evaluator=None)


def whole_and_resumed(folder: Path, **changes: Any) -> tuple[Path, Path]:
    settings = dict(iterations=12, save=dict(interval=2, keep=9), val_cfg=None, **QUIET, **changes)
    train(folder / "whole", **settings)
    train(folder / "parts", resume=True, **settings)
    return folder / "whole", folder / "parts"


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_changed_schedule_is_followed_as_if_it_had_been_so_from_the_start(tmp_path, name):
    begun(tmp_path / "parts")
    whole, parts = whole_and_resumed(
        tmp_path, param_scheduler=SCHEDULES[name], optim_wrapper=adam()
    )
    for iteration in (8, 12):
        assert rates(whole, iteration) == rates(parts, iteration)


def test_a_changed_base_rate_is_followed_and_listed(tmp_path, capsys):
    begun(tmp_path / "parts")
    whole, parts = whole_and_resumed(tmp_path, param_scheduler=OLD, optim_wrapper=adam(lr=0.01))
    assert rates(whole, 12) == rates(parts, 12)
    said = capsys.readouterr().out
    assert "optim_wrapper.optimizer.lr: 0.01, was 0.05" in said
    assert "train_cfg.max_iters: 12, was 6" in said


def test_a_rate_without_a_schedule_is_followed(tmp_path):
    begun(tmp_path / "parts", param_scheduler=None)
    whole, parts = whole_and_resumed(tmp_path, param_scheduler=None, optim_wrapper=adam(lr=0.01))
    assert rates(whole, 12) == rates(parts, 12) and rates(parts, 12)[0][0] == 0.01


def test_more_iterations_stretch_a_cosine_that_ends_with_the_run(tmp_path):
    begun(tmp_path / "parts", param_scheduler=[dict(type="CosineAnnealingLR", T_max=6)])
    assert rates(tmp_path / "parts", 6)[0][0] < 0.004
    longer = [dict(type="CosineAnnealingLR", T_max=12)]
    whole, parts = whole_and_resumed(tmp_path, param_scheduler=longer, optim_wrapper=adam())
    assert rates(parts, 8)[0][0] > 0.01
    for iteration in (8, 10):
        assert rates(whole, iteration) == rates(parts, iteration)


def test_other_settings_of_the_optimiser_win_and_its_state_goes_on(tmp_path, capsys):
    begun(tmp_path / "parts")
    before = read_checkpoint(tmp_path / "parts" / "iter_6.pth")["optimizer"]
    changed = adam(betas=(0.8, 0.99), weight_decay=0.01)
    runner = RealdegRunner.from_cfg(
        tiny_config(
            tmp_path / "parts",
            iterations=6,
            resume=True,
            param_scheduler=OLD,
            optim_wrapper=changed,
        )
    )
    runner.train()
    runner.close()
    after = runner.optim_wrapper.state_dict()
    group = after["param_groups"][0]
    assert group["betas"] == (0.8, 0.99) and group["weight_decay"] == 0.01
    assert group["lr"] == before["param_groups"][0]["lr"]
    assert differences(before["state"], after["state"]) == []
    said = capsys.readouterr().out
    assert "optimizer.betas: (0.8, 0.99), was (0.9, 0.999)" in said
    assert "optimizer.weight_decay: 0.01, was 0" in said


def test_rates_of_single_layers_are_followed(tmp_path):
    def layers(factor: float) -> dict:
        keys = {"backbone.layer.bias": dict(lr_mult=factor)}
        return {**adam(), "paramwise_cfg": dict(custom_keys=keys)}

    begun(tmp_path / "parts", optim_wrapper=layers(0.1))
    whole, parts = whole_and_resumed(tmp_path, param_scheduler=OLD, optim_wrapper=layers(0.5))
    found = rates(parts, 12)
    assert rates(whole, 12) == found and found[0][0] == pytest.approx(2 * found[1][0])
    with pytest.raises(CheckpointError, match=r"2 groups of parameters, the config makes 1"):
        train(parts, resume=True, iterations=14, param_scheduler=OLD, optim_wrapper=adam())


@pytest.mark.parametrize(
    "other", ["SGD", "RMSprop", "Adagrad", "Adadelta", "AdamW", "RAdam", "NAdam", "Adamax"]
)
@pytest.mark.parametrize("old_file", [False, True])
def test_the_state_of_another_optimiser_is_refused_by_name(tmp_path, other, old_file):
    folder = tmp_path / "run"
    begun(folder)
    file = folder / "iter_6.pth"
    if old_file:  # as written before checkpoints knew the optimiser's name
        state = read_checkpoint(file)
        del state["setup"]
        torch.save(state, file)
    wrapper = dict(type="OptimWrapper", optimizer=dict(type=other, lr=0.05))
    attempt = dict(iterations=8, param_scheduler=OLD, optim_wrapper=wrapper, resume=True)
    if old_file and other == "AdamW":  # the same state, and the same keys
        train(folder, **attempt)
        return
    with pytest.raises(CheckpointError) as caught:
        train(folder, **attempt)
    message = str(caught.value)
    assert "does not fit the config's optimiser" in message and f"load_from={file}" in message
    if not old_file:
        assert f"of Adam, the config has {other}" in message


def test_an_option_that_needs_more_state_is_refused(tmp_path):
    begun(tmp_path / "run")
    with pytest.raises(CheckpointError, match="max_exp_avg_sq"):
        train(
            tmp_path / "run", iterations=8, param_scheduler=OLD, resume=True,
            optim_wrapper=adam(amsgrad=True),
        )  # fmt: skip


def test_a_schedule_that_depends_on_measures_goes_on_and_is_not_mixed(tmp_path):
    plateau = [dict(type="ReduceOnPlateauLR", monitor="tiny/error", rule="less", by_epoch=True)]
    train(tmp_path / "run", iterations=4, param_scheduler=plateau)
    train(tmp_path / "run", iterations=8, param_scheduler=plateau, resume=True)
    with pytest.raises(CheckpointError, match="ReduceOnPlateauLR, which depends on a metric"):
        train(tmp_path / "run", iterations=12, param_scheduler=OLD, resume=True)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_saved_and_comes_back_bit_for_bit(tmp_path, name):
    settings = dict(param_scheduler=SCHEDULES[name], optim_wrapper=adam(), val_cfg=None, **QUIET)
    train(tmp_path / "whole", iterations=8, **settings)
    train(tmp_path / "parts", iterations=4, **settings)
    train(tmp_path / "parts", iterations=8, resume=True, **settings)
    one, two = final_state(tmp_path / "whole", 8), final_state(tmp_path / "parts", 8)
    assert differences(one, two) == []


def test_all_schedulers_that_count_iterations_are_tried():
    """A scheduler that a later mmengine brings is to be added above."""
    tried = {item["type"] for items in SCHEDULES.values() for item in items}
    rates_of = {n for n in PARAM_SCHEDULERS.module_dict if n.endswith("LR") and "Reduce" not in n}
    assert rates_of <= tried | {"FlatCosineLR"}


def test_averaging_begins_or_ends_with_the_weights_that_go_on(tmp_path, capsys):
    folder = tmp_path / "run"
    train(folder, iterations=4, custom_hooks=EMA)
    raw = read_checkpoint(folder / "iter_4.pth")["ema_state_dict"]["module.backbone.layer.weight"]
    runner = train(folder, iterations=4, resume=True)
    assert torch.equal(runner.model.backbone.layer.weight, raw)
    assert "no EMAHook, was one" in capsys.readouterr().out
    train(folder, iterations=8, resume=True)
    train(folder, iterations=9, resume=True, custom_hooks=EMA)
    assert "the averages start from these weights" in capsys.readouterr().out


def test_a_run_that_is_at_its_end_says_so(tmp_path, capsys):
    begun(tmp_path / "run")
    train(tmp_path / "run", iterations=5, param_scheduler=OLD, optim_wrapper=adam(), resume=True)
    said = capsys.readouterr().out
    assert "nothing is left to train" in said and (tmp_path / "run" / "iter_6.pth").is_file()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("optimizer", {"state": {}, "param_groups": []}),
        ("optimizer", []),
        ("optimizer", {"param_groups": 3}),
        ("setup", {"optimizer": []}),
        ("setup", {"optimizer": {"": {"groups": 4}}, "param_schedulers": {}}),
        ("setup", {"optimizer": {}, "param_schedulers": {"": None}}),
        ("param_schedulers", 7),
        ("param_schedulers", [{"last_step": "x"}]),
        ("message_hub", {"scalars": {"a": 1}, "info": {}}),
        ("message_hub", None),
        ("meta", {"iter": "6"}),
        ("meta", {"iter": 5}),
        ("meta", None),
        ("state_dict", {"backbone.layer.weight": "text"}),
        ("state_dict", [1]),
        ("ema_state_dict", {"module.x": 1}),
    ],
)
def test_a_part_of_another_kind_is_told_in_one_sentence(tmp_path, part, value):
    """Written by hand or by another program: the hash of such a file is right."""
    from realdeg.engine import write_checkpoint

    begun(tmp_path / "run")
    file = tmp_path / "run" / "iter_6.pth"
    state = {**read_checkpoint(file), part: value}
    for old in file.parent.glob("iter_*.pth"):
        old.unlink()
    write_checkpoint(file, state)
    hooks = EMA if part == "ema_state_dict" else []
    with pytest.raises(CheckpointError, match=r"iter_6\.pth"):
        train(
            tmp_path / "run", iterations=8, param_scheduler=OLD, optim_wrapper=adam(),
            resume=True, custom_hooks=hooks,
        )  # fmt: skip


def run_sample(folder: Path, iterations: int, recipe: str, **options: Any) -> None:
    realdeg.train(
        recipe,
        options={
            **{"train_cfg.max_iters": iterations, "train_cfg.val_interval": 100},
            **{"batch_size": 1, "backbone.start_from": None, **options},
        },
        sample=True,
        work_dir=folder,
        resume=iterations > 1,
    )


def test_other_losses_and_turns_are_followed_and_listed(tmp_path, capsys):
    gan = "sr_resnet/srgan_t91_x4_cpu"
    run_sample(tmp_path, 1, gan)
    capsys.readouterr()
    hook = dict(type="ScheduleHook", number="model.gan_loss.weight", points=[(0, 0.1), (9, 0.2)])
    run_sample(
        tmp_path,
        2,
        gan,
        **{
            "model.adversarial_from": 1,
            "model.gan_loss.weight": 0.5,
            "custom_hooks": [hook],
            "freeze": ["conv1"],
        },
    )
    said = capsys.readouterr().out
    assert "changed since: model.adversarial_from: 1, was not set" in said
    assert "changed since: model.gan_loss.weight: 0.5, was 0.001" in said
    assert "changed since: custom_hooks.0.points.1: [9, 0.2], was not set" in said
    assert "changed since: freeze: ['conv1'], was not set" in said
    assert "model.loss" not in said and "start_from" not in said
    run_sample(tmp_path, 3, gan, **{"model.adversarial_from": 1})
    assert (
        "changed since: custom_hooks.0.type: not set, was ScheduleHook" in capsys.readouterr().out
    )


def test_a_discriminator_that_a_run_did_not_have_is_told_with_a_way_out(tmp_path):
    plain, gan = "sr_resnet/sr_resnet_t91_x4_cpu", "sr_resnet/srgan_t91_x4_cpu"
    start = r"start from its network instead, backbone.start_from=dict\(checkpoint='"
    run_sample(tmp_path / "plain", 1, plain)
    with pytest.raises(CheckpointError, match=f"of a run without discriminator: {start}"):
        run_sample(tmp_path / "plain", 2, gan)
    run_sample(tmp_path / "gan", 1, gan)
    with pytest.raises(CheckpointError, match=f"of a run with discriminator: {start}"):
        run_sample(tmp_path / "gan", 2, plain)
    file = tmp_path / "plain" / "iter_1.pth"
    with pytest.raises(CheckpointError, match="a whole run: name the file of the backbone beside"):
        run_sample(tmp_path / "new", 1, gan, **{"backbone.start_from": {"checkpoint": str(file)}})
