"""Both stages of a latent flow: what they compare, what they train, and a resumed run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from realdeg.cli.main import main
from realdeg.config import load_config
from realdeg.degradations import DML, DegFlow
from realdeg.degradations.primitives import gaussian_blur
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.tasks import LatentAutoencoding, LatentFlowMatching
from realdeg.utils.component import read_component
from realdeg.utils.streams import stream_seed

TINY = dict(width=4, flow_width=8, flow_multipliers=(1,), flow_blocks=1, dropout=0.0)
FLOW = dict(**TINY, residual=True, solver="rk4", steps=4)


def _batch(step: int = 0, count: int = 8, size: int = 16) -> dict:
    """Squares of several sizes; LR of scale s is blurred by a Gaussian of 0.4 s pixels."""
    generator = torch.Generator().manual_seed(step)
    hr = torch.zeros(count, 3, size, size)
    for side in (2, 4, 8):
        squares = torch.rand(count, 3, size // side, size // side, generator=generator)
        hr += F.interpolate(squares, scale_factor=side) / 3
    lr = {scale: gaussian_blur(hr, 0.4 * scale, 9) for scale in (2, 3, 4)}
    return {
        "hr": hr,
        "lr": lr[4],
        "unseen": lr[3],
        "lr_scales": torch.stack([lr[2], lr[4]], 1),
        "scales": (2, 4),
        "paired": torch.ones(count, dtype=torch.bool),
        "key": [str(n) for n in range(count)],
        "meta": [{}] * count,
        "seeds": list(range(count * step, count * (step + 1))),
    }


def _trained(task, names):
    losses = task(_batch(), "loss")
    torch.stack(list(losses.values())).sum().backward()
    named = task.degradation.named_parameters()
    assert {k.partition(".")[0] for k, p in named if p.grad is not None} == names
    return losses


def test_the_first_stage_compares_a_drawn_image_with_its_copy():
    torch.manual_seed(0)
    degradation = DegFlow(4, True, **TINY)
    task = LatentAutoencoding(degradation, scale=4, same_size=True)
    losses = _trained(task, {"encoder", "decoder"})
    batch, errors, drawn = _batch(), [], set()
    for n, seed in enumerate(batch["seeds"]):
        choice = stream_seed(seed, "scale") % 3
        drawn.add(choice)
        hr = batch["hr"][n : n + 1]
        image = hr if choice == 0 else batch["lr_scales"][n : n + 1, choice - 1]
        latent, _ = degradation.encoder(2 * image - 1)
        made = degradation.decoder(latent, degradation.encoder(2 * hr - 1)[1])
        errors.append(((made + 1) / 2 - image).square().mean())
    assert drawn == {0, 1, 2}
    torch.testing.assert_close(losses["loss"], torch.stack(errors).mean())
    predicted = task(batch, "predict")
    copy = degradation.reconstruct(batch["hr"], batch["lr"]).clamp(0, 1)
    torch.testing.assert_close(predicted[2]["prediction"], copy[2])
    assert task.baseline(predicted[0]).shape == (3, 16, 16)


def test_the_second_stage_compares_velocities_and_images():
    torch.manual_seed(0)
    degradation = DegFlow(4, True, **TINY)
    task = LatentFlowMatching(degradation, {"type": "MSELoss"}, scale=4, same_size=True)
    losses = _trained(task, {"model"})
    assert set(losses) == {"loss_velocity", "loss_perceptual"}
    again, other = task(_batch(), "loss"), task({**_batch(), "seeds": [9] * 8}, "loss")
    assert torch.equal(again["loss_velocity"], losses["loss_velocity"])
    assert not torch.equal(other["loss_velocity"], losses["loss_velocity"])
    alone = LatentFlowMatching(degradation, {"type": "MSELoss", "weight": 0})
    assert set(alone(_batch(), "loss")) == {"loss_velocity"}
    torch.testing.assert_close(alone(_batch(), "loss")["loss_velocity"], losses["loss_velocity"])
    assert task(_batch(), "tensor").shape == (8, 3, 16, 16)


def test_a_scale_between_is_learned_from_both_sides():
    torch.manual_seed(0)
    degradation = DegFlow(3, True, **FLOW)
    batch = _batch(10_000)

    def error() -> float:
        with torch.no_grad():
            made = degradation.eval()(batch["hr"], batch["seeds"])
        return float((made - batch["unseen"]).square().mean())

    first = error()  # LR begins as HR
    for kind, rate, steps in ((LatentAutoencoding, 4e-3, 120), (LatentFlowMatching, 2e-3, 120)):
        task = kind(degradation.train(), scale=3, same_size=True)
        trained = [p for p in degradation.parameters() if p.requires_grad]
        optimiser = torch.optim.Adam(trained, rate)
        for step in range(steps):
            optimiser.zero_grad()
            torch.stack(list(task(_batch(step), "loss").values())).sum().backward()
            optimiser.step()
    assert error() < 0.35 * first


def _train(folder: Path, recipe: str, iterations: int, *more: str, **settings) -> int:
    options = {
        "train_cfg.max_iters": iterations,
        "default_hooks.checkpoint.interval": 1,
        "param_scheduler": None,
        "patch_size": 32,
        "batch_size": 2,
        **{f"{part}_{what}": None for part in ("val", "test") for what in ("dataloader", "cfg")},
        **{f"{part}_evaluator": None for part in ("val", "test")},
        "degradation.width": 4,
        "degradation.flow_width": 4,
        "degradation.dropout": 0.3,
        "train_dataloader.num_workers": 0,
        **settings,
    }
    told = [f"{key}={value!r}" for key, value in options.items()]
    common = ["--device", "cpu", "--work-dir", str(folder)]
    return main(
        ["train", f"degflow/{recipe}_sample_x4_cpu", *common, *more, "--cfg-options", *told]
    )


def test_both_stages_resumed_end_as_unbroken_ones(tmp_path, capsys):
    start = {}
    for stage in ("degflow_ae", "degflow"):
        runs = [tmp_path / stage / name for name in ("whole", "parts")]
        assert _train(runs[0], stage, 3, **start) == 0
        assert _train(runs[1], stage, 2, **start) == 0
        assert _train(runs[1], stage, 3, "--resume", **start) == 0
        assert "resumed from" in capsys.readouterr().out
        whole, parts = (read_component(run / "degradation.safetensors").state for run in runs)
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
        if start:
            before = read_component(start["load_from"]).state
            kept = [key for key in whole if torch.equal(whole[key], before[key])]
            assert {key.partition(".")[0] for key in kept} >= {"encoder", "decoder"}
            assert not any(key.startswith("model.all_modules.2.") for key in kept)
        start = {"load_from": str(runs[0] / "degradation.safetensors")}


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="DML has no flow between latents: .* trains DegFlow"):
        LatentFlowMatching(DML(4, True, width=4, levels=1))
    with pytest.raises(GeometryError, match="same_size=True; the file serves smaller LR as well"):
        LatentAutoencoding(DegFlow(4, False, **TINY))
    task = LatentFlowMatching(DegFlow(4, True, **TINY))
    batch = _batch()
    del batch["lr_scales"]
    with pytest.raises(DataError, match="use ScaleSetDataset around the data set of pairs"):
        task(batch, "loss")
    with pytest.raises(DataError, match="needs real pairs"):
        task({**batch, "lr": None}, "predict")
    with pytest.raises(ConfigError, match="needs an autoencoder to start from: set 'load_from'"):
        load_config("degflow/degflow_sample_x4_cpu", {"load_from": None})
