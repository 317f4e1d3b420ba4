"""One recipe in several scales, and fields that are given once at the top."""

import pytest

from realdeg.config import config_name, find_config, former, inject, list_configs, load_config
from realdeg.config.find import at_scale
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.arguments import arguments_of
from tests.config.resolved import differences

RECIPE = """\
_base_ = "realdeg::dml/dml_n8_realsr_x4.py"
scale = 4
per_scale = {2: dict(patch_size=96), 2.5: {}, 4: dict()}
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(RECIPE)
    return tmp_path / "mine.py"


@pytest.mark.parametrize(
    "name",
    ["dml/dml_n4_realsr@x2", "dml/dml_n4_realsr_x2", "dml/dml_n4_realsr_x4@x2", "dml_n4_realsr@x2"],
)
def test_names_of_a_scale(name):
    cfg = load_config(name)
    assert cfg.scale == 2 and "per_scale" not in cfg
    assert config_name(cfg.filename) == config_name(find_config(name)) == "dml/dml_n4_realsr_x2"


def test_every_listed_name_is_what_its_recipe_goes_by():
    for name in list_configs():
        cfg = load_config(name, check=False)
        assert config_name(cfg.filename) == name
        assert f"x{cfg.scale}" in name
    assert config_name(load_config("dml/dml_n4_realsr", check=False).filename) in list_configs()


def test_a_scale_of_ones_own_recipe(mine):
    named = mine.with_name("mine_x2.py")
    for path in (at_scale(mine, 2), named, at_scale(mine.with_suffix(""), 2)):
        cfg = load_config(path, check=False)
        assert (cfg.scale, cfg.patch_size, cfg.filename) == (2, 96, str(named))
    assert load_config(mine, check=False).patch_size == 192
    assert load_config(f"{mine}@x2.5", check=False).scale == 2.5
    own = mine.with_name("own.py")
    own.write_text("_base_ = 'mine_x2.py'\nseed = 7\n")
    assert load_config(own, check=False).patch_size == 96
    data = mine.with_name("data.yaml")
    data.write_text("_base_: realdeg::dml/dml_n8_realsr@x4\nper_scale: {2: {seed: 5}, 4: {}}\n")
    assert load_config(f"{data}@x2", check=False).seed == 5


def test_the_option_is_the_same_as_the_name(mine):
    named, chosen = (
        load_config(f"{mine}@x2", check=False),
        load_config(mine, {"scale": 2}, check=False),
    )
    assert chosen.to_dict() == named.to_dict() and chosen.filename == named.filename
    assert load_config(mine, {"scale": 3}, check=False).patch_size == 192  # not in per_scale


@pytest.mark.parametrize("text", ["per_scale = 3\n", "per_scale = {'a': {}}\n"])
def test_per_scale_that_means_nothing(mine, text):
    mine.write_text(f"{RECIPE}{text}")
    with pytest.raises(ConfigError, match="'per_scale' of .*mine.py is .*wanted a dict of dicts"):
        load_config(mine, check=False)


def test_a_scale_that_a_recipe_does_not_come_in(mine, tmp_path):
    with pytest.raises(ConfigError, match="comes in scale 2, 2.5, 4, and scale 3 is asked for"):
        load_config(f"{mine}@x3", check=False)
    with pytest.raises(ConfigError, match="dml_n8_realsr_x4_cpu.py comes in scale 4, and scale 2"):
        load_config("dml/dml_n8_realsr_x4_cpu@x2", check=False)
    with pytest.raises(ConfigError, match="no config 'nothing@x2'"):
        load_config("nothing@x2")
    assert load_config("dml/dml_n8_realsr_x4_cpu@x4", check=False).scale == 4
    with pytest.raises(ConfigError, match="no recipe"):
        (tmp_path / "over.py").write_text("_base_ = 'realdeg::dml/dml_n8_realsr_x7'\n")
        load_config(tmp_path / "over.py")


def test_weights_of_the_same_scale():
    cfg = load_config("rcan/rcan_syn_dml@x3", check=False)
    assert "dml_n8_realsr_x3/" in cfg.degradation.parts[0].checkpoint


def load(**changes):
    options = {key.replace("__", "."): value for key, value in changes.items()}
    return inject(load_config("dml/dml_n8_realsr_x4", options))


def test_fields_reach_those_that_take_them():
    ready = load(patch_size=96, flip=dict(transpose=True), batch_size=8)
    crop, flip, _ = ready.train_dataloader.dataset.transforms
    assert crop.patch_size == 96 and flip.transpose and flip.horizontal
    assert ready.train_dataloader.batch_size == ready.train_dataloader.sampler.batch_size == 8
    assert ready.val_dataloader.batch_size == 1


def test_a_later_word_in_the_place_itself_counts():
    place = "train_dataloader__dataset__transforms__0__patch_size"
    ready = load(**{place: 64, "train_dataloader__batch_size": 4})
    assert ready.train_dataloader.dataset.transforms[0].patch_size == 64
    assert ready.train_dataloader.batch_size == 4
    own = [dict(type="PairedCrop", patch_size=64), dict(type="Flip"), dict(type="PackSample")]
    ready = load(train_dataloader__dataset__transforms=own)
    assert "transpose" not in ready.train_dataloader.dataset.transforms[1]
    folder = dict(type="HRFolderDataset", folder="mine", transforms=own)
    before = load(train_dataloader__dataset=folder).train_dataloader.dataset
    assert before.folder == "mine" and before.transforms[0].patch_size == 64


def test_a_field_that_nothing_takes():
    whole = [dict(type="ModCrop"), dict(type="PackSample")]
    place = "train_dataloader.dataset.transforms"
    assert "patch_size" not in inject(load_config("dml/dml_n8_realsr_x4", {place: whole}))
    with pytest.raises(ConfigError, match="'patch_size' is 96, but nothing in 'train_dataloader'"):
        inject(load_config("dml/dml_n8_realsr_x4", {place: whole, "patch_size": 96}))
    with pytest.raises(ConfigError, match="'hr_folders' is 'mine', but nothing"):
        inject(load_config("dml/dml_n8_realsr_x4", {"hr_folders": "mine"}))


@pytest.mark.parametrize(
    ("field", "place", "other"),
    [
        ("patch_size", "train_dataloader.dataset.transforms.0.patch_size", 32),
        ("batch_size", "train_dataloader.batch_size", 2),
    ],
)
def test_two_values_are_refused_with_both_places(tmp_path, field, place, other):
    *above, last = place.split(".")
    options = {place: other, field: other + 2}
    with pytest.raises(ConfigError, match=rf"'{place}' is {other} and the config's {field} is"):
        inject(load_config("dml/dml_n8_realsr_x4", options))


def test_loops_and_metrics_by_default(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "_base_ = ['realdeg::_base_/default_runtime', 'realdeg::_base_/datasets/realsr_v2']\n"
        "scale = 4\nbackbone = dict(type='VDSR')\n"
        "model = dict(type='SuperResolution', loss=dict(type='L1Loss'))\n"
    )
    cfg = load_config(file)
    assert cfg.val_cfg == cfg.test_cfg == dict(type="EvalLoop")
    assert cfg.test_evaluator.metrics[0].protocol == "realsr-official"
    file.write_text(file.read_text().replace("realsr_v2'", "set5'"))
    assert "test_evaluator" not in load_config(file)  # what Set5 is measured by is for the recipe
    assert load_config(file, {"test_cfg": None}).test_cfg is None


@pytest.mark.parametrize("suffix", [".py", ".yaml"])
def test_networks_that_were_blocks_of_their_own(tmp_path, suffix):
    file = tmp_path / f"mine{suffix}"
    bases = "['realdeg::dml/dml_n8_realsr_x4', 'realdeg::_base_/backbones/wave_resnet.py']"
    file.write_text(f"_base_{' =' if suffix == '.py' else ':'} {bases}\n")
    with pytest.warns(DeprecationWarning, match=r"use backbone = dict\(type='WaveResNet'\)"):
        assert load_config(file, check=False).backbone == dict(type="WaveResNet")


def test_every_former_block_is_a_network():
    for name in former._NETWORKS:
        with pytest.warns(DeprecationWarning):
            block = former.former_block(f"_base_/backbones/{name}.py")
        kind = BACKBONES.get(block.backbone.pop("type"))
        assert set(block.backbone) <= set(arguments_of(kind).parameters), name


def test_the_comparison_sees_a_difference():
    before = dict(a=[dict(type="Flip"), 1])
    assert list(differences(before, dict(a=[dict(type="Flip"), 2]))) == ["a.1: 1 -> 2"]
    assert list(differences(before, dict(a=[1]))) and list(differences(before, dict(before, b=1)))


def test_the_command_asks_for_a_scale(tmp_path, monkeypatch, capsys):
    from realdeg.cli.main import main

    monkeypatch.chdir(tmp_path)
    said = ["train", "dml/dml_n8_realsr", "--scale", "2", "--sample", "--device", "cpu"]
    options = ["degradation.width=4", "degradation.levels=1", "patch_size=24", "batch_size=2"]
    assert main([*said, "--cfg-options", *options, "train_cfg.max_iters=2"]) == 0
    run = tmp_path / "work_dirs" / "dml_n8_realsr_x2"
    saved = load_config(run)
    assert (saved.scale, saved.patch_size, saved.recipe) == (2, 24, "dml/dml_n8_realsr_x2")
    assert inject(saved).train_dataloader.dataset.transforms[0].patch_size == 24
    assert main(["train", str(run), "--scale", "3"]) == 2
    assert "a run has one scale" in capsys.readouterr().err
    assert main(["train", "dml/dml_n8_realsr_x4_cpu", "--scale", "2"]) == 2
    assert "comes in scale 4, and scale 2 is asked for" in capsys.readouterr().err


def test_a_training_set_is_built_once(tmp_path, monkeypatch):
    import realdeg
    from realdeg.datasets import SampleDataset

    made = []
    monkeypatch.setattr(
        SampleDataset,
        "__init__",
        lambda self, *args, __init=SampleDataset.__init__, **kwargs: (
            made.append(kwargs["split"]),
            __init(self, *args, **kwargs),
        )[1],
    )
    options = {"degradation.width": 4, "degradation.levels": 1, "train_cfg.max_iters": 1}
    fields = dict(patch_size=24, batch_size=2, scale=2)
    done = realdeg.train(
        "dml/dml_n8_realsr_x4",
        options={**options, "train_cfg.val_interval": 1},
        sample=True,
        work_dir=tmp_path / "run",
        device="cpu",
        **fields,
    )
    assert made == ["train", "test"] and done.iterations == 1
    assert load_config(tmp_path / "run").train_dataloader.dataset.type == "SampleDataset"
