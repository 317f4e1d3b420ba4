import logging

import pytest
from mmengine.config import Config

from realdeg.config import apply_options, inject, load_config, replacing_types
from realdeg.errors import CheckpointError, ConfigError


def options(start, **changes):
    cfg = Config(start)
    apply_options(cfg, {key.replace("__", "."): value for key, value in changes.items()})
    return cfg.to_dict()


DML = dict(degradation=dict(type="DML", num_kernels=8, width=16))


def test_a_changed_type_replaces_and_says_what_it_dropped(caplog):
    caplog.set_level(logging.INFO, "realdeg")
    result = options(DML, degradation__type="DirectNet", degradation__levels=2)
    assert result == dict(degradation=dict(type="DirectNet", levels=2))
    assert "degradation: DirectNet replaces DML; dropped keys: num_kernels, width" in caplog.text


def test_the_same_type_merges(caplog):
    caplog.set_level(logging.INFO, "realdeg")
    result = options(DML, degradation__type="realdeg.DML", degradation__width=8)
    assert result["degradation"] == dict(type="realdeg.DML", num_kernels=8, width=8)
    assert not caplog.text


def test_a_file_of_weights_replaces_a_type_and_back():
    weights = dict(degradation=dict(checkpoint="a.safetensors"))
    assert options(DML, degradation__checkpoint="a.safetensors") == weights
    assert options(DML, degradation="a.safetensors") == dict(degradation="a.safetensors")
    for start in (weights, dict(degradation="a.safetensors")):
        assert options(start, degradation__type="AWGN") == dict(degradation=dict(type="AWGN"))


def test_a_backbones_weights_stand_beside_its_type():
    start = dict(backbone=dict(type="RCAN", preset="rcan"))
    assert options(start, backbone__checkpoint="x.pth")["backbone"]["type"] == "RCAN"


def test_an_item_of_a_list():
    parts = [dict(checkpoint="a.safetensors"), dict(type="AWGN", sigma=5)]
    start = dict(degradation=dict(type="Compose", parts=parts))
    result = options(start, degradation__parts__0__type="Bicubic")
    assert result["degradation"]["parts"] == [dict(type="Bicubic"), dict(type="AWGN", sigma=5)]
    assert start["degradation"]["parts"][0] == dict(checkpoint="a.safetensors")
    with pytest.raises(ConfigError, match="parts.0 to degradation.parts.1"):
        options(start, degradation__parts__2__type="Bicubic")


def test_options_that_contradict_each_other():
    with pytest.raises(ConfigError, match="set whole"):
        options({}, seed=1, seed__of=2)
    with pytest.raises(ConfigError, match="cannot take the key 'of'"):
        options(dict(seed=1), seed__of=2)


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_inheritance(tmp_path, caplog):
    caplog.set_level(logging.INFO, "realdeg")
    write(tmp_path, "a.py", "degradation = dict(type='DML', num_kernels=4)\nscale = 2\n")
    child = write(tmp_path, "b.py", "_base_ = 'a.py'\ndegradation = dict(type='AWGN', sigma=3)\n")
    cfg = load_config(child)
    assert cfg.degradation == dict(type="AWGN", sigma=3) and cfg.scale == 2
    assert "dropped keys: num_kernels" in caplog.text
    deleted = write(
        tmp_path, "c.py", "_base_ = 'a.py'\ndegradation = dict(_delete_=True, type='DML')\n"
    )
    assert load_config(deleted).degradation == dict(type="DML")


def test_mmengine_is_left_as_it_was():
    before = Config._merge_a_into_b, Config._get_cfg_path
    with pytest.raises(RuntimeError), replacing_types():
        assert Config._merge_a_into_b is not before[0]
        raise RuntimeError
    assert (Config._merge_a_into_b, Config._get_cfg_path) == before
    assert Config._merge_a_into_b(dict(a=dict(type="B")), dict(a=dict(type="A", x=1))) == dict(
        a=dict(type="B", x=1)
    )


