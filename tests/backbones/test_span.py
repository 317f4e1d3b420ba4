from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.parts.reparam import Conv3XC
from realdeg.backbones.span import SPAN
from realdeg.errors import CheckpointError, ConfigError
from realdeg.utils.colour import rgb_to_y
from tests.backbones.judging import (
    decibels,
    losses_of_training,
    on_meta,
    parameters,
    rounded,
    set5,
    shapes,
    stored,
)


def small(**settings) -> SPAN:
    return SPAN(**{"scale": 2, "num_features": 4} | settings)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"scale": 2}, 481_324),
        ({"scale": 4}, 498_208),
        ({"scale": 2, "num_features": 48}, 410_700),
        ({"scale": 4, "num_features": 48}, 426_288),
        ({"scale": 4, "num_features": 28}, 150_688),
        ({"scale": 4, "num_features": 26}, 130_828),
    ],
)
def test_parameters_when_fused(settings, count):
    network = on_meta(SPAN, fused=True, **settings)
    assert (parameters(network), stored(network)) == (count, count)


def test_parameters_in_training():
    network = on_meta(SPAN, num_features=48)
    assert (parameters(network), stored(network)) == (1_840_488, 2_236_728)


def test_published_keys():
    expected = {}
    names = ["conv_1", "conv_2"] + [f"block_{b}.c{c}_r" for b in range(1, 7) for c in (1, 2, 3)]
    for name in names:
        width = 3 if name == "conv_1" else 48
        expected |= {
            f"{name}.sk.weight": (48, width, 1, 1),
            f"{name}.conv.0.weight": (2 * width, width, 1, 1),
            f"{name}.conv.1.weight": (96, 2 * width, 3, 3),
            f"{name}.conv.2.weight": (48, 96, 1, 1),
            f"{name}.eval_conv.weight": (48, width, 3, 3),
        }
    expected |= {"conv_cat.weight": (48, 192, 1, 1), "upsampler.0.weight": (48, 48, 3, 3)}
    expected |= {f"{k.removesuffix('weight')}bias": v[:1] for k, v in expected.items()}
    assert shapes(on_meta(SPAN, num_features=48)) == expected
    assert "no_norm" in shapes(on_meta(SPAN, norm=False))


def test_branches_and_merged_convolution_are_equal():
    torch.manual_seed(0)
    layer = Conv3XC(3, 5).double()
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64)
    trained, merged = layer.train()(x), layer.eval()(x)
    torch.testing.assert_close(merged, trained, rtol=0, atol=1e-12)
    (trained_grad,) = torch.autograd.grad(trained.square().sum(), layer.conv[1].weight)
    (merged_grad,) = torch.autograd.grad(merged.square().sum(), layer.conv[1].weight)
    torch.testing.assert_close(merged_grad, trained_grad)


@pytest.mark.parametrize("settings", [{}, {"norm": False}, {"same_size": True}, {"scale": 4}])
def test_training_evaluation_and_fused_give_the_same_images(settings):
    torch.manual_seed(0)
    network = small(**settings)
    lr = torch.rand(2, 3, 6, 7)
    with torch.no_grad():
        trained = network.train()(lr)
        wanted = network.eval()(lr)
        fused = network.fuse()
        found = fused(lr)
    torch.testing.assert_close(trained, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert fused.fused and not fused.training
    assert not any(".sk." in name or ".conv." in name for name in fused.state_dict())


def test_evaluation_never_runs_an_older_merge():
    torch.manual_seed(0)
    network = small().eval()
    lr = torch.rand(1, 3, 5, 4)
    with torch.no_grad():
        before = network(lr)
        network.conv_1.sk.weight.mul_(2)
        after = network(lr)
        network.train()
        torch.testing.assert_close(network(lr), after, rtol=0, atol=1e-5)
    assert not torch.allclose(before, after)
    state = network.state_dict()
    torch.testing.assert_close(state["conv_1.eval_conv.weight"], network.conv_1.merged()[0])
    assert torch.equal(copy.deepcopy(network).eval()(lr), after)


def test_mixed_precision_merges_in_full():
    torch.manual_seed(0)
    layer = Conv3XC(4, 4).eval()
    wanted = layer.merged()[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer.merged()[0], wanted)


def test_files_of_every_form(tmp_path):
    torch.manual_seed(0)
    source = small().eval()
    lr = torch.rand(1, 3, 5, 4)
    wanted = source(lr)
    full, fused = source.state_dict(), source.fuse().state_dict()
    stale = {k: torch.zeros_like(v) if "eval_conv" in k else v for k, v in full.items()}
    lean = {k: v for k, v in full.items() if "eval_conv" not in k}
    path = tmp_path / "span.pth"
    for state in (full, stale, lean):
        torch.save({"params_ema": state}, path)
        for network in (small(), small(fused=True)):
            load_weights(network, path)
            torch.testing.assert_close(network.eval()(lr), wanted, rtol=0, atol=1e-5)
    torch.save(fused, path)
    network = small(fused=True)
    load_weights(network, path)
    torch.testing.assert_close(network.eval()(lr), wanted, rtol=0, atol=1e-5)
    with pytest.raises(CheckpointError, match="fused=True"):
        load_weights(small(), path)


@pytest.mark.parametrize(
    ("settings", "match"), [({"norm": False}, "norm=True"), ({"num_features": 5}, "num_features=4")]
)
def test_weights_of_another_form_are_refused_by_name(tmp_path, settings, match):
    path = tmp_path / "span.pth"
    torch.save(small().state_dict(), path)
    with pytest.raises(CheckpointError, match=match):
        load_weights(small(**settings), path)
    torch.save(small(norm=False).state_dict(), path)
    load_weights(small(norm=False), path)


@pytest.mark.parametrize("fused", [False, True])
def test_halo_is_tight(fused, reach):
    network = small(num_features=1, fused=fused).eval()
    assert reach(network) == network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = small(num_features=8)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.8 * before


def test_refusals():
    with pytest.raises(ConfigError):
        SPAN(num_features=0)


@pytest.mark.parametrize(
    ("team", "width", "measured"),
    [("team38_span_ch28", 28, 31.746), ("team39_spantiny_ch26", 26, 31.739)],
)
def test_published_weights(real_data, team, width, measured):
    """The NTIRE 2024 entries, fused only, against their own code on the same files.

    Nobody published their numbers on Set5. MATLAB's 8-bit LR files, result rounded to 8 bit, Y
    not rounded, border 4.
    """
    path = real_data / "weights" / f"{team}_slim.pth"
    if not path.is_file():
        pytest.skip(f"{path.name} of Amazingren/NTIRE2024_ESR (model_zoo) is not at hand")
    network = SPAN(scale=4, num_features=width, fused=True).eval()
    load_weights(network, path)
    found = []
    with torch.no_grad():
        for lr, hr in set5(real_data, 4):
            found.append(decibels(rgb_to_y(rounded(network(lr))), rgb_to_y(hr), border=4))
    assert sum(found) / 5 == pytest.approx(measured, abs=0.02)
