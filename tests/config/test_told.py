"""A network that is told the degradation learns of all blur and noise, or the recipe is refused."""

from __future__ import annotations

import pytest

from realdeg.config.told import check_told
from realdeg.errors import ConfigError

SRMD = {"type": "SRMD", "num_features": 8}
TOLD = {"type": "SRMD"}
NOISY = {"type": "SampleCamera"}


@pytest.mark.parametrize(
    ("degradation", "backbone", "problem"),
    [
        (NOISY, SRMD, "'degradation' is SampleCamera.*state its blur .*backbone SRMD"),
        ({"type": "BSRGAN"}, SRMD, "BSRGAN, which does not state its blur and noise"),
        ({"type": "BSRGAN"}, {"type": "USRNet"}, "BSRGAN.*backbone USRNet"),
        ({"type": "DML"}, {**SRMD, "noise": False}, "DML, which does not state its blur "),
        (
            {"type": "Compose", "parts": [TOLD, {"type": "Mosaic", "scale": 1}]},
            SRMD,
            r"'degradation\.parts\.1' is Mosaic",
        ),
    ],
)
def test_what_is_not_stated_is_refused(degradation, backbone, problem):
    with pytest.raises(ConfigError, match=problem):
        check_told({"backbone": backbone, "degradation": degradation})


@pytest.mark.parametrize("kind", ["Bicubic", "SRMD", "BlurDown", "KernelPool", "AWGN", "NoisePool"])
def test_what_is_stated_passes(kind):
    """Bicubic reduction has neither blur nor noise."""
    for backbone in (SRMD, {**SRMD, "noise": False}, {"type": "USRNet"}):
        check_told({"backbone": backbone, "degradation": {"type": kind}})
        container = {"type": "Compose", "parts": [{"type": kind}, {"type": "JPEG", "scale": 1}]}
        check_told({"backbone": backbone, "degradation": container})


def test_other_networks_learn_from_anything():
    check_told({"backbone": {"type": "VDSR"}, "degradation": NOISY})
    check_told({"backbone": SRMD})
    check_told({"degradation": NOISY})


def test_a_file_of_a_learned_degradation_is_refused(tmp_path):
    from realdeg.degradations import DirectNet
    from realdeg.utils.component import save_component

    made = DirectNet(2)
    file = tmp_path / "d.safetensors"
    save_component(file, made, kind="degradation", type="DirectNet", arguments=made.arguments)
    with pytest.raises(ConfigError, match="DirectNet, which does not state its blur and noise"):
        check_told({"backbone": SRMD, "degradation": {"checkpoint": str(file)}})
