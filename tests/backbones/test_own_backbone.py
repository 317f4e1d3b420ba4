"""The example in docs/your_own_backbone.md does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from realdeg import create_backbone
from realdeg.errors import GeometryError
from realdeg.registry import BACKBONES

PAGE = Path(__file__).parents[2] / "docs" / "your_own_backbone.md"


@pytest.fixture
def page():
    code = re.search(r"```python\n(# my_network\.py.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    namespace = {"__name__": "my_network"}
    exec(code[1], namespace)  # noqa: S102
    yield namespace["TinySubPixel"]
    BACKBONES.module_dict.pop("TinySubPixel")


def test_example(page, reach):
    network = create_backbone({"type": "TinySubPixel", "width": 4}, scale=3, same_size=False)
    assert isinstance(network, page)
    assert network.arguments == {"scale": 3, "same_size": False, "width": 4}
    assert network(torch.rand(2, 1, 1, 5)).shape == (2, 1, 3, 15)
    assert reach(page.example()) == page.example().halo
    with pytest.raises(GeometryError, match="same_size=False"):
        create_backbone({"type": "TinySubPixel"}, scale=2, same_size=True)
    with pytest.raises(GeometryError, match="2, 3, 4"):
        create_backbone({"type": "TinySubPixel"}, scale=8)
