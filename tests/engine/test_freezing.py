"""Parts that are not trained stay bit for bit; parts may have rates of their own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from realdeg.config import load_config
from realdeg.engine import RealdegRunner, read_checkpoint
from realdeg.engine.hooks import FreezeHook
from realdeg.errors import ConfigError
from realdeg.registry import TASKS
from tests.engine.test_processes import two_processes
from tests.engine.tiny import TinyTask, differences, final_state, tiny_config


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.arguments: dict = {}
        self.head = nn.Linear(4, 4)
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
        self.tail = nn.Linear(4, 4)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        return self.tail(self.body(self.head(x)))


@TASKS.register_module(force=True)
class TinyParts(TinyTask):
    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        with torch.random.fork_rng():
            torch.manual_seed(2)
            self.backbone = Net()


ADAMW = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=0.05, weight_decay=0.1))


def build(work_dir, **changes) -> RealdegRunner:
    changes.setdefault("optim_wrapper", ADAMW)
    return RealdegRunner.from_cfg(tiny_config(work_dir, model=dict(type="TinyParts"), **changes))


def train(work_dir, **changes) -> RealdegRunner:
    runner = build(work_dir, **changes)
    try:
        runner.train()
    finally:
        runner.close()
    return runner


def moved(runner) -> set[str]:
    """The names of the tensors that differ from those at the start."""
    before = TinyParts().backbone.state_dict()
    after = runner.model.backbone.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, after[name])} - {
        "seen"
    }


ALL = {
    f"{name}.{kind}"
    for name in ("head", "body.0", "body.1", "body.2", "tail")
    for kind in ("weight", "bias")
}
STATISTICS = {f"body.1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")}


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        (["head"], {"head.weight", "head.bias"}),
        (["backbone.head.*"], {"head.weight", "head.bias"}),
        (["*.bias"], {name for name in ALL if name.endswith("bias")}),
        (["body.1"], {"body.1.weight", "body.1.bias"} | STATISTICS),
        (["body", "head"], {n for n in ALL if not n.startswith("tail")} | STATISTICS),
        (["body.1.running_*"], STATISTICS),
    ],
)
def test_frozen_tensors_are_bit_equal_and_all_others_move(work_dir, patterns, kept):
    runner = train(work_dir, iterations=6, freeze=patterns)
    assert moved(runner) == (ALL | STATISTICS) - kept


@pytest.mark.parametrize("hook", [False, True], ids=["top-level", "hook"])
def test_freezing_may_end(work_dir, hook, capsys):
    settings = dict(patterns=["body"], until=3)
    changes = dict(custom_hooks=[dict(type="FreezeHook", **settings)]) if hook else {}
    changes |= {} if hook else dict(freeze=settings)
    frozen = ALL | STATISTICS
    body = {name for name in frozen if name.startswith("body")}
    assert moved(train(work_dir / "3", iterations=3, **changes)) == frozen - body
    capsys.readouterr()
    assert moved(train(work_dir / "4", iterations=4, **changes)) == frozen
    assert "iteration 4: all parts are trained from here on" in capsys.readouterr().out


@pytest.mark.parametrize("freeze", [["head", "body.1"], dict(patterns=["body"], until=10)])
def test_a_resume_equals_an_unbroken_run(tmp_path, freeze):
    ema = [dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=0.1)]
    train(tmp_path / "whole", freeze=freeze, custom_hooks=ema)
    train(tmp_path / "parts", freeze=freeze, custom_hooks=ema, iterations=8)
    train(tmp_path / "parts", freeze=freeze, custom_hooks=ema, resume=True)
    whole, parts = (final_state(tmp_path / name) for name in ("whole", "parts"))
    assert differences(whole, parts) == []


def test_parts_have_rates_of_their_own_and_the_schedule_scales_all(work_dir):
    wrapper = dict(
        type="OptimWrapper",
        optimizer=dict(type="SGD", lr=0.05),
        paramwise_cfg=dict(custom_keys={"head": dict(lr_mult=0.1), "body.0": dict(lr_mult=0)}),
    )
    runner = train(work_dir, iterations=8, optim_wrapper=wrapper, freeze=["tail"])
    rates = {}
    for name, parameter in runner.model.backbone.named_parameters():
        for group in runner.optim_wrapper.optimizer.param_groups:
            if any(parameter is one for one in group["params"]):
                rates[name] = group["lr"]
    # After the first milestone the rates are halved.
    assert rates["head.weight"] == pytest.approx(0.0025)
    assert rates["body.2.weight"] == pytest.approx(0.025) and rates["body.0.bias"] == 0
    assert "tail.weight" not in rates
    kept = {"tail.weight", "tail.bias", "body.0.weight", "body.0.bias"}
    assert not moved(runner) & kept and {"head.weight", "body.2.weight"} <= moved(runner)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(freeze=["haed"]), r"'freeze' has 'haed'.*TinyParts.*'head'"),
        (dict(freeze=["body.9.*"]), r"'freeze' has 'body.9.\*'"),
        (dict(freeze=["*"]), "leaves nothing to train"),
        (
            dict(
                optim_wrapper={
                    **ADAMW,
                    "paramwise_cfg": dict(custom_keys={"taill": dict(lr_mult=0.1)}),
                }
            ),
            r"optim_wrapper.paramwise_cfg.custom_keys' has 'taill'.*'tail'",
        ),
        (dict(freeze=dict(patterns=["haed"], until=2)), "'freeze' has 'haed', .*'head'"),
        (dict(freeze=dict(patterns=["*"], until=2)), "'freeze' leaves nothing to train"),
    ],
)
def test_names_of_nothing_are_refused_before_data_are_opened(work_dir, changes, said):
    with pytest.raises(ConfigError, match=said):
        build(work_dir, data=dict(length="not a number"), **changes)


@pytest.mark.parametrize("until", [None, 2])
def test_a_part_with_an_optimiser_of_its_own_keeps_something_to_train(work_dir, until, monkeypatch):
    monkeypatch.setattr(TinyParts, "players", ("backbone.body",), raising=False)
    build(work_dir, freeze=dict(patterns=["head", "body.0"], until=until)).close()
    with pytest.raises(ConfigError, match="to train of 'backbone.body', which has an optimiser"):
        build(work_dir, freeze=dict(patterns=["body"], until=until))


@pytest.mark.parametrize(
    ("freeze", "said"),
    [
        ("head", "'freeze' is 'head', wanted a list"),
        (dict(until=3), "'freeze' has no patterns"),
        (dict(patterns=[]), "'freeze.patterns' is"),
        (dict(patterns=["head"], until=0), "'freeze.until' is 0"),
        (dict(pattern=["head"]), "pattern"),
    ],
)
def test_mistakes_are_refused_when_the_config_is_read(freeze, said):
    with pytest.raises(ConfigError, match=said):
        load_config("edsr/edsr_div2k_x4", {"freeze": freeze})


def test_two_processes_freeze_and_accumulate(tmp_path, monkeypatch):
    """DistributedDataParallel waits for no gradient of a frozen part, and sums those of a step."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    changes = dict(iterations=4, freeze=["head", "body.1"])
    alone = train(tmp_path / "alone", **changes)
    loader = tiny_config(tmp_path)["train_dataloader"]
    halves = dict(
        train_dataloader={**loader, "batch_size": 1},
        optim_wrapper={**ADAMW, "accumulative_counts": 2},
    )
    assert two_processes(tmp_path / "two", function=train, **changes, **halves) == [0, 0]
    theirs = alone.model.state_dict()
    for name, value in read_checkpoint(tmp_path / "two" / "iter_4.pth")["state_dict"].items():
        if name.startswith(("backbone.head", "backbone.body.1")):
            assert torch.equal(value, theirs[name]), name
        elif "seen" not in name:
            torch.testing.assert_close(value, theirs[name], rtol=0, atol=1e-5)
    until = dict(freeze=dict(patterns=["head"], until=2))
    assert two_processes(tmp_path / "until", function=train, **until) == [2, 2]


def test_a_part_that_its_task_switches_on_stays_as_it_is(work_dir):
    """Adversarial tasks switch the gradients of their parts off and on."""
    runner = build(work_dir, iterations=4, freeze=["head"])
    head = runner.model.backbone.head
    runner.model.register_forward_pre_hook(lambda *_: head.requires_grad_(True) and None)
    runner.train()
    runner.close()
    assert not moved(runner) & {"head.weight", "head.bias"}
    assert head.weight.grad is None or not head.weight.grad.any()


def test_the_hook_asks_for_patterns():
    with pytest.raises(ConfigError, match="patterns"):
        FreezeHook(patterns=[])
