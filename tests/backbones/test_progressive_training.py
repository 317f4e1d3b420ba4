"""Progressive and iterative networks learn: 30 steps on one batch lower their papers' losses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.adrsr import ADRSR
from realdeg.backbones.base import Outputs
from realdeg.backbones.dbpn import DBPN
from realdeg.backbones.dnsr import DNSR
from realdeg.backbones.dsrn import DSRN
from realdeg.backbones.lapsrn import LapSRN
from realdeg.backbones.mslapsrn import MSLapSRN
from realdeg.backbones.prosr import ProSR
from realdeg.backbones.srfbn import SRFBN
from realdeg.degradations.primitives.resize import imresize
from realdeg.losses import CharbonnierLoss, L1Loss, MSELoss

NETWORKS = [
    (LapSRN.example, CharbonnierLoss),
    (MSLapSRN.example, CharbonnierLoss),
    (ProSR.example, L1Loss),
    (DBPN.example, L1Loss),
    (lambda: DBPN(scale=2, stages=3, num_features=3, iterations=2, residual=True), L1Loss),
    (SRFBN.example, L1Loss),
    (DSRN.example, MSELoss),
    (ADRSR.example, L1Loss),
    (DNSR.example, L1Loss),
]


@pytest.mark.parametrize(
    ("build", "loss"),
    NETWORKS,
    ids="LapSRN MSLapSRN ProSR DBPN RES-MR SRFBN DSRN ADRSR DNSR".split(),
)
def test_training_lowers_the_loss(build, loss):
    torch.manual_seed(0)
    network = build().train()
    size = 8 * network.scale
    coarse = torch.rand(2, network.channels, size // 4, size // 4)
    hr = F.interpolate(coarse, size=(size, size), mode="nearest")
    lr = imresize(hr, 1 / network.scale)
    full, measure = hr * network.value_range, loss()
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    history = []
    for _ in range(31):
        found = network(lr * network.value_range)
        found = found if isinstance(found, Outputs) else Outputs(found)
        targets = network.targets(full) | {"sr": hr}
        named = {"sr": found.sr / network.value_range, **found.aux}
        assert set(named) <= set(targets)
        value = sum(measure(image, targets[name]) for name, image in named.items())
        history.append(value.item())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    assert history[-1] < 0.97 * history[0], history
