"""A network of kernel fields learns from a camera of known kernels, and resumes to the bit."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from realdeg import create_degradation
from realdeg.config import inject, load_config
from realdeg.degradations import kernels_of, widened
from realdeg.degradations.estimation import AdaptiveKernelBasis, estimator_from_config
from realdeg.engine import RealdegRunner
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.evaluation import KernelFieldError
from realdeg.tasks import KernelFieldLearning
from realdeg.utils.image import write_image
from tests.engine.tiny import differences, final_state
from tests.tasks.test_tasks import _batch

TINY = dict(type="AdaptiveKernelBasis", basis=3, size=9, width=2, gamma=1.0)
CAMERA = dict(type="SampleCamera", kernel_size=9)


def made(**settings) -> KernelFieldLearning:
    torch.manual_seed(0)
    given = dict(estimator=TINY, degradation=CAMERA, scale=2, same_size=False)
    return KernelFieldLearning(**given | settings)


def batch(size=48, count=2):
    return _batch((False,) * count, size=size)


class TestLosses:
    @pytest.mark.parametrize("norm", ["l1", "l2"])
    def test_they_are_the_errors_of_kernels_and_of_the_image(self, norm):
        task, given = made(norm=norm, kernel_weight=2.0, reblur_weight=3.0), batch()
        found = task(given, "loss")
        camera = create_degradation(CAMERA, scale=2, same_size=False)
        traces = camera.sample(given["hr"], given["seeds"])
        lr = (camera.replay(given["hr"], traces).clamp(0, 1) * 255).round() / 255
        basis, weights = task.estimator(lr)
        points = [(row, column) for row in range(24) for column in range(24)]
        truth = kernels_of(camera, given["hr"], traces, points)
        kernels = torch.einsum("bnhw,bnij->bhwij", weights, basis).flatten(1, 2)
        error = kernels - truth
        taps = error.abs() if norm == "l1" else error**2
        torch.testing.assert_close(found["loss_kernel"], 2 * taps.sum((2, 3)).mean())
        # Patches of 9 x 9 from HR pixel 2 i - 4 on: floor((2 - 9) / 2).
        windows = F.unfold(F.pad(given["hr"], (4, 4, 4, 4), mode="reflect"), 9, stride=2)
        windows = windows.unflatten(1, (3, 81))[..., : 24 * 24]
        again = torch.einsum("bctp,bpt->bcp", windows, kernels.flatten(2)).unflatten(2, (24, 24))
        inner = (again - lr)[..., 2:-2, 2:-2]
        torch.testing.assert_close(found["loss_reblur"], 3 * inner.square().mean())

    def test_some_rows_and_columns(self):
        few = made(points=3)
        one = few(batch(), "loss")["loss_kernel"]
        assert torch.equal(one, few(batch(), "loss")["loss_kernel"])
        other = batch()
        other["seeds"] = [77, 78]
        assert one != few(other, "loss")["loss_kernel"]

    def test_small_patches_are_refused(self):
        with pytest.raises(DataError, match="8 x 8 LR pixels are too small.*patch_size to 18"):
            made()(batch(size=16), "loss")

    def test_the_degradation_learns_nothing(self):
        task = made()
        assert not any("camera" in name or "degrad" in name for name in task.state_dict())
        task = made(degradation=dict(CAMERA, type="SampleCamera"), estimator=TINY)
        sum(task(batch(), "loss").values()).backward()
        assert all(p.grad is not None for n, p in task.named_parameters() if "inc_gray" not in n)


def test_validation_measures_the_kernels():
    task, given = made(points=5), batch()
    predictions = task(given, "predict")
    metric = KernelFieldError()
    metric.process(None, predictions)
    found = metric.evaluate(2)
    names = ("field_error", "mean_kernel_error", "true_mean_error")
    field, own, best = (found[f"{name}[lr-statistics]"] for name in names)
    errors = []
    for one in predictions:
        assert one["kernels"].shape == one["true_kernels"].shape == (25, 9, 9)
        truth = one["true_kernels"].double()
        for kernels in (one["kernels"], one["kernels"].mean(0), truth.mean(0)):
            errors.append((kernels.double() - truth).abs().sum((1, 2)).mean())
    wanted = torch.stack(errors).view(2, 3).mean(0)
    torch.testing.assert_close(torch.tensor([field, own, best]).double(), wanted, rtol=1e-5, atol=0)
    assert best < own and best < field  # before training


@pytest.mark.parametrize("camera", [dict(type="Bicubic"), dict(type="BlurDown", kind="KXNet")])
def test_one_kernel_for_an_image_is_a_field_too(camera):
    task = made(degradation=camera, estimator=dict(TINY, size=33, basis=2, width=1))
    found = task(batch(96, 1), "predict")[0]["true_kernels"]
    assert torch.equal(found[0], found[-1])
    assert torch.equal(found, widened(found, 33, 2))


def train(folder, work_dir, iterations, **changes) -> RealdegRunner:
    cfg = dict(
        model=dict(
            type="KernelFieldLearning",
            estimator=dict(TINY, scale=2, same_size=False),
            degradation=dict(CAMERA, scale=2, same_size=False),
            scale=2,
            same_size=False,
            points=8,
        ),
        work_dir=str(work_dir),
        seed=5,
        device="cpu",
        train_dataloader=dict(
            dataset=dict(
                type="HRFolderDataset",
                folder=str(folder),
                scale=2,
                same_size=False,
                seed=5,
                transforms=[dict(type="PairedCrop", patch_size=32), dict(type="PackSample")],
            ),
            batch_size=2,
            num_workers=0,
            sampler=dict(type="PositionSampler", batch_size=2, seed=5),
            collate_fn=dict(type="collate_batch"),
        ),
        optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-2)),
        train_cfg=dict(type="IterTrainLoop", max_iters=iterations),
        default_hooks=dict(checkpoint=dict(type="SaveCheckpointHook", interval=8)),
        **changes,
    )
    runner = RealdegRunner.from_cfg(cfg)
    try:
        runner.train()
    finally:
        runner.close()
    return runner


def test_sixteen_iterations_equal_eight_and_eight_and_the_error_falls(tmp_path):
    folder = tmp_path / "hr"
    folder.mkdir()
    for number in range(3):
        hr = torch.rand(48, 56, 3, generator=torch.Generator().manual_seed(number))
        write_image(folder / f"{number}.png", (hr * 255).byte().numpy())
    whole = train(folder, tmp_path / "whole", 16)
    train(folder, tmp_path / "parts", 8)
    train(folder, tmp_path / "parts", 16, resume=True)
    one, two = (final_state(tmp_path / name, 16) for name in ("whole", "parts"))
    assert differences(one, two) == []
    start = made(points=8)(batch(), "loss")["loss_kernel"].detach()
    learned = whole.model.eval()(batch(), "loss")["loss_kernel"].detach()
    assert float(learned) < 0.9 * float(start)
    file = estimator_from_config(tmp_path / "whole" / "estimator.safetensors")
    assert isinstance(file, AdaptiveKernelBasis) and file.is_trained


class TestRefused:
    def test_a_degradation_without_kernels(self):
        with pytest.raises(ConfigError, match="does not know the kernel of each LR pixel"):
            made(degradation=dict(type="BSRGAN"))
        with pytest.raises(ConfigError, match="has not been learned"):
            made(degradation=dict(type="DML", width=4, levels=1))

    def test_kernels_that_are_too_large(self):
        with pytest.raises(GeometryError, match="are 15 x 15, and the estimator's 9 x 9"):
            made(degradation="SampleCamera")

    def test_another_estimator(self):
        with pytest.raises(ConfigError, match="is KernelGAN, which has no network"):
            made(estimator=dict(type="KernelGAN"))

    @pytest.mark.parametrize(
        ("options", "error", "match"),
        [
            ({"degradation": {"type": "BSRGAN"}}, ConfigError, "does not know the kernel"),
            ({"model": {"estimator": {"size": 9}}}, GeometryError, "are 15 x 15"),
            ({"model": {"estimator": {"type": "PoolKernel"}}}, ConfigError, "is PoolKernel"),
            ({"model": {"estimator": {"size": 16}}}, ConfigError, "size.*16"),
        ],
    )
    def test_when_the_recipe_is_read(self, options, error, match, tmp_path):
        lines = ["_base_ = 'realdeg::adaptive_basis/adaptive_basis_t91_x2_cpu.py'"]
        lines += [f"{key} = dict(**{value!r})" for key, value in options.items()]
        (tmp_path / "mine.py").write_text("\n".join(lines))
        with pytest.raises(error, match=match):
            inject(load_config(tmp_path / "mine.py"))
