from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.dsrn import DSRN
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError, GeometryError


@pytest.mark.parametrize(("scale", "parameters"), [(2, 732_035), (3, 813_955), (4, 928_643)])
def test_parameters(scale, parameters):
    with torch.device("meta"):
        network = DSRN(scale=scale)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_keys():
    with torch.device("meta"):
        state = DSRN(scale=2).state_dict()
    wanted = {"in_conv0": (64, 3, 3, 3), "in_conv1": (128, 64, 3, 3), "out": (3, 128, 1, 1)}
    wanted |= {f"{s}.conv{i}": (128, 128, 3, 3) for s in ("s1s1", "s2s2") for i in (1, 2)}
    wanted["up"] = (128, 128, 2, 2)
    found = {name: tuple(value.shape) for name, value in state.items()}
    assert found == {f"{name}.weight": shape for name, shape in wanted.items()} | {
        f"{name}.bias": shape[:1] for name, shape in wanted.items()
    }


@pytest.mark.parametrize("scale", [2, 3])
def test_equals_a_reference(scale):
    """The recurrence in its plain form: states are summed, then cut at zero once."""
    torch.manual_seed(0)
    network = DSRN(scale=scale, width=4, steps=5).double()
    lr = torch.rand(1, 3, 5, 4, dtype=torch.float64)
    s1 = network.in_conv1(network.in_conv0(lr).relu()).relu()
    s2, states = None, []
    for _ in range(4):
        up = F.conv_transpose2d(s1, network.up.weight, network.up.bias, stride=scale)
        next1 = s1 + network.s1s1.conv2(network.s1s1.conv1(s1).relu())
        next2 = up
        if s2 is not None:
            next1 = next1 + F.avg_pool2d(s2, scale)
            next2 = up + s2 + network.s2s2.conv2(network.s2s2.conv1(s2).relu())
        s1, s2 = next1.relu(), next2.relu()
        states.append(s2)
    wanted = network.out(torch.stack(states).mean(0)) + imresize(lr, scale)
    torch.testing.assert_close(network(lr), wanted, rtol=0, atol=1e-10)


def test_halo_is_tight(reach):
    for scale in (2, 3, 4):
        for steps in (2, 3, 5, 6):
            network = DSRN(scale=scale, width=2, steps=steps)
            assert reach(network) == network.halo, (scale, steps)


def test_refusals():
    for settings in ({"steps": 1}, {"width": 1}):
        with pytest.raises(ConfigError):
            DSRN(**settings)
    with pytest.raises(GeometryError, match="scale 8"):
        DSRN(scale=8)
