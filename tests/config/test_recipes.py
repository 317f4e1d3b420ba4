"""Every recipe loads, is valid, runs on the sample, and takes any degradation."""

import itertools
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from realdeg import create_degradation
from realdeg.config import apply_options, inject, list_configs, load_config, validate
from realdeg.config.check import degradations_in
from realdeg.config.sample import use_sample
from realdeg.degradations import DML
from realdeg.registry import list_degradations
from tests.degradations.conftest import OPTIONAL, needs_package

TINY = {
    "DML": dict(width=4, levels=1, num_kernels=2, kernel_size=5),
    "ScaleDML": dict(width=4, levels=1, num_kernels=2, kernel_size=5),
    "DirectNet": dict(width=4, levels=1),
    "DirectKPN": dict(width=4, levels=1, kernel_size=5),
    "GlobalKernel": dict(kernel_size=5),
    "Compose": dict(parts=[dict(type="Bicubic"), dict(type="AWGN")]),
    "RandomOrder": dict(parts=[dict(type="Bicubic"), dict(type="AWGN")]),
    "OneOf": dict(parts=[dict(type="Bicubic"), dict(type="AWGN")]),
    "Maybe": dict(part=dict(type="AWGN")),
    "Repeat": dict(part=dict(type="AWGN")),
    "DSGAN": dict(width=4, num_blocks=1),
    "HighToLow": dict(width=4),
    "FlowKernel": dict(hidden=4, blocks=1),
    "DegFlow": dict(
        width=4, flow_width=4, flow_multipliers=(1, 2), flow_blocks=1, solver="rk4", steps=1
    ),
    "PDM": dict(kernel_width=4, kernel_blocks=1, noise_width=4, noise_blocks=1),
    "KernelGenerator": dict(width=8),
    "LearnedNoise": dict(radius=1, knots=2),
    "CinCGANDegradation": dict(width=4, num_blocks=1),
}


def make_weights(cfg):
    """Put untaught weights wherever a recipe takes a learned degradation from."""
    for _, item in degradations_in(cfg.get("degradation"), "degradation"):
        file = Path(item.get("checkpoint", __file__))
        if not file.exists():
            dml = DML(cfg.scale, cfg.same_size, **TINY["DML"])
            dml.mark_trained()
            dml.save(file)
    network = cfg.get("backbone") or {}
    for start in (network.get("start_from"), network.get("enlarger", {}).get("start_from")):
        if not start:
            continue
        # That it is there is all that a recipe asks; what is in it is for the network.
        Path(start.checkpoint).parent.mkdir(parents=True, exist_ok=True)
        Path(start.checkpoint).touch()


def test_every_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in list_configs():
        cfg = load_config(name)
        make_weights(cfg)
        inject(cfg)
        use_sample(cfg, name, {})
        validate(cfg)
        ready = inject(cfg)
        stem, _, scale = re.sub(r"_(cpu|from_\w+)$", "", name).rpartition("_x")
        assert ready.model.scale == int(scale), name
        if "_joint" in stem:
            continue  # LR on the HR grid or not, as the network wants it
        # LR on the HR grid: RealSR but V3, NTIRE 2019, City100, denoisers, enlarged photos, scales
        # on one grid.
        same = re.search(r"_(realsr|syn|ntire19|city100|noise\d+)_|^(kmsr|degflow)/", f"{stem}_")
        assert ready.same_size == (same is not None and "v3" not in stem), name


def test_the_papers_settings():
    cfg = inject(load_config("dml/dml_n16_realsr_x2"))
    assert cfg.train_dataloader.batch_size == 16 and cfg.train_cfg.max_iters == 100_000
    crop, flip, _ = cfg.train_dataloader.dataset.transforms
    assert crop.patch_size == 192
    assert (flip.horizontal, flip.vertical, flip.transpose) == (True, True, False)
    assert cfg.optim_wrapper.optimizer == dict(type="Adam", lr=1e-4, betas=(0.9, 0.999))
    assert cfg.get("param_scheduler") is None
    assert (cfg.degradation.num_kernels, cfg.degradation.kernel_size) == (16, 15)
    vdsr, rcan = (load_config(f"{name}/{name}_realsr_syn_dml_x4") for name in ("vdsr", "rcan"))
    assert vdsr.train_cfg.max_iters == rcan.train_cfg.max_iters == 300_000
    assert (vdsr.batch_size, rcan.batch_size) == (16, 2)
    assert vdsr.degradation.parts[1] == dict(type="AWGN", sigma=5)


def test_any_degradation_takes_the_place_of_any_other():
    recipe = load_config("dml/dml_n8_realsr_x2").to_dict()
    for first, second in itertools.permutations(list_degradations(), 2):
        cfg = Config(recipe | dict(degradation=dict(type=first, **TINY.get(first, {}))))
        arguments = TINY.get(second, {})
        options = {f"degradation.{key}": value for key, value in arguments.items()}
        apply_options(cfg, {"degradation.type": second, **options})
        assert cfg.degradation == dict(type=second, **arguments)
        validate(cfg)


@pytest.mark.parametrize("name", list_degradations())
def test_any_degradation_takes_the_place_by_a_base(tmp_path, name):
    if name in OPTIONAL:
        needs_package(name)
    lines = [
        "_base_ = 'realdeg::dml/dml_n8_realsr_x2.py'",
        f"degradation = dict(type='{name}', **{TINY.get(name, {})!r})",
    ]
    (tmp_path / "mine.py").write_text("\n".join(lines))
    ready = inject(load_config(tmp_path / "mine.py"))
    built = create_degradation(ready.model.degradation.to_dict(), scale=2, same_size=True)
    assert type(built).__name__ == name
    with torch.no_grad():
        assert built(torch.rand(1, 3, 32, 32), seeds=[1]).shape == (1, 3, 32, 32)
    assert all(place for place, _ in degradations_in(ready.degradation, "degradation"))
