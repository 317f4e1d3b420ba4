import os
import subprocess
import sys

import pytest

from realdeg.config import load_config
from realdeg.errors import ConfigError


def load(**changes):
    return load_config(
        "dml/dml_n8_realsr_x4", {key.replace("__", "."): value for key, value in changes.items()}
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(degredation__type="DML"), "unknown top-level key 'degredation'.*'degradation'"),
        (dict(degradation__num_kernel=4), "DML.*'degradation.num_kernel'.*'num_kernels'"),
        (dict(degradation__type="DLM"), "'DLM' at 'degradation.type': searched.*'DML'"),
        (dict(train_dataloader__batchsize=4), "'train_dataloader.batchsize'.*'batch_size'"),
        (dict(train_dataloader__dataset__versio=4), "RealSRDataset.*dataset.versio'.*'version'"),
        (
            dict(train_dataloader__dataset__transforms__1__type="Flp"),
            "'train_dataloader.dataset.transforms.1.type'.*'Flip'",
        ),
        (dict(train_dataloader__dataset__transforms__0__size=4), "transforms.0.size'"),
        (dict(train_dataloader__sampler__type="Sampler"), "sampler.*'train_dataloader.sampler"),
        (dict(val_evaluator__metrics__0__protocl="rgb"), "metrics.0.protocl'.*'protocol'"),
        (dict(val_evaluator__metrics__0__type="ImageQ"), "metrics.0.type'.*'ImageQuality'"),
        (dict(train_cfg__max_iter=4), "'train_cfg.max_iter'.*'max_iters'"),
        (dict(train_cfg__type="IterLoop"), "'train_cfg.type'"),
        (dict(optim_wrapper__optimizer__type="Adm"), "'optim_wrapper.optimizer.type'.*'Adam'"),
        (dict(optim_wrapper__optimizer__rate=1), "Adam.*'optim_wrapper.optimizer.rate'"),
        (dict(default_hooks__logger__intervall=1), "ProgressHook.*'interval'"),
        (dict(default_hooks__other__interval=1), "'default_hooks.other' has no type"),
        (dict(model__loss__type="MSE"), "'model.loss.type'.*'MSELoss'"),
        (dict(model__loss__wieght=1), "MSELoss.*'weight'"),
        (dict(model__scale=4), "'model.scale' is given once"),
        (dict(model__type="Degradation.Learning"), "'model.type'"),
        (dict(scale="four"), "'scale' is 'four'"),
        (dict(scale=True), "'scale' is True"),
        (dict(scale=0), "'scale' is 0, wanted a number from 1 to 64"),
        (dict(same_size="yes"), "'same_size' is 'yes'"),
        (dict(degradation__type=3), "'degradation.type' is 3"),
        (dict(degradation=3), "'degradation' is 3"),
        (dict(degradation__checkpoint="a.safetensors", degradation__width=3), "beside"),
    ],
)
def test_refused_before_any_data_is_read(changes, said):
    with pytest.raises(ConfigError, match=said):
        load(**changes)


L1 = dict(type="L1Loss")


def weighted(*terms):
    return dict(type="WeightedLoss", terms=list(terms))


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (weighted(L1, L1), "two terms 'loss_l1', 'model.loss.terms.0' and 'model.loss.terms.1'"),
        (weighted(L1, dict(type="MSELoss", name="l1")), "two terms 'loss_l1'"),
        (weighted(dict(L1, target="lr")), "'model.loss.terms.0.target' is 'lr', wanted 'hr' or"),
        (
            weighted(L1, dict(L1, name="sharp", target="sharpened")),
            "'model.loss.terms.1' needs the picture 'sharpened', which DegradationLearning",
        ),
        (weighted(L1, dict(type="LSGANLoss")), "'model.loss.terms.1' is LSGANLoss, an adversarial"),
        (
            weighted(dict(L1, name=["a"])),
            "'model.loss.terms.0.name' is .*, wanted a string or None",
        ),
        (weighted(dict(L1, outputs=3)), "'model.loss.terms.0.outputs' is 3"),
        (weighted(weighted(L1)), "'model.loss.terms.0' is a WeightedLoss inside"),
        (weighted(dict(L1, nam="a")), "no argument 'nam' .at 'model.loss.terms.0.nam'"),
        (dict(type="HingeGANLoss"), "'model.loss' is HingeGANLoss, .*wanted an image loss: .*L1Lo"),
        (dict(L1, name="alone"), "no argument 'name' .at 'model.loss.name'"),
    ],
)
def test_losses_that_do_not_fit_are_refused(loss, said):
    with pytest.raises(ConfigError, match=said):
        load(model__loss=loss)


