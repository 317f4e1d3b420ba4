"""Losses, turns and discriminators that a task or its data cannot serve, refused with a place."""

from __future__ import annotations

import copy
from functools import lru_cache

import pytest

from realdeg.config import load_config
from realdeg.config.check import validate
from realdeg.config.merge import apply_options
from realdeg.errors import ConfigError
from realdeg.losses import L1Loss, WeightedLoss

GAN = "sr_resnet/srgan_t91_x4_cpu"
PIXELS = "edsr/edsr_t91_x4_cpu"
CAMERA = "dml/dml_n8_realsr_x4_cpu"
CAMERA_OF_SMALLER_LR = "dml/dml_n8_realsrv3_x4_cpu"
UNPAIRED = "dsgan/dsgan_realsrv3crops_x4_cpu"
JOINT = "vdsr/vdsr_realsrv3crops_joint_dml_x4_cpu"


@lru_cache
def unchecked(recipe):
    return load_config(recipe, check=False)


def check(recipe, options):
    """As load_config does, but each recipe is read once."""
    cfg = copy.deepcopy(unchecked(recipe))
    apply_options(cfg, options)
    validate(cfg)


def weighted(*terms, place="model.loss", **more):
    return {place: dict(_delete_=True, type="WeightedLoss", terms=list(terms), **more)}


def single(name, place="model.loss", **arguments):
    return {place: dict(_delete_=True, type=name, **arguments)}


