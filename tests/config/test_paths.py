import pytest

from realdeg.config import config_name, config_root, find_config, list_configs, sibling
from realdeg.errors import ConfigError


def test_a_recipe_is_found_by_any_of_its_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = config_root() / "dml" / "dml_n8_realsr_x4.py"
    for name in (
        "dml/dml_n8_realsr_x4",
        "dml/dml_n8_realsr_x4.py",
        "dml_n8_realsr_x4",
        "configs/dml/dml_n8_realsr_x4.py",
        wanted,
    ):
        assert find_config(name) == wanted
    assert config_name(wanted) == "dml/dml_n8_realsr_x4"
    assert config_name(tmp_path / "mine.py") == "mine"


def test_a_miss_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'dml/dml_n8_realsr_x4'"):
        find_config("dml/dml_n8_realsr_4")
    with pytest.raises(ConfigError, match="folder"):
        find_config(tmp_path)


def test_installed_recipes(tmp_path, monkeypatch):
    installed = tmp_path / "realdeg"
    (installed / "config").mkdir(parents=True)
    monkeypatch.setattr("realdeg.config.find.__file__", str(installed / "config" / "paths.py"))
    with pytest.raises(ConfigError, match="missing"):
        config_root()
    (installed / "_configs" / "_base_").mkdir(parents=True)
    (installed / "_configs" / "_base_" / "default_runtime.py").touch()
    assert config_root() == installed / "_configs"


def test_siblings():
    assert sibling("dml/dml_n8_realsr_x4", same_size=False, scale=4) == "dml/dml_n8_realsrv3_x4"
    assert sibling("vdsr/vdsr_realsrv3_x2", same_size=True, scale=3) == "vdsr/vdsr_realsr_x3"
    assert sibling("dml/dml_n8_realsr_x4", same_size=True, scale=4) is None
    assert sibling("mine", same_size=True, scale=4) is None


def test_the_papers_recipes_are_there():
    names = set(list_configs())
    for scale in (2, 3, 4):
        for data in ("realsr", "realsrv3"):
            for count in (4, 8, 16):
                assert f"dml/dml_n{count}_{data}_x{scale}" in names
            for method in ("direct_net", "direct_kpn", "global_kernel", "vdsr", "rcan"):
                assert f"{method}/{method}_{data}_x{scale}" in names
        for network in ("vdsr", "rcan"):
            assert f"{network}/{network}_syn_dml_x{scale}" in names
            assert f"{network}/{network}_realsr_syn_dml_x{scale}" in names
