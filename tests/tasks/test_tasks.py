"""How a batch becomes losses and predictions."""

from __future__ import annotations

import copy

import pytest
import torch

from realdeg import create_backbone, create_degradation
from realdeg.backbones import Outputs
from realdeg.degradations.primitives import imresize
from realdeg.errors import CheckpointError, ConfigError, DataError, GeometryError
from realdeg.tasks import BatchToDevice, DegradationLearning, SuperResolution
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.component import read_component

VDSR = {"type": "VDSR", "depth": 3, "width": 4}
DML = {"type": "DML", "width": 4, "levels": 1, "num_kernels": 2}
NOISY = {"type": "Compose", "parts": [{"type": "Bicubic"}, {"type": "AWGN", "sigma": 20}]}


def _batch(paired=(True, True), scale=1, size=32):
    generator = torch.Generator().manual_seed(0)
    flags = torch.tensor(paired)
    hr = torch.rand(len(paired), 3, size, size, generator=generator)
    count = int(flags.sum())
    lr = torch.rand(count, 3, size // scale, size // scale, generator=generator)
    return {
        "hr": hr,
        "lr": lr if count else None,
        "paired": flags,
        "key": [f"image{i}" for i in range(len(paired))],
        "meta": [{} for _ in paired],
        "seeds": list(range(10, 10 + len(paired))),
    }


def test_preprocessor_hands_the_batch_on_whole():
    batch = _batch()
    (moved,) = BatchToDevice()(batch)
    assert torch.equal(moved["hr"], batch["hr"]) and moved["key"] == batch["key"]


class TestDegradationLearning:
    def test_loss_is_the_shaved_mean_square_of_luma(self):
        task = DegradationLearning({**DML, "kernel_size": 15}, scale=4, same_size=True)
        batch = _batch()
        value = task(batch, "loss")["loss"]
        generated = task.degradation(rgb_to_y(batch["hr"]))
        difference = (generated - rgb_to_y(batch["lr"]))[..., 7:-7, 7:-7]
        torch.testing.assert_close(value, difference.square().mean())

    def test_border_of_a_smaller_lr(self):
        task = DegradationLearning(DML, scale=4, same_size=False)
        assert task.degradation.border == 2
        assert task(_batch(scale=4), "loss")["loss"].isfinite()
        with pytest.raises(DataError, match="raise patch_size"):
            task(_batch(scale=4, size=16), "loss")

    def test_predictions(self):
        task = DegradationLearning(DML, scale=4, same_size=True).eval()
        batch = _batch()
        with torch.no_grad():
            first, second = task(batch, "predict")
            assert torch.equal(second["prediction"], task(batch, "tensor")[1])
        assert first["prediction"].shape == (1, 32, 32)
        assert torch.equal(first["target"], batch["lr"][0])
        assert torch.equal(first["input"], batch["hr"][0]) and second["key"] == "image1"

    def test_closed_form(self):
        task = DegradationLearning(
            {"type": "GlobalKernel", "kernel_size": 3}, scale=2, same_size=True
        )
        batch = _batch()
        batch["lr"] = batch["hr"] * 0.5
        task.accumulate(batch)
        task.solve()
        expected = torch.zeros(3, 3)
        expected[1, 1] = 0.5
        # Y carries an offset of 16, so the fit is close and not exact.
        assert (task.degradation.kernel.data - expected).abs().max() < 0.1
        with pytest.raises(ConfigError, match="ClosedFormLoop"):
            DegradationLearning(DML, scale=2, same_size=True).accumulate(batch)

    def test_refusals(self):
        with pytest.raises(ConfigError, match="nothing to learn"):
            DegradationLearning({"type": "Bicubic"}, scale=1)(_batch(), "loss")
        with pytest.raises(DataError, match="real pairs"):
            DegradationLearning(DML, scale=4, same_size=True)(_batch((True, False)), "loss")
        with pytest.raises(ConfigError, match="colour"):
            DegradationLearning(DML, colour="lab")
        with pytest.raises(ConfigError, match="mode"):
            DegradationLearning(DML, same_size=True)(_batch(), "train")

    def test_export(self, tmp_path):
        task = DegradationLearning(DML, scale=4, same_size=True)
        digest = task.export(tmp_path / "d.safetensors", {"sample": True})
        again = create_degradation(tmp_path / "d.safetensors")
        assert again.hash() == digest and again.is_trained
        assert read_component(tmp_path / "d.safetensors").meta == {"sample": True}


class TestSuperResolution:
    def test_real_pairs(self):
        task = SuperResolution(VDSR, scale=4, same_size=True, loss={"type": "MSELoss"})
        batch = _batch()
        sr = task.backbone(rgb_to_y(batch["lr"]))
        expected = (sr - rgb_to_y(batch["hr"])).square().mean()
        torch.testing.assert_close(task(batch, "loss")["loss"], expected)

    def test_a_pre_upsampling_network_gets_matlab_bicubic(self):
        task = SuperResolution(VDSR, scale=4, same_size=False)
        batch = _batch(scale=4)
        expected = task.backbone(imresize(rgb_to_y(batch["lr"]), 4))
        torch.testing.assert_close(task(batch, "tensor"), expected)

    def test_mixed_batches_keep_their_order(self):
        task = SuperResolution(VDSR, NOISY, scale=4, same_size=True, quantise=False)
        batch = _batch((False, True, False, True))
        lr = task.low_resolution(batch)
        assert torch.equal(lr[[1, 3]], rgb_to_y(batch["lr"]))
        noisy = create_degradation(NOISY, 4, True)
        hr = rgb_to_y(batch["hr"])
        assert torch.equal(lr[[0, 2]], noisy(hr[[0, 2]], [10, 12]))

    def test_frozen_lr_is_quantised_like_files(self):
        task = SuperResolution(VDSR, NOISY, scale=4, same_size=True)
        levels = task.low_resolution(_batch((False, False))) * 255
        torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)

    def test_frozen_degradation_stays_outside(self, tmp_path):
        create_degradation(DML, 4, True).save(tmp_path / "d.safetensors")
        task = SuperResolution(VDSR, str(tmp_path / "d.safetensors"), scale=4, same_size=True)
        frozen = task.active_degradation
        assert not any("degradation" in key for key in task.state_dict())
        assert not any(p is q for p in frozen.parameters() for q in task.parameters())
        task.train()
        assert not frozen.training
        task(_batch((False, False)), "loss")["loss"].backward()
        assert all(p.grad is None for p in frozen.parameters())
        task.double()
        assert next(frozen.parameters()).dtype == torch.float64
        copy.deepcopy(task)

    def test_joint_training_is_inside(self):
        task = SuperResolution(VDSR, DML, train_degradation=True, scale=4, same_size=True)
        assert any(key.startswith("degradation.") for key in task.state_dict())
        task(_batch((False, False)), "loss")["loss"].backward()
        assert task.degradation.bases.grad.abs().sum() > 0

    @pytest.mark.parametrize("scale", [2, 4])
    @pytest.mark.parametrize("same_size", [False, True])
    @pytest.mark.parametrize("colour", ["y", "rgb"])
    def test_predictions_are_complete(self, scale, same_size, colour):
        rcan = {"type": "RCAN", "num_groups": 1, "num_blocks": 1, "num_features": 8, "reduction": 4}
        task = SuperResolution({**rcan, "colour": colour}, scale=scale, same_size=same_size).eval()
        with torch.no_grad():
            prediction = task(_batch(scale=1 if same_size else scale), "predict")[0]
        assert prediction["prediction"].shape == ((1 if colour == "y" else 3), 32, 32)
        assert prediction["prediction_rgb"].shape == prediction["target"].shape == (3, 32, 32)
        if colour == "y":
            torch.testing.assert_close(
                rgb_to_y(prediction["prediction_rgb"]), prediction["prediction"], atol=1e-5, rtol=0
            )

    def test_several_outputs(self):
        task = SuperResolution(
            VDSR,
            scale=4,
            same_size=True,
            loss={"type": "WeightedLoss", "terms": [{"type": "L1Loss"}]},
        )
        task.backbone.forward = lambda lr, **_: Outputs(lr, {"first": lr * 2})
        terms = task(_batch(), "loss")
        assert set(terms) == {"loss_l1", "loss_l1.first"}

    def test_a_plain_loss_is_given_the_image_alone(self):
        task = SuperResolution(VDSR, scale=4, same_size=True, loss={"type": "L1Loss"})
        task.backbone.forward = lambda lr, **_: Outputs(lr, {"first": lr * 2})
        batch = _batch()
        wanted = (rgb_to_y(batch["lr"]) - rgb_to_y(batch["hr"])).abs().mean()
        (value,) = task(batch, "loss").values()
        torch.testing.assert_close(value, wanted)

    def test_refusals(self):
        with pytest.raises(ConfigError, match="has not been learned"):
            SuperResolution(VDSR, DML, scale=4, same_size=True)
        with pytest.raises(ConfigError, match="no degradation"):
            SuperResolution(VDSR, scale=4, same_size=True)(_batch((False, False)), "loss")
        task = SuperResolution(VDSR, scale=4, same_size=True)
        with pytest.raises(GeometryError, match="scale or same_size"):
            task(_batch(scale=2), "loss")
        with pytest.raises(GeometryError, match="geometry of data and degradation"):
            SuperResolution(VDSR, NOISY, scale=4)(_batch((True, False), scale=2), "loss")

    def test_export_names_the_degradation(self, tmp_path):
        task = SuperResolution(VDSR, NOISY, scale=4, same_size=True)
        task.export(tmp_path / "b.safetensors", {"config": "x"})
        file = read_component(tmp_path / "b.safetensors")
        assert file.meta["degradation"]["type"] == "Compose" and file.kind == "backbone"
        again = create_backbone(tmp_path / "b.safetensors")
        lr = torch.rand(1, 1, 8, 8)
        assert torch.equal(again(lr), task.backbone(lr))
        with pytest.raises(CheckpointError, match="holds a backbone"):
            create_degradation(tmp_path / "b.safetensors")
