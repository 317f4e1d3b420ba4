"""What every registered backbone must fulfil: registering one is enough to have it tested."""

from __future__ import annotations

import inspect

import pytest
import torch

from realdeg.backbones.spandrel_model import import_spandrel
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.testing import BackboneContract
from realdeg.testing.backbones import check_compiled

# The networks whose ``forward`` is handed more than the image.
TAKES = {
    name: ("scale",) for name in ("CARN", "CARNM", "MDSR", "MSLapSRN", "MetaSR", "PCARN", "ProSR")
}
TAKES |= {name: ("cond",) for name in ("IRCNNHQS", "PixelRecursiveSR", "SFTMD", "SRMD")}
TAKES["USRNet"] = ("scale", "cond")
# One network for each way to be built; `make test-all` compiles every one to machine code.
FAMILIES = ("VDSR", "MemNet", "CARN", "RCAN", "LapSRN", "DBPN", "SRFBN", "KPN", "MetaSR")


def types() -> list[str]:
    ours = [name for name in BACKBONES.names() if BACKBONES.get(name).__module__[:8] == "realdeg."]
    assert ours
    return ours


def need_packages(name: str) -> None:
    """Skip a type whose optional package is not there."""
    if name == "SpandrelModel":
        try:
            import_spandrel()
        except ConfigError as error:
            pytest.skip(str(error))


class TestEveryBackbone(BackboneContract):
    @pytest.fixture(params=types(), autouse=True)
    def each(self, request):
        need_packages(request.param)
        self.component = BACKBONES.get(request.param)

    def test_forward_names_the_image_and_what_the_network_uses(self, backbone):
        """An ordinary network's ``forward`` takes the image alone."""
        takes = list(inspect.signature(type(backbone).forward).parameters)
        assert takes == ["self", "lr", *TAKES.get(type(backbone).__name__, ())]

    @pytest.mark.slow
    def test_compiles_as_one_graph(self, backbone):
        check_compiled(backbone, "inductor")


@pytest.mark.parametrize("name", FAMILIES)
def test_families_are_one_graph(name):
    torch.manual_seed(0)
    check_compiled(BACKBONES.get(name).example().eval(), "aot_eager")
