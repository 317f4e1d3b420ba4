"""What training says when it goes on wrongly: each warning once, with numbers."""

from __future__ import annotations

import logging
import types

import cv2
import numpy as np
import pytest
import torch

from realdeg import create_degradation
from realdeg.engine import RealdegRunner
from realdeg.engine.hooks import AlignmentHook, StandstillHook
from realdeg.engine.hooks.baseline import INPUT
from realdeg.engine.hooks.outputs import spread
from realdeg.engine.hooks.progress import Pace
from realdeg.errors import ConfigError, TrainingError
from realdeg.registry import TASKS
from realdeg.tasks import DegradationLearning, SuperResolution, UnpairedDegradation
from tests.engine.tiny import differences, final_state, tiny_config, train
from tests.evaluation.scenes import pair

SRCNN = dict(type="SRCNN", kernels="3-1-3", width=4, mapped=4)
DML = dict(type="DML", width=4, levels=1, num_kernels=2, kernel_size=5, activation="softmax")
PATCHES = [dict(type="PairedCrop", patch_size=32), dict(type="PackSample")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two folders of pairs at scale 2, one aligned and one off by a pixel and a half."""
    root = tmp_path_factory.mktemp("pairs")
    for name, off in (("good", {}), ("off", dict(down=1.2, right=-0.9))):
        for seed in range(3):
            for side, image in zip(
                ("hr", "lr"), pair(size=(72, 80), seed=seed, **off), strict=True
            ):
                folder = root / name / side
                folder.mkdir(parents=True, exist_ok=True)
                array = image.permute(1, 2, 0).mul(255).round().byte().numpy()
                assert cv2.imwrite(str(folder / f"{seed}.png"), array)
    return root


def config(work_dir, photos, model=None, which="good", **changes):
    """A run of a real task on real files."""
    data = dict(
        type="PairedFolderDataset", hr_dir=str(photos / which / "hr"), scale=2, same_size=False
    )
    data["lr_dir"] = str(photos / which / "lr")
    common = dict(num_workers=0, collate_fn=dict(type="collate_batch"))
    cfg = tiny_config(
        work_dir,
        save=dict(save_best=None),
        train_dataloader=dict(
            dataset=dict(data, transforms=PATCHES),
            batch_size=2,
            sampler=dict(type="PositionSampler", batch_size=2, seed=0),
            **common,
        ),
        val_dataloader=dict(dataset=data, batch_size=1, sampler=dict(type="EvalSampler"), **common),
        val_evaluator=dict(type="Evaluator", metrics=[dict(type="ImageQuality", protocol="rgb")]),
        **changes,
    )
    cfg["model"] = model or dict(type="SuperResolution", backbone=SRCNN, scale=2, same_size=False)
    return cfg


def run(cfg) -> tuple[RealdegRunner, str]:
    """Train; return the runner and its log."""
    runner = RealdegRunner.from_cfg(cfg)
    try:
        runner.train()
    finally:
        runner.close()
    with open(runner.logger.log_file, encoding="utf-8") as file:
        return runner, file.read()


class TestAlignment:
    def test_pairs_that_are_off_are_named_once_with_numbers(self, work_dir, photos, capsys):
        _, log = run(config(work_dir, photos, which="off", iterations=4))
        warnings = [line for line in log.splitlines() if "are off" in line]
        assert len(warnings) == 1 and "WARNING" in warnings[0]
        for part in ("median shift 1.5", "gain 1.00", "3 of 3 pairs", "PairedFolderDataset"):
            assert part in warnings[0]
        assert "are off" in capsys.readouterr().out
        _, log = run(config(work_dir, photos, which="off", iterations=8, resume=True))
        assert "are off" not in log

    def test_good_pairs_have_one_line_and_no_warning(self, work_dir, photos, capsys):
        _, log = run(config(work_dir, photos, iterations=2))
        assert "pairs of PairedFolderDataset train: median shift 0.0" in log
        assert "are off" not in log and "median shift" in capsys.readouterr().out

    def test_it_can_be_left_out(self, work_dir, photos):
        cfg = config(work_dir, photos, which="off", iterations=2)
        cfg["default_hooks"]["alignment"] = None
        assert "median shift" not in run(cfg)[1]
        cfg = config(work_dir.parent / "loose", photos, which="off", iterations=2)
        cfg["default_hooks"]["alignment"] = dict(type="AlignmentHook", limits=dict(shift=2.0))
        assert "are off" not in run(cfg)[1]

    def test_wrong_arguments_are_named(self):
        with pytest.raises(ConfigError, match="AlignmentHook: pairs"):
            AlignmentHook(pairs=0)
        with pytest.raises(ConfigError, match="AlignmentLimits takes no argument 'tilt'"):
            AlignmentHook(limits=dict(tilt=1))

    def test_hr_alone_is_not_read(self, tmp_path):
        class NeverRead:
            scale, same_size, records = 2, False, [types.SimpleNamespace(lr=None)]
            load = None

            def __len__(self):
                return 1

        loop = types.SimpleNamespace(dataloader=types.SimpleNamespace(dataset=NeverRead()))
        runner = types.SimpleNamespace(iter=0, model=torch.nn.Identity(), train_loop=loop)
        runner.logger = logging.getLogger("nothing")
        AlignmentHook().before_train(runner)


class TestBaseline:
    def test_the_input_stands_beside_every_validation(self, work_dir, photos, monkeypatch):
        measured = []
        plain = SuperResolution.baseline
        monkeypatch.setattr(SuperResolution, "baseline", lambda *a: measured.append(1) or plain(*a))
        runner, log = run(config(work_dir, photos, iterations=8))
        lines = [line for line in log.splitlines() if "val at" in line]
        scores = runner.message_hub.get_info(INPUT)["scores"]
        psnr = scores["psnr[rgb]"]
        assert len(lines) == 2 and all(f"(input {psnr:.4g}, -" in line for line in lines)
        # Measured in the first validation alone, and not again after a resume.
        assert len(measured) == 3
        run(config(work_dir, photos, iterations=12, resume=True))
        assert len(measured) == 3

        # The same number as a degradation-free test of the enlarged image has.
        from realdeg.degradations.primitives import imresize
        from realdeg.evaluation import measure
        from realdeg.utils.image import read_image, to_tensor

        expected = []
        for seed in range(3):
            hr, lr = (
                to_tensor(read_image(photos / "good" / side / f"{seed}.png"))
                for side in ("hr", "lr")
            )
            expected += measure(imresize(lr[None], 2)[0], hr, "rgb", ["psnr"])["psnr[rgb]"]
        assert psnr == pytest.approx(np.mean(expected), abs=1e-9)

    def test_a_network_below_its_input_is_named_once(self, work_dir, photos):
        _, log = run(config(work_dir, photos, iterations=16))
        warnings = [line for line in log.splitlines() if "worse than doing nothing" in line]
        assert len(warnings) == 1
        assert "enlarged by bicubic" in warnings[0] and "3 validations in a row" in warnings[0]
        # It came with the third validation.
        assert log.index("val at 8") < log.index("worse than doing") < log.index("val at 12")

    def test_one_that_is_better_is_not(self, work_dir, photos):
        model = dict(
            type="SuperResolution",
            backbone=dict(type="VDSR", depth=2, width=2),
            scale=2,
            same_size=False,
        )
        cfg = config(work_dir, photos, model, iterations=16)
        cfg["optim_wrapper"]["optimizer"]["lr"] = 0.0
        with_bicubic = run(cfg)[1]
        assert "(input " in with_bicubic

    @pytest.mark.parametrize("same_size", [False, True])
    def test_baselines_of_the_tasks(self, same_size):
        hr = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
        lr = hr if same_size else hr[:, ::2, ::2]
        geometry = dict(scale=2, same_size=same_size)
        network = SuperResolution(SRCNN, **geometry)
        up = network.baseline({"input": lr})
        assert up.shape == hr.shape and (not same_size or torch.equal(up, lr))
        bicubic = create_degradation(dict(type="Bicubic", **geometry))(hr[None], [0])[0]
        task = DegradationLearning(DML, **geometry, colour="rgb")
        assert torch.equal(task.baseline({"input": hr}), bicubic)
        assert DegradationLearning(DML, **geometry).baseline({"input": hr}).shape[0] == 1
        assert UnpairedDegradation.adversarial and not DegradationLearning.adversarial


class TestStandstill:
    def watch(self, losses, block=10, **changes):
        """Feed losses to the hook alone; return what it warns."""
        from mmengine.logging import HistoryBuffer

        said, info = [], {}
        buffer = HistoryBuffer()
        hub = types.SimpleNamespace(
            get_info=info.get, update_info=info.__setitem__, log_scalars={"train/loss": buffer}
        )
        runner = types.SimpleNamespace(
            message_hub=hub, iter=0, loaded_from="", cfg={}, model=torch.nn.Identity()
        )
        runner.optim_wrapper = None
        runner.logger = types.SimpleNamespace(warning=lambda text, *a: said.append(text % a))
        vars(runner).update(changes)
        hook = StandstillHook(block)
        hook.before_train(runner)
        for runner.iter, loss in enumerate(losses):  # noqa: B007 - the runner counts
            buffer.update(loss)
            hook.after_train_iter(runner, runner.iter)
        return said

    def test_a_loss_that_stands_still_is_named_once(self):
        noise = np.random.default_rng(0).normal(size=900)
        losses = 0.05 * (1 + 0.1 * noise)
        losses[:10] = 1.0  # falls from nowhere
        said = self.watch(losses)
        assert len(said) == 1
        assert "0.0" in said[0] and "11 to 50" in said[0] or "11 to" in said[0]

    @pytest.mark.parametrize("seed", range(5))
    def test_a_loss_that_falls_is_not(self, seed):
        time = np.arange(900)
        noise = np.random.default_rng(seed).normal(size=900)
        losses = (0.02 + 0.03 * np.exp(-time / 400)) * (1 + 0.3 * noise)
        assert self.watch(losses) == []
        # Too noisy to tell.
        assert self.watch(0.05 * (1 + 0.9 * noise[:100])) == []

    def test_who_is_left_alone(self):
        still = [1.0] * 900
        assert len(self.watch(still)) == 1
        assert self.watch(still, loaded_from="x.pth") == []
        assert self.watch(still, iter=5) == []
        task = torch.nn.Identity()
        task.adversarial = True
        assert self.watch(still, model=task) == []
        task = torch.nn.Identity()
        task.component = "backbone"
        frozen = dict(degradation=dict(checkpoint="d"), backbone=dict(type="SRCNN"))
        assert len(self.watch(still, model=task, cfg=frozen)) == 1
        started = dict(backbone=dict(type="SRCNN", start_from=dict(checkpoint="x")))
        assert self.watch(still, model=task, cfg=started) == []
        with pytest.raises(ConfigError, match="StandstillHook: block"):
            StandstillHook(0)

    def test_in_a_run_and_over_a_resume(self, work_dir):
        def cfg(folder, **changes):
            made = tiny_config(folder, **changes)
            made["optim_wrapper"]["optimizer"]["lr"] = 0.0
            made["default_hooks"]["standstill"] = dict(type="StandstillHook", block=1)
            return made

        whole, parts = work_dir / "whole", work_dir / "parts"
        _, log = run(cfg(whole))
        assert log.count("the loss stands still") <= 1
        run(cfg(parts, iterations=8))
        run(cfg(parts, resume=True))
        assert differences(final_state(whole), final_state(parts)) == []


@TASKS.register_module(force=True)
class CollapsedDML(DegradationLearning):
    """A DML whose network no longer sees its input, or makes black images."""

    def __init__(self, how="still", **options):
        super().__init__(**options)
        with torch.no_grad():
            if how == "still":
                self.degradation.network.last.weight.zero_()
            if how == "healthy":
                self.degradation.network.last.weight.mul_(100)
            if how == "black":
                self.degradation.bases.zero_()
            if how == "bright":
                self.degradation.bases.mul_(2)


class TestOutputs:
    def watch(self, work_dir, photos, how, **changes):
        model = dict(type="CollapsedDML", how=how, degradation=DML, scale=2, same_size=False)
        cfg = config(work_dir, photos, model, iterations=12)
        cfg["val_evaluator"]["metrics"][0]["protocol"] = "lr-fidelity"
        cfg["optim_wrapper"]["optimizer"]["lr"] = 0.0
        return run({**cfg, **changes})

    def test_one_kernel_for_every_content_is_named_once(self, work_dir, photos):
        _, log = self.watch(work_dir, photos, "still")
        assert log.count("has collapsed to one kernel") == 1
        assert "differ from place to place by 0.00 %" in log
        assert log.count("kernels sum to") == 3
        # The first validation of a long run may find anything.
        assert log.index("val at 8") < log.index("has collapsed")

    def test_a_field_that_follows_the_scene_is_not(self, work_dir, photos):
        runner, log = self.watch(work_dir, photos, "healthy")
        assert "collapsed" not in log and "black" not in log and "mixing weights by" in log
        values = runner.visualizer.get_backend("LocalVisBackend")
        assert "val/kernel_spread" in open(values._scalar_save_file.replace("//", "/")).read()

    def test_black_pictures_are_named_at_once(self, work_dir, photos):
        _, log = self.watch(work_dir, photos, "black")
        assert log.count("the predictions are black") == 1
        assert log.index("val at 4") < log.index("are black") < log.index("val at 8")

    def test_sums_far_from_one_are_said(self, work_dir, photos):
        _, log = self.watch(work_dir, photos, "bright")
        (line,) = [line for line in log.splitlines() if "WARNING" in line and "sum to" in line]
        assert "2.000 on average" in line and "brighter" in line

    def test_a_kernel_fitted_to_darker_lr_is_said(self, work_dir, photos):
        model = dict(
            type="DegradationLearning",
            degradation=dict(type="GlobalKernel", kernel_size=5),
            scale=2,
            same_size=False,
        )
        cfg = config(work_dir, photos, model)
        cfg["train_dataloader"].update(sampler=dict(type="EvalSampler"), batch_size=1)
        cfg["train_dataloader"]["dataset"].pop("transforms")
        cfg["train_cfg"] = dict(type="ClosedFormLoop")
        cfg["val_evaluator"]["metrics"][0]["protocol"] = "lr-fidelity"
        runner, log = run(cfg)
        assert "kernels sum to" in log and "collapsed" not in log and "on average" not in log
        scores = runner.message_hub.get_info(INPUT)["scores"]
        assert scores["psnr[lr-fidelity]"] > 20

    def test_predictions_that_are_not_finite_are_named(self, work_dir, photos, monkeypatch):
        plain = SuperResolution.predict

        def broken(self, batch):
            samples = plain(self, batch)
            samples[0]["prediction"][..., :7, :] = float("nan")
            return samples

        monkeypatch.setattr(SuperResolution, "predict", broken)
        with pytest.raises(TrainingError, match=r"iteration 4: 4\.9% .* for '0' is NaN"):
            run(config(work_dir, photos, iterations=8))
        assert (work_dir / "iter_4.pth").is_file()

    def test_the_spread_of_vectors(self):
        assert spread(torch.ones(5, 3, 3)) == 0
        assert spread(torch.zeros(5, 3)) == 0
        two = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        assert spread(two) == pytest.approx(1.0)
        assert spread(torch.tensor([[1.0], [-1.0]])) == float("inf")


class TestPace:
    def test_the_first_iterations_do_not_count(self, monkeypatch):
        now = [0.0]
        monkeypatch.setattr("realdeg.engine.hooks.progress.time.monotonic", lambda: now[0])
        loop = types.SimpleNamespace(max_iters=1000, val_interval=100)
        pace = Pace()
        for done, seconds in enumerate((20.0, 1.0, *[0.5] * 98), 1):
            now[0] += seconds
            pace.iteration(done)
            if done == 1:
                assert pace.left(loop, 1) is None
            if done == 50:
                assert pace.left(loop, 50) == pytest.approx(950 * 0.5)
        # Ten validations, of which one has been seen.
        now[0] += 30
        pace.validation(30.0)
        now[0] += 0.5
        pace.iteration(101)
        assert pace.left(loop, 101) == pytest.approx(899 * 0.5 + 9 * 30)

    def test_no_estimate_of_a_moment(self, monkeypatch):
        now = [0.0]
        monkeypatch.setattr("realdeg.engine.hooks.progress.time.monotonic", lambda: now[0])
        loop = types.SimpleNamespace(max_iters=100, val_interval=7)
        pace = Pace()
        for done in range(1, 5):
            now[0] += 0.01
            pace.iteration(done)
            assert pace.left(loop, done) is None
        assert pace.left(loop, 100) == 0.0


def test_the_hooks_change_no_result(work_dir, photos):
    """Bit for bit the same weights with and without them."""
    states = []
    for name in ("with", "without"):
        cfg = config(work_dir / name, photos, iterations=8)
        if name == "without":
            left_out = ("alignment", "baseline", "standstill", "outputs")
            cfg["default_hooks"].update(dict.fromkeys(left_out))
        run(cfg)
        state = final_state(work_dir / name, 8)
        state.pop("message_hub")
        states.append(state)
    assert differences(*states) == []


def test_a_resume_has_the_same_state(work_dir, photos):
    for folder, steps in (("whole", [8]), ("parts", [4, 8])):
        for number, iterations in enumerate(steps):
            run(config(work_dir / folder, photos, iterations=iterations, resume=number > 0))
    whole, parts = (final_state(work_dir / name, 8) for name in ("whole", "parts"))
    assert differences(whole, parts) == []


def test_a_tiny_run_says_nothing_more(work_dir):
    """A task that says nothing of itself is trained as before."""
    runner = train(work_dir)
    with open(runner.logger.log_file, encoding="utf-8") as file:
        log = file.read()
    for part in ("(input", "collapsed", "are off", "stands still"):
        assert part not in log
