"""Gradients are limited by norm or element, at a fixed limit or one that follows the rate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from realdeg.config import load_config
from realdeg.engine import OptimWrapper, RealdegRunner, read_checkpoint
from realdeg.errors import ConfigError
from tests.engine.tiny import tiny_config


def wrapper(clip_grad, rate=0.1, bias_factor=None) -> tuple[OptimWrapper, list[nn.Parameter]]:
    parameters = [nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(2)]
    groups: list = [{"params": parameters}]
    if bias_factor is not None:
        groups = [
            {"params": [parameters[0]]},
            {"params": [parameters[1]], "lr": rate * bias_factor},
        ]
    built = OptimWrapper(torch.optim.SGD(groups, lr=rate), clip_grad=clip_grad)
    for parameter, grad in zip(parameters, ([3.0, -4.0], [12.0, 0.0]), strict=True):
        parameter.grad = torch.tensor(grad, dtype=torch.float64)
    return built, parameters  # the norm of the whole gradient is 13


@pytest.mark.parametrize(
    ("clip_grad", "factor"),
    [
        (dict(max_norm=6.5), 0.5),
        (dict(type="norm", max_norm=26), 1.0),
        (dict(max_norm=6.0, norm_type="inf"), 0.5),
        (dict(theta=0.65), 0.5),  # 0.65 / 0.1 = 6.5
        (dict(theta=2.6), 1.0),
    ],
)
def test_the_norm_of_all_parameters_is_limited(clip_grad, factor):
    built, parameters = wrapper(clip_grad)
    built.step()
    for parameter, grad in zip(parameters, ([3.0, -4.0], [12.0, 0.0]), strict=True):
        wanted = -0.1 * factor * torch.tensor(grad, dtype=torch.float64)
        torch.testing.assert_close(parameter.data, wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "clip_grad", [dict(type="value", clip_value=3.5), dict(type="value", theta=0.35)]
)
def test_each_element_is_limited(clip_grad):
    built, parameters = wrapper(clip_grad)
    built.step()
    assert parameters[0].tolist() == pytest.approx([-0.3, 0.35])
    assert parameters[1].tolist() == pytest.approx([-0.35, 0.0])
    assert built.message_hub.get_scalar("train/grad_norm").current() == pytest.approx(13)


def test_the_limit_grows_as_the_rate_falls():
    """Theta is the largest change of an element in a step of SGD, at any rate."""
    for rate in (1.0, 0.1, 0.01):
        built, parameters = wrapper(dict(type="value", theta=0.02), rate)
        built.step()
        assert float(parameters[0].detach().abs().max()) == pytest.approx(0.02)


def test_the_rate_is_that_without_the_factors_of_parts():
    built, parameters = wrapper(dict(type="value", theta=0.1), rate=0.1, bias_factor=0.1)
    assert built.base_rate() == pytest.approx(0.1)
    built.step()  # the limit is 1
    assert parameters[0].tolist() == pytest.approx([-0.1, 0.1])
    assert parameters[1].tolist() == pytest.approx([-0.01, 0.0])


def test_a_rate_of_zero_limits_nothing():
    built, parameters = wrapper(dict(theta=0.1), rate=0.0)
    built.step()
    assert parameters[0].grad.tolist() == [3.0, -4.0]


def test_the_limit_follows_the_schedule_and_the_norm_is_logged(work_dir, capsys):
    """With plain SGD, a gradient above its limit changes the weights by theta in norm."""
    theta, steps = 1e-3, []
    cfg = tiny_config(
        work_dir,
        iterations=12,
        optim_wrapper=dict(
            type="OptimWrapper",
            optimizer=dict(type="SGD", lr=0.05),
            clip_grad=dict(theta=theta),
        ),
    )
    runner = RealdegRunner.from_cfg(cfg)
    layer = runner.model.backbone.layer

    def flat() -> torch.Tensor:
        return torch.cat([p.detach().flatten().clone() for p in layer.parameters()])

    class Watch:
        former = flat()

    def note(*_):
        steps.append(float((flat() - Watch.former).norm()))
        Watch.former = flat()

    layer.register_forward_pre_hook(note)
    runner.train()
    norms = read_checkpoint(work_dir / "iter_12.pth")["message_hub"]["scalars"]["train/grad_norm"][
        "values"
    ]
    assert len(norms) == 12 and min(norms) * 0.05 > theta
    moved = [step for step in steps if step]
    assert moved == [pytest.approx(theta, rel=1e-3)] * len(moved) and len(moved) >= 11
    assert "grad_norm 1." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("clip_grad", "said"),
    [
        (dict(type="size", max_norm=1), "clip_grad.type' is 'size', wanted 'norm' or 'value'"),
        (dict(type="value", max_norm=1), "unknown key .*clip_grad.max_norm'"),
        (dict(max_nrom=1), "unknown key .*max_nrom'.*max_norm"),
        (dict(norm_type=2), "neither of max_norm and theta"),
        (dict(max_norm=1, theta=1), "both of max_norm and theta"),
        (dict(theta=-1), "clip_grad.theta' is -1"),
        (dict(max_norm="big"), "clip_grad.max_norm' is 'big'"),
        (5, "clip_grad' is 5, wanted a dict"),
    ],
)
@pytest.mark.parametrize("place", ["optim_wrapper", "optim_wrapper.degradation_step"])
def test_mistakes_are_refused_when_the_config_is_read(clip_grad, said, place):
    recipe = "edsr/edsr_div2k_x4" if place == "optim_wrapper" else "dsgan/dsgan_realsr_x4"
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(recipe, {f"{place}.clip_grad": clip_grad})
    assert f"'{place}.clip_grad" in str(caught.value)


@pytest.mark.parametrize("recipe", ["drrn/drrn_291_joint_x4", "memnet/memnet_291_joint_x4"])
def test_recipes_clip_as_the_release(recipe):
    assert load_config(recipe).optim_wrapper.clip_grad == dict(theta=0.01)
