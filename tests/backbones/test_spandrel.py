"""What we save is read the same way by the community's loader, where that is installed."""

from __future__ import annotations

import pytest
import torch

from realdeg.backbones import RCAN

spandrel = pytest.importorskip("spandrel", reason="spandrel cannot be imported", exc_type=Exception)


@pytest.mark.parametrize(
    "form",
    [
        {"scale": 2},
        {"scale": 3},
        {"scale": 4, "mean_shift": False},
        {"scale": 2, "unshuffle": 2},
        {"same_size": True},
    ],
)
def test_rcan(tmp_path, form):
    torch.manual_seed(0)
    ours = RCAN(num_groups=2, num_blocks=2, **form).eval()
    torch.save(ours.state_dict(), tmp_path / "rcan.pth")
    theirs = spandrel.ModelLoader(device="cpu").load_from_file(tmp_path / "rcan.pth").model.eval()
    lr = torch.rand(1, 3, 10, 13)
    with torch.no_grad():
        wanted = theirs(lr.clone())  # it scales its input in place
        found = ours(lr * ours.value_range) / ours.value_range
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
