"""A degradation and a network, each with its own loss, in one task."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from realdeg import create_backbone, create_degradation
from realdeg.config import inject, load_config
from realdeg.degradations.primitives import imresize
from realdeg.engine import RealdegRunner
from realdeg.engine.optimisers import MultiOptimizerConstructor
from realdeg.errors import ConfigError, DataError
from realdeg.tasks import JointTraining
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.component import read_component
from tests.engine.tiny import differences, final_state

DML = {
    "type": "DML",
    "num_kernels": 2,
    "kernel_size": 5,
    "width": 4,
    "levels": 1,
    "init": "gaussian_bank",
}
VDSR = {"type": "VDSR", "depth": 3, "width": 4}
ADAM = {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 1e-3}}
PARTS = ("backbone", "degradation")
STEPS = {"backbone_step": ADAM, "degradation_step": ADAM}


def batch(paired=(True, False, True, False), size=32):
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(len(paired), 3, size, size, generator=generator)
    lr = (
        torch.rand(sum(paired), 3, size // 4, size // 4, generator=generator)
        if any(paired)
        else None
    )
    count = range(len(paired))
    return {
        **dict(hr=hr, lr=lr, paired=torch.tensor(paired), seeds=list(count)),
        **dict(key=[f"{index}" for index in count], meta=[{} for _ in count]),
    }


def task(**options):
    torch.manual_seed(1)
    return JointTraining(VDSR, DML, scale=4, same_size=False, **options).train()


def gradients(module) -> list[Tensor]:
    return [
        p.grad.clone() if p.grad is not None else torch.zeros_like(p) for p in module.parameters()
    ]


def step(model, data, steps=STEPS):
    """Take a step; return which part moved."""
    before = {
        name: [p.detach().clone() for p in getattr(model, name).parameters()] for name in PARTS
    }
    losses = model.train_step(data, MultiOptimizerConstructor(steps)(model))
    moved = {
        name
        for name in PARTS
        for old, new in zip(before[name], getattr(model, name).parameters(), strict=True)
        if not torch.equal(old, new)
    }
    return losses, moved


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_each_part_has_the_gradient_of_its_own_loss(weight):
    """Against the two losses computed from their formulas, in one part's gradient at a time."""
    model, data = task(sr_gradient=weight, border=1), batch()
    _, moved = step(model, data)
    assert moved == set(PARTS)
    found = {name: gradients(getattr(model, name)) for name in PARTS}

    model = task(sr_gradient=weight, border=1)
    paired = data["paired"]
    y, real = rgb_to_y(data["hr"]), rgb_to_y(data["lr"])
    generated = model.degradation(y[paired], [0, 2])
    own = (generated - real)[..., 1:-1, 1:-1].square().mean()
    made = model.degradation(y[~paired], [1, 3])
    if not weight:
        made = (made.detach().clamp(0, 1) * 255).round() / 255
    lr = torch.empty(4, 1, 8, 8).index_put((paired,), real).index_put((~paired,), made)
    image = (model.backbone(imresize(lr, 4)) - y).abs().mean()
    (own + weight * image).backward()
    for one, two in zip(found["degradation"], gradients(model.degradation), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-7)
    assert any(g.abs().max() > 0 for g in found["degradation"])
    model.zero_grad()
    lr = lr.detach()
    (model.backbone(imresize(lr, 4)) - y).abs().mean().backward()
    for one, two in zip(found["backbone"], gradients(model.backbone), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-7)


def test_turns():
    model, seen = task(alternate=(2, 3), degradation_first=4), []
    for iteration in range(14):
        model.iteration = iteration
        losses, moved = step(model, batch())
        (part,) = moved
        seen.append(part[0])
        assert set(losses) == {"loss_degradation" if part == "degradation" else "loss_image"}
    assert "".join(seen) == "dddd" + "ddbbb" * 2


@pytest.mark.parametrize("first", [0, 2])
def test_both_in_every_iteration(first):
    model = task(degradation_first=first)
    for iteration in range(3):
        model.iteration = iteration
        losses, moved = step(model, batch())
        both = iteration >= first
        assert moved == (set(PARTS) if both else {"degradation"})
        assert set(losses) == {"loss_degradation", *(["loss_image"] if both else [])}


def test_the_networks_gradient_in_the_degradations_turn():
    """The network judges, and rests."""
    model = task(alternate=(1, 1), sr_gradient=0.5)
    losses, moved = step(model, batch())
    assert moved == {"degradation"} and set(losses) == {"loss_degradation", "loss_image"}
    assert all(p.requires_grad for p in model.parameters())
    model.iteration = 1
    losses, moved = step(model, batch())
    assert moved == {"backbone"} and set(losses) == {"loss_image"}


