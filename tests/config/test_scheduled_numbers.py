"""Schedules that a config cannot mean are refused when it is read."""

import copy

import pytest

from realdeg.config import load_config
from realdeg.config.check import validate
from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError

NOISY = {"type": "Compose", "parts": ["Bicubic", {"type": "AWGN", "sigma": 15}]}
TERMS = {"type": "WeightedLoss", "terms": [{"type": "L1Loss"}, {"type": "MSELoss", "name": "far"}]}


@pytest.fixture(scope="module")
def recipe():
    return load_config("edsr/edsr_t91_x4_cpu")


@pytest.fixture
def read(recipe):
    """Check the recipe with schedules, each (number, points) or with a shape."""

    def reading(*numbers, degradation=NOISY, **model):
        cfg = copy.deepcopy(recipe)
        hooks = []
        for number, points, *shape in numbers:
            hooks.append({"type": "ScheduleHook", "number": number, "points": points})
            hooks[-1].update(dict(shape=shape[0]) if shape else {})
        cfg.custom_hooks, cfg.degradation = hooks, degradation
        cfg.model.update(model)
        validate(cfg)

    return reading


@pytest.mark.parametrize(
    ("degradation", "number", "points"),
    [
        ({"type": "AWGN"}, "degradation.sigma", [(0, 0), (100, 15)]),
        (NOISY, "degradation.parts.1.sigma", [(0, 0), (100, 255.0)]),
        (
            {"type": "JPEG", "quality": [60, 90]},
            "degradation.quality",
            [[0, [90, 95]], [9, [5, 9]]],
        ),
        ({"type": "JPEG", "quality": [60, 90]}, "degradation.quality.0", [(0, 90), (100, 30)]),
        ({"type": "BSRGAN"}, "degradation.jpeg_probability", [(0, 0.0), (100, 1.0)]),
        ({"type": "Maybe", "part": "AWGN"}, "degradation.part.sigma", [(0, 1)]),
    ],
)
def test_numbers_of_degradations(read, degradation, number, points):
    read((number, points), degradation=degradation)


@pytest.mark.parametrize(
    ("loss", "number"),
    [
        ({"type": "L1Loss"}, "model.loss.weight"),
        (TERMS, "model.loss.terms.0.weight"),
        (TERMS, "model.loss.terms.l1.weight"),
        (TERMS, "model.loss.terms.loss_far.weight"),
        ({**TERMS, "outputs": {"sr": 1, "step_*": 0.5}}, "model.loss.outputs.step_*"),
    ],
)
def test_numbers_of_losses(read, loss, number):
    read((number, [(0, 0), (10, 1)]), loss=loss)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("sr_resnet/srgan_t91_x4_cpu", "model.gan_loss.weight"),
        ("sr_resnet/srgan_t91_x4_cpu", "model.penalties.0.weight"),
        ("dsgan/dsgan_df2k_x4", "model.perceptual_loss.weight"),
        ("vdsr/vdsr_realsrv3crops_joint_dml_x4_cpu", "model.degradation_loss.weight"),
        ("vdsr/vdsr_realsrv3crops_joint_dml_x4_cpu", "model.sr_gradient"),
    ],
)
def test_numbers_of_other_tasks(name, number):
    hook = {"type": "ScheduleHook", "number": number, "points": [(0, 0), (9, 0.5)]}
    options = {"custom_hooks": [hook]}
    if "penalties" in number:
        options["model.penalties"] = [{"type": "GradientPenalty"}]
    load_config(name, options)
    hook["points"] = [(0, [1, 2])]
    with pytest.raises(
        ConfigError, match=r"'custom_hooks.0.points.0': .* is \[1, 2\], wanted a num"
    ):
        load_config(name, options)


def test_both_ends_of_a_range_move_together(read):
    quality = {"type": "JPEG", "quality": [90, 95]}
    low, high = ("degradation.quality.0", [(0, 10), (9, 96)]), ("degradation.quality.1", [(9, 99)])
    read(low, high, degradation=quality)
    with pytest.raises(ConfigError, match=r"'custom_hooks.0.points.1': 'degradation.quality' is"):
        read(low, degradation=quality)


def test_numbers_of_a_file_of_weights(read, tmp_path):
    file = tmp_path / "noisy.safetensors"
    degradation_from_config({**NOISY, "scale": 4}).save(file)
    given = {"checkpoint": str(file)}
    read(("degradation.parts.1.sigma", [(0, 3)]), degradation=given)
    with pytest.raises(ConfigError, match=r"AWGN at 'degradation.parts.1' has no number 'gamma'"):
        read(("degradation.parts.1.gamma", [(0, 3)]), degradation=given)