def test_a_recipe_as_the_base_of_a_config_elsewhere(tmp_path):
    text = "_base_ = 'realdeg::dml/dml_n8_realsr_x4.py'\ndegradation = dict(num_kernels=2)\n"
    cfg = load_config(write(tmp_path, "mine.py", text), check=False)
    assert cfg.degradation.num_kernels == 2 and cfg.degradation.kernel_size == 15


def test_one_object_in_a_file_is_two_in_the_config(tmp_path):
    text = "val_cfg = dict(type='EvalLoop')\ntest_cfg = val_cfg\n"
    cfg = load_config(write(tmp_path, "a.py", text), check=False)
    cfg.val_cfg.type = "Other"
    assert cfg.test_cfg.type == "EvalLoop"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scale = = 2\n", "line 1"),
        ("scale = nothing\n", "NameError"),
        ("_base_ = 'absent.py'\n", "inherits from 'absent.py'"),
        ("_base_ = ['one.py', 'two.py']\n", "set the same key"),
    ],
)
def test_broken_files(tmp_path, text, said):
    for name in ("one.py", "two.py"):
        write(tmp_path, name, "scale = 2\n")
    with pytest.raises(ConfigError, match=said):
        load_config(write(tmp_path, "a.py", text), check=False)


def test_the_word_for_replacing_goes_where_nothing_lay_below(tmp_path):
    text = (
        "degradation = dict(type='DML', _delete_=True)\nparam_scheduler = [dict(_delete_=False)]\n"
    )
    cfg = load_config(write(tmp_path, "a.py", text), check=False)
    assert cfg.degradation == dict(type="DML") and cfg.param_scheduler == [{}]


@pytest.fixture
def glass():
    """A degradation of a stranger's with a part under a name that realdeg does not know."""
    from realdeg.datasets import Transform
    from realdeg.degradations import Degradation
    from realdeg.degradations.base import DegradationLike
    from realdeg.registry import DEGRADATIONS, TRANSFORMS

    @DEGRADATIONS.register_module()
    class Glass(Degradation):
        def __init__(self, scale: int = 4, same_size: bool = False, lens: DegradationLike = "AWGN"):
            super().__init__(scale, same_size)

    @TRANSFORMS.register_module()
    class Through(Transform):
        def __init__(self, lens: DegradationLike, lenses: list[DegradationLike] = ()):
            self.lens = lens

        def __call__(self, results):
            return results

    yield
    DEGRADATIONS.module_dict.pop("Glass")
    TRANSFORMS.module_dict.pop("Through")


def test_a_strangers_argument_is_a_component_by_its_annotation(glass, tmp_path, monkeypatch):
    lens = dict(type="DML", num_kernels=4)
    start = dict(degradation=dict(type="Glass", lens=lens))
    weights = dict(type="Glass", lens=dict(checkpoint="x.safetensors"))
    assert options(start, degradation__lens__checkpoint="x.safetensors")["degradation"] == weights
    again = options(dict(degradation=weights), degradation__lens__type="AWGN")
    assert again["degradation"]["lens"] == dict(type="AWGN")
    place = dict(train_dataloader=dict(dataset=dict(transforms=[dict(type="Through", lens=lens)])))
    found = options(place, train_dataloader__dataset__transforms__0__lens__checkpoint="x.pth")
    step = found["train_dataloader"]["dataset"]["transforms"][0]
    assert step == dict(type="Through", lens=dict(checkpoint="x.pth"))
    monkeypatch.chdir(tmp_path)
    step["lenses"] = [dict(type="AWGN"), "y.safetensors"]
    own = [step, dict(type="PackSample")]
    name = "train_dataloader.dataset.transforms"
    with pytest.raises(ConfigError, match=r"transforms.0.lens' has no type or checkpoint"):
        load_config("dml/dml_n8_realsr_x4", {name: [{**step, "lens": {}}]})
    with pytest.raises(CheckpointError, match=r"'train_.*transforms.0.lens': there is no x.pth"):
        inject(load_config("dml/dml_n8_realsr_x4", {name: own}))
    (tmp_path / "x.pth").touch()
    with pytest.raises(CheckpointError, match=r"transforms.0.lenses.1': there is no y.safetensors"):
        inject(load_config("dml/dml_n8_realsr_x4", {name: own}))
