"""Training networks that estimate the kernel: what is compared, and what is refused."""

from __future__ import annotations

import pytest
import torch

from realdeg import create_backbone, degradations
from realdeg.backbones import DANv1, DANv2, KXNet
from realdeg.config import inject, load_config
from realdeg.engine import RealdegRunner
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.tasks import BlindSuperResolution
from tests.tasks.test_tasks import _batch

TINY = {"stages": 3, "kernel_size": 5, "kernel_maps": 2, "image_maps": 2, "pairs": 1}
BLUR = {"type": "BlurDown", "kind": "KXNet", "kernel": {"shape": "gaussian", "size": 5}}
BLUR["kernel"]["sigma_x"] = [0.2, 2.0]


def made(network=None, **settings) -> BlindSuperResolution:
    torch.manual_seed(0)
    if network is None:
        network = KXNet(scale=2, **TINY)
    return BlindSuperResolution(network, degradations.BlurDown(**_without_type(2)), **settings)


def _without_type(scale):
    return {name: value for name, value in BLUR.items() if name != "type"} | {"scale": scale}


def compared(task, batch):
    """The outputs, HR and kernels of a batch, without the task."""
    degradation = task.active_degradation
    traces = degradation.sample(batch["hr"], batch["seeds"])
    lr = (degradation.replay(batch["hr"], traces).clamp(0, 1) * 255).round() / 255
    kernels = torch.stack([degradation.condition(trace)["kernel"] for trace in traces])
    return task.backbone(lr), batch["hr"], kernels


class TestLosses:
    def test_the_last_round(self):
        task, batch = made(), _batch((False, False), size=16)
        outputs, hr, kernels = compared(task, batch)
        found = task(batch, "loss")
        assert set(found) == {"loss", "loss_kernel"}
        torch.testing.assert_close(found["loss"], (outputs.sr - hr).abs().mean())
        wanted = (outputs.aux["estimates"][:, -1] - kernels).abs().mean()
        torch.testing.assert_close(found["loss_kernel"], wanted)

    def test_every_round(self):
        task = made(earlier_rounds=0.1, kernel_loss={"type": "MSELoss", "weight": 3.0})
        batch = _batch((False, False), size=16)
        outputs, hr, kernels = compared(task, batch)
        found = task(batch, "loss")
        images, estimates = (outputs.aux[name].unbind(1) for name in ("images", "estimates"))
        wanted = {
            "loss": (images[2] - hr).abs().mean(),
            "loss_kernel": 3 * (estimates[2] - kernels).square().mean(),
            "loss_earlier_images": 0.1 * sum((x - hr).abs().mean() for x in images[:2]),
            "loss_earlier_kernels": 0.3 * sum((k - kernels).square().mean() for k in estimates[:2]),
        }
        torch.testing.assert_close(found, wanted)

    def test_terms_of_the_image_are_summed_over_rounds(self):
        terms = [{"type": "L1Loss"}, {"type": "MSELoss", "weight": 2.0}]
        task = made(loss={"type": "WeightedLoss", "terms": terms}, earlier_rounds=0.5)
        batch = _batch((False,), size=16)
        outputs, hr, _ = compared(task, batch)
        found = task(batch, "loss")
        differences = [image - hr for image in outputs.aux["images"].unbind(1)]
        each = [d.abs().mean() + 2 * d.square().mean() for d in differences]
        torch.testing.assert_close(found["loss_l1"] + found["loss_mse"], each[2])
        torch.testing.assert_close(found["loss_earlier_images"], 0.5 * (each[0] + each[1]))

    def test_codes(self):
        network = DANv1.example()
        task, batch = made(network), _batch((False,), size=16)
        outputs, _, kernels = compared(task, batch)
        wanted = (outputs.aux["estimates"][:, -1] - network.encode(kernels)).abs().mean()
        torch.testing.assert_close(task(batch, "loss")["loss_kernel"], wanted)

    def test_of_real_pairs_no_kernel_is_known(self):
        task = made(earlier_rounds=0.1)
        found = task(_batch((True, True), scale=2, size=16), "loss")
        assert set(found) == {"loss", "loss_earlier_images"}
        with pytest.raises(GeometryError, match="images of one kind in a batch"):
            task(_batch((True, False), scale=2, size=16), "loss")

    def test_predictions(self):
        task, batch = made(), _batch((False,), size=16)
        with torch.no_grad():
            (found,) = task(batch, "predict")
            outputs, _, _ = compared(task, batch)
        torch.testing.assert_close(found["prediction"], outputs.sr[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("network", [KXNet, DANv1, DANv2])
def test_the_kernel_s_error_falls(network):
    """On kernels that the network has not seen, within seconds."""
    torch.manual_seed(0)
    blur = {**BLUR, "kernel": {**BLUR["kernel"], "sigma_x": [0.2, 0.7]}}
    task = BlindSuperResolution(network.example(), blur, earlier_rounds=0.1)
    others = {**_batch((False,) * 8, size=24), "seeds": list(range(100, 108))}
    optimiser = torch.optim.Adam(task.parameters(), lr=1e-2)
    errors = []
    for step in range(30):
        with torch.no_grad():
            errors.append(float(task(others, "loss")["loss_kernel"]))
        batch = {**_batch((False,) * 4, size=24), "seeds": list(range(4 * step, 4 * step + 4))}
        optimiser.zero_grad()
        sum(task(batch, "loss").values()).backward()
        optimiser.step()
    assert errors[-1] < 0.6 * errors[0]


class TestRefused:
    def test_a_network_without_estimates(self):
        with pytest.raises(ConfigError, match="VDSR, which estimates no kernel.*DANv1.*KXNet"):
            made(create_backbone({"type": "VDSR", "depth": 2, "width": 2, "scale": 2}))

    @pytest.mark.parametrize("more", [[], [{"type": "AWGN", "sigma": 5}]])
    def test_a_degradation_without_a_kernel(self, more):
        parts = {"type": "Compose", "parts": [{"type": "Bicubic"}, *more]}
        with pytest.raises(ConfigError, match="KXNet learns the blur kernel of its LR images"):
            BlindSuperResolution(KXNet(scale=2, **TINY), parts)

    def test_kernels_of_another_size(self):
        with pytest.raises(
            GeometryError, match=r"kernels of 21 x 21, and KXNet estimates .* 5 x 5"
        ):
            BlindSuperResolution(KXNet(scale=2, **TINY), {"type": "BlurDown", "kind": "KXNet"})

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"backbone": {"type": "VDSR"}}, "'backbone' is VDSR, which estimates no kernel"),
            ({"backbone.kernel_size": 11}, "draws kernels of 21 x 21, and KXNet"),
            ({"degradation": {"type": "Bicubic"}}, "KXNet learns the blur kernel"),
            ({"model.kernel_loss": {"type": "CrossEntropyGANLoss"}}, "kernel_loss"),
        ],
    )
    def test_a_recipe(self, options, match):
        with pytest.raises((ConfigError, GeometryError), match=match):
            load_config("kxnet/kxnet_t91_x2_cpu", options)


