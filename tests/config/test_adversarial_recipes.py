"""The adversarial recipes have the constants of their papers and codes, and their parts fit."""

import re
from functools import cache, partial
from pathlib import Path

import pytest

from realdeg.config import inject, list_configs, load_config
from realdeg.errors import ConfigError

FIVE = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
K = 1000
# Terms of the loss: type, weight, details, target. Of content: layers, before or after their ReLU,
# criterion, and what divides the features.
L1, WEAK = ("L1Loss", 1.0, None, "hr"), ("L1Loss", 0.01, None, "hr")
SHARP, WEAK_SHARP = ("L1Loss", 1.0, None, "sharpened"), ("L1Loss", 0.01, None, "sharpened")
LDL = ("LDLLoss", 1.0, None, "hr")
VGG54 = ("ContentLoss", 1.0, ({"conv5_4": 1.0}, "before", "l1", 1.0), "hr")
VGG = ("ContentLoss", 1.0, (FIVE, "before", "l1", 1.0), "hr")
VGG_SHARP = (*VGG[:3], "sharpened")
VANILLA, RAGAN = ("CrossEntropyGANLoss", 0.1), ("RelativisticGANLoss", 0.005)
BASICSR, DEFAULT = (0.9, 0.99), (0.9, 0.999)

# Losses; GAN; discriminator; rates of both; betas; milestones and factor; iterations; batch and
# patch; decay of the mean of the weights.
TABLE = {
    "sr_resnet/srgan_imagenet50k_x4": (
        [("ContentLoss", 1.0, ({"conv5_4": 1.0}, "after", "mse", 12.75), "hr")],
        ("CrossEntropyGANLoss", 0.001),
        ("SRGANDiscriminator", 96),
        (1e-4, 1e-4),
        DEFAULT,
        ([100 * K], 0.1),
        200 * K,
        (16, 96),
        None,
    ),
    "sr_resnet/srgan_vgg22_imagenet50k_x4": (
        [
            ("ContentLoss", 1.0, ({"conv2_2": 1.0}, "after", "mse", 12.75), "hr"),
            ("TVLoss", 2e-8, None, "hr"),
        ],
        ("CrossEntropyGANLoss", 0.001),
        ("SRGANDiscriminator", 96),
        (1e-4, 1e-4),
        DEFAULT,
        ([100 * K], 0.1),
        200 * K,
        (16, 96),
        None,
    ),
    "msr_resnet/msrgan_div2k_x4": (
        [WEAK, VGG54],
        ("CrossEntropyGANLoss", 0.005),
        ("VGGDiscriminator", 128),
        (1e-4, 1e-4),
        BASICSR,
        ([50 * K, 100 * K, 200 * K, 300 * K], 0.5),
        400 * K,
        (16, 128),
        0.999,
    ),
    "rrdbnet/esrgan_dfo_x4": (
        [WEAK, VGG54],
        RAGAN,
        ("VGGDiscriminator", 128),
        (1e-4, 1e-4),
        BASICSR,
        ([50 * K, 100 * K, 200 * K, 300 * K], 0.5),
        400 * K,
        (16, 128),
        0.999,
    ),
    "real_esrgan/real_esrgan_dfo_x4": (
        [SHARP, VGG_SHARP],
        VANILLA,
        ("UNetDiscriminator", None),
        (1e-4, 1e-4),
        BASICSR,
        None,
        400 * K,
        (48, 256),
        0.999,
    ),
    "real_esrgan/real_esrgan_dfo_x2": (
        [SHARP, VGG_SHARP],
        VANILLA,
        ("UNetDiscriminator", None),
        (1e-4, 1e-4),
        BASICSR,
        None,
        400 * K,
        (48, 256),
        0.999,
    ),
    "bsrgan/bsrgan_dfwf_x4": (
        [L1, VGG],
        ("LSGANLoss", 2.0),  # KAIR does not halve the squares
        ("UNetDiscriminator", None),
        (5e-5, 5e-5),
        DEFAULT,
        ([800 * K, 1600 * K], 0.5),
        2000 * K,
        (48, 288),
        0.999,
    ),
    "swinir/swinir_real_m_gan_dfo_x4": (
        [L1, VGG],
        VANILLA,
        ("UNetDiscriminator", None),
        (1e-4, 1e-4),
        DEFAULT,
        ([400 * K, 500 * K, 550 * K, 575 * K], 0.5),
        600 * K,
        (32, 256),
        0.999,
    ),
    "hat/hat_real_gan_dfo_x4": (
        [SHARP, VGG_SHARP],
        VANILLA,
        ("UNetDiscriminator", None),
        (1e-4, 1e-4),
        BASICSR,
        None,
        400 * K,
        (32, 256),
        0.999,
    ),
    "esrgan_fs/esrgan_fs_sdsr_df2k_x4": (
        [("FilteredLoss", 0.01, ("average", 9, "low"), "hr"), VGG54],
        RAGAN,
        ("FilteredDiscriminator", ("average", 9, "VGGDiscriminator", 128)),
        (1e-4, 1e-4),
        DEFAULT,
        ([5 * K, 10 * K, 20 * K, 30 * K], 0.5),
        60 * K,
        (16, 128),
        None,
    ),
    "ldl/ldl_df2k_x4": (
        [WEAK, VGG, LDL],
        RAGAN,
        ("VGGDiscriminator", 128),
        (1e-4, 1e-4),
        BASICSR,
        None,
        300 * K,
        (64, 128),
        0.999,
    ),
    "ldl/ldl_real_dfo_x4": (
        [WEAK_SHARP, VGG_SHARP, LDL],
        VANILLA,
        ("UNetDiscriminator", None),
        (1e-4, 1e-4),
        BASICSR,
        None,
        400 * K,
        (16, 256),
        0.999,
    ),
    "edsr/edsr_gan_div2k_x4": (
        [("ContentLoss", 5.0, ({"conv5_4": 1.0}, "before", "mse", 1.0), "hr")],
        ("CrossEntropyGANLoss", 0.15),
        ("SRGANDiscriminator", 96),
        (5e-5, 5e-5),
        DEFAULT,
        ([150 * K], 0.5),
        200 * K,
        (16, 96),
        None,
    ),
}


