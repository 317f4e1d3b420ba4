"""Random weights of ours give the same picture in spandrel, and what it writes is read back."""

from __future__ import annotations

import pytest
import torch

from realdeg.backbones import Backbone, load_weights
from realdeg.backbones.rcan import RCAN
from realdeg.backbones.rrdbnet import RRDBNet
from realdeg.backbones.span import SPAN
from realdeg.backbones.srvgg_compact import SRVGGNetCompact

spandrel = pytest.importorskip("spandrel", reason="spandrel cannot be imported", exc_type=Exception)

TINY_RRDB = {"num_blocks": 2, "num_features": 8}
TINY_RCAN = {"num_groups": 2, "num_blocks": 2, "num_features": 8, "reduction": 2}


@pytest.mark.parametrize(
    ("cls", "settings", "architecture"),
    [
        (RRDBNet, {"scale": 4, **TINY_RRDB}, "ESRGAN"),
        (RRDBNet, {"scale": 2, **TINY_RRDB}, "ESRGAN"),
        (RRDBNet, {"scale": 1, **TINY_RRDB}, "ESRGAN"),
        (RRDBNet, {"same_size": True, **TINY_RRDB}, "ESRGAN"),
        (RRDBNet, {"scale": 8, **TINY_RRDB}, "ESRGAN"),
        (RRDBNet, {"scale": 2, "unshuffle": 1, **TINY_RRDB}, "ESRGAN"),
        (SRVGGNetCompact, {"scale": 4, "num_features": 8}, "Compact"),
        (SRVGGNetCompact, {"scale": 3, "num_features": 8, "num_convs": 4}, "Compact"),
        (SRVGGNetCompact, {"same_size": True, "num_features": 8}, "Compact"),
        (SPAN, {"scale": 4, "num_features": 8}, "SPAN"),
        (SPAN, {"scale": 2}, "SPAN"),
        (SPAN, {"scale": 2, "num_features": 8, "norm": False}, "SPAN"),
        (RCAN, {"scale": 4, **TINY_RCAN}, "RCAN"),
        (RCAN, {"scale": 2, "unshuffle": 2, "mean_shift": False, **TINY_RCAN}, "RCAN"),
        (RCAN, {"same_size": True, **TINY_RCAN}, "RCAN"),
    ],
)
def test_there_and_back(tmp_path, cls, settings, architecture):
    torch.manual_seed(0)
    ours: Backbone = cls(**settings).eval()
    if cls is SPAN:
        ours.upsampler[0].weight.data.mul_(0.1)  # untrained, it ends far outside [0, 1]
    torch.save(ours.state_dict(), tmp_path / "ours.pth")
    loaded = spandrel.ModelLoader(device="cpu").load_from_file(tmp_path / "ours.pth")
    assert loaded.architecture.id == architecture
    assert loaded.scale == (1 if ours.same_size else ours.scale)
    theirs = loaded.model.eval()
    lr = torch.rand(1, 3, 9, 14)
    with torch.no_grad():
        wanted = theirs(lr.clone())  # some scale their input in place
        found = ours(lr * ours.value_range) / ours.value_range
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)

        torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
        again = cls(**settings).eval()
        load_weights(again, tmp_path / "theirs.pth")
        back = again(lr * again.value_range) / again.value_range
    torch.testing.assert_close(back, wanted, rtol=0, atol=1e-5)
