"""Every network has a recipe of its paper and one for a CPU, whose parts fit each other."""

import math

import pytest
import torch
from mmengine.optim import build_optim_wrapper

from realdeg.config import inject, list_configs, load_config
from realdeg.registry import DATASETS, TASKS

# VDSR and RCAN have recipes of other kinds too, and IRCNNHQS is put together of trained networks.
NETWORKS = {
    *("ADRSR", "CARN", "CARNM", "CNF", "DBPN", "DNSR"),
    *("DRCN", "DRRN", "DSRN", "DepthwiseSR", "ESPCN", "FSRCNN"),
    *("IDN", "IRCNN", "KPN", "LPKPN", "LapSRN", "MSLapSRN"),
    *("MSRN", "MemNet", "MetaSR", "PCARN", "PixelRecursiveSR", "ProSR"),
    *("ProgressiveCARN", "REDNet", "SRCNN", "SRDenseNet", "SRFBN", "VDSR"),
}
BENCHMARKS = ("_291", "_t91", "_div2k", "_df2k", "_bsds300", "_imagenet", "_noise", "_celeba32")
PAIRS = ("kpn/", "lpkpn/")


def recipes():
    return [
        name
        for name in list_configs()
        if any(data in name for data in BENCHMARKS)
        and "dsgan" not in name
        or name.startswith(PAIRS)
    ]


def built(name, options=None, device="meta"):
    cfg = inject(load_config(name, options))
    with torch.device(device):
        return cfg, TASKS.build(cfg.model.to_dict())


def batch(size, paired, scale):
    hr = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    lr = hr[..., :: 1 if paired else scale, :: 1 if paired else scale].clone() if paired else None
    return dict(hr=hr, lr=lr, paired=torch.tensor([paired] * 2), seeds=[1, 2], key=["a", "b"])


def test_every_network_has_both_and_they_can_be_built():
    sizes = {}
    for name in recipes():
        cfg, task = built(name)
        sizes.setdefault(cfg.backbone.type, set()).add(name.endswith("_cpu"))
        optimiser = build_optim_wrapper(task, cfg.optim_wrapper.to_dict()).optimizer
        # Whatever is singled out by its name has to exist under that name.
        rates = {group["lr"] for group in optimiser.param_groups}
        paramwise = cfg.optim_wrapper.get("paramwise_cfg") or {}
        assert (len(rates) > 1) == bool(paramwise), name
        for step in cfg.train_dataloader.dataset.transforms:
            # Joint scales are 2, 3 and 4.
            multiple = 12 if "joint" in name else 1 if cfg.same_size else cfg.scale
            assert step.get("patch_size", 0) % multiple == 0, name
    assert {kind for kind, both in sizes.items() if both == {True, False}} >= NETWORKS


SMALL = {
    "cnf/cnf_291_x3": dict(depths="3-4", width=8),
    "drcn/drcn_t91_x3": dict(recursions=2, width=8),
    "lapsrn/lapsrn_291_x2": dict(depth=1, width=4),
    "lapsrn/lapsrn_291_x4": dict(depth=1, width=4),
    "lapsrn/lapsrn_291_x8": dict(depth=1, width=4),
    "lpkpn/lpkpn_realsr_x4": dict(num_blocks=1, num_features=16),
    "memnet/memnet_291_joint_x4": dict(blocks=2, units=1, width=8),
    "mslapsrn/mslapsrn_291_x8": dict(depth=1, recursions=1, width=4),
    "pixel_recursive_sr/pixel_recursive_sr_celeba32_x4": dict(
        layers=1, features=4, hidden=8, cond_features=4, cond_blocks=1
    ),
    "srfbn/srfbn_div2k_x4": dict(preset="srfbn_s", num_features=4),
    "vdsr/vdsr_291_joint_x4": dict(depth=3, width=8),
}


@pytest.mark.parametrize("name", SMALL)
def test_losses_name_outputs_that_the_network_has(name):
    options = {f"backbone.{key}": value for key, value in SMALL[name].items()}
    cfg, task = built(name, options, "cpu")
    losses = task.losses(batch(24, "realsr" in name, cfg.scale))
    assert all(torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in task.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", [name for name in recipes() if name.endswith("_cpu")])
def test_a_cpu_recipe_takes_a_step(name):
    cfg, task = built(name, device="cpu")
    optimiser = build_optim_wrapper(task, cfg.optim_wrapper.to_dict())
    before = [p.detach().clone() for p in task.parameters() if p.requires_grad]
    logs = task.losses(batch(24, cfg.get("degradation") is None, cfg.scale))
    optimiser.update_params(sum(logs.values()))
    after = [p for p in task.parameters() if p.requires_grad]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(math.isfinite(value.detach()) for value in logs.values())


def test_what_papers_say():
    lapsrn = load_config("lapsrn/lapsrn_291_x8")
    assert lapsrn.model.loss.outputs == {"sr": 128**2, "half": 64**2, "quarter": 32**2}
    assert lapsrn.model.quantise is False and lapsrn.train_dataloader.batch_size == 64
    carn = load_config("carn/carn_div2k_x4")
    assert (carn.train_cfg.max_iters, carn.param_scheduler.milestones) == (600_000, [400_000])
    assert carn.train_dataloader.dataset.transforms[0].patch_size == 4 * 64
    assert carn.optim_wrapper.clip_grad == dict(max_norm=10)
    lpkpn = load_config("lpkpn/lpkpn_realsr_x3")
    assert lpkpn.model.loss.outputs == {"level_0": 1.0, "level_1": 1 / 4, "level_2": 1 / 16}


def test_joint_scales_are_drawn_for_each_image():
    _, task = built("vdsr/vdsr_291_joint_x4", {"backbone.depth": 2}, "cpu")
    hr = torch.rand(1, 1, 36, 36).expand(12, -1, -1, -1)
    lr = task.active_degradation(hr, list(range(12)))
    assert lr.shape == hr.shape
    assert len({round(float(image.var()), 6) for image in lr}) == 3


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_set5_is_found(real_data, scale):
    options = {"scale": scale, "data_root": str(real_data)}
    cfg = inject(load_config("msrn/msrn_div2k_x4", options))
    data = DATASETS.build(cfg.val_dataloader.dataset.to_dict())
    data.check()
    assert data.keys == ["baby", "bird", "butterfly", "head", "woman"]
