"""Optimisers, schedules of the rate, hooks and compilations that cannot be built."""

from __future__ import annotations

import copy
from functools import lru_cache

import pytest

import realdeg
from realdeg.config import inject, load_config
from realdeg.config.check import validate
from realdeg.config.merge import apply_options
from realdeg.errors import ConfigError

ONE = "edsr/edsr_t91_x4_cpu"
TWO = "sr_resnet/srgan_t91_x4_cpu"
ADAM = dict(optimizer=dict(type="Adam", lr=1e-3))
STEP = "optim_wrapper.discriminator_step"
EMA = dict(type="ComponentEMAHook")


@lru_cache
def unchecked(recipe):
    return load_config(recipe, check=False)


def checked(recipe, options):
    cfg = copy.deepcopy(unchecked(recipe))
    apply_options(cfg, options)
    validate(cfg)
    return cfg


def scheduler(kind, **arguments):
    return {"param_scheduler": [dict(type=kind, **arguments)]}


@pytest.mark.parametrize(
    ("recipe", "options", "said"),
    [
        (TWO, {STEP: None}, f"'{STEP}' is None, wanted dict"),
        (TWO, {STEP: "Adam"}, f"'{STEP}' is 'Adam', wanted dict"),
        (TWO, {STEP: dict(_delete_=True)}, f"'{STEP}' has no optimizer, wanted"),
        (TWO, {f"{STEP}.accumulative_counts": 2}, f"'{STEP}.accumulative_counts': gradients are"),
        (TWO, {f"{STEP}.optimizer.lr": -1}, rf"'{STEP}.optimizer' \(Adam\) cannot be built: .*-1"),
        (TWO, {f"{STEP}.optimizer.betas": (0.9, 1.2)}, r"beta parameter at index 1: 1\.2"),
        (ONE, {"optim_wrapper.optimizer.lr": -1}, r"'optim_wrapper.optimizer' \(Adam\) cannot"),
        (
            ONE,
            {
                "optim_wrapper": dict(
                    _delete_=True, constructor="MultiOptimizerConstructor", backbone_step=ADAM
                )
            },
            "'optim_wrapper' has several optimisers, and SuperResolution is trained by one",
        ),
        (
            ONE,
            {"optim_wrapper.paramwise_cfg": dict(custom_key={"body": dict(lr_mult=0.1)})},
            "unknown key 'optim_wrapper.paramwise_cfg.custom_key'. Did you mean 'custom_keys'",
        ),
        (
            ONE,
            {"optim_wrapper.paramwise_cfg": dict(custom_keys={"body": dict(lr_mul=0.1)})},
            "unknown key 'optim_wrapper.paramwise_cfg.custom_keys.body.lr_mul'. Did you mean 'lr_",
        ),
        (
            TWO,
            {f"{STEP}.paramwise_cfg": dict(custom_keys={"body": dict(lr_mult=-1)})},
            f"'{STEP}.paramwise_cfg.custom_keys.body.lr_mult' is -1, wanted a number, 0 or more",
        ),
        (
            ONE,
            {"param_scheduler": dict(_delete_=True, backbone_step=[dict(type="ConstantLR")])},
            "'param_scheduler' names the optimisers backbone_step, and there is one without",
        ),
        (ONE, scheduler("LinearLR", begin=10, end=5), r"'param_scheduler.0' \(LinearLR\) cannot"),
        (ONE, scheduler("LinearLR", start_factor=-1), r"'param_scheduler.0' \(LinearLR\) cannot"),
        (
            ONE,
            scheduler("CosineRestartLR", periods=[10], restart_weights=[1]),
            r"'param_scheduler.0' \(CosineRestartLR\) cannot be built: its arguments contradict",
        ),
        (
            TWO,
            {
                "param_scheduler": dict(
                    _delete_=True, backbone_step=[dict(type="LinearLR", begin=10, end=5)]
                )
            },
            r"'param_scheduler.backbone_step.0' \(LinearLR\) cannot be built",
        ),
        (ONE, {"custom_hooks": [EMA, EMA]}, "'custom_hooks.0' and 'custom_hooks.1' are both Comp"),
        (ONE, {"compile_model": dict(mod="default")}, "'compile_model.mod'. Did you mean 'mode'"),
        (ONE, {"compile_model": dict(mode="fast")}, "'compile_model.mode' is 'fast', wanted one"),
        (ONE, {"compile_model": dict(fullgraph=3)}, "'compile_model.fullgraph' is 3, wanted True"),
    ],
)
def test_what_cannot_be_built_is_refused_with_its_place(recipe, options, said):
    with pytest.raises(ConfigError, match=said):
        checked(recipe, options)


@pytest.mark.parametrize(
    "options",
    [
        {"optim_wrapper.optimizer": dict(_delete_=True, type="Muon", lr=1e-3)},
        {"optim_wrapper.optimizer": dict(_delete_=True, type="LBFGS")},
        {"optim_wrapper.paramwise_cfg": dict(bias_lr_mult=0.5, custom_keys={"a": dict(lr_mult=0)})},
        scheduler("CosineAnnealingLR", eta_min=1e-7),
        scheduler("ReduceOnPlateauLR", monitor="psnr"),
        scheduler("MultiStepLR", milestones=[5], by_epoch=True),
        {"compile_model": dict(mode="default", dynamic=None)},
    ],
)
def test_what_can_be_is_accepted(options):
    checked(ONE, options)


def test_a_schedule_that_begins_after_a_short_run_has_no_effect(tmp_path):
    """A recipe with a warm-up of 2000 iterations can be tried in a sample run."""
    warm_up = dict(type="LinearLR", start_factor=0.5, begin=0, end=2000)
    cosine = dict(type="CosineAnnealingLR", eta_min=1e-7, begin=2000)
    options = {
        **{"train_cfg.max_iters": 2, "train_cfg.val_interval": 2, "batch_size": 1},
        **{"patch_size": 16, "param_scheduler": [warm_up, cosine]},
    }
    cfg = inject(load_config(ONE, options))
    assert cfg.param_scheduler[1].end > 2000 and cfg.param_scheduler[1].T_max > 0
    result = realdeg.train(ONE, options=options, sample=True, work_dir=tmp_path)
    assert result.iterations == 2
