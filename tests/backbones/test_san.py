from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights, san
from realdeg.backbones.san import (
    SAN,
    EmbeddedGaussian,
    SecondOrderAttention,
    covariance,
    matrix_root,
)
from realdeg.errors import ConfigError, GeometryError
from tests.backbones import naive_attention as naive
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes, stored

SMALL = {"scale": 2, "groups": 2, "blocks": 1, "num_features": 8, "reduction": 2}


@pytest.mark.parametrize(("scale", "count"), [(2, 15_712_776), (3, 15_897_416), (4, 15_860_488)])
def test_parameters(scale, count):
    network = on_meta(SAN, scale=scale)
    assert (parameters(network), stored(network)) == (count, count + 24)
    idle = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    assert idle == 36_928 + 8 * 64 + 8 + 64 * 8 + 64 + 20


def test_published_keys():
    wanted = {"gamma": (1,)}
    layers = {"head.0": (64, 3, 3, 3), "conv_last": (64, 64, 3, 3), "tail.1": (3, 64, 3, 3)}
    layers |= {"tail.0.0": (256, 64, 3, 3), "tail.0.2": (256, 64, 3, 3)}
    layers |= {"sub_mean": (3, 3, 1, 1), "add_mean": (3, 3, 1, 1)}
    layers |= {"non_local.soca.conv_du.0": (8, 64, 1, 1), "non_local.soca.conv_du.2": (64, 8, 1, 1)}
    for name in ("g.0", "theta", "phi.0"):
        layers[f"non_local.non_local.{name}"] = (8, 64, 1, 1)
    layers["non_local.non_local.W"] = (64, 8, 1, 1)
    for g in range(20):
        wanted[f"RG.{g}.gamma"] = (1,)
        for b in range(10):
            layers[f"RG.{g}.rcab.{b}.conv_first.0"] = (64, 64, 3, 3)
            layers[f"RG.{g}.rcab.{b}.conv_first.2"] = (64, 64, 3, 3)
        layers[f"RG.{g}.soca.conv_du.0"] = (4, 64, 1, 1)
        layers[f"RG.{g}.soca.conv_du.2"] = (64, 4, 1, 1)
        layers[f"RG.{g}.conv_last"] = (64, 64, 3, 3)
    wanted |= {f"{name}.weight": shape for name, shape in layers.items()}
    wanted |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    assert shapes(on_meta(SAN)) == wanted


@pytest.mark.parametrize("size", [(9, 7), (16, 16), (1, 5)])
def test_covariance_equals_the_naive_form(size):
    features = torch.randn(2, 6, *size) + 3
    torch.testing.assert_close(
        covariance(features), naive.covariance(features), rtol=1e-5, atol=1e-5
    )


def test_root():
    torch.manual_seed(0)
    factor = torch.randn(2, 4, 30, dtype=torch.float64)
    matrix = factor @ factor.transpose(1, 2) / 30
    values, vectors = torch.linalg.eigh(matrix)
    exact = vectors @ values.sqrt().diag_embed() @ vectors.transpose(1, 2)
    assert (matrix_root(matrix) - exact).abs().max() < 0.02 * exact.abs().max()
    # The published steps, written out.
    for single, found in zip(matrix, matrix_root(matrix), strict=True):
        eye, trace = torch.eye(4, dtype=torch.float64), single.trace()
        a = single / trace
        t = (3 * eye - a) / 2
        y, z = a @ t, t
        for _ in range(3):
            t = (3 * eye - z @ y) / 2
            y, z = y @ t, t @ z
        torch.testing.assert_close(found, y @ (3 * eye - z @ y) / 2 * trace.sqrt())


def test_flat_maps_are_no_trouble():
    layer = SecondOrderAttention(4, 2)
    features = torch.full((1, 4, 3, 3), 2.0, requires_grad=True)
    layer(features).sum().backward()
    assert features.grad.isfinite().all()


def test_large_maps_are_judged_by_their_middle(monkeypatch):
    monkeypatch.setattr(san, "LARGEST", 4)
    layer = SecondOrderAttention(4, 2)
    features = torch.randn(1, 4, 9, 3)
    middle = features[:, :, 2:6]
    torch.testing.assert_close(layer(features)[:, :, 2:6], layer(middle))


def test_region_attention_equals_the_naive_form():
    torch.manual_seed(0)
    attention = SAN.example().non_local
    image = torch.randn(2, 8, 9, 12)
    wanted = torch.empty_like(image)
    for rows in (slice(4), slice(4, None)):
        for columns in (slice(6), slice(6, None)):
            quarter = image[..., rows, columns]
            wanted[..., rows, columns] = naive.gaussian(attention.non_local, quarter)
    torch.testing.assert_close(attention(image), wanted, rtol=1e-5, atol=1e-5)
    assert (wanted - image).abs().max() > 0.01


def test_attention_starts_silent():
    layer = EmbeddedGaussian(8, 1)
    features = torch.randn(1, 8, 5, 4)
    assert torch.equal(layer(features), features)
    assert SAN(**SMALL).gamma == 0


def test_data_parallel_files_load(tmp_path):
    ours = SAN.example()
    stored = {f"module.{name}": value for name, value in ours.state_dict().items()}
    torch.save(stored, tmp_path / "SAN_BIX2.pt")
    again = SAN(**SMALL)
    load_weights(again, tmp_path / "SAN_BIX2.pt")
    assert torch.equal(again.conv_last.weight, ours.conv_last.weight)


def test_local_halo(reach):
    """With the attentions silent: a covariance and a quarter reach everywhere."""
    network = SAN(**SMALL)
    torch.nn.init.ones_(network.gamma)
    for group in network.RG:
        torch.nn.init.zeros_(group.soca.conv_du[2].weight)
    assert reach(network.eval()) == network.halo


def test_it_learns():
    torch.manual_seed(0)
    network = SAN(scale=2, groups=1, blocks=1, num_features=16, reduction=4)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"num_features": 4}, ConfigError),
        ({"groups": 0}, ConfigError),
        ({"reduction": 65}, ConfigError),
        ({"scale": 5}, GeometryError),
        ({"same_size": True}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        SAN(**settings)