def test_what_the_network_sees_of_pairs():
    data = batch()
    seen = {}

    def note(module, args):
        seen[kind] = args[0].shape[0], args[0].detach().clone()

    for kind in ("real", "degraded", "nothing"):
        model = task(pairs=kind)
        model.backbone.register_forward_pre_hook(note)
        model.losses(data)
    assert [seen[kind][0] for kind in seen] == [4, 4, 2]
    # Pairs are the first and the third; HR images are degraded alike.
    assert torch.equal(seen["real"][1][1::2], seen["nothing"][1])
    assert torch.equal(seen["degraded"][1][1::2], seen["nothing"][1])
    assert not torch.equal(seen["real"][1][::2], seen["degraded"][1][::2])


def test_terms_are_named():
    terms = [{"type": "L1Loss"}, {"type": "MSELoss", "weight": 2.0}]
    weighted = {"type": "WeightedLoss", "terms": terms}
    losses = task(loss=weighted, degradation_loss=weighted).losses(batch())
    assert set(losses) == {
        *("loss_l1", "loss_mse"),
        *("loss_degradation.l1", "loss_degradation.mse"),
    }


def test_validation_rounds_lr_and_measures_the_network():
    model = task(sr_gradient=1.0).eval()
    data = batch((False, False))
    levels = model.low_resolution(data) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert model(data, "predict")[0]["prediction"].shape[-2:] == (32, 32)


def test_both_are_exported(tmp_path):
    model = task()
    for file in ("backbone.safetensors", "best_backbone.safetensors", "net.safetensors"):
        digest = model.export(tmp_path / file, {"sample": True})
        assert create_backbone(tmp_path / file).arguments == model.backbone.arguments
        assert read_component(tmp_path / file).hash == digest
    for name in ("degradation", "best_degradation", "degradation_net"):
        again = create_degradation(tmp_path / f"{name}.safetensors")
        assert again.hash() == model.degradation.hash() and again.is_trained
    # One from a file learns on.
    loaded = {"checkpoint": str(tmp_path / "degradation.safetensors")}
    model = JointTraining(VDSR, loaded, scale=4, same_size=False).train()
    assert step(model, batch())[1] == set(PARTS)


def test_refusals():
    with pytest.raises(ConfigError, match="Bicubic has nothing to learn"):
        JointTraining(VDSR, {"type": "Bicubic"}, scale=4, same_size=False)
    with pytest.raises(ConfigError, match="alternate"):
        task(alternate=(0, 1))
    with pytest.raises(ConfigError, match="JointTraining needs two optimisers"):
        step(task(), batch(), {"backbone_step": ADAM})
    with pytest.raises(DataError, match="needs real pairs in every batch"):
        task().losses(batch((False, False)))
    with pytest.raises(DataError, match="needs HR images in every batch"):
        task(pairs="nothing").losses(batch((True, True)))
    with pytest.raises(DataError, match="vanish when 9 are cropped"):
        task(border=9).losses(batch())


def train(folder, iterations, **options):
    pairs = {"type": "SampleDataset", "split": "train"}
    patch = [dict(type="PairedCrop", patch_size=48), dict(type="Flip"), dict(type="PackSample")]
    data = {
        "_delete_": True,
        "type": "MixtureDataset",
        "datasets": [dict(**pairs, mode=mode, transforms=patch) for mode in ("pairs", "hr")],
        "ratios": [1, 1],
    }
    options = {
        "train_cfg.max_iters": iterations,
        "batch_size": 2,
        "patch_size": None,
        "train_dataloader.dataset": data,
        "param_scheduler.T_max": 16,
        "param_scheduler.end": 1000,
        "backbone": {"_delete_": True, **VDSR},
        "degradation": {"_delete_": True, **DML},
        "work_dir": str(folder),
        **options,
    }
    cfg = load_config("vdsr/vdsr_realsrv3crops_joint_dml_x4_cpu", options=options, sample=True)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    runner = RealdegRunner.from_cfg(inject(cfg))
    try:
        runner.train()
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("workers", "model"),
    [(0, {"alternate": [2, 1], "degradation_first": 3}), (2, {"sr_gradient": 0.5})],
    ids=["alternating, 0 workers", "joint, 2 workers"],
)
def test_sixteen_iterations_equal_eight_and_eight(tmp_path, workers, model):
    options = {f"model.{key}": value for key, value in model.items()}
    options["train_dataloader.num_workers"] = workers
    train(tmp_path / "whole", 16, **options)
    train(tmp_path / "parts", 8, **options)
    train(tmp_path / "parts", 16, resume=True, **options)
    whole, parts = (final_state(tmp_path / name, 16) for name in ("whole", "parts"))
    assert differences(whole, parts) == []
    names = {name.partition(".")[0] for name in whole["state_dict"]}
    assert {"backbone", "degradation"} <= names
    assert set(whole["optimizer"]) == set(STEPS)
    for kind in ("backbone", "degradation"):
        files = [
            read_component(tmp_path / run / f"{kind}.safetensors") for run in ("whole", "parts")
        ]
        assert files[0].hash == files[1].hash
