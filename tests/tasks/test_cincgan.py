"""Two cycles: every loss from its formula, who steps when, stages, resuming, refusals."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
import torch.nn.functional as F

from realdeg import create_backbone, create_degradation
from realdeg.config import load_config
from realdeg.degradations.primitives import imresize
from realdeg.engine.optimisers import MultiOptimizerConstructor
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.tasks import CinCGAN
from realdeg.utils.component import read_component

NET = {"width": 4, "num_blocks": 1}
TRANSLATOR = {"type": "CinCGANTranslator", **NET}
EDSR = {"type": "EDSR", "num_blocks": 1, "num_features": 4, "mean_shift": False}
BACKBONE = {"type": "CleanThenEnlarge", "cleaner": TRANSLATOR, "enlarger": EDSR}
G3 = {"type": "CinCGANDegradation", **NET}
JUDGE = {"type": "CinCGANDiscriminator", "width": 2}
BOTH = {"reverse_discriminator": JUDGE}
ADAM = {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 1e-3}}
SIX = ("cleaner", "reverse", "enlarger", "degradation", "lr_discriminator", "hr_discriminator")


def task(**more) -> CinCGAN:
    torch.manual_seed(1)
    settings = {
        "reverse": TRANSLATOR,
        "lr_discriminator": JUDGE,
        "hr_discriminator": {**JUDGE, "form": "hr"},
        "scale": 4,
        "same_size": False,
    }
    return CinCGAN(**{"backbone": BACKBONE, "degradation": G3, **settings, **more}).train()


def batch(lr=20, dtype=torch.float32, count=2):
    generator = torch.Generator().manual_seed(0)
    hr, real = (torch.rand(count, 3, side, side, generator=generator) for side in (80, lr))
    numbers = range(count)
    return {
        **{"hr": hr.to(dtype), "real_lr": real.to(dtype), "lr": None},
        **{"paired": torch.tensor([False] * count), "seeds": list(numbers)},
        **{"key": [str(n) for n in numbers], "meta": [{} for _ in numbers]},
    }


def wrappers(model):
    steps = {f"{name}_step": copy.deepcopy(ADAM) for name in model.players}
    return MultiOptimizerConstructor(steps)(model)


# ---- the networks and losses once more, from the papers' description alone


def normalised(x, weights, name):
    """Batch normalisation in training: the statistics of the batch."""
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), False, True)
    gain, shift = (weights[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
    return (x - mean) / (variance + 1e-5).sqrt() * gain + shift


def leaky(x):
    return torch.where(x > 0, x, 0.2 * x)


def generator(weights, x, strides=(1, 1)):
    for layer, stride in zip((0, 2, 4), (1, *strides), strict=True):
        weight = weights[f"InBlock.{layer}.weight"]
        x = leaky(F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2))
    change = x
    for layer in (0, 3):
        name = "ResnetBlocks.0.conv_block"
        change = F.conv2d(change, weights[f"{name}.{layer}.weight"], padding=1)
        change = leaky(normalised(change, weights, f"{name}.{layer + 1}"))
    x = x + change
    for layer, end in ((0, leaky), (2, leaky), (4, lambda y: y)):
        weight = weights[f"OutBlock.{layer}.weight"]
        x = end(F.conv2d(x, weight, padding=weight.shape[-1] // 2))
    return x


def judge(weights, x, strides=(1, 1, 1, 1, 1)):
    for number, (layer, stride) in enumerate(zip((0, 2, 5, 8, 11), strides, strict=True)):
        x = F.conv2d(x, weights[f"layers.{layer}.weight"], stride=stride)
        if 0 < number < 4:
            x = normalised(x, weights, f"layers.{layer + 1}")
        x = leaky(x) if number < 4 else x
    return x.mean((1, 2, 3))


def squares(a, b):
    return ((a - b) ** 2).sum() / a.numel()


def variation(x):
    down, right = x[:, :, 1:] - x[:, :, :-1], x[..., 1:] - x[..., :-1]
    return 2 * ((down**2).sum() / down.numel() + (right**2).sum() / right.numel())


def expected(model, data, joint):
    """Return every loss of both cycles, in the model's precision, of its present weights."""

    def of(part, network=True):
        weights = dict(part.named_parameters())
        return {k.removeprefix("network."): v for k, v in weights.items()} if network else weights

    g1, g2, g3 = of(model.cleaner), of(model.reverse), of(model.degradation)
    d1, d2, db = (
        of(getattr(model, f"{name}_discriminator"), False) for name in ("lr", "hr", "reverse")
    )
    x, z = data["real_lr"], data["hr"]
    y = (imresize(z, 0.25).clamp(0, 1) * 255 + 0.5).floor() / 255
    cleaned, soiled, far = generator(g1, x), generator(g2, y), (2, 2, 2, 1, 1)
    sr = model.enlarger(cleaned)
    identity = 1.0 if joint else 5.0
    return {
        "loss_inner_gan": ((judge(d1, cleaned) - 1) ** 2).mean(),
        "loss_inner_cycle": 10 * squares(generator(g2, cleaned), x),
        "loss_inner_identity": identity * squares(generator(g1, y), y),
        "loss_inner_alone": 0.5 * variation(cleaned),
        "loss_reverse_gan": ((judge(db, soiled) - 1) ** 2).mean(),
        "loss_reverse_cycle": 10 * squares(generator(g1, soiled), y),
        "loss_reverse_identity": identity * squares(generator(g2, x), x),
        "loss_outer_gan": ((judge(d2, sr, far) - 1) ** 2).mean(),
        "loss_outer_cycle": 10 * squares(generator(g3, sr, (2, 2)), x),
        "loss_outer_identity": 5 * squares(model.enlarger(y), z),
        "loss_outer_alone": 2 * variation(sr),
        # Half of the squares, which Adam does not notice.
        "loss_lr_discriminator": 0.5
        * ((judge(d1, y) - 1) ** 2 + judge(d1, cleaned.detach()) ** 2).mean(),
        "loss_reverse_discriminator": 0.5
        * ((judge(db, x) - 1) ** 2 + judge(db, soiled.detach()) ** 2).mean(),
        "loss_hr_discriminator": 0.5
        * ((judge(d2, z, far) - 1) ** 2 + judge(d2, sr.detach(), far) ** 2).mean(),
    }


