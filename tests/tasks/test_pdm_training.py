"""PDM in training: a kernel is found without pairs, jointly with a network, and after a resume."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from realdeg.cli.main import main
from realdeg.degradations import PDM
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.degradations.primitives.noise import white_noise
from realdeg.engine.optimisers import MultiOptimizerConstructor
from realdeg.tasks.unpaired_degradation import UnpairedDegradation
from realdeg.tasks.unpaired_super_resolution import UnpairedSuperResolution
from realdeg.utils.component import read_component

SMALL = dict(kernel_width=8, kernel_blocks=1, noise_width=8, noise_blocks=1)
JUDGE = {"type": "PDMDiscriminator", "width": 8, "layers": 1}
LSGAN = {"type": "LSGANLoss", "weight": 2.0}


def _adam(lr: float) -> dict:
    return {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": lr, "betas": (0.5, 0.999)}}


def _scenes(number: int, size: int, seed: int) -> torch.Tensor:
    """Return random squares of several sizes above each other: edges at every place."""
    generator = torch.Generator().manual_seed(seed)
    scenes = torch.zeros(number, 3, size, size)
    for side in (2, 4, 8, 16):
        squares = torch.rand(number, 3, size // side, size // side, generator=generator)
        scenes += F.interpolate(squares, scale_factor=side) / 4
    return scenes


def _batch(hr: torch.Tensor, real: torch.Tensor, step: int) -> dict:
    generator = torch.Generator().manual_seed(step)
    ours, theirs = (torch.randperm(len(hr), generator=generator)[:8] for _ in range(2))
    return {
        "hr": hr[ours],
        "lr": None,
        "paired": torch.zeros(8, dtype=torch.bool),
        "real_lr": real[theirs],
        "key": [""] * 8,
        "meta": [{}] * 8,
        "seeds": list(range(8 * step, 8 * step + 8)),
    }


def test_the_kernel_of_a_camera_is_found_from_other_scenes():
    torch.manual_seed(0)
    # The camera: a Gaussian of 1.6 HR pixels around the LR pixel, and noise of 1 %.
    truth = gaussian_kernel(11, 1.6, centre=(0.5, 0.5)).float()
    camera = PDM(2, noise=False, kernel_code=1, kernel_width=1, kernel_blocks=0).eval()
    with torch.no_grad():
        camera.deg_kernel.deg_kernel[-2].bias.copy_(truth.log().flatten())
        real = camera(_scenes(64, 32, 1), range(64))
    real += 0.01 * white_noise(real.shape, 3)
    degradation = PDM(2, noise_weight=10.0, centre_weight=1.0, **SMALL)
    task = UnpairedDegradation(
        degradation, JUDGE, loss={"type": "L1Loss", "weight": 0.0}, gan_loss=LSGAN,
        perceptual_loss=None, low_pass_size=1, scale=2, same_size=False,
    )  # fmt: skip
    wrappers = MultiOptimizerConstructor(
        {"degradation_step": _adam(2e-3), "discriminator_step": _adam(2e-3)}
    )(task)
    axis = torch.arange(11.0) - 5.5

    @torch.no_grad()
    def mean_kernel() -> tuple[torch.Tensor, float]:
        kernel = copy.deepcopy(degradation).eval().kernels(range(32)).mean(0)
        return kernel, float((kernel.sum(0) * axis.square()).sum().sqrt())

    first, narrow = mean_kernel()
    hr = _scenes(64, 32, 2)
    found: dict[str, torch.Tensor] = {}
    for step in range(60):
        found = task.train_step(_batch(hr, real, step), wrappers)
    assert {"loss_gan", "loss_noise", "loss_centre", "loss_discriminator"} <= set(found)
    last, wider = mean_kernel()
    assert (last - truth).abs().sum() < 0.9 * (first - truth).abs().sum()
    assert narrow < 0.85 and 0.95 < wider < 1.7


def test_jointly_the_network_s_gradient_reaches_the_kernel_only_if_asked():
    torch.manual_seed(0)
    hr, real = _scenes(16, 32, 1), torch.rand(16, 3, 16, 16)

    def gradient(**settings) -> tuple[torch.Tensor, set[str]]:
        torch.manual_seed(0)
        task = UnpairedSuperResolution(
            {"type": "EDSR", "num_blocks": 1, "num_features": 4},
            {"type": "PDM", **SMALL},
            loss={"type": "L1Loss"},
            lr_loss=None,
            lr_discriminator=JUDGE,
            lr_gan_loss={**LSGAN, "weight": 0.0},
            scale=2,
            same_size=False,
            **settings,
        )
        batch = task.lr_losses.generate(_batch(hr, real, 0))
        losses = task(batch, "degradation")
        torch.stack(list(losses.values())).sum().backward()
        bias = task.degradation.deg_kernel.deg_kernel[-2].bias
        return bias.grad.abs().sum(), set(losses)

    alone, names = gradient()
    assert alone == 0 and names == {"loss_gan.lr", "loss_noise.lr"}
    with_network, names = gradient(sr_gradient=1.0)
    assert with_network > 0 and "loss_sr.lr" in names


def _train(folder: Path, iterations: int, *more: str) -> int:
    options = [
        f"train_cfg.max_iters={iterations}",
        "train_cfg.val_interval=10",
        "default_hooks.checkpoint.interval=1",
        "param_scheduler=None",
        "model.degradation_first=1",
        "model.lr_discriminator.width=2",
        "backbone.num_blocks=1",
        "backbone.num_features=2",
        "batch_size=2",
        *(f"degradation.{key}=2" for key in SMALL),
    ]
    common = ["--sample", "--device", "cpu", "--work-dir", str(folder)]
    recipe = "pdm/pdm_edsr_realsrv3crops_x4_cpu"
    return main(["train", recipe, *common, *more, "--cfg-options", *options])


def test_a_resumed_run_ends_as_an_unbroken_one(tmp_path, capsys):
    assert _train(tmp_path / "whole", 3) == 0
    assert _train(tmp_path / "parts", 2) == 0
    assert _train(tmp_path / "parts", 3, "--resume") == 0
    assert "resumed from" in capsys.readouterr().out
    for name in ("backbone", "degradation"):
        whole, parts = (
            read_component(tmp_path / run / f"{name}.safetensors").state
            for run in ("whole", "parts")
        )
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)


@pytest.mark.parametrize("size", [16, 40])
def test_patches_that_are_too_small_are_named(size):
    task = UnpairedDegradation(
        {"type": "PDM", "kernel_size": 41, **SMALL}, JUDGE, gan_loss=LSGAN,
        perceptual_loss=None, low_pass_size=1, scale=2, same_size=False,
    )  # fmt: skip
    batch = _batch(_scenes(8, 48, 0)[..., :size, :size], torch.rand(8, 3, size // 2, size // 2), 0)
    if size == 40:
        assert torch.isfinite(task(batch, "loss")["loss_gan"])
    else:
        with pytest.raises(ValueError, match="use a larger image, a smaller kernel"):
            task(batch, "loss")
