from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.rdn import RDN
from realdeg.errors import ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


def small(**settings) -> RDN:
    return RDN(
        **{"scale": 2, "num_blocks": 2, "num_convs": 2, "growth": 3, "num_features": 5} | settings
    )


@pytest.mark.parametrize(
    ("preset", "scale", "count"),
    [
        ("B", 2, 22_123_395),
        ("B", 3, 22_308_035),
        ("B", 4, 22_271_107),
        ("A", 2, 5_541_795),
        ("A", 3, 5_634_115),
        ("A", 4, 5_578_787),
    ],
)
def test_parameters(preset, scale, count):
    assert parameters(on_meta(RDN, preset=preset, scale=scale)) == count


def test_published_keys():
    wanted = {"SFENet1": (64, 3, 3, 3), "SFENet2": (64, 64, 3, 3)}
    for i in range(16):
        for c in range(8):
            wanted[f"RDBs.{i}.convs.{c}.conv.0"] = (64, 64 + 64 * c, 3, 3)
        wanted[f"RDBs.{i}.LFF"] = (64, 576, 1, 1)
    wanted |= {"GFF.0": (64, 1024, 1, 1), "GFF.1": (64, 64, 3, 3)}
    wanted |= {"UPNet.0": (256, 64, 3, 3), "UPNet.2": (256, 64, 3, 3), "UPNet.4": (3, 64, 3, 3)}
    expected = {f"{name}.weight": shape for name, shape in wanted.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in wanted.items()}
    assert shapes(on_meta(RDN)) == expected
    third = shapes(on_meta(RDN, scale=3))
    assert third["UPNet.0.weight"] == (576, 64, 3, 3) and third["UPNet.2.weight"] == (3, 64, 3, 3)


def test_it_equals_its_layers():
    torch.manual_seed(0)
    network = small(scale=4).double().eval()
    lr = torch.rand(1, 3, 5, 4, dtype=torch.float64)
    first = network.SFENet1(lr)
    features, outputs = network.SFENet2(first), []
    for block in network.RDBs:
        seen = [features]
        for layer in block.convs:
            seen.append(layer.conv[0](torch.cat(seen, 1)).clamp(min=0))
        features = features + block.LFF(torch.cat(seen, 1))
        outputs.append(features)
    features = network.GFF[1](network.GFF[0](torch.cat(outputs, 1))) + first
    for k in (0, 2):
        features = F.pixel_shuffle(network.UPNet[k](features), 2)
    torch.testing.assert_close(network(lr), network.UPNet[4](features))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_weights_of_mmagic_are_brought_to_this_range(tmp_path, scale):
    torch.manual_seed(0)
    source = small(scale=scale, value_range=1.0).eval()
    foreign = {}
    for name, value in source.state_dict().items():
        name = name.replace("SFENet", "sfe").replace("RDBs", "rdbs").replace("LFF", "lff")
        name = name.replace("convs.", "layers.").replace("conv.0.", "conv.").replace("GFF", "gff")
        name = name.replace(f"UPNet.{len(source.UPNet) - 1}.", "output.")
        foreign["generator." + name.replace("UPNet", "upscale")] = value
    path = tmp_path / "rdn.pth"
    torch.save({"state_dict": foreign}, path)
    lr = torch.rand(1, 3, 5, 4)
    for value_range in (1.0, 255.0):
        network = small(scale=scale, value_range=value_range).eval()
        load_weights(network, path)
        found = network(lr * value_range) / value_range
        torch.testing.assert_close(found, source(lr), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_halo_is_tight(scale, reach):
    network = small(scale=scale, num_features=1, growth=1)
    assert reach(network) == network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = small(num_features=8, growth=4, value_range=1.0)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.8 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"preset": "C"}, ConfigError), ({"growth": 0}, ConfigError), ({"scale": 8}, GeometryError)],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        RDN(**settings)