@pytest.mark.parametrize("joint", [False, True])
def test_every_loss_is_that_of_the_paper_in_double_precision(joint):
    model, data = task(**BOTH, inner_first=0 if joint else 1).double(), batch(dtype=torch.float64)
    found, wanted = model.losses(data), expected(model, data, joint)
    assert set(wanted) == {name for name in found if name.startswith("loss")}
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("stage", ["inner", "outer"])
def test_a_step_has_the_gradient_of_the_summed_losses(stage):
    """Of its cycle, against the discriminators after their step."""
    model = task(**BOTH, inner_first=1, then="outer").double()
    model.iteration = 0 if stage == "inner" else 1
    data = batch(dtype=torch.float64)
    before = copy.deepcopy(model)
    if stage == "outer":
        before.cleaner.eval()
    model.train_step(data, wrappers(model))
    for name in ("lr", "hr", "reverse"):
        part = getattr(model, f"{name}_discriminator")
        getattr(before, f"{name}_discriminator").load_state_dict(part.state_dict())
    if stage == "outer":  # in evaluation its normalisation is another function
        made = before.make(data, "outer")
        total = sum(before.outer_losses(made).values())
        makers = ("enlarger", "degradation")
    else:
        losses = expected(before, data, joint=False)
        chosen = [v for k, v in losses.items() if k.startswith(("loss_inner", "loss_reverse_"))]
        total = sum(chosen) - losses["loss_reverse_discriminator"]
        makers = ("cleaner", "reverse")
    total.backward()
    for name in makers:
        pairs = zip(
            getattr(model, name).parameters(), getattr(before, name).parameters(), strict=True
        )
        for one, two in pairs:
            torch.testing.assert_close(one.grad, two.grad, rtol=1e-7, atol=1e-10)
            assert one.grad.abs().max() > 0


STAGES = {
    "inner": (dict(inner_first=1), ["lr_discriminator", "cleaner", "reverse"]),
    "both": (
        {},
        ["lr_discriminator", "cleaner", "reverse"]
        + ["hr_discriminator", "cleaner", "enlarger", "degradation"],
    ),
    "outer": (dict(then="outer"), ["hr_discriminator", "enlarger", "degradation"]),
}


@pytest.mark.parametrize("name", STAGES)
def test_a_players_step_changes_its_own_parameters_only(name):
    options, order = STAGES[name]
    model = task(**options)
    steps, seen = wrappers(model), []
    parts = {part: getattr(model, part) for part in SIX}
    held: dict[str, list[torch.Tensor]] = {}

    def hold(*_):
        held.update({n: [p.detach().clone() for p in m.parameters()] for n, m in parts.items()})

    def compare(part):
        def compared(*_):
            moved = {
                n
                for n, m in parts.items()
                if any(not torch.equal(a, b) for a, b in zip(held[n], m.parameters(), strict=True))
            }
            assert moved == {part}
            seen.append(part)

        return compared

    for part in SIX:
        optimizer = steps[f"{part}_step"].optimizer
        optimizer.register_step_pre_hook(hold)
        optimizer.register_step_post_hook(compare(part))
    statistics = {k: v.clone() for k, v in model.cleaner.named_buffers()}
    losses = model.train_step(batch(), steps)
    assert seen == order
    # A frozen cleaner keeps its statistics, too.
    same = all(torch.equal(v, statistics[k]) for k, v in model.cleaner.named_buffers())
    assert same == (name == "outer")
    sides = {key.split("_")[1] for key in losses if key.startswith("loss_")}
    assert sides == {"inner", "lr", "outer", "hr"} - (
        {"outer", "hr"} if name == "inner" else {"inner", "lr"} if name == "outer" else set()
    )
    assert all(p.requires_grad for p in model.parameters())


