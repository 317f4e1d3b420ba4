import copy

import pytest

from realdeg.config import inject, load_config
from realdeg.degradations import DML
from realdeg.errors import CheckpointError, ConfigError, GeometryError


def load(name="dml/dml_n8_realsr_x4", **changes):
    return load_config(name, {key.replace("__", "."): value for key, value in changes.items()})


def test_what_is_said_once_reaches_everybody():
    cfg = load(scale=3, seed=7, data_root="elsewhere", train_dataloader__batch_size=8)
    before = copy.deepcopy(cfg.to_dict())
    ready = inject(cfg, world_size=2)
    assert cfg.to_dict() == before
    assert ready.model.degradation.type == "DML"
    for holder in (ready.model, ready.model.degradation, ready.train_dataloader.dataset):
        assert (holder.scale, holder.same_size) == (3, True)
    for loader in (ready.train_dataloader, ready.test_dataloader):
        assert loader.dataset.seed == 7 and loader.dataset.data_root == "elsewhere"
    assert ready.train_dataloader.sampler == dict(type="PositionSampler", seed=7, batch_size=8)
    assert ready.train_dataloader.batch_size == 4
    assert ready.randomness.seed == 7


def test_a_batch_that_does_not_divide():
    with pytest.raises(ConfigError, match="16 is not divisible by 3"):
        inject(load(), world_size=3)


def test_no_workers_no_persistence():
    ready = inject(load(train_dataloader__num_workers=0))
    assert "persistent_workers" not in ready.train_dataloader


def test_saying_the_geometry_twice():
    inject(load(degradation__scale=4))
    with pytest.raises(ConfigError, match="'degradation.scale' is 2 and the config's scale is 4"):
        inject(load(degradation__scale=2))
    with pytest.raises(ConfigError, match="'train_dataloader.dataset.same_size' is False"):
        inject(load(train_dataloader__dataset__same_size=False))


def test_data_of_another_grid_name_the_recipe_that_fits():
    with pytest.raises(GeometryError, match=r"NTIRE19Dataset.*same_size=True.*same_size=False"):
        inject(load("dml/dml_n8_ntire19_x4_cpu", same_size=False))
    cfg = load(
        "dml/dml_n4_realsr_x2", same_size=False, train_dataloader__dataset__type="NTIRE19Dataset"
    )
    with pytest.raises(GeometryError, match="is 'dml/dml_n4_realsrv3_x2'"):
        inject(cfg)


def test_missing_and_superfluous_parts():
    with pytest.raises(ConfigError, match="no 'scale' at the top level"):
        inject(load(scale=None))
    with pytest.raises(ConfigError, match="DegradationLearning needs degradation: set it at the"):
        inject(load(degradation=None))
    with pytest.raises(ConfigError, match="the task DegradationLearning takes none"):
        inject(load(backbone="VDSR"))
    with pytest.raises(ConfigError, match="HRFolderDataset needs folder: set it at 'train_data"):
        inject(load(train_dataloader__dataset__type="HRFolderDataset"))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(scale=4, same_size=True, **meta):
        dml = DML(scale, same_size, num_kernels=2, kernel_size=5, width=4, levels=1)
        dml.mark_trained()
        dml.save(tmp_path / f"work_dirs/dml_n8_realsr_x{scale}/degradation.safetensors", meta)

    return make


def test_learned_degradations_in_super_resolution(weights):
    name = "vdsr/vdsr_syn_dml_x4"
    with pytest.raises(CheckpointError, match=r"realdeg train dml/dml_n8_realsr_x4$"):
        inject(load(name))
    with pytest.raises(CheckpointError, match=r"realdeg train dml/dml_n8_realsr_x4 --sample$"):
        inject(load_config(name, sample=True))
    weights()
    ready = inject(load(name))
    assert ready.model.degradation.parts[1] == dict(type="AWGN", sigma=5)
    with pytest.raises(ConfigError, match=r"'degradation.parts.0' is an untrained DML"):
        inject(load(name, degradation__parts__0__type="DML"))
    with pytest.raises(ConfigError, match="'degradation' is an untrained DML"):
        inject(load(name, degradation__type="DML"))
    inject(load(name, degradation__type="DML", model__train_degradation=True))


def test_weights_of_another_geometry(weights):
    weights(same_size=False)
    with pytest.raises(GeometryError, match="same_size=False, and same_size=True is asked for"):
        inject(load("vdsr/vdsr_syn_dml_x4"))


def test_weights_from_the_sample_are_for_the_sample(weights):
    weights(sample=True)
    with pytest.raises(ConfigError, match="trained on the built-in sample"):
        inject(load("vdsr/vdsr_syn_dml_x4"))
    inject(load_config("vdsr/vdsr_syn_dml_x4", sample=True))


def test_a_degradation_inside_the_data_loader(weights):
    step = dict(type="Degrade", degradation=dict(type="DML"))
    dataset = dict(_delete_=True, type="HRFolderDataset", folder="a", transforms=[step])
    with pytest.raises(ConfigError, match=r"transforms.0.degradation' is an untrained DML"):
        inject(load("vdsr/vdsr_realsr_x4", train_dataloader__dataset=dataset))


def test_the_sampler_draws_the_scales_of_the_model():
    name = "mdsr/mdsr_t91_multiscale_x4_cpu"
    ready = inject(load_config(name))
    assert list(ready.train_dataloader.sampler.scales) == [2, 3, 4]
    assert "scales" not in ready.val_dataloader.sampler
    other = {"train_dataloader.sampler.type": "InfiniteSampler"}
    with pytest.raises(ConfigError, match="'model.scales' draws .* InfiniteSampler does not"):
        inject(load_config(name, other))