def term(config):
    """Return a term of the loss as the table has it."""
    detail, weight = None, config.get("weight", 1.0)
    if config.type == "ContentLoss":
        relu = "before" if config.before_relu else "after"
        detail = (dict(config.layers), relu, config.criterion, config.get("divisor", 1.0))
    if config.type == "FilteredLoss":
        assert config.loss.type == "L1Loss"
        weight = config.loss.weight
        detail = (config.filter, config["size"], config.band)
    return config.type, weight, detail, config.get("target", "hr")


def judge(config):
    """Return the discriminator as the table has it."""
    if config.type == "FilteredDiscriminator":
        inner = judge(config.discriminator)
        return config.type, (config.filter, config.filter_size, *inner)
    return config.type, config.get("size")


@pytest.mark.parametrize("name", TABLE)
def test_published_constants(name):
    losses, gan, discriminator, rates, betas, schedule, iterations, sizes, mean = TABLE[name]
    cfg = load_config(name)
    assert [term(item) for item in cfg.model.loss.terms] == losses
    assert (cfg.model.gan_loss.type, cfg.model.gan_loss.weight) == gan
    assert judge(cfg.model.discriminator) == discriminator
    steps = [cfg.optim_wrapper[f"{player}_step"] for player in ("backbone", "discriminator")]
    assert all(step.optimizer.type == "Adam" for step in steps)
    assert tuple(step.optimizer.lr for step in steps) == rates
    assert all(step.optimizer.betas == betas for step in steps)
    if schedule is None:
        assert cfg.get("param_scheduler") is None
    else:
        assert cfg.param_scheduler.type == "MultiStepLR" and cfg.param_scheduler.by_epoch is False
        assert (cfg.param_scheduler.milestones, cfg.param_scheduler.gamma) == schedule
    assert cfg.train_cfg.max_iters == iterations
    cfg.backbone.pop("start_from")  # its file is made by another run, as is DSGAN's
    cfg.degradation = dict(type="Bicubic")
    loader = inject(cfg).train_dataloader
    assert loader.batch_size == sizes[0]
    (crop,) = (step for step in loader.dataset.transforms if step.type == "PairedCrop")
    assert crop.patch_size == sizes[1]
    hooks = [hook for hook in cfg.get("custom_hooks") or () if "EMA" in hook.type]
    assert [1 - hook.momentum for hook in hooks] == ([] if mean is None else [mean])


