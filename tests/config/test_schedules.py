"""The learning rate at every iteration is that of the formula, for every published shape."""

from __future__ import annotations

import math
import warnings

import pytest

from realdeg.config import inject, load_config
from realdeg.config.find import config_root
from realdeg.engine import RealdegRunner
from tests.engine.tiny import tiny_config

FOLDER = config_root() / "_base_" / "schedules"


def fixed(t: int) -> float:
    return 1.0


def steps(gamma: float, *milestones: int):
    return lambda t: gamma ** sum(t >= milestone for milestone in milestones)


def cosine(last: int, least: float, first: int = 0):
    """From 1 to ``least`` (a share of the base rate)."""
    return lambda t: least + (1 - least) * (1 + math.cos(math.pi * (t - first) / last)) / 2


def warmed(shape, start: float, end: int):
    """From ``start`` to 1 until the iteration ``end``, times another shape."""
    rising = lambda t: start + (1 - start) * min(1, t / end)  # noqa: E731
    return lambda t: rising(t) * shape(t)


def restarts(period: int, least: float):
    return lambda t: cosine(period, least)(t % period)


def falling(begin: int, end: int):
    """Constant, then linear to 0, which is the rate of the last iteration."""
    return lambda t: 1 - max(0, t - begin) / (end - begin)


# The published shapes, as factors of the base rate, with the base rate.
SHAPES = {
    "adam_100k": (1e-4, fixed),
    "adam_1200_cpu": (1e-3, cosine(1200, 1e-2)),
    "adam_1m": (1e-4, fixed),
    "adam_1m_half_200k": (1e-4, steps(0.5, 200_000, 400_000, 600_000, 800_000)),
    "adam_1m_restart_250k": (2e-4, restarts(250_000, 1e-7 / 2e-4)),
    "adam_1m_tenth_500k": (1e-4, steps(0.1, 500_000)),
    "adam_300k": (1e-4, fixed),
    "adam_300k_tenth_150k": (1e-4, steps(0.1, 150_000)),
    "adam_degflow_400k": (2e-4, cosine(400_000, 1e-7 / 2e-4)),
    "adam_degflow_ae_200k": (1e-4, None),  # its warm-up is written below
    "adam_noise": (2e-2, cosine(2000, 1e-2)),
    "adam_noise_cpu": (2e-2, cosine(300, 1e-2)),
    "adam_500k_half_250k": (2e-4, steps(0.5, 250_000, 400_000, 450_000, 475_000)),
    "adam_600k_half_400k": (1e-4, steps(0.5, 400_000)),
    "adam_800k_half_200k": (4e-4, steps(0.5, 200_000, 400_000, 600_000)),
    "adam_800k_half_300k": (2e-4, steps(0.5, 300_000, 500_000, 650_000, 700_000, 750_000)),
    "sgd_400k": (0.1, steps(0.1, 100_000, 200_000, 300_000)),
}
GAN_SHAPES = {
    "adam_gan_65k": (2e-4, falling(32_400, 64_800)),
    "adam_gan_9k": (1e-4, falling(4300, 8600)),
}
_COUNTS = ("milestones", "periods", "begin", "end", "T_max", "max_iters")


def smaller(value, by: int):
    """Divide everything that counts iterations, at any depth."""
    if isinstance(value, list | tuple):
        return [smaller(item, by) for item in value]
    if not isinstance(value, dict):
        return value
    done = {}
    for key, item in value.items():
        if key in _COUNTS:
            many = isinstance(item, list | tuple)
            assert all(number % by == 0 for number in (item if many else [item])), (key, item)
            done[key] = [number // by for number in item] if many else item // by
        else:
            done[key] = smaller(item, by)
    return done


def rates_of(schedule, rate: float, iterations: int, tmp_path, wrapper=None) -> list:
    """Return the learning rates of iterations 0, 1, ..., one dict of names each."""
    wrapper = wrapper or dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=rate))
    loop = dict(iterations=iterations, optim_wrapper=wrapper, param_scheduler=schedule)
    cfg = tiny_config(tmp_path, **loop)
    runner = RealdegRunner.from_cfg(cfg)
    _ = runner.train_loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    schedulers = runner.build_param_scheduler(runner.param_schedulers)
    groups = schedulers.values() if isinstance(schedulers, dict) else [schedulers]
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimiser takes no steps
        for _ in range(iterations):
            found.append(
                {name: values[0] for name, values in runner.optim_wrapper.get_lr().items()}
            )
            for schedulers in groups:
                for scheduler in schedulers:
                    scheduler.step()
    runner.close()
    return found


