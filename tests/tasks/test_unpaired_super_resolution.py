"""A degradation, a network and their discriminators, trained together without pairs."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from realdeg import create_backbone, create_degradation
from realdeg.config import inject, load_config
from realdeg.degradations import DSGAN
from realdeg.engine import RealdegRunner
from realdeg.engine.optimisers import MultiOptimizerConstructor
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.tasks import UnpairedSuperResolution
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.component import read_component
from tests.engine.tiny import differences, final_state

HIGH_TO_LOW = {"type": "HighToLow", "width": 4}
DSGAN_4 = {"type": "DSGAN", "width": 4, "num_blocks": 1, "residual": True}
EDSR = {"type": "EDSR", "num_blocks": 1, "num_features": 4, "mean_shift": False}
JUDGE = {"type": "BulatDiscriminator", "width": 4, "halvings": 1, "blocks": 1}
ADAM = {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 1e-3}}
FIRST = ("degradation", "lr_discriminator")
THREE, FOUR = (*FIRST, "backbone"), (*FIRST, "sr_discriminator", "backbone")


@pytest.fixture(autouse=True)
def same_start():
    torch.manual_seed(0)


def task(degradation=HIGH_TO_LOW, backbone=EDSR, **more) -> UnpairedSuperResolution:
    settings = {"lr_discriminator": JUDGE, "scale": 4, "same_size": False}
    return UnpairedSuperResolution(backbone, degradation, **{**settings, **more}).train()


def batch(size=32):
    generator = torch.Generator().manual_seed(0)
    return {
        "hr": torch.rand(2, 3, size, size, generator=generator),
        "lr": None,
        "paired": torch.tensor([False, False]),
        "real_lr": torch.rand(2, 3, size // 4, size // 4, generator=generator),
        "key": ["a", "b"],
        "meta": [{}, {}],
        "seeds": [1, 2],
    }


def optimisers(model):
    steps = {f"{player}_step": copy.deepcopy(ADAM) for player in model.players}
    return MultiOptimizerConstructor(steps)(model)


def step(model):
    """Take a step; return the losses, and for each optimiser that stepped what it moved."""
    wrappers, moved = optimisers(model), {}

    def parameters():
        return {name: p.detach().clone() for name, p in model.named_parameters()}

    for name, wrapper in wrappers.items():

        def watched(*args, own=wrapper.step, name=name, **kwargs):
            before = parameters()
            own(*args, **kwargs)
            after = parameters()
            changed = {key for key in after if not torch.equal(before[key], after[key])}
            moved[name.removesuffix("_step")] = {key.partition(".")[0] for key in changed}

        wrapper.step = watched
    return model.train_step(batch(), wrappers), moved


def test_the_losses_are_bulat_s():
    """Against their formulas, in float64."""
    model, data = task(sr_discriminator={**JUDGE, "halvings": 2}).double(), batch()
    data = {**data, "hr": data["hr"].double(), "real_lr": data["real_lr"].double()}
    model.requires_grad_(False)
    model.eval()  # so that running means and spectral norms stay
    found = model(data, "loss")
    hr, real = data["hr"], data["real_lr"]
    lr = model.degradation(hr, data["seeds"])
    sides = {f"score_{which}.{side}" for which in ("real", "generated") for side in ("lr", "sr")}
    assert set(found) - sides == {
        *("loss_content.lr", "loss_gan.lr", "loss_lr_discriminator"),
        *("loss_image.sr", "loss_gan.sr", "loss_sr_discriminator"),
    }
    assert sides <= set(found)
    exact = dict(rtol=1e-6, atol=1e-9)
    content = (lr - F.avg_pool2d(hr, 4)).square().mean()
    torch.testing.assert_close(found["loss_content.lr"], content, **exact)
    judge = model.lr_discriminator
    torch.testing.assert_close(found["loss_gan.lr"], -0.05 * judge(lr).mean(), **exact)
    hinge = F.relu(1 - judge(real)).mean() + F.relu(1 + judge(lr)).mean()
    torch.testing.assert_close(found["loss_lr_discriminator"], hinge, **exact)
    seen = (lr.clamp(0, 1) * 255 + 0.5).floor() / 255
    sr, judge = model.backbone(seen), model.sr_discriminator
    torch.testing.assert_close(found["loss_image.sr"], (sr - hr).square().mean(), **exact)
    torch.testing.assert_close(found["loss_gan.sr"], -0.05 * judge(sr).mean(), **exact)
    hinge = F.relu(1 - judge(hr)).mean() + F.relu(1 + judge(sr)).mean()
    torch.testing.assert_close(found["loss_sr_discriminator"], hinge, **exact)


@pytest.mark.parametrize("second", [False, True])
def test_each_player_moves_in_its_step_alone(second):
    model = task(sr_discriminator=JUDGE if second else None, sr_gradient=0.5)
    losses, moved = step(model)
    assert moved == {name: {name} for name in (FOUR if second else THREE)}
    assert "loss_sr.lr" in losses and ("loss_gan.sr" in losses) is second
    assert all(torch.isfinite(value) and not value.requires_grad for value in losses.values())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_networks_loss_reaches_the_degradation_as_often_as_asked():
    """Its gradient is that of both losses at the parameters before any step."""
    data = batch()
    for weight in (0.0, 0.25):
        model = task(DSGAN_4, lr_discriminator={"type": "DSGANDiscriminator", "width": 4})
        torch.nn.init.normal_(model.degradation.network.block_output.weight, std=0.05)
        model.sr_gradient = weight
        again = copy.deepcopy(model)
        made = model.lr_losses.generate(data)
        losses = model(made, "degradation")
        sum(losses.values()).backward()
        lr = again.degradation(data["hr"], data["seeds"])
        own = (lr - again.degradation.clean(data["hr"])).square().mean()
        own = own - 0.05 * again.lr_discriminator(lr).mean()
        rounded = lr + ((lr.clamp(0, 1) * 255 + 0.5).floor() / 255 - lr).detach()
        image = (again.backbone(rounded) - data["hr"]).square().mean()
        (own + weight * image).backward()
        for one, two in zip(
            model.degradation.parameters(), again.degradation.parameters(), strict=True
        ):
            torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-7)
        assert ("loss_sr.lr" in losses) is (weight > 0)


def test_no_gradient_of_the_network_reaches_the_degradation_otherwise():
    model = task(sr_gradient=1.0)
    made = model.enlarge_generated(model.lr_losses.generate(batch()))
    sum(model.backbone_losses(made).values()).backward()
    assert all(p.grad is None for p in model.degradation.parameters())
    levels = made.image * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)


def test_everybody_sees_the_lr_from_the_beginning_of_the_iteration():
    model = task(sr_discriminator=JUDGE)
    with torch.no_grad():
        expected = copy.deepcopy(model).lr_losses.generate(batch())["generated"]
    seen = {}
    for name in ("lr_discriminator", "backbone"):
        part = getattr(model, name)
        part.register_forward_pre_hook(
            lambda _, args, name=name: seen.setdefault(name, []).append(args[0].detach())
        )
    step(model)
    real, generated, once_more = seen["lr_discriminator"]
    assert torch.equal(real, batch()["real_lr"])
    assert torch.equal(generated, expected) and torch.equal(once_more, expected)
    assert len(seen["backbone"]) == 1
    torch.testing.assert_close(seen["backbone"][0], expected, atol=0.5001 / 255, rtol=0)


def test_turns():
    model = task(
        sr_discriminator=JUDGE,
        sr_gradient=1.0,
        degradation_first=2,
        degradation_until=4,
        sr_gan_from=3,
    )
    seen = []
    for iteration in range(6):
        model.iteration = iteration
        before = copy.deepcopy(model.degradation.state_dict())
        losses, moved = step(model)
        seen.append(set(moved))
        assert ("loss_sr.lr" in losses) is (2 <= iteration < 4)
        assert ("loss_gan.sr" in losses) is (iteration >= 3)
        assert ("loss_gan.lr" in losses) is (iteration < 4)
        if iteration >= 4:  # its running means rest as well
            after = model.degradation.state_dict()
            assert all(torch.equal(before[key], after[key]) for key in before)
            assert model.degradation.training
    assert seen == [set(FIRST)] * 2 + [set(THREE), set(FOUR)] + [set(FOUR) - set(FIRST)] * 2


def test_a_discriminator_of_luma_and_a_network_of_luma():
    grey = {**JUDGE, "in_channels": 1}
    model, data = task(lr_discriminator=grey, lr_judged_in="y").eval(), batch()
    with torch.no_grad():
        found = model(data, "loss")
        lr = rgb_to_y(model.degradation(data["hr"], data["seeds"]))
        torch.testing.assert_close(found["loss_gan.lr"], -0.05 * model.lr_discriminator(lr).mean())
    vdsr = {"type": "VDSR", "depth": 3, "width": 4}
    # HighToLow makes RGB; DirectNet makes what the network takes.
    losses, moved = step(task(backbone=vdsr))
    assert moved == {name: {name} for name in THREE}
    direct = {"type": "DirectNet", "width": 4, "levels": 1}
    model = task(direct, vdsr, lr_discriminator=grey)
    assert model.lr_colour == "y" and torch.isfinite(step(model)[0]["loss_gan.lr"])


class SelfCritical(DSGAN):
    """Judges itself, as networks do that predict noise."""

    def for_training(self, hr, seeds):
        lr = self(hr, seeds)
        return lr, {"own": 3 * lr.square().mean()}


def test_a_degradation_may_judge_itself():
    DEGRADATIONS.register_module(module=SelfCritical, force=True)
    try:
        model = task({**DSGAN_4, "type": "SelfCritical"})
        losses, _ = step(model)
        lr = task({**DSGAN_4, "type": "SelfCritical"}).degradation(batch()["hr"])
        assert "loss_own.lr" in losses
        torch.testing.assert_close(losses["loss_own.lr"], 3 * lr.detach().square().mean())
    finally:
        DEGRADATIONS._module_dict.pop("SelfCritical", None)


def test_terms_keep_their_names_and_sides():
    terms = [{"type": "L1Loss"}, {"type": "MSELoss", "weight": 2.0}]
    weighted = {"type": "WeightedLoss", "terms": terms}
    losses = task(loss=weighted, lr_loss=weighted, lr_perceptual_loss={"type": "L1Loss"})(
        batch(), "loss"
    )
    names = {name for name in losses if name.startswith("loss")}
    assert names == {
        *("loss_l1.lr", "loss_mse.lr", "loss_gan.lr", "loss_perceptual.lr"),
        *("loss_lr_discriminator", "loss_l1.sr", "loss_mse.sr"),
    }
    assert "loss_content.lr" not in task(lr_loss=None)(batch(), "loss")


def test_both_are_exported(tmp_path):
    model = task()
    digest = model.export(tmp_path / "backbone.safetensors", {"sample": True})
    assert create_backbone(tmp_path / "backbone.safetensors").arguments == model.backbone.arguments
    assert read_component(tmp_path / "backbone.safetensors").hash == digest
    file = tmp_path / "degradation.safetensors"
    assert create_degradation(file).hash() == model.degradation.hash()
    assert "HingeGANLoss x 0.05" in read_component(file).meta["objective"]


def test_refusals():
    with pytest.raises(ConfigError, match="Bicubic has nothing to learn"):
        task({"type": "Bicubic"})
    with pytest.raises(ConfigError, match="GlobalKernel is not learned by gradient descent"):
        task({"type": "GlobalKernel", "kernel_size": 5})
    with pytest.raises(ConfigError, match=r"the lr_discriminator has in_channels=1, and HighToLow"):
        task(lr_discriminator={**JUDGE, "in_channels": 1})
    with pytest.raises(ConfigError, match=r"the sr_discriminator has in_channels=1, and EDSR"):
        task(sr_discriminator={**JUDGE, "in_channels": 1})
    with pytest.raises(ConfigError, match="LR is luma"):
        direct = {"type": "DirectNet", "width": 4, "levels": 1}
        task(direct, {"type": "VDSR", "depth": 3, "width": 4}, lr_judged_in="rgb")
    with pytest.raises(ConfigError, match="'model.degradation_until' is 3, before the end of"):
        task(degradation_first=4, degradation_until=3)
    with pytest.raises(ConfigError, match="L1Loss, an image loss; wanted an adversarial"):
        task(sr_gan_loss={"type": "L1Loss"})
    with pytest.raises(ConfigError, match="needs three optimisers"):
        model = task()
        model.train_step(batch(), MultiOptimizerConstructor({"backbone_step": ADAM})(model))
    with pytest.raises(DataError, match="collate_unpaired"):
        task()({**batch(), "real_lr": None}, "loss")
    with pytest.raises(DataError, match="patch sizes"):
        task()({**batch(), "real_lr": batch()["hr"]}, "loss")
    with pytest.raises(DataError, match="low_pass_size=15"):
        task(low_pass_size=15)(batch(), "loss")


def config(folder, iterations, sample=True, **options):
    patch = [dict(type="PairedCrop", patch_size=64), dict(type="Flip"), dict(type="PackSample")]
    pairs = dict(type="SampleDataset", split="train", mode="pairs", transforms=patch)
    settings = {
        "train_cfg.max_iters": iterations,
        "batch_size": 2,
        "patch_size": None,
        "train_dataloader.dataset.datasets": [pairs, pairs],
        "train_dataloader.num_workers": 0,
        "param_scheduler.T_max": 8,
        "param_scheduler.end": 1000,
        "backbone": {"_delete_": True, **EDSR},
        "degradation": {"_delete_": True, **HIGH_TO_LOW},
        "model": {
            "_delete_": True,
            "type": "UnpairedSuperResolution",
            "lr_discriminator": JUDGE,
            "sr_discriminator": JUDGE,
            "degradation_first": 2,
        },
        "optim_wrapper": {
            "_delete_": True,
            "constructor": "MultiOptimizerConstructor",
            **{f"{name}_step": ADAM for name in FOUR},
        },
        "work_dir": str(folder),
        **options,
    }
    cfg = load_config("dsgan/dsgan_realsrv3crops_x4_cpu", options=settings, sample=sample)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    return cfg


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("model.lr_discriminator.halvings", 5, "'model.lr_discriminator' is a BulatDiscriminator"),
        ("model.sr_discriminator.halvings", 7, "'model.sr_discriminator' is a BulatDiscriminator"),
        ("model.lr_discriminator.in_channels", 1, "'model.lr_discriminator.in_channels' is 1"),
        ("model.degradation_first", 9, "the network would never be trained"),
        ("model.sr_gan_from", 9, "the discriminator of SR would never be trained"),
        ("optim_wrapper.backbone_step", None, "has no backbone_step"),
        ("model.lr_loss", dict(type="MSSSIMLoss"), "'model.lr_loss' is MSSSIMLoss"),
        (
            "model.lr_loss",
            dict(type="WeightedLoss", terms=[dict(type="L1Loss", name="gan")]),
            "has the name 'loss_gan'",
        ),
    ],
)
def test_refusals_when_the_config_is_read(tmp_path, place, value, said):
    options = {place: value}
    if value is None:
        options = {
            "optim_wrapper": {
                "_delete_": True,
                "constructor": "MultiOptimizerConstructor",
                **{f"{name}_step": ADAM for name in FOUR if name != "backbone"},
            }
        }
    with pytest.raises(ConfigError, match=said):
        inject(config(tmp_path, 8, sample=False, **options))


def train(folder, iterations, resume=False):
    cfg = config(folder, iterations, **({"resume": True} if resume else {}))
    runner = RealdegRunner.from_cfg(inject(cfg))
    try:
        runner.train()
    finally:
        runner.close()


def test_eight_iterations_equal_four_and_four(tmp_path):
    train(tmp_path / "whole", 8)
    train(tmp_path / "parts", 4)
    train(tmp_path / "parts", 8, resume=True)
    whole, parts = (final_state(tmp_path / name, 8) for name in ("whole", "parts"))
    assert differences(whole, parts) == []
    assert {name.partition(".")[0] for name in whole["state_dict"]} >= set(FOUR)
    assert set(whole["optimizer"]) == {f"{name}_step" for name in FOUR}
    for kind in ("backbone", "degradation"):
        files = [
            read_component(tmp_path / run / f"{kind}.safetensors") for run in ("whole", "parts")
        ]
        assert files[0].hash == files[1].hash
