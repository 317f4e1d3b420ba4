from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.rnan import RNAN, AttentionModule, MaskBranch, NonLocal
from realdeg.errors import ConfigError, GeometryError
from tests.backbones import naive_attention as naive
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes, stored


@pytest.mark.parametrize(("scale", "count"), [(2, 9_107_267), (3, 9_291_907), (4, 9_254_979)])
def test_parameters(scale, count):
    network = on_meta(RNAN, scale=scale)
    assert (parameters(network), stored(network)) == (count, count + 24)


def test_published_keys():
    conv = (64, 64, 3, 3)
    layers = {"head.0": (64, 3, 3, 3), "body.8": conv, "tail.1": (3, 64, 3, 3)}
    layers |= {"tail.0.0": (256, 64, 3, 3), "tail.0.2": (256, 64, 3, 3)}
    layers |= {"sub_mean": (3, 3, 1, 1), "add_mean": (3, 3, 1, 1)}
    groups = ["body_nl_low.0", "body_nl_high.0"] + [f"body.{i}" for i in range(8)]
    for group in groups:
        layers[f"{group}.body.1"] = conv
        module, mask = f"{group}.body.0.", f"{group}.body.0.RA_MB.0."
        blocks = ["RA_RB1.0", "RA_TB.0.body.0", "RA_TB.0.body.1", "RA_tail.0", "RA_tail.1"]
        first = "MB_RB1.1" if "nl" in group else "MB_RB1.0"
        blocks += [f"RA_MB.0.{name}" for name in (first, "MB_RB2.0", "MB_RB2.1", "MB_RB3.0")]
        for block in blocks:
            layers |= {f"{module}{block}.body.0": conv, f"{module}{block}.body.2": conv}
        layers |= {f"{mask}MB_Down.0": conv, f"{mask}MB_Up.0": (64, 64, 6, 6)}
        layers[f"{mask}MB_1x1conv.0"] = (64, 64, 1, 1)
        if "nl" in group:
            layers |= {f"{mask}MB_RB1.0.{name}": (32, 64, 1, 1) for name in ("g", "theta", "phi")}
            layers[f"{mask}MB_RB1.0.W"] = (64, 32, 1, 1)
    wanted = {f"{name}.weight": shape for name, shape in layers.items()}
    wanted |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    assert shapes(on_meta(RNAN)) == wanted


def test_attention_equals_the_naive_form():
    torch.manual_seed(0)
    layer = NonLocal(6, 3)
    features = torch.randn(2, 6, 5, 7)
    assert torch.equal(layer(features), features)
    torch.nn.init.normal_(layer.W.weight)
    parts = [m(features).flatten(2).transpose(1, 2) for m in (layer.theta, layer.phi, layer.g)]
    attended = naive.over_queries(*parts).transpose(1, 2).reshape(2, 3, 5, 7)
    torch.testing.assert_close(layer(features), features + layer.W(attended), rtol=1e-5, atol=1e-5)


def test_module_equals_its_equation():
    torch.manual_seed(0)
    module = AttentionModule(4, None)
    features = torch.randn(1, 4, 6, 8)
    mask: MaskBranch = module.RA_MB[0]
    start = module.RA_RB1(features)
    fine = mask.MB_RB1(start)
    coarse = mask.MB_Down[0](fine)
    assert coarse.shape == (1, 4, 3, 4)
    logits = mask.MB_1x1conv(mask.MB_RB3(mask.MB_Up(mask.MB_RB2(coarse)) + fine))
    wanted = module.RA_tail(module.RA_TB(start) * torch.sigmoid(logits) + start)
    torch.testing.assert_close(module(features), wanted)


def test_odd_sizes_are_reflected():
    torch.manual_seed(0)
    network = RNAN.example().eval()
    lr = torch.rand(1, 3, 5, 7) * 255
    with torch.no_grad():
        whole = network(F.pad(lr, (0, 1, 0, 1), mode="reflect"))
        assert torch.equal(network(lr), whole[..., :10, :14])


@pytest.mark.parametrize("scale", [2, 3])
def test_local_halo(scale, reach):
    """Without the two attentions that reach everywhere."""
    network = RNAN(scale=scale, groups=3, num_features=2)
    for group in (network.body_nl_low[0], network.body_nl_high[0]):
        group.body[0].RA_MB[0].MB_RB1[0] = torch.nn.Identity()
    for parameter in network.parameters():  # large numbers would saturate the masks
        parameter.data.mul_(0.05)
    assert reach(network.eval()) == network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = RNAN(scale=2, groups=3, num_features=16)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"groups": 2}, ConfigError),
        ({"num_features": 5}, ConfigError),
        ({"scale": 5}, GeometryError),
        ({"same_size": True}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        RNAN(**settings)
