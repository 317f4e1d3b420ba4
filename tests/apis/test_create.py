"""One door to networks and degradations."""

import pytest

from realdeg import create_backbone, create_degradation
from realdeg.degradations import DML
from realdeg.errors import ConfigError, GeometryError
from realdeg.utils.component import save_component


def test_the_door_takes_whatever_names_a_network(tmp_path):
    network = create_backbone({"type": "VDSR", "depth": 2, "width": 4}, scale=2)
    assert create_backbone(network) is network
    file = tmp_path / "backbone.safetensors"
    save_component(file, network, kind="backbone", type="VDSR", arguments=network.arguments)
    for source in (file, str(tmp_path), {"checkpoint": str(file)}):
        found = create_backbone(source, trained=True)
        assert found.arguments == network.arguments
        assert not any(parameter.requires_grad for parameter in found.parameters())
    recipe = create_backbone("vdsr/vdsr_realsr_x4", options={"backbone.depth": 2})
    assert (recipe.scale, recipe.same_size) == (4, True) and recipe.arguments["depth"] == 2
    filled = create_backbone("vdsr", weights=file)
    assert filled.arguments == network.arguments
    with pytest.raises(ConfigError, match="does not name one"):
        create_backbone(file, weights=file)
    with pytest.raises(ConfigError, match="several networks have weights 'official'.*name the"):
        create_backbone("official")
    with pytest.raises(ConfigError, match="'classical' is not a backbone"):
        create_backbone("classical")
    named = create_backbone(f"vdsr:{file}", trained=True)
    assert named.arguments == network.arguments
    with pytest.raises(ConfigError, match="no weights 'ntire' of SPAN.*Did you mean 'ntire2024'"):
        create_backbone("SPAN:ntire")
    with pytest.raises(ConfigError, match="published weights by name .SPAN:ntire2024, "):
        create_backbone("SPAN", trained=True)


def test_the_door_takes_whatever_names_a_degradation(tmp_path):
    learned = DML.example() if hasattr(DML, "example") else create_degradation("DML", 2, width=4)
    learned.save(tmp_path / "degradation.safetensors")
    for source in (tmp_path / "degradation.safetensors", str(tmp_path), learned):
        assert create_degradation(source, trained=True).arguments == learned.arguments
    assert create_degradation("AWGN", scale=2, sigma=5).arguments["sigma"] == 5
    recipe = create_degradation("dml/dml_n8_realsr_x4", options={"degradation.width": 4})
    assert (recipe.scale, recipe.same_size) == (4, True) and not recipe.is_trained
    with pytest.raises(ConfigError, match="is untrained"):
        create_degradation("dml/dml_n8_realsr_x4", trained=True)
    with pytest.raises(GeometryError):
        create_degradation(learned, learned.scale + 1)
    with pytest.raises(ConfigError, match="a name, a dict or a path"):
        create_degradation(5)
