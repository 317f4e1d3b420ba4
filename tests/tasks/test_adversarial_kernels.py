"""A GAN of kernels learns, clips its critic, resumes to the bit, and says what it cannot do."""

from __future__ import annotations

import pytest
import torch

from realdeg.datasets import KernelSet, collate_kernels
from realdeg.degradations import KernelGenerator
from realdeg.degradations.kernel_pool import gaussian_pool
from realdeg.engine import RealdegRunner
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.tasks import AdversarialKernels
from tests.engine.tiny import differences, final_state

GENERATOR = dict(type="KernelGenerator", width=16, code_size=8)
CRITIC = dict(type="KernelCritic", width=8)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    file = tmp_path_factory.mktemp("pool") / "kernels.safetensors"
    gaussian_pool(2, True, count=40).save(file)
    return file


def train(work_dir, pool, iterations, workers=0, **changes) -> RealdegRunner:
    data = dict(type="KernelSet", pool=str(pool), scale=2, same_size=True, seed=5)
    step = dict(type="OptimWrapper", optimizer=dict(type="RMSprop", lr=2e-3))
    task = dict(type="AdversarialKernels", degradation=GENERATOR, discriminator=CRITIC)
    cfg = dict(
        model=dict(**task, weight_limit=0.05, scale=2, same_size=True),
        work_dir=str(work_dir),
        seed=5,
        device="cpu",
        train_dataloader=dict(
            dataset=data,
            batch_size=16,
            num_workers=workers,
            sampler=dict(type="PositionSampler", batch_size=16, seed=5),
            collate_fn=dict(type="collate_kernels"),
        ),
        optim_wrapper=dict(
            constructor="MultiOptimizerConstructor", degradation_step=step, discriminator_step=step
        ),
        train_cfg=dict(type="IterTrainLoop", max_iters=iterations),
        default_hooks=dict(checkpoint=dict(type="SaveCheckpointHook", interval=7)),
        **changes,
    )
    runner = RealdegRunner.from_cfg(cfg)
    try:
        runner.train()
    finally:
        runner.close()
    return runner


def batch(count=8):
    degradation = dict(type="KernelPool")
    data = KernelSet(degradation=degradation, length=count, scale=2, same_size=True)
    return collate_kernels([data[index] for index in range(count)])


def task(**changes):
    return AdversarialKernels(GENERATOR, CRITIC, scale=2, same_size=True, **changes)


def test_fourteen_iterations_equal_seven_and_seven(tmp_path, pool):
    """The generator's turn falls between the two halves."""
    whole = train(tmp_path / "whole", pool, 14)
    train(tmp_path / "parts", pool, 7, workers=1)
    train(tmp_path / "parts", pool, 14, resume=True)
    one, two = (final_state(tmp_path / name, 14) for name in ("whole", "parts"))
    assert differences(one, two) == []
    weights = [p.detach().abs().max() for p in whole.model.discriminator.parameters()]
    assert 0.04 < max(map(float, weights)) <= 0.0501


def test_the_generators_step_pleases_the_critic():
    """Its gradient raises the critic's mean logit of generated kernels, and nothing else moves."""
    model, given = task(), batch(16)
    before = [p.detach().clone() for p in model.discriminator.parameters()]
    optimiser = torch.optim.SGD(model.degradation.parameters(), lr=0.05)
    first = model(given, "degradation")["loss_gan"]
    for _ in range(5):
        optimiser.zero_grad()
        model(given, "degradation")["loss_gan"].backward()
        optimiser.step()
    last = model(given, "degradation")["loss_gan"]
    assert float(last.detach()) < float(first.detach()) - 1e-3
    after = list(model.discriminator.parameters())
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_losses_are_those_of_the_paper():
    model, given = task(), batch(4)
    losses = {name: value.detach() for name, value in model(given, "discriminator").items()}
    assert "loss_gan" not in losses
    distance = losses["logit_real"] - losses["logit_generated"]
    assert float(losses["loss_discriminator"]) == pytest.approx(-float(distance), abs=1e-6)
    assert set(model(given, "degradation")) == {"loss_gan"}
    # The generator's step meets other codes than the critic's.
    one, two = (model._generated(given, name) for name in ("critic", "generator"))
    assert not torch.equal(one, two)
    model.iteration = 3
    assert not model.generator_learns
    model.iteration = 4
    assert model.generator_learns


def test_drawn_kernels_and_the_file(tmp_path):
    model = task()
    drawn = model(batch(3), "tensor")
    assert drawn.shape == (3, 25, 25) and torch.allclose(drawn.sum((1, 2)), torch.ones(3))
    model.export(tmp_path / "degradation.safetensors", {})
    again = AdversarialKernels(str(tmp_path / "degradation.safetensors"), CRITIC)
    assert isinstance(again.degradation, KernelGenerator)
    assert torch.equal(again(batch(3), "tensor"), drawn)


def test_mistakes():
    with pytest.raises(ConfigError, match="Bicubic makes no kernels of codes"):
        AdversarialKernels("Bicubic", CRITIC, scale=2)
    with pytest.raises(ConfigError, match=r"in_channels=1"):
        AdversarialKernels(GENERATOR, dict(CRITIC, in_channels=3), scale=2)
    with pytest.raises(ConfigError, match="weight_limit"):
        task(weight_limit=0)
    model = task()
    with pytest.raises(DataError, match="KernelSet"):
        model({"hr": torch.rand(1, 3, 8, 8), "seeds": [1]}, "discriminator")
    with pytest.raises(DataError, match="raise batch_size"):
        model(batch(1), "discriminator")
    with pytest.raises(GeometryError, match=r"makes kernels of 21 x 21.*\(25, 25\)"):
        other = dict(GENERATOR, kernel_size=21)
        AdversarialKernels(other, CRITIC, scale=2, same_size=True)(batch(2), "discriminator")
    with pytest.raises(ConfigError, match="val_dataloader=None"):
        model(batch(2), "predict")
