"""Numbers that change over a run: each batch has the value of its own iteration."""

from __future__ import annotations

import pytest
import torch
from mmengine.hooks import Hook

from realdeg.apis.browsing import training_samples
from realdeg.config import inject, load_config
from realdeg.datasets import PositionSampler, collate_batch
from realdeg.degradations.build import degradation_from_config
from realdeg.engine import RealdegRunner
from realdeg.errors import ConfigError, DataError
from realdeg.tasks import SuperResolution
from realdeg.utils.component import read_component
from realdeg.utils.image import round_to_8_bit
from realdeg.utils.schedules import Schedule

NOISY = {"type": "Compose", "parts": ["Bicubic", {"type": "AWGN", "sigma": 15}]}
SIGMA = {
    "type": "ScheduleHook",
    "number": "degradation.parts.1.sigma",
    "points": [(2, 0), (12, 50)],
}
FADE = {
    "type": "ScheduleHook",
    "number": "model.loss.terms.far.weight",
    "points": [(0, 1.0), (8, 0.0)],
    "shape": "cosine",
}
LOSS = {
    "_delete_": True,
    "type": "WeightedLoss",
    "terms": [{"type": "L1Loss"}, {"type": "MSELoss", "name": "far", "weight": 0.25}],
}


def train(folder, iterations, watch=None, hooks=(SIGMA, FADE), **options):
    """Train a tiny network on the sample; return its weights and those of its optimiser."""
    options = {
        "train_cfg.max_iters": iterations,
        "train_dataloader.batch_size": 2,
        "param_scheduler.T_max": 16,
        "param_scheduler.end": 1000,
        "backbone.num_blocks": 1,
        "backbone.num_features": 4,
        "degradation": {"_delete_": True, **NOISY},
        "model.loss": LOSS,
        "custom_hooks": list(hooks),
        "work_dir": str(folder),
        **options,
    }
    cfg = load_config("edsr/edsr_t91_x4_cpu", options=options, sample=True)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    runner = RealdegRunner.from_cfg(inject(cfg))
    if watch is not None:
        runner.register_hook(watch, "LOWEST")
    try:
        runner.train()
    finally:
        runner.close()
    return runner.model, runner.optim_wrapper.state_dict()["state"]


def assert_equal(one, two):
    states = one[0].state_dict(), two[0].state_dict()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert one[1].keys() == two[1].keys()
    for key, moments in one[1].items():
        assert all(torch.equal(value, two[1][key][name]) for name, value in moments.items())


class Watch(Hook):
    """Notes what an iteration uses, and compares LR that workers made with its definition."""

    def __init__(self):
        self.seen, self.logged, self.compared = [], [], 0

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        iteration = runner.iter
        sigma = min(max(0, iteration - 2) * 5.0, 50)
        task = runner.model
        assert task.degradation_for(data_batch).parts[1].sigma == pytest.approx(sigma)
        hub = runner.message_hub
        self.logged.append(hub.get_scalar("train/degradation.parts.1.sigma").current())
        self.seen.append(task.loss.losses[1].weight)
        if data_batch["lr"] is not None:
            parts = ["Bicubic", {"type": "AWGN", "sigma": sigma}]
            wanted = degradation_from_config({"type": "Compose", "parts": parts, "scale": 4})
            lr = round_to_8_bit(wanted(data_batch["hr"], data_batch["seeds"]))
            assert torch.equal(data_batch["lr"], lr)
            self.compared += 1


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    watch = Watch()
    found = train(folder, 16, watch)
    assert watch.seen[:9:4] == pytest.approx([1, 0.5, 0]) and watch.seen[9:] == [0] * 7
    assert watch.logged == pytest.approx([0, 0, *range(0, 50, 5), *[50] * 4])
    # Between iterations and afterwards the values are those of the config.
    assert found[0].loss.losses[1].weight == 0.25
    assert found[0].active_degradation.parts[1].sigma == 15
    assert found[0].degradation_for({}).parts[1].sigma == 15
    notes = read_component(folder / "backbone.safetensors").meta["degradation"]["schedules"]
    assert notes == {"parts.1.sigma": {"points": [[2, 0], [12, 50]], "shape": "linear"}}
    return found


@pytest.mark.parametrize("workers", [0, 2])
def test_sixteen_iterations_equal_eight_and_eight(tmp_path, straight, workers):
    options = {"train_dataloader.num_workers": workers}
    if workers:
        options["model.degrade_in"] = "workers"
    train(tmp_path, 8, **options)
    watch = Watch()
    assert_equal(straight, train(tmp_path, 16, watch, resume=True, **options))
    assert watch.compared == (8 if workers else 0)


def test_the_prefetch_thread_changes_nothing(tmp_path, straight):
    assert_equal(straight, train(tmp_path, 16, Watch(), **{"model.degrade_in": "prefetch"}))


