"""Gradients accumulated over parts of a batch: the same steps as with the whole batch."""

from __future__ import annotations

import math

import pytest
import torch

from realdeg.config import inject, load_config
from realdeg.engine import RealdegRunner, read_checkpoint
from realdeg.engine.setup import describe_setup
from realdeg.errors import ConfigError, DataError
from realdeg.registry import TASKS
from tests.engine.tiny import TinyData, TinyTask, differences, final_state, tiny_config

EMA = [dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=0.1)]


@TASKS.register_module(force=True)
class TinyDoubles(TinyTask):
    """TinyTask in float64."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.double()

    def forward(self, x, y, key=None, mode="tensor"):
        return super().forward(x.double(), y.double(), key, mode)


def accumulating(work_dir, passes=1, kind="OptimWrapper", clip_grad=None, double=True, **changes):
    cfg = tiny_config(work_dir, **changes)
    if double:
        cfg["model"]["type"] = "TinyDoubles"
    cfg["train_dataloader"]["batch_size"] = 4 // passes
    cfg["optim_wrapper"] = dict(
        type=kind,
        optimizer=dict(type="Adam", lr=0.05, weight_decay=0.01),
        accumulative_counts=passes,
        clip_grad=clip_grad,
    )
    return cfg


def run(*args, **kwargs) -> RealdegRunner:
    runner = RealdegRunner.from_cfg(accumulating(*args, **kwargs))
    try:
        runner.train()
    finally:
        runner.close()
    return runner


def by_hand(iterations: int, max_norm: float) -> tuple[dict, dict, list[float]]:
    """Train TinyDoubles in a plain loop; return weights, averages and norms of the gradient."""
    task, data = TinyDoubles(), TinyData()
    layer = task.backbone.layer
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05, weight_decay=0.01)
    averages = {name: value.clone() for name, value in layer.state_dict().items()}
    norms = []
    for iteration in range(iterations):
        rate = 0.05 * 0.5 ** sum(iteration >= milestone for milestone in (6, 11))
        optimiser.param_groups[0]["lr"] = rate
        items = [
            data[position, position * 5 % 7] for position in range(4 * iteration, 4 * iteration + 4)
        ]
        x, y = (torch.stack([item[key] for item in items]).double() for key in "xy")
        out = layer(x)
        loss = (out - y).square().mean() + 0.1 * (out - y).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        grads = [p.grad for p in layer.parameters()]
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
        norms.append(norm)
        for g in grads:
            g *= min(1.0, max_norm / (norm + 1e-6))
        optimiser.step()
        with torch.no_grad():
            for name, value in layer.state_dict().items():
                averages[name] = averages[name] * (0.9 if iteration else 0) + value * (
                    0.1 if iteration else 1
                )
    return layer.state_dict(), averages, norms


@pytest.mark.parametrize("passes", [1, 2, 4])
def test_the_steps_are_those_of_the_whole_batch(work_dir, passes):
    weights, averages, norms = by_hand(16, max_norm=1.2)
    assert min(norms) < 1.2 < max(norms)  # the limit counts, and not always
    runner = run(work_dir, passes, clip_grad=dict(max_norm=1.2), custom_hooks=EMA)
    assert runner.iter == 16
    state = read_checkpoint(work_dir / "iter_16.pth")
    for name, value in weights.items():
        found = state["ema_state_dict"][f"module.backbone.layer.{name}"]
        torch.testing.assert_close(found, value, rtol=0, atol=1e-12)
    for name, value in averages.items():
        found = state["state_dict"][f"backbone.layer.{name}"]
        torch.testing.assert_close(found, value, rtol=0, atol=1e-12)
    seen = state["message_hub"]["scalars"]["train/grad_norm"]["values"].double()
    torch.testing.assert_close(seen, torch.tensor(norms).double(), rtol=1e-6, atol=0)
    # One step an iteration, and the rate of the iteration.
    assert state["optimizer"]["state"][0]["step"] == 16
    assert state["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.05 / 4)
    assert state["meta"]["iter"] == 16
    losses = state["message_hub"]["scalars"]["train/loss"]["values"]
    assert len(losses) == 16
    # Every pass was forward once.
    assert state["state_dict"]["backbone.seen"] == 16 * passes


def test_logged_losses_are_those_of_the_whole_batch(tmp_path):
    for passes in (1, 2):
        run(tmp_path / str(passes), passes, iterations=4)
    one, two = (
        read_checkpoint(tmp_path / name / "iter_4.pth")["message_hub"]["scalars"]
        for name in ("1", "2")
    )
    for name in ("train/loss", "train/loss_square", "train/loss_small"):
        torch.testing.assert_close(one[name]["values"], two[name]["values"], rtol=1e-6, atol=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resume_equals_an_unbroken_run(tmp_path, workers):
    settings = dict(passes=2, double=False, workers=workers, custom_hooks=EMA)
    run(tmp_path / "whole", **settings)
    run(tmp_path / "parts", iterations=8, **settings)
    run(tmp_path / "parts", resume=True, **settings)
    whole, parts = (final_state(tmp_path / name) for name in ("whole", "parts"))
    for state in (whole, parts):
        state["setup"].pop("max_iters")
    assert differences(whole, parts) == []


def test_a_failure_between_two_passes_costs_that_iteration_only(tmp_path):
    run(tmp_path / "whole", passes=4, double=False)
    with pytest.raises(DataError, match="cut off"):  # in the third pass of iteration 7
        run(tmp_path / "parts", passes=4, double=False, data=dict(fail_at=26))
    assert (tmp_path / "parts" / "iter_6.pth").exists()
    run(tmp_path / "parts", passes=4, double=False, resume=True)
    assert differences(*(final_state(tmp_path / name) for name in ("whole", "parts"))) == []


def test_mixed_precision_accumulates_as_well(work_dir, capsys):
    runner = run(work_dir, 2, kind="AutocastOptimWrapper", double=False, iterations=3)
    assert runner.optim_wrapper.inner_count == 6
    assert "batch      4 in 2 backward passes, 0 workers" in capsys.readouterr().out
    assert read_checkpoint(work_dir / "iter_3.pth")["optimizer"]["state"][0]["step"] == 3


def test_the_number_of_passes_may_change_on_resume(tmp_path, capsys):
    run(tmp_path / "run", 1, double=False, iterations=8)
    run(tmp_path / "run", 4, double=False, resume=True)
    run(tmp_path / "whole", 1, double=False)
    one, other = (final_state(tmp_path / name)["state_dict"] for name in ("run", "whole"))
    for name in one:
        if "layer" in name:
            torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-5)


def test_a_config_divides_its_batch_by_passes():
    options = {"optim_wrapper.accumulative_counts": 4}
    ready = inject(load_config("edsr/edsr_div2k_x4", options))
    assert ready.train_dataloader.batch_size == 4
    assert ready.train_dataloader.sampler["batch_size"] == 16
    ready = inject(load_config("edsr/edsr_div2k_x4", options), world_size=2)
    assert ready.train_dataloader.batch_size == 2
    options["optim_wrapper.accumulative_counts"] = 3
    with pytest.raises(ConfigError, match=r"16 is not divisible by 3 backward passes \(optim_wr"):
        inject(load_config("edsr/edsr_div2k_x4", options))
    options["optim_wrapper.accumulative_counts"] = 8
    with pytest.raises(ConfigError, match="choose a multiple of 32"):
        inject(load_config("edsr/edsr_div2k_x4", options), world_size=4)
    for wrong in (0, 1.5, "two"):
        with pytest.raises(ConfigError, match="'optim_wrapper.accumulative_counts' is"):
            load_config("edsr/edsr_div2k_x4", {"optim_wrapper.accumulative_counts": wrong})


def test_a_sampler_of_other_iterations_is_refused(work_dir):
    cfg = accumulating(work_dir, 2)
    cfg["train_dataloader"]["batch_size"] = 4
    with pytest.raises(ConfigError, match=r"sampler.batch_size' is 4, wanted 8"):
        RealdegRunner.from_cfg(cfg).train()


def test_the_rate_is_scaled_with_the_batch_of_an_iteration(work_dir):
    auto = dict(enable=True, base_batch_size=8)
    rates = [
        describe_setup(run(work_dir / str(passes), passes, iterations=1, auto_scale_lr=auto))
        for passes in (1, 2)
    ]
    lrs = [rate["optimizer"][""]["groups"][0]["lr"] for rate in rates]
    assert lrs == [pytest.approx(0.025)] * 2
