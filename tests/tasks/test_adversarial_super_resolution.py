"""A network against a discriminator: objectives, turns, references, warm starts."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from realdeg.degradations.primitives import unsharp_mask
from realdeg.engine.optimisers import MultiOptimizerConstructor
from realdeg.errors import CheckpointError, ConfigError
from realdeg.tasks import AdversarialSuperResolution, SuperResolution, UnpairedDegradation

NETWORK = {"type": "SRVGGNetCompact", "num_features": 4, "num_convs": 1}
SMALL = {"type": "PatchGANDiscriminator", "width": 4, "halvings": 1}
SGD = {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 1e-2}}
TWO = {"backbone_step": SGD, "discriminator_step": SGD}
WGAN = {
    "gan_loss": {"type": "WGANLoss", "weight": 0.1},
    "penalties": [{"type": "GradientPenalty"}, {"type": "R1Penalty", "every": 2}],
    "discriminator": {**SMALL, "norm": "none"},
}


@pytest.fixture(autouse=True)
def same_start():
    torch.manual_seed(0)


def _task(**more) -> AdversarialSuperResolution:
    settings = {
        "backbone": NETWORK,
        "degradation": {"type": "Bicubic"},
        "discriminator": SMALL,
        "scale": 2,
        "same_size": False,
    }
    return AdversarialSuperResolution(**{**settings, **more})


def _batch(size=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "hr": torch.rand(2, 3, size, size, generator=generator),
        "lr": None,
        "paired": torch.tensor([False, False]),
        "key": ["a", "b"],
        "meta": [{}, {}],
        "seeds": [1, 2],
    }


def _wrappers(task, settings=TWO):
    return MultiOptimizerConstructor(copy.deepcopy(settings))(task)


def _moved(task, before) -> set[str]:
    return {
        name.split(".")[0]
        for name, value in task.named_parameters()
        if not torch.equal(value, before[name])
    }


def _state(task):
    return {name: value.detach().clone() for name, value in task.named_parameters()}


def test_the_objective():
    terms = [{"type": "L1Loss", "weight": 0.01, "name": "pixel"}]
    task = _task(
        loss={"type": "WeightedLoss", "terms": terms},
        gan_loss={"type": "RelativisticGANLoss", "weight": 0.005},
    )
    batch = _batch()
    found = task(batch, "loss")
    sr = task.output(batch)
    torch.testing.assert_close(found["loss_pixel"], 0.01 * (sr - batch["hr"]).abs().mean())
    real, generated = task.discriminator(batch["hr"]), task.discriminator(sr)
    a, b = real - generated.mean(), generated - real.mean()
    expected = (F.softplus(-a).mean() + F.softplus(b).mean()) / 2
    torch.testing.assert_close(found["loss_discriminator"], expected)
    expected = 0.005 * (F.softplus(a).mean() + F.softplus(-b).mean()) / 2
    torch.testing.assert_close(found["loss_gan"], expected)
    torch.testing.assert_close(found["logit_real"], real.mean())
    assert set(found) == {
        *("loss_pixel", "loss_gan", "loss_discriminator", "logit_real", "logit_generated")
    }


@pytest.mark.parametrize("more", [{}, WGAN], ids=["cross entropy", "WGAN-GP and R1"])
def test_a_step_is_that_of_the_formulas(more):
    """Plain gradient descent, written out: the discriminator on SR before the network moves, then
    the network against the discriminator after it moved."""
    task, batch = _task(**more), _batch()
    other, lr = copy.deepcopy(task), 1e-2
    found = task.train_step(batch, _wrappers(task))
    own = list(other.discriminator.parameters())
    sr = other.output(batch)
    losses = other.opponent.losses(batch["hr"], sr.detach(), batch["seeds"])
    total = sum(value for name, value in losses.items() if name.startswith("loss"))
    with torch.no_grad():
        for parameter, gradient in zip(own, torch.autograd.grad(total, own), strict=True):
            parameter -= lr * gradient
    own = list(other.backbone.parameters())
    against = other.gan_loss.generator(other.discriminator(sr))
    total = (sr - batch["hr"]).abs().mean() + against
    with torch.no_grad():
        for parameter, gradient in zip(own, torch.autograd.grad(total, own), strict=True):
            parameter -= lr * gradient
    for (name, one), two in zip(task.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, msg=name)
    torch.testing.assert_close(found["loss_gan"], against.detach())
    if more:
        assert {"loss_gradient_penalty", "loss_r1_penalty", "logit_real"} <= set(found)
    else:
        assert {"loss_image", "score_real", "score_generated"} <= set(found)


def test_no_gradient_is_computed_that_nobody_uses():
    task, batch = _task(), _batch()
    other, seen = copy.deepcopy(task), []

    def note(module, args, output):
        seen.append((args[0].requires_grad, all(p.requires_grad for p in module.parameters())))

    task.discriminator.register_forward_hook(note)
    task.train_step(batch, _wrappers(task))
    # Real and generated without a gradient for images; then through the frozen discriminator.
    assert seen == [(False, True), (False, True), (True, False)]
    assert all(p.requires_grad for p in task.parameters())
    # The network's step added nothing to the discriminator's gradients.
    own = list(other.discriminator.parameters())
    loss = other.opponent.losses(batch["hr"], other.output(batch))["loss_discriminator"]
    gradients = torch.autograd.grad(loss, own)
    for parameter, gradient in zip(task.discriminator.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_what_was_frozen_stays_frozen():
    task = _task()
    frozen = next(task.discriminator.parameters()).requires_grad_(False)
    task.train_step(_batch(), _wrappers(task))
    assert not frozen.requires_grad
    assert sum(not p.requires_grad for p in task.parameters()) == 1


@pytest.mark.parametrize(
    ("options", "turns"),
    [
        ({}, ["bd"] * 4),
        ({"adversarial_from": 2}, ["b", "b", "bd", "bd"]),
        ({"discriminator_first": 2}, ["d", "d", "bd", "bd"]),
        ({"adversarial_from": 1, "discriminator_first": 1}, ["b", "d", "bd", "bd"]),
        ({"generator_every": 2}, ["d", "bd", "d", "bd"]),
        ({"generator_every": 2, "adversarial_from": 1}, ["b", "d", "bd", "d"]),
    ],
)
def test_whose_turn_it_is(options, turns):
    task = _task(**options)
    wrappers = _wrappers(task)
    names = {"b": "backbone", "d": "discriminator"}
    for iteration, turn in enumerate(turns):
        before, task.iteration = _state(task), iteration
        found = task.train_step(_batch(), wrappers)
        assert _moved(task, before) == {names[letter] for letter in turn}, iteration
        assert ("loss_gan" in found) == (turn == "bd")
        assert ("loss_image" in found) == ("b" in turn)
        assert ("loss_discriminator" in found) == ("d" in turn)


def test_several_steps_of_the_discriminator_on_one_batch():
    """Each draws other points between real and generated images, and R1 counts steps."""
    task = _task(**WGAN, discriminator_steps=3)
    passes, seeds = [], []
    task.discriminator.register_forward_hook(lambda *_: passes.append(1))
    for penalty in task.penalties:
        penalty.register_forward_pre_hook(lambda p, args: seeds.append((type(p).__name__, args[3])))
    task.train_step(_batch(), _wrappers(task))
    gradient = [tuple(values) for name, values in seeds if name == "GradientPenalty"]
    assert len(gradient) == len(set(gradient)) == 3 and gradient[0] == (1, 2)
    assert sum(name == "R1Penalty" for name, _ in seeds) == 2  # at steps 0 and 2
    assert len(passes) == 3 * 2 + 3 + 2 + 1


def test_a_degradation_is_trained_jointly():
    task = _task(degradation={"type": "GlobalKernel", "kernel_size": 5}, train_degradation=True)
    assert task.players == ("backbone", "degradation", "discriminator")
    before = _state(task)
    task.train_step(_batch(), _wrappers(task, {**TWO, "degradation_step": SGD}))
    assert _moved(task, before) == {"backbone", "degradation", "discriminator"}
    with pytest.raises(ConfigError, match="three optimisers.*degradation_step"):
        task.train_step(_batch(), _wrappers(task))


def test_sharpened_targets():
    terms = [
        {"type": "L1Loss"},
        {"type": "L1Loss", "name": "usm", "target": "sharpened"},
    ]
    loss = {"type": "WeightedLoss", "terms": terms}
    task, batch = _task(loss=loss, gan_target="sharpened"), _batch(size=64)
    batch["hr"] = 0.3 + 0.4 * (batch["hr"] > 0.7).float()
    sharp = unsharp_mask(batch["hr"])
    assert not torch.equal(sharp, batch["hr"])
    judged = []
    task.discriminator.register_forward_pre_hook(lambda _, args: judged.append(args[0]))
    found = task(batch, "loss")
    assert any(torch.equal(images, sharp) for images in judged)
    assert not any(torch.equal(images, batch["hr"]) for images in judged)
    torch.testing.assert_close(found["loss_usm"], (task.output(batch) - sharp).abs().mean())
    supervised = SuperResolution(
        NETWORK, {"type": "Bicubic"}, loss=loss, scale=2, same_size=False, sharpen=0.0
    )
    found = supervised(batch, "loss")
    torch.testing.assert_close(found["loss_usm"], found["loss_l1"])


def test_luma(tmp_path):
    vdsr = {"type": "VDSR", "depth": 3, "width": 4}
    task = _task(backbone=vdsr, discriminator={**SMALL, "in_channels": 1})
    found = task.train_step(_batch(), _wrappers(task))
    assert all(torch.isfinite(value) for value in found.values())
    with pytest.raises(ConfigError, match="in_channels=3.*VDSR makes 1.*colour='y'"):
        _task(backbone=vdsr)


def test_a_discriminator_starts_from_a_checkpoint_or_a_file_of_its_own(tmp_path):
    task = _task()
    state = {"state_dict": dict(task.state_dict()), "meta": {"iter": 4}}
    torch.save(state, tmp_path / "iter_4.pth")
    torch.save(dict(task.discriminator.state_dict()), tmp_path / "net_d.pth")
    torch.manual_seed(1)
    for file in ("iter_4.pth", "net_d.pth"):
        start = {"checkpoint": str(tmp_path / file)}
        other = _task(discriminator={**SMALL, "start_from": start})
        wanted, found = task.discriminator.state_dict(), other.discriminator.state_dict()
        assert all(torch.equal(found[name], value) for name, value in wanted.items())
        assert not torch.equal(next(task.backbone.parameters()), next(other.backbone.parameters()))
    with pytest.raises(CheckpointError, match="another architecture"):
        _task(discriminator={**SMALL, "width": 8, "start_from": start})
    torch.save({"state_dict": {"backbone.w": torch.zeros(1)}}, tmp_path / "iter_8.pth")
    for start, said in (
        ({"checkpoint": str(tmp_path / "iter_8.pth")}, "a run without a discriminator"),
        ({"checkpoint": str(tmp_path / "absent.pth")}, "does not exist"),
        ({"pretrained": "x"}, "wanted dict.checkpoint="),
        ({"checkpoint": "x", "partial": True}, "takes no key 'partial'"),
    ):
        with pytest.raises((CheckpointError, ConfigError), match=said):
            _task(discriminator={**SMALL, "start_from": start})


def test_refusals():
    with pytest.raises(ConfigError, match="two optimisers.*backbone_step.*It names discrim"):
        task = _task()
        task.train_step(_batch(), _wrappers(task, {"discriminator_step": SGD}))
    with pytest.raises(ConfigError, match="'model.gan_loss' is L1Loss"):
        _task(gan_loss={"type": "L1Loss"})
    with pytest.raises(ConfigError, match="'model.penalties.0' is HingeGANLoss"):
        _task(penalties=[{"type": "HingeGANLoss"}])
    with pytest.raises(ConfigError, match="'model.penalties.1' is R1Penalty, as is .*penalties.0"):
        _task(penalties=[{"type": "R1Penalty"}, {"type": "R1Penalty"}])


def test_dsgan_may_be_trained_by_its_code_s_other_objectives():
    """RaGAN and WGAN-GP, options of DSGAN's code."""
    for more in ({"gan_loss": {"type": "RelativisticGANLoss"}}, WGAN):
        task = UnpairedDegradation(
            {"type": "DSGAN", "width": 4, "num_blocks": 1},
            **{"discriminator": SMALL, **more},
            perceptual_loss=None,
            scale=2,
            same_size=False,
        )
        batch = {**_batch(size=32), "real_lr": torch.rand(2, 3, 16, 16)}
        optimisers = {"degradation_step": SGD, "discriminator_step": SGD}
        found = task.train_step(batch, _wrappers(task, optimisers))
        assert all(torch.isfinite(value) for value in found.values()) and "logit_real" in found
        assert type(task.gan_loss).__name__ in task.objective