@pytest.mark.parametrize("name", [*SHAPES, *GAN_SHAPES])
def test_published_shapes(name, tmp_path):
    from mmengine.config import Config

    cfg = Config.fromfile(str(FOLDER / f"{name}.py")).to_dict()
    rate, shape = (SHAPES | GAN_SHAPES)[name]
    wrapper = cfg["optim_wrapper"]
    optimiser = wrapper.get("optimizer") or wrapper["degradation_step"]["optimizer"]
    assert optimiser["lr"] == rate
    schedule, last = cfg.get("param_scheduler"), cfg["train_cfg"]["max_iters"]
    if schedule is None:
        assert shape is fixed
        return
    by = 100 if last >= 5000 else 1
    # Chained, a warm-up does not reach the least rate of the other.
    close = rate * 1e-3 if isinstance(schedule, list) else 0.0
    if isinstance(schedule, list):
        warm, schedule[1] = schedule[0], {**schedule[1], "T_max": last}
        # Its last iteration is end - 1, here and when made smaller.
        shape = warmed(cosine(last, 1e-3), warm["start_factor"], warm["end"] - by)
    elif schedule["type"] == "CosineAnnealingLR":
        schedule["T_max"] = last  # what a config gets that does not say it
    if (
        isinstance(schedule, dict) and schedule["type"] == "LinearLR"
    ):  # its last iteration is end - 1, here and when made smaller
        shape = falling(schedule["begin"], schedule["end"] - by)
    found = rates_of(smaller(schedule, by), rate, last // by, tmp_path)
    for t, values in enumerate(found):
        assert values["lr"] == pytest.approx(rate * shape(t * by), rel=1e-9, abs=close), t * by


def test_every_shape_is_checked():
    files = {file.stem for file in FOLDER.glob("*.py")}
    # Those of adversarial super-resolution and of unpaired players are checked with their recipes;
    # a closed form has none.
    players = ("adam_gan", "adam_unpaired")
    others = {name for name in files if name.startswith(players) or name == "closed_form"}
    assert files - others - {"adam_4k_cpu"} == set(SHAPES)


def test_every_period_of_a_restart_ends_near_the_least_rate(tmp_path):
    schedule = dict(type="CosineRestartLR", periods=[5, 10], restart_weights=[1, 0.5], eta_min=1e-3)
    found = [values["lr"] for values in rates_of(schedule, 1.0, 20, tmp_path)]
    first = [1e-3 + (1 - 1e-3) * (1 + math.cos(math.pi * t / 5)) / 2 for t in range(5)]
    second = [1e-3 + (0.5 - 1e-3) * (1 + math.cos(math.pi * t / 10)) / 2 for t in range(10)]
    assert found[:15] == pytest.approx(first + second)
    assert found[15:] == [found[14]] * 5  # after the last period it stays


def test_warm_up_then_a_cosine(tmp_path):
    cfg = load_config(
        "edsr/edsr_div2k_x4",
        {
            "train_cfg.max_iters": 200,
            "param_scheduler": [
                dict(type="LinearLR", start_factor=0.1, begin=0, end=20),
                dict(type="CosineAnnealingLR", eta_min=1e-6, begin=20),
            ],
        },
    )
    schedule = inject(cfg).param_scheduler
    assert schedule[1]["T_max"] == 180  # it ends with the run
    found = [values["lr"] for values in rates_of(schedule, 1e-4, 200, tmp_path)]
    assert found[:20] == pytest.approx([1e-4 * (0.1 + 0.9 * t / 19) for t in range(20)])
    shape = cosine(180, 1e-2, first=20)
    assert found[20:] == pytest.approx([1e-4 * shape(t) for t in range(20, 200)])


def test_each_optimiser_may_have_its_own_schedule(tmp_path):
    parts = ("backbone_step", "discriminator_step")
    cfg = load_config(
        "rrdbnet/esrgan_dfo_x4",
        {
            "train_cfg.max_iters": 100,
            "backbone.start_from": None,
            "param_scheduler": {
                "_delete_": True,
                parts[0]: dict(type="CosineAnnealingLR", eta_min=1e-6),
                parts[1]: [dict(type="MultiStepLR", milestones=[50], gamma=0.5)],
            },
        },
    )
    schedule = inject(cfg).param_scheduler
    assert schedule[parts[0]]["T_max"] == 100
    # The tiny task's parts.
    wrapper = dict(
        constructor="MultiOptimizerConstructor",
        backbone_step=dict(optimizer=dict(type="SGD", lr=1e-4)),
        discriminator_step=dict(optimizer=dict(type="SGD", lr=1e-3)),
    )
    from tests.engine.tiny import TinyTask

    TinyTask.discriminator = property(lambda task: task.backbone.layer)
    try:
        found = rates_of(schedule, 0, 100, tmp_path, wrapper)
    finally:
        del TinyTask.discriminator
    for t, values in enumerate(found):
        assert values["backbone_step.lr"] == pytest.approx(1e-4 * cosine(100, 1e-2)(t))
        assert values["discriminator_step.lr"] == pytest.approx(1e-3 * steps(0.5, 50)(t))
