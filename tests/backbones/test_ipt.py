from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.ipt import IPT, Attention
from realdeg.errors import ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes, stored
from tests.backbones.test_swinir import shaken

SMALL = {"tile": 12, "num_features": 4, "layers": 2}


def test_parameters():
    network = on_meta(IPT)
    assert parameters(network) == 115_608_131
    assert stored(network) == 115_608_131 + 24 + 256
    assert parameters(network.body) == 114_899_328


def test_published_keys():
    found = shapes(on_meta(IPT))
    wanted = {
        "head.0.0.weight": (64, 3, 3, 3),
        "head.0.1.body.0.weight": (64, 64, 5, 5),
        "head.0.2.body.2.bias": (64,),
        "body.linear_encoding.weight": (576, 576),
        "body.mlp_head.0.weight": (2304, 576),
        "body.mlp_head.3.weight": (576, 2304),
        "body.query_embed.weight": (1, 147_456),
        "body.encoder.layers.11.self_attn.in_proj_weight": (1728, 576),
        "body.encoder.layers.11.self_attn.out_proj.weight": (576, 576),
        "body.encoder.layers.11.linear1.weight": (2304, 576),
        "body.decoder.layers.11.multihead_attn.in_proj_weight": (1728, 576),
        "body.decoder.layers.11.norm3.bias": (576,),
        "body.position_encoding.pe.weight": (256, 576),
        "body.position_encoding.position_ids": (1, 256),
        "tail.0.0.0.weight": (256, 64, 3, 3),
        "tail.0.0.2.weight": (256, 64, 3, 3),
        "tail.0.1.weight": (3, 64, 3, 3),
        "sub_mean.bias": (3,),
    }
    assert {name: found[name] for name in wanted} == wanted
    assert len(found) == 4 + 10 + 9 + 12 * 10 + 12 * 14 + 6
    assert "tail.0.1.weight" in shapes(on_meta(IPT, same_size=True))


def test_attention_equals_torch_s():
    torch.manual_seed(0)
    ours = Attention(12, 3)
    theirs = torch.nn.MultiheadAttention(12, 3, bias=False, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    query, key, value = torch.randn(2, 5, 12), torch.randn(2, 7, 12), torch.randn(2, 7, 12)
    wanted = theirs(query, key, value, need_weights=False)[0]
    torch.testing.assert_close(ours(query, key, value), wanted)


def test_small_images_are_continued():
    torch.manual_seed(0)
    network = IPT.example().eval()
    lr = torch.rand(1, 3, 8, 12) * 255
    with torch.no_grad():
        whole = network(F.pad(lr, (0, 0, 0, 4), mode="reflect"))
        assert torch.equal(network(lr), whole[..., :16, :])


def test_tiles_of_a_larger_image_are_the_same(reach):
    """Cut at multiples of size_multiple with a border of halo, the picture stays the same."""
    torch.manual_seed(0)
    network = IPT.example().eval()
    assert (network.size_multiple, network.halo) == (3, 11)
    assert reach(IPT.example().eval()) <= 11
    lr = torch.rand(1, 3, 43, 20) * 255
    with torch.no_grad():
        whole, part = network(lr), network(lr[..., 9:, :])
    torch.testing.assert_close(part[..., 22:, :], whole[..., 40:, :], rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("form", [{"scale": 2}, {"scale": 3}, {"same_size": True}])
def test_spandrel_gives_the_same_picture(tmp_path, form):
    """Over every way in which the last tiles can overlap."""
    spandrel = pytest.importorskip(
        "spandrel", reason="spandrel cannot be imported", exc_type=Exception
    )
    ours = shaken(IPT(**SMALL, **form))
    torch.save(ours.state_dict(), tmp_path / "ours.pth")
    theirs = spandrel.ModelLoader(device="cpu").load_from_file(tmp_path / "ours.pth")
    torch.save(theirs.model.state_dict(), tmp_path / "theirs.pth")
    again = IPT(**SMALL, **form).eval()
    load_weights(again, tmp_path / "theirs.pth")
    theirs.model.double().eval()
    for size in ((12, 12), (13, 12), (14, 25), (31, 22)):
        lr = torch.rand(1, 3, *size, dtype=torch.float64)
        with torch.no_grad():
            wanted = theirs._call_fn(theirs.model, lr.clone())
            for network in (ours, again):
                found = network.double()(255 * lr) / 255
                torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-7)
        assert wanted.std() > 0.01


def test_it_learns():
    torch.manual_seed(0)
    network = IPT(scale=2, tile=12, num_features=8, heads=4, layers=1)
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"tile": 47}, ConfigError),
        ({"tile": 20}, ConfigError),
        ({"heads": 7}, ConfigError),
        ({"layers": 0}, ConfigError),
        ({"scale": 8}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        IPT(**settings)
