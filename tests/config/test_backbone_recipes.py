"""Every network has a recipe of its paper and one for a CPU, whose parts fit each other."""

import math
from copy import deepcopy

import pytest
import torch
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS

from realdeg.config import inject, list_configs, load_config
from realdeg.registry import BACKBONES, DATASETS, TASKS, list_backbones

# Bicubic has nothing to train, IRCNNHQS is put together of trained networks, SpandrelModel is
# whatever its file holds. CinCGAN and Bulat et al. train their networks without pairs.
WITHOUT = {
    "Bicubic",
    "CinCGANTranslator",
    "CleanThenEnlarge",
    "IRCNNHQS",
    "LowToHigh",
    "SpandrelModel",
}
BENCHMARKS = (
    "_291",
    "_t91",
    "_div2k",
    "_df2k",
    "_bsds300",
    "_imagenet",
    "_noise",
    "_celeba",
    "_dfo",
)
PAIRS = ("kpn/", "lpkpn/")
# Their degradation is trained, or made by another run; or an estimator is trained, no network.
LEARNED = (
    *("adaptive_basis", "cincgan", "dsgan", "esrgan_fs", "kmsr_generated", "learned_noise"),
    "_syn_dml",
)
# HR of the crops of RealSR, degraded.
REAL = ("real_esrgan/", "bsrgan/", "swinir/swinir_real_", "hat/hat_real_")


def recipes():
    return [
        name
        for name in list_configs()
        if any(data in name for data in BENCHMARKS)
        and not any(learned in name for learned in LEARNED)
        or name.startswith(PAIRS + REAL)
    ]


def prepared(name, options=None):
    cfg = load_config(name, options)
    cfg.backbone.pop("start_from", None)  # its file is made by another run
    return inject(cfg)


def build(cfg, device):
    with torch.device(device):
        return TASKS.build(cfg.model.to_dict())


def built(name, options=None):
    cfg = prepared(name, options)
    return cfg, build(cfg, "cpu")


def batch(size, paired, scale):
    hr = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    lr = hr[..., :: 1 if paired else scale, :: 1 if paired else scale].clone() if paired else None
    return dict(hr=hr, lr=lr, paired=torch.tensor([paired] * 2), seeds=[1, 2], key=["a", "b"])


def test_every_network_has_both_and_they_can_be_built():
    sizes, tasks = {}, {}
    for name in recipes():
        cfg = prepared(name)
        parts = repr((cfg.model.backbone, cfg.model.get("discriminator")))
        if parts not in tasks:  # many recipes train the same network
            tasks[parts] = build(cfg, "meta")
        task = tasks[parts]
        sizes.setdefault(cfg.backbone.type, set()).add(name.endswith("_cpu"))
        wrapper = build_optim_wrapper(task, cfg.optim_wrapper.to_dict())
        # An adversarial task has one for each player, and IKC for two parts of the network.
        steps = dict(wrapper.items()) if isinstance(wrapper, OptimWrapperDict) else {"": wrapper}
        steps = {"": steps["backbone_step"]} if "backbone_step" in steps else steps
        # Whatever is singled out by its name has to exist under that name.
        rates = {group["lr"] for step in steps.values() for group in step.optimizer.param_groups}
        paramwise = cfg.optim_wrapper.get("paramwise_cfg") or {}
        assert (len(rates) > 1) == bool(paramwise), name
        # A degradation of several scales on the HR grid has 2, 3 and 4.
        joint = [2, 3, 4] if "joint" in name else [1 if cfg.same_size else cfg.scale]
        data = cfg.train_dataloader.dataset
        for step in [step for part in data.get("datasets", [data]) for step in part.transforms]:
            if step.get("lr_patch_size") is None:
                scales = cfg.model.get("scales") or joint
                assert all(step.get("patch_size", 0) % scale == 0 for scale in scales), name
    # Networks of other tests and of plugins are registered, too.
    own = {kind for kind in list_backbones() if "realdeg." in BACKBONES.get(kind).__module__}
    assert {kind for kind, both in sizes.items() if both == {True, False}} >= own - WITHOUT


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
    "wavelet_srnet/wavelet_srnet_celeba128_x4": dict(widths=[4, 6], num_blocks=1, band_width=2),
}


