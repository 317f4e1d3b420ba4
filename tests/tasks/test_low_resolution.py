"""Where training images are degraded changes the speed, not the images."""

from __future__ import annotations

import pickle

import pytest
import torch

from realdeg.datasets import collate_batch
from realdeg.degradations import Bicubic
from realdeg.errors import ConfigError
from realdeg.tasks import SuperResolution

NOISY = {"type": "Compose", "parts": [{"type": "Bicubic"}, {"type": "AWGN", "sigma": 20}]}
VDSR = {"type": "VDSR", "depth": 3, "width": 4}


def samples(paired):
    generator = torch.Generator().manual_seed(0)
    for index, has in enumerate(paired):
        sample = {"hr": torch.rand(3, 32, 32, generator=generator), "key": f"{index}", "meta": {}}
        if has:
            sample["lr"] = torch.rand(3, 8, 8, generator=generator)
        yield {**sample, "seed": 7 + index}


def task(place, degradation=NOISY, colour="y"):
    return SuperResolution(
        {**VDSR, "colour": colour}, degradation, scale=4, same_size=False, degrade_in=place
    )


@pytest.mark.parametrize("paired", [(False, False), (True, False, True)])
@pytest.mark.parametrize("colour", ["y", "rgb"])
@pytest.mark.parametrize("degradation", [NOISY, {"type": "BSRGAN"}])
def test_the_three_places_make_the_same_lr(paired, colour, degradation):
    items = list(samples(paired))
    wanted = task("device", degradation, colour).low_resolution(collate_batch(items))
    in_workers = task("workers", degradation, colour)
    collate = in_workers.collate_with(collate_batch)
    batch = pickle.loads(pickle.dumps(collate))(items)  # noqa: S301 - what a spawned worker does
    assert torch.equal(batch["lr"], wanted) and batch["paired"].tolist() == list(paired)
    assert torch.equal(in_workers.low_resolution(batch), wanted)
    ahead = task("prefetch", degradation, colour)
    assert torch.equal(ahead.prepare(collate_batch(items))["lr"], wanted)
    assert task("device").prepare is None and task("workers").prepare is None
    assert ahead.collate_with(collate_batch) is collate_batch


class OnDevice(Bicubic):
    """Has a tensor, as a learned one has, and notes where it was sent."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.register_buffer("tensor", torch.zeros(1))
        self.sent = []

    def cpu(self):
        self.sent.append("cpu")
        return super().cpu()


def test_workers_stay_on_the_cpu():
    here = OnDevice(scale=4)
    network = SuperResolution(VDSR, here, scale=4, same_size=False, degrade_in="workers")
    collate = network.collate_with(collate_batch)
    (theirs,) = collate.low_resolution.by_scale.values()
    assert collate.low_resolution.degradation is theirs is not here
    assert "cpu" in theirs.sent and "cpu" not in here.sent


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_workers_stay_on_the_cpu_while_the_task_does_not():
    network = SuperResolution(
        VDSR, OnDevice(scale=4), scale=4, same_size=False, degrade_in="workers"
    ).cuda()
    collate = network.collate_with(collate_batch)
    assert network.active_degradation.tensor.is_cuda
    assert not collate.low_resolution.degradation.tensor.is_cuda


@pytest.mark.parametrize("degradation", [NOISY, {"type": "SRMD"}, {"type": "KernelPool"}])
def test_mixed_precision_does_not_change_the_data(degradation):
    batch = collate_batch(list(samples((False, False))))
    wanted = task("device", degradation, "rgb").low_resolution(batch)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(task("device", degradation, "rgb").low_resolution(batch), wanted)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(
        ConfigError, match="degrade_in is 'worker', wanted 'device', 'workers' or 'prefetch'"
    ):
        task("worker")
    with pytest.raises(ConfigError, match="trained jointly runs on the training device"):
        SuperResolution(
            VDSR,
            {"type": "GlobalKernel"},
            scale=4,
            same_size=False,
            train_degradation=True,
            degrade_in="workers",
        )


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_is_the_same_wherever_it_degrades(tmp_path, workers):
    from realdeg.config import inject, load_config
    from realdeg.engine import RealdegRunner

    ends = []
    for place in ("device", "workers", "prefetch"):
        options = {
            "model.degrade_in": place,
            "train_cfg.max_iters": 3,
            "train_cfg.val_interval": 3,
            "train_dataloader.num_workers": workers,
            "backbone.depth": 3,
            "backbone.width": 4,
            "work_dir": str(tmp_path / place),
        }
        cfg = load_config("vdsr_ntire19_bicubic_x4_cpu", options=options, sample=True)
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        runner = RealdegRunner.from_cfg(inject(cfg))
        runner.train()
        ends.append({k: v.clone() for k, v in runner.model.state_dict().items()})
        runner.close()
    for other in ends[1:]:
        assert all(torch.equal(ends[0][key], other[key]) for key in ends[0])