@pytest.mark.parametrize(
    ("recipe", "options", "said"),
    [
        # A term of that name would be overwritten by the task's own loss, and not be trained.
        (GAN, weighted(dict(type="L1Loss", name="gan")), "terms.0' has the name 'loss_gan', which"),
        (GAN, weighted(dict(type="L1Loss", name="loss_discriminator")), "'loss_discriminator'"),
        (GAN, weighted(dict(type="L1Loss", name="r1_penalty")), "'loss_r1_penalty', which Advers"),
        (UNPAIRED, weighted(dict(type="L1Loss", name="gan")), "'loss_gan', which UnpairedDegrad"),
        (UNPAIRED, weighted(dict(type="L1Loss", name="perceptual")), "'loss_perceptual', which"),
        (JOINT, weighted(dict(type="L1Loss", name="degradation")), "'loss_degradation', which Jo"),
        (GAN, weighted(dict(type="L1Loss", name="a.b")), "terms.0.name' is 'a.b', wanted letters"),
        (GAN, weighted(dict(type="L1Loss", name="")), "terms.0.name' is '', wanted letters"),
        (GAN, weighted(dict(type="L1Loss", name="0")), "terms.0.name' is '0', wanted letters"),
        # Weights.
        (PIXELS, {"model.loss.weight": -1.0}, "'model.loss.weight' is -1.0, wanted a number, 0 or"),
        (PIXELS, {"model.loss.weight": float("nan")}, "'model.loss.weight' is nan, wanted a num"),
        (GAN, weighted(dict(type="SSIMLoss", weight=-1)), "terms.0.weight' is -1, wanted"),
        (GAN, weighted(dict(type="L1Loss"), outputs={"sr": -1}), "outputs' is {'sr': -1}, wanted"),
        (GAN, weighted(dict(type="L1Loss"), outputs={}), "outputs' is {}, wanted"),
        # What a task does not compare.
        (PIXELS, single("TVLoss"), "'model.loss' judges the result alone"),
        (CAMERA, weighted(dict(type="TVLoss")), "'model.loss' judges the result alone"),
        (PIXELS, single("WaveletTextureLoss"), "compares bands of a wavelet, .* set levels=1"),
        (
            JOINT,
            single("CrossEntropyLoss", "model.degradation_loss"),
            "'model.degradation_loss' is",
        ),
        (
            JOINT,
            weighted(dict(type="L1Loss", target="sharpened"), place="model.degradation_loss"),
            "'model.degradation_loss.terms.0' needs the picture 'sharpened', which JointTraining",
        ),
        (
            JOINT,
            weighted(dict(type="LDLLoss"), place="model.degradation_loss"),
            "'model.degradation_loss.terms.0' needs the picture 'averaged', which JointTraining",
        ),
        (
            UNPAIRED,
            weighted(dict(type="LDLLoss"), place="model.perceptual_loss"),
            "'model.perceptual_loss.terms.0' needs the picture 'averaged'",
        ),
        # Patches.
        (
            CAMERA,
            single("MSSSIMLoss"),
            r"patches of 96 x 96 \(patch_size=96\): set patch_size=176 ",
        ),
        (
            CAMERA_OF_SMALLER_LR,
            single("MSSSIMLoss"),
            r"\(LR of patch_size=\d+\): set patch_size=704 or more",
        ),
        (JOINT, single("MSSSIMLoss", "model.degradation_loss"), "set patch_size=704 or more"),
        (UNPAIRED, single("MSSSIMLoss"), r"MSSSIMLoss, .* \(LR of patch_size=128\)"),
        (CAMERA, single("LPIPSLoss"), "these are luma: set model.colour='rgb'"),
        (PIXELS, single("FocalFrequencyLoss", patch_factor=7), "needs sides divisible by 7, .* 48"),
        (PIXELS, single("WaveletTextureLoss", levels=5), "needs sides divisible by 32"),
        (PIXELS, single("FilteredLoss", border="crop", size=51), "at least 51 pixels per side"),
        (
            PIXELS,
            single("FilteredLoss", loss=dict(type="MSSSIMLoss"), filter="wavelet"),
            "FilteredLoss, which needs images of at least 352 pixels per side",
        ),
        (
            GAN,
            {"patch_size": 8, **single("PatchGANDiscriminator", "model.discriminator")},
            "PatchGANDiscriminator, which needs at least 24 x 24 pixels, .*patch_size=8",
        ),
        (
            GAN,
            single("SRGANDiscriminator", "model.discriminator", size=47),
            "'model.discriminator' is a SRGANDiscriminator for 47 x 47",
        ),
        (
            UNPAIRED,
            single("SRGANDiscriminator", "model.discriminator", size=96),
            r"patches of 32 x 32 LR pixels \(LR of patch_size=128\)",
        ),
        # Turns and penalties.
        (GAN, {"model.adversarial_from": 600}, "adversarial_from' is 600, .* after 600 iterations"),
        (GAN, {"model.discriminator_first": 10_000}, "would never be trained against the discr"),
        (
            GAN,
            {"model.adversarial_from": 300, "model.discriminator_first": 300},
            "'model.adversarial_from' and 'model.discriminator_first' are 300 and 300",
        ),
        (GAN, {"model.generator_every": 601}, "'model.generator_every' is 601"),
        (JOINT, {"model.degradation_first": 1200}, "the network would never be trained"),
        (
            GAN,
            {"model.penalties": [dict(type="R1Penalty"), dict(type="R1Penalty", weight=1)]},
            "'model.penalties.1' is R1Penalty, as is 'model.penalties.0'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(recipe, options, said):
    with pytest.raises(ConfigError, match=said):
        check(recipe, options)


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        (GAN, {"model.adversarial_from": 599}),
        (GAN, {"model.adversarial_from": 100, "model.generator_every": 500}),
        (GAN, weighted(dict(type="L1Loss"), dict(type="TVLoss", name="smooth-1"))),
        (PIXELS, single("WaveletTextureLoss", levels=4)),
        (PIXELS, single("FocalFrequencyLoss", patch_factor=6)),
        (PIXELS, single("MSSSIMLoss", weight=0)),
        (CAMERA, {"patch_size": 176, **single("MSSSIMLoss")}),
        (PIXELS, single("FilteredLoss", border="crop", size=47)),
    ],
)
def test_what_just_fits_is_accepted(recipe, options):
    check(recipe, options)


def test_a_sample_run_is_shortened_so_that_every_turn_comes():
    cfg = load_config(GAN, {"model.adversarial_from": 590}, sample=True)
    assert cfg.model.adversarial_from == 590  # an option stays
    assert cfg.train_cfg.max_iters == 400
    cfg = load_config(JOINT, {"train_cfg.max_iters": 2}, sample=True)
    assert cfg.model.degradation_first == 200  # not by the options: a resumed run is longer


def test_the_same_from_python():
    for wrong in ("a.b", "", "1"):
        with pytest.raises(ConfigError, match="terms.0.name"):
            WeightedLoss([dict(type="L1Loss", name=wrong)])
    with pytest.raises(ConfigError, match="L1Loss: weight is -1, wanted a number, 0 or more"):
        L1Loss(weight=-1)