@pytest.mark.parametrize(
    ("recipe", "loss", "said"),
    [
        (
            "edsr/edsr_div2k_x4",
            dict(type="CrossEntropyLoss"),
            "'model.loss' is CrossEntropyLoss, which compares class logits.*L1Loss.*logits",
        ),
        (
            "edsr/edsr_div2k_x4",
            weighted(L1, dict(type="CrossEntropyLoss")),
            "'model.loss.terms.1' is CrossEntropyLoss",
        ),
        (
            "edsr/edsr_div2k_x4",
            weighted(L1, dict(type="MSSSIMLoss"), dict(type="LDLLoss")),
            "'model.loss.terms.2' compares with the moving average.*ComponentEMAHook",
        ),
        (
            "espcn/espcn_t91_x3_cpu",
            weighted(L1, dict(type="MSSSIMLoss")),
            "'model.loss.terms.1' is MSSSIMLoss.* at least 176 .*patch_size=48.: set",
        ),
        (
            "espcn/espcn_t91_x3_cpu",
            weighted(L1, dict(type="LPIPSLoss")),
            "'model.loss.terms.1' is LPIPSLoss, which compares RGB images.*backbone.colour='rgb'",
        ),
    ],
)
def test_losses_that_do_not_fit_the_rest_are_refused(recipe, loss, said):
    with pytest.raises(ConfigError, match=said):
        load_config(recipe, {"model.loss": dict(loss, _delete_=True)})


def test_terms_have_names_and_targets():
    terms = [L1, dict(L1, name="second", target="hr")]
    assert load(model__loss=weighted(*terms)).model.loss.terms == terms


def test_an_image_loss_is_no_adversarial_loss():
    with pytest.raises(
        ConfigError, match="'model.gan_loss' is L1Loss, an image loss; wanted an adversarial loss: "
    ):
        load_config("dsgan/dsgan_df2k_x4", {"model.gan_loss": dict(type="L1Loss", _delete_=True)})


VGG = dict(type="VGGDiscriminator", size=64, width=4, _delete_=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"model.gan_loss": dict(type="L1Loss", _delete_=True)},
            "'model.gan_loss' is L1Loss, an image loss",
        ),
        (
            {"model.penalties": [dict(type="WGANLoss")]},
            "'model.penalties.0' is WGANLoss, an adversarial loss; wanted a penalty: .*R1Pen",
        ),
        (
            {"model.loss": dict(type="R1Penalty", _delete_=True)},
            "'model.loss' is R1Penalty, a penalty; wanted an image loss",
        ),
        (
            {"model.discriminator": VGG},
            "'model.discriminator' is a VGGDiscriminator for 64 x 64 pixels only, and .* patches of"
            " 48 x 48 HR pixels .patch_size=48.: .*model.discriminator.size or patch_size.*UNet",
        ),
        (
            {
                "model.discriminator": dict(
                    type="FilteredDiscriminator",
                    discriminator=dict(type="SRGANDiscriminator", size=48),
                    filter="wavelet",
                    _delete_=True,
                )
            },
            "'model.discriminator' is a FilteredDiscriminator for 96 x 96 pixels only",
        ),
        ({"patch_size": 96}, "for 48 x 48 pixels only, .*patches of 96 x 96"),
        ({"model.discriminator.in_channels": 1}, "in_channels' is 1 .* images have 3 channels"),
        (
            {"backbone": dict(type="VDSR", _delete_=True)},
            "'model.discriminator.in_channels' is 3 .* 1 channel .luma.",
        ),
        (
            {"optim_wrapper": dict(optimizer=dict(type="Adam", lr=1e-4), _delete_=True)},
            "'optim_wrapper' has one optimiser, and AdversarialSuperResolution needs one for each",
        ),
        (
            {"optim_wrapper.generator_step": dict(optimizer=dict(type="Adam", lr=1e-4))},
            "'optim_wrapper.generator_step' is no optimiser of .* backbone_step and discriminator_",
        ),
        (
            {"model.train_degradation": True, "degradation": dict(type="DML")},
            "'optim_wrapper' has no degradation_step, which AdversarialSuperResolution needs",
        ),
        (
            {"param_scheduler": dict(generator_step=[dict(type="ConstantLR")], _delete_=True)},
            "'param_scheduler.generator_step' is the schedule of no optimiser; .*backbone_step",
        ),
        ({"model.discriminator_steps": 0}, "discriminator_steps"),
        ({"model.gan_target": "lr"}, "gan_target"),
        ({"model.discriminator.start_from": "a.pth"}, "'model.discriminator.start_from' is 'a.p"),
    ],
)
def test_an_adversarial_recipe_that_contradicts_itself_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        load_config("sr_resnet/srgan_t91_x4_cpu", options)