@pytest.mark.parametrize("name", SMALL)
def test_losses_name_outputs_that_the_network_has(name):
    options = {f"backbone.{key}": value for key, value in SMALL[name].items()}
    cfg, task = built(name, options)
    losses = task.losses(batch(24, "realsr" in name, cfg.scale))
    assert all(torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in task.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", [name for name in recipes() if name.endswith("_cpu")])
def test_a_cpu_recipe_takes_a_step(name):
    cfg, task = built(name)
    optimiser = build_optim_wrapper(task, cfg.optim_wrapper.to_dict())
    before = {name: p.detach().clone() for name, p in task.named_parameters()}
    size = cfg.patch_size if task.adversarial else 24  # a discriminator may take one size only
    data = batch(size, cfg.get("degradation") is None, cfg.scale)
    task.use_average(deepcopy(task.backbone))  # ComponentEMAHook's
    if isinstance(optimiser, OptimWrapperDict):
        logs = task.train_step(data, optimiser)
    else:
        logs = task.losses(data)
        optimiser.update_params(sum(logs.values()))
    changed = {name for name, p in task.named_parameters() if not torch.equal(p, before[name])}
    players = task.players if task.adversarial else ("backbone",)
    assert {name.partition(".")[0] for name in changed} == set(players)
    assert all(math.isfinite(value.detach()) for value in logs.values())


def test_what_papers_say():
    lapsrn = load_config("lapsrn/lapsrn_291_x8")
    assert lapsrn.model.loss.outputs == {"sr": 128**2, "half": 64**2, "quarter": 32**2}
    assert lapsrn.model.quantise is False and lapsrn.batch_size == 64
    carn = load_config("carn/carn_div2k_x4")
    assert (carn.train_cfg.max_iters, carn.param_scheduler.milestones) == (600_000, [400_000])
    assert carn.patch_size == 4 * 64
    assert carn.optim_wrapper.clip_grad == dict(max_norm=10)
    x2, x4 = (load_config(f"swinir/swinir_df2k_{name}") for name in ("x2", "x4_from_x2"))
    for cfg, rate, part in ((x2, 2e-4, 1), (x4, 1e-4, 2)):
        halved = [step // part for step in (250_000, 400_000, 450_000, 475_000)]
        assert cfg.param_scheduler.milestones == halved and cfg.param_scheduler.gamma == 0.5
        assert (cfg.train_cfg.max_iters, cfg.optim_wrapper.optimizer.lr) == (500_000 // part, rate)
        assert (cfg.patch_size, cfg.batch_size) == (cfg.scale * 64, 32)
        assert cfg.custom_hooks[0].momentum == 1e-3
    hat = load_config("hat/hat_l_df2k_x4_from_imagenet")
    assert (
        hat.backbone.preset == "hat_l"
        and "hat_l_imagenet_x4/" in hat.backbone.start_from.checkpoint
    )
    assert hat.optim_wrapper.optimizer == dict(type="Adam", lr=1e-5, betas=(0.9, 0.99))
    real = load_config("swinir/swinir_real_l_dfowmfc_x4")
    assert (real.degradation.type, real.backbone.preset) == ("BSRGAN", "real_l")
    lpkpn = load_config("lpkpn/lpkpn_realsr_x3")
    assert lpkpn.model.loss.outputs == {"level_0": 1.0, "level_1": 1 / 4, "level_2": 1 / 16}


def test_rates_of_mwcnn_fall_as_in_its_code():
    cfg, task = built("mwcnn/mwcnn_v1_div2k291_x4", {"backbone.width": 4})
    wrapper = build_optim_wrapper(task, cfg.optim_wrapper.to_dict())
    epoch = 10  # instead of 6000 batches
    schedules = []
    for item in cfg.param_scheduler:
        item = item.to_dict() | dict(optimizer=wrapper.optimizer)
        for key in ("begin", "end"):
            if key in item:
                item[key] = item[key] * epoch // 6000
        if "milestones" in item:
            item["milestones"] = [step * epoch // 6000 for step in item["milestones"]]
        else:
            item["gamma"] **= 6000 / epoch
        schedules.append(PARAM_SCHEDULERS.build(item))
    rates = []
    for _ in range(45 * epoch):
        rates.append(wrapper.optimizer.param_groups[0]["lr"])
        wrapper.optimizer.step()
        for schedule in schedules:
            schedule.step()
    found = [math.log10(rates[at * epoch]) for at in (0, 14, 15, 34, 35, 44)]
    assert found == pytest.approx([-3, -3, -3.8, -4, -4.5, -5], abs=0.06)


def test_joint_scales_are_drawn_for_each_image():
    _, task = built("vdsr/vdsr_291_joint_x4", {"backbone.depth": 2})
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
