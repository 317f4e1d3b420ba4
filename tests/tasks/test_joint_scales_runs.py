"""Whole runs that draw a scale for each batch, on the sample pictures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from realdeg.backbones import ProSR
from realdeg.config import inject, load_config
from realdeg.datasets import PositionSampler
from realdeg.engine import RealdegRunner
from realdeg.engine.hooks import CurriculumHook
from realdeg.errors import ConfigError
from realdeg.registry import HOOKS


class TestRuns:
    """Whole runs of the CPU recipe, made smaller still."""

    @staticmethod
    def train(folder, iterations, **options):
        options = {
            "train_cfg.max_iters": iterations,
            "train_dataloader.batch_size": 2,
            # A shorter run is the beginning of the longer one.
            "param_scheduler.T_max": 16,
            "param_scheduler.end": 1000,
            "backbone.num_blocks": 1,
            "backbone.num_features": 4,
            "work_dir": str(folder),
            **options,
        }
        cfg = load_config("mdsr/mdsr_t91_multiscale_x4_cpu", options=options, sample=True)
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        runner = RealdegRunner.from_cfg(inject(cfg))
        runner.train()
        state = {name: value.clone() for name, value in runner.model.state_dict().items()}
        moments = runner.optim_wrapper.state_dict()["state"]
        runner.close()
        return state, moments

    def test_sixteen_iterations_equal_eight_and_eight(self, tmp_path):
        whole = self.train(tmp_path / "whole", 16)
        self.train(tmp_path / "parts", 8)
        parts = self.train(tmp_path / "parts", 16, resume=True)
        assert all(torch.equal(whole[0][name], parts[0][name]) for name in whole[0])
        assert whole[1].keys() == parts[1].keys()
        for key, moments in whole[1].items():
            assert all(torch.equal(value, parts[1][key][name]) for name, value in moments.items())
        # A scale's own weights take a step where it was drawn, and nowhere else.
        steps = {int(moments["step"]) for moments in whole[1].values()}
        assert len(steps) > 1 and max(steps) == 16

    @pytest.mark.parametrize(("place", "workers"), [("workers", 1), ("prefetch", 0)])
    def test_where_images_are_degraded_changes_nothing(self, tmp_path, place, workers):
        wanted, _ = self.train(tmp_path / "device", 4)
        options = {"model.degrade_in": place, "train_dataloader.num_workers": workers}
        found, _ = self.train(tmp_path / place, 4, **options)
        assert all(torch.equal(wanted[name], found[name]) for name in wanted)


class _Stop(list):
    """Ends the run once so many iterations have been seen."""

    def __init__(self, seen, last):
        self.seen, self.last = seen, last

    def append(self, item):
        self.seen.append(item)
        if len(self.seen) == self.last:
            raise SystemExit(0)


class TestCurriculum:
    SMALL = {
        "backbone.num_features": 4,
        "backbone.growth_rate": 2,
        "backbone.blocks": [[1], [1], [1]],
        "param_scheduler.milestones": [100],
        "param_scheduler.end": 1000,
    }

    def train(self, folder, iterations, seen, **options):
        class Watch(Hook):
            def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
                network = runner.model.backbone
                seen.append((data_batch["scale"], network.newest, round(network.blend, 3)))

        options = {
            "train_cfg.max_iters": iterations,
            "train_dataloader.batch_size": 1,
            "work_dir": str(folder),
            **self.SMALL,
            **options,
        }
        cfg = load_config("prosr/prosr_div2k_multiscale_x8", options=options, sample=True)
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        runner = RealdegRunner.from_cfg(inject(cfg))
        runner.register_hook(Watch(), "LOWEST")
        runner.train()
        state = {name: value.clone() for name, value in runner.model.state_dict().items()}
        assert runner.model.backbone.blend == 1.0
        runner.close()
        return state

    def test_scales_open_one_after_another(self, tmp_path):
        seen = []
        self.train(tmp_path / "run", 40, seen)
        newest = [scale for _, scale, _ in seen]
        # 12 % and 45 % of 40 iterations.
        assert newest == [2] * 5 + [4] * 14 + [8] * 21
        assert all(drawn <= opened for drawn, opened, _ in seen)
        assert {drawn for drawn, _, _ in seen[30:]} == {2, 4, 8}
        # Blended in until 25 % and 60 %.
        assert 0 < seen[5][2] < seen[9][2] < seen[10][2] == 1 > seen[19][2] > 0
        assert seen[-1][2] == 1

    def test_it_is_taken_up_again(self, tmp_path):
        whole, first, second = [], [], []
        keep = {"default_hooks.checkpoint.interval": 7}
        one = self.train(tmp_path / "whole", 12, whole, **keep)
        with pytest.raises(SystemExit):
            self.train(tmp_path / "parts", 12, _Stop(first, 7), **keep)
        two = self.train(tmp_path / "parts", 12, second, resume=True, **keep)
        assert whole == first + second and len(second) == 5
        assert all(torch.equal(one[name], two[name]) for name in one)

    def test_stated_stages_of_any_network(self, tmp_path):
        """MDSR draws x2 alone, then x2 and x4, then x3 alone; a resumed run as an unbroken one."""
        drawn = []

        class Note(Hook):
            def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
                drawn.append((runner.iter, data_batch["scale"]))

        HOOKS.register_module(name="NoteScales", module=Note, force=True)
        stages = [(0, [2]), (3, [4, 2]), (11, [3])]
        hooks = [dict(type="CurriculumHook", stages=stages), dict(type="NoteScales")]
        whole = TestRuns.train(tmp_path / "whole", 14, custom_hooks=hooks)
        scales = [scale for _, scale in drawn]
        assert scales[:3] == [2] * 3 and set(scales[3:11]) == {2, 4} and scales[11:] == [3] * 3
        unbroken = list(drawn)
        drawn.clear()
        TestRuns.train(tmp_path / "parts", 5, custom_hooks=hooks)
        workers = {"train_dataloader.num_workers": 2}
        parts = TestRuns.train(tmp_path / "parts", 14, resume=True, custom_hooks=hooks, **workers)
        assert drawn == unbroken
        assert all(torch.equal(whole[0][name], parts[0][name]) for name in whole[0])

    def test_a_network_that_grows_takes_no_stages(self, tmp_path):
        hooks = [dict(type="CurriculumHook", stages=[(0, [2, 4, 8])])]
        with pytest.raises(ConfigError, match="ProSR has a curriculum of its own: remove 'stages'"):
            self.train(tmp_path, 2, [], custom_hooks=hooks)

    def test_a_network_without_one(self, tmp_path):
        options = {"custom_imports.imports": ["realdeg.engine.hooks.curriculum"]}
        with pytest.raises(ConfigError, match="CurriculumHook: MDSR has no curriculum"):
            TestRuns.train(tmp_path, 1, custom_hooks=[dict(type="CurriculumHook")], **options)

    def test_nothing_to_draw_from(self, tmp_path):
        for scales, named in (
            (None, "draws no scales"),
            ([4, 8], "scale 2 is drawn, which is not"),
        ):
            with pytest.raises(ConfigError, match=named):
                self.train(tmp_path, 2, [], **{"model.scales": scales})

    @pytest.mark.parametrize("done", [0, 8, 39])
    def test_a_run_that_is_taken_up_validates_as_it_was(self, done):
        small = dict(scale=8, num_features=4, growth_rate=2, blocks=[[1], [1], [1]])
        network, wanted = ProSR(**small), ProSR(**small)
        sampler = PositionSampler([0], 1, seed=0, scales=[2, 4, 8])
        runner = SimpleNamespace(
            model=SimpleNamespace(backbone=network),
            train_dataloader=SimpleNamespace(sampler=sampler),
            max_iters=40,
            iter=done,
        )
        CurriculumHook().before_train(runner)
        wanted.set_progress(done / 40)
        assert (network.newest, network.blend) == (wanted.newest, wanted.blend)