class TestRuns:
    """Whole runs of the CPU recipes on the sample pictures, made smaller still."""

    @staticmethod
    def train(folder, recipe, iterations, **options):
        kind = BACKBONES.require(load_config(recipe).backbone.type)
        options = {
            **{f"backbone.{name}": value for name, value in kind.example_arguments.items()},
            "backbone.kernel_size": 21,
            "train_cfg.max_iters": iterations,
            "train_dataloader.batch_size": 2,
            # A shorter run is the beginning of the longer one.
            "param_scheduler.T_max": 12,
            "param_scheduler.end": 1000,
            "work_dir": str(folder),
            **options,
        }
        options.pop("backbone.scale")
        cfg = load_config(recipe, options=options, sample=True)
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        runner = RealdegRunner.from_cfg(inject(cfg))
        runner.train()
        state = {name: value.clone() for name, value in runner.model.state_dict().items()}
        model = runner.model
        runner.close()
        return state, model

    @pytest.mark.parametrize("recipe", ["kxnet/kxnet_t91_x2_cpu", "danv2/danv2_t91_x2_cpu"])
    def test_six_iterations_equal_three_and_three(self, tmp_path, recipe):
        whole, _ = self.train(tmp_path / "whole", recipe, 6)
        self.train(tmp_path / "parts", recipe, 3)
        parts, _ = self.train(tmp_path / "parts", recipe, 6, resume=True)
        assert all(torch.equal(whole[name], parts[name]) for name in whole)

    def test_where_images_are_degraded_changes_nothing(self, tmp_path):
        recipe = "danv1/danv1_t91_x2_cpu"
        wanted, _ = self.train(tmp_path / "device", recipe, 3)
        options = {"model.degrade_in": "prefetch"}
        found, _ = self.train(tmp_path / "prefetch", recipe, 3, **options)
        assert all(torch.equal(wanted[name], found[name]) for name in wanted)