def test_a_weight_of_zero_leaves_a_loss_out():
    zero = {"weight": 0.0}
    model = task(
        loss={"type": "IdentityLoss", **zero},
        cycle_loss={"type": "CycleLoss", **zero},
        tv_loss={"type": "TVLoss", **zero},
        inner_tv_loss={"type": "TVLoss", **zero},
        identity_jointly=0.0,
        penalties=[{"type": "GradientPenalty"}],
    )
    found = model.train_step(batch(), wrappers(model))
    assert {name for name in found if name.startswith("loss")} == {
        *("loss_inner_gan", "loss_inner_cycle", "loss_outer_gan"),
        *("loss_lr_discriminator", "loss_hr_discriminator"),
        *("loss_gradient_penalty.lr", "loss_gradient_penalty.hr"),
    }


def test_the_result_is_the_network_after_the_cleaner(tmp_path):
    model = task().eval()
    data = batch()
    data |= {"lr": data["real_lr"], "paired": torch.tensor([True, True])}
    prediction = model(data, "predict")[0]
    wanted = model.enlarger(model.cleaner(data["lr"]))[0]
    torch.testing.assert_close(prediction["prediction"], wanted)
    torch.testing.assert_close(model.baseline(prediction), imresize(data["lr"][:1], 4)[0])
    digest = model.export(tmp_path / "backbone.safetensors", {"sample": True})
    again = create_backbone(tmp_path / "backbone.safetensors").eval()
    torch.testing.assert_close(again(data["lr"])[0], wanted)
    assert read_component(tmp_path / "backbone.safetensors").hash == digest
    degradation = create_degradation(tmp_path / "degradation.safetensors")
    assert degradation.hash() == model.degradation.hash() and degradation.is_trained


@pytest.mark.parametrize(
    "enlarger", [EDSR, {**EDSR, "start_from": {"checkpoint": "weights"}}, "built"]
)
def test_an_untrained_network_that_enlarges_is_mentioned(tmp_path, monkeypatch, enlarger):
    monkeypatch.chdir(tmp_path)
    torch.save(create_backbone(EDSR, scale=4).state_dict(), "weights")
    backbone = {**BACKBONE, "enlarger": enlarger}
    said: list[str] = []
    monkeypatch.setattr(logging.Logger, "warning", lambda self, text, *rest: said.append(text))
    task(backbone=create_backbone(BACKBONE, 4) if enlarger == "built" else backbone).init_weights()
    assert any("backbone.enlarger starts untrained" in text for text in said) == (enlarger == EDSR)


def test_refusals():
    with pytest.raises(ConfigError, match="EDSR, which has no cleaner and no enlarger"):
        task(backbone=EDSR)
    with pytest.raises(ConfigError, match="Bicubic has nothing to learn"):
        task(degradation={"type": "Bicubic"})
    with pytest.raises(GeometryError, match="scale"):
        task(scale=5)
    with pytest.raises(ConfigError, match=r"set model\.reverse\.colour='rgb'"):
        task(reverse={**TRANSLATOR, "colour": "y"})
    with pytest.raises(ConfigError, match="the lr_discriminator has in_channels=1"):
        task(lr_discriminator={**JUDGE, "in_channels": 1})
    model = task()
    with pytest.raises(ConfigError, match="CinCGAN needs 6 optimisers"):
        model.train_step(batch(), MultiOptimizerConstructor({"cleaner_step": ADAM})(model))
    with pytest.raises(DataError, match="needs real LR images"):
        model.losses({**batch(), "real_lr": None})
    with pytest.raises(DataError, match="real LR patches are .* reduced HR patches"):
        model.losses(batch(lr=24))


RECIPE = "cincgan/cincgan_realsrv3crops_x4_cpu"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optim_wrapper.reverse_step": None}, "reverse_step"),
        ({"model.inner_first": 600}, "the outer cycle would never be trained"),
        ({"patch_size": 48}, "needs at least 16 x 16 pixels"),
        ({"patch_size": 64}, "needs at least 70 x 70 pixels"),
        ({"model.hr_discriminator.in_channels": 1}, "in_channels"),
        ({"model.reverse_discriminator": dict(JUDGE)}, "no reverse_discriminator_step"),
        ({"model.inner_cycle_loss.type": "LSGANLoss"}, "inner_cycle_loss"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        load_config(RECIPE, options=options)