def test_a_discriminator_sees_what_the_last_transform_leaves():
    """The photos of TDSR are cut, reduced and cut again."""
    name, crop = "esrgan_fs/esrgan_fs_tdsr_df2k_x4", "train_dataloader.dataset.transforms"
    load_config(name, {f"{crop}.0.patch_size": 300})
    with pytest.raises(ConfigError, match="shows it patches of 64 x 64"):
        load_config(name, {f"{crop}.2.patch_size": 64})


# First stages: terms; rate, betas; milestones; iterations; batch, patch; mean; where they start.
FIRST = {
    "real_esrgan/real_esrnet_dfo_x4": (
        [SHARP],
        2e-4,
        BASICSR,
        None,
        1000 * K,
        (48, 256),
        "esrgan_dfo_x4",
    ),
    "real_esrgan/real_esrnet_dfo_x2": (
        [SHARP],
        2e-4,
        BASICSR,
        None,
        1000 * K,
        (48, 256),
        "real_esrgan_dfo_x4",
    ),
    "hat/hat_real_dfo_x4": ([SHARP], 1e-4, BASICSR, None, 1000 * K, (32, 256), None),
    "bsrgan/bsrnet_dfwf_x4": (
        [L1],
        1e-4,
        DEFAULT,
        [200 * K, 400 * K, 600 * K, 800 * K, 1000 * K, 2000 * K],
        2400 * K,
        (48, 288),
        None,
    ),
}


@pytest.mark.parametrize("name", FIRST)
def test_published_constants_of_first_stages(name):
    losses, rate, betas, milestones, iterations, sizes, start = FIRST[name]
    cfg = load_config(name)
    assert [term(item) for item in cfg.model.loss.get("terms", [cfg.model.loss])] == losses
    assert cfg.optim_wrapper.optimizer == dict(type="Adam", lr=rate, betas=betas)
    schedule = cfg.get("param_scheduler")
    assert (schedule and schedule.milestones) == milestones
    assert (cfg.train_cfg.max_iters, cfg.batch_size, cfg.patch_size) == (iterations, *sizes)
    assert [hook.momentum for hook in cfg.custom_hooks] == [1e-3]
    assert started(cfg) == start


def started(cfg):
    """Return the run that a network starts from."""
    start = cfg.backbone.get("start_from")
    return None if start is None else Path(start.checkpoint).parent.name


def test_a_stage_trains_the_network_of_the_stage_before():
    runs = {name.partition("/")[2]: name for name in list_configs()}
    load = cache(partial(load_config, check=False))
    # DSGAN learns a degradation, CinCGAN several networks.
    second = [run for run in runs if re.search("(?<!ds)(?<!cinc)gan|^ldl", run)]
    # FSSR's shortest road starts from nothing, as its page says.
    second.remove("esrgan_fs_edsr_realsrv3crops_x4_cpu")
    assert len(second) > len(TABLE)
    for run in second:
        cfg = load(runs[run])
        assert cfg.model.type == "AdversarialSuperResolution", run
        before = load(runs[started(cfg)])
        both = [dict(each.backbone) for each in (cfg, before)]
        for arguments in both:
            arguments.pop("start_from", None)
        assert both[0] == both[1] and cfg.scale == before.scale, run
