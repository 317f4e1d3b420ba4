"""Two players in turns: objectives, steps, refusals."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from realdeg import create_degradation
from realdeg.degradations.primitives import imresize
from realdeg.engine.optimisers import MultiOptimizerConstructor
from realdeg.errors import ConfigError, DataError
from realdeg.tasks.super_resolution import SuperResolution
from realdeg.tasks.unpaired_degradation import UnpairedDegradation
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.component import read_component
from realdeg.utils.lpips import PerceptualUnavailableError

DSGAN = {"type": "DSGAN", "width": 4, "num_blocks": 1}
SMALL = {"type": "DSGANDiscriminator", "width": 4}
ADAM = {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 1e-3}}
TWO = {"degradation_step": ADAM, "discriminator_step": ADAM}


@pytest.fixture(autouse=True)
def same_start():
    """Small networks at random may be dead; every test begins with the same living ones."""
    torch.manual_seed(0)


def _task(degradation=DSGAN, **more) -> UnpairedDegradation:
    settings = {"discriminator": SMALL, "perceptual_loss": None, "scale": 2, "same_size": False}
    return UnpairedDegradation(degradation, **{**settings, **more})


def _batch(scale=2, size=24):
    generator = torch.Generator().manual_seed(0)
    return {
        "hr": torch.rand(2, 3, size, size, generator=generator),
        "lr": None,
        "paired": torch.tensor([False, False]),
        "real_lr": torch.rand(2, 3, size // scale, size // scale, generator=generator),
        "key": ["a", "b"],
        "meta": [{}, {}],
        "seeds": [1, 2],
    }


def test_the_objective_is_dsgan_s():
    task, batch = _task(), _batch()
    losses = task(batch, "loss")
    clean = imresize(batch["hr"], 0.5)
    generated = task.degradation.network(clean)
    low = [F.avg_pool2d(image, 5, 1) for image in (generated, clean)]
    torch.testing.assert_close(losses["loss_content"], (low[0] - low[1]).abs().mean())
    probability = task.discriminator(generated).sigmoid()
    torch.testing.assert_close(losses["loss_gan"], 0.005 * -(probability + 1e-8).log().mean())
    real = task.discriminator(batch["real_lr"]).sigmoid()
    expected = -(real + 1e-8).log().mean() - (1 - probability + 1e-8).log().mean()
    torch.testing.assert_close(losses["loss_discriminator"], expected)
    assert "no perceptual term" in task.objective and "x 0.005" in task.objective


def test_bulat_s_objective():
    task = _task(
        {"type": "HighToLow", "width": 4},
        discriminator={"type": "BulatDiscriminator", "width": 4},
        loss={"type": "MSELoss"},
        low_pass_size=1,
        gan_loss={"type": "HingeGANLoss", "weight": 0.05},
        scale=4,
    )
    batch = _batch(scale=4, size=64)
    batch["generated"] = task.generate(batch)
    losses = task(batch, "degradation")
    target = F.avg_pool2d(batch["hr"], 4)
    torch.testing.assert_close(
        losses["loss_content"], (batch["generated"] - target).square().mean()
    )
    assert set(losses) == {"loss_content", "loss_gan"}


def test_a_step_moves_both_players_and_only_their_own():
    task, batch = _task(), _batch()
    wrappers = MultiOptimizerConstructor(copy.deepcopy(TWO))(task)
    before = copy.deepcopy(task.state_dict())
    expected = task(_batch(), "loss")["loss_content"]
    found = task.train_step(batch, wrappers)
    torch.testing.assert_close(found["loss_content"], expected.detach())
    assert {"loss_content", "loss_gan", "loss_discriminator", "score_real"} <= set(found)
    moved = {name for name, value in task.state_dict().items() if (value != before[name]).any()}
    for part in ("degradation", "discriminator"):
        own = {f"{part}.{name}" for name, _ in getattr(task, part).named_parameters()}
        assert own <= moved
    assert all(parameter.requires_grad for parameter in task.parameters())


def test_the_generator_is_judged_by_the_stepped_discriminator():
    task, batch = _task(), _batch()
    wrappers = MultiOptimizerConstructor(copy.deepcopy(TWO))(task)
    judged: list[torch.Tensor] = []
    task.discriminator.register_forward_pre_hook(lambda _, args: judged.append(args[0].detach()))
    found = task.train_step(batch, wrappers)
    real, generated, once_more = judged
    assert torch.equal(real, batch["real_lr"]) and torch.equal(generated, once_more)
    # Its weights have not changed since it judged for the generator.
    again = _task()
    again.load_state_dict(task.state_dict())
    torch.testing.assert_close(
        0.005 * F.softplus(-again.discriminator(generated)).mean(), found["loss_gan"]
    )


@pytest.mark.parametrize("name", ["DirectNet", "DML"])
def test_other_degradations_may_be_learned_so(name):
    task = _task({"type": name, "width": 4, "levels": 1}, colour="rgb")
    wrappers = MultiOptimizerConstructor(copy.deepcopy(TWO))(task)
    found = task.train_step(_batch(), wrappers)
    assert all(torch.isfinite(value) for value in found.values())
    on_luma = _task(
        {"type": name, "width": 4, "levels": 1},
        colour="y",
        discriminator={**SMALL, "in_channels": 1},
    )
    assert torch.isfinite(on_luma(_batch(), "loss")["loss_gan"])


def test_predictions_and_export(tmp_path):
    task = _task().eval()
    batch = {**_batch(), "paired": torch.tensor([True, True])}
    batch["lr"] = batch.pop("real_lr")
    with torch.no_grad():
        first, second = task(batch, "predict")
        assert torch.equal(task(batch, "tensor")[1], second["prediction"])
    assert torch.equal(first["target"], batch["lr"][0]) and first["prediction"].shape == (3, 12, 12)
    digest = task.export(tmp_path / "d.safetensors", {"sample": True})
    assert create_degradation(tmp_path / "d.safetensors").hash() == digest
    meta = read_component(tmp_path / "d.safetensors").meta
    assert meta == {"sample": True, "objective": task.objective}
    with pytest.raises(DataError, match="validate on pairs"):
        task(_batch(), "predict")


def test_absent_perceptual_weights_refuse_before_training(tmp_path):
    lpips = {"type": "LPIPSLoss", "weight": 0.01, "weights": str(tmp_path / "absent.pth")}
    task = _task(perceptual_loss=lpips)
    assert "LPIPSLoss x 0.01" in task.objective
    with pytest.raises(PerceptualUnavailableError, match="perceptual_loss.weight=0"):
        task.init_weights()
    without = _task(perceptual_loss={**lpips, "weight": 0.0})
    without.init_weights()
    assert "no perceptual term" in without.objective


def test_refusals():
    task, batch = _task(), _batch()
    with pytest.raises(ConfigError, match="two optimisers"):
        task.train_step(batch, MultiOptimizerConstructor({"degradation_step": ADAM})(task))
    with pytest.raises(DataError, match="collate_unpaired"):
        task({**batch, "real_lr": None}, "loss")
    with pytest.raises(DataError, match="patch sizes"):
        task({**batch, "real_lr": batch["hr"]}, "loss")
    with pytest.raises(DataError, match="low_pass_size=15"):
        _task(low_pass_size=15)(batch, "loss")
    with pytest.raises(ConfigError, match="odd"):
        _task(low_pass_size=4)
    with pytest.raises(ConfigError, match="not learned by gradient descent"):
        _task({"type": "Bicubic"})
    with pytest.raises(ConfigError, match="L1Loss, an image loss; wanted an adversarial"):
        _task(gan_loss={"type": "L1Loss"})
    with pytest.raises(ConfigError, match="colour='y'"):
        _task(colour="y", perceptual_loss={"type": "LPIPSLoss"})
    with pytest.raises(ConfigError, match="colour"):
        _task(colour="lab")


def test_a_network_on_luma_is_trained_on_the_luma_of_generated_colour(tmp_path):
    path = tmp_path / "d.safetensors"
    _task().export(path, {})
    vdsr = {"type": "VDSR", "depth": 3, "width": 4}
    task = SuperResolution(vdsr, str(path), scale=2, same_size=False, quantise=False)
    batch = _batch()
    generated = create_degradation(path)(batch["hr"], batch["seeds"])
    assert torch.equal(task.low_resolution(batch), rgb_to_y(generated))