def test_a_schedule_changes_the_result(tmp_path, straight):
    state = train(tmp_path, 16, hooks=[FADE])[0].state_dict()
    assert any(not torch.equal(v, state[k]) for k, v in straight[0].state_dict().items())


def test_both_ends_of_a_range_move_at_once(tmp_path):
    """Neither end alone keeps the order of the other's value in the config."""
    ends = [
        {"type": "ScheduleHook", "number": "degradation.quality.0", "points": [(0, 5), (4, 91)]},
        {"type": "ScheduleHook", "number": "degradation.quality.1", "points": [(0, 9), (4, 95)]},
    ]
    seen = []

    class Note(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            seen.append(list(runner.model.degradation_for(data_batch).arguments["quality"]))

    jpeg = {"_delete_": True, "type": "JPEG", "quality": [30, 40]}
    train(tmp_path, 5, Note(), ends, degradation=jpeg)
    assert seen == [[5, 9], [27, 31], [48, 52], [70, 74], [91, 95]]


class TestTask:
    @staticmethod
    def task(place="device", **options):
        options = {"degradation": NOISY, "scale": 4, "same_size": False, **options}
        network = {"type": "VDSR", "depth": 3, "width": 4, "colour": "rgb"}
        return SuperResolution(network, degrade_in=place, **options)

    @staticmethod
    def batch(position):
        sample = {"hr": torch.rand(3, 16, 16), "key": "a", "meta": {}, "seed": 3}
        return [sample if position is None else {**sample, "position": position}]

    def test_a_batch_made_ahead_states_its_position(self):
        for place in ("workers", "prefetch"):
            task = self.task(place)
            schedule = task.schedule_degradation("parts.1.sigma", Schedule([(0, 0), (10, 10)]))
            schedule.batch_size = 4

            def make(position, task=task, place=place):
                if place == "workers":
                    return task.collate_with(collate_batch)(self.batch(position))
                return task.prepare(collate_batch(self.batch(position)))

            assert make(8)["lr"].shape == (1, 3, 4, 4)
            with pytest.raises(DataError, match="do not state their position"):
                make(None)
            schedule.batch_size = None  # a sampler that counts none
            with pytest.raises(DataError, match="do not state their position"):
                make(8)

    def test_positions_of_several_processes_are_of_one_iteration(self):
        task = self.task()
        schedule = task.schedule_degradation("parts.1.sigma", Schedule([(0, 0), (10, 10)]))
        schedule.batch_size = 6
        for rank in range(3):
            sampler = PositionSampler(range(50), 6, seed=0, rank=rank, world_size=3)
            sampler.start(4)
            positions = [next(iter(sampler))[0]]
            batch = {"position": positions[0]}
            assert task.degradation_for(batch).parts[1].sigma == 4

    def test_every_scale_has_its_own(self):
        task = self.task(scales=[2, 4])
        schedule = task.schedule_degradation("parts.1.sigma", Schedule([(0, 0), (10, 10)]))
        schedule.batch_size = 1
        task.check_schedule()
        made = [task.degradation_for({"position": 3, "scale": scale}) for scale in (2, 4, 2)]
        assert [one.scale for one in made] == [2, 4, 2] and made[0] is made[2]
        assert {one.parts[1].sigma for one in made} == {3}

    @pytest.mark.parametrize("missing", [True, False])
    def test_only_a_fixed_degradation_follows(self, missing):
        options = {"degradation": None} if missing else {"train_degradation": True}
        with pytest.raises(ConfigError, match="is missing" if missing else "is trained"):
            self.task(**options).schedule_degradation("parts.1.sigma", Schedule([(0, 0)]))

    def test_values_are_tried_before_training(self):
        task = self.task()
        task.schedule_degradation("parts.1.sigma", Schedule([(0, 0), (10, 300)]))
        with pytest.raises(ConfigError, match="sigma is 300"):
            task.check_schedule()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("model.loss.terms.near.weight", "has no term 'near': it has loss_l1, loss_far"),
        ("model.gan.weight", "has no 'model.gan.weight' that can change"),
        ("model.quantise", "has no 'model.quantise' that can change"),
    ],
)
def test_a_number_that_the_task_does_not_have(tmp_path, number, said, monkeypatch):
    """Also where no config was checked, as in Python."""
    monkeypatch.setattr("realdeg.config.check.check_schedules", lambda cfg: None)
    hook = {"type": "ScheduleHook", "number": number, "points": [(0, 1.0)]}
    with pytest.raises(ConfigError, match=said):
        train(tmp_path, 2, hooks=[hook])


def test_browse_shows_each_batch_as_its_iteration_sees_it():
    options = {
        "degradation": {"_delete_": True, **NOISY},
        "custom_hooks": [SIGMA],
        "train_dataloader.batch_size": 2,
    }
    cfg = load_config("edsr/edsr_t91_x4_cpu", options=options, sample=True)
    seen = [one.trace.parts[1].params["sigma"] for one in training_samples(cfg, 8, start=1)]
    assert seen == [0, 0, 0, 0, 5, 5, 10, 10]
