"""A batch of excessive loss is left out: counted, limited, and the same after a resume."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from realdeg.engine import (
    FiniteLossHook,
    MultiOptimizerConstructor,
    OptimWrapper,
    RealdegRunner,
    read_checkpoint,
)
from realdeg.errors import ConfigError, TrainingError
from realdeg.registry import TASKS
from realdeg.tasks import AdversarialSuperResolution, SuperResolution
from tests.engine.tiny import TinyTask, differences, final_state, tiny_config


@TASKS.register_module(force=True)
class TinyBlasts(TinyTask):
    """TinyTask whose loss is multiplied by a factor in batches that hold one of some items."""

    def __init__(self, factor: str = "1e4", at: tuple = (), **kwargs) -> None:
        super().__init__(**kwargs)
        self.factor, self.at = float(factor), at

    def forward(self, x, y, key=None, mode="tensor"):
        result = super().forward(x, y, key, mode)
        if mode == "loss" and self.steps in self.at:
            result["loss_square"] = result["loss_square"] * self.factor
        return result


def run(work_dir, passes=1, hook=None, **changes) -> RealdegRunner:
    cfg = tiny_config(work_dir, **changes)
    cfg["train_dataloader"]["batch_size"] = 4 // passes
    cfg["optim_wrapper"]["accumulative_counts"] = passes
    cfg["default_hooks"]["finite"] = dict(type="FiniteLossHook", **(hook or {}))
    runner = RealdegRunner.from_cfg(cfg)
    try:
        runner.train()
    finally:
        runner.close()
    return runner


def blasts(at, **settings) -> dict:
    return dict(type="TinyBlasts", at=at, **settings)


SKIP = dict(skip_threshold=100, window=3)


def hook_of(runner) -> FiniteLossHook:
    return next(hook for hook in runner.hooks if isinstance(hook, FiniteLossHook))


def test_a_batch_of_excess_changes_neither_weights_nor_moments(work_dir, capsys):
    whole = run(work_dir / "whole", model=blasts(()), iterations=5)
    watched = run(work_dir / "watched", model=blasts((6,)), iterations=6, hook=SKIP)
    assert hook_of(watched).skipped == 1
    for one, other in zip(
        whole.model.state_dict().items(), watched.model.state_dict().items(), strict=True
    ):
        if "seen" not in one[0]:
            assert torch.equal(one[1], other[1]), one[0]
    states = [runner.optim_wrapper.state_dict()["state"] for runner in (whole, watched)]
    assert differences(*states) == []
    said = capsys.readouterr().out
    assert (
        "iteration 6: the loss is" in said and "more than 100 times the mean of the last 3" in said
    )
    assert "'loss_square'" in said and "(1 of at most 100)" in said


def test_it_is_off_by_default(work_dir):
    runner = run(work_dir, model=blasts((6,)), iterations=6)
    assert hook_of(runner).skipped == 0
    assert runner.message_hub.get_scalar("train/loss").data[0].max() > 1000
    assert "skipped_batches" not in read_checkpoint(work_dir / "iter_6.pth")


def test_nothing_is_left_out_before_there_are_losses_to_compare_with(work_dir):
    assert hook_of(run(work_dir, model=blasts((2, 3)), iterations=3, hook=SKIP)).skipped == 0


def test_a_loss_that_is_not_finite_is_left_out_as_well(work_dir, capsys):
    model = blasts((2,), factor="inf")
    runner = run(work_dir, model=model, iterations=4, hook=SKIP)
    assert hook_of(runner).skipped == 1
    assert "iteration 2: the loss 'loss_square' is inf" in capsys.readouterr().out
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())


@pytest.mark.parametrize("factor", ["1e4", "nan"])
def test_after_the_limit_the_run_ends(work_dir, factor):
    model = blasts((5, 7, 8, 9), factor=factor)
    with pytest.raises(TrainingError, match="iteration 9: .*3 batches have been left out before"):
        run(work_dir, model=model, hook=dict(SKIP, skip_limit=3))
    assert read_checkpoint(work_dir / "iter_8.pth")["skipped_batches"]["count"] == 3


def test_with_accumulation_the_whole_iteration_is_left_out(work_dir):
    whole = run(work_dir / "whole", passes=2, model=blasts(()), iterations=5)
    # The eleventh forward pass is the first of iteration 6.
    watched = run(work_dir / "watched", passes=2, model=blasts((11,)), iterations=6, hook=SKIP)
    assert hook_of(watched).skipped == 1
    for one, other in zip(whole.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_loss_that_is_not_finite_ends_a_run_that_accumulates(work_dir):
    with pytest.raises(TrainingError, match="iteration 3: the loss 'loss_small' is nan"):
        run(work_dir, passes=2, model=dict(break_at=5))


def test_a_resume_compares_with_the_same_losses(tmp_path):
    # Steps are counted anew after a resume: the blast is at iteration 14 in both.
    run(tmp_path / "whole", model=blasts((5, 14)), hook=SKIP)
    run(tmp_path / "parts", model=blasts((5,)), hook=SKIP, iterations=8)
    runner = run(tmp_path / "parts", model=blasts((6,)), hook=SKIP, resume=True)
    assert hook_of(runner).skipped == 2
    whole, parts = (final_state(tmp_path / name) for name in ("whole", "parts"))
    # The config says when the blasts come, which the second part counts from its own start.
    assert differences(whole, parts) == [".setup.objective.model.at"]
    # A new run from these weights starts to count anew.
    started = run(
        tmp_path / "new",
        model=blasts(()),
        hook=SKIP,
        iterations=1,
        load_from=str(tmp_path / "parts" / "iter_16.pth"),
    )
    assert hook_of(started).skipped == 0


@pytest.mark.parametrize("wrong", [dict(skip_threshold=1), dict(window=0), dict(skip_limit=0)])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        FiniteLossHook(**wrong)


def watched(task, wrappers) -> FiniteLossHook:
    """A hook that watches a task which is stepped by hand."""
    hook = FiniteLossHook()
    runner = SimpleNamespace(
        model=task, optim_wrapper=wrappers, iter=0, device=torch.device("cpu"), work_dir="run"
    )
    hook.before_train(runner)
    return hook


def photos() -> dict:
    return {
        "hr": torch.rand(2, 3, 16, 16),
        "lr": torch.rand(2, 3, 8, 8),
        "paired": torch.tensor([True, True]),
        "key": ["a", "b"],
        "meta": [{}, {}],
        "seeds": [1, 2],
    }


NETWORK = {"type": "SRVGGNetCompact", "num_features": 4, "num_convs": 1}


@pytest.mark.parametrize("term", ["loss_near", "loss_mse"])
def test_terms_of_a_weighted_loss_are_named(term):
    terms = [dict(type="L1Loss", name="near"), dict(type="MSELoss")]
    terms[term == "loss_mse"]["weight"] = 1e39
    loss = dict(type="WeightedLoss", terms=terms)
    task = SuperResolution(backbone=NETWORK, loss=loss, scale=2, same_size=False)
    wrapper = OptimWrapper(torch.optim.SGD(task.parameters(), lr=0.1))
    watched(task, wrapper)
    with pytest.raises(TrainingError, match=f"the loss '{term}' is inf"):
        task.train_step(photos(), wrapper)


@pytest.mark.parametrize(
    ("weights", "term"),
    [
        (dict(gan_loss=dict(type="WGANLoss", weight=1e39)), "loss_gan"),
        (dict(penalties=[dict(type="GradientPenalty", weight=1e39)]), "loss_gradient_penalty"),
        (dict(penalties=[dict(type="R1Penalty", weight=1e39)]), "loss_r1_penalty"),
        (dict(loss=dict(type="L1Loss", weight=1e39)), "loss_image"),
    ],
)
def test_adversarial_terms_and_penalties_are_named(weights, term):
    torch.manual_seed(0)
    task = AdversarialSuperResolution(
        backbone=NETWORK,
        discriminator=dict(type="PatchGANDiscriminator", width=4, halvings=1, norm="none"),
        scale=2,
        same_size=False,
        **{"gan_loss": dict(type="WGANLoss"), **weights},
    )
    sgd = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1))
    wrappers = MultiOptimizerConstructor(dict(backbone_step=sgd, discriminator_step=sgd))(task)
    hook = watched(task, wrappers)
    before = {name: value.clone() for name, value in task.backbone.state_dict().items()}
    with pytest.raises(TrainingError, match=f"the loss '{term}' is (inf|nan|-inf)"):
        task.train_step(photos(), wrappers)
    for name, value in task.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    hook.after_train(None)