@pytest.mark.parametrize(
    ("number", "points", "said"),
    [
        (
            "degradation.parts.1.sigam",
            [(0, 1)],
            r"no number 'sigam'.*mean 'sigma'\? It has: sigma, luma\.",
        ),
        (
            "degradation.sigma",
            [(0, 1)],
            r"Compose at 'degradation' has no .* It has: those of parts",
        ),
        ("degradation.parts.2.sigma", [(0, 1)], r"'degradation.parts' has no '2': it has 0, 1\."),
        ("degradation.parts.1.scale", [(0, 1)], "no number 'scale'"),
        ("degradation.parts.1.clip", [(0, 1)], "no number 'clip'"),
        ("degradation.parts.1", [(0, 1)], "is a component: name one of its numbers"),
        ("degradation.parts.1.sigma.0", [(0, 1)], r"'sigma' has no '0'"),
        (
            "degradation.parts.1.sigma",
            [(0, 1), (9, 256)],
            r"'custom_hooks.0.points.1': .*256.* 255",
        ),
        ("degradation.parts.1.sigma", [(0, [1, 2])], r"'custom_hooks.0.points.0': .* a number"),
        ("degradation.parts.1.sigma", [(9, 1), (0, 2)], r"'custom_hooks.0.points': .*ascend"),
        ("degradation.parts.1.sigma", [], r"'custom_hooks.0.points' is \[\]"),
        ("degradation.parts.1.sigma", [(-1, 2)], r"'custom_hooks.0.points.0.0' is -1, wanted a wh"),
        (
            "degradation.parts.1.sigma",
            [(0, "a")],
            r"'custom_hooks.0.points.0.1' is 'a', wanted a n",
        ),
        ("degradation.parts.1.sigma", [(0, True)], r"'custom_hooks.0.points.0.1' is True"),
        ("degradation.parts.1.sigma", [0, 1], r"'custom_hooks.0.points.0' is 0, wanted a list"),
        ("model.loss.weigth", [(0, 1)], r"L1Loss at 'model.loss' has no number .* 'weight'"),
        ("model.quantise", [(0, 1)], "SuperResolution at 'model' has no number"),
        ("optim_wrapper.optimizer.lr", [(0, 1)], "follow 'param_scheduler'"),
        ("degradation", [(0, 1)], "moves numbers of 'degradation.' or 'model.'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(read, number, points, said):
    with pytest.raises(ConfigError, match=said) as error:
        read((number, points))
    assert "custom_hooks.0" in str(error.value)


def test_a_kernel_of_even_side_between_odd_ones(read):
    sizes = [(0, 15), (100, 21)]
    srmd = {"type": "SRMD", "kernel_size": 15}
    read(("degradation.kernel_size", sizes, "step"), degradation=srmd)
    with pytest.raises(
        ConfigError, match=r"points.0' at iteration \d+: 'degradation.kernel_size' is 16"
    ):
        read(("degradation.kernel_size", sizes), degradation=srmd)


def test_one_number_has_one_schedule(read):
    quality = {"type": "JPEG", "quality": [60, 90]}
    with pytest.raises(ConfigError, match=r"'custom_hooks.1.number' .* 'custom_hooks.0' already"):
        read(
            ("degradation.quality", [(0, [10, 20])]),
            ("degradation.quality.0", [(0, 3)]),
            degradation=quality,
        )


def test_a_term_by_its_index_and_by_its_name_is_one(read):
    term = "model.loss.terms"
    with pytest.raises(ConfigError, match=r"'custom_hooks.1.number' .* 'custom_hooks.0' already"):
        read((f"{term}.1.weight", [(0, 1)]), (f"{term}.far.weight", [(0, 1)]), loss=TERMS)
    read((f"{term}.1.weight", [(0, 1)]), (f"{term}.l1.weight", [(0, 1)]), loss=TERMS)


def test_terms_and_outputs_that_the_loss_does_not_have(read):
    loss = {**TERMS, "outputs": {"sr": 1.0}}
    with pytest.raises(ConfigError, match="no 'near': it has 0, 1, loss_l1, loss_far"):
        read(("model.loss.terms.near.weight", [(0, 1)]), loss=loss)
    with pytest.raises(ConfigError, match="'outputs' has no 'step_1': it has sr"):
        read(("model.loss.outputs.step_1", [(0, 1)]), loss=loss)


def test_learned_trained_and_missing_degradations(read):
    with pytest.raises(ConfigError, match="SuperResolution trains the degradation here"):
        read(("degradation.parts.1.sigma", [(0, 1)]), train_degradation=True)
    learned = {"type": "Compose", "parts": [{"type": "DML"}, "AWGN"]}
    with pytest.raises(ConfigError, match=r"DML at 'degradation.parts.0' has learned weights"):
        read(("degradation.parts.0.kernel_size", [(0, 3)]), degradation=learned)
    with pytest.raises(ConfigError, match="has no 'degradation'"):
        read(("degradation.sigma", [(0, 1)]), degradation=None)
    dml = {
        "custom_hooks": [{"type": "ScheduleHook", "number": "degradation.a", "points": [(0, 1)]}]
    }
    with pytest.raises(ConfigError, match="DegradationLearning trains the degradation here"):
        load_config("dml/dml_n8_realsr_x4", options=dml)


@pytest.mark.parametrize(
    ("scales", "stages", "said"),
    [
        (None, [(0, [2])], r"'custom_hooks.0.stages' says which scales .* set model.scales"),
        ([2, 4], [(0, [2]), (9, [3])], r"'custom_hooks.0.stages.1' draws scale 3, .* \(2, 4\)"),
        ([2, 3, 4], [(0, [2]), (9, [2, 4])], "never draws scale 3"),
        ([2, 4], [(5, [2, 4])], "begin at 5, wanted iterations that ascend from 0"),
        ([2, 4], [(0, [2]), (0, [2, 4])], "begin at 0, 0"),
        ([2, 4], [(0, [])], r"'custom_hooks.0.stages.0.1' is \[\], wanted a list of numbers"),
        ([2, 4], [], "'custom_hooks.0.stages' is"),
    ],
)
def test_curricula_that_do_not_fit_the_scales(recipe, scales, stages, said):
    cfg = copy.deepcopy(recipe)
    cfg.custom_hooks = [{"type": "CurriculumHook", "stages": stages}]
    cfg.model.scales = scales
    with pytest.raises(ConfigError, match=said):
        validate(cfg)
