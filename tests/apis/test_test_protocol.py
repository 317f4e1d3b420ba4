"""One protocol for all networks of one comparison, whatever their recipes say."""

import pytest
from mmengine.config import Config

from realdeg import compare_runs
from realdeg.apis.test_protocol import use_protocol
from realdeg.cli.main import main
from realdeg.config import load_config
from realdeg.errors import ConfigError

BICUBIC = ("--cfg-options", "backbone=dict(type='Bicubic')")


def test_every_metric_is_kept_under_the_one_protocol():
    cfg = load_config("vdsr/vdsr_ntire19_real_x4_cpu")
    other = dict(type="NIQE")
    cfg.test_evaluator["metrics"].append(other)
    use_protocol(cfg, "rgb")
    first, *rest = cfg.test_evaluator["metrics"]
    assert first["protocol"] == "rgb" and first["metrics"] == ["psnr", "ssim", "lpips"]
    assert rest == [other]
    assert cfg.test_evaluator["type"] == "Evaluator"
    use_protocol(cfg, dict(base="rgb", border=4))
    assert cfg.test_evaluator["metrics"][0]["protocol"] == dict(base="rgb", border=4)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'rgb'"):
        use_protocol(load_config("vdsr/vdsr_ntire19_real_x4_cpu"), "rbg")
    with pytest.raises(ConfigError, match="no 'test_evaluator'"):
        use_protocol(Config(), "rgb")


def test_two_networks_of_different_recipes(tmp_path, capsys):
    """Neither recipe measures this protocol; one option measures both with it."""
    for name, recipe in (("a", "vdsr/vdsr_ntire19_real_x4_cpu"), ("b", "kpn/kpn_realsr_x4")):
        words = ["test", recipe, "--sample", "--work-dir", str(tmp_path / name), *BICUBIC]
        assert main([*words, "--no-pictures", "--device", "cpu"]) == 0
    folders = [tmp_path / "a", tmp_path / "b"]
    capsys.readouterr()
    assert main(["compare", *map(str, folders), "--protocol", "benchmark-y"]) == 2
    assert "--protocol NAME --test" in capsys.readouterr().err
    found = compare_runs(folders, protocol="benchmark-y", test=True)
    (table,) = found.tables
    assert table.scores == ("psnr[benchmark-y]", "ssim[benchmark-y]")
    assert table.means["a"] == table.means["b"]  # the same network on the same images
    assert (tmp_path / "a" / "test_benchmark-y" / "test" / "report.json").is_file()
    again = compare_runs(folders, protocol="benchmark-y")
    assert again.tables == found.tables
    odd = compare_runs(folders, protocol=dict(base="rgb", border=4), test=True)
    assert odd.tables[0].scores[0] == "psnr[rgb,border=4]"
    assert "4 px shaved" in odd.protocols["rgb,border=4"]