def test_the_optimisers_of_a_degradation_and_its_discriminator_are_checked():
    with pytest.raises(ConfigError, match="'optim_wrapper.backbone_step' is no optimiser of Unpa"):
        step = dict(optimizer=dict(type="Adam", lr=1e-4))
        load_config("dsgan/dsgan_df2k_x4", {"optim_wrapper.backbone_step": step})
    with pytest.raises(ConfigError, match="'model.discriminator.in_channels' is 3 for DSGAN"):
        load_config(
            "dsgan/dsgan_df2k_x4", {"model.colour": "y", "model.perceptual_loss.weight": 0.0}
        )


SCHEDULE = dict(type="CosineAnnealingLR", by_epoch=False)
STEP = dict(type="PairedCrop", patch_size=96)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(default_scope=4), "'default_scope' is 4, wanted 'realdeg'"),
        (dict(default_scope=float("nan")), "'default_scope' is nan"),
        (dict(train_cfg=-0.5), "'train_cfg' is -0.5, wanted a dict"),
        (dict(train_cfg=["RGB"]), "'train_cfg' is .*wanted a dict"),
        (dict(train_cfg__type=None, train_cfg__max_iters=0), "'train_cfg.max_iters' is 0"),
        (dict(param_scheduler=dict(SCHEDULE, eta_min="a" * 60)), "param_scheduler.eta_min"),
        (dict(param_scheduler=dict(SCHEDULE, eta_min={"type": "os.getcwd"})), "eta_min"),
        (dict(param_scheduler=dict(SCHEDULE, etamin=0)), "no argument 'etamin'.*'eta_min'"),
        (dict(train_dataloader__sampler=[[[]]]), "'train_dataloader.sampler' is .*wanted a dict"),
        (dict(train_dataloader__sampler=None), "train_dataloader.sampler"),
        (dict(train_dataloader__sampler={"type": "os.getcwd"}), "train_dataloader.sampler.type"),
        (dict(train_dataloader__collate_fn=None), "'train_dataloader.collate_fn' is None"),
        (
            dict(train_dataloader__collate_fn={"_delete_": True, "typeS": "x"}),
            "collate_fn' has no type",
        ),
        (dict(train_dataloader__collate_fn__type="../../etc"), "train_dataloader.collate_fn.type"),
        (dict(train_dataloader__num_workers=10**9), "wanted a whole number from 0 to 512"),
        (dict(train_dataloader__batch_size=10**12), "'train_dataloader.batch_size'"),
        (dict(train_dataloader__dataset__transforms=[STEP, [[]]]), "transforms"),
        (
            dict(optim_wrapper__optimizer={"_delete_": True, "checkpoint": None}),
            "optimizer.* has no type",
        ),
        (dict(optim_wrapper__optimizer=[[]]), "'optim_wrapper.optimizer' is .*wanted a dict"),
        (dict(degradation=dict(type="Compose", parts=["Bicubic", -1])), "parts.1' is -1"),
        (dict(optim_wrapper={"_delete_": True}), "'optim_wrapper' has no optimizer"),
        (dict(optim_wrapper__constructor="os.system"), "optim_wrapper.constructor"),
        (dict(custom_hooks=[["x"]]), "custom_hooks"),
        (dict(degradation___scope_="os"), "'degradation._scope_' is 'os'"),
        (
            dict(train_dataloader__collate_fn=dict(type="collate_batch", _scope_="mmengine")),
            "takes no key '_scope_'",
        ),
        (dict(degradation___scope_="mmengine"), "'degradation' takes no key '_scope_'"),
        (dict(train_cfg___hidden=1), "'train_cfg' takes no key '_hidden'"),
        (dict(train_dataloader__dataset__folder=object()), "train_dataloader.dataset.folder"),
        (dict(seed=-1), "'seed' is -1, wanted a whole number from 0 to"),
        (dict(seed=10**30), "'seed' is a number of 100 bits"),
        (dict(data_root="a\0b"), "not a text for a setting"),
        (dict(work_dir="x" * 20_000), "not a text for a setting"),
        (dict(custom_hooks=[{"type": "EMAHook", 1: 2}]), "has the key 1"),
        (dict(vis_backends=[{"type": "AimVisBackend"}]), "pip install aim"),
    ],
)
def test_the_shape_is_the_engines(changes, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load(**changes)
    assert "\n" not in str(caught.value)


def test_levels_that_never_end():
    from realdeg.degradations import DML

    for levels in (11, 10**30):
        with pytest.raises(ConfigError, match="levels"):
            DML(4, True, levels=levels)


@pytest.mark.parametrize(
    "changes",
    [
        dict(degradation="Bicubic"),
        dict(degradation="some/file.safetensors"),
        dict(degradation=None, model__border=3),
        dict(optim_wrapper__optimizer__type="SGD", optim_wrapper__optimizer__lr=0.1),
        dict(optim_wrapper__paramwise_cfg=dict(custom_keys={})),
        dict(param_scheduler=[dict(type="MultiStepLR", milestones=[3])]),
        dict(custom_hooks=[dict(type="EMAHook", momentum=0.1, priority=1)]),
        dict(visualizer=dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")])),
        dict(model__loss=dict(type="WeightedLoss", terms=[dict(type="L1Loss", name="loss_a")])),
        dict(val_evaluator=[dict(type="ImageQuality")]),
        dict(val_evaluator=dict(type="ImageQuality", protocol="rgb", _delete_=True)),
    ],
)
def test_accepted(changes):
    load(**changes)


def test_a_components_arguments_are_found_through_kwargs():
    from realdeg.degradations import AWGN, DML
    from realdeg.utils.arguments import arguments_of

    class Mine(DML):
        def __init__(self, extra, **kwargs):
            super().__init__(**kwargs)

    found = arguments_of(Mine)
    assert "extra" in found and "num_kernels" in found and not found.open
    assert found.required == ("extra",) and found.names[0] == "extra"
    assert arguments_of(AWGN).required == ()
    assert arguments_of(lambda **kwargs: None).open


def test_custom_imports(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "of_mine_for_config.py").write_text(
        "from realdeg.degradations import Degradation\n"
        "from realdeg.registry import DEGRADATIONS\n"
        "@DEGRADATIONS.register_module(force=True)\n"
        "class OfMineForConfig(Degradation):\n"
        "    def __init__(self, strength=1, **kwargs):\n"
        "        super().__init__(**kwargs)\n"
    )
    imports = dict(custom_imports=dict(imports="of_mine_for_config"))
    load(**imports, degradation__type="OfMineForConfig", degradation__strength=2)
    with pytest.raises(ConfigError, match="no argument 'strngth'.*'strength'"):
        load(**imports, degradation__type="OfMineForConfig", degradation__strngth=2)
    (tmp_path / "broken_for_config.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match="'broken_for_config'.*ZeroDivisionError"):
        load(custom_imports=dict(imports=["broken_for_config"]))
    with pytest.raises(ConfigError, match="wanted a dict"):
        load(custom_imports="broken_for_config")
    from realdeg.registry import DEGRADATIONS

    DEGRADATIONS.module_dict.pop("OfMineForConfig")
    sys.modules.pop("of_mine_for_config")


def test_functions_that_collate_are_known_whatever_stands_first(repository):
    """The registry of functions is filled with the data sets, which nothing has asked for yet."""
    script = (
        "from realdeg.config import validate\n"
        "validate(dict(val_dataloader=dict(collate_fn=dict(type='collate_batch'),"
        " sampler=dict(type='EvalSampler'), dataset=dict(type='SampleDataset'))))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=120)
