from __future__ import annotations

import pytest
import torch

from realdeg.backbones import EDSR, ESPCN
from realdeg.utils.component import save_component


@pytest.fixture
def espcn():
    """A small network on Y."""
    torch.manual_seed(0)
    return ESPCN.example().eval()


@pytest.fixture
def edsr():
    """A small network on RGB in [0, 255]."""
    torch.manual_seed(0)
    return EDSR.example().eval()


@pytest.fixture
def weights(espcn, tmp_path):
    """A file as training writes it."""
    config = (
        "seed = 3\n"
        "train_dataloader = dict(batch_size=4, dataset=dict(type='HRFolder', root='data/DIV2K'))\n"
    )
    meta = {
        "config": config,
        "config_file": "espcn_div2k_x2.py",
        "iter": 1000,
        "seed": 3,
        "sample": False,
        "realdeg_version": "0.1",
        "degradation": {"type": "Bicubic", "hash": "0123456789abcdef", "described": "Bicubic x2"},
    }
    path = tmp_path / "backbone.safetensors"
    save_component(path, espcn, kind="backbone", type="ESPCN", arguments=espcn.arguments, meta=meta)
    return path
