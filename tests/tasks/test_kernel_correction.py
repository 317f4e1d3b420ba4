"""Training IKC: which steps are taken, by which results, and what is refused."""

from __future__ import annotations

import copy

import pytest
import torch

from realdeg import degradations
from realdeg.backbones import IKC
from realdeg.config import inject, load_config
from realdeg.engine import RealdegRunner
from realdeg.engine.optimisers import MultiOptimizerConstructor
from realdeg.errors import ConfigError, DataError
from realdeg.tasks import KernelCorrection
from tests.tasks.test_tasks import _batch

ADAM = {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 1e-2}}
STEPS = {"predictor_step": ADAM, "corrector_step": ADAM}
BLUR = {"shape": "gaussian", "size": 5, "sigma_x": [0.2, 2.0]}


def task(**settings) -> KernelCorrection:
    torch.manual_seed(0)
    degradation = degradations.BlurDown(2, kind="IKC", kernel=BLUR)
    return KernelCorrection(IKC.example(), degradation, **settings).train()


def test_a_step_is_one_of_the_predictor_and_one_for_each_correction():
    """Against a plain loop with optimisers of its own."""
    model, batch = task(), _batch((False, False))
    other = copy.deepcopy(model.backbone)
    losses = model.train_step(batch, MultiOptimizerConstructor(STEPS)(model))

    lr, target = model.low_resolution(batch), model.kernel_targets(batch)
    predictor, corrector = (
        torch.optim.Adam(part.parameters(), lr=1e-2) for part in (other.predictor, other.corrector)
    )
    code = other.predictor(lr)
    loss = (code - target).square().mean()
    loss.backward()
    predictor.step()
    torch.testing.assert_close(losses["loss_predictor"], loss)
    terms = []
    for _ in range(2):
        code = code.detach()
        image = other.restorer(lr, cond=code).detach().clamp(0, 1)
        code = other.corrector(image, code)
        terms.append((code - target).square().mean())
        corrector.zero_grad()
        terms[-1].backward()
        corrector.step()
    torch.testing.assert_close(losses["loss_corrector"], sum(terms) / 2)
    state = model.backbone.state_dict()
    for name, value in other.state_dict().items():
        torch.testing.assert_close(state[name], value, msg=name)


def test_the_restorer_rests():
    model = task()
    before = {k: v.clone() for k, v in model.backbone.restorer.state_dict().items()}
    model.train_step(_batch((False, False)), MultiOptimizerConstructor(STEPS)(model))
    after = model.backbone.restorer.state_dict()
    assert all(torch.equal(before[name], value) for name, value in after.items())
    assert not model.backbone.restorer.training and model.backbone.predictor.training
    found = model.losses(_batch((False, False)))
    assert set(found) == {"loss_predictor", "loss_corrector"}


def test_it_learns_the_code():
    """On one batch, the last correction is nearer to the truth than before."""
    model, batch = task(), _batch((False, False))
    wrappers = MultiOptimizerConstructor(STEPS)(model)
    history = [model.train_step(batch, wrappers) for _ in range(30)]
    for name in ("loss_predictor", "loss_corrector"):
        assert history[-1][name] < 0.3 * history[0][name]


def test_refusals():
    with pytest.raises(DataError, match="whose kernels are unknown"):
        task().losses(_batch((True, True), scale=2))
    with pytest.raises(ConfigError, match=r"predictor_step=dict\(\.\.\.\)"):
        task().train_step(
            _batch((False, False)), MultiOptimizerConstructor({"corrector_step": ADAM})(task())
        )
    for name, match in (("DANv1", "DANv1, and KernelCorrection trains"), ("VDSR", "VDSR")):
        cfg = load_config("ikc/ikc_t91_x2_cpu", check=False)
        cfg.backbone = dict(type=name)
        with pytest.raises(ConfigError, match=match):
            KernelCorrection.check_recipe(cfg)
    cfg = load_config("ikc/ikc_t91_x2_cpu", check=False)
    cfg.optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam"))
    with pytest.raises(ConfigError, match="predictor_step"):
        KernelCorrection.check_recipe(cfg)


def train(folder, iterations, **options):
    options = {
        **{f"backbone.{name}": value for name, value in IKC.example_arguments.items()},
        "backbone.kernel_size": 21,
        "backbone.start_from": None,
        "train_cfg.max_iters": iterations,
        "train_dataloader.batch_size": 2,
        "work_dir": str(folder),
        **options,
    }
    del options["backbone.scale"]
    cfg = load_config("ikc/ikc_t91_x2_cpu", options=options, sample=True)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    runner = RealdegRunner.from_cfg(inject(cfg))
    runner.train()
    state = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.close()
    return state


def test_six_iterations_equal_three_and_three(tmp_path):
    whole = train(tmp_path / "whole", 6)
    train(tmp_path / "parts", 3)
    parts = train(tmp_path / "parts", 6, resume=True)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
