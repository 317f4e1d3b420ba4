"""A flow of kernels learns, resumes to the bit, and says what it cannot do."""

from __future__ import annotations

import pytest
import torch

from realdeg.datasets import KernelSet, collate_kernels
from realdeg.degradations import FlowKernel
from realdeg.engine import RealdegRunner
from realdeg.errors import ConfigError, DataError
from realdeg.tasks import KernelLikelihood
from tests.engine.tiny import differences, final_state

FKP = dict(type="BlurDown", kind="FKP")
FLOW = dict(type="FlowKernel", hidden=6, blocks=2)


def train(work_dir, iterations, workers=0, **changes) -> RealdegRunner:
    data = dict(type="KernelSet", degradation=FKP, length=64, scale=2, same_size=False, seed=5)
    cfg = dict(
        model=dict(type="KernelLikelihood", degradation=FLOW, scale=2, same_size=False),
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
        optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=3e-3)),
        param_scheduler=dict(type="MultiStepLR", milestones=[20], gamma=0.5, by_epoch=False),
        train_cfg=dict(type="IterTrainLoop", max_iters=iterations),
        default_hooks=dict(checkpoint=dict(type="SaveCheckpointHook", interval=15)),
        **changes,
    )
    runner = RealdegRunner.from_cfg(cfg)
    try:
        runner.train()
    finally:
        runner.close()
    return runner


def batch(count=32, split="val"):
    data = KernelSet(degradation=FKP, length=count, split=split, scale=2)
    return collate_kernels([data[index] for index in range(count)])


def test_thirty_iterations_equal_fifteen_and_fifteen_and_the_likelihood_rises(tmp_path):
    whole = train(tmp_path / "whole", 30)
    train(tmp_path / "parts", 15, workers=1)
    train(tmp_path / "parts", 30, resume=True)
    one, two = (final_state(tmp_path / name, 30) for name in ("whole", "parts"))
    assert differences(one, two) == []
    held_out = batch()
    learned = whole.model.eval()(held_out, "loss")["loss_likelihood"]
    torch.manual_seed(5)
    start = KernelLikelihood(FLOW, 2, False).eval()(held_out, "loss")["loss_likelihood"]
    assert learned < start - 100


def test_the_loss_is_the_mean_likelihood():
    torch.manual_seed(0)
    task, given = KernelLikelihood(FLOW, 2, False).eval(), batch(4)
    with torch.no_grad():
        wanted = [
            float(task.degradation.log_likelihood(kernel[None], [seed]))
            for kernel, seed in zip(given["kernel"], given["seeds"], strict=True)
        ]
    loss = task(given, "loss")["loss_likelihood"].detach()
    assert float(loss) == pytest.approx(-sum(wanted) / 4, rel=1e-5)
    drawn = task(given, "tensor")
    assert drawn.shape == (4, 11, 11)
    torch.testing.assert_close(drawn.sum((1, 2)), torch.ones(4))


def test_the_file_holds_the_flow(tmp_path):
    task = KernelLikelihood(FLOW, 2, False)
    task.export(tmp_path / "degradation.safetensors", {})
    again = KernelLikelihood(str(tmp_path / "degradation.safetensors"))
    code = torch.randn(1, 121)
    assert isinstance(again.degradation, FlowKernel)
    assert torch.equal(
        again.degradation.eval().kernels(code), task.degradation.eval().kernels(code)
    )


def test_mistakes():
    task = KernelLikelihood(FLOW, 2, False)
    with pytest.raises(ConfigError, match="Bicubic has no likelihood"):
        KernelLikelihood("Bicubic", 2, False)
    with pytest.raises(DataError, match="KernelSet"):
        task({"hr": torch.rand(1, 3, 8, 8), "seeds": [1]}, "loss")
    with pytest.raises(DataError, match="raise batch_size"):
        task(batch(1), "loss")
    with pytest.raises(ConfigError, match="val_dataloader=None"):
        task(batch(2), "predict")
