"""What is exported is found by our reader, and opened by the community's."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open

from realdeg import create_backbone
from realdeg.backbones import Backbone
from realdeg.backbones.running import predict_image
from realdeg.errors import OutputError
from realdeg.export import export_safetensors
from realdeg.export.card import SPANDREL
from realdeg.registry import BACKBONES
from realdeg.utils.component import read_component

SETTINGS = {
    "RCAN": {"scale": 2, "num_groups": 2, "num_blocks": 2, "num_features": 8, "reduction": 2},
    "RRDBNet": {"scale": 4, "num_blocks": 2, "num_features": 8},
    "SwinIR": {"scale": 2, "groups": 2, "blocks": 2, "width": 12, "heads": 2},
    "HAT": {"scale": 4, "groups": 2, "blocks": 2, "width": 12, "heads": 2, "squeeze": 4},
    "SPAN": {"scale": 2, "num_features": 8},
    "SRVGGNetCompact": {"scale": 3, "num_features": 8, "num_convs": 4},
    "IPT": {"scale": 2, "tile": 12, "num_features": 4, "layers": 2},
}


def network(name: str) -> Backbone:
    torch.manual_seed(0)
    cls = BACKBONES.get(name)
    return cls(**SETTINGS[name]).eval()


def test_every_architecture_of_the_card_is_tried():
    assert set(SETTINGS) == set(SPANDREL)


@pytest.mark.parametrize("name", sorted(SPANDREL))
def test_spandrel_opens_it(name, tmp_path):
    spandrel = pytest.importorskip(
        "spandrel", reason="spandrel cannot be imported", exc_type=Exception
    )
    ours = network(name)
    if name == "SPAN":
        ours.upsampler[0].weight.data.mul_(0.1)  # untrained, it ends far outside [0, 1]
    done = export_safetensors(ours, tmp_path / "x.safetensors")
    loaded = spandrel.ModelLoader(device="cpu").load_from_file(done.path)
    assert loaded.architecture.id == SPANDREL[name] and loaded.scale == ours.scale
    lr = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        # Its descriptor pads, and crops what it padded; some networks change their input.
        wanted = loaded._call_fn(loaded.model.eval(), lr.clone()) if name == "IPT" else None
        wanted = loaded(lr.clone()) if wanted is None else wanted
        found = predict_image(ours, lr)
    if name != "IPT":  # the descriptor clips, our networks do not
        found = found.clamp(0, 1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_our_reader_finds_it(edsr, tmp_path):
    done = export_safetensors(edsr, tmp_path / "x.safetensors", meta={"source": "here"})
    assert read_component(done.path).meta == {"source": "here"}
    again = create_backbone(done.path).eval()
    lr = 255 * torch.rand(1, 3, 7, 6)
    assert torch.equal(again(lr), edsr(lr)) and again.arguments == edsr.arguments
    with safe_open(str(done.path), framework="pt") as opened:
        assert list(opened.keys()) == sorted(edsr.state_dict())


def test_half(edsr, tmp_path):
    whole = export_safetensors(edsr, tmp_path / "whole.safetensors")
    half = export_safetensors(edsr, tmp_path / "half.safetensors", half=True)
    assert half.path.stat().st_size < 0.75 * whole.path.stat().st_size
    assert all(v.dtype == torch.float16 for v in read_component(half.path).state.values())
    again = create_backbone(half.path).eval()
    lr = 255 * torch.rand(1, 3, 7, 6)
    with torch.no_grad():
        assert again(lr).dtype == torch.float32
        torch.testing.assert_close(again(lr), edsr(lr), rtol=0, atol=1)
    assert next(edsr.parameters()).dtype == torch.float32


@pytest.mark.parametrize("name", ["x.pth", "x"])
def test_another_suffix(edsr, tmp_path, name):
    with pytest.raises(OutputError, match=r"change its suffix"):
        export_safetensors(edsr, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(edsr, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_text("mine")
    with pytest.raises(OutputError, match="overwrite=True"):
        export_safetensors(edsr, path)
    assert path.read_text() == "mine"
    export_safetensors(edsr, path, overwrite=True)
    assert create_backbone(path).scale == edsr.scale
