import pytest

from realdeg.config import inject, load_config


def transforms(dataset):
    return [(step["type"], step.get("patch_size")) for step in dataset["transforms"]]


def test_data_and_schedule_are_replaced_and_the_recipe_stays(caplog):
    cfg = load_config("dml/dml_n8_realsr_x4", sample=True)
    assert cfg.sample is True and cfg.degradation.num_kernels == 8 and cfg.scale == 4
    train = inject(cfg).train_dataloader
    assert (train.dataset.type, train.dataset.split, train.dataset.mode) == (
        "SampleDataset",
        "train",
        "pairs",
    )
    assert transforms(train.dataset) == [("PairedCrop", 48), ("Flip", None), ("PackSample", None)]
    assert (train.batch_size, train.num_workers) == (4, 0) and "persistent_workers" not in train
    assert cfg.test_dataloader.dataset.split == cfg.val_dataloader.dataset.split == "test"
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (40, 40)
    for said in ("SAMPLE RUN of dml/dml_n8_realsr_x4", "max_iters: 100000 -> 40", "RealSRDataset"):
        assert said in caplog.text


def test_a_recipe_for_a_cpu_comes_further():
    cfg = load_config("dml/dml_n8_ntire19_x4_cpu", sample=True)
    assert cfg.train_cfg.max_iters == 400
    assert transforms(inject(cfg).train_dataloader.dataset)[0] == ("PairedCrop", 64)


def test_a_shorter_schedule_makes_no_recipe_small():
    cfg = load_config("dml/dml_n8_realsr_x4", {"train_cfg.max_iters": 3}, sample=True)
    assert transforms(inject(cfg).train_dataloader.dataset)[0] == ("PairedCrop", 48)
    assert cfg.train_cfg.max_iters == 3


def test_a_mixture_stays_one():
    cfg = load_config("rcan/rcan_realsr_syn_dml_x4", sample=True)
    dataset = cfg.train_dataloader.dataset
    assert dataset.type == "MixtureDataset"
    assert [item.mode for item in dataset.datasets] == ["pairs", "hr", "hr"]
    assert transforms(dataset.datasets[1])[0] == ("DownsampleHR", None)
    assert (cfg.patch_size, cfg.batch_size) == (48, 2)  # the batch was smaller already


def test_the_command_line_wins():
    options = {"train_cfg.max_iters": 1000, "train_dataloader.dataset.transforms.0.patch_size": 64}
    cfg = load_config("dml/dml_n8_realsrv3_x3", options, sample=True)
    assert cfg.train_cfg.max_iters == 1000 and cfg.train_cfg.val_interval == 40
    assert transforms(cfg.train_dataloader.dataset)[0] == ("PairedCrop", 64)
    dataset = inject(cfg).train_dataloader.dataset
    assert (dataset.scale, dataset.same_size, dataset.type) == (3, False, "SampleDataset")


def test_a_config_that_asks_for_the_sample_itself(tmp_path):
    (tmp_path / "mine.py").write_text("_base_ = 'realdeg::vdsr/vdsr_realsr_x2.py'\nsample = True\n")
    assert load_config(tmp_path / "mine.py").train_dataloader.dataset.type == "SampleDataset"


@pytest.mark.parametrize("whole", ["global_kernel/global_kernel_realsrv3_x2"])
def test_a_closed_form_takes_whole_images(whole):
    cfg = load_config(whole, sample=True)
    assert transforms(cfg.train_dataloader.dataset) == [("ModCrop", None), ("PackSample", None)]
    assert cfg.train_cfg == dict(type="ClosedFormLoop")


def test_a_discriminator_of_one_size_shrinks_with_the_patches():
    cfg = load_config("rrdbnet/esrgan_dfo_x4", sample=True)
    assert (cfg.model.discriminator["size"], cfg.patch_size) == (32, 32)
    cfg = load_config("sr_resnet/srgan_t91_x4_cpu", sample=True)
    assert (cfg.model.discriminator["size"], cfg.patch_size) == (48, 48)
    # A crop before a reduction stays large enough for it.
    cfg = load_config("esrgan_fs/esrgan_fs_tdsr_df2k_x4", sample=True)
    assert cfg.model.discriminator.discriminator["size"] == 32
    crops = [
        step.patch_size for step in cfg.train_dataloader.dataset.transforms if "patch" in str(step)
    ]
    assert crops == [64, 32]


@pytest.mark.parametrize(
    ("kind", "mode"), [("PairedShardDataset", "pairs"), ("HRShardDataset", "hr")]
)
def test_shards_stand_for_what_they_hold(tmp_path, kind, mode):
    (tmp_path / "mine.py").write_text(
        "_base_ = 'realdeg::srvgg_compact/srvgg_compact_df2k_x4.py'\n"
        f"train_dataloader = dict(dataset=dict(_delete_=True, type={kind!r}, root='nowhere'))\n"
    )
    cfg = load_config(tmp_path / "mine.py", sample=True)
    assert cfg.train_dataloader.dataset.mode == mode
