"""LowToHigh: the authors' names and sizes, and their network written once more."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg import create_backbone
from realdeg.backbones.low_to_high import LowToHigh
from realdeg.errors import GeometryError
from tests.backbones.judging import on_meta, parameters, shapes


def normal(x, state, name):
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, weight, bias = (state[f"{name}.{key}"].view(1, -1, 1, 1) for key in names)
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def block(x, state, name):
    inner = normal(x, state, f"{name}.bn1").clamp_min(0)
    inner = F.conv2d(inner, state[f"{name}.conv1.weight"], padding=1)
    inner = normal(inner, state, f"{name}.bn2").clamp_min(0)
    inner = F.conv2d(inner, state[f"{name}.conv2.weight"], padding=1)
    if f"{name}.skip.weight" in state:
        x = F.conv2d(x, state[f"{name}.skip.weight"], state[f"{name}.skip.bias"])
    return inner + x


def doubled(x):
    """Bilinear, by its formula: corners on corners."""
    for axis in (2, 3):
        n = x.shape[axis]
        at = torch.arange(2 * n, dtype=x.dtype) * (n - 1) / (2 * n - 1)
        low = at.floor().long().clamp(0, n - 1)
        part = (at - low).view(-1, 1) if axis == 2 else at - low
        high = (low + 1).clamp_max(n - 1)
        x = x.index_select(axis, low) * (1 - part) + x.index_select(axis, high) * part
    return x


def reference(lr, state, blocks):
    """GEN_DEEP, level by level, in float64."""
    x = F.conv2d(2 * lr - 1, state["layers_in.weight"], padding=1)
    for level, repeats in enumerate(blocks):
        inner = x
        for number in range(repeats):
            inner = block(inner, state, f"layers_set_final.{level}.{number}")
        if level:
            x = F.conv2d(x, state[f"a{level}.0.weight"], state[f"a{level}.0.bias"])
        x = doubled(inner + x)
        x = normal(x, state, f"layers_set_final_up.{level}.1").clamp_min(0)
        # A transposed convolution of one pixel is one with the channels exchanged.
        weight = state[f"layers_set_final_up.{level}.3.weight"].transpose(0, 1)
        x = F.conv2d(x, weight, state[f"layers_set_final_up.{level}.3.bias"])
    x = F.conv2d(x, state["main.0.weight"], padding=1).clamp_min(0)
    x = F.conv2d(x, state["main.2.weight"], state["main.2.bias"]).clamp_min(0)
    return (torch.tanh(F.conv2d(x, state["main.4.weight"], state["main.4.bias"])) + 1) / 2


@pytest.mark.parametrize(("scale", "blocks"), [(2, (2,)), (4, (2, 1)), (8, (2, 1, 1))])
def test_it_is_the_authors_network(scale, blocks):
    torch.manual_seed(0)
    network = LowToHigh(scale, width=8, num_blocks=2, later_blocks=1).double().eval()
    for name, value in network.state_dict().items():
        if "running" in name:
            value.uniform_(0.5, 1.5)
    lr = torch.rand(2, 3, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        found = network(lr)
        torch.testing.assert_close(found, reference(lr, network.state_dict(), blocks))
    assert found.shape == (2, 3, 5 * scale, 4 * scale)


def test_published_keys_and_parameters():
    found = shapes(on_meta(LowToHigh))
    assert found["layers_in.weight"] == (256, 3, 3, 3) and "layers_in.bias" not in found
    for number in range(12):
        name = f"layers_set_final.0.{number}"
        assert found[f"{name}.conv1.weight"] == found[f"{name}.conv2.weight"] == (256, 256, 3, 3)
        assert found[f"{name}.bn1.weight"] == (256,) and f"{name}.skip.weight" not in found
    assert found["layers_set_final.1.0.conv1.weight"] == (128, 256, 3, 3)
    assert found["layers_set_final.1.0.bn1.weight"] == (256,)
    assert found["layers_set_final.1.0.skip.weight"] == (128, 256, 1, 1)
    assert found["a1.0.weight"] == (128, 256, 1, 1) and "a2.0.weight" not in found
    assert found["layers_set_final_up.1.3.weight"] == (128, 128, 1, 1)
    assert found["main.0.weight"] == (96, 128, 3, 3) and found["main.4.weight"] == (3, 96, 1, 1)
    assert parameters(on_meta(LowToHigh)) == 15_478_019


def test_the_authors_file_has_a_connection_that_is_not_used(tmp_path):
    network = LowToHigh(4, width=8, num_blocks=2, later_blocks=1)
    state = network.state_dict() | {
        "a2.0.weight": torch.ones(3, 4, 1, 1),
        "a2.0.bias": torch.ones(3),
    }
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "net.pth")
    again = create_backbone({"type": "LowToHigh", "checkpoint": str(tmp_path / "net.pth")})
    assert again.arguments["width"] == 8 and again.arguments["num_blocks"] == 2
    lr = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(lr), network.eval()(lr))


def test_other_scales_are_refused():
    with pytest.raises(GeometryError, match="3"):
        LowToHigh(3)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_the_halo_covers_what_a_pixel_changes(scale):
    """Seen before the tanh, with weights that cannot cancel each other."""
    torch.manual_seed(0)
    network = LowToHigh(scale, width=8, num_blocks=1, later_blocks=1).double().eval()
    made: list[torch.Tensor] = []
    network.main.register_forward_hook(lambda module, args, out: made.append(out))
    for name, value in network.named_parameters():
        torch.nn.init.constant_(value, 1.0 if "bn" in name else 0.1)
    lr, farthest = torch.full((1, 3, 33, 33), 0.75, dtype=torch.float64), 0
    with torch.no_grad():
        network(lr)
        for at in (0, 8, 16, 25, 32):
            other = lr.clone()
            other[..., at, at] += 0.1
            network(other)
            changed = ((made[-1] - made[0]).abs().sum((0, 1)) > 0).nonzero() // scale
            farthest = max(farthest, int((changed - at).abs().max()))
    assert 0 < farthest <= network.halo <= farthest + 2
